package lineage_test

import (
	"context"
	"slices"
	"testing"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/rs/zerolog"

	"github.com/rolltrace/rolltrace/consumers"
	"github.com/rolltrace/rolltrace/consumers/deadletter"
	"github.com/rolltrace/rolltrace/consumers/lineage"
	"github.com/rolltrace/rolltrace/consumers/numbering"
	"github.com/rolltrace/rolltrace/deploy/embedded"
	"github.com/rolltrace/rolltrace/schema"
	"github.com/rolltrace/rolltrace/schema/graph"
	"github.com/rolltrace/rolltrace/schema/schematest"
	"github.com/rolltrace/rolltrace/schema/stream"
	"github.com/rolltrace/rolltrace/schema/wire"
)

// A centre is a hub with a log, and a graph.
type centre struct {
	hub  *embedded.NATS
	js   jetstream.JetStream
	log  stream.Log
	dsn  string
	conn driver.Conn
}

func newCentre(t testing.TB) *centre {
	t.Helper()
	c := &centre{hub: schematest.NATS(t), dsn: schematest.ClickHouse(t)}
	c.js = schematest.JetStream(t, c.hub)
	if err := graph.Migrate(t.Context(), graph.Options{DSN: c.dsn}); err != nil {
		t.Fatal(err)
	}
	var err error
	if c.log, err = stream.Ensure(t.Context(), c.js, stream.Options{}); err != nil {
		t.Fatal(err)
	}
	c.conn = open(t, c.dsn)
	return c
}

func open(t testing.TB, dsn string) driver.Conn {
	t.Helper()
	conn, err := graph.Open(dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// publish seals and sends messages, each in the name of its own organisation.
func (c *centre) publish(t testing.TB, chains map[string]*wire.Chain, org string, d wire.Draft) {
	t.Helper()
	chain := chains[org]
	if chain == nil {
		var err error
		chain, err = wire.NewChain(wire.ChainConfig{Signer: schematest.Identity(byte(len(chains) + 1)), Org: org, Sidecar: "field-db-1", Instance: "outbox-" + org, Version: "0.1.0"})
		if err != nil {
			t.Fatal(err)
		}
		chains[org] = chain
	}
	m, err := chain.Seal(d)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.js.PublishMsg(t.Context(), &nats.Msg{Subject: m.Subject, Header: m.Header, Data: m.Body}); err != nil {
		t.Fatal(err)
	}
}

// A running consumer, with or without its lineage.
type running struct {
	*consumers.Consumer
	cancel context.CancelFunc
	done   chan struct{}
	err    error
}

func (c *centre) consume(t testing.TB) *running {
	t.Helper()
	reader := graph.NewReader(c.conn)
	numbers := numbering.New(reader)
	consumer, err := consumers.New(consumers.Config{
		JetStream: c.js, Reader: reader, Writer: graph.NewWriter(c.conn, graph.WriterConfig{}), Numbering: numbers,
		Rejects: deadletter.New(c.js), Log: zerolog.New(zerolog.NewTestWriter(t)).Level(zerolog.WarnLevel),
	})
	if err != nil {
		t.Fatal(err)
	}
	return start(t, consumer, func(ctx context.Context) error {
		defer numbers.Close()
		return consumer.Run(ctx)
	})
}

func start(t testing.TB, consumer *consumers.Consumer, run func(context.Context) error) *running {
	r := &running{Consumer: consumer, done: make(chan struct{})}
	var ctx context.Context
	ctx, r.cancel = context.WithCancel(context.Background())
	go func() {
		defer close(r.done)
		r.err = run(ctx)
	}()
	t.Cleanup(func() { r.stop(t) })
	return r
}

func (r *running) stop(t testing.TB) {
	t.Helper()
	r.cancel()
	<-r.done
	if r.err != nil {
		t.Errorf("stopped with %v", r.err)
	}
}

// reads waits until the consumer has written the whole log.
func (c *centre) reads(t testing.TB, r *running) {
	t.Helper()
	info, err := c.log.Stream.Info(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for {
		status, changed := r.Watch()
		if status.Position >= info.State.LastSeq {
			return
		}
		select {
		case <-changed:
		case <-r.done:
			t.Fatalf("the consumer stopped: %v", r.err)
		}
	}
}

func (c *centre) lineage(t testing.TB, change func(*lineage.Config)) *lineage.Lineage {
	t.Helper()
	cfg := lineage.Config{Graph: graph.NewLineage(c.conn, graph.WriterConfig{}), Log: zerolog.New(zerolog.NewTestWriter(t)).Level(zerolog.WarnLevel)}
	if change != nil {
		change(&cfg)
	}
	l, err := lineage.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// derived is every published set of the movements with these ids: "S id" or "kept id", and its keys.
func (c *centre) derived(t testing.TB) map[string][]schema.Key {
	t.Helper()
	rows, err := c.conn.Query(t.Context(), `
		SELECT concat(toString(h.form), ' ', h.org, ' ', toString(h.id)), arraySort(groupArrayIf(e.key, d.number IS NOT NULL))
		FROM
		(
			SELECT h.movement AS movement, h.form AS form, max(h.generation) AS generation, any(n.org) AS org, any(n.id) AS id
			FROM derived_head AS h INNER JOIN movement_number AS n ON n.movement = h.movement GROUP BY movement, form
		) AS h
		LEFT JOIN (SELECT movement, form, generation, toNullable(arrayJoin(bitmapToArray(electors))) AS number FROM derived) AS d
			ON d.movement = h.movement AND d.form = h.form AND d.generation = h.generation
		LEFT JOIN (SELECT DISTINCT number, key FROM elector) AS e ON e.number = d.number
		GROUP BY h.form, h.org, h.id`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	out := map[string][]schema.Key{}
	for rows.Next() {
		var name string
		var keys []uint64
		if err := rows.Scan(&name, &keys); err != nil {
			t.Fatal(err)
		}
		out[name] = []schema.Key{}
		for _, key := range keys {
			out[name] = append(out[name], schema.Key(key))
		}
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return out
}

// same fails the test where a derived set is not as wanted. Published sets that are not wanted may be of movements that
// were whole once.
func same(t testing.TB, what string, have, want map[string][]schema.Key) {
	t.Helper()
	for name, keys := range want {
		got, ok := have[name]
		if !ok {
			t.Errorf("%s: %s is not published", what, name)
		} else if !slices.Equal(got, keys) {
			t.Errorf("%s: %s has %d electors, want %d: %v, want %v", what, name, len(got), len(keys), got, keys)
		}
	}
	if t.Failed() {
		t.FailNow()
	}
}
