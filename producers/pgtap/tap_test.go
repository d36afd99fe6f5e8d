package pgtap_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/rolltrace/rolltrace/producers/outbox"
	"github.com/rolltrace/rolltrace/producers/pgtap"
	"github.com/rolltrace/rolltrace/schema"
	"github.com/rolltrace/rolltrace/schema/schematest"
)

// patience bounds every wait for an event.
const patience = 60 * time.Second

// A bench is a tap in front of a server, with an outbox of its own.
type bench struct {
	t      testing.TB
	server *schematest.PostgresServer
	outbox *outbox.Outbox
	tap    *pgtap.Tap
	stop   func() // ends the tap, and waits until it has ended
}

func openOutbox(t testing.TB, change func(*outbox.Config)) *outbox.Outbox {
	t.Helper()
	cfg := outbox.Config{Dir: filepath.Join(t.TempDir(), "outbox"), Org: "party-a", Sidecar: "field-db-1", Signer: schematest.Identity(1)}
	if change != nil {
		change(&cfg)
	}
	o, err := outbox.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := o.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return o
}

// newBench starts a tap in front of the server that the tests share, unless the change says otherwise.
func newBench(t testing.TB, change func(*pgtap.Config)) *bench {
	t.Helper()
	b := &bench{t: t, server: schematest.Postgres(t)}
	b.outbox = openOutbox(t, nil)
	b.start(change)
	return b
}

func (b *bench) start(change func(*pgtap.Config)) {
	b.t.Helper()
	cfg := pgtap.Config{Listen: "127.0.0.1:0", Server: b.server.Address(), Outbox: b.outbox}
	if change != nil {
		change(&cfg)
	}
	var err error
	if b.tap, err = pgtap.New(cfg); err != nil {
		b.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- b.tap.Run(ctx) }()
	stopped := false
	b.stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		if err := <-ended; err != nil {
			b.t.Error(err)
		}
	}
	b.t.Cleanup(b.stop)
	select {
	case <-b.tap.Ready():
	case err := <-ended:
		b.t.Fatal(err)
	}
}

// url is the connection string of a database through the tap.
func (b *bench) url(database string) string {
	return "postgres://postgres@" + b.tap.Address().String() + "/" + database + "?sslmode=disable"
}

// connect connects through the tap with pgx.
func (b *bench) connect(database string) *pgx.Conn {
	b.t.Helper()
	return connect(b.t, b.url(database))
}

func connect(t testing.TB, url string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	return conn
}

// tool runs one of Postgres' programs and returns everything that it wrote.
func (b *bench) tool(stdin, url, name string, args ...string) string {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.t.Context(), 2*patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, filepath.Join(b.server.Bin, name), args...)
	if url != "" {
		cmd.Args = append(cmd.Args, "-d", url)
	}
	cmd.Stdin = strings.NewReader(stdin)
	out, err := cmd.CombinedOutput()
	if err != nil {
		out = fmt.Appendf(out, "\n%v", err)
	}
	return string(out)
}

const script = `
\set VERBOSITY verbose
\pset null '(null)'
SELECT 1 AS one, 'two' AS two, NULL AS three;
SELECT generate_series(1, 5) \gdesc
CREATE TABLE item (id int PRIMARY KEY, name text, data bytea);
INSERT INTO item SELECT i, 'name ' || i, decode(repeat('ab', i), 'hex') FROM generate_series(1, 3000) i;
SELECT * FROM item ORDER BY id;
SELECT 1; SELECT 2 \; SELECT 3;
SELECT no_such_column FROM item;
BEGIN;
DECLARE c CURSOR FOR SELECT id, name FROM item ORDER BY id;
FETCH 3 FROM c;
FETCH BACKWARD 1 FROM c;
MOVE 10 FROM c;
FETCH ALL FROM c;
SELECT 1/0;
SELECT 1;
ROLLBACK;
\bind 7 'seven'
SELECT $1::int + 1, $2 \g
\copy item TO STDOUT
\copy (SELECT id, name FROM item WHERE id < 10) TO STDOUT WITH (FORMAT csv, HEADER)
CREATE TABLE other (LIKE item);
\copy other FROM STDIN
1	one	\\x01
2	two	\\x02
\.
\copy other FROM STDIN
x	bad	\\x01
\.
COPY other FROM STDIN WITH (FORMAT csv);
3,three,\x03
\.
SELECT * FROM other ORDER BY id;
PREPARE p(int) AS SELECT name FROM item WHERE id = $1;
EXECUTE p(7);
EXPLAIN (COSTS OFF) SELECT * FROM item WHERE id = 7;
SHOW application_name;
DO $$ BEGIN RAISE NOTICE 'a notice'; END $$;
LISTEN channel;
NOTIFY channel, 'payload';
SELECT count(*) FROM item;
SET search_path TO nowhere;
SELECT count(*) FROM item;
RESET search_path;
\d item
SELECT repeat('x', 3000000);
DROP TABLE item, other;
`

