package schematest

import (
	"bytes"
	"fmt"
	"time"

	"github.com/nats-io/nkeys"

	"github.com/rolltrace/rolltrace/schema"
	"github.com/rolltrace/rolltrace/schema/wire"
)

// KeyID is the key_id of the sample movements' sets. No secret has it.
const KeyID schema.KeyID = "k-5a3b1e0fca11ab1e"

// Identity returns the sidecar's NATS nkey of the tests, with its seed. It has been published here, and
// protects nothing. Different n are different sidecars.
func Identity(n byte) nkeys.KeyPair {
	pair, err := nkeys.FromRawSeed(nkeys.PrefixByteUser, bytes.Repeat([]byte{n}, 32))
	if err != nil {
		panic(fmt.Sprintf("make the identity of the tests: %v", err)) // 32 bytes are always a seed
	}
	return pair
}

// Began is the occurred_at of the first sample movement; each later one begins an hour later.
var Began = schema.At(time.Date(2026, 4, 1, 12, 0, 0, 123456000, time.UTC))

// MovementID returns the n-th UUIDv7 of the tests.
func MovementID(n int) string {
	return fmt.Sprintf("0196%04x-%04x-7000-8000-%012x", n>>16&0xffff, n&0xffff, n)
}

// Keys returns n elector keys, the same ones every time: those from first on of one endless series
// without repetition.
func Keys(first, n int) []schema.Key {
	keys := make([]schema.Key, n)
	for i := range keys {
		keys[i] = schema.Key(uint64(first+i+1) * 0x9e3779b97f4a7c15) // odd, so one to one
	}
	return keys
}

// A Sample is a movement and the chunks of its electors.
type Sample struct {
	Movement *schema.Movement
	Chunks   []*wire.Chunk
}

// Drafts are the messages that a recorder publishes for the sample: the movement open, its chunks, and
// the movement closed; for what was not observed, the closed movement after its chunks.
func (s Sample) Drafts() []wire.Draft {
	var drafts []wire.Draft
	if s.Movement.Basis == schema.Observed {
		drafts = append(drafts, wire.Draft{Movement: opened(s.Movement)})
	}
	for _, chunk := range s.Chunks {
		drafts = append(drafts, wire.Draft{Chunk: chunk})
	}
	return append(drafts, wire.Draft{Movement: s.Movement})
}

// opened is the revision that a recorder publishes before the first byte.
func opened(closed *schema.Movement) *schema.Movement {
	m := *closed
	m.Revision, m.State, m.Outcome = 1, schema.Open, ""
	m.ClosedAt, m.RecordedAt = schema.Time{}, m.OccurredAt
	m.Evidence = schema.Evidence{}
	m.Electors.Records = 0
	m.Electors.Sets = nil
	for _, set := range closed.Electors.Sets {
		m.Electors.Sets = append(m.Electors.Sets, schema.Set{IDSpace: set.IDSpace, KeyID: set.KeyID})
	}
	return &m
}

// List gives the sample electors of one id space: keys in flow order, cut into chunks of at most size (at
// most schema.MaxChunkKeys). Its mode becomes listed. It may be called once for each set.
func (s Sample) List(space schema.IDSpace, keyID schema.KeyID, keys []schema.Key, size int) Sample {
	m := *s.Movement
	set := schema.Set{IDSpace: space, KeyID: keyID, Keys: uint64(len(keys))}
	var digest wire.SetDigest
	for len(keys) > 0 {
		n := min(size, len(keys))
		chunk := &wire.Chunk{
			Movement: m.ID, Set: uint16(len(m.Electors.Sets)), Index: set.Chunks,
			IDSpace: space, KeyID: keyID, Keys: keys[:n:n], Producer: m.Producer,
		}
		digest.Add(chunk.BodyHash())
		s.Chunks = append(s.Chunks, chunk)
		set.Chunks++
		keys = keys[n:]
	}
	set.Digest = digest.String()
	m.Electors.Mode = schema.Listed
	m.Electors.Records = max(m.Electors.Records, set.Keys)
	m.Electors.Sets = append(m.Electors.Sets[:len(m.Electors.Sets):len(m.Electors.Sets)], set)
	s.Movement = &m
	return s
}

