package pgtap

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"

	"github.com/rolltrace/rolltrace/producers"
	"github.com/rolltrace/rolltrace/schema"
)

// closePatience is how long the closing of a movement may take: an outbox that is full waits for room.
const closePatience = 45 * time.Second

// A ledger sums up small results: what goes to one place in the same way within a window is one movement. Whatever
// waits for the disk together is committed together, and keys that are durable in the open window need no commit.
type ledger struct {
	cfg     Config
	log     zerolog.Logger
	metrics *Metrics
	closing sync.WaitGroup // of movements
	// refusedAt is when the outbox last refused something, in nanoseconds; 0 while it takes everything.
	refusedAt atomic.Int64

	mu      sync.Mutex
	windows map[flow]*window
}

// A flow is what all results of one movement have in common.
type flow struct {
	plan       string
	route      Route
	user, host string
}

func newLedger(cfg Config) *ledger {
	return &ledger{cfg: cfg, log: cfg.Log, metrics: cfg.Metrics, windows: make(map[flow]*window)}
}

// A window is the movement that small results of one flow go into, for a while.
type window struct {
	ledger   *ledger
	recorder *producers.Recorder
	movement schema.Movement
	opened   time.Time

	mu        sync.Mutex
	recording *producers.Recording // nil before the first commit
	durable   []map[schema.Key]struct{}
	held      int // keys in them
	flying    bool
	tookOff   time.Time
	gathering gathering // how long the next batch stays for more
	next      *batch
	closed    bool
	ending    bool // it takes nothing more, and closes when it has landed
}

// A batch is what is committed together. Whoever gets the token of lead commits it; the others wait until it is done.
type batch struct {
	window  *window
	keys    [][]schema.Key
	records uint64
	results int
	stays   bool // for more, but not for long
	unkeyed []uint64
	lead    chan struct{}
	done    chan struct{}
	led     bool               // lead has had its token
	receipt *producers.Receipt // since it took off
	err     error
}

// movement is what is known of a movement before it begins.
func (f flow) movement(p *plan, keyID schema.KeyID) schema.Movement {
	m := schema.Movement{
		Kind: f.route.Kind, Inputs: p.inputs, Output: f.route.Output, Actor: f.route.Actor, Purpose: f.route.Purpose,
		Agreement: f.route.Agreement, LegalBasis: f.route.LegalBasis, Fields: p.fields,
		Electors: schema.Electors{Mode: schema.Counted},
	}
	for _, space := range p.sets {
		m.Electors.Mode = schema.Listed
		m.Electors.Sets = append(m.Electors.Sets, schema.Set{IDSpace: space, KeyID: keyID})
	}
	return m
}

// add takes what was read of a result. The batch it returns has to be waited for before the rows go on; nil when there
// is nothing to wait for.
func (l *ledger) add(f flow, p *plan, recorder *producers.Recorder, h *harvest) *batch {
	for {
		l.mu.Lock()
		w := l.windows[f]
		if w == nil {
			w = &window{
				ledger: l, recorder: recorder, movement: f.movement(p, l.cfg.KeyID), opened: time.Now(),
				durable: make([]map[schema.Key]struct{}, len(p.sets)),
			}
			for i := range w.durable {
				w.durable[i] = make(map[schema.Key]struct{})
			}
			l.windows[f] = w
		}
		l.mu.Unlock()
		if b, ok := w.add(h); ok {
			return b
		}
		l.forget(f, w)
	}
}

// forget makes room for the next window of a flow.
func (l *ledger) forget(f flow, w *window) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.windows[f] == w {
		delete(l.windows, f)
	}
}

// add says false when the window has closed.
func (w *window) add(h *harvest) (*batch, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed || w.ending {
		return nil, false
	}
	fresh := w.recording == nil
	for i, keys := range h.keys {
		kept := keys[:0]
		for _, k := range keys {
			if _, ok := w.durable[i][k]; !ok {
				kept = append(kept, k)
			}
		}
		h.keys[i] = kept
		fresh = fresh || len(kept) > 0
	}
	if !fresh {
		w.recording.Count(h.records, h.unkeyed...)
		return nil, true
	}
	b := w.next
	if b == nil {
		b = &batch{
			window: w, keys: make([][]schema.Key, len(h.keys)), unkeyed: make([]uint64, len(h.keys)),
			lead: make(chan struct{}, 1), done: make(chan struct{}),
		}
		w.next = b
	}
	b.records += h.records
	b.results++
	if !w.flying && !b.led && b.ready(time.Now()) {
		b.depart()
	}
	for i, keys := range h.keys {
		b.keys[i] = append(b.keys[i], keys...)
		b.unkeyed[i] += h.unkeyed[i]
	}
	return b, true
}

// wait returns when the batch is durable, or why it is not. Every batch has to be waited for by whoever added to it.
func (b *batch) wait(ctx context.Context) error {
	select {
	case <-b.done:
		return b.err
	case <-b.lead:
		b.window.fly(ctx, b)
		return b.err
	}
}