// What a client sees is the same as without the tap, to the byte, apart from process ids.
func TestPsqlSeesTheSame(t *testing.T) {
	b := newBench(t, nil)
	pids := func(out string) string {
		if _, after, ok := strings.Cut(out, "received from server process with PID "); ok {
			pid, _, _ := strings.Cut(after, ".")
			out = strings.ReplaceAll(out, "PID "+pid, "PID …")
		}
		return out
	}
	direct := b.server.Database(t)
	want := pids(b.tool(script, b.server.URL(direct), "psql", "-X", "-a"))
	through := b.server.Database(t)
	have := pids(b.tool(script, b.url(through), "psql", "-X", "-a"))
	if len(want) < 3_000_000 || !strings.Contains(want, "a notice") {
		t.Fatalf("psql without the tap wrote %d bytes: %.2000s", len(want), want)
	}
	same(t, have, want)
}

func same(t *testing.T, have, want string) {
	t.Helper()
	if have == want {
		return
	}
	at := 0
	for at < len(have) && at < len(want) && have[at] == want[at] {
		at++
	}
	from := max(0, at-200)
	t.Errorf("differs at byte %d of %d and %d: have …%q, want …%q", at, len(have), len(want),
		have[from:min(len(have), at+200)], want[from:min(len(want), at+200)])
}

// pg_dump, pg_restore, vacuumdb and pgbench work through the tap.
func TestPostgresToolsThroughTheTap(t *testing.T) {
	b := newBench(t, nil)
	database := b.server.Database(t)
	if out := b.tool("", "", "pgbench", "-i", "-q", "-s", "1", b.url(database)); !strings.Contains(out, "done in") {
		t.Fatalf("pgbench -i: %s", out)
	}
	same(t, dump(b, b.url(database)), dump(b, b.server.URL(database)))
	for _, mode := range []string{"simple", "extended", "prepared"} {
		out := b.tool("", "", "pgbench", "-n", "-M", mode, "-c", "4", "-t", "200", b.url(database))
		if !strings.Contains(out, "number of transactions actually processed: 800/800") || !strings.Contains(out, "failed transactions: 0") {
			t.Errorf("pgbench -M %s: %s", mode, out)
		}
	}
	archive := filepath.Join(t.TempDir(), "archive")
	if out := b.tool("", b.url(database), "pg_dump", "-Fc", "-f", archive); out != "" {
		t.Errorf("pg_dump -Fc: %s", out)
	}
	restored := b.server.Database(t)
	if out := b.tool("", b.url(restored), "pg_restore", "-j", "2", archive); out != "" {
		t.Errorf("pg_restore: %s", out)
	}
	same(t, dump(b, b.server.URL(restored)), dump(b, b.server.URL(database)))
	if out := b.tool("", b.url(restored), "vacuumdb", "-q", "-z"); out != "" {
		t.Errorf("vacuumdb: %s", out)
	}
}

// dump is what pg_dump writes, without the key that it makes up each time.
func dump(b *bench, url string) string {
	lines := strings.SplitAfter(b.tool("", url, "pg_dump"), "\n")
	return strings.Join(slices.DeleteFunc(lines, func(line string) bool {
		return strings.HasPrefix(line, `\restrict `) || strings.HasPrefix(line, `\unrestrict `)
	}), "")
}

