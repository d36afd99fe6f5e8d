package lineage_test

import (
	"context"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/rolltrace/rolltrace/consumers/lineage"
	"github.com/rolltrace/rolltrace/schema"
	"github.com/rolltrace/rolltrace/schema/graph"
	"github.com/rolltrace/rolltrace/schema/schematest"
	"github.com/rolltrace/rolltrace/schema/wire"
)

// catchUp derives everything, as a lineage that has just started.
func (c *centre) catchUp(t testing.TB, change func(*lineage.Config)) {
	t.Helper()
	if err := c.lineage(t, change).CatchUp(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// publishAll publishes samples and waits until the consumer has written them.
func (c *centre) publishAll(t testing.TB, r *running, chains map[string]*wire.Chain, samples ...schematest.Sample) {
	t.Helper()
	for _, s := range samples {
		for _, d := range s.Drafts() {
			c.publish(t, chains, s.Movement.Producer.Org, d)
		}
	}
	c.reads(t, r)
}

func (c *centre) count(t testing.TB, query string) (n uint64) {
	t.Helper()
	if err := c.conn.QueryRow(t.Context(), query).Scan(&n); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return n
}

// Old generations go, when they have not counted for long enough, and no answer changes.
func TestSweep(t *testing.T) {
	c := newCentre(t)
	r := c.consume(t)
	g := graph.New(c.conn, graph.Config{})
	chains := map[string]*wire.Chain{}
	c.publishAll(t, r, chains, chain()...)
	c.catchUp(t, nil)
	c.publishAll(t, r, chains, late(0))
	c.catchUp(t, nil)
	is(t, g, 1)
	const generations = "SELECT uniqExact(generation) FROM derived"
	if n := c.count(t, generations); n != 2 {
		t.Fatalf("there are %d generations, want 2", n)
	}
	store, now := graph.NewLineage(c.conn, graph.WriterConfig{}), schema.At(time.Now())
	if n, err := store.Sweep(t.Context(), now, time.Hour); n != 0 || err != nil {
		t.Fatalf("%d sets were removed (%v) that a question may still read", n, err)
	}
	if n, err := store.Sweep(t.Context(), schema.At(now.Add(2*time.Hour)), time.Hour); n == 0 || err != nil {
		t.Fatalf("%d sets were removed (%v)", n, err)
	}
	if n := c.count(t, generations) + c.count(t, "SELECT uniqExact(generation) FROM derived_by_bucket"); n != 2 {
		t.Errorf("there are still %d generations in two tables", n)
	}
	is(t, g, 1)
	if n, err := store.Sweep(t.Context(), schema.At(now.Add(2*time.Hour)), time.Hour); n != 0 || err != nil {
		t.Fatalf("%d sets were removed once more (%v)", n, err)
	}
}

// What comes a second time, or changes nothing that electors follow from, is not derived again.
func TestTheSameAgain(t *testing.T) {
	c := newCentre(t)
	r := c.consume(t)
	chains := map[string]*wire.Chain{}
	c.publishAll(t, r, chains, chain()...)
	c.catchUp(t, nil)
	samples := chain()
	for _, s := range samples {
		s.Movement.Purpose, s.Movement.Revision = "another", 2
	}
	c.publishAll(t, r, chains, append(samples, chain()...)...)
	c.catchUp(t, nil)
	if n := c.count(t, "SELECT uniqExact(generation) FROM derived_head"); n != 1 || c.left(t) != 0 {
		t.Errorf("%d generations were published, %d messages are left", n, c.left(t))
	}
}

// A graph that was made before anything was derived, or that has lost what was: all of it is derived at the start.
func TestMissingSetsAreDerivedAtTheStart(t *testing.T) {
	c := newCentre(t)
	r := c.consume(t)
	g := graph.New(c.conn, graph.Config{})
	c.publishAll(t, r, map[string]*wire.Chain{}, chain()...)
	c.catchUp(t, nil)
	for _, table := range []string{"derived", "derived_by_bucket", "derived_head"} {
		if err := c.conn.Exec(t.Context(), "TRUNCATE TABLE "+table); err != nil {
			t.Fatal(err)
		}
	}
	c.catchUp(t, nil)
	is(t, g, 0)
}

// An answer says how many messages nothing was derived from yet; Run follows the consumer, and counts.
func TestRun(t *testing.T) {
	c := newCentre(t)
	r := c.consume(t)
	g := graph.New(c.conn, graph.Config{})
	chains := map[string]*wire.Chain{}
	underived := func() uint64 {
		a, err := g.Electors(t.Context(), graph.ElectorsQuestion{At: "acme-mail"})
		if err != nil {
			t.Fatal(err)
		}
		for _, note := range a.Notes {
			if note.Code == graph.CodeUnderived {
				return note.Count
			}
		}
		return 0
	}
	c.publishAll(t, r, chains, chain()...)
	if have, want := underived(), c.left(t); have != want || want == 0 {
		t.Errorf("%d messages are said to wait for derivation, want %d", have, want)
	}
	registry := prometheus.NewRegistry()
	l := c.lineage(t, func(cfg *lineage.Config) { cfg.Watch, cfg.Metrics = r.Watch, lineage.NewMetrics(registry) })
	derives := start(t, r.Consumer, func(ctx context.Context) error { return l.Run(ctx) })
	c.derives(t)
	c.publishAll(t, r, chains, late(0))
	c.derives(t)
	is(t, g, 1)
	if n := underived(); n != 0 {
		t.Errorf("%d messages are said to wait for derivation", n)
	}
	derives.stop(t)
	for name, want := range map[string]float64{"cascades_total": 2, "lag_messages": 0, "retries_total": 0, "position": float64(r.Status().Position)} {
		have, err := testutil.GatherAndCount(registry, "rolltrace_lineage_"+name)
		if err != nil || have != 1 {
			t.Fatalf("%s: %d, %v", name, have, err)
		}
		families, _ := registry.Gather()
		for _, family := range families {
			if m := family.GetMetric(); family.GetName() == "rolltrace_lineage_"+name {
				if value := m[0].GetCounter().GetValue() + m[0].GetGauge().GetValue(); value != want && name != "cascades_total" || value < 1 && want > 0 {
					t.Errorf("%s is %v, want %v", name, value, want)
				}
			}
		}
	}
}
