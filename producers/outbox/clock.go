package outbox

import (
	"sync/atomic"
	"time"

	"github.com/rolltrace/rolltrace/schema"
)

// A clock gives times in whole microseconds, each later than the one before. Its latest time travels in
// every frame and in the head, so that it holds across restarts. When the machine's clock is set back it
// goes on by microseconds until the time of day has caught up.
type clock struct{ latest atomic.Int64 }

func (c *clock) next() schema.Time {
	for {
		latest := c.latest.Load()
		now := max(time.Now().UnixMicro(), latest+1)
		if c.latest.CompareAndSwap(latest, now) {
			return schema.At(time.UnixMicro(now))
		}
	}
}

// atLeast moves the clock on to a time that was given before.
func (c *clock) atLeast(us int64) {
	for {
		latest := c.latest.Load()
		if latest >= us || c.latest.CompareAndSwap(latest, us) {
			return
		}
	}
}
