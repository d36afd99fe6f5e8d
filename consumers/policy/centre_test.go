package policy_test

import (
	"context"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/rs/zerolog"

	"github.com/rolltrace/rolltrace/consumers"
	"github.com/rolltrace/rolltrace/consumers/deadletter"
	"github.com/rolltrace/rolltrace/consumers/lineage"
	"github.com/rolltrace/rolltrace/consumers/numbering"
	"github.com/rolltrace/rolltrace/consumers/policy"
	"github.com/rolltrace/rolltrace/schema"
	"github.com/rolltrace/rolltrace/schema/graph"
	"github.com/rolltrace/rolltrace/schema/schematest"
	"github.com/rolltrace/rolltrace/schema/stream"
	"github.com/rolltrace/rolltrace/schema/wire"
)

// A centre is a hub with a log, a graph, and a consumer at work.
type centre struct {
	js       jetstream.JetStream
	log      stream.Log
	conn     driver.Conn
	graph    *graph.Graph
	consumer *consumers.Consumer
	lineage  *lineage.Lineage
	done     chan struct{}
	clock    time.Time
}

// later is when the rules of these tests are asked: after everything, and a second later each time.
var later = time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)

func newCentre(t testing.TB) *centre {
	t.Helper()
	dsn := schematest.ClickHouse(t)
	if err := graph.Migrate(t.Context(), graph.Options{DSN: dsn}); err != nil {
		t.Fatal(err)
	}
	conn, err := graph.Open(dsn)
	if err != nil {
		t.Fatal(err)
	}
	c := &centre{js: schematest.JetStream(t, schematest.NATS(t)), conn: conn, graph: graph.New(conn, graph.Config{}), done: make(chan struct{}), clock: later}
	if c.log, err = stream.Ensure(t.Context(), c.js, stream.Options{}); err != nil {
		t.Fatal(err)
	}
	reader := graph.NewReader(conn)
	numbers := numbering.New(reader)
	c.consumer, err = consumers.New(consumers.Config{
		JetStream: c.js, Reader: reader, Writer: graph.NewWriter(conn, graph.WriterConfig{}), Numbering: numbers,
		Rejects: deadletter.New(c.js), Log: zerolog.New(zerolog.NewTestWriter(t)).Level(zerolog.WarnLevel),
	})
	if err != nil {
		t.Fatal(err)
	}
	if c.lineage, err = lineage.New(lineage.Config{Graph: graph.NewLineage(conn, graph.WriterConfig{})}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		defer close(c.done)
		if err := c.consumer.Run(ctx); err != nil {
			t.Errorf("the consumer stopped with %v", err)
		}
		numbers.Close()
	}()
	t.Cleanup(func() {
		cancel()
		<-c.done
		_ = conn.Close()
	})
	return c
}

// tick is the centre's clock.
func (c *centre) tick() time.Time {
	c.clock = c.clock.Add(time.Second)
	return c.clock
}

func (c *centre) policy(t testing.TB, rules *policy.Rules) *policy.Policy {
	t.Helper()
	p, err := policy.New(policy.Config{
		Graph: c.graph, Findings: graph.NewFindings(c.conn, graph.WriterConfig{}), Rules: rules, JetStream: c.js, Watch: c.consumer.Watch,
		Clock: c.tick, Log: zerolog.New(zerolog.NewTestWriter(t)).Level(zerolog.WarnLevel),
	})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// publish sends messages as they are, and waits until they and what follows from them are in the graph.
func (c *centre) publish(t testing.TB, messages ...wire.Message) {
	t.Helper()
	last := uint64(0)
	for _, m := range messages {
		ack, err := c.js.PublishMsg(t.Context(), &nats.Msg{Subject: m.Subject, Header: m.Header, Data: m.Body})
		if err != nil {
			t.Fatal(err)
		}
		last = ack.Sequence
	}
	for {
		status, changed := c.consumer.Watch()
		if status.Position >= last {
			break
		}
		select {
		case <-changed:
		case <-c.done:
			t.Fatal("the consumer has stopped")
		}
	}
	if err := c.lineage.CatchUp(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// open are the findings that are kept as open: "rule subject: text".
func (c *centre) open(t testing.TB) []graph.StoredFinding {
	t.Helper()
	all, _, err := c.graph.Findings(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var out []graph.StoredFinding
	for _, f := range all {
		if f.Status != graph.FindingResolved {
			out = append(out, f)
		}
	}
	return out
}

// A scribe seals what the organisations of a story publish.
type scribe struct {
	chains map[string]*wire.Chain
}

func (s *scribe) seal(t testing.TB, org, sidecar string, drafts ...wire.Draft) []wire.Message {
	t.Helper()
	if s.chains == nil {
		s.chains = map[string]*wire.Chain{}
	}
	name := org + "-" + sidecar
	if s.chains[name] == nil {
		chain, err := wire.NewChain(wire.ChainConfig{Signer: schematest.Identity(byte(len(s.chains) + 1)), Org: org, Sidecar: sidecar, Instance: "outbox-" + name, Version: "0.1.0"})
		if err != nil {
			t.Fatal(err)
		}
		s.chains[name] = chain
	}
	var out []wire.Message
	for _, d := range drafts {
		m, err := s.chains[name].Seal(d)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, m)
	}
	return out
}

func day(text string) schema.Time {
	t, err := schema.ParseTime(text)
	if err != nil {
		panic(err)
	}
	return t
}
