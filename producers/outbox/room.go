package outbox

import (
	"fmt"
	"time"

	"github.com/rolltrace/rolltrace/producers"
)

// mayKeep says whether a class may use the reserve.
func (o *Outbox) mayKeep(c class) bool {
	return c == kept || c == heartbeat || c == opening && o.cfg.OnFull == Pass
}

// mayGo says whether there is room for an entry of the class when so many bytes are written next.
func (o *Outbox) mayGo(class class, size int64) bool {
	c := &o.committer
	limit := o.cfg.MaxBytes
	if o.mayKeep(class) {
		limit = max(limit, c.floor) + o.cfg.Reserve
	}
	if c.engine.shelf.bytes()+c.unacked+size > limit {
		return false
	}
	if !o.mayKeep(class) {
		need := size + diskMargin
		if !c.reserve.held {
			need += c.reserve.size // it has to come back first
		}
		return c.free >= need
	}
	if c.free < size+diskMargin && c.reserve.held {
		if err := c.reserve.giveUp(); err != nil {
			o.cfg.Log.Warn().Err(err).Msg("reserve of outbox is not given up")
		} else {
			o.cfg.Log.Warn().Int64("free_bytes", c.free).Msg("disk is full: the outbox writes closings and gaps into its reserve")
		}
	}
	return true // the write will tell
}

// setFull takes note of whether data waits for room.
func (o *Outbox) setFull(full bool) {
	c := &o.committer
	if full {
		if !c.full {
			why := o.whyFull()
			c.short.Store(&why)
			o.cfg.Metrics.Full.Set(1)
			if o.cfg.OnFull == Pass {
				o.sampled.Warn().Err(why).Msg("no room for elector data: it is let go unrecorded")
			}
		}
	} else if c.full {
		o.cfg.Metrics.Full.Set(0)
		c.short.Store(nil)
	}
	c.full = full
}

const (
	noteAfter = time.Second      // how long data has to wait before it is said,
	noteEvery = 30 * time.Second // and how often
)

// waiting is what was said of data that waits.
type waiting struct {
	since time.Time // zero: none waits
	said  bool      // and not yet that it goes on
	last  time.Time
}

// noteWait says once that data waits, and why.
func (o *Outbox) noteWait(now time.Time) {
	c := &o.committer
	w, why := &c.waiting, c.refusal()
	switch {
	case o.cfg.OnFull == Pass || o.queue.len() == 0 && len(c.doubtful) == 0:
		w.since = time.Time{}
	case w.since.IsZero():
		w.since = now
	case !w.said && now.Sub(w.since) >= noteAfter && now.Sub(w.last) >= noteEvery:
		w.said, w.last = true, now
		o.cfg.Log.Warn().Err(why).Int64("refused_after_ms", o.cfg.BlockTimeout.Milliseconds()).Msg("elector data waits for room")
		o.cfg.Waits(why)
	}
}

// noteGoing says that data which waited goes on.
func (o *Outbox) noteGoing() {
	w := &o.committer.waiting
	w.since = time.Time{}
	if w.said {
		w.said = false
		o.cfg.Log.Info().Msg("elector data goes on: there is room again")
		o.cfg.Waits(nil)
	}
}

func (o *Outbox) whyFull() error {
	c := &o.committer
	if free := diskFree(o.cfg.Dir); free < frameBytes+diskMargin+c.reserve.size {
		return fmt.Errorf("%w: %s: %d bytes free on the disk: make room on it", producers.ErrFull, o.cfg.Dir, free)
	}
	return fmt.Errorf("%w: %s: %d bytes wait for the hub and max_bytes is %d: see why the hub does not take them, or raise max_bytes",
		producers.ErrFull, o.cfg.Dir, c.engine.shelf.bytes(), o.cfg.MaxBytes)
}

// tendReserve makes the reserve again when the disk has room for it, and for data besides.
func (o *Outbox) tendReserve() {
	r := o.committer.reserve
	if r.held || diskFree(o.cfg.Dir) < r.size+2*diskMargin {
		return
	}
	if err := r.take(); err != nil {
		o.sampled.Warn().Err(err).Msg("outbox has no reserve on the disk")
	}
}
