package dashboards_test

import (
	"flag"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/rolltrace/rolltrace/schema/graph"
)

var dsn = flag.String("dsn", "", "database whose panels are measured, as a user who may read the views; the sample movements unless given")

// BenchmarkPanels measures how long each panel's queries take: of a long history, if -dsn says where one is.
func BenchmarkPanels(b *testing.B) {
	var conn driver.Conn
	if *dsn == "" {
		conn = startCentre(b)
	} else {
		var err error
		if conn, err = graph.Open(*dsn); err != nil {
			b.Fatal(err)
		}
		defer conn.Close()
	}
	for _, d := range load(b) {
		q := period()
		q.variables, _ = choices(b, conn, d)
		for _, p := range flat(d.Panels) {
			for _, target := range p.Targets {
				sql, err := q.expand(target.RawSQL)
				if err != nil {
					b.Fatal(err)
				}
				b.Run(d.UID+"/"+p.Title+"/"+target.RefID, func(b *testing.B) {
					var longest time.Duration
					for b.Loop() {
						began := time.Now()
						if _, err := run(b, conn, sql); err != nil {
							b.Fatal(err)
						}
						longest = max(longest, time.Since(began))
					}
					b.ReportMetric(float64(longest.Milliseconds()), "longest-ms")
				})
			}
		}
	}
}
