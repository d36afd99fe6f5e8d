package endtoend

import (
	"context"
	"flag"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"

	"github.com/rolltrace/rolltrace/deploy/embedded"
	"github.com/rolltrace/rolltrace/schema/schematest/roll"
)

var districts = flag.Int("districts", 0, "districts of the roll that is measured; 0 is all 338, with 27,509,496 electors")

// A whole roll from CSV to answerable, through tee, outbox, hub, consumer and ClickHouse, against what
// ClickHouse itself takes to read the same file into (elector, movement) rows (design, section 8).
func BenchmarkWholeRoll(b *testing.B) {
	all := roll.Districts()
	if *districts > 0 {
		all = all[:*districts]
	}
	list := roll.New(1, all...)
	h := newHouse(b)
	path := h.path("roll.csv")
	file, err := os.Create(path)
	if err != nil {
		b.Fatal(err)
	}
	size, err := list.WriteTo(file)
	if err != nil {
		b.Fatal(err)
	}
	if err := file.Close(); err != nil {
		b.Fatal(err)
	}
	b.SetBytes(size)
	var ours, theirs time.Duration
	for i := range b.N {
		theirs += readIntoRows(b, h, path, i, list.Electors())
		ours += readIntoGraph(b, h, path, i, list.Electors())
	}
	b.ReportMetric(theirs.Seconds()/float64(b.N), "yardstick-s")
	b.ReportMetric(ours.Seconds()/float64(b.N), "s")
	b.ReportMetric(ours.Seconds()/theirs.Seconds(), "ratio")
	b.ReportMetric(float64(peak(b, h.consumer))/(1<<20), "consumer-peak-MiB")
	b.ReportMetric(float64(peak(b, h.sidecar))/(1<<20), "sidecar-peak-MiB")
}

// readIntoRows is the yardstick.
func readIntoRows(b *testing.B, h *house, path string, round, electors int) time.Duration {
	options, err := clickhouse.ParseDSN(h.clickhouse.DSN(embedded.Owner))
	if err != nil {
		b.Fatal(err)
	}
	options.ReadTimeout = time.Hour
	conn, err := clickhouse.Open(options)
	if err != nil {
		b.Fatal(err)
	}
	defer conn.Close()
	ctx := context.Background()
	table := fmt.Sprintf("yardstick_%d", round)
	exec := func(statement string) {
		b.Helper()
		if err := conn.Exec(ctx, statement); err != nil {
			b.Fatal(err)
		}
	}
	exec("CREATE TABLE " + table + " (elector String, movement UInt32) ENGINE = MergeTree ORDER BY (movement, elector)" +
		" SETTINGS fsync_after_insert = 1, fsync_part_directory = 1")
	began := time.Now()
	exec("INSERT INTO " + table + " SELECT elector_id, 1 FROM file('" + path + "', CSVWithNames, '" + columns() + "')")
	took := time.Since(began)
	var n uint64
	if err := conn.QueryRow(ctx, "SELECT count() FROM "+table).Scan(&n); err != nil {
		b.Fatal(err)
	}
	if n != uint64(electors) {
		b.Fatalf("the yardstick read %d electors of %d", n, electors)
	}
	exec("DROP TABLE " + table + " SYNC")
	return took
}

func columns() string {
	names := strings.Split(strings.TrimSpace(roll.Header), ",")
	for i, name := range names {
		names[i] = name + " String"
	}
	return strings.Join(names, ", ")
}

// readIntoGraph ends when a question about the place has the whole answer.
func readIntoGraph(b *testing.B, h *house, path string, round, electors int) time.Duration {
	in, err := os.Open(path)
	if err != nil {
		b.Fatal(err)
	}
	defer in.Close()
	out, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		b.Fatal(err)
	}
	defer out.Close()
	place := fmt.Sprintf("party-a/crm/voters-%d", round)
	began := time.Now()
	tee := h.tee(in, out, place)
	<-tee.done
	if tee.err != nil {
		b.Fatalf("tee: %v\n%s", tee.err, tee.said)
	}
	b.ReportMetric(time.Since(began).Seconds(), "tee-s")
	b.ReportMetric(float64(tee.cmd.ProcessState.SysUsage().(*syscall.Rusage).Maxrss)/(1<<10), "tee-peak-MiB")
	for {
		n, err := h.count(place)
		if err == nil && n == uint64(electors) {
			return time.Since(began)
		}
		if time.Since(began) > time.Hour {
			b.Fatalf("%d of %d electors after an hour: %v\n%s", n, electors, err, h.consumer.said)
		}
		<-time.After(50 * time.Millisecond)
	}
}

// peak is the most memory that a running process has had, in bytes.
func peak(b *testing.B, p *process) int64 {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		b.Fatal(err)
	}
	for line := range strings.Lines(string(status)) {
		if value, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			kb, err := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(value), "kB")), 10, 64)
			if err != nil {
				b.Fatal(err)
			}
			return kb << 10
		}
	}
	b.Fatal("no VmHWM")
	return 0
}
