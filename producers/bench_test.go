package producers_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/rs/zerolog"

	"github.com/rolltrace/rolltrace/producers"
	"github.com/rolltrace/rolltrace/producers/outbox"
	"github.com/rolltrace/rolltrace/schema"
	"github.com/rolltrace/rolltrace/schema/stream"
	"github.com/rolltrace/rolltrace/schema/wire"
)

// plain publishes the messages as a program without any promise would, asynchronously and all at once, into
// an embedded JetStream with sync always, and returns how long that takes.
func plain(b *testing.B, messages []wire.Message) time.Duration {
	b.Helper()
	h := newHub(b, nil)
	h.ensure(stream.Options{})
	defer h.stop()
	conn, err := nats.Connect("", nats.InProcessServer(h.server))
	if err != nil {
		b.Fatal(err)
	}
	defer conn.Close()
	js, err := jetstream.New(conn, jetstream.WithPublishAsyncMaxPending(4096))
	if err != nil {
		b.Fatal(err)
	}
	start := time.Now()
	for _, m := range messages {
		if _, err := js.PublishMsgAsync(&nats.Msg{Subject: m.Subject, Header: nats.Header(m.Header), Data: m.Body}, jetstream.WithStallWait(time.Minute)); err != nil {
			b.Fatal(err)
		}
	}
	<-js.PublishAsyncComplete()
	return time.Since(start)
}

// messagesOf are all messages in the outbox.
func messagesOf(b *testing.B, o *outbox.Outbox, n int) []wire.Message {
	b.Helper()
	var messages []wire.Message
	var after uint64
	for len(messages) < n {
		batch, err := o.Read(b.Context(), after)
		if err != nil {
			b.Fatal(err)
		}
		after = batch.Position
		messages = append(messages, batch.Messages...)
	}
	return messages
}

func quiet(c *outbox.Config) { c.Log = zerolog.Nop() }

// BenchmarkLargeChunks is what tee does at its fastest: full chunks, many under way.
func BenchmarkLargeChunks(b *testing.B) {
	const n = 100
	keys := run(0, schema.MaxChunkKeys)
	for b.Loop() {
		b.StopTimer()
		o := openOutbox(b, quiet)
		b.StartTimer()
		start := time.Now()
		recording, err := newRecorder(b, o, 0).Begin(b.Context(), share(schema.ElectorID))
		if err != nil {
			b.Fatal(err)
		}
		for range n {
			if err := recording.Add(b.Context(), 0, keys); err != nil {
				b.Fatal(err)
			}
		}
		if err := recording.Close(b.Context(), schema.Completed, schema.Evidence{}); err != nil {
			b.Fatal(err)
		}
		ours := time.Since(start)
		b.StopTimer()
		theirs := plain(b, messagesOf(b, o, n+2))
		b.ReportMetric(theirs.Seconds()/ours.Seconds(), "ratio")
		b.ReportMetric(float64(n*len(keys)*8)/ours.Seconds()/1e6, "MB/s")
		b.ReportMetric(ours.Seconds(), "s")
		b.StartTimer()
	}
}

// small records movements of 1 to 1,000 electors, many at once, and returns how many messages they are.
func small(b *testing.B, o producers.Outbox, recorders, movements int) int {
	b.Helper()
	r := newRecorder(b, o, 0)
	keys := run(0, 1000)
	var wg sync.WaitGroup
	for w := range recorders {
		wg.Add(1)
		go func() {
			defer wg.Done()
			random := rand.New(rand.NewPCG(1, uint64(w)))
			for range movements / recorders {
				recording, err := r.Begin(b.Context(), share(schema.ElectorID))
				if err == nil {
					err = recording.Add(b.Context(), 0, keys[:1+random.IntN(1000)])
				}
				if err == nil {
					err = recording.Close(b.Context(), schema.Completed, schema.Evidence{})
				}
				if err != nil {
					b.Error(err)
					return
				}
			}
		}()
	}
	wg.Wait()
	return movements / recorders * recorders * 3
}

// BenchmarkSmallMovements is opening, keys and closing of movements of 1 to 1,000 electors, into the outbox.
func BenchmarkSmallMovements(b *testing.B) {
	for _, recorders := range []int{1, 8, 64, 256} {
		b.Run(fmt.Sprint(recorders, " at once"), func(b *testing.B) {
			for b.Loop() {
				b.StopTimer()
				o := openOutbox(b, quiet)
				b.StartTimer()
				start := time.Now()
				n := small(b, o, recorders, max(512, recorders*20))
				ours := time.Since(start)
				b.StopTimer()
				theirs := plain(b, messagesOf(b, o, n))
				b.ReportMetric(theirs.Seconds()/ours.Seconds(), "ratio")
				b.ReportMetric(float64(n)/3/ours.Seconds(), "movements/s")
				b.StartTimer()
			}
		})
	}
}

// BenchmarkSmallMovementsToTheHub is the same, until the hub has acknowledged everything.
func BenchmarkSmallMovementsToTheHub(b *testing.B) {
	for _, recorders := range []int{8, 64, 256} {
		b.Run(fmt.Sprint(recorders, " at once"), func(b *testing.B) {
			for b.Loop() {
				b.StopTimer()
				o := openOutbox(b, quiet)
				h := newHub(b, nil)
				h.ensure(stream.Options{})
				f, err := producers.NewForwarder(producers.ForwarderConfig{Source: o, Conn: connect(b, h.url())})
				if err != nil {
					b.Fatal(err)
				}
				ctx, cancel := context.WithCancel(b.Context())
				go f.Run(ctx) //nolint:errcheck // Drained tells
				b.StartTimer()
				start := time.Now()
				n := small(b, o, recorders, max(2048, recorders*20))
				if err := f.Drained(b.Context()); err != nil {
					b.Fatal(err)
				}
				ours := time.Since(start)
				b.StopTimer()
				cancel()
				again := openOutbox(b, quiet)
				small(b, again, recorders, max(2048, recorders*20))
				theirs := plain(b, messagesOf(b, again, n))
				b.ReportMetric(theirs.Seconds()/ours.Seconds(), "ratio")
				b.ReportMetric(float64(n)/3/ours.Seconds(), "movements/s")
				b.StartTimer()
			}
		})
	}
}
