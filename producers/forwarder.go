package producers

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/rs/zerolog"

	"github.com/rolltrace/rolltrace/schema/stream"
)

const (
	leastWindow   = 512 << 10 // bytes in flight on a way that is not known to be fast
	forwardPause  = 100 * time.Millisecond
	forwardPauses = 10 * time.Second // at most
)

// ForwarderConfig is what a Forwarder needs.
type ForwarderConfig struct {
	// Source is the outbox. Required.
	Source Source
	// Conn is the connection to the hub, made with HubOptions. Required. It stays the caller's.
	Conn *nats.Conn
	// Stream is the stream at the hub whose acknowledgement counts. Defaults to that of the log, or of the exercise.
	Stream string
	// Exercise is where messages go instead of into the real log. Defaults to the real log.
	Exercise stream.Exercise
	// MaxMessages and MaxBytes bound what is sent and not acknowledged. The bytes begin at 512 KiB after
	// every fault and grow as acknowledgements come, so that a slow way is not flooded; one message, or
	// one group of small ones, always goes. Default to 4096 messages and 16 MiB.
	MaxMessages int
	MaxBytes    int
	// AckTimeout is how long the hub may take to acknowledge. Defaults to 30 s.
	AckTimeout time.Duration
	// Log gets one line, sampled, for each reason that the hub does not take messages. Defaults to none.
	Log zerolog.Logger
	// Metrics counts what is forwarded. Defaults to metrics that nobody reads.
	Metrics *ForwarderMetrics
}

// A Forwarder brings an outbox's messages to the hub, in order, and lets the outbox give them up when the hub
// has acknowledged them, and no sooner. Whatever the hub says (away, full, no stream, no permission), the
// messages stay and are tried again, for ever. The same message may arrive twice; its Nats-Msg-Id is the
// same each time.
type Forwarder struct {
	cfg     ForwarderConfig
	sampled zerolog.Logger

	// For Run alone.
	alone uint64 // up to this position messages go one by one: the hub may have some of them
	apart bool   // the stream takes no groups

	mu       sync.Mutex
	progress chan struct{} // closed and replaced when messages were removed
}

// NewForwarder checks the configuration and returns the forwarder.
func NewForwarder(cfg ForwarderConfig) (*Forwarder, error) {
	if cfg.Source == nil || cfg.Conn == nil {
		return nil, errors.New("forwarder: want a source and a connection")
	}
	if cfg.Stream == "" {
		cfg.Stream = cfg.Exercise.Log()
	}
	if cfg.MaxMessages == 0 {
		cfg.MaxMessages = 4096
	}
	if cfg.MaxBytes == 0 {
		cfg.MaxBytes = 16 << 20
	}
	if cfg.AckTimeout == 0 {
		cfg.AckTimeout = 30 * time.Second
	}
	if cfg.MaxMessages < 1 || cfg.MaxBytes < 1 || cfg.AckTimeout < 0 {
		return nil, errors.New("forwarder: max messages, max bytes and ack time-out: want more than 0")
	}
	if cfg.Metrics == nil {
		cfg.Metrics = NewForwarderMetrics(nil)
	}
	return &Forwarder{
		cfg: cfg, progress: make(chan struct{}),
		sampled: cfg.Log.Sample(&zerolog.BurstSampler{Burst: 1, Period: 30 * time.Second}),
	}, nil
}

// Run forwards until the context ends (nil) or the outbox is closed (nil).
func (f *Forwarder) Run(ctx context.Context) error {
	status := f.cfg.Conn.StatusChanged(nats.CONNECTED, nats.RECONNECTING, nats.DISCONNECTED, nats.CLOSED)
	defer f.cfg.Conn.RemoveStatusListener(status)
	defer f.cfg.Metrics.Connected.Set(0)
	pause := forwardPause
	for ctx.Err() == nil {
		if err := f.awaitHub(ctx, status); err != nil {
			return err
		}
		f.cfg.Metrics.Connected.Set(1)
		run := &run{Forwarder: f, window: min(leastWindow, f.cfg.MaxBytes)}
		err := run.forward(ctx)
		switch {
		case ctx.Err() != nil, errors.Is(err, ErrClosed):
			return nil
		case errors.Is(err, errGroup):
			f.cfg.Metrics.Retries.WithLabelValues(reasonOf(err)).Inc()
			f.cfg.Log.Debug().Err(err).Msg("hub does not take these messages together: they go one by one")
			continue
		case run.acknowledged > 0:
			pause = forwardPause
		default:
			pause = min(2*pause, forwardPauses)
		}
		reason := reasonOf(err)
		f.cfg.Metrics.Retries.WithLabelValues(reason).Inc()
		f.sampled.Warn().Err(err).Str("reason", reason).Dur("wait_ms", pause).Uint64("waiting", f.cfg.Source.Depth().Messages).
			Msg("hub does not take messages; the outbox keeps them")
		if err := sleep(ctx, pause); err != nil {
			return nil
		}
	}
	return nil
}