// fly waits until a batch is durable; if nobody has taken it off yet it does that first.
func (w *window) fly(ctx context.Context, b *batch) {
	w.mu.Lock()
	if w.next == b {
		w.flying, w.next = true, nil
		w.mu.Unlock()
		w.takeOff(ctx, b)
	} else {
		w.mu.Unlock()
	}
	if b.err == nil {
		b.err = b.receipt.Wait(ctx)
	}
	w.ledger.settled(b.err)
	w.land(ctx, b)
}

// takeOff hands a batch to the outbox.
func (w *window) takeOff(ctx context.Context, b *batch) {
	w.tookOff = time.Now()
	recording, err := w.recording, error(nil)
	if recording == nil {
		if recording, err = w.recorder.Begin(ctx, w.movement); err != nil {
			b.err = err
			return
		}
		w.ledger.metrics.Movements.Inc()
		w.mu.Lock()
		w.recording = recording
		w.mu.Unlock()
	}
	for i, keys := range b.keys {
		if b.err = recording.Add(ctx, i, keys); b.err != nil {
			return
		}
	}
	recording.Count(b.records, b.unkeyed...)
	b.receipt, b.err = recording.Commit(ctx)
}

// land takes note of a batch that is durable, or has failed, and takes the next one off if that is complete: to wake somebody of its
// own for that first would take longer.
func (w *window) land(ctx context.Context, b *batch) {
	w.mu.Lock()
	next, waiting, now := w.next, 0, time.Now()
	if next != nil {
		waiting = next.results
	}
	w.flying = false
	w.gathering.landed(b.results+waiting, now.Sub(w.tookOff), now)
	if b.err == nil {
		for i, keys := range b.keys {
			for _, k := range keys {
				w.durable[i][k] = struct{}{}
			}
			w.held += len(keys)
			w.ledger.metrics.Electors.Add(float64(len(keys)))
		}
	}
	if b.err != nil || w.held >= w.ledger.cfg.WindowKeys || w.ending {
		w.close(schema.Completed)
	}
	switch {
	case next == nil:
	case b.err != nil: // its own lead finds out whether it is any better then
		next.depart()
		next = nil
	case next.ready(now):
		w.flying, w.next = true, nil
	default:
		next = nil
	}
	w.mu.Unlock()
	close(b.done)
	if next != nil {
		w.takeOff(ctx, next)
		next.depart()
	}
}

// ready says whether a batch is to go, while no other is under way; with mu held. If not, it goes when it is complete, or late.
func (b *batch) ready(now time.Time) bool {
	w := b.window
	stay := w.gathering.stay(b.results, now)
	switch {
	case w.ending:
	case stay > 0:
		if !b.stays {
			b.stays = true
			time.AfterFunc(stay, b.late)
		}
		return false
	case b.stays:
		w.gathering.came()
	}
	return true
}

// late lets a batch go that has stayed long enough.
func (b *batch) late() {
	w := b.window
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.next == b && !w.flying && !b.led {
		w.gathering.waited()
		b.depart()
	}
}

// depart lets a batch go, while no other is under way: what comes from now on waits for the next.
func (b *batch) depart() {
	if !b.led {
		b.led = true
		b.lead <- struct{}{}
	}
}

// close ends the movement, in the background; with mu held. What is still to come goes into another window.
func (w *window) close(outcome schema.Outcome) {
	if w.closed || w.flying || w.next != nil {
		w.ending = true // whoever flies last closes it
		return
	}
	w.closed = true
	if w.recording == nil {
		return
	}
	w.ledger.end(w.recording, outcome, schema.Evidence{})
}

// end closes a movement in the background.
func (l *ledger) end(recording *producers.Recording, outcome schema.Outcome, evidence schema.Evidence) {
	l.closing.Go(func() {
		ctx, cancel := context.WithTimeout(context.Background(), closePatience)
		defer cancel()
		if err := recording.Close(ctx, outcome, evidence); err != nil && !errors.Is(err, producers.ErrEnded) {
			l.log.Warn().Err(err).Str("movement", recording.Movement().ID).Msg("movement is not closed as it should be")
		}
	})
}

// sweep closes the windows that are old enough.
func (l *ledger) sweep(now time.Time, age time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for f, w := range l.windows {
		w.mu.Lock()
		if now.Sub(w.opened) >= age {
			w.close(schema.Completed)
		}
		if w.closed || w.ending {
			delete(l.windows, f)
		}
		w.mu.Unlock()
	}
}

// part closes what goes to a place: electors are taken away there, and who comes after that comes in another movement.
func (l *ledger) part(place schema.Place) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for f, w := range l.windows {
		if f.route.Output != place {
			continue
		}
		w.mu.Lock()
		w.close(schema.Completed)
		w.mu.Unlock()
		delete(l.windows, f)
	}
}

// run sweeps until the context ends, then closes what is open, when nobody adds any more.
func (l *ledger) run(ctx context.Context) {
	tick := time.NewTicker(max(min(time.Second, l.cfg.Window/4), time.Millisecond))
	defer tick.Stop()
	for {
		select {
		case now := <-tick.C:
			l.sweep(now, l.cfg.Window)
		case <-ctx.Done():
			l.sweep(time.Now(), -1)
			l.closing.Wait()
			return
		}
	}
}
