package wire_test

import (
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nkeys"

	"github.com/rolltrace/rolltrace/schema"
	"github.com/rolltrace/rolltrace/schema/wire"
)

// seed is what the nkey of the tests is made from.
const seed = "an invented sidecar of party-a.."

// signer is the invented sidecar's nkey: the same in every run, so that golden files stay the same.
func signer(t testing.TB) nkeys.KeyPair {
	t.Helper()
	kp, err := nkeys.FromRawSeed(nkeys.PrefixByteUser, []byte(seed))
	if err != nil {
		t.Fatal(err)
	}
	return kp
}

func newChain(t testing.TB) *wire.Chain {
	t.Helper()
	c, err := wire.NewChain(wire.ChainConfig{
		Signer: signer(t), Org: "party-a", Sidecar: "field-db-1", Instance: "b7e1f0c2", Version: "0.1.0",
	})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func at(s string) schema.Time {
	t, err := schema.ParseTime(s)
	if err != nil {
		panic(err)
	}
	return t
}

func movement(mode schema.Mode) *schema.Movement {
	m := &schema.Movement{
		ID: "0199b0c2-7f3e-7c1a-9d58-3f1c6f1b2a90", Revision: 2, State: schema.Closed, Outcome: schema.Completed,
		Kind: schema.Share, Basis: schema.Observed,
		OccurredAt: at("2026-04-01T12:00:00.123456Z"), ClosedAt: at("2026-04-01T12:03:10Z"), RecordedAt: at("2026-04-01T12:03:10.000131Z"),
		Inputs: []schema.Input{{Place: "party-a/crm/voters", Fields: []string{"name", "civic_address"}}},
		Output: "acme-mail/uploads/2026-04-01.csv",
		Actor:  "party-a/people/u0412", RecordedBy: schema.RecordedBy{User: "batch", Host: "field-db-1"},
		Purpose: "communicate", Agreement: "acme-2026", Fields: []string{"name", "civic_address"},
		Electors: schema.Electors{Mode: mode, Records: 81234},
		Evidence: schema.Evidence{Bytes: 9312331, Statement: "COPY (SELECT * FROM voters WHERE poll < ?) TO STDOUT"},
	}
	if mode == schema.Listed {
		var d wire.SetDigest
		d.Add(chunk().BodyHash())
		m.Electors.Records = 9
		m.Electors.Sets = []schema.Set{{IDSpace: schema.ElectorID, KeyID: "k-5f2a9c01", Keys: 5, Unkeyed: 4, Chunks: 1, Digest: d.String()}}
	}
	return m
}

func chunk() *wire.Chunk {
	return &wire.Chunk{
		Movement: "0199b0c2-7f3e-7c1a-9d58-3f1c6f1b2a90", IDSpace: schema.ElectorID, KeyID: "k-5f2a9c01",
		Keys: []schema.Key{0, 1, 0x0123456789abcdef, 1 << 63, 1<<64 - 1},
	}
}

func heartbeat() *wire.Heartbeat {
	return &wire.Heartbeat{
		At: at("2026-04-01T12:05:00Z"), Interval: uint32(10 * time.Second / time.Millisecond),
		Places: []schema.Place{"party-a/crm/voters", "party-a/lists/roll"}, OutboxMessages: 3, OutboxBytes: 1049600,
		ClockOffset: -1250, ClockKnown: true,
	}
}

func applied() *wire.Registry {
	return &wire.Registry{
		At: at("2026-04-01T12:00:00Z"), ValidFrom: at("2026-01-01T00:00:00Z"), By: "u0001", Why: "the agreement was signed",
		Content: json.RawMessage(`{"organisations":[{"id":"party-a","name":"Party A"}]}`),
	}
}

func ruling() *wire.Ruling {
	return &wire.Ruling{At: at("2026-04-01T12:00:00Z"), Finding: strings.Repeat("5f2a9c01", 4), What: wire.Suppress, By: "u0001", Why: "a test of the printer"}
}

func gap() *wire.Gap {
	return &wire.Gap{
		Place: "party-a/crm/voters", From: at("2026-04-01T12:00:00Z"), To: at("2026-04-01T12:01:00Z"),
		Records: 17, Bytes: 4096, Why: "outbox full",
	}
}

func decode(t testing.TB, m wire.Message) wire.Record {
	t.Helper()
	r, err := wire.Decode(m.Subject, m.Header, m.Body)
	if err != nil {
		t.Fatalf("decode: %v", err)
	}
	return r
}

func code(err error) wire.Code {
	var reject *wire.Reject
	if !errors.As(err, &reject) {
		return ""
	}
	return reject.Code
}

func TestSealDecode(t *testing.T) {
	c := newChain(t)
	var previous [32]byte
	for i, d := range []wire.Draft{
		{Movement: movement(schema.Listed)}, {Movement: movement(schema.Whole)}, {Movement: movement(schema.Counted)},
		{Chunk: chunk()}, {Heartbeat: heartbeat()}, {Gap: gap()},
	} {
		m, err := c.Seal(d)
		if err != nil {
			t.Fatal(err)
		}
		r := decode(t, m)
		if r.Sequence != uint64(i+1) || r.Previous != previous || r.Hash != m.Hash() || r.MessageID != m.MessageID() {
			t.Errorf("message %d: chain is %d, previous %x, hash %x, id %s", i, r.Sequence, r.Previous, r.Hash, r.MessageID)
		}
		previous = r.Hash
		switch {
		case d.Movement != nil:
			want := *d.Movement
			want.Producer = r.Movement.Producer
			if want.Electors.Sets == nil {
				want.Electors.Sets = []schema.Set{}
			}
			if !reflect.DeepEqual(&want, r.Movement) {
				t.Errorf("movement is %+v, want %+v", r.Movement, want)
			}
		case d.Chunk != nil:
			if !reflect.DeepEqual(r.Chunk.Keys, d.Chunk.Keys) || r.BodyHash != d.Chunk.BodyHash() || r.Chunk.KeyID != d.Chunk.KeyID {
				t.Errorf("chunk is %+v", r.Chunk)
			}
		case d.Heartbeat != nil:
			if r.Heartbeat.LastSequence != uint64(i) || r.Heartbeat.LastHash != wire.FormatHash(r.Previous) {
				t.Errorf("heartbeat is %+v", r.Heartbeat)
			}
		case d.Gap != nil:
			if r.Gap.Records != 17 {
				t.Errorf("gap is %+v", r.Gap)
			}
		}
	}
}

func TestUnsealed(t *testing.T) {
	for _, d := range []wire.Draft{{Movement: movement(schema.Listed)}, {Chunk: chunk()}, {Heartbeat: heartbeat()}, {Gap: gap()}} {
		m, err := d.Unsealed()
		if err != nil {
			t.Fatal(err)
		}
		got, err := wire.ParseUnsealed(m.Header, m.Body)
		if err != nil {
			t.Fatal(err)
		}
		a, err := newChain(t).Seal(d)
		if err != nil {
			t.Fatal(err)
		}
		b, err := newChain(t).Seal(got)
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(a, b) {
			t.Errorf("sealed after the way: %v, want %v", b, a)
		}
		if _, err := wire.Decode("rolltrace.v1.movement.party-a.field-db-1", m.Header, m.Body); code(err) == "" {
			t.Error("an unsealed draft was decoded as a message")
		}
	}
}
