package lineage_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"sync"
	"testing"
	"time"

	"github.com/rolltrace/rolltrace/schema"
	"github.com/rolltrace/rolltrace/schema/graph"
	"github.com/rolltrace/rolltrace/schema/schematest"
	"github.com/rolltrace/rolltrace/schema/wire"
)

// hops is how many places of acme-mail everything is passed on along; at each one elector is destroyed on the way, so
// that each hop waits for the one before it.
const hops = 12

func hop(i int) schema.Place { return schema.Place(fmt.Sprintf("acme-mail/hops/%02d", i)) }

// chain is electors collected at the party, and then passed on whole, hop by hop.
func chain() []schematest.Sample {
	declared := func(n int, kind schema.Kind, from, to schema.Place) schematest.Sample {
		s := schematest.NewSample(n, kind)
		s.Movement.Basis, s.Movement.Revision = schema.Declared, 1
		s.Movement.Inputs, s.Movement.Output = []schema.Input{{Place: from}}, to
		s.Movement.Producer.Org = s.Movement.Owner()
		return s
	}
	samples := []schematest.Sample{declared(10, schema.Collect, schematest.Authority, schematest.Voters).List(schema.ElectorID, schematest.KeyID, schematest.Keys(0, 100), 100)}
	from := schematest.Voters
	for i := range hops {
		samples = append(samples,
			declared(20+2*i, schema.Export, from, hop(i)),
			declared(21+2*i, schema.Destroy, hop(i), "").List(schema.ElectorID, schematest.KeyID, schematest.Keys(i, 1), 1))
		from = hop(i)
	}
	return samples
}

// late is the n-th movement that arrives late: further electors had come to the party before anything was passed on.
func late(n int) schematest.Sample {
	s := schematest.NewSample(1000+n, schema.Collect)
	s.Movement.OccurredAt = schema.At(schematest.Began.Add(time.Duration(n) * time.Second))
	s.Movement.Basis, s.Movement.Revision = schema.Declared, 1
	return s.List(schema.ElectorID, schematest.KeyID, schematest.Keys(1000+10*n, 10), 10)
}

// answer is what the hops hold, or reached, place by place.
func answer(t testing.TB, g *graph.Graph, what string) string {
	t.Helper()
	a, err := g.Electors(t.Context(), graph.ElectorsQuestion{At: "acme-mail", What: what})
	if err != nil {
		t.Error(err)
		return ""
	}
	text, err := json.Marshal(a.Places)
	if err != nil {
		t.Error(err)
	}
	return string(text)
}

// wanted is the same, worked out by hand, after n movements have arrived late.
func wanted(n int, what string) string {
	var places []graph.PlaceCount
	for i := range hops {
		electors := 100 + 10*n - i // what was destroyed at the hops before did not come here
		if what == graph.Holding {
			electors--
		}
		places = append(places, graph.PlaceCount{Org: "acme-mail", Place: hop(i),
			Electors: []graph.Count{{IDSpace: schema.ElectorID, KeyID: schematest.KeyID, Electors: uint64(electors)}}})
	}
	text, _ := json.Marshal(places)
	return string(text)
}

// is fails the test unless the answers are those after n late movements.
func is(t testing.TB, g *graph.Graph, n int) {
	t.Helper()
	for _, what := range []string{graph.Holding, graph.Reached} {
		if have, want := answer(t, g, what), wanted(n, what); have != want {
			t.Errorf("%s after %d late movements: have\n%s\nwant\n%s", what, n, have, want)
		}
	}
}

// follow asks until ctx ends: it gets the answer of some moment, the same for every hop, and never an older one than
// before. It returns how many different ones it saw.
func follow(ctx context.Context, t testing.TB, g *graph.Graph, what string, news int) int {
	answers := map[string]int{}
	for n := range news + 1 {
		answers[wanted(n, what)] = n
	}
	seen, last := map[int]bool{}, 0
	for ctx.Err() == nil {
		text := answer(t, g, what)
		n, ok := answers[text]
		if !ok || n < last {
			t.Errorf("%s: after the answer of %d late movements a reader has\n%s", what, last, text)
			break
		}
		last = n
		seen[n] = true
	}
	return len(seen)
}

