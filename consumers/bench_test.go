package consumers_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/rolltrace/rolltrace/consumers"
	"github.com/rolltrace/rolltrace/schema"
	"github.com/rolltrace/rolltrace/schema/schematest"
	"github.com/rolltrace/rolltrace/schema/wire"
)

// roll is how many electors the whole roll has.
const roll = 27_509_496

// publishFast publishes without waiting for each acknowledgement.
func (c *centre) publishFast(b *testing.B, s *sidecar, drafts ...wire.Draft) {
	b.Helper()
	for _, d := range drafts {
		m := s.seal(b, d)
		if _, err := c.js.PublishMsgAsync(&nats.Msg{Subject: m.Subject, Header: m.Header, Data: m.Body}, jetstream.WithStallWait(time.Minute)); err != nil {
			b.Fatal(err)
		}
	}
	<-c.js.PublishAsyncComplete()
}

// BenchmarkWholeRoll brings a movement of the whole roll from the log into the graph: electors that nobody has seen,
// the same in the same order, the same in another order; and reads the numbers back, as a consumer does that starts.
// The yardstick is ClickHouse putting as many rows (movement, key) into a table of its own, in the same run.
func BenchmarkWholeRoll(b *testing.B) {
	for range b.N {
		c := newCentre(b)
		keys := make([]schema.Key, roll)
		r := rand.New(rand.NewPCG(1, 2))
		for i := range keys {
			keys[i] = schema.Key(r.Uint64())
		}
		s := newSidecar(b, "party-a", "field-db-1", 1)
		conn := open(b, c.dsn)
		if err := conn.Exec(b.Context(), "CREATE TABLE yardstick (elector UInt64, movement UInt32) ENGINE = MergeTree ORDER BY (movement, elector)"); err != nil {
			b.Fatal(err)
		}
		began := time.Now()
		if err := conn.Exec(b.Context(), fmt.Sprintf("INSERT INTO yardstick SELECT cityHash64(number), 1 FROM numbers(%d)", roll)); err != nil {
			b.Fatal(err)
		}
		yardstick := time.Since(began).Seconds()
		b.ReportMetric(yardstick, "yardstick-s")
		for i, what := range []string{"new", "again", "scattered"} {
			if what == "scattered" {
				r.Shuffle(len(keys), func(i, j int) { keys[i], keys[j] = keys[j], keys[i] })
			}
			sample := schematest.NewSample(i, schema.Collect).List(schema.ElectorID, schematest.KeyID, keys, schema.MaxChunkKeys)
			c.publishFast(b, s, sample.Drafts()...)
			began := time.Now()
			running := c.start(b, nil)
			running.await(b, "reading", func(s consumers.Status) bool { return s.Doing == "reading" })
			loaded := time.Since(began).Seconds()
			running.reaches(b, c.last(b))
			b.ReportMetric(time.Since(began).Seconds()-loaded, what+"-s")
			b.ReportMetric((time.Since(began).Seconds()-loaded)/yardstick, what+"-of-yardstick")
			if i > 0 {
				b.ReportMetric(loaded, "load-s")
			}
			running.stop(b)
		}
	}
}

// BenchmarkSmallMovements is the rate of movements of 1 to 1,000 electors through the consumer, three messages each.
func BenchmarkSmallMovements(b *testing.B) {
	const movements = 3000
	for range b.N {
		c := newCentre(b)
		s := newSidecar(b, "party-a", "field-db-1", 1)
		r := rand.New(rand.NewPCG(1, 2))
		var drafts []wire.Draft
		for i := range movements {
			keys := schematest.Keys(r.IntN(1_000_000), 1+r.IntN(1000))
			drafts = append(drafts, schematest.NewSample(i, schema.Export).List(schema.ElectorID, schematest.KeyID, keys, schema.MaxChunkKeys).Drafts()...)
		}
		began := time.Now()
		c.publishFast(b, s, drafts...)
		published := time.Since(began).Seconds()
		began = time.Now()
		running := c.start(b, nil)
		running.reaches(b, c.last(b))
		took := time.Since(began).Seconds()
		b.ReportMetric(movements/took, "movements/s")
		b.ReportMetric(movements/published, "published-movements/s")
		b.ReportMetric(published/took, "of-publishing")
		running.stop(b)
	}
}
