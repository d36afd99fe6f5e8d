package lineage

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/rolltrace/rolltrace/consumers"
	"github.com/rolltrace/rolltrace/schema"
	"github.com/rolltrace/rolltrace/schema/graph"
)

// A Lineage derives what follows from the log.
type Lineage struct {
	cfg Config

	mu    sync.Mutex // of what follows: one goroutine derives at a time
	state *state     // of the graph up to position; nil when it has to be read anew
	log   string
	at    uint64

	derived atomic.Uint64 // at, for those who only ask
	failing atomic.Bool
}

// Status is how a Lineage is doing.
type Status struct {
	Derived uint64 // everything that follows from the log up to this sequence is published
	Failing bool   // the last try did not work: it is made again and again
}

// Status is how the Lineage is doing now. It never waits.
func (l *Lineage) Status() Status { return Status{l.derived.Load(), l.failing.Load()} }

// New returns a Lineage that has not begun: it connects to nothing and starts nothing.
func New(cfg Config) (*Lineage, error) {
	if err := cfg.complete(); err != nil {
		return nil, err
	}
	return &Lineage{cfg: cfg}, nil
}

// How long to wait before trying again, and how often to say that it still does not work.
const (
	firstWait = 50 * time.Millisecond
	longWait  = 5 * time.Second
	sayAgain  = 30 * time.Second
	longRest  = time.Second // between looking, at most
)

// Run derives whenever the consumer has written something, until ctx ends (nil) or going on would be wrong
// (graph.IsPermanent). While ClickHouse is away it waits and tries again. What is being derived when ctx ends is
// left, and derived again by the next one.
func (l *Lineage) Run(ctx context.Context) error {
	if l.cfg.Watch == nil {
		return errors.New("lineage: want a consumer to watch")
	}
	sweep := time.NewTicker(l.cfg.SweepEvery)
	defer sweep.Stop()
	var wait time.Duration
	var said time.Time
	for {
		status, changed := l.cfg.Watch()
		began := time.Now()
		err := l.derive(ctx, status)
		l.failing.Store(err != nil && ctx.Err() == nil)
		switch {
		case ctx.Err() != nil:
			return nil
		case graph.IsPermanent(err):
			return fmt.Errorf("derive what follows from the log: %w", err)
		case err == nil:
			if wait > 0 {
				l.cfg.Log.Info().Msg("derivations work again")
			}
			wait, said = 0, time.Time{}
			if !rest(ctx, min(time.Since(began), longRest)) { // half of the time is ClickHouse's
				return nil
			}
		default:
			l.cfg.Metrics.retries.Inc()
			if now := time.Now(); now.Sub(said) > sayAgain {
				said = now
				l.cfg.Log.Warn().Err(err).Msg("derive: does not work now, trying again")
			}
			wait = min(max(2*wait, firstWait), longWait)
		}
		var again <-chan time.Time
		if wait > 0 { // a consumer that writes on is no reason to try more often
			again, changed = time.After(wait/2+rand.N(wait)/2), nil
		}
		select {
		case <-ctx.Done():
			return nil
		case <-changed:
		case <-again:
		case <-sweep.C:
			l.sweep(ctx)
		}
	}
}

// rest waits, and says false when ctx ends.
func rest(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}

// derive does nothing when the consumer has written nothing since.
func (l *Lineage) derive(ctx context.Context, status consumers.Status) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.state != nil && status.Log == l.log && status.Position <= l.at {
		return nil
	}
	return l.catchUp(ctx)
}

// CatchUp derives what follows from everything that is in the graph now, and returns when it is published.
func (l *Lineage) CatchUp(ctx context.Context) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.catchUp(ctx)
}