// A pipeline with an error in the middle: nothing is answered until Sync, and the tap is not out of step after it.
func TestPipelines(t *testing.T) {
	b := newBench(t, nil)
	conn := b.connect("postgres").PgConn()
	for range 3 {
		pipeline := conn.StartPipeline(t.Context())
		for i := range 20 {
			sql := "SELECT generate_series(1, 100)"
			if i == 10 {
				sql = "SELECT 1/0"
			}
			pipeline.SendQueryParams(sql, nil, nil, nil, nil)
		}
		if err := pipeline.Sync(); err != nil {
			t.Fatal(err)
		}
		pipeline.SendQueryParams("SELECT 'after'", nil, nil, nil, nil)
		if err := pipeline.Sync(); err != nil {
			t.Fatal(err)
		}
		rows, faults := 0, 0
		for {
			results, err := pipeline.GetResults()
			if results == nil && err == nil {
				break
			}
			if err != nil {
				var fault *pgconn.PgError
				if !errors.As(err, &fault) || fault.Code != "22012" {
					t.Fatal(err)
				}
				faults++
				continue
			}
			if reader, ok := results.(*pgconn.ResultReader); ok {
				for reader.NextRow() {
					rows++
				}
				if _, err := reader.Close(); err != nil {
					var fault *pgconn.PgError
					if !errors.As(err, &fault) || fault.Code != "22012" {
						t.Fatal(err)
					}
					faults++
				}
			}
		}
		if err := pipeline.Close(); err != nil {
			t.Fatal(err)
		}
		if rows != 1001 || faults != 1 {
			t.Fatalf("%d rows, %d errors", rows, faults)
		}
	}
}

// An Execute that nobody has described gets its description from the tap, and the client sees nothing of it.
func TestExecuteWithoutDescribe(t *testing.T) {
	b := newBench(t, nil)
	for name, url := range map[string]string{"direct": b.server.URL("postgres"), "through": b.url("postgres")} {
		t.Run(name, func(t *testing.T) {
			raw := dialRaw(t, url)
			raw.send('P', "\x00SELECT generate_series(1, 4)\x00\x00\x00")
			raw.send('B', "\x00\x00\x00\x00\x00\x00\x00\x00")
			raw.send('E', "\x00\x00\x00\x00\x03")
			raw.send('E', "\x00\x00\x00\x00\x00")
			raw.send('E', "nowhere\x00\x00\x00\x00\x00")
			raw.send('E', "\x00\x00\x00\x00\x00")
			raw.send('S', "")
			raw.send('Q', "SELECT 1\x00")
			raw.expect("12DDDsDCEZTDCZ")
			// In a transaction a portal goes on after Sync.
			raw.send('Q', "BEGIN\x00")
			raw.send('P', "s\x00SELECT generate_series(1, 4)\x00\x00\x00")
			raw.send('B', "p\x00s\x00\x00\x00\x00\x00\x00\x00")
			raw.send('D', "Pp\x00")
			raw.send('E', "p\x00\x00\x00\x00\x02")
			raw.send('S', "")
			raw.send('E', "p\x00\x00\x00\x00\x01")
			raw.send('H', "")
			raw.expect("CZ12TDDsZDs")
			raw.send('C', "Pp\x00")
			raw.send('S', "")
			raw.send('Q', "COMMIT\x00")
			raw.expect("3ZCZ")
		})
	}
}

// COPY in the extended protocol: the Sync before the data is read by the COPY, and has no answer.
func TestCopyInExtendedProtocol(t *testing.T) {
	b := newBench(t, nil)
	for name, url := range map[string]string{"direct": b.server.URL("postgres"), "through": b.url("postgres")} {
		t.Run(name, func(t *testing.T) {
			raw := dialRaw(t, url)
			raw.send('Q', "CREATE TEMP TABLE item (id int)\x00")
			raw.expect("CZ")
			copyIn := func() {
				raw.send('P', "\x00COPY item FROM STDIN\x00\x00\x00")
				raw.send('B', "\x00\x00\x00\x00\x00\x00\x00\x00")
				raw.send('D', "P\x00")
				raw.send('E', "\x00\x00\x00\x00\x00")
				raw.send('S', "")
				raw.expect("12nG")
			}
			copyIn()
			raw.send('d', "1\n")
			raw.send('d', "2\n")
			raw.send('c', "")
			raw.send('S', "")
			raw.expect("CZ")
			copyIn()
			raw.send('d', "one\n")
			raw.send('d', "2\n")
			raw.send('c', "")
			raw.send('S', "")
			raw.expect("EZ")
			copyIn()
			raw.send('d', "1\n")
			raw.send('f', "no more\x00")
			raw.send('S', "")
			raw.send('Q', "SELECT id FROM item\x00")
			raw.expect("EZTDDCZ")
			// In the simple protocol what is sent after an error is ignored.
			raw.send('Q', "COPY item FROM STDIN\x00")
			raw.expect("G")
			raw.send('d', "one\n")
			raw.send('d', "2\n")
			raw.send('c', "")
			raw.send('Q', "SELECT id FROM item; COPY item TO STDOUT\x00")
			raw.expect("EZTDDCHddcCZ")
		})
	}
}

