package outbox

import (
	"context"
	"time"
)

// tendSegments deletes segments that the hub has acknowledged as a whole. When there is no room, and all that
// is left is acknowledged, it begins a new segment so that even the newest can go.
func (o *Outbox) tendSegments() {
	c := &o.committer
	if c.engine == nil || len(c.doubtful) > 0 {
		return
	}
	hub := o.shelf.snapshot().Hub.Position
	newest := c.engine.shelf.newest()
	if newest == nil {
		return
	}
	switch {
	case len(c.flights) > 0:
	case newest.last == 0 && !c.rollNext:
		o.mark() // it was lost with the server
	case c.full && newest.last > 1 && hub >= newest.end():
		o.roll()
	}
	for c.engine != nil && c.engine.shelf.newest().last > 0 {
		oldest := c.engine.shelf.oldest()
		if oldest == c.engine.shelf.newest() || oldest.end() > hub {
			return
		}
		if err := o.dropOldest(oldest); err != nil {
			o.fault(err)
			return
		}
	}
}

// dropOldest deletes a segment. That the hub has acknowledged it must be on the disk before, or a hole would
// be seen where there is none.
func (o *Outbox) dropOldest(s *segment) error {
	if o.committer.hubSynced < s.end() {
		o.syncHead(time.Now())
	}
	return o.committer.engine.drop(context.Background(), s)
}

// roll begins a new segment. It says false if that fails, which is a fault.
func (o *Outbox) roll() bool {
	c := &o.committer
	c.segment++
	if err := c.engine.roll(context.Background(), c.segment, c.segmentBytes); err != nil {
		o.fault(err)
		return false
	}
	c.expected, c.rollNext = 0, false
	o.mark()
	return c.engine != nil
}

// mark writes the first frame of a segment. It has no messages and says where the chain is, and which
// movements are open, so that the segments before are not needed for that any more.
func (o *Outbox) mark() {
	c := &o.committer
	sequence, hash := c.chain.Last()
	f := &flight{frame: &frame{instance: c.instance, first: sequence + 1, last: sequence, hash: hash, clock: o.clock.latest.Load(), open: o.unclosed.checkpoint()}}
	f.bytes = f.frame.encode(nil, c.total)
	c.total = f.frame.total
	o.publish(f)
}
