package producers_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nkeys"

	"github.com/rolltrace/rolltrace/producers"
	"github.com/rolltrace/rolltrace/producers/outbox"
	"github.com/rolltrace/rolltrace/schema"
	"github.com/rolltrace/rolltrace/schema/wire"
)

// TestMain is a process that releases what it has recorded, when a test asks for one.
func TestMain(m *testing.M) {
	if dir := os.Getenv("PRODUCERS_TEST_RELEASER"); dir != "" {
		if err := release(dir, os.Getenv("PRODUCERS_TEST_BASE")); err != nil {
			fmt.Println("error", err)
		}
		return
	}
	os.Exit(m.Run())
}

func share(sets ...schema.IDSpace) schema.Movement {
	m := schema.Movement{
		Kind: schema.Share, Inputs: []schema.Input{{Place: "party-a/crm/voters"}}, Output: "acme-mail/uploads/cards.csv",
		Electors: schema.Electors{Mode: schema.Counted},
	}
	for _, s := range sets {
		m.Electors.Mode = schema.Listed
		m.Electors.Sets = append(m.Electors.Sets, schema.Set{IDSpace: s, KeyID: "k-5f2a9c01"})
	}
	return m
}

func run(from, n int) []schema.Key {
	keys := make([]schema.Key, n)
	for i := range keys {
		keys[i] = schema.Key(from + i)
	}
	return keys
}

