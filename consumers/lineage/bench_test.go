package lineage_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/rolltrace/rolltrace/schema"
	"github.com/rolltrace/rolltrace/schema/graph"
	"github.com/rolltrace/rolltrace/schema/schematest"
)

// The electors of the 2021 list, and how many lists of half of them, scattered, there are: what a bitmap is worst at.
const (
	national = 27_509_496
	lists    = 10
)

// BenchmarkWholeRoll derives what a movement of everything carried, from a place that one list came to, or ten of
// them, until it is published; ratio compares it with ClickHouse counting the same union.
func BenchmarkWholeRoll(b *testing.B) {
	dsn := schematest.ClickHouse(b)
	if err := graph.Migrate(b.Context(), graph.Options{DSN: dsn}); err != nil {
		b.Fatal(err)
	}
	conn := open(b, dsn)
	for m := range lists {
		err := conn.Exec(b.Context(), fmt.Sprintf(`INSERT INTO listed (movement, space, bucket, electors) SELECT %d, 0, toUInt16(bitShiftRight(number, 16)) AS bucket, groupBitmapState(toUInt32(number))
			FROM numbers(%d) WHERE bitAnd(cityHash64(number, %[1]d), 1) = 1 GROUP BY bucket`, m, national))
		if err != nil {
			b.Fatal(err)
		}
	}
	store := graph.NewLineage(conn, graph.WriterConfig{})
	for _, n := range []int{1, lists} {
		b.Run(fmt.Sprintf("lists=%d", n), func(b *testing.B) {
			d := graph.Derivation{DerivedSet: graph.DerivedSet{Movement: 1000, Form: graph.Carried}}
			for m := range n {
				d.Terms = append(d.Terms, graph.Term{Movement: uint32(m)})
			}
			var derived, counted time.Duration
			for i := range b.N {
				began := time.Now()
				var electors uint64
				if err := conn.QueryRow(b.Context(), fmt.Sprintf("SELECT sum(n) FROM (SELECT groupBitmapMerge(electors) AS n FROM listed WHERE movement < %d GROUP BY bucket)", n)).Scan(&electors); err != nil {
					b.Fatal(err)
				}
				counted += time.Since(began)
				began = time.Now()
				generation := graph.NewGeneration(uint64(i+1), 0)
				if err := store.Derive(b.Context(), generation, []graph.Derivation{d}); err != nil {
					b.Fatal(err)
				}
				if err := store.Publish(b.Context(), generation, []graph.DerivedSet{d.DerivedSet}, schema.At(time.Now())); err != nil {
					b.Fatal(err)
				}
				derived += time.Since(began)
			}
			b.ReportMetric(float64(derived.Milliseconds())/float64(b.N), "derived_ms")
			b.ReportMetric(derived.Seconds()/counted.Seconds(), "ratio")
		})
	}
}
