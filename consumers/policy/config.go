package policy

import (
	"cmp"
	"errors"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/rs/zerolog"

	"github.com/rolltrace/rolltrace/consumers"
	"github.com/rolltrace/rolltrace/schema/graph"
	"github.com/rolltrace/rolltrace/schema/stream"
)

// Config is what a Policy is made of.
type Config struct {
	// Graph is what the rules ask, and Findings where what they find is kept. Required.
	Graph    *graph.Graph
	Findings *graph.Findings
	// Rules are asked. Required.
	Rules *Rules
	// JetStream is the hub that alerts are published to. Required.
	JetStream jetstream.JetStream
	// Exercise is whose findings these are: they are published there. Defaults to real ones.
	Exercise stream.Exercise
	// Watch says when the consumer has written something: consumers.Consumer.Watch. Run requires it.
	Watch func() (consumers.Status, <-chan struct{})

	// Every is how often the rules are asked although nothing came: time alone makes things overdue, and sidecars silent. Defaults to
	// a minute.
	Every time.Duration

	// Clock is the time that the rules are asked about. Defaults to time.Now.
	Clock func() time.Time
	// Metrics counts what happens. Defaults to metrics that nobody sees.
	Metrics *Metrics
	// Log gets rules that were stopped, faults that last, and, as debug, every evaluation.
	Log zerolog.Logger
}

func (c *Config) complete() error {
	switch {
	case c.Graph == nil:
		return errors.New("policy: want a graph")
	case c.Findings == nil:
		return errors.New("policy: want a place for findings")
	case c.Rules == nil:
		return errors.New("policy: want rules")
	case c.JetStream == nil:
		return errors.New("policy: want a hub")
	}
	c.Every = cmp.Or(c.Every, time.Minute)
	if c.Clock == nil {
		c.Clock = time.Now
	}
	if c.Metrics == nil {
		c.Metrics = NewMetrics(nil)
	}
	return nil
}
