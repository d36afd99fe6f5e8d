package outbox_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nkeys"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/rs/zerolog"

	"github.com/rolltrace/rolltrace/producers"
	"github.com/rolltrace/rolltrace/producers/outbox"
	"github.com/rolltrace/rolltrace/schema"
	"github.com/rolltrace/rolltrace/schema/wire"
)

// signer is the nkey of every sidecar in these tests: an invented seed.
func signer(t testing.TB) nkeys.KeyPair {
	t.Helper()
	kp, err := nkeys.FromRawSeed(nkeys.PrefixByteUser, []byte("rolltrace outbox tests: 32 bytes"))
	if err != nil {
		t.Fatal(err)
	}
	return kp
}

func config(t testing.TB, dir string) outbox.Config {
	t.Helper()
	return outbox.Config{
		Dir: dir, Org: "party-a", Sidecar: "field-db-1", Signer: signer(t), Version: "test",
		MaxBytes: 256 << 20, Metrics: outbox.NewMetrics(nil), Log: zerolog.New(zerolog.NewTestWriter(t)).Level(zerolog.InfoLevel),
	}
}

// open opens the outbox and closes it when the test ends.
func open(t testing.TB, cfg outbox.Config) *outbox.Outbox {
	t.Helper()
	o, err := outbox.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closeNow(t, o) })
	return o
}

func closeNow(t testing.TB, o *outbox.Outbox) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	if err := o.Close(ctx); err != nil {
		t.Errorf("close: %v", err)
	}
}

const movementID = "0199b0c2-7f3e-7c1a-9d58-3f1c6f1b2a90"

// chunk is a chunk of n keys that no other chunk has.
func chunk(index uint32, n int) wire.Draft {
	keys := make([]schema.Key, n)
	for i := range keys {
		keys[i] = schema.Key(uint64(index)<<32 | uint64(i))
	}
	return wire.Draft{Chunk: &wire.Chunk{Movement: movementID, Index: index, IDSpace: schema.ElectorID, KeyID: "k-5f2a9c01", Keys: keys}}
}

func movement(t testing.TB, state schema.State) wire.Draft {
	t.Helper()
	at := schema.At(time.Now())
	m := schema.Movement{
		ID: movementID, Revision: 1, State: state, Kind: schema.Share, Basis: schema.Observed, OccurredAt: at, RecordedAt: at,
		Inputs: []schema.Input{{Place: "party-a/crm/voters"}}, Output: "acme-mail/uploads/cards.csv",
		Electors: schema.Electors{Mode: schema.Counted, Records: 1},
	}
	if state == schema.Closed {
		m.Revision, m.Outcome, m.ClosedAt = 2, schema.Completed, at
	}
	return wire.Draft{Movement: &m}
}

func appended(t testing.TB, o producers.Outbox, drafts ...wire.Draft) {
	t.Helper()
	receipt, err := o.Append(t.Context(), drafts...)
	if err != nil {
		t.Fatal(err)
	}
	if err := receipt.Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// read reads n messages behind the position, decodes them and checks that they are one chain.
func read(t testing.TB, o *outbox.Outbox, after uint64, n int) (records []wire.Record, position uint64) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	for len(records) < n {
		b, err := o.Read(ctx, after)
		if err != nil {
			t.Fatalf("read after %d messages of %d: %v", len(records), n, err)
		}
		after = b.Position
		for _, m := range b.Messages {
			r, err := wire.Decode(m.Subject, m.Header, m.Body)
			if err != nil {
				t.Fatal(err)
			}
			records = append(records, r)
		}
	}
	checkChain(t, records)
	return records, after
}

// checkChain checks that each message follows the one before, in its instance.
func checkChain(t testing.TB, records []wire.Record) {
	t.Helper()
	last := map[string]wire.Record{}
	for _, r := range records {
		if before, ok := last[r.Instance]; ok && (r.Sequence != before.Sequence+1 || r.Previous != before.Hash) {
			t.Fatalf("message %d of %s does not follow %d", r.Sequence, r.Instance, before.Sequence)
		}
		last[r.Instance] = r
	}
}

