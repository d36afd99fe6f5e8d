package consumers_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"github.com/rolltrace/rolltrace/consumers"
	"github.com/rolltrace/rolltrace/consumers/deadletter"
	"github.com/rolltrace/rolltrace/consumers/numbering"
	"github.com/rolltrace/rolltrace/deploy/embedded"
	"github.com/rolltrace/rolltrace/schema/graph"
	"github.com/rolltrace/rolltrace/schema/schematest"
	"github.com/rolltrace/rolltrace/schema/stream"
	"github.com/rolltrace/rolltrace/schema/wire"
)

// A centre is a hub with a log, and an empty graph.
type centre struct {
	hub *embedded.NATS
	js  jetstream.JetStream
	dsn string
	log stream.Log
}

func newCentre(t testing.TB) *centre {
	t.Helper()
	c := &centre{hub: schematest.NATS(t), dsn: newGraph(t, schematest.ClickHouse(t))}
	c.js = schematest.JetStream(t, c.hub, nats.ReconnectWait(20*time.Millisecond), nats.MaxReconnects(-1))
	c.log = ensure(t, c.js)
	return c
}

func newGraph(t testing.TB, dsn string) string {
	t.Helper()
	if err := graph.Migrate(t.Context(), graph.Options{DSN: dsn}); err != nil {
		t.Fatal(err)
	}
	return dsn
}

