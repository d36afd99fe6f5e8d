package wire_test

import (
	"crypto/sha256"
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/nats-io/nkeys"

	"github.com/rolltrace/rolltrace/schema"
	"github.com/rolltrace/rolltrace/schema/wire"
)

func TestNewChainRefuses(t *testing.T) {
	account, err := nkeys.CreateAccount()
	if err != nil {
		t.Fatal(err)
	}
	public, err := signer(t).PublicKey()
	if err != nil {
		t.Fatal(err)
	}
	seedless, err := nkeys.FromPublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	good := wire.ChainConfig{Signer: signer(t), Org: "party-a", Sidecar: "field-db-1", Instance: "b7e1f0c2"}
	for _, tc := range []struct {
		want   string
		change func(*wire.ChainConfig)
	}{
		{"signer", func(c *wire.ChainConfig) { c.Signer = nil }},
		{"signer", func(c *wire.ChainConfig) { c.Signer = account }},
		{"sign", func(c *wire.ChainConfig) { c.Signer = seedless }},
		{"org", func(c *wire.ChainConfig) { c.Org = "Party A" }},
		{"sidecar", func(c *wire.ChainConfig) { c.Sidecar = "*" }},
		{"instance", func(c *wire.ChainConfig) { c.Instance = "" }},
		{"version", func(c *wire.ChainConfig) { c.Version = "\n" }},
	} {
		cfg := good
		tc.change(&cfg)
		if _, err := wire.NewChain(cfg); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: error is %v", tc.want, err)
		}
	}
	if _, err := wire.NewChain(good); err != nil {
		t.Error(err)
	}
}

// What cannot be sealed leaves the chain where it stood.
func TestSealRefuses(t *testing.T) {
	c := newChain(t)
	if _, err := c.Seal(wire.Draft{Gap: gap()}); err != nil {
		t.Fatal(err)
	}
	sequence, hash := c.Last()
	bad := movement(schema.Listed)
	bad.ID, bad.Purpose = "x", "\n"
	huge := heartbeat()
	for range wire.MaxPlaces + 1 {
		huge.Places = append(huge.Places, "party-a/crm/voters")
	}
	keys := chunk()
	keys.Keys = make([]schema.Key, schema.MaxChunkKeys+1)
	for _, tc := range []struct {
		draft wire.Draft
		field []string
	}{
		{wire.Draft{}, nil},
		{wire.Draft{Gap: gap(), Chunk: chunk()}, nil},
		{wire.Draft{Movement: bad}, []string{"id", "purpose"}},
		{wire.Draft{Chunk: &wire.Chunk{}}, []string{"movement", "id_space", "key_id", "keys"}},
		{wire.Draft{Chunk: keys}, []string{"keys"}},
		{wire.Draft{Chunk: &wire.Chunk{Movement: movement(schema.Listed).ID, Set: 16, Index: 1 << 20, IDSpace: "email", KeyID: "k-00000000", Keys: make([]schema.Key, 1)}}, []string{"set", "chunk"}},
		{wire.Draft{Heartbeat: &wire.Heartbeat{}}, []string{"at", "interval_ms"}},
		{wire.Draft{Heartbeat: huge}, []string{"places"}},
		{wire.Draft{Heartbeat: &wire.Heartbeat{At: at("2026-04-01"), Interval: 1, Places: []schema.Place{"x"}, Config: "x", ClockOffset: -1 << 60}},
			[]string{"places[0]", "config", "clock_offset_us"}},
		{wire.Draft{Gap: &wire.Gap{}}, []string{"from", "to", "why"}},
		{wire.Draft{Gap: &wire.Gap{Place: "p", From: at("2026-04-02"), To: at("2026-04-01"), Why: "x", Records: 1 << 60, Bytes: 1 << 60, LastSequence: 3}},
			[]string{"place", "to", "records", "bytes", "first_sequence"}},
		{wire.Draft{Gap: &wire.Gap{From: at("2026-04-01"), To: at("2026-04-01"), Why: "x", Instance: "a b", FirstSequence: 0, LastSequence: 0}},
			[]string{"instance", "first_sequence"}},
		{wire.Draft{Gap: &wire.Gap{From: at("2026-04-01"), To: at("2026-04-01"), Why: "x", Instance: "a", FirstSequence: 5, LastSequence: 4}},
			[]string{"last_sequence"}},
	} {
		_, err := c.Seal(tc.draft)
		if err == nil {
			t.Fatalf("%+v: sealed", tc.draft)
		}
		var faults schema.Faults
		errors.As(err, &faults)
		var fields []string
		for _, f := range faults {
			fields = append(fields, f.Field)
		}
		for _, want := range tc.field {
			found := false
			for _, f := range fields {
				found = found || f == want
			}
			if !found {
				t.Errorf("fault of %s is not named: %v", want, err)
			}
		}
		if _, err := tc.draft.Unsealed(); err == nil {
			t.Errorf("%+v: went through unsealed", tc.draft)
		}
	}
	if s, h := c.Last(); s != sequence || h != hash {
		t.Errorf("the chain moved from %d to %d", sequence, s)
	}
}

