package outbox

import (
	"context"
	"time"
)

const (
	purgeBytes = 16 << 20 // of forwarded frames are given up together
	purgeAfter = 2 * time.Second
)

// purging is what the committer knows of giving up what the hub has acknowledged.
type purging struct {
	position uint64 // everything before it was given up
	total    uint64
	at       time.Time
	due      bool // room is needed, so as soon as there is something
}

// tendPurge gives up forwarded frames, many at a time: each time costs about two syncs.
func (o *Outbox) tendPurge(now time.Time) {
	c := &o.committer
	if c.engine == nil || len(c.doubtful) > 0 {
		return
	}
	h := o.shelf.snapshot()
	waiting := h.Hub.Total - min(h.Hub.Total, c.purge.total)
	if h.Hub.Position <= c.purge.position || waiting == 0 {
		return
	}
	if waiting < purgeBytes && now.Sub(c.purge.at) < purgeAfter && !c.purge.due {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), requestTimeout)
	defer cancel()
	if err := o.purgeForwarded(ctx); err != nil {
		o.fault(err)
	}
}

// purgeForwarded gives up everything that the hub has acknowledged, but for the last frame. How far that is
// has to be on the disk before, or a hole would be seen where there is none.
func (o *Outbox) purgeForwarded(ctx context.Context) error {
	c := &o.committer
	h := o.shelf.snapshot()
	before := min(h.Hub.Position+1, o.shelf.lastPosition())
	c.purge.due = false
	if before <= c.purge.position+1 {
		return nil
	}
	o.syncHead(time.Now())
	if err := c.engine.purge(ctx, before); err != nil {
		return err
	}
	state, err := c.engine.state(ctx)
	if err != nil {
		return err
	}
	c.used = int64(state.Bytes)
	c.purge.position, c.purge.total, c.purge.at = before-1, h.Hub.Total, time.Now()
	return nil
}
