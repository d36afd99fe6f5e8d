package outbox_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/rolltrace/rolltrace/producers"
	"github.com/rolltrace/rolltrace/producers/outbox"
	"github.com/rolltrace/rolltrace/schema/wire"
)

// tryAppend appends and waits, and returns what became of it.
func tryAppend(t testing.TB, o *outbox.Outbox, drafts ...wire.Draft) error {
	t.Helper()
	receipt, err := o.Append(t.Context(), drafts...)
	if err != nil {
		return err
	}
	return receipt.Wait(t.Context())
}

// fillUp appends chunks until one is refused, and returns how many went in.
func fillUp(t testing.TB, o *outbox.Outbox) int {
	t.Helper()
	for i := range 10_000 {
		if err := tryAppend(t, o, chunk(uint32(i), 10_000)); err != nil {
			if !errors.Is(err, producers.ErrFull) {
				t.Fatalf("chunk %d: %v, want ErrFull", i, err)
			}
			t.Log(err)
			return i
		}
	}
	t.Fatal("it never is full")
	return 0
}

func TestFullByItsLimit(t *testing.T) {
	cfg := config(t, t.TempDir())
	cfg.MaxBytes, cfg.BlockTimeout = 2<<20, 100*time.Millisecond
	o := open(t, cfg)
	n := fillUp(t, o)
	if n < 20 || n > 27 {
		t.Errorf("%d chunks of 80 KB in 2 MiB", n)
	}
	// Openings are data; closings, gaps and the heartbeat have room that was kept back for them.
	openings := 0
	for ; openings < 1000; openings++ {
		if err := tryAppend(t, o, movement(t, "open")); err != nil {
			if !errors.Is(err, producers.ErrFull) {
				t.Errorf("opening: %v, want ErrFull", err)
			}
			break
		}
	}
	if openings == 1000 {
		t.Error("openings have no end")
	}
	appended(t, o, movement(t, "closed"))
	now, _ := o.Now(t.Context())
	appended(t, o, wire.Draft{Gap: &wire.Gap{From: now, To: now, Why: "test"}})
	appended(t, o, wire.Draft{Heartbeat: &wire.Heartbeat{At: now, Interval: 1}})
	if refused := testutil.ToFloat64(cfg.Metrics.Refused); refused != 2 {
		t.Errorf("%v refused, want 2", refused)
	}
	records := drain(t, o)
	if len(records) != n+openings+3 {
		t.Errorf("%d messages, want %d", len(records), n+openings+3)
	}
	checkChain(t, records)
	for i := range 5 {
		appended(t, o, chunk(uint32(100+i), 10_000))
	}
	if faults := testutil.ToFloat64(cfg.Metrics.Faults); faults != 0 {
		t.Errorf("%v faults: the limit is none", faults)
	}
}

// The room that is kept back ends too: then a closing waits like data.
func TestReserveEnds(t *testing.T) {
	cfg := config(t, t.TempDir())
	cfg.MaxBytes, cfg.Reserve, cfg.BlockTimeout = 2<<20, outbox.MinReserve, 50*time.Millisecond
	o := open(t, cfg)
	fillUp(t, o)
	for i := range 1000 {
		if err := tryAppend(t, o, movement(t, "closed")); err != nil {
			if !errors.Is(err, producers.ErrFull) || i < 50 {
				t.Errorf("closing %d: %v, want ErrFull after more than 50", i, err)
			}
			return
		}
	}
	t.Error("the reserve has no end")
}

func TestWhoWaitsGoesOnWhenThereIsRoom(t *testing.T) {
	cfg := config(t, t.TempDir())
	cfg.MaxBytes, cfg.BlockTimeout = 2<<20, 100*time.Millisecond
	o := open(t, cfg)
	n := fillUp(t, o)
	closeNow(t, o)
	cfg.BlockTimeout = time.Minute
	cfg.Metrics = outbox.NewMetrics(nil)
	o = open(t, cfg)
	var receipts []*producers.Receipt
	for i := range 10 {
		receipt, err := o.Append(t.Context(), chunk(uint32(n+i), 10_000))
		if err != nil {
			t.Fatal(err)
		}
		receipts = append(receipts, receipt)
	}
	appended(t, o, movement(t, "closed")) // overtakes
	if receipts[0].Settled() {
		t.Fatal("data is taken although it is full")
	}
	if full := testutil.ToFloat64(cfg.Metrics.Full); full != 1 {
		t.Errorf("full is %v, want 1", full)
	}
	records := drain(t, o)
	if err := producers.Receipts(receipts...).Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	if full := testutil.ToFloat64(cfg.Metrics.Full); full != 0 {
		t.Errorf("full is %v when there is room again", full)
	}
	records = append(records, drain(t, o)...)
	if len(records) != n+11 {
		t.Errorf("%d messages, want %d", len(records), n+11)
	}
	next := uint32(n)
	for _, r := range records[n:] {
		if r.Chunk != nil {
			if r.Chunk.Index != next {
				t.Errorf("chunk %d after the waiting, want %d", r.Chunk.Index, next)
			}
			next++
		}
	}
}