// A chain continues after a restart, or after messages that could not be stored, as if nothing had been.
func TestChainContinues(t *testing.T) {
	c := newChain(t)
	var sealed []wire.Message
	for range 4 {
		m, err := c.Seal(wire.Draft{Chunk: chunk()})
		if err != nil {
			t.Fatal(err)
		}
		sealed = append(sealed, m)
	}
	second := decode(t, sealed[1])
	c.Reset(second.Sequence, second.Hash)
	again, err := c.Seal(wire.Draft{Chunk: chunk()})
	if err != nil || !reflect.DeepEqual(again, sealed[2]) {
		t.Errorf("after reset: %v, %v, want %v", again, err, sealed[2])
	}
	restarted, err := wire.NewChain(wire.ChainConfig{
		Signer: signer(t), Org: "party-a", Sidecar: "field-db-1", Instance: "b7e1f0c2", Version: "0.1.0",
		LastSequence: second.Sequence, LastHash: second.Hash,
	})
	if err != nil {
		t.Fatal(err)
	}
	again, err = restarted.Seal(wire.Draft{Chunk: chunk()})
	if err != nil || !reflect.DeepEqual(again, sealed[2]) {
		t.Errorf("after a restart: %v, %v, want %v", again, err, sealed[2])
	}
	// The same keys twice are two messages with two ids.
	if sealed[0].MessageID() == sealed[1].MessageID() {
		t.Error("two messages share an id")
	}
}

// Hash and signature are those that docs/movement.md describes.
func TestSignedForm(t *testing.T) {
	for name, m := range goldens(t) {
		want := sha256.Sum256([]byte(signedText(m.Subject, m.Header, m.Body)))
		if m.Hash() != want {
			t.Errorf("%s: hash is %x, want %x", name, m.Hash(), want)
		}
		forged := forge(t, m)
		if forged.Header[wire.HeaderSignature][0] != m.Header[wire.HeaderSignature][0] {
			t.Errorf("%s: signature differs from the documented one", name)
		}
		instance, sequence, ok := m.Position()
		if r := decode(t, m); !ok || instance != r.Instance || sequence != r.Sequence {
			t.Errorf("%s: position is %s/%d", name, instance, sequence)
		}
	}
	if _, _, ok := (wire.Message{}).Position(); ok {
		t.Error("a message without headers has a position")
	}
}

func TestSetDigest(t *testing.T) {
	var d wire.SetDigest
	if want := wire.FormatHash(sha256.Sum256(nil)); d.String() != want {
		t.Errorf("digest of nothing is %s, want %s", d.String(), want)
	}
	var all []byte
	for i := range 3 {
		c := chunk()
		c.Keys = c.Keys[i:]
		h := sha256.Sum256(c.Body())
		if c.BodyHash() != h {
			t.Errorf("body hash is %x, want %x", c.BodyHash(), h)
		}
		all = append(all, h[:]...)
		d.Add(c.BodyHash())
		if want := wire.FormatHash(sha256.Sum256(all)); d.String() != want {
			t.Errorf("digest of %d chunks is %s, want %s", i+1, d.String(), want)
		}
	}
}

func TestParseHash(t *testing.T) {
	h := sha256.Sum256([]byte("x"))
	if got, ok := wire.ParseHash(wire.FormatHash(h)); !ok || got != h {
		t.Errorf("hash is %x, %v", got, ok)
	}
	for _, s := range []string{"", "sha256:", wire.FormatHash(h)[1:], strings.ToUpper(wire.FormatHash(h)), wire.FormatHash(h) + "0"} {
		if _, ok := wire.ParseHash(s); ok {
			t.Errorf("%q is a hash", s)
		}
	}
}

// Sealing changes nothing in the draft, so that it can be sealed again.
func TestSealLeavesTheDraft(t *testing.T) {
	m := movement(schema.Whole)
	m.Fields, m.Inputs[0].Fields = nil, nil
	want := *m
	if _, err := newChain(t).Seal(wire.Draft{Movement: m}); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(*m, want) || m.Inputs[0].Fields != nil {
		t.Errorf("the draft is now %+v", m)
	}
}