// awaitHub returns when there is a connection. The error is for a connection that was closed for good.
func (f *Forwarder) awaitHub(ctx context.Context, status <-chan nats.Status) error {
	for {
		switch f.cfg.Conn.Status() {
		case nats.CONNECTED:
			return nil
		case nats.CLOSED:
			if ctx.Err() != nil {
				return nil
			}
			return fmt.Errorf("forward to hub: %w", nats.ErrConnectionClosed)
		}
		f.cfg.Metrics.Connected.Set(0)
		select {
		case <-status:
		case <-time.After(time.Second): // a status that came before the listener
		case <-ctx.Done():
			return nil
		}
	}
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Drained returns when nothing waits in the outbox, or when the context ends.
func (f *Forwarder) Drained(ctx context.Context) error {
	for {
		f.mu.Lock()
		progress := f.progress
		f.mu.Unlock()
		if f.cfg.Source.Depth().Messages == 0 {
			return nil
		}
		select {
		case <-progress:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// A run is forwarding until something goes wrong.
type run struct {
	*Forwarder
	js           jetstream.JetStream
	window       int  // bytes
	together     bool // groups may go
	waiting      []waiting
	waitingBytes int
	flying       []flight
	messages     int // in flight
	bytes        int // likewise
	sent         uint64
	acknowledged int
}

// forward reads and publishes, and takes acknowledgements in order, until something goes wrong.
func (r *run) forward(ctx context.Context) error {
	js, err := jetstream.New(r.cfg.Conn, jetstream.WithPublishAsyncTimeout(r.cfg.AckTimeout))
	if err != nil {
		return err
	}
	r.js, r.together = js, !r.apart && knowsGroups(r.cfg.Conn.ConnectedServerVersion())
	ctx, cancel := context.WithCancel(ctx)
	batches, failed := make(chan Batch, 1), make(chan error, 1)
	done := make(chan struct{})
	go func() {
		defer close(done)
		r.read(ctx, batches, failed)
	}()
	defer func() {
		cancel()
		<-done
		js.CleanupPublisher()
		r.cfg.Metrics.InFlight.Set(0)
		if len(r.flying) > 0 {
			r.alone = max(r.alone, r.sent)
		}
	}()
	for {
		for n := r.ready(); n > 0; n = r.ready() {
			if err := r.publish(n); err != nil {
				return err
			}
		}
		next := batches
		if len(r.waiting) >= groupMessages || r.waitingBytes >= groupBytes {
			next = nil
		}
		var acked <-chan *jetstream.PubAck
		var refused <-chan error
		if len(r.flying) > 0 {
			acked, refused = r.flying[0].ack.Ok(), r.flying[0].ack.Err()
		}
		select {
		case batch := <-next:
			r.take(batch)
		case ack := <-acked:
			if err := r.landed(ctx, ack); err != nil {
				return err
			}
		case err := <-refused:
			return r.explain(r.refused(err))
		case err := <-failed:
			return err
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		r.cfg.Metrics.InFlight.Set(float64(r.messages))
	}
}

func (r *run) read(ctx context.Context, batches chan<- Batch, failed chan<- error) {
	var after uint64
	for {
		b, err := r.cfg.Source.Read(ctx, after)
		if err != nil {
			failed <- err
			return
		}
		after = b.Position
		select {
		case batches <- b:
		case <-ctx.Done():
			return
		}
	}
}

// landed takes the acknowledgement of the oldest flight.
func (r *run) landed(ctx context.Context, ack *jetstream.PubAck) error {
	one := r.flying[0]
	r.flying[0] = flight{}
	r.flying = r.flying[1:]
	if ack.Stream != r.cfg.Stream {
		return fmt.Errorf("message went to stream %q: want %q to be the only one with its subject", ack.Stream, r.cfg.Stream)
	}
	r.messages -= one.messages
	r.bytes -= one.bytes
	r.window = min(r.window+one.bytes, r.cfg.MaxBytes)
	r.acknowledged += one.messages
	r.cfg.Metrics.Forwarded.Add(float64(one.messages))
	r.cfg.Metrics.Bytes.Add(float64(one.bytes))
	if ack.Duplicate {
		r.cfg.Metrics.Duplicates.Inc()
	}
	if one.end == 0 {
		return nil
	}
	if err := r.cfg.Source.Remove(ctx, one.end); err != nil {
		return err
	}
	r.mu.Lock()
	close(r.progress)
	r.progress = make(chan struct{})
	r.mu.Unlock()
	return nil
}

// explain adds what the connection was told last: a message without permission is just not acknowledged.
func (r *run) explain(err error) error {
	if last := r.cfg.Conn.LastError(); last != nil && errors.Is(err, jetstream.ErrAsyncPublishTimeout) {
		return fmt.Errorf("%w (the hub said: %w)", err, last)
	}
	return err
}

// reasonOf sorts errors for the metric.
func reasonOf(err error) string {
	var api *jetstream.APIError
	switch {
	case errors.Is(err, errGroup):
		return "group"
	case errors.Is(err, jetstream.ErrNoStreamResponse):
		return "no_stream"
	case errors.As(err, &api), errors.Is(err, nats.ErrPermissionViolation), errors.Is(err, nats.ErrMaxPayload):
		return "refused"
	case errors.Is(err, jetstream.ErrAsyncPublishTimeout):
		return "silent"
	case errors.Is(err, nats.ErrDisconnected), errors.Is(err, nats.ErrConnectionClosed),
		errors.Is(err, nats.ErrReconnectBufExceeded), errors.Is(err, nats.ErrConnectionReconnecting):
		return "away"
	}
	return "other"
}
