package producers

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/rs/zerolog"

	"github.com/rolltrace/rolltrace/schema"
	"github.com/rolltrace/rolltrace/schema/stream"
	"github.com/rolltrace/rolltrace/schema/wire"
)

// DefaultHeartbeatInterval is how often a sidecar says that it is alive.
const DefaultHeartbeatInterval = 10 * time.Second

// HeartbeatConfig is what Heartbeats need.
type HeartbeatConfig struct {
	// Outbox takes the heartbeats. Required.
	Outbox Outbox
	// Interval between two. From 1 ms to 49 days. Defaults to 10 s.
	Interval time.Duration
	// Places that the sidecar covers; at most wire.MaxPlaces.
	Places []schema.Place
	// Config is the digest of the sidecar's configuration, "sha256:…", or "".
	Config string
	// Hub is asked for its time, so that the heartbeat can say by how much the sidecar's clock is off; a
	// user without permission to ask leaves that unknown. Defaults to not asking.
	Hub *nats.Conn
	// Log gets what keeps a heartbeat from being recorded, sampled. Defaults to none.
	Log zerolog.Logger
	// Metrics counts heartbeats. Defaults to metrics that nobody reads.
	Metrics *ForwarderMetrics
}

// Heartbeats say at an interval that the sidecar is alive, what it covers and how far it has got. They go
// through the outbox, because every message has its place in the chain, and so the hub sees by the next
// heartbeat if one before was lost. But at most one waits there: while the hub is away no more are
// recorded, and the first interval after it is back brings a fresh one.
type Heartbeats struct {
	cfg     HeartbeatConfig
	sampled zerolog.Logger
	mute    bool // the hub does not tell its time
}

// NewHeartbeats checks the configuration.
func NewHeartbeats(cfg HeartbeatConfig) (*Heartbeats, error) {
	if cfg.Outbox == nil {
		return nil, errors.New("heartbeats: want an outbox")
	}
	if cfg.Interval == 0 {
		cfg.Interval = DefaultHeartbeatInterval
	}
	if cfg.Interval < time.Millisecond || cfg.Interval > 49*24*time.Hour {
		return nil, fmt.Errorf("heartbeats: interval: %s: want 1 ms to 49 days", cfg.Interval)
	}
	if cfg.Metrics == nil {
		cfg.Metrics = NewForwarderMetrics(nil)
	}
	probe := wire.Heartbeat{At: schema.At(time.Now()), Interval: 1, Places: cfg.Places, Config: cfg.Config}
	if err := (wire.Draft{Heartbeat: &probe}).Validate(); err != nil {
		return nil, fmt.Errorf("heartbeats: %w", err)
	}
	return &Heartbeats{cfg: cfg, sampled: cfg.Log.Sample(&zerolog.BurstSampler{Burst: 1, Period: time.Minute})}, nil
}

// Run records a heartbeat at once and then one each interval, until the context ends or the outbox is
// closed. It returns nil.
func (h *Heartbeats) Run(ctx context.Context) error {
	tick := time.NewTicker(h.cfg.Interval)
	defer tick.Stop()
	for {
		err := h.beat(ctx)
		switch {
		case ctx.Err() != nil, errors.Is(err, ErrClosed):
			return nil
		case err != nil:
			h.sampled.Warn().Err(err).Msg("heartbeat is not recorded")
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
}

func (h *Heartbeats) beat(ctx context.Context) error {
	now, err := h.cfg.Outbox.Now(ctx)
	if err != nil {
		return err
	}
	beat := &wire.Heartbeat{
		At: now, Interval: uint32(h.cfg.Interval / time.Millisecond), Places: h.cfg.Places, Config: h.cfg.Config,
	}
	beat.ClockOffset, beat.ClockKnown = h.offset(ctx)
	receipt, err := h.cfg.Outbox.Append(ctx, wire.Draft{Heartbeat: beat})
	if err != nil {
		return err
	}
	if err := receipt.Wait(ctx); err != nil {
		return err
	}
	h.cfg.Metrics.Heartbeats.Inc()
	return nil
}

// offset is the sidecar's clock less the hub's, in microseconds.
func (h *Heartbeats) offset(ctx context.Context) (us int64, known bool) {
	if h.cfg.Hub == nil || h.mute || !h.cfg.Hub.IsConnected() {
		return 0, false
	}
	js, err := jetstream.New(h.cfg.Hub)
	if err != nil {
		return 0, false
	}
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	sent := time.Now()
	s, err := js.Stream(ctx, stream.Name)
	if err != nil || s.CachedInfo().TimeStamp.IsZero() {
		h.mute = h.cfg.Hub.IsConnected() // asking again and again would only fill the hub's log
		return 0, false
	}
	way := time.Since(sent) / 2
	now, err := h.cfg.Outbox.Now(ctx)
	if err != nil {
		return 0, false
	}
	return now.Sub(s.CachedInfo().TimeStamp.Add(way)).Microseconds(), true
}