// A cancel request reaches the server, and a client that goes away takes its session with it.
func TestCancel(t *testing.T) {
	b := newBench(t, nil)
	conn := b.connect("postgres")
	done := make(chan error, 1)
	go func() {
		_, err := conn.Exec(context.Background(), "SELECT pg_sleep(600)")
		done <- err
	}()
	await(t, func() bool {
		return b.server.Run(t, "postgres", "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'") == "1\n"
	})
	if err := conn.PgConn().CancelRequest(t.Context()); err != nil {
		t.Fatal(err)
	}
	var fault *pgconn.PgError
	if err := <-done; !errors.As(err, &fault) || fault.Code != "57014" {
		t.Errorf("%v", err)
	}
	var one int
	if err := conn.QueryRow(t.Context(), "SELECT 1").Scan(&one); err != nil || one != 1 {
		t.Errorf("after it: %d, %v", one, err)
	}
}

// What is no session is answered as Postgres answers it.
func TestStrangeBeginnings(t *testing.T) {
	b := newBench(t, nil)
	for name, c := range map[string][]byte{
		"SSL":               []byte("\x00\x00\x00\x08\x04\xd2\x16\x2f"),
		"version 2":         []byte("\x00\x00\x00\x09\x00\x02\x00\x00\x00"),
		"version 3.9":       packet("user", "postgres", "version", "3.9"),
		"too short":         []byte("\x00\x00\x00\x04\x00\x03\x00\x00"),
		"too long":          []byte("\x7f\xff\xff\xff\x00\x03\x00\x00"),
		"direct TLS":        []byte("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"),
		"HTTP":              []byte("GET / HTTP/1.1\r\n\r\n"),
		"no user":           []byte("\x00\x00\x00\x09\x00\x03\x00\x00\x00"),
		"unknown database":  packet("user", "postgres", "database", "no_such_database"),
		"unknown parameter": packet("user", "postgres", "_pq_.none", "1", "database", "no_such_database"),
		"not well formed":   []byte("\x00\x00\x00\x0d\x00\x03\x00\x00user\x00"),
		"cancel of nobody":  []byte("\x00\x00\x00\x10\x04\xd2\x16\x2e\x00\x00\x00\x00\x00\x00\x00\x00"),
		"long cancel":       append([]byte("\x00\x00\x01\x0c\x04\xd2\x16\x2e\x00\x00\x00\x00"), make([]byte, 256)...),
	} {
		t.Run(name, func(t *testing.T) {
			if name == "version 3.9" {
				c = packet("user", "postgres", "database", "no_such_database")
				c[7] = 9
			}
			want, have := answerTo(t, b.server.Address(), c), answerTo(t, b.tap.Address().String(), c)
			if !bytes.Equal(have, want) {
				t.Errorf("have %q, want %q", have, want)
			}
		})
	}
}

func packet(parameters ...string) []byte {
	body := append([]byte("\x00\x03\x00\x00"), strings.Join(parameters, "\x00")...)
	body = append(body, 0, 0)
	return append([]byte{0, 0, 0, byte(len(body) + 4)}, body...)
}

// answerTo is all that a server says to what a client sends before it goes away.
func answerTo(t *testing.T, address string, sent []byte) []byte {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	_ = conn.SetDeadline(time.Now().Add(patience))
	if _, err := conn.Write(sent); err != nil {
		t.Fatal(err)
	}
	_ = conn.(*net.TCPConn).CloseWrite() // refused when the answer's end has come already
	answer, err := io.ReadAll(conn)
	if err != nil && !strings.Contains(err.Error(), "reset") {
		t.Fatal(err)
	}
	return answer
}

