package endtoend

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/rs/zerolog"
	"golang.org/x/sync/errgroup"

	"github.com/rolltrace/rolltrace/cmd/internal/consumer"
	"github.com/rolltrace/rolltrace/deploy/embedded"
	"github.com/rolltrace/rolltrace/schema/graph"
	"github.com/rolltrace/rolltrace/schema/schematest"
	"github.com/rolltrace/rolltrace/schema/wire"
)

// A stage is a centre of its own for histories: a log, a consumer and a graph.
type stage struct {
	t        testing.TB
	js       jetstream.JetStream
	consumer *consumer.Consumer
	ended    chan struct{}
	err      error // once ended is closed
	dsn      string
	conn     driver.Conn
	graph    *graph.Graph
}

func newStage(t testing.TB) *stage {
	t.Helper()
	s := &stage{t: t, dsn: schematest.ClickHouse(t), ended: make(chan struct{})}
	if err := graph.Migrate(t.Context(), graph.Options{DSN: s.dsn, Room: 100}); err != nil {
		t.Fatal(err)
	}
	var err error
	if s.conn, err = graph.Open(s.dsn); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.conn.Close() })
	s.graph = graph.New(s.conn, graph.Config{Clock: muchLater})
	s.js = schematest.JetStream(t, schematest.NATSServer(t, embedded.NATSConfig{NoListen: true}))
	if s.consumer, err = consumer.New(consumer.Options{Hub: s.js, ClickHouse: s.dsn, Log: zerolog.New(zerolog.NewTestWriter(t)).Level(zerolog.WarnLevel)}); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	go func() {
		defer close(s.ended)
		s.err = s.consumer.Run(ctx)
	}()
	t.Cleanup(func() {
		stop()
		<-s.ended
		if s.err != nil {
			t.Errorf("consumer: %v", s.err)
		}
	})
	s.await(func(doing string, _ uint64) bool { return doing == "reading" }) // it makes the log
	return s
}

// muchLater is when questions are asked: every sidecar that sent a heartbeat has been silent for long, however long
// the test takes.
func muchLater() time.Time { return time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC) }

// await waits until the consumer is as wanted.
func (s *stage) await(wanted func(doing string, position uint64) bool) {
	s.t.Helper()
	for {
		status, changed := s.consumer.Watch()
		if wanted(status.Doing, status.Position) {
			return
		}
		select {
		case <-changed:
		case <-s.ended:
			s.t.Fatalf("the consumer ended: %v", s.err)
		case <-s.t.Context().Done():
			s.t.Fatal("the test ended before the consumer had read the log")
		}
	}
}

// send sends messages in order, and returns the last sequence of the log.
func (s *stage) send(messages []wire.Message) (last uint64) {
	s.t.Helper()
	futures := make([]jetstream.PubAckFuture, len(messages))
	for i, m := range messages {
		var err error
		if futures[i], err = s.js.PublishMsgAsync(&nats.Msg{Subject: m.Subject, Header: m.Header, Data: m.Body}, jetstream.WithStallWait(time.Minute)); err != nil {
			s.t.Fatal(err)
		}
	}
	for _, future := range futures {
		select {
		case ack := <-future.Ok():
			last = max(last, ack.Sequence)
		case err := <-future.Err():
			s.t.Fatal(err)
		}
	}
	return last
}

// deliver sends messages, and waits until they, and what follows from them, are in the graph.
func (s *stage) deliver(messages []wire.Message) {
	s.t.Helper()
	last := s.send(messages)
	s.await(func(_ string, position uint64) bool { return position >= last })
	for {
		at, err := graph.NewLineage(s.conn, graph.WriterConfig{}).Position(s.t.Context())
		if err != nil {
			s.t.Fatal(err)
		}
		if at.Derived >= last {
			return
		}
		select {
		case <-time.After(10 * time.Millisecond): // ClickHouse tells nobody of an insert: it has to be asked
		case <-s.ended:
			s.t.Fatalf("the consumer ended: %v", s.err)
		}
	}
}

// inParts is in how many parts histories arrive: what is derived after one is late for the next.
const inParts = 6

// judge delivers all histories and compares the answers with the oracle's: those about everything when half of the
// news is still to come too, and the histories' own questions at the end.
func (s *stage) judge(all []*played, everything func(arrived bool) []question) {
	s.t.Helper()
	for left := inParts; left > 0; left-- {
		queues := make([][]wire.Message, len(all))
		for i, p := range all {
			queues[i] = p.some(s.t, (len(p.pending)+left-1)/left)
		}
		began := time.Now()
		messages := interleave(queues)
		s.deliver(messages)
		delivered := time.Since(began)
		if left != 1 && left != inParts/2+1 {
			continue
		}
		began = time.Now()
		two := new(errgroup.Group)
		two.SetLimit(2) // one is read while the oracle thinks about the other
		for _, q := range everything(left == 1) {
			two.Go(func() error {
				judges[q.Ask].all(s, q, all)
				return nil
			})
		}
		_ = two.Wait()
		asked := time.Since(began)
		if left == 1 {
			each(all, func(p *played) {
				for _, q := range p.asks {
					s.ask(p.richer(q), p)
				}
			})
		}
		s.t.Logf("%d histories: the last %d messages delivered in %s, everything compared in %s, questions in %s", len(all), len(messages),
			delivered.Round(time.Millisecond), asked.Round(time.Millisecond), (time.Since(began) - asked).Round(time.Millisecond))
	}
}

// interleave takes from the queues in turn.
func interleave(queues [][]wire.Message) []wire.Message {
	var out []wire.Message
	for i, more := 0, true; more; i++ {
		more = false
		for _, q := range queues {
			if i < len(q) {
				out, more = append(out, q[i]), true
			}
		}
	}
	return out
}

// each runs a comparison for every history, on as many goroutines as ClickHouse has use for.
func each(all []*played, do func(*played)) {
	work := make(chan *played)
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			for p := range work {
				do(p)
			}
		})
	}
	for _, p := range all {
		work <- p
	}
	close(work)
	group.Wait()
}
