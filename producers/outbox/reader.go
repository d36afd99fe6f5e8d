package outbox

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/rolltrace/rolltrace/producers"
	"github.com/rolltrace/rolltrace/schema/wire"
)

// A reader is the forwarder's side of the outbox: it knows what has to come next, so that it sees what is
// missing. All but handed belongs to the goroutine that calls Read.
type reader struct {
	known    bool              // what the hub acknowledged before this opening
	instance string            // of the frame before, "" for none
	next     uint64            // sequence that has to come in that instance
	clock    int64             // of the frame before
	ends     map[string]uint64 // next, of each instance that was read since opening

	doubted  position      // one more than the position behind which something is missing, though the engine was started anew
	recorded map[hole]bool // gaps that were recorded since opening

	mu     sync.Mutex
	handed []handed // batches returned and not removed
}

// handed is a batch that was returned. When it is removed, what follows it and was read before goes too.
type handed struct {
	position position
	at       forwarded
}

// A hole is a run of lost sequences.
type hole struct {
	instance string
	from, to uint64
}

// begin starts behind what the hub has acknowledged, if that is known.
func (r *reader) begin(hub forwarded, known bool) {
	r.known, r.recorded, r.ends = known, make(map[hole]bool), make(map[string]uint64)
	r.continueAt(hub)
}

func (r *reader) continueAt(at forwarded) {
	r.instance, r.next, r.clock = at.Instance, at.Sequence+1, at.Clock
	r.ends[at.Instance] = max(r.ends[at.Instance], r.next)
}

// missing is the run that should have come before the frame; from is greater than to if there is none.
func (r *reader) missing(f *frame) hole {
	h := hole{instance: f.instance, from: max(1, r.ends[f.instance]), to: f.first - 1}
	switch {
	case f.instance == r.instance:
		h.from = r.next
	case r.instance == "" && !r.known:
		h.from = f.first
	}
	return h
}

// Read is described at producers.Source.
func (o *Outbox) Read(ctx context.Context, behind uint64) (producers.Batch, error) {
	after := o.rewind(position(behind))
	r := &o.reader
	for {
		position, f, err := o.nextFrame(ctx, after)
		if err != nil {
			return producers.Batch{}, err
		}
		if f == nil {
			after = position
			continue
		}
		lost := r.missing(f)
		if lost.from <= lost.to {
			if again, err := o.doubt(ctx, after); err != nil {
				return producers.Batch{}, err
			} else if again {
				continue
			}
			if err := o.recordHole(ctx, lost); err != nil {
				return producers.Batch{}, err
			}
		}
		if f.instance == r.instance && f.last < r.next { // written twice after a fault, or without messages
			o.skip(position, f)
			after = position
			continue
		}
		at := forwarded{Position: position, Instance: f.instance, Sequence: f.last, Total: f.total, Clock: f.clock}
		r.continueAt(at)
		if len(f.messages) == 0 {
			o.skip(position, f)
			after = position
			continue
		}
		r.mu.Lock()
		r.handed = append(r.handed, handed{position, at})
		r.mu.Unlock()
		b := producers.Batch{Position: uint64(position), Messages: f.messages}
		for _, m := range f.messages {
			b.Bytes += m.Size()
		}
		return b, nil
	}
}

// skip has a frame that brings nothing go with the one before it.
func (o *Outbox) skip(position position, f *frame) {
	r := &o.reader
	at := forwarded{Position: position, Instance: r.instance, Sequence: r.next - 1, Total: f.total, Clock: r.clock}
	r.mu.Lock()
	defer r.mu.Unlock()
	if n := len(r.handed); n > 0 {
		r.handed[n-1].at = at
		return
	}
	o.shelf.forwarded(at)
}

// rewind prepares for reading behind the position, which may have been read before, and returns it; it is
// never before what was removed.
func (o *Outbox) rewind(after position) position {
	r := &o.reader
	hub := o.shelf.snapshot().Hub
	after = max(after, hub.Position)
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.handed) == 0 || after >= r.handed[len(r.handed)-1].position {
		return after
	}
	for i, h := range r.handed {
		if h.position > after {
			r.handed = r.handed[:i]
			break
		}
		hub = h.at
	}
	r.continueAt(hub)
	return after
}

// patience is how often one frame is asked for before the engine is started anew.
const patience = 5