func (l *Lineage) catchUp(ctx context.Context) error {
	began := time.Now()
	position, err := l.cfg.Graph.Position(ctx)
	if err != nil || position.Log == "" {
		return err
	}
	var missing []*step
	if l.state == nil || position.Log != l.log {
		if missing, err = l.load(ctx, position); err != nil {
			return err
		}
	}
	l.cfg.Metrics.lag.Set(float64(max(position.Written, l.at) - l.at))
	if position.Written <= l.at && len(missing) == 0 {
		return nil
	}
	state := l.state
	l.state = nil // until all of it is published
	c, err := l.look(ctx, state, position.Written, missing)
	if err != nil {
		return err
	}
	if err := l.make(ctx, c, position.Written); err != nil {
		return err
	}
	if err := l.cfg.Graph.Reached(ctx, position.Log, position.Written, schema.At(l.cfg.Clock())); err != nil {
		return err
	}
	l.state, l.at = state, position.Written
	l.derived.Store(l.at)
	l.count(c, time.Since(began))
	return nil
}

// load reads the graph as it was at the position of the derivations, and returns the sets that should be published,
// and are not: those of a kind that an earlier version did not derive.
func (l *Lineage) load(ctx context.Context, position graph.LineagePosition) ([]*step, error) {
	state := newState()
	for o, err := range l.cfg.Graph.Outlines(ctx, 0, position.Derived) {
		if err != nil {
			return nil, err
		}
		state.apply(o)
	}
	published, err := l.cfg.Graph.Published(ctx)
	if err != nil {
		return nil, err
	}
	var missing []*step
	for _, m := range state.movements {
		for _, s := range sets(m) {
			if !published[s.DerivedSet] {
				missing = append(missing, s)
			}
		}
	}
	l.state, l.log, l.at = state, position.Log, position.Derived
	l.derived.Store(l.at)
	return missing, nil
}

// look brings the state to the sequence, and works out what that affects.
func (l *Lineage) look(ctx context.Context, state *state, to uint64, missing []*step) (*cascade, error) {
	var changes []change
	var chunks []uint32
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error {
		for o, err := range l.cfg.Graph.Outlines(ctx, l.at, to) {
			if err != nil {
				return err
			}
			if change, ok := state.apply(o); ok {
				changes = append(changes, change)
			}
		}
		return nil
	})
	group.Go(func() (err error) {
		chunks, err = l.cfg.Graph.Chunked(ctx, l.at, to)
		return err
	})
	if err := group.Wait(); err != nil {
		return nil, err
	}
	changes = append(changes, state.chunks(chunks)...)
	missing = slices.DeleteFunc(missing, func(s *step) bool { return state.movements[s.Movement] != s.of }) // the changes have those
	return plan(changes, missing), nil
}

// make derives the cascade and publishes it.
func (l *Lineage) make(ctx context.Context, c *cascade, to uint64) error {
	if len(c.steps) == 0 {
		return nil
	}
	generation := graph.NewGeneration(to, rand.Uint32N(graph.MaxAttempt+1))
	for _, derivations := range c.statements() {
		if err := l.cfg.Graph.Derive(ctx, generation, derivations); err != nil {
			return err
		}
	}
	return l.cfg.Graph.Publish(ctx, generation, c.sets(), schema.At(l.cfg.Clock()))
}

func (l *Lineage) count(c *cascade, took time.Duration) {
	m := l.cfg.Metrics
	m.position.Set(float64(l.at))
	m.lag.Set(0)
	if len(c.steps) == 0 {
		return
	}
	m.cascades.Inc()
	m.seconds.Observe(took.Seconds())
	for _, s := range c.steps {
		m.sets.WithLabelValues(string(s.Form)).Inc()
	}
	l.cfg.Log.Debug().Uint64("position", l.at).Int("sets", len(c.steps)).Int64("took_ms", took.Milliseconds()).Msg("derived")
}

// sweep removes old generations. That it does not work delays nothing: the next one finds them again.
func (l *Lineage) sweep(ctx context.Context) {
	for {
		n, err := l.cfg.Graph.Sweep(ctx, schema.At(l.cfg.Clock()), l.cfg.Keep)
		if err != nil && ctx.Err() == nil {
			l.cfg.Log.Warn().Err(err).Msg("old generations are still there: will try again")
		}
		l.cfg.Metrics.swept.Add(float64(n))
		if err != nil || n == 0 {
			return
		}
	}
}
