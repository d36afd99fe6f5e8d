package endtoend

import (
	"fmt"
	"slices"
	"strings"

	"github.com/rolltrace/rolltrace/schema"
	"github.com/rolltrace/rolltrace/schema/graph"
	"github.com/rolltrace/rolltrace/schema/schematest/oracle"
)

// array is a list as ClickHouse writes it.
func array[S ~string](list []S) string {
	var quoted []string
	for _, one := range list {
		quoted = append(quoted, "'"+string(one)+"'")
	}
	return "[" + strings.Join(quoted, ",") + "]"
}

// compareRecords compares the movements as they were recorded, every revision of them, what was not recorded, and who
// records.
func (s *stage) compareRecords(q question, all []*played) {
	s.t.Helper()
	asOf := q.AsOf.String()
	const movement = "org, '/', sidecar, ' ', id, ' r', toString(revision), ' at ', "
	movements := s.query("SELECT org, concat("+movement+asText("occurred_at")+", ' of ', toString(revisions), ' ', kind, ' ', state, ' ', outcome, ' (', reason, ') ', basis, ' ', published_basis, ' ', toString(removes), ' ', "+
		"toString(inputs), ' ', toString(input_fields), ' ', toString(arraySort(input_orgs)), ' > ', output, ' ', output_org, ' by ', actor, ' ', purpose, ' ', agreement, ' ', legal_basis, ' ', toString(fields), ' ', "+
		"mode, ' ', toString(records), ' keys ', toString(keys), ' seeds ', toString(seeds), ' unkeyed ', toString(unkeyed), ' closed ', "+asText("closed_at")+", ' recorded ', "+asText("recorded_at")+
		") FROM movements_as_of(as_of = $1)", asOf)
	revisions := s.query("SELECT org, concat("+movement+asText("occurred_at")+", ' ', toString(current), ' ', kind, ' ', state, ' ', outcome, ' (', reason, ') ', basis, ' ', published_basis, ' ', toString(removes), ' ', toString(inputs), ' > ', output, ' ', "+
		"purpose, ' ', agreement, ' ', mode, ' ', toString(records), ' ', body_hash) FROM movement_revisions_as_of(as_of = $1)", asOf)
	gaps := s.query("SELECT org, concat(org, '/', sidecar, ' ', place, ' ', "+asText("from_time")+", ' to ', "+asText("to_time")+", ' ', toString(records), ' ', why, ' ', hole_instance, ' ', toString(first_sequence), ' ', toString(last_sequence)) FROM gaps_as_of(as_of = $1)", asOf)
	sidecars := s.query("SELECT org, concat(org, '/', sidecar, ' ', toString(places), ' ', "+asText("last_heartbeat")+", ' every ', toString(interval_ms), ' off ', toString(clock_offset_us), ' most ', toString(clock_most_us), ', ', "+
		"toString(messages), ' messages, ', toString(missing), ' missing, ', toString(gaps), ' gaps') FROM sidecars_as_of(as_of = $1)", asOf)
	each(all, func(p *played) {
		var want []string
		for _, m := range p.world(q.AsOf).Movements {
			want = append(want, recordLine(m))
		}
		p.differ(q, movements.of[p.prefix], want)
		p.differ(q, revisions.of[p.prefix], p.revisionLines(q))
		want = nil
		for _, g := range p.model.Gaps() {
			if q.AsOf.IsZero() || g.From.IsZero() || !g.From.After(q.AsOf.Time) {
				want = append(want, fmt.Sprintf("%s/%s %s %s to %s %d %s %s %d %d", g.Org, g.Sidecar, g.Place, g.From, g.To, g.Records, g.Why, g.Instance, g.FirstSequence, g.LastSequence))
			}
		}
		p.differ(q, gaps.of[p.prefix], want)
		want = nil
		for name, of := range p.model.Sidecars(q.AsOf) {
			line := fmt.Sprintf("%s [] %s every 0 off 0", name, schema.Time{})
			if b := of.Last; b != nil {
				off := int64(0)
				if b.ClockKnown {
					off = b.ClockOffset
				}
				line = fmt.Sprintf("%s %s %s every %d off %d", name, array(b.Places), b.At, b.Interval, off)
			}
			want = append(want, fmt.Sprintf("%s most %d, %d messages, %d missing, %d gaps", line, of.ClockMost, of.Messages, of.Missing, of.Gaps))
		}
		p.differ(q, sidecars.of[p.prefix], want)
	})
}