// nextFrame waits for a frame behind the position. A nil frame says that everything up to the position that
// it returns is lost, and recorded as such.
func (o *Outbox) nextFrame(ctx context.Context, after position) (position, *frame, error) {
	s := &o.shelf
	for failing := 0; ; {
		s.mu.Lock()
		s.reading = true
		changed, closed, e, durable, h := s.changed, s.closed, s.engine, s.position, s.head
		position, f := s.recentAfter(after)
		s.mu.Unlock()
		switch {
		case f != nil:
			return position, f, nil
		case closed:
			return 0, nil, producers.ErrClosed
		case after >= durable || e == nil:
			if err := wait(ctx, changed, 0); err != nil {
				return 0, nil, err
			}
			continue
		}
		position, f, err := e.after(ctx, after, durable)
		if err == nil {
			return position, f, nil
		}
		if errors.Is(err, errUnsound) {
			if err := o.startAnew(ctx, e); err != nil {
				return 0, nil, err
			}
			continue
		}
		if errors.Is(err, errLost) {
			if again, err := o.doubt(ctx, after); err != nil {
				return 0, nil, err
			} else if again {
				continue
			}
			if err := o.loseEnd(ctx, h); err != nil {
				return 0, nil, err
			}
			o.skip(durable, &frame{total: h.Total}) // or what waits would never be less
			return durable, nil, nil
		}
		if ctx.Err() != nil {
			return 0, nil, context.Cause(ctx)
		}
		// The engine is being replaced, or is about to be; one that goes on failing has to be.
		if failing++; failing%patience == 0 {
			err = o.startAnew(ctx, e)
		} else {
			err = wait(ctx, changed, busyTick)
		}
		if err != nil {
			return 0, nil, err
		}
	}
}

// recentAfter is the first frame behind the position, if it is certainly among those in memory.
func (s *shelf) recentAfter(after position) (position, *frame) {
	if after < s.behind {
		return 0, nil
	}
	for _, one := range s.recent {
		if one.position > after {
			return one.position, one.frame
		}
	}
	return 0, nil
}

// doubt is asked when something is missing behind the position. The first time it has the engine started
// anew, for a store that cannot read just now answers like one that has lost what it is asked for; it
// returns true when that is done, to read again.
func (o *Outbox) doubt(ctx context.Context, after position) (bool, error) {
	r := &o.reader
	if r.doubted == after+1 {
		return false, nil
	}
	o.shelf.mu.Lock()
	e := o.shelf.engine
	o.shelf.mu.Unlock()
	if err := o.startAnew(ctx, e); err != nil {
		return false, err
	}
	r.doubted = after + 1
	return true, nil
}

// startAnew has the engine replaced, and returns when it is.
func (o *Outbox) startAnew(ctx context.Context, before *engine) error {
	select {
	case o.doubted <- struct{}{}:
	default:
	}
	for s := &o.shelf; ; {
		s.mu.Lock()
		changed, closed, e := s.changed, s.closed, s.engine
		s.mu.Unlock()
		if closed {
			return producers.ErrClosed
		}
		if e != nil && e != before {
			return nil
		}
		if err := wait(ctx, changed, 0); err != nil {
			return err
		}
	}
}

// wait waits for the channel, and for no longer than the limit if there is one.
func wait(ctx context.Context, changed <-chan struct{}, limit time.Duration) error {
	var late <-chan time.Time
	if limit > 0 {
		t := time.NewTimer(limit)
		defer t.Stop()
		late = t.C
	}
	select {
	case <-changed:
	case <-late:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	return nil
}

// loseEnd records that nothing can be read from here to the end, which was acknowledged.
func (o *Outbox) loseEnd(ctx context.Context, h head) error {
	r := &o.reader
	lost := hole{instance: h.Instance, from: max(1, r.ends[h.Instance]), to: h.Sequence}
	if r.instance == h.Instance {
		lost.from = r.next
	}
	if lost.from > lost.to {
		return nil
	}
	if err := o.recordHole(ctx, lost); err != nil {
		return err
	}
	r.continueAt(forwarded{Instance: h.Instance, Sequence: h.Sequence, Clock: r.clock})
	return nil
}

// recordHole records lost messages as a gap, once, and returns when that is durable.
func (o *Outbox) recordHole(ctx context.Context, lost hole) error {
	r := &o.reader
	if tail := o.shelf.lostTail(); tail.instance == lost.instance && tail.from <= lost.to {
		lost.to = tail.from - 1 // it was recorded when the end was missed
	}
	if lost.from > lost.to || r.recorded[lost] {
		return nil
	}
	o.cfg.Log.Error().Str("instance", lost.instance).Uint64("first_sequence", lost.from).Uint64("last_sequence", lost.to).
		Msg("messages are lost from the outbox; the gap is recorded")
	g := wire.Gap{Why: "messages lost from the outbox", Instance: lost.instance, FirstSequence: lost.from, LastSequence: lost.to}
	g.From, g.To = span(r.clock)
	receipt, settle := producers.NewReceipt()
	o.pushGap("hole", g, settle)
	if err := receipt.Wait(ctx); err != nil {
		return err
	}
	r.recorded[lost] = true
	return nil
}

// Remove is described at producers.Source.
func (o *Outbox) Remove(_ context.Context, acknowledged uint64) error {
	r := &o.reader
	r.mu.Lock()
	n := 0
	for n < len(r.handed) && r.handed[n].position <= position(acknowledged) {
		n++
	}
	var last forwarded
	if n > 0 {
		last = r.handed[n-1].at
		r.handed = r.handed[n:]
	}
	r.mu.Unlock()
	if n > 0 {
		o.shelf.forwarded(last)
		o.showDepth()
	}
	return nil
}

// Depth is described at producers.Source.
func (o *Outbox) Depth() producers.Depth { return o.shelf.depth() }
