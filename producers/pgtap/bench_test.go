package pgtap_test

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	dto "github.com/prometheus/client_model/go"

	"github.com/rolltrace/rolltrace/producers/outbox"
	"github.com/rolltrace/rolltrace/producers/pgtap"
	"github.com/rolltrace/rolltrace/producers/pgtap/statement"
)

const (
	benchRounds  = 5
	benchSeconds = "2"
)

// startPgBouncer starts a PgBouncer in session mode in front of the server and returns its address.
func startPgBouncer(b *testing.B, server string) string {
	b.Helper()
	path, err := exec.LookPath("pgbouncer")
	if err != nil {
		path = "/usr/sbin/pgbouncer"
	}
	if _, err := os.Stat(path); err != nil {
		b.Fatal("start PgBouncer: this machine has none: install the package pgbouncer (Debian, Ubuntu: apt-get install pgbouncer)")
	}
	dir, err := os.MkdirTemp("", "rolltrace-pgbouncer-")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = os.RemoveAll(dir) })
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	address := l.Addr().String()
	_ = l.Close()
	host, port, _ := net.SplitHostPort(server)
	_, own, _ := net.SplitHostPort(address)
	settings := fmt.Sprintf(`[databases]
* = host=%s port=%s
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = %s
unix_socket_dir =
auth_type = trust
auth_file = %s/users
pool_mode = session
max_client_conn = 500
default_pool_size = 150
ignore_startup_parameters = extra_float_digits,options
log_connections = 0
log_disconnections = 0
`, host, port, own, dir)
	for name, content := range map[string]string{"users": "\"postgres\" \"\"\n", "ini": settings} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644); err != nil {
			b.Fatal(err)
		}
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		b.Fatal(err)
	}
	args := []string{filepath.Join(dir, "ini")}
	if os.Getuid() == 0 {
		args = append([]string{"-u", "postgres"}, args...)
	}
	cmd := exec.Command(path, args...)
	var said bytes.Buffer
	cmd.Stderr = &said
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		_ = cmd.Wait()
	})
	await(b, func() bool {
		conn, err := net.Dial("tcp", address)
		if err == nil {
			_ = conn.Close()
		}
		return err == nil
	})
	return "postgres://postgres@" + address + "/"
}

var tpsPattern = regexp.MustCompile(`(?m)^tps = ([0-9.]+)`)

// tps is what pgbench reaches.
func tps(b *testing.B, bn *bench, url, script, mode string, clients int) float64 {
	b.Helper()
	args := []string{"-n", "-M", mode, "-c", strconv.Itoa(clients), "-j", "2", "-T", benchSeconds}
	if script == "" {
		args = append(args, "-S")
	} else {
		args = append(args, "-f", script)
	}
	out := bn.tool("", "", "pgbench", append(args, url)...)
	found := tpsPattern.FindStringSubmatch(out)
	if found == nil || !strings.Contains(out, "failed transactions: 0 ") {
		b.Fatalf("pgbench: %s", out)
	}
	value, err := strconv.ParseFloat(found[1], 64)
	if err != nil {
		b.Fatal(err)
	}
	return value
}

func median(values []float64) float64 {
	slices.Sort(values)
	return values[len(values)/2]
}

// against reports the ratio of the medians of interleaved rounds.
func against(b *testing.B, tap, peer func() float64, unit string) {
	b.Helper()
	for b.Loop() {
		var ours, theirs []float64
		for range benchRounds {
			theirs = append(theirs, peer())
			ours = append(ours, tap())
		}
		b.Logf("tap %.0f, peer %.0f %s", ours, theirs, unit)
		b.ReportMetric(median(ours), unit)
		b.ReportMetric(median(theirs), "yardstick-"+unit)
		b.ReportMetric(median(ours)/median(theirs), "ratio")
	}
}

// pgbench -S on a table that is not configured, and single rows of one that is, through the tap and through PgBouncer.
func BenchmarkAgainstPgBouncer(b *testing.B) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(2 * runtime.NumCPU())) // as rolltrace-sidecar run has it
	bn, database := newRecordingBench(b, func(cfg *pgtap.Config) {
		cfg.Window, cfg.WindowKeys, cfg.Analyst = time.Hour, 1<<22, statement.NewParser()
	})
	bn.server.Run(b, database, "INSERT INTO voters SELECT i, 'invented ' || i, NULL, i % 7, NULL FROM generate_series(1001, 2000000) i; VACUUM ANALYZE voters")
	if out := bn.tool("", "", "pgbench", "-i", "-q", "-s", "5", bn.server.URL(database)); !strings.Contains(out, "done in") {
		b.Fatal(out)
	}
	bouncer := startPgBouncer(b, bn.server.Address()) + database + "?sslmode=disable"
	// What was loaded is on the disk: else its way there is in the way of every sync.
	bn.server.Run(b, database, "CHECKPOINT")
	syscall.Sync()
	statement := "SELECT id, name FROM voters WHERE id = 1"
	if _, err := connect(b, bn.url(database)).Exec(b.Context(), statement); err != nil { // the grammar is there, as when a tap has started
		b.Fatal(err)
	}
	scripts := map[string]string{"unconfigured": "", "fresh": `\set id random(1, 2000000)` + "\nSELECT id, name FROM voters WHERE id = :id;\n",
		"known": `\set id random(1, 500)` + "\nSELECT id, name FROM voters WHERE id = :id;\n"}
	for _, name := range []string{"unconfigured", "fresh", "known"} {
		file := ""
		if scripts[name] != "" {
			file = filepath.Join(b.TempDir(), name)
			if err := os.WriteFile(file, []byte(scripts[name]), 0o600); err != nil {
				b.Fatal(err)
			}
		}
		for _, mode := range []string{"simple", "prepared"} {
			for _, clients := range []int{8, 64} {
				b.Run(fmt.Sprintf("%s/%s/%d", name, mode, clients), func(b *testing.B) {
					against(b,
						func() float64 { return tps(b, bn, bn.url(database), file, mode, clients) },
						func() float64 { return tps(b, bn, bouncer, file, mode, clients) }, "tps")
				})
			}
		}
	}
}