// The places of the sample movements, all invented.
const (
	Authority schema.Place = "electoral-office/rolls/2026"
	Voters    schema.Place = "party-a/crm/voters"
	Donors    schema.Place = "party-a/crm/donors"
	CardList  schema.Place = "party-a/exports/cards-2026.csv"
	Printer   schema.Place = "acme-mail/uploads/2026-04-01.csv"
	Colleague schema.Place = "party-a/people/u0412"
)

// NewSample returns the n-th closed movement of a kind, observed by the sidecar party-a/field-db-1, with
// no electors yet (mode whole).
func NewSample(n int, kind schema.Kind) Sample {
	began := schema.At(Began.Add(time.Duration(n) * time.Hour))
	m := &schema.Movement{
		ID: MovementID(n), Revision: 2, State: schema.Closed, Outcome: schema.Completed,
		Kind: kind, Basis: schema.Observed,
		OccurredAt: began, ClosedAt: schema.At(began.Add(time.Minute)), RecordedAt: schema.At(began.Add(time.Minute)),
		Actor:      string(Colleague),
		RecordedBy: schema.RecordedBy{User: "batch", Host: "field-db-1"},
		Purpose:    "communicate", Agreement: "acme-2026", Fields: []string{"name", "civic_address"},
		Electors: schema.Electors{Mode: schema.Whole},
		Evidence: schema.Evidence{Bytes: 9312331, Statement: "COPY voters TO STDOUT WHERE poll = ?"},
		Producer: schema.Producer{Org: "party-a", Sidecar: "field-db-1", Instance: "outbox-1", Sequence: uint64(n) + 1, Version: "0.1.0"},
	}
	from := func(places ...schema.Place) {
		for _, place := range places {
			m.Inputs = append(m.Inputs, schema.Input{Place: place, Fields: m.Fields})
		}
	}
	switch kind {
	case schema.Collect:
		from(Authority)
		m.Output = Voters
	case schema.Merge:
		from(Voters, Donors)
		m.Output = CardList
	case schema.Share:
		from(CardList)
		m.Output = Printer
	case schema.Access:
		from(Voters)
		m.Output = Colleague
	case schema.Destroy:
		from(CardList)
		m.Fields = nil
	default: // an export, and what a later version brings
		from(Voters)
		m.Output = CardList
	}
	return Sample{Movement: m}
}

// Samples are movements of every kind in every mode and on every basis, a failed, a retracted and an open
// one, and one of a kind that this version does not know. All are valid.
func Samples() []Sample {
	var samples []Sample
	kinds := []schema.Kind{schema.Collect, schema.Export, schema.Merge, schema.Share, schema.Access, schema.Destroy, "entrust"}
	next := func(kind schema.Kind, change func(*schema.Movement)) Sample {
		s := NewSample(len(samples), kind)
		if change != nil {
			change(s.Movement)
		}
		return s
	}
	for _, kind := range kinds {
		keys := Keys(10*len(samples), 10)
		samples = append(samples, next(kind, nil).
			List(schema.ElectorID, KeyID, keys, 4).
			List("email", KeyID, keys[:3], schema.MaxChunkKeys))
		samples = append(samples, next(kind, nil))
		samples = append(samples, next(kind, func(m *schema.Movement) {
			m.Electors = schema.Electors{Mode: schema.Counted, Records: 81234}
		}))
	}
	declared := func(m *schema.Movement) { m.Basis, m.Revision = schema.Declared, 1 }
	samples = append(samples, next(schema.Export, declared).List(schema.ElectorID, KeyID, Keys(0, 3), 3))
	samples = append(samples, next(schema.Destroy, func(m *schema.Movement) {
		m.Basis, m.Revision = schema.Attested, 1
		m.Inputs = []schema.Input{{Place: Printer}}
		m.Evidence = schema.Evidence{Document: "sha256:" + fmt.Sprintf("%064x", 7)}
	}))
	samples = append(samples, next(schema.Share, func(m *schema.Movement) { m.Outcome = schema.Failed }).
		List(schema.ElectorID, KeyID, Keys(5, 5), 5))
	samples = append(samples, next(schema.Share, func(m *schema.Movement) {
		declared(m)
		m.Revision, m.Outcome, m.Reason = 2, schema.Retracted, "entered twice"
	}))
	open := next(schema.Export, nil).List(schema.ElectorID, KeyID, nil, 1)
	return append(samples, Sample{Movement: opened(open.Movement)})
}
