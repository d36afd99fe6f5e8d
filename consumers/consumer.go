package consumers

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"golang.org/x/sync/errgroup"
	"golang.org/x/sync/semaphore"

	"github.com/rolltrace/rolltrace/schema/stream"
)

// A Consumer brings the log into the graph. Its Status, Healthz and Readyz are safe for concurrent use, and may be
// called before Run.
type Consumer struct {
	cfg     Config
	state   *state
	trusted trusted
}

// New returns a Consumer that has not begun: it connects to nothing and starts nothing.
func New(cfg Config) (*Consumer, error) {
	if err := cfg.complete(); err != nil {
		return nil, err
	}
	return &Consumer{cfg: cfg, state: newState()}, nil
}

// Run reads the log from the position in the graph on, and writes, until ctx ends (then what was read is written,
// if that works within Config.StopTimeout, and the result is nil) or until going on would be wrong: IsPermanent
// tells those errors, each one line that says what to do. While the hub or ClickHouse is away it waits and tries
// again. It is called once.
func (c *Consumer) Run(ctx context.Context) error {
	defer c.state.doing("stopped")
	t, err := c.begin(ctx)
	if err == nil {
		c.state.doing("reading")
		c.cfg.Log.Info().Str("log", t.id).Uint64("position", t.next-1).Uint64("electors", c.cfg.Numbering.Known()).Msg("reading the log")
		err = c.follow(ctx, t)
	}
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		err = nil
	}
	if errors.Is(err, nats.ErrConnectionClosed) {
		err = fmt.Errorf("the connection to the hub was closed for good: are the credentials still right? (%w)", err)
	}
	return err
}

// begin finds out where to read on, and loads the numbers that were given up to there.
func (c *Consumer) begin(ctx context.Context) (*tail, error) {
	t := &tail{
		js: c.cfg.JetStream, name: c.cfg.Streams.Exercise.Log(), acceptLost: c.cfg.AcceptLost, retry: c.retry(ofHub),
		room: semaphore.NewWeighted(int64(c.cfg.IntakeBytes)), roomBytes: int64(c.cfg.IntakeBytes),
	}
	var log string // of the position in the graph
	var position uint64
	toGraph := c.retry(ofGraph)
	err := toGraph.until(ctx, "read the position", func(ctx context.Context) error {
		positions, err := c.cfg.Reader.Positions(ctx)
		if err != nil {
			return err
		}
		if len(positions) > 1 {
			return fmt.Errorf("%w: the database has positions of %d logs: point the consumer at an empty database", ErrOtherLog, len(positions))
		}
		for _, p := range positions {
			log, position = p.Log, p.Sequence
			t.received, err = c.cfg.Reader.ReceivedAt(ctx, p.Sequence)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	t.id, t.next = log, position+1
	toHub := c.retry(ofHub)
	err = toHub.until(ctx, "open the log", func(ctx context.Context) error {
		if !t.js.Conn().IsConnected() {
			return nats.ErrDisconnected // and what the connection says of the hub is not known
		}
		if log == "" {
			made, err := stream.Ensure(ctx, c.cfg.JetStream, c.cfg.Streams)
			t.id = made.ID
			return err
		}
		if err := t.check(ctx); err != nil {
			return err
		}
		_, err := stream.OpenExercise(ctx, c.cfg.JetStream, c.cfg.Streams.Exercise)
		return err
	})
	if err != nil {
		return nil, err
	}
	c.state.update(func(s *Status) {
		s.Log, s.Position, s.Received, s.Doing = t.id, position, t.received, "loading"
		s.Last = max(position, t.last.Load())
	})
	err = toGraph.until(ctx, "load the numbers", func(ctx context.Context) error {
		if err := c.trusted.load(ctx, &c.cfg, position); err != nil {
			return err
		}
		return c.cfg.Numbering.Load(ctx, position)
	})
	c.cfg.Metrics.known.Set(float64(c.cfg.Numbering.Known()))
	return t, err
}

// follow runs the parts: tail → decoding → collector → flusher. Each ends when the one before it has, so that
// what was read is written; the first error ends them all.
func (c *Consumer) follow(ctx context.Context, t *tail) error {
	// The parts behind the tail go on for a while after ctx has ended.
	work, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	defer context.AfterFunc(ctx, func() { time.AfterFunc(c.cfg.StopTimeout, cancel) })()
	group, work := errgroup.WithContext(work)
	intake, stop := context.WithCancel(work)
	defer context.AfterFunc(ctx, stop)()

	ask := func() progress { return c.progress(t) }
	c.cfg.Metrics.progress.Store(&ask)

	entries := make(chan *entry, pullMessages)
	checked := make(chan *decoded, pullMessages)
	batches := make(chan *batch) // without room: a batch grows until the one before it is written
	spare := make(chan *batch, 1)
	took := new(atomic.Int64)

	group.Go(func() error {
		defer close(entries)
		return ended(intake, t.run(intake, entries))
	})
	group.Go(func() error {
		return c.watch(intake, t)
	})
	d := &decoding{decoders: c.cfg.Decoders}
	group.Go(func() error {
		d.run(work, entries, checked)
		return nil
	})
	group.Go(func() error {
		return (&collector{
			log: t.id, numbering: c.cfg.Numbering, trusted: &c.trusted, limit: c.cfg.BatchBytes, linger: c.cfg.Linger, took: took, metrics: c.cfg.Metrics, spare: spare,
			release: func(m *decoded) {
				d.release(m)
				t.room.Release(min(m.size(), t.roomBytes))
			},
		}).run(work, checked, batches)
	})
	group.Go(func() error {
		defer stop() // nobody writes any more
		return (&flusher{
			cfg: &c.cfg, tail: t, spare: spare, state: c.state, took: took, stopping: ctx,
			toHub: c.retry(ofHub), toGraph: c.retry(ofGraph), toDead: c.retry(ofRejects),
		}).run(work, batches)
	})
	return group.Wait()
}

// ended is nil when err is only that ctx was ended.
func ended(ctx context.Context, err error) error {
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

// retry tries again, and counts and shows that it has to.
func (c *Consumer) retry(of string) retry {
	return retry{
		log:     c.cfg.Log.With().Str("of", of).Logger(),
		failed:  func(error) { c.cfg.Metrics.retries.WithLabelValues(of).Inc() },
		healthy: func(ok bool) { c.state.healthy(of, ok) },
	}
}

// watch looks at the log now and then: for the metrics, and to notice that nothing comes any more because the log
// is gone.
func (c *Consumer) watch(ctx context.Context, t *tail) error {
	ticker := time.NewTicker(checkInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
		if _, err := t.open(ctx); IsPermanent(err) {
			return err
		}
		c.state.sawLast(t.last.Load())
	}
}

// progress is for the metrics.
func (c *Consumer) progress(t *tail) progress {
	status := c.Status()
	p := progress{position: status.Position, last: max(t.last.Load(), status.Position), reconnects: t.js.Conn().Stats().Reconnects}
	if p.last > p.position && !status.Received.IsZero() {
		p.lag = max(c.cfg.Clock().Sub(status.Received.Time), 0)
	}
	return p
}
