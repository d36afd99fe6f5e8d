package policy

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"sync"
	"time"

	"github.com/rolltrace/rolltrace/schema"
	"github.com/rolltrace/rolltrace/schema/graph"
)

// A Policy asks the rules whenever something has come, and keeps what they find.
type Policy struct {
	cfg Config

	mu    sync.Mutex
	known map[string]graph.Finding // those that are open; nil until they were read
	was   graph.FindingPosition
}

// New returns a Policy that has not begun: it connects to nothing and starts nothing.
func New(cfg Config) (*Policy, error) {
	if err := cfg.complete(); err != nil {
		return nil, err
	}
	return &Policy{cfg: cfg}, nil
}

// How long to wait before trying again, how often to say that it still does not work, and how much of the time
// ClickHouse is left alone: while movements come without a pause, rules are asked a tenth of the time.
const (
	firstWait = 100 * time.Millisecond
	longWait  = 10 * time.Second
	sayAgain  = 30 * time.Second
	restFor   = 9
	longRest  = 20 * time.Second
)

// Run asks the rules whenever the consumer has written something, and now and then, until ctx ends (nil) or going on would
// be wrong (graph.IsPermanent). While ClickHouse or the hub is away it waits and tries again.
func (p *Policy) Run(ctx context.Context) error {
	if p.cfg.Watch == nil {
		return errors.New("policy: want a consumer to watch")
	}
	every := time.NewTicker(p.cfg.Every)
	defer every.Stop()
	var wait time.Duration
	var said time.Time
	for {
		_, changed := p.cfg.Watch()
		began := time.Now()
		err := p.CatchUp(ctx)
		pause := min(restFor*time.Since(began), longRest)
		switch {
		case ctx.Err() != nil:
			return nil
		case graph.IsPermanent(err):
			return fmt.Errorf("ask the rules: %w", err)
		case err == nil:
			wait = 0
		default:
			p.cfg.Metrics.retries.Inc()
			if now := time.Now(); now.Sub(said) > sayAgain {
				said = now
				p.cfg.Log.Warn().Err(err).Msg("rules cannot be asked now, trying again")
			}
			wait = min(max(2*wait, firstWait), longWait)
			pause, changed = wait/2+rand.N(wait)/2, nil
		}
		if !rest(ctx, pause) {
			return nil
		}
		if err != nil {
			continue
		}
		select {
		case <-ctx.Done():
			return nil
		case <-changed:
		case <-every.C:
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

// CatchUp asks the rules about everything that is in the graph now, and returns when what they found is published and noted.
func (p *Policy) CatchUp(ctx context.Context) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.known == nil {
		if err := p.load(ctx); err != nil {
			return err
		}
	}
	began := time.Now()
	result, err := Evaluate(ctx, p.cfg.Graph, p.cfg.Rules, schema.At(p.cfg.Clock()))
	if err != nil || result.Log == "" {
		return err
	}
	is := graph.FindingPosition{Log: result.Log, Position: result.Position, AsOf: result.AsOf, Rules: p.cfg.Rules.Digest(), Registry: result.Registry}
	events := p.compare(result, is)
	if err := p.alert(ctx, events); err != nil {
		return err
	}
	if len(events) > 0 {
		known := p.known
		p.known = nil // until all of it is noted
		if err := p.cfg.Findings.Note(ctx, events); err != nil {
			return err
		}
		p.known = known
		p.apply(events)
	}
	if is.Position != p.was.Position || is.Rules != p.was.Rules || is.Registry != p.was.Registry || len(events) > 0 {
		if err := p.cfg.Findings.Reached(ctx, is); err != nil {
			return err
		}
	}
	p.was = is
	p.count(result, events, time.Since(began))
	return nil
}

func (p *Policy) load(ctx context.Context) error {
	was, err := p.cfg.Findings.Position(ctx)
	if err != nil {
		return err
	}
	open, err := p.cfg.Findings.Open(ctx)
	if err != nil {
		return err
	}
	p.was, p.known = was, make(map[string]graph.Finding, len(open))
	for _, f := range open {
		p.known[f.ID] = f
	}
	return nil
}

// compare is what there is to note: in the order of ids, so that it is the same every time.
func (p *Policy) compare(result *Result, is graph.FindingPosition) []graph.FindingEvent {
	noted := schema.At(p.cfg.Clock())
	var events []graph.FindingEvent
	note := func(f graph.Finding, state, reason string) {
		events = append(events, graph.FindingEvent{Finding: f, NotedAt: noted, State: state, Reason: reason, Position: is.Position, AsOf: is.AsOf})
	}
	found := make(map[string]bool, len(result.Findings))
	for _, f := range result.Findings {
		found[f.ID] = true
		before, had := p.known[f.ID]
		switch {
		case !had:
			note(f, graph.FindingOpen, "found")
		case !reflect.DeepEqual(before, f):
			note(f, graph.FindingOpen, "changed: "+p.cause(is))
		}
	}
	for id, f := range p.known {
		if !found[id] {
			note(f, graph.FindingResolved, "resolved: "+p.cause(is))
		}
	}
	slices.SortFunc(events, func(a, b graph.FindingEvent) int {
		if a.ID < b.ID {
			return -1
		}
		return 1
	})
	return events
}

// cause is why a finding is another one now than before.
func (p *Policy) cause(is graph.FindingPosition) string {
	switch {
	case is.Rules != p.was.Rules:
		return "the rules are others"
	case is.Registry != p.was.Registry:
		return "the registry is another one"
	case is.Position != p.was.Position:
		return fmt.Sprintf("late news, in messages %d to %d of the log", p.was.Position+1, is.Position)
	}
	return "time went on"
}

func (p *Policy) apply(events []graph.FindingEvent) {
	for _, e := range events {
		if e.State == graph.FindingResolved {
			delete(p.known, e.ID)
		} else {
			p.known[e.ID] = e.Finding
		}
	}
}

func (p *Policy) count(r *Result, events []graph.FindingEvent, took time.Duration) {
	m := p.cfg.Metrics
	m.evaluations.Inc()
	m.seconds.Observe(took.Seconds())
	m.position.Set(float64(r.Position))
	m.stopped.Add(float64(len(r.Stopped)))
	for _, e := range events {
		m.events.WithLabelValues(e.Rule, e.State).Inc()
	}
	open := map[string]int{}
	for _, rule := range p.cfg.Rules.All() {
		open[rule.ID] = 0
	}
	for _, f := range p.known {
		open[f.Rule]++
	}
	for rule, n := range open {
		m.open.WithLabelValues(rule).Set(float64(n))
	}
	for _, s := range r.Stopped {
		p.cfg.Log.Warn().Str("rule", s).Msg("a rule was stopped: what it would have found is not known")
	}
	p.cfg.Log.Debug().Uint64("position", r.Position).Int("movements", r.Movements).Int("findings", len(r.Findings)).Int("events", len(events)).
		Int64("took_ms", took.Milliseconds()).Msg("asked the rules")
}