func TestWhatIsAppendedIsReadInOneChain(t *testing.T) {
	cfg := config(t, t.TempDir())
	o := open(t, cfg)
	const writers, each = 20, 50
	var wg sync.WaitGroup
	for w := range writers {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for i := range each {
				receipt, err := o.Append(t.Context(), chunk(uint32(w*each+i), 10))
				if err != nil {
					t.Error(err)
					return
				}
				if err := receipt.Wait(t.Context()); err != nil {
					t.Error(err)
				}
			}
		}()
	}
	wg.Wait()
	records, position := read(t, o, 0, writers*each)
	seen := map[uint32]bool{}
	for _, r := range records {
		seen[r.Chunk.Index] = true
	}
	if len(seen) != writers*each {
		t.Errorf("%d different chunks, want %d", len(seen), writers*each)
	}
	if commits := testutil.ToFloat64(cfg.Metrics.Commits); commits >= writers*each {
		t.Errorf("%v commits for %d messages: they share none", commits, writers*each)
	}
	if d := o.Depth(); d.Messages != writers*each || d.Bytes == 0 {
		t.Errorf("depth %+v, want %d messages", d, writers*each)
	}
	if err := o.Remove(t.Context(), position); err != nil {
		t.Fatal(err)
	}
	if d := o.Depth(); d != (producers.Depth{}) {
		t.Errorf("depth after all was removed: %+v", d)
	}
}

func TestDraftsOfOneCallStayTogether(t *testing.T) {
	o := open(t, config(t, t.TempDir()))
	bad := chunk(1, 1)
	bad.Chunk.KeyID = "no key id"
	receipt, err := o.Append(t.Context(), chunk(0, 1), bad)
	if err != nil {
		t.Fatal(err)
	}
	var faults schema.Faults
	if err := receipt.Wait(t.Context()); !errors.As(err, &faults) {
		t.Fatalf("a chunk without key id: %v, want schema.Faults", err)
	}
	appended(t, o, chunk(2, 1), chunk(3, 1))
	records, _ := read(t, o, 0, 2)
	if records[0].Chunk.Index != 2 || records[0].Sequence != 1 || records[1].Chunk.Index != 3 {
		t.Errorf("after a refused call come %d and %d from sequence %d", records[0].Chunk.Index, records[1].Chunk.Index, records[0].Sequence)
	}
}

func TestOpenedTwice(t *testing.T) {
	cfg := config(t, t.TempDir())
	o := open(t, cfg)
	if _, err := outbox.Open(t.Context(), cfg); !errors.Is(err, producers.ErrLocked) {
		t.Fatalf("second opening: %v, want ErrLocked", err)
	}
	appended(t, o, chunk(0, 1))
	closeNow(t, o)
	if _, err := o.Append(t.Context(), chunk(1, 1)); !errors.Is(err, producers.ErrClosed) {
		t.Errorf("append after close: %v, want ErrClosed", err)
	}
	open(t, cfg)
}

func TestChainContinuesAfterReopening(t *testing.T) {
	cfg := config(t, t.TempDir())
	var position, sequence uint64
	var instance string
	var before wire.Record
	for round := range 4 {
		o, err := outbox.Open(t.Context(), cfg)
		if err != nil {
			t.Fatal(err)
		}
		if round > 0 && o.Instance() != instance {
			t.Fatalf("round %d: another instance", round)
		}
		instance = o.Instance()
		for i := range 10 {
			appended(t, o, chunk(uint32(round*10+i), 10))
		}
		var records []wire.Record
		records, position = read(t, o, position, 10)
		if round > 0 && records[0].Previous != before.Hash {
			t.Errorf("round %d: the chain is broken", round)
		}
		before = records[9]
		sequence += 10
		if before.Sequence != sequence {
			t.Errorf("round %d: sequence %d, want %d", round, before.Sequence, sequence)
		}
		if err := o.Remove(t.Context(), position); err != nil {
			t.Fatal(err)
		}
		closeNow(t, o)
	}
	if n := testutil.ToFloat64(cfg.Metrics.Instances); n != 1 {
		t.Errorf("%v instances, want 1", n)
	}
}