// Replication is refused unless it is allowed.
func TestReplicationIsRefused(t *testing.T) {
	b := newBench(t, nil)
	_, err := pgconn.Connect(t.Context(), b.url("postgres")+"&replication=database")
	var fault *pgconn.PgError
	if !errors.As(err, &fault) || fault.Code != "42501" {
		t.Errorf("%v", err)
	}
}

// Where it is allowed it is a movement of all that the database's tables hold, and works as without the tap.
func TestReplicationIsRecorded(t *testing.T) {
	b, database := newRecordingBench(t, func(cfg *pgtap.Config) { cfg.Replication = true })
	conn, err := pgconn.Connect(t.Context(), b.url(database)+"&replication=database&application_name=replica")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Exec(t.Context(), "IDENTIFY_SYSTEM; ").ReadAll(); err != nil {
		t.Error(err)
	}
	if _, err := conn.Exec(t.Context(), "CREATE_REPLICATION_SLOT s TEMPORARY LOGICAL pgoutput").ReadAll(); err != nil {
		t.Error(err)
	}
	// CopyBoth, until the client ends it.
	raw := conn.Frontend()
	raw.Send(&pgproto3.Query{String: "START_REPLICATION SLOT s LOGICAL 0/0 (proto_version '1', publication_names 'p')"})
	if err := raw.Flush(); err != nil {
		t.Fatal(err)
	}
	for state := 0; state < 2; {
		message, err := raw.Receive()
		if err != nil {
			t.Fatal(err)
		}
		switch message.(type) {
		case *pgproto3.CopyBothResponse:
			raw.Send(&pgproto3.CopyDone{})
			if err := raw.Flush(); err != nil {
				t.Fatal(err)
			}
			state = 1
		case *pgproto3.ReadyForQuery:
			if state != 1 {
				t.Fatal("no CopyBoth")
			}
			state = 2
		}
	}
	if _, err := conn.Exec(t.Context(), "SELECT 1").ReadAll(); err != nil {
		t.Error(err)
	}
	base := filepath.Join(t.TempDir(), "base")
	if out := b.tool("", b.url("postgres"), "pg_basebackup", "-D", base, "-c", "fast", "-X", "stream"); out != "" {
		t.Errorf("pg_basebackup: %s", out)
	}
	if err := conn.Close(t.Context()); err != nil {
		t.Error(err)
	}
	b.stop()
	r := read(t, b.outbox)
	m := r.to("party-a/reports/replica")
	if len(m) != 1 || m[0].State != schema.Closed || m[0].Electors.Mode != schema.Whole || m[0].Inputs[0].Place != voters {
		t.Errorf("recorded %+v", m)
	}
	if m := r.to("party-a/reports/pg_basebackup"); len(m) == 0 || m[0].Electors.Mode != schema.Whole {
		t.Errorf("of pg_basebackup: %+v", m)
	}
}

// Told to end, the tap ends idle sessions as Postgres does, and lets the others finish.
func TestDrain(t *testing.T) {
	b := newBench(t, nil)
	idle, busy := b.connect("postgres"), b.connect("postgres")
	tx, err := busy.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		b.stop()
	}()
	_, err = idle.PgConn().ReceiveMessage(t.Context())
	var fault *pgconn.PgError
	if !errors.As(err, &fault) || fault.Code != "57P01" {
		t.Errorf("idle: %v", err)
	}
	var n int
	if err := tx.QueryRow(t.Context(), "SELECT count(*) FROM generate_series(1, 100000)").Scan(&n); err != nil || n != 100000 {
		t.Errorf("busy: %d, %v", n, err)
	}
	if err := tx.Commit(t.Context()); err != nil {
		t.Errorf("busy: %v", err)
	}
	<-ended
}

// await waits until something is so.
func await(t testing.TB, so func() bool) {
	t.Helper()
	late := time.After(patience)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !so() {
		select {
		case <-tick.C:
		case <-late:
			t.Fatal("it did not happen")
		}
	}
}
