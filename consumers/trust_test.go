package consumers_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/rolltrace/rolltrace/consumers"
	"github.com/rolltrace/rolltrace/consumers/deadletter"
	"github.com/rolltrace/rolltrace/schema"
	"github.com/rolltrace/rolltrace/schema/schematest"
	"github.com/rolltrace/rolltrace/schema/wire"
)

var fieldDB = consumers.Sidecar{Org: "party-a", Name: "field-db-1"}

func publicKey(t testing.TB, identity byte) string {
	t.Helper()
	key, err := schematest.Identity(identity).PublicKey()
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func trusting(trust consumers.Trust, signers map[consumers.Sidecar][]string) func(*consumers.Config) {
	return func(cfg *consumers.Config) { cfg.Trust, cfg.Signers = trust, signers }
}

// taken are the signers of the sidecars' messages in the graph, each once, in the order of their keys.
func (c *centre) taken(t testing.TB) []string {
	t.Helper()
	var out []string
	if err := open(t, c.dsn).QueryRow(t.Context(), "SELECT arraySort(groupUniqArray(toString(signer))) FROM message").Scan(&out); err != nil {
		t.Fatal(err)
	}
	return out
}

// Somebody who gets past the hub's permissions, and signs in a sidecar's name with another key, is not believed:
// neither at once, nor by a consumer that starts later, nor by one that makes the graph anew.
func TestTheFirstSignerOfASidecar(t *testing.T) {
	c := newCentre(t)
	owner, forger := newSidecar(t, "party-a", "field-db-1", 1), newSidecar(t, "party-a", "field-db-1", 2)
	beat := wire.Draft{Heartbeat: &wire.Heartbeat{At: schematest.Began, Interval: 1000}}
	spoilt := forger.seal(t, beat)
	spoilt.Body = append(slices.Clone(spoilt.Body), ' ')
	send(t, c.js, spoilt) // rejected for what it is: the forger is not the first by that
	sample := schematest.NewSample(1, schema.Collect).List(schema.ElectorID, schematest.KeyID, schematest.Keys(0, 100), 50)
	c.publish(t, owner, sample.Drafts()...)
	false1 := schematest.NewSample(1, schema.Collect).List(schema.ElectorID, schematest.KeyID, schematest.Keys(1000, 100), 100)
	false1.Movement.Revision = 9
	forged := false1.Drafts()
	c.publish(t, forger, forged...)
	r := c.start(t, trusting(consumers.TrustFirst, nil))
	r.reaches(t, c.last(t))
	c.publish(t, forger, forged...)
	r.reaches(t, c.last(t))
	r.stop(t)
	if n := r.metric(t, "rejected_total", "unknown-signer"); int(n) != 2*len(forged) {
		t.Errorf("%v messages rejected, want %d", n, 2*len(forged))
	}
	again := c.start(t, trusting(consumers.TrustFirst, nil)) // it knows the first signer from the graph alone
	c.publish(t, forger, forged...)
	c.publish(t, owner, beat)
	again.reaches(t, c.last(t))
	again.stop(t)
	if n := again.metric(t, "rejected_total", "unknown-signer"); int(n) != len(forged) {
		t.Errorf("after a restart %v messages rejected, want %d", n, len(forged))
	}
	if have := c.taken(t); !slices.Equal(have, []string{publicKey(t, 1)}) {
		t.Errorf("the graph has messages of %v", have)
	}
	var electors, revision uint64
	if err := open(t, c.dsn).QueryRow(t.Context(), `SELECT (SELECT bitmapCardinality(groupBitmapMergeState(electors)) FROM listed),
		(SELECT toUInt64(max(revision)) FROM movement_revision)`).Scan(&electors, &revision); err != nil {
		t.Fatal(err)
	}
	if electors != 100 || revision != uint64(sample.Movement.Revision) {
		t.Errorf("the movement has %d electors and revision %d", electors, revision)
	}
	for e, err := range deadletter.New(c.js).List(t.Context(), deadletter.Filter{Codes: []wire.Code{consumers.UnknownSigner}}) {
		if err != nil || e.Org != "party-a" || e.Sidecar != "field-db-1" || !strings.Contains(e.Reason, "first message") {
			t.Errorf("kept as %+v, %v", e, err)
		}
	}
	anew := &centre{hub: c.hub, js: c.js, log: c.log, dsn: newGraph(t, schematest.ClickHouse(t))}
	fresh := anew.start(t, trusting(consumers.TrustFirst, nil))
	fresh.reaches(t, c.last(t))
	fresh.stop(t)
	same(t, "made anew", contents(t, anew.dsn), contents(t, c.dsn))
}

// A list rules over who was first; a key is changed by listing both; what was rejected before comes in by replaying.
func TestListedSigners(t *testing.T) {
	c := newCentre(t)
	before, after, forger := newSidecar(t, "party-a", "field-db-1", 1), newSidecar(t, "party-a", "field-db-1", 3), newSidecar(t, "party-a", "field-db-1", 2)
	other := newSidecar(t, "party-b", "crm", 4)
	beat := wire.Draft{Heartbeat: &wire.Heartbeat{At: schematest.Began, Interval: 1000}}
	for _, s := range []*sidecar{forger, before, after, other, forger} {
		c.publish(t, s, beat)
	}
	list := map[consumers.Sidecar][]string{fieldDB: {publicKey(t, 1)}}
	r := c.start(t, trusting(consumers.TrustListed, list))
	r.reaches(t, c.last(t))
	r.stop(t)
	if n := r.metric(t, "rejected_total", "unknown-signer"); n != 4 {
		t.Errorf("%v messages rejected, want those of the forger, of the new key, and of the sidecar that is not listed", n)
	}
	if have := c.taken(t); !slices.Equal(have, []string{publicKey(t, 1)}) {
		t.Errorf("the graph has messages of %v", have)
	}
	// The operator lists the new key, leaves sidecars that are not named to their first signer, and replays.
	list[fieldDB] = append(list[fieldDB], publicKey(t, 3))
	r = c.start(t, trusting(consumers.TrustFirst, list))
	if n, err := deadletter.New(c.js).Replay(t.Context(), deadletter.Filter{Codes: []wire.Code{consumers.UnknownSigner}}, nil); n != 4 || err != nil {
		t.Fatalf("%d replayed: %v", n, err)
	}
	r.reaches(t, c.last(t))
	r.stop(t)
	want := []string{publicKey(t, 1), publicKey(t, 3), publicKey(t, 4)}
	slices.Sort(want)
	if have := c.taken(t); !slices.Equal(have, want) {
		t.Errorf("the graph has messages of %v, want %v", have, want)
	}
	if n := r.metric(t, "rejected_total", "unknown-signer"); n != 2 {
		t.Errorf("%v messages rejected, want the forger's two", n)
	}
}

func TestSignersThatAreNone(t *testing.T) {
	for want, list := range map[string]map[consumers.Sidecar][]string{
		"org/sidecar":     {{Org: "Party A", Name: "x"}: {publicKey(t, 1)}},
		"one public nkey": {fieldDB: nil},
		"begins with U":   {fieldDB: {"SUNOTAKEY"}},
	} {
		if err := consumers.CheckSigners(list); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "signers") || strings.Contains(err.Error(), "SUNOTAKEY") {
			t.Errorf("%v: %v", list, err)
		}
	}
	if err := new(consumers.Trust).UnmarshalText([]byte("everybody")); err == nil || !strings.Contains(err.Error(), "listed") {
		t.Errorf("trust in everybody: %v", err)
	}
}