func TestWhatWasNotRemovedComesAgain(t *testing.T) {
	cfg := config(t, t.TempDir())
	o := open(t, cfg)
	for i := range 10 {
		appended(t, o, chunk(uint32(i), 1))
	}
	records, position := read(t, o, 0, 4)
	if err := o.Remove(t.Context(), position); err != nil {
		t.Fatal(err)
	}
	read(t, o, position, 6)
	again, _ := read(t, o, position, 6) // the hub went away: from the first that it did not acknowledge
	if again[0].Sequence != records[len(records)-1].Sequence+1 {
		t.Errorf("read again begins at %d, want %d", again[0].Sequence, records[len(records)-1].Sequence+1)
	}
	closeNow(t, o)
	o = open(t, cfg)
	if d := o.Depth(); d.Messages != 6 {
		t.Errorf("depth %+v after reopening, want 6 messages", d)
	}
	again, _ = read(t, o, 0, 6)
	if again[0].Sequence != 5 {
		t.Errorf("after reopening it begins at %d, want 5", again[0].Sequence)
	}
}

func TestTimesNeverGoBack(t *testing.T) {
	cfg := config(t, t.TempDir())
	var latest schema.Time
	for round := range 3 {
		o, err := outbox.Open(t.Context(), cfg)
		if err != nil {
			t.Fatal(err)
		}
		var mu sync.Mutex
		var wg sync.WaitGroup
		given := map[string]bool{}
		for range 4 {
			wg.Add(1)
			go func() {
				defer wg.Done()
				var before schema.Time
				for range 20000 {
					now, err := o.Now(t.Context())
					if err != nil || !now.After(before.Time) || !now.After(latest.Time) {
						t.Errorf("round %d: %s after %s (%v)", round, now, before, err)
						return
					}
					before = now
					mu.Lock()
					given[now.String()] = true
					mu.Unlock()
				}
			}()
		}
		wg.Wait()
		if len(given) != 80000 {
			t.Errorf("%d different times, want 80000", len(given))
		}
		latest, _ = o.Now(t.Context())
		closeNow(t, o)
	}
}

func TestOneHeartbeatWaitsAtMost(t *testing.T) {
	o := open(t, config(t, t.TempDir()))
	beat := func() wire.Draft {
		return wire.Draft{Heartbeat: &wire.Heartbeat{At: schema.At(time.Now()), Interval: 1000}}
	}
	appended(t, o, chunk(0, 5))
	appended(t, o, beat())
	appended(t, o, beat())
	appended(t, o, beat())
	appended(t, o, chunk(1, 5))
	records, position := read(t, o, 0, 3)
	if b := records[1].Heartbeat; b == nil || b.OutboxMessages != 1 || b.LastSequence != 1 {
		t.Errorf("heartbeat %+v, want one that counts 1 message", b)
	}
	if records[2].Chunk == nil {
		t.Errorf("a second heartbeat waits")
	}
	if err := o.Remove(t.Context(), position); err != nil {
		t.Fatal(err)
	}
	appended(t, o, beat())
	if records, _ = read(t, o, position, 1); records[0].Heartbeat == nil {
		t.Errorf("no heartbeat after the hub took the one before")
	}
}

func TestTooMuchAtOnce(t *testing.T) {
	o := open(t, config(t, t.TempDir()))
	drafts := make([]wire.Draft, 17)
	for i := range drafts {
		drafts[i] = chunk(uint32(i), schema.MaxChunkKeys)
	}
	if _, err := o.Append(t.Context(), drafts...); err == nil {
		t.Error("17 full chunks at once are accepted")
	}
	appended(t, o, drafts[:15]...)
	read(t, o, 0, 15)
}

func TestConfigFaults(t *testing.T) {
	for name, change := range map[string]func(*outbox.Config){
		"dir":           func(c *outbox.Config) { c.Dir = "" },
		"max_bytes":     func(c *outbox.Config) { c.MaxBytes = 1000 },
		"reserve":       func(c *outbox.Config) { c.Reserve = 1 },
		"on_full":       func(c *outbox.Config) { c.OnFull = "drop" },
		"block_timeout": func(c *outbox.Config) { c.BlockTimeout = -1 },
		"signer":        func(c *outbox.Config) { c.Signer = nil },
		"organisation":  func(c *outbox.Config) { c.Org = "No Such" },
	} {
		t.Run(name, func(t *testing.T) {
			cfg := config(t, t.TempDir())
			change(&cfg)
			o, err := outbox.Open(t.Context(), cfg)
			if err == nil {
				closeNow(t, o)
				t.Fatal("accepted")
			}
			t.Log(err)
			if cfg.Dir == "" {
				return
			}
			// The lock is free again.
			closeNow(t, open(t, config(t, cfg.Dir)))
		})
	}
}
