package outbox_test

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/rolltrace/rolltrace/producers/outbox"
	"github.com/rolltrace/rolltrace/schema"
	"github.com/rolltrace/rolltrace/schema/wire"
)

// A movement that is left open is closed by the next holder with everything that is durable of it, though the hub has
// long taken its beginning and the store has given that up.
func TestWhatIsLeftOpenIsClosedByTheNext(t *testing.T) {
	for name, beyond := range map[string]int{"opening in the store": 1, "opening given up": 40} {
		t.Run(name, func(t *testing.T) {
			cfg := config(t, t.TempDir())
			cfg.MaxBytes = outbox.MinMaxBytes // segments of 256 KiB
			o := open(t, cfg)
			opening := movement(t, schema.Open)
			opening.Movement.Electors = schema.Electors{Mode: schema.Listed, Sets: []schema.Set{{IDSpace: schema.ElectorID, KeyID: "k-5f2a9c01"}}}
			other := movement(t, schema.Closed)
			other.Movement.ID = "0199b0c2-7f3e-7c1a-9d58-000000000001"
			appended(t, o, opening)
			appended(t, o, other)
			var digest wire.SetDigest
			var after uint64
			have := 3
			for i := range beyond {
				d := chunk(uint32(i), 10_000)
				digest.Add(d.Chunk.BodyHash())
				appended(t, o, d)
				_, after = read(t, o, after, have)
				have = 1
				if err := o.Remove(t.Context(), after); err != nil {
					t.Fatal(err)
				}
			}
			closeNow(t, o)

			o = open(t, cfg)
			if have := o.Unclosed(); !slices.Equal(have, []string{movementID}) {
				t.Fatalf("open are %v", have)
			}
			for range 2 { // the second time it is not open any more
				if err := o.Fail(t.Context(), movementID, "the test says so"); err != nil {
					t.Fatal(err)
				}
			}
			records, _ := read(t, o, after, 1)
			m := records[0].Movement
			if m == nil || m.Revision != 2 || m.State != schema.Closed || m.Outcome != schema.Failed || m.Reason != "the test says so" ||
				m.Output != opening.Movement.Output || m.OccurredAt != opening.Movement.OccurredAt {
				t.Fatalf("closed as %+v", m)
			}
			want := schema.Set{
				IDSpace: schema.ElectorID, KeyID: "k-5f2a9c01", Keys: 10_000 * uint64(beyond), Chunks: uint32(beyond), Digest: digest.String(),
			}
			if m.Electors.Sets[0] != want || m.Electors.Records != want.Keys {
				t.Errorf("closed with %+v, want %+v", m.Electors, want)
			}
			closeNow(t, o)
			o = open(t, cfg)
			if left := o.Unclosed(); len(left) > 0 || o.Depth().Messages != 1 {
				t.Errorf("open are %v, %d messages wait", left, o.Depth().Messages)
			}
		})
	}
}

// Without the state file nobody knows whether something is open: the store is asked.
func TestWhatIsLeftOpenIsKnownWithoutTheStateFile(t *testing.T) {
	cfg := config(t, t.TempDir())
	o := open(t, cfg)
	appended(t, o, movement(t, schema.Open))
	closeNow(t, o)
	must(t, os.Remove(filepath.Join(cfg.Dir, "head")))
	if have := open(t, cfg).Unclosed(); !slices.Equal(have, []string{movementID}) {
		t.Errorf("open are %v", have)
	}
}

// What is missing of a movement is not made up: it stays open.
func TestAMovementWithAHoleStaysOpen(t *testing.T) {
	o := open(t, config(t, t.TempDir()))
	opening := movement(t, schema.Open)
	opening.Movement.Electors = schema.Electors{Mode: schema.Listed, Sets: []schema.Set{{IDSpace: schema.ElectorID, KeyID: "k-5f2a9c01"}}}
	appended(t, o, opening)
	appended(t, o, chunk(0, 10))
	appended(t, o, chunk(2, 10))
	if err := o.Fail(t.Context(), movementID, "the test says so"); err == nil {
		t.Error("it is closed, with totals that nobody knows")
	}
}