func recordLine(m *oracle.Movement) string {
	var fields, orgs []string
	for _, in := range m.Inputs {
		fields = append(fields, array(in.Fields))
	}
	for org := range m.InputOrgs() {
		orgs = append(orgs, org)
	}
	var keys, seeds, unkeyed uint64
	for _, set := range m.Electors.Sets {
		unkeyed += set.Unkeyed
		switch set.Role {
		case "":
			keys += set.Keys
		case schema.Seeds:
			seeds += set.Keys
		}
	}
	return fmt.Sprintf("%s/%s %s r%d at %s of %d %s %s %s (%s) %s %s %v %s [%s] %s > %s %s by %s %s %s %s %s %s %d keys %d seeds %d unkeyed %d closed %s recorded %s",
		m.Ref.Org, m.Ref.Sidecar, m.Ref.ID, m.Revision, m.OccurredAt, m.Revisions, m.Kind, m.State, m.Outcome, m.Reason, m.EffectiveBasis(), m.Basis, m.Removes(),
		array(places(m.Inputs)), strings.Join(fields, ","), array(sorted(orgs)), m.Output, m.Output.Org(), m.Actor, m.Purpose, m.Agreement, m.LegalBasis, array(m.Fields),
		m.Electors.Mode, m.Electors.Records, keys, seeds, unkeyed, m.ClosedAt, m.RecordedAt)
}

func places(inputs []schema.Input) []schema.Place {
	var out []schema.Place
	for _, in := range inputs {
		out = append(out, in.Place)
	}
	return out
}

func (p *played) revisionLines(q question) []string {
	var out []string
	for _, r := range p.model.Revisions() {
		if q.AsOf.IsZero() || !r.OccurredAt.After(q.AsOf.Time) {
			out = append(out, fmt.Sprintf("%s/%s %s r%d at %s %v %s %s %s (%s) %s %s %v %s > %s %s %s %s %d %x", r.Ref.Org, r.Ref.Sidecar, r.Ref.ID, r.Revision, r.OccurredAt, r.Current, r.Kind, r.State, r.Outcome,
				r.Reason, r.EffectiveBasis(), r.Basis, r.Removes(), array(places(r.Inputs)), r.Output, r.Purpose, r.Agreement, r.Electors.Mode, r.Electors.Records, r.Hash))
		}
	}
	return out
}

// compareNotesView compares what is said of everything: where, and of whom. How many there are is said of all histories
// together.
func (s *stage) compareNotesView(q question, all []*played) {
	s.t.Helper()
	places := s.query("SELECT arrayJoin(places) AS place, concat(code, ' at ', place) FROM notes_as_of(as_of = $1) WHERE code != 'silent'", q.AsOf.String())
	sidecars := s.query("SELECT arrayJoin(sidecars) AS sidecar, concat(code, ' of ', sidecar) FROM notes_as_of(as_of = $1) WHERE code NOT IN ('silent', 'hole')", q.AsOf.String())
	each(all, func(p *played) {
		w := p.world(q.AsOf)
		var want, wantSidecars []string
		for _, d := range w.Doubts() {
			for _, in := range d.Inputs {
				want = append(want, d.Code+" at "+string(in.Place))
			}
			if d.Output != "" {
				want = append(want, d.Code+" at "+string(d.Output))
			}
		}
		for _, place := range w.Named() {
			if !q.AsOf.IsZero() || len(p.model.Covering(string(place))) == 0 {
				want = append(want, graph.CodeNoRecorder+" at "+string(place))
			}
		}
		for _, g := range p.model.Gaps() {
			if !q.AsOf.IsZero() && g.From.After(q.AsOf.Time) {
				continue
			}
			if g.Place != "" {
				want = append(want, "gap at "+string(g.Place))
			}
			wantSidecars = append(wantSidecars, "gap of "+g.Org+"/"+g.Sidecar)
		}
		p.differ(q, places.of[p.prefix], slices.Compact(sorted(want)))
		p.differ(q, sidecars.of[p.prefix], slices.Compact(sorted(wantSidecars)))
	})
}