func ensure(t testing.TB, js jetstream.JetStream) stream.Log {
	t.Helper()
	log, err := stream.Ensure(t.Context(), js, stream.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return log
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

// last is the last sequence of the log.
func (c *centre) last(t testing.TB) uint64 {
	t.Helper()
	info, err := c.log.Stream.Info(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return info.State.LastSeq
}

// A sidecar seals messages.
type sidecar struct{ chain *wire.Chain }

func newSidecar(t testing.TB, org, name string, identity byte) *sidecar {
	t.Helper()
	chain, err := wire.NewChain(wire.ChainConfig{Signer: schematest.Identity(identity), Org: org, Sidecar: name, Instance: fmt.Sprintf("outbox-%d", identity), Version: "0.1.0"})
	if err != nil {
		t.Fatal(err)
	}
	return &sidecar{chain: chain}
}

func (s *sidecar) seal(t testing.TB, d wire.Draft) wire.Message {
	t.Helper()
	m, err := s.chain.Seal(d)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// publish seals and sends.
func (c *centre) publish(t testing.TB, s *sidecar, drafts ...wire.Draft) {
	t.Helper()
	for _, d := range drafts {
		send(t, c.js, s.seal(t, d))
	}
}

func send(t testing.TB, js jetstream.JetStream, m wire.Message) uint64 {
	t.Helper()
	ack, err := js.PublishMsg(t.Context(), &nats.Msg{Subject: m.Subject, Header: m.Header, Data: m.Body})
	if err != nil {
		t.Fatal(err)
	}
	return ack.Sequence
}

// A running consumer.
type running struct {
	*consumers.Consumer
	Numbering *numbering.Numbering
	registry  *prometheus.Registry
	cancel    context.CancelFunc
	done      chan struct{}
	err       error
}

// start runs a consumer until the test ends, or stop.
func (c *centre) start(t testing.TB, change func(*consumers.Config)) *running {
	t.Helper()
	conn := open(t, c.dsn)
	reader := graph.NewReader(conn)
	r := &running{registry: prometheus.NewRegistry(), done: make(chan struct{}), Numbering: numbering.New(reader)}
	cfg := consumers.Config{
		JetStream: c.js, Reader: reader, Writer: graph.NewWriter(conn, graph.WriterConfig{}),
		Numbering: r.Numbering, Rejects: deadletter.New(c.js), Metrics: consumers.NewMetrics(r.registry),
		Log: zerolog.New(zerolog.NewTestWriter(t)).Level(zerolog.InfoLevel),
	}
	if change != nil {
		change(&cfg)
	}
	consumer, err := consumers.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	r.Consumer = consumer
	var ctx context.Context
	ctx, r.cancel = context.WithCancel(context.Background())
	go func() {
		defer close(r.done)
		defer r.Numbering.Close()
		r.err = consumer.Run(ctx)
	}()
	t.Cleanup(func() { r.cancel(); <-r.done })
	return r
}

// await waits until the status is as wanted; a consumer that stops before fails the test.
func (r *running) await(t testing.TB, what string, wanted func(consumers.Status) bool) {
	t.Helper()
	for {
		status, changed := r.Watch()
		if wanted(status) {
			return
		}
		select {
		case <-changed:
		case <-r.done:
			if status := r.Status(); wanted(status) {
				return
			}
			t.Fatalf("the consumer stopped before %s: %v", what, r.err)
		case <-t.Context().Done():
			t.Fatalf("the test ended before %s", what)
		}
	}
}

func (r *running) reaches(t testing.TB, position uint64) {
	t.Helper()
	r.await(t, fmt.Sprintf("position %d", position), func(s consumers.Status) bool { return s.Position >= position })
}

// stop ends the consumer and fails the test if it had a fault.
func (r *running) stop(t testing.TB) {
	t.Helper()
	r.cancel()
	<-r.done
	if r.err != nil {
		t.Fatalf("the consumer stopped with %v", r.err)
	}
}

// fault waits for the consumer to stop by itself, and returns why.
func (r *running) fault(t testing.TB) error {
	t.Helper()
	select {
	case <-r.done:
	case <-t.Context().Done():
		t.Fatal("the consumer does not stop")
	}
	if r.err == nil {
		t.Fatal("the consumer stopped without a fault")
	}
	if strings.Contains(r.err.Error(), "\n") {
		t.Errorf("the fault is not one line: %v", r.err)
	}
	return r.err
}

// metric is the value of a counter or gauge, or of all of its labels together.
func (r *running) metric(t testing.TB, name string, labels ...string) float64 {
	t.Helper()
	families, err := r.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		if family.GetName() != "rolltrace_consumer_"+name {
			continue
		}
		sum := 0.0
		for _, m := range family.GetMetric() {
			if len(labels) > 0 && m.GetLabel()[0].GetValue() != labels[0] {
				continue
			}
			sum += m.GetCounter().GetValue() + m.GetGauge().GetValue() + float64(m.GetHistogram().GetSampleCount())
		}
		return sum
	}
	t.Fatalf("there is no metric %s", name)
	return 0
}

func (r *running) measured(t testing.TB, name string, want float64) {
	t.Helper()
	if have := r.metric(t, name); have != want {
		t.Errorf("%s is %v, want %v", name, have, want)
	}
}

// contents is everything in the tables that answers depend on, one line a row, without what is allowed to differ:
// how often a row was written, and when the position was.
func contents(t testing.TB, dsn string) []string {
	t.Helper()
	conn := open(t, dsn)
	var out []string
	for _, query := range []string{
		"SELECT DISTINCT 'space', toJSONString(tuple(*)) FROM space",
		"SELECT DISTINCT 'elector', toJSONString(tuple(*)) FROM elector",
		"SELECT DISTINCT 'movement_number', toJSONString(tuple(*)) FROM movement_number",
		"SELECT DISTINCT 'movement_revision', toJSONString(tuple(*)) FROM movement_revision",
		"SELECT DISTINCT 'chunk', hex(hash), toJSONString(tuple(* EXCEPT hash)) FROM chunk",
		"SELECT DISTINCT 'message', hex(hash), hex(previous), toJSONString(tuple(* EXCEPT (hash, previous))) FROM message",
		"SELECT DISTINCT 'heartbeat', toJSONString(tuple(*)) FROM heartbeat",
		"SELECT DISTINCT 'gap', toJSONString(tuple(*)) FROM gap",
		"SELECT DISTINCT 'rejected', toJSONString(tuple(*)) FROM rejected",
		"SELECT 'listed', toJSONString((movement, space, bucket, arraySort(bitmapToArray(groupBitmapMergeState(electors))), arraySort(groupUniqArrayArray(numbers)))) FROM listed GROUP BY movement, space, bucket",
		"SELECT 'listed_by_elector', toJSONString((slot, movement, space, arraySort(bitmapToArray(groupBitmapMergeState(electors))))) FROM listed_by_elector GROUP BY slot, movement, space",
		"SELECT 'position', toJSONString((log, max(sequence))) FROM position GROUP BY log",
	} {
		rows, err := conn.Query(t.Context(), query)
		if err != nil {
			t.Fatalf("%s: %v", query, err)
		}
		for rows.Next() {
			parts := make([]string, len(rows.Columns()))
			into := make([]any, len(parts))
			for i := range parts {
				into[i] = &parts[i]
			}
			if err := rows.Scan(into...); err != nil {
				t.Fatal(err)
			}
			out = append(out, strings.Join(parts, " "))
		}
		if err := rows.Err(); err != nil {
			t.Fatal(err)
		}
	}
	slices.Sort(out)
	return out
}

// same fails the test where two graphs differ.
func same(t testing.TB, what string, have, want []string) {
	t.Helper()
	shown := 0
	for _, row := range have {
		if _, ok := slices.BinarySearch(want, row); !ok && shown < 5 {
			shown++
			t.Errorf("%s: a row too much: %.300s", what, row)
		}
	}
	for _, row := range want {
		if _, ok := slices.BinarySearch(have, row); !ok && shown < 10 {
			shown++
			t.Errorf("%s: a row is missing: %.300s", what, row)
		}
	}
	if len(have) != len(want) {
		t.Errorf("%s: %d rows, want %d", what, len(have), len(want))
	}
}