func newRecorder(t testing.TB, o producers.Outbox, chunk int) *producers.Recorder {
	t.Helper()
	r, err := producers.NewRecorder(producers.RecorderConfig{Outbox: o, ChunkKeys: chunk})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// everything reads all that is in the outbox.
func everything(t testing.TB, o *outbox.Outbox) []wire.Record {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var records []wire.Record
	var after uint64
	for o.Depth().Messages > 0 {
		b, err := o.Read(ctx, after)
		if err != nil {
			t.Fatal(err)
		}
		after = b.Position
		for _, m := range b.Messages {
			r, err := wire.Decode(m.Subject, m.Header, m.Body)
			if err != nil {
				t.Fatal(err)
			}
			records = append(records, r)
		}
		if err := o.Remove(ctx, after); err != nil {
			t.Fatal(err)
		}
	}
	return records
}

func TestRecording(t *testing.T) {
	o := openOutbox(t, nil)
	ctx := t.Context()
	m := share(schema.ElectorID, "email")
	m.Purpose, m.Actor = "communicate", "party-a/people/u0412"
	m.Electors.Sets[0].Keys, m.Electors.Records = 77, 99 // nothing that Begin believes
	recording, err := newRecorder(t, o, 1000).Begin(ctx, m)
	if err != nil {
		t.Fatal(err)
	}
	if d := o.Depth(); d.Messages != 1 {
		t.Errorf("%d messages are durable when Begin returns, want 1", d.Messages)
	}
	for _, step := range []struct {
		set, from, n int
		flush        bool
	}{{0, 0, 2500, false}, {1, 0, 10, true}, {0, 2500, 1, true}, {0, 2501, 999, false}, {0, 3500, 1, false}} {
		if err := recording.Add(ctx, step.set, run(step.from, step.n)); err != nil {
			t.Fatal(err)
		}
		if step.flush {
			if err := recording.Flush(ctx); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := recording.Add(ctx, 2, run(0, 1)); err == nil {
		t.Error("a third set is accepted")
	}
	recording.Count(3600, 99, 3590)
	evidence := schema.Evidence{Bytes: 12345}
	if err := recording.Close(ctx, schema.Completed, evidence); err != nil {
		t.Fatal(err)
	}
	for what, err := range map[string]error{
		"add": recording.Add(ctx, 0, run(0, 1)), "flush": recording.Flush(ctx), "close": recording.Close(ctx, schema.Failed, evidence),
	} {
		if !errors.Is(err, producers.ErrEnded) {
			t.Errorf("%s after close: %v, want ErrEnded", what, err)
		}
	}

	records := everything(t, o)
	opened, closed := records[0].Movement, records[len(records)-1].Movement
	if opened == nil || opened.State != schema.Open || opened.Revision != 1 || opened.Basis != schema.Observed ||
		opened.Electors.Records != 0 || opened.Electors.Sets[0].Keys != 0 || opened.Purpose != "communicate" {
		t.Fatalf("opened %+v", opened)
	}
	if host, _ := os.Hostname(); host != "" && opened.RecordedBy.Host == "" || opened.RecordedBy.User == "" {
		t.Errorf("recorded by %+v", opened.RecordedBy)
	}
	keys := map[uint16][]schema.Key{}
	sizes := map[uint16][]int{}
	digests := [2]wire.SetDigest{}
	for _, r := range records[1 : len(records)-1] {
		c := r.Chunk
		if c.Movement != opened.ID || int(c.Index) != len(sizes[c.Set]) {
			t.Errorf("chunk %d of set %d comes as number %d", c.Index, c.Set, len(sizes[c.Set]))
		}
		keys[c.Set] = append(keys[c.Set], c.Keys...)
		sizes[c.Set] = append(sizes[c.Set], len(c.Keys))
		digests[c.Set].Add(c.BodyHash())
	}
	// Flush cuts every set short; a full chunk goes by itself.
	if got, want := fmt.Sprint(sizes[0], sizes[1]), "[1000 1000 500 1 1000] [10]"; got != want {
		t.Errorf("chunks of %s keys, want %s", got, want)
	}
	for i, k := range keys[0] {
		if int(k) != i {
			t.Fatalf("key %d comes as number %d", k, i)
		}
	}
	if closed.Revision != 2 || closed.Outcome != schema.Completed || closed.Evidence != evidence || closed.ID != opened.ID ||
		closed.OccurredAt != opened.OccurredAt || closed.Electors.Records != 3600 {
		t.Errorf("closed %+v", closed)
	}
	want := []schema.Set{
		{IDSpace: schema.ElectorID, KeyID: "k-5f2a9c01", Keys: 3501, Unkeyed: 99, Chunks: 5, Digest: digests[0].String()},
		{IDSpace: "email", KeyID: "k-5f2a9c01", Keys: 10, Unkeyed: 3590, Chunks: 1, Digest: digests[1].String()},
	}
	for i, s := range closed.Electors.Sets {
		if s != want[i] {
			t.Errorf("set %d closed as %+v, want %+v", i, s, want[i])
		}
	}
}

func TestCountedRecording(t *testing.T) {
	o := openOutbox(t, nil)
	recording, err := newRecorder(t, o, 0).Begin(t.Context(), share())
	if err != nil {
		t.Fatal(err)
	}
	recording.Count(70)
	recording.Count(7)
	if err := recording.Close(t.Context(), schema.Completed, schema.Evidence{}); err != nil {
		t.Fatal(err)
	}
	records := everything(t, o)
	if len(records) != 2 || records[1].Movement.Electors.Records != 77 || records[1].Movement.Electors.Mode != schema.Counted {
		t.Errorf("%d messages, the last %+v", len(records), records[len(records)-1].Movement)
	}
}

func TestMovementThatIsNotWellFormed(t *testing.T) {
	o := openOutbox(t, nil)
	m := share(schema.ElectorID)
	m.Output = "not a place"
	var faults schema.Faults
	if _, err := newRecorder(t, o, 0).Begin(t.Context(), m); !errors.As(err, &faults) {
		t.Errorf("begin: %v, want the movement's faults", err)
	}
	if d := o.Depth(); d.Messages != 0 {
		t.Errorf("%d messages were recorded", d.Messages)
	}
}

// What did not fit was not recorded, so it must not go on, and the movement ends as failed with what was.
func TestOutboxIsFullInTheMiddle(t *testing.T) {
	o := openOutbox(t, func(c *outbox.Config) { c.MaxBytes, c.BlockTimeout = 2<<20, 50*time.Millisecond })
	recording, err := newRecorder(t, o, 0).Begin(t.Context(), share(schema.ElectorID))
	if err != nil {
		t.Fatal(err)
	}
	released := 0
	for {
		err := recording.Add(t.Context(), 0, run(released, 20_000))
		if err == nil {
			err = recording.Flush(t.Context())
		}
		if err != nil {
			if !errors.Is(err, producers.ErrFull) {
				t.Fatalf("flush: %v, want ErrFull", err)
			}
			break
		}
		released += 20_000
	}
	for what, err := range map[string]error{"add": recording.Add(t.Context(), 0, run(0, 1)), "flush": recording.Flush(t.Context())} {
		if !errors.Is(err, producers.ErrFull) {
			t.Errorf("%s after that: %v, want ErrFull", what, err)
		}
	}
	if err := recording.Close(t.Context(), schema.Completed, schema.Evidence{}); !errors.Is(err, producers.ErrFull) {
		t.Errorf("close: %v, want ErrFull", err)
	}
	records := everything(t, o)
	closed := records[len(records)-1].Movement
	if closed == nil || closed.Outcome != schema.Failed || closed.Electors.Sets[0].Keys != uint64(released) ||
		int(closed.Electors.Sets[0].Chunks) != len(records)-2 {
		t.Errorf("%d keys were released in %d chunks; closed %+v", released, len(records)-2, closed)
	}
}

// The closing goes together with the last chunk; when that does not fit, a later revision says so.
func TestOutboxIsFullAtTheEnd(t *testing.T) {
	o := openOutbox(t, func(c *outbox.Config) { c.MaxBytes, c.BlockTimeout = 2<<20, 50*time.Millisecond })
	recording, err := newRecorder(t, o, 0).Begin(t.Context(), share(schema.ElectorID))
	if err != nil {
		t.Fatal(err)
	}
	for range 6 {
		if err := recording.Add(t.Context(), 0, run(0, 60_000)); err != nil {
			t.Fatal(err)
		}
	}
	if err := recording.Close(t.Context(), schema.Completed, schema.Evidence{}); !errors.Is(err, producers.ErrFull) {
		t.Errorf("close: %v, want ErrFull", err)
	}
	records := everything(t, o)
	var keys uint64
	var chunks uint32
	last := schema.Movement{}
	for _, r := range records {
		if r.Chunk != nil {
			keys, chunks = keys+uint64(len(r.Chunk.Keys)), r.Chunk.Index+1
		} else {
			last = *r.Movement
		}
	}
	if last.Revision != 3 || last.Outcome != schema.Failed || last.Reason == "" || last.Electors.Sets[0].Keys != keys || last.Electors.Sets[0].Chunks != chunks {
		t.Errorf("%d keys in chunks up to %d are recorded; the last word is %+v", keys, chunks, last)
	}
}

func TestInterruptedFlushGoesOn(t *testing.T) {
	o := openOutbox(t, nil)
	recording, err := newRecorder(t, o, 10).Begin(t.Context(), share(schema.ElectorID))
	if err != nil {
		t.Fatal(err)
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	for from := 0; from < 1000; from += 100 {
		if err := recording.Add(gone, 0, run(from, 100)); err != nil && !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		} else if err != nil {
			// Nothing says how much of it was taken; a caller that goes on has to begin again.
			break
		}
	}
	if err := recording.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := recording.Close(t.Context(), schema.Failed, schema.Evidence{}); err != nil {
		t.Fatal(err)
	}
}

func TestDeclare(t *testing.T) {
	o := openOutbox(t, nil)
	r := newRecorder(t, o, 100)
	long := schema.At(time.Date(2019, 4, 1, 0, 0, 0, 0, time.UTC))
	for _, n := range []int{0, 40, 250} {
		m := share(schema.ElectorID)
		m.Basis, m.OccurredAt = schema.Declared, long
		m.Electors.Sets[0].Unkeyed = 5
		receipt, err := r.Declare(t.Context(), m, [][]schema.Key{run(0, n)})
		if err != nil {
			t.Fatal(err)
		}
		if err := receipt.Wait(t.Context()); err != nil {
			t.Fatal(err)
		}
		records := everything(t, o)
		declared := records[len(records)-1].Movement
		if len(records) != (n+99)/100+1 || declared.Revision != 1 || declared.State != schema.Closed || declared.Outcome != schema.Completed ||
			declared.OccurredAt != long || declared.Electors.Sets[0].Keys != uint64(n) || declared.Electors.Records != uint64(n)+5 {
			t.Errorf("%d keys: %d messages, the last %+v", n, len(records), declared)
		}
	}
	whole := share()
	whole.Basis, whole.OccurredAt, whole.Electors.Mode = schema.Attested, long, schema.Whole
	whole.Evidence.Document = wire.FormatHash([32]byte{1})
	receipt, err := r.Declare(t.Context(), whole, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := receipt.Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	if records := everything(t, o); len(records) != 1 || records[0].Movement.Basis != schema.Attested {
		t.Errorf("%d messages", len(records))
	}

	bad := share(schema.ElectorID)
	bad.Basis = schema.Declared // and no time
	var faults schema.Faults
	if _, err := r.Declare(t.Context(), bad, [][]schema.Key{run(0, 10)}); !errors.As(err, &faults) {
		t.Errorf("without a time: %v, want its faults", err)
	}
	bad.Basis = schema.Observed
	if _, err := r.Declare(t.Context(), bad, nil); !errors.As(err, &faults) {
		t.Errorf("observed: %v, want its faults", err)
	}
	if d := o.Depth(); d.Messages != 0 {
		t.Errorf("%d messages of what was refused", d.Messages)
	}
}

// release records and releases keys, as tee does: it says which only after they are durable.
func release(dir, from string) error {
	base, err := strconv.Atoi(from)
	if err != nil {
		return err
	}
	kp, err := nkeys.FromRawSeed(nkeys.PrefixByteUser, []byte("rolltrace hubward tests: 32bytes"))
	if err != nil {
		return err
	}
	ctx := context.Background()
	o, err := outbox.Open(ctx, outbox.Config{Dir: dir, Org: "party-a", Sidecar: "field-db-1", Signer: kp})
	if err != nil {
		return err
	}
	r, err := producers.NewRecorder(producers.RecorderConfig{Outbox: o, ChunkKeys: 500})
	if err != nil {
		return err
	}
	for next := base; ; {
		recording, err := r.Begin(ctx, share(schema.ElectorID))
		if err != nil {
			return err
		}
		fmt.Println("opened", recording.Movement().ID)
		// Two blocks under way: the next is recorded while the one before is still synced.
		type block struct {
			from, n int
			receipt *producers.Receipt
		}
		var before *block
		for range 5 {
			b := &block{from: next, n: 1 + next%1300}
			next += b.n
			if err := recording.Add(ctx, 0, run(b.from, b.n)); err != nil {
				return err
			}
			if b.receipt, err = recording.Commit(ctx); err != nil {
				return err
			}
			if before != nil {
				if err := before.receipt.Wait(ctx); err != nil {
					return err
				}
				fmt.Println("released", before.from, before.n)
			}
			before = b
		}
		if err := before.receipt.Wait(ctx); err != nil {
			return err
		}
		fmt.Println("released", before.from, before.n)
		if err := recording.Close(ctx, schema.Completed, schema.Evidence{}); err != nil {
			return err
		}
		fmt.Println("closed", recording.Movement().ID)
	}
}

// recorded ⊇ released, whenever the process is killed.
func TestRecordedHoldsAllThatWasReleased(t *testing.T) {
	dir := t.TempDir()
	const rounds = 12
	released, recorded := map[schema.Key]bool{}, map[schema.Key]bool{}
	said, states := map[string]string{}, map[string]schema.State{}
	for round := range rounds {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), "PRODUCERS_TEST_RELEASER="+dir, fmt.Sprintf("PRODUCERS_TEST_BASE=%d", round<<24))
		out, err := cmd.StdoutPipe()
		if err == nil {
			err = cmd.Start()
		}
		if err != nil {
			t.Fatal(err)
		}
		left := 1 + rand.IntN(60)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			words := strings.Fields(lines.Text())
			switch words[0] {
			case "released":
				from, _ := strconv.Atoi(words[1])
				n, _ := strconv.Atoi(words[2])
				for _, k := range run(from, n) {
					released[k] = true
				}
			case "opened", "closed":
				said[words[1]] = words[0]
			default:
				t.Fatal(lines.Text())
			}
			if left--; left == 0 {
				if err := cmd.Process.Signal(syscall.SIGKILL); err != nil {
					t.Fatal(err)
				}
			}
		}
		cmd.Wait() //nolint:errcheck // it was killed
	}
	o := openOutbox(t, func(c *outbox.Config) { c.Dir = dir })
	for _, r := range everything(t, o) {
		switch {
		case r.Movement != nil:
			states[r.Movement.ID] = r.Movement.State
		case r.Chunk != nil:
			if states[r.Chunk.Movement] != schema.Open {
				t.Errorf("a chunk of a movement that is %q", states[r.Chunk.Movement])
			}
			for _, k := range r.Chunk.Keys {
				recorded[k] = true
			}
		default:
			t.Errorf("gap %+v", r.Gap)
		}
	}
	for k := range released {
		if !recorded[k] {
			t.Fatalf("a key was released and is not recorded; %d released, %d recorded", len(released), len(recorded))
		}
	}
	for id, what := range said {
		if what == "closed" && states[id] != schema.Closed || states[id] == "" {
			t.Errorf("a movement was said to be %s and is %q", what, states[id])
		}
	}
	t.Logf("%d keys released, %d recorded, %d movements", len(released), len(recorded), len(states))
}