// compareOversight compares what the rules of a policy look at.
func (s *stage) compareOversight(q question, all []*played) {
	s.t.Helper()
	o, err := s.graph.Oversight(s.t.Context(), q.AsOf)
	if err != nil {
		s.t.Fatal(err)
	}
	have := newLines()
	for _, m := range o.Movements {
		have.add(m.Org, "%s", movementLine(&m.Movement))
		have.of[prefixOf(m.Org)] = append(have.of[prefixOf(m.Org)], countLines(m.ID, m.Electors)...)
	}
	for ref, n := range o.Missing {
		have.add(ref.Org, "%s/%s %s lacks %d", ref.Org, ref.Sidecar, ref.ID, n)
	}
	for ref, u := range o.Used {
		have.add(ref.Org, "%s/%s %s used %d of %v", ref.Org, ref.Sidecar, ref.ID, u.Electors, u.Places)
	}
	for _, sidecar := range o.Sidecars {
		have.add(sidecar.Org, "%s/%s: %v, %d messages, %d missing, %d gaps", sidecar.Org, sidecar.Sidecar, sidecar.Places, sidecar.Messages, sidecar.Missing, sidecar.Gaps)
	}
	for _, g := range o.Gaps {
		have.add(g.Org, "%s/%s %s %s %s %d %s", g.Org, g.Sidecar, g.Place, g.From, g.To, g.Records, g.Why)
	}
	for _, h := range o.Holes {
		have.add(h.Org, "%s", holeLine(h))
	}
	each(all, func(p *played) {
		w := p.world(q.AsOf)
		want := p.holeLines()
		for _, m := range w.Movements {
			if m.Counts() {
				want = append(append(want, wantedLine(m)), setLines(m.Ref.ID, m.S)...)
			}
		}
		for _, d := range w.Doubts() {
			if d.Code == graph.CodeChunksMissing {
				want = append(want, fmt.Sprintf("%s/%s %s lacks %d", d.Ref.Org, d.Ref.Sidecar, d.Ref.ID, d.Count))
			}
		}
		used := map[oracle.Ref]graph.UsedAfterDestruction{}
		for _, u := range w.Used() {
			of := used[u.Ref]
			of.Places = append(of.Places, string(u.Place))
			for _, n := range counts(u.Electors) {
				of.Electors = max(of.Electors, uint64(n))
			}
			used[u.Ref] = of
		}
		for ref, u := range used {
			want = append(want, fmt.Sprintf("%s/%s %s used %d of %v", ref.Org, ref.Sidecar, ref.ID, u.Electors, sorted(u.Places)))
		}
		for name, of := range p.model.Sidecars(schema.Time{}) {
			places := []schema.Place{}
			if of.Last != nil {
				places = of.Last.Places
			}
			want = append(want, fmt.Sprintf("%s: %v, %d messages, %d missing, %d gaps", name, places, of.Messages, of.Missing, of.Gaps))
		}
		for _, g := range p.model.Gaps() {
			want = append(want, fmt.Sprintf("%s/%s %s %s %s %d %s", g.Org, g.Sidecar, g.Place, g.From, g.To, g.Records, g.Why))
		}
		p.differ(q, have.of[p.prefix], want)
	})
}