// deriving is a consumer with its lineage, as a process of its own.
func (c *centre) deriving(t testing.TB) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childHub+"="+c.hub.URL(), childGraph+"="+c.dsn)
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return cmd
}

func kill(t testing.TB, cmd *exec.Cmd) {
	t.Helper()
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // it says that it was killed
}

// derives waits until what follows from the whole log is published.
func (c *centre) derives(t testing.TB) {
	t.Helper()
	for c.left(t) > 0 {
		if t.Failed() {
			t.FailNow()
		}
	}
}

// left is how many messages of the log are not derived from yet.
func (c *centre) left(t testing.TB) uint64 {
	t.Helper()
	info, err := c.log.Stream.Info(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	position, err := graph.NewLineage(c.conn, graph.WriterConfig{}).Position(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return info.State.LastSeq - position.Derived
}

// unpublished is how many sets are derived in a generation that does not count yet.
func (c *centre) unpublished(t testing.TB) uint64 {
	t.Helper()
	var n uint64
	err := c.conn.QueryRow(t.Context(), `SELECT uniqExact((movement, form)) FROM derived
		WHERE intDiv(generation, 1048576) > (SELECT intDiv(max(generation), 1048576) FROM derived_head)`).Scan(&n)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// kill -9 of the consumer in the middle of cascades, again and again, while news comes that changes what every hop
// held. Whoever asks gets the answer before or after, and in the end the one of the whole log, whoever worked it out.
func TestKilledInACascade(t *testing.T) {
	c := newCentre(t)
	chains := map[string]*wire.Chain{}
	publish := func(s schematest.Sample) {
		for _, d := range s.Drafts() {
			c.publish(t, chains, s.Movement.Producer.Org, d)
		}
	}
	g := graph.New(open(t, c.dsn), graph.Config{})
	for _, s := range chain() {
		publish(s)
	}
	cmd := c.deriving(t)
	c.derives(t)
	is(t, g, 0)
	kill(t, cmd)

	const news = 4
	ctx, stop := context.WithCancel(t.Context())
	var readers sync.WaitGroup
	for _, what := range []string{graph.Holding, graph.Reached} {
		readers.Go(func() {
			if n := follow(ctx, t, g, what, news); n < 2 {
				t.Errorf("%s: a reader saw no change", what)
			}
		})
	}
	inTheMiddle := 0
	for n := range news {
		publish(late(n))
		cmd := c.deriving(t)
		for c.unpublished(t) <= uint64(n) && c.left(t) > 0 && !t.Failed() {
		}
		kill(t, cmd)
		if c.left(t) > 0 {
			inTheMiddle++
		}
	}
	if inTheMiddle == 0 {
		t.Error("no consumer was killed in the middle")
	}
	cmd = c.deriving(t)
	c.derives(t)
	is(t, g, news)
	kill(t, cmd)
	stop()
	readers.Wait()
}

// Two at once, each with its own idea of how far the other is, while news comes.
func TestTwoLineagesAtOnce(t *testing.T) {
	c := newCentre(t)
	chains := map[string]*wire.Chain{}
	publish := func(s schematest.Sample) {
		for _, d := range s.Drafts() {
			c.publish(t, chains, s.Movement.Producer.Org, d)
		}
	}
	first, second := c.deriving(t), c.deriving(t)
	for _, s := range chain() {
		publish(s)
	}
	g := graph.New(open(t, c.dsn), graph.Config{})
	c.derives(t)
	is(t, g, 0)
	const news = 4
	for n := range news {
		publish(late(n))
		third := c.deriving(t)
		c.derives(t)
		is(t, g, n+1)
		kill(t, third)
	}
	kill(t, first)
	is(t, g, news)
	kill(t, second)
}
