package outbox

import (
	"context"
	"fmt"
	"time"

	"github.com/rolltrace/rolltrace/producers"
)

// fault is called when a write failed or did not come back, or when what is read has holes. After a full
// disk the store takes nothing more until the embedded server is started anew, so it is stopped at once;
// tend starts another one.
func (o *Outbox) fault(err error) {
	c := &o.committer
	sentinel := producers.ErrBroken
	if diskFree(o.cfg.Dir) < frameBytes+diskMargin {
		sentinel = producers.ErrFull
	}
	why := fmt.Errorf("%w: %s: %w", sentinel, o.cfg.Dir, err)
	c.short.Store(&why)
	o.cfg.Metrics.Faults.Inc()
	o.sampled.Warn().Err(why).Msg("store of outbox is in doubt; it is started anew")

	c.doubtful = append(c.flights, c.doubtful...) //nolint:gocritic // flights were sent before what is still doubtful
	c.flights, c.unacked = nil, 0
	o.shelf.setEngine(nil)
	if c.engine != nil {
		c.engine.stop()
		c.engine = nil
	}
	c.retryAt = time.Now().Add(c.backOff)
	o.lengthenBackOff()
}

func (o *Outbox) lengthenBackOff() {
	c := &o.committer
	c.backOff = min(max(2*c.backOff, firstBackOff), lastBackOff)
}

// restart starts the engine and finds out what became of the frames that were on their way.
func (o *Outbox) restart() {
	c := &o.committer
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	o.cfg.Metrics.Restarts.Inc()
	e, err := o.startEngine(ctx)
	if err == nil {
		c.engine = e
		if err = o.resume(ctx); err == nil {
			o.shelf.setEngine(e)
			if !c.full {
				c.short.Store(nil)
			}
			return
		}
		e.stop()
		c.engine = nil
	}
	o.sampled.Warn().Err(err).Msg("store of outbox does not start; it will be tried again")
	c.retryAt = time.Now().Add(c.backOff)
	o.lengthenBackOff()
	if c.closing {
		o.abandon()
	}
}

// resume continues behind the last frame of the store. A doubtful frame that is there was written, but it
// is not known whether it was synced, and it may have been read: it is written again as it is, for the same
// message may be there twice. One that is not there was never seen by anybody: its drafts wait again, and
// get new places.
func (o *Outbox) resume(ctx context.Context) error {
	c := &o.committer
	last, err := o.readEnd(ctx, o.shelf.end())
	if err != nil {
		return err
	}
	if err := o.continueChain(ctx, o.shelf.snapshot(), isKnown, last); err != nil {
		return err
	}
	var again []*flight
	var entries []*entry
	for _, f := range c.doubtful {
		if last != nil && f.frame.instance == last.instance && f.frame.last <= last.last {
			again = append(again, f)
			continue
		}
		for _, e := range f.entries {
			if !e.settled {
				entries = append(entries, e)
			}
		}
	}
	c.doubtful = again
	o.queue.pushFront(entries)
	if len(again) > 0 && c.rollNext && !o.roll() {
		return fmt.Errorf("write again: %w", *c.short.Load())
	}
	for len(c.doubtful) > 0 {
		f := c.doubtful[0]
		c.doubtful = c.doubtful[1:]
		o.publish(f)
		if c.engine == nil {
			return fmt.Errorf("write again: %w", *c.short.Load())
		}
	}
	return nil
}
