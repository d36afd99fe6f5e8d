package graph

import "github.com/rolltrace/rolltrace/schema"

func movementNumbers(items []MovementNumber) insert {
	return insert{"movement_number", "movement, org, sidecar, id, first_sequence", len(items), each(items, func(m MovementNumber) []any {
		return []any{m.Number, m.Org, m.Sidecar, m.ID, m.FirstSequence}
	})}
}

const revisionColumns = "movement, org, sidecar, id, revision, body_hash, " +
	"state, outcome, reason, kind, known_kind, basis, effective_basis, removes, " +
	"occurred_at, closed_at, recorded_at, inputs, input_fields, output, " +
	"actor, recorded_by_user, recorded_by_host, purpose, agreement, legal_basis, fields, " +
	"mode, records, set_id_space, set_key_id, set_keys, set_unkeyed, set_chunks, set_digest, " +
	"evidence_mac, evidence_bytes, evidence_statement, evidence_document, exercise, " +
	"instance, sequence, previous, version, body, message_id, stream_sequence, received_at, seeds"

func revisions(items []Revision) insert {
	return insert{"movement_revision", revisionColumns, len(items), each(items, revisionRow)}
}

func revisionRow(r Revision) []any {
	m := r.Record
	inputs := make([]string, len(m.Inputs))
	inputFields := make([][]string, len(m.Inputs))
	for i, in := range m.Inputs {
		inputs[i], inputFields[i] = string(in.Place), append([]string{}, in.Fields...)
	}
	return []any{
		r.Movement, m.Producer.Org, m.Producer.Sidecar, m.ID, m.Revision, r.BodyHash[:],
		string(m.State), string(m.Outcome), m.Reason, string(m.Kind), flag(m.Kind.Known()),
		string(m.Basis), string(m.EffectiveBasis()), flag(m.Removes()),
		moment(m.OccurredAt), momentOrNull(m.ClosedAt), moment(m.RecordedAt), inputs, inputFields, string(m.Output),
		m.Actor, m.RecordedBy.User, m.RecordedBy.Host, m.Purpose, m.Agreement, m.LegalBasis, texts(m.Fields),
		string(m.Electors.Mode), m.Electors.Records,
		sets(m, func(s schema.Set) string { return string(s.IDSpace) }),
		sets(m, func(s schema.Set) string { return string(s.KeyID) }),
		sets(m, func(s schema.Set) uint64 {
			if s.Role != "" { // they are no more electors
				return 0
			}
			return s.Keys
		}),
		sets(m, func(s schema.Set) uint64 { return s.Unkeyed }),
		sets(m, func(s schema.Set) uint32 { return s.Chunks }),
		sets(m, func(s schema.Set) string { return s.Digest }),
		m.Evidence.MAC, m.Evidence.Bytes, m.Evidence.Statement, m.Evidence.Document, m.Exercise,
		m.Producer.Instance, m.Producer.Sequence, m.Producer.Previous, m.Producer.Version,
		string(r.Body), r.MessageID, r.StreamSequence, moment(r.ReceivedAt), seedKeys(m),
	}
}

// seedKeys is how many seeds the movement announces.
func seedKeys(m *schema.Movement) uint64 {
	var n uint64
	for _, s := range m.Electors.Sets {
		if s.Role == schema.Seeds {
			n += s.Keys
		}
	}
	return n
}

// sets is one field of each set of the movement.
func sets[V any](m *schema.Movement, field func(schema.Set) V) []V {
	out := make([]V, len(m.Electors.Sets))
	for i, s := range m.Electors.Sets {
		out[i] = field(s)
	}
	return out
}

func messages(items []Message) insert {
	return insert{"message", "org, sidecar, instance, sequence, type, hash, previous, signer, message_id, stream_sequence, received_at",
		len(items), each(items, func(m Message) []any {
			return []any{m.Org, m.Sidecar, m.Instance, m.Sequence, m.Type, m.Hash[:], m.Previous[:], m.Signer, m.MessageID,
				m.StreamSequence, moment(m.ReceivedAt)}
		})}
}

func heartbeats(items []Heartbeat) insert {
	return insert{"heartbeat", "org, sidecar, instance, sequence, at, interval_ms, places, config, last_sequence, last_hash, " +
		"outbox_messages, outbox_bytes, clock_offset_us, version, stream_sequence, received_at",
		len(items), each(items, func(h Heartbeat) []any {
			return []any{h.Org, h.Sidecar, h.Instance, h.Sequence, moment(h.At), h.IntervalMS, texts(h.Places), h.Config,
				h.LastSequence, h.LastHash[:], h.OutboxMessages, h.OutboxBytes, h.ClockOffsetUS, h.Version,
				h.StreamSequence, moment(h.ReceivedAt)}
		})}
}

func gaps(items []Gap) insert {
	return insert{"gap", "org, sidecar, instance, sequence, place, from_time, to_time, records, bytes, why, " +
		"hole_instance, first_sequence, last_sequence, version, stream_sequence, received_at",
		len(items), each(items, func(g Gap) []any {
			return []any{g.Org, g.Sidecar, g.Instance, g.Sequence, string(g.Place), momentOrNull(g.From), momentOrNull(g.To),
				g.Records, g.Bytes, g.Why, g.HoleInstance, g.FirstSequence, g.LastSequence, g.Version,
				g.StreamSequence, moment(g.ReceivedAt)}
		})}
}

func rejections(items []Rejected) insert {
	return insert{"rejected", "stream_sequence, subject, code, reason, parked, org, sidecar, message_id, bytes, received_at",
		len(items), each(items, func(r Rejected) []any {
			return []any{r.StreamSequence, r.Subject, r.Code, r.Reason, flag(r.Parked), r.Org, r.Sidecar, r.MessageID,
				r.Bytes, moment(r.ReceivedAt)}
		})}
}

func position(p Position) insert {
	items := []Position{p}
	if p.Log == "" {
		items = nil
	}
	return insert{"position", "log, sequence, last_sequence, written_at", len(items), each(items, func(p Position) []any {
		return []any{p.Log, p.Sequence, p.LastSequence, moment(p.WrittenAt)}
	})}
}