func TestAppendStopsWaitingWithItsContext(t *testing.T) {
	cfg := config(t, t.TempDir())
	cfg.MaxBytes, cfg.BlockTimeout, cfg.QueueBytes = 1<<20, 100*time.Millisecond, 1<<20
	o := open(t, cfg)
	fillUp(t, o)
	closeNow(t, o)
	cfg.BlockTimeout = time.Hour
	o = open(t, cfg)
	ctx, cancel := context.WithCancelCause(t.Context())
	defer cancel(nil)
	why := errors.New("interrupted")
	for {
		receipt, err := o.Append(ctx, chunk(0, 60_000)) // until the queue is full
		if err != nil {
			if !errors.Is(err, why) {
				t.Errorf("append: %v, want the context's cause", err)
			}
			break
		}
		if err := func() error {
			done, stop := context.WithCancel(t.Context())
			stop()
			return receipt.Wait(done)
		}(); !errors.Is(err, context.Canceled) {
			t.Errorf("wait: %v", err)
		}
		cancel(why)
	}
	// Close does not wait for room.
	closeNow(t, o)
}

func TestPassRecordsWhatWentBy(t *testing.T) {
	cfg := config(t, t.TempDir())
	cfg.MaxBytes, cfg.OnFull, cfg.BlockTimeout = 2<<20, outbox.Pass, time.Minute
	o := open(t, cfg)
	appended(t, o, movement(t, "open"))
	const n, keys = 100, 10_000
	for i := range n {
		appended(t, o, chunk(uint32(i), keys)) // never refused
	}
	appended(t, o, movement(t, "closed"))
	passed := testutil.ToFloat64(cfg.Metrics.Passed)
	closeNow(t, o) // what is gathered is recorded before the end
	cfg.Metrics = outbox.NewMetrics(nil)
	o = open(t, cfg)
	var recorded, missed uint64
	states := map[string]int{}
	for _, r := range drain(t, o) {
		switch {
		case r.Chunk != nil:
			recorded += uint64(len(r.Chunk.Keys))
		case r.Gap != nil:
			missed += r.Gap.Records
			if r.Gap.Place != "acme-mail/uploads/cards.csv" || r.Gap.To.Before(r.Gap.From.Time) || !strings.Contains(r.Gap.Why, "full") {
				t.Errorf("gap %+v", r.Gap)
			}
		default:
			states[string(r.Movement.State)]++
		}
	}
	if recorded+missed != n*keys || missed == 0 || recorded == 0 {
		t.Errorf("%d recorded and %d in gaps, want %d together", recorded, missed, n*keys)
	}
	if states["open"] != 1 || states["closed"] != 1 {
		t.Errorf("states %v", states)
	}
	if passed*keys != float64(missed) {
		t.Errorf("%v messages counted as passed, and %d keys in gaps", passed, missed)
	}
}

// A limit below what waits loses nothing.
func TestLimitIsLowered(t *testing.T) {
	cfg := config(t, t.TempDir())
	o := open(t, cfg)
	fill(t, o, 20)
	closeNow(t, o)
	cfg.MaxBytes, cfg.BlockTimeout = 1<<20, 50*time.Millisecond
	o = open(t, cfg)
	if err := tryAppend(t, o, chunk(99, 10)); !errors.Is(err, producers.ErrFull) {
		t.Errorf("append: %v, want ErrFull", err)
	}
	appended(t, o, movement(t, "closed")) // kept back, and beyond what is there
	if n := len(drain(t, o)); n < 20 {
		t.Errorf("%d messages are there, want 20 and more", n)
	}
	appended(t, o, chunk(99, 10))
}