// How long a result with new identifiers waits for the disk, against a commit of the outbox under the same load: one after the
// other without a pause, so that a cycle is the time by their number.
func BenchmarkAddedLatency(b *testing.B) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(2 * runtime.NumCPU())) // as rolltrace-sidecar run has it
	metrics, written := pgtap.NewMetrics(nil), outbox.NewMetrics(nil)
	bn, database := newRecordingBench(b, nil)
	bn.stop()
	bn.outbox = openOutbox(b, func(cfg *outbox.Config) { cfg.Metrics = written })
	bn.start(recording(bn, func(cfg *pgtap.Config) {
		cfg.Window, cfg.WindowKeys, cfg.Metrics = time.Hour, 1<<22, metrics
	}))
	bn.server.Run(b, database, "INSERT INTO voters SELECT i, 'invented ' || i, NULL, i % 7, NULL FROM generate_series(1001, 1000000) i; VACUUM ANALYZE voters; CHECKPOINT")
	syscall.Sync()
	if _, err := connect(b, bn.url(database)).Exec(b.Context(), "SELECT id, name FROM voters WHERE id = 1"); err != nil {
		b.Fatal(err)
	}
	script := filepath.Join(b.TempDir(), "fresh")
	if err := os.WriteFile(script, []byte("\\set id random(1, 1000000)\nSELECT id, name FROM voters WHERE id = :id;\n"), 0o600); err != nil {
		b.Fatal(err)
	}
	for _, clients := range []int{8, 64} {
		b.Run(strconv.Itoa(clients), func(b *testing.B) {
			for b.Loop() {
				var waits, cycles []float64
				for range benchRounds {
					before := testutil.ToFloat64(written.Commits)
					waited, results := observed(b, metrics.Latency)
					began := time.Now()
					tps(b, bn, bn.url(database), script, "prepared", clients)
					elapsed := time.Since(began).Seconds()
					sum, count := observed(b, metrics.Latency)
					waits = append(waits, 1000*(sum-waited)/(count-results))
					cycles = append(cycles, 1000*elapsed/(testutil.ToFloat64(written.Commits)-before))
				}
				b.ReportMetric(median(waits), "added-ms")
				b.ReportMetric(median(cycles), "cycle-ms")
				b.ReportMetric(median(waits)/median(cycles), "ratio")
			}
		})
	}
}

// observed are the sum and the number of what a histogram has seen.
func observed(b *testing.B, h prometheus.Histogram) (sum, count float64) {
	b.Helper()
	var m dto.Metric
	if err := h.Write(&m); err != nil {
		b.Fatal(err)
	}
	return m.GetHistogram().GetSampleSum(), float64(m.GetHistogram().GetSampleCount())
}

// COPY of the roll through the tap, keys durable first, and direct.
func BenchmarkCopy(b *testing.B) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(2 * runtime.NumCPU())) // as rolltrace-sidecar run has it
	const electors = 10_000_000
	bn, database := newRecordingBench(b, func(cfg *pgtap.Config) { cfg.Analyst = statement.NewParser() })
	bn.server.Run(b, database, fmt.Sprintf("INSERT INTO voters SELECT i, 'invented ' || i, NULL, i %% 7, NULL FROM generate_series(1001, %d) i; VACUUM ANALYZE voters", electors))
	for _, format := range []string{"text", "csv", "binary"} {
		b.Run(format, func(b *testing.B) {
			rate := func(url string) float64 {
				began := time.Now()
				conn := connect(b, url).PgConn()
				tag, err := conn.CopyTo(b.Context(), io.Discard, "COPY voters (id, name, poll) TO STDOUT WITH (FORMAT "+format+")")
				if err != nil || tag.RowsAffected() != electors {
					b.Fatal(tag, err)
				}
				_ = conn.Close(b.Context())
				return electors / time.Since(began).Seconds()
			}
			against(b, func() float64 { return rate(bn.url(database)) }, func() float64 { return rate(bn.server.URL(database)) }, "rows/s")
		})
	}
}
