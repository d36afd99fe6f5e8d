package lineage

import (
	"cmp"
	"errors"
	"time"

	"github.com/rs/zerolog"

	"github.com/rolltrace/rolltrace/consumers"
	"github.com/rolltrace/rolltrace/schema/graph"
)

// Config is what a Lineage is made of.
type Config struct {
	// Graph is where the sets are. Required.
	Graph *graph.Lineage
	// Watch says when the consumer has written something: consumers.Consumer.Watch. Run requires it.
	Watch func() (consumers.Status, <-chan struct{})

	// Keep is how long a generation stays after a newer one counts: longer than a question takes. Defaults to 15
	// minutes.
	Keep time.Duration
	// SweepEvery is how often old generations are removed. Defaults to 5 minutes.
	SweepEvery time.Duration

	// Clock is what published_at and written_at are read from; no set depends on it. Defaults to time.Now.
	Clock func() time.Time
	// Metrics counts what happens. Defaults to metrics that nobody sees.
	Metrics *Metrics
	// Log gets faults that last, and, as debug, every cascade.
	Log zerolog.Logger
}

func (c *Config) complete() error {
	if c.Graph == nil {
		return errors.New("lineage: want a graph")
	}
	c.Keep = cmp.Or(c.Keep, 15*time.Minute)
	c.SweepEvery = cmp.Or(c.SweepEvery, 5*time.Minute)
	if c.Clock == nil {
		c.Clock = time.Now
	}
	if c.Metrics == nil {
		c.Metrics = NewMetrics(nil)
	}
	return nil
}
