package endtoend

import (
	"context"
	"math"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/rs/zerolog"

	"github.com/rolltrace/rolltrace/deploy/embedded"
	"github.com/rolltrace/rolltrace/producers"
	"github.com/rolltrace/rolltrace/producers/outbox"
	"github.com/rolltrace/rolltrace/schema"
	"github.com/rolltrace/rolltrace/schema/graph"
	"github.com/rolltrace/rolltrace/schema/schematest"
	"github.com/rolltrace/rolltrace/schema/stream"
)

// recordings is how many movements are under way at once: the sessions of a busy database.
const recordings = 64

// Small movements (1 to 1,000 electors, as many in each decade) from the recorder to answerable, sustained,
// against asynchronous publishing of the same messages to a JetStream that syncs always (design, section 8).
func BenchmarkSmallMovements(b *testing.B) {
	const movements = 5000
	h := newHouse(b)
	h.sidecar.kill() // the recorder is in this process
	box, err := outbox.Open(b.Context(), outbox.Config{
		Dir: h.path("small"), Org: "party-a", Sidecar: "small-db-1", Signer: schematest.Identity(7),
	})
	if err != nil {
		b.Fatal(err)
	}
	conn, err := nats.Connect(h.natsURL(), producers.HubOptions("party-a", "small-db-1", zerolog.Nop())...)
	if err != nil {
		b.Fatal(err)
	}
	defer conn.Close()
	js, err := jetstream.New(conn)
	if err != nil {
		b.Fatal(err)
	}
	forwarder, err := producers.NewForwarder(producers.ForwarderConfig{Source: box, Conn: conn})
	if err != nil {
		b.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- forwarder.Run(ctx) }()

	log, err := stream.Ensure(b.Context(), js, stream.Options{})
	if err != nil {
		b.Fatal(err)
	}
	before := lastOf(b, log)
	b.ResetTimer()
	began := time.Now()
	for range b.N {
		record(b, box, movements)
	}
	recorded := time.Since(began)
	if err := forwarder.Drained(b.Context()); err != nil {
		b.Fatal(err)
	}
	last := lastOf(b, log)
	h.await(b, log.ID, last)
	ours := time.Since(began)
	b.StopTimer()
	theirs := publishAgain(b, log, before+1, last)
	stop()
	<-ended
	if err := box.Close(context.Background()); err != nil {
		b.Fatal(err)
	}
	n := float64(movements * b.N)
	b.ReportMetric(n/recorded.Seconds(), "recorded/s")
	b.ReportMetric(n/ours.Seconds(), "movements/s")
	b.ReportMetric(n/theirs.Seconds(), "yardstick/s")
	b.ReportMetric(theirs.Seconds()/ours.Seconds(), "ratio")
}

func record(b testing.TB, box producers.Outbox, movements int) {
	recorder, err := producers.NewRecorder(producers.RecorderConfig{Outbox: box})
	if err != nil {
		b.Fatal(err)
	}
	work := make(chan int)
	var sessions sync.WaitGroup
	for range recordings {
		sessions.Go(func() {
			for i := range work {
				if err := recordOne(b.Context(), recorder, i); err != nil {
					b.Error(err)
				}
			}
		})
	}
	for i := range movements {
		work <- i
	}
	close(work)
	sessions.Wait()
}

func recordOne(ctx context.Context, recorder *producers.Recorder, i int) error {
	random := rand.New(rand.NewPCG(uint64(i), 1))
	recording, err := recorder.Begin(ctx, schema.Movement{
		Kind: schema.Access, Inputs: []schema.Input{{Place: "party-a/crm/voters"}}, Output: "party-a/people/u0412",
		Electors: schema.Electors{Mode: schema.Listed, Sets: []schema.Set{{IDSpace: schema.ElectorID, KeyID: schematest.KeyID}}},
	})
	if err != nil {
		return err
	}
	n := int(math.Pow(10, 3*random.Float64()))
	if err := recording.Add(ctx, 0, schematest.Keys(random.IntN(1_000_000), n)); err != nil {
		return err
	}
	recording.Count(uint64(n))
	if err := recording.Flush(ctx); err != nil {
		return err
	}
	return recording.Close(ctx, schema.Completed, schema.Evidence{})
}

// publishAgain is the yardstick: the messages that came to the hub, once more, in order, as the sidecar made them, to
// a JetStream in this process. Each is published by itself, and so synced by itself.
func publishAgain(b *testing.B, log stream.Log, from, to uint64) time.Duration {
	messages := make([]*nats.Msg, 0, to-from+1)
	for sequence := from; sequence <= to; sequence++ {
		m, err := log.Stream.GetMsg(b.Context(), sequence)
		if err != nil {
			b.Fatal(err)
		}
		for name := range m.Header {
			if strings.HasPrefix(name, "Nats-Batch-") {
				m.Header.Del(name)
			}
		}
		messages = append(messages, &nats.Msg{Subject: m.Subject, Header: m.Header, Data: m.Data})
	}
	server := schematest.NATSServer(b, embedded.NATSConfig{NoListen: true})
	js := schematest.JetStream(b, server)
	if _, err := js.CreateStream(b.Context(), jetstream.StreamConfig{Name: "YARDSTICK", Subjects: []string{"rolltrace.>"}}); err != nil {
		b.Fatal(err)
	}
	runtime.GC()
	began := time.Now()
	futures := make([]jetstream.PubAckFuture, len(messages))
	for i, m := range messages {
		future, err := js.PublishMsgAsync(m, jetstream.WithStallWait(time.Minute))
		if err != nil {
			b.Fatal(err)
		}
		futures[i] = future
	}
	for _, future := range futures {
		select {
		case <-future.Ok():
		case err := <-future.Err():
			b.Fatal(err)
		}
	}
	return time.Since(began)
}

func lastOf(b testing.TB, log stream.Log) uint64 {
	info, err := log.Stream.Info(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	return info.State.LastSeq
}

// await waits until the consumer has brought the log up to this sequence into ClickHouse.
func (h *house) await(b testing.TB, log string, sequence uint64) {
	conn, err := graph.Open(h.clickhouse.DSN(embedded.Owner))
	if err != nil {
		b.Fatal(err)
	}
	defer conn.Close()
	reader := graph.NewReader(conn)
	for {
		positions, err := reader.Positions(b.Context())
		if err != nil {
			b.Fatal(err)
		}
		for _, p := range positions {
			if p.Log == log && p.Sequence >= sequence {
				return
			}
		}
		<-time.After(10 * time.Millisecond) // ClickHouse tells nobody of an insert: it has to be asked
	}
}
