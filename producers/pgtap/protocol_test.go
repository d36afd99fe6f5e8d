package pgtap_test

import (
	"encoding/binary"
	"fmt"
	"io"
	"maps"
	"net"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/rolltrace/rolltrace/producers/pgtap"
	"github.com/rolltrace/rolltrace/schema"
	"github.com/rolltrace/rolltrace/schema/schematest"
)

// What comes back of messages of the protocol, in parts, in pipelines with errors, cancelled and failed half-way, is what is
// recorded: no row more, and none less.
func TestProtocolCorpus(t *testing.T) {
	b, database := newRecordingBench(t, nil)
	const (
		ordered = "SELECT id, name FROM voters WHERE id BETWEEN 101 AND 110 ORDER BY id"
		cast    = "SELECT id::text FROM voters WHERE id BETWEEN 101 AND 110 ORDER BY id"
		failing = "SELECT id, 1 / (id - 105) FROM (SELECT id FROM voters WHERE id BETWEEN 101 AND 110 ORDER BY id OFFSET 0) v"
		parse   = "P\x00%s\x00\x00\x00"
		bind    = "B\x00\x00\x00\x00\x00\x00\x00\x00"
		all     = "E\x00\x00\x00\x00\x00"
	)
	execute := func(n int) string { return fmt.Sprintf("E\x00\x00\x00\x00%c", n) }
	p := func(sql string) string { return fmt.Sprintf(parse, sql) }
	cases := map[string]struct {
		send []string // messages, each with its type before its body
		rows int
	}{
		"parts":                {[]string{p(ordered), bind, execute(3), execute(2), "S"}, 5},
		"parts described":      {[]string{p(cast), bind, "DP\x00", execute(3), execute(1), execute(9), "S"}, 10},
		"parts in transaction": {[]string{"QBEGIN\x00", "Ps\x00" + ordered + "\x00\x00\x00", "Bp\x00s\x00\x00\x00\x00\x00\x00\x00", "Ep\x00\x00\x00\x00\x04", "S", "Ep\x00\x00\x00\x00\x03", "S", "QCOMMIT\x00"}, 7},
		"two portals": {[]string{"QBEGIN\x00", "Ps\x00" + ordered + "\x00\x00\x00", "Bp\x00s\x00\x00\x00\x00\x00\x00\x00", "Bq\x00s\x00\x00\x00\x00\x00\x00\x00",
			"Ep\x00\x00\x00\x00\x02", "Eq\x00\x00\x00\x00\x03", "Ep\x00\x00\x00\x00\x02", "S", "QROLLBACK\x00"}, 4},
		"portal is gone":    {[]string{p(ordered), bind, execute(3), "S", all, "S"}, 3},
		"binary":            {[]string{p(ordered), "B\x00\x00\x00\x00\x00\x00\x00\x01\x00\x01", all, "S"}, 10},
		"statement is read": {[]string{"Ps\x00" + ordered + "\x00\x00\x00", "DSs\x00", "S", "B\x00s\x00\x00\x00\x00\x00\x00\x01\x00\x01", execute(2), "S"}, 2},
		"pipeline":          {[]string{p(ordered), bind, execute(1), p(cast), bind, execute(4), "S"}, 4},
		"pipeline error":    {[]string{p(ordered), bind, execute(2), p("SELECT 1 / 0"), bind, all, p(ordered), bind, all, "S", p(ordered), bind, execute(3), "S"}, 3},
		"pipeline fails":    {[]string{p(failing), bind, all, p(ordered), bind, all, "S"}, 4},
		"parse error":       {[]string{p("SELECT id FROM"), bind, all, "S", p(ordered), bind, execute(1), "S"}, 1},
		"fails half-way":    {[]string{"Q" + failing + "\x00"}, 4},
		"empty":             {[]string{p(""), bind, all, p(ordered), bind, execute(1), "S"}, 1},
		"flushed":           {[]string{p(ordered), bind, execute(2), "H", execute(2), "H", "S"}, 4},
		"closed":            {[]string{p(ordered), bind, execute(2), "CP\x00", all, "S"}, 2},
		"none":              {[]string{p(ordered), bind, "DP\x00", "S"}, 0},
		"copy":              {[]string{p("COPY (" + ordered + ") TO STDOUT"), bind, all, "S"}, 10},
		"deleted, undone":   {[]string{"QBEGIN\x00", p("DELETE FROM voters WHERE id BETWEEN 101 AND 110"), bind, execute(1), "S", "QROLLBACK\x00"}, 0},
	}
	came := map[string]map[string]bool{}
	for name, c := range cases {
		raw := dialRaw(t, b.url(database)+"&application_name=x")
		raw.send('Q', "SET application_name = '"+strings.NewReplacer(" ", "-", ",", "").Replace(name)+"'\x00")
		raw.expect("CSZ")
		ends := 0
		came[name] = map[string]bool{}
		for _, m := range c.send {
			raw.send(m[0], m[1:])
			if m[0] == 'S' || m[0] == 'Q' {
				ends++
			}
		}
		for ends > 0 {
			kind, body := raw.receive()
			id := ""
			switch kind {
			case 'Z':
				ends--
			case 'D':
				value := body[6 : 6+binary.BigEndian.Uint32(body[2:])]
				if id = string(value); len(value) == 8 { // in binary
					id = fmt.Sprint(binary.BigEndian.Uint64(value))
				}
			case 'd':
				id, _, _ = strings.Cut(string(body), "\t")
			}
			if id != "" {
				came[name][id] = true
			}
		}
	}
	// Cancelled in the middle: what has come is a beginning of what is recorded.
	b.server.Run(t, database, "INSERT INTO voters SELECT i, repeat('x', 1000), NULL, 0, NULL FROM generate_series(1001, 100000) i")
	conn := b.as(database, "cancelled")
	results := conn.PgConn().Exec(t.Context(), "SELECT id, name FROM voters ORDER BY id")
	if !results.NextResult() || !results.ResultReader().NextRow() {
		t.Fatal("no row")
	}
	if err := conn.PgConn().CancelRequest(t.Context()); err != nil {
		t.Fatal(err)
	}
	rows := 1
	for results.ResultReader().NextRow() {
		rows++
	}
	if err := results.Close(); err == nil || !strings.Contains(err.Error(), "57014") {
		t.Errorf("cancelled: %v", err)
	}
	b.stop()
	r := read(t, b.outbox)
	for name, c := range cases {
		place := schema.Place("party-a/reports/" + strings.NewReplacer(" ", "-", ",", "").Replace(name))
		want := slices.Collect(maps.Keys(came[name]))
		if have := r.electors(place, schema.ElectorID); !slices.Equal(have, keysOf(schema.ElectorID, want...)) || len(want) != c.rows {
			t.Errorf("%s: %d electors, %d came, want %d", name, len(have), len(want), c.rows)
		}
	}
	m := r.to("party-a/reports/cancelled")
	if len(m) != 1 || m[0].Outcome != schema.Failed || int(m[0].Electors.Records) != rows || rows == 100_000 {
		t.Errorf("cancelled after %d rows: %+v", rows, m)
	}
}

// sessionsLeft are the goroutines that serve clients.
func sessionsLeft() int {
	stacks := make([]byte, 64<<20)
	stacks = stacks[:runtime.Stack(stacks, true)]
	n := 0
	for stack := range strings.SplitSeq(string(stacks), "\n\n") {
		if strings.Contains(stack, "pgtap.(*session)") || strings.Contains(stack, "pgtap.(*export)") || strings.Contains(stack, "pgtap.(*Tap).serve(") {
			n++
		}
	}
	return n
}

// Clients and servers that are killed in the middle of anything leave no goroutine and no connection, and the movements of their results are closed.
func TestNothingIsLeft(t *testing.T) {
	b := newBench(t, nil)
	b.stop()
	b.server = schematest.PostgresOf(t, schematest.PostgresConfig{})
	b.server.Run(t, "postgres", roll+"INSERT INTO voters SELECT i, repeat('x', 1000), NULL, 0, NULL FROM generate_series(1001, 100000) i")
	before := sessionsLeft()
	metrics := pgtap.NewMetrics(nil)
	b.start(recording(b, func(cfg *pgtap.Config) { cfg.Metrics, cfg.Drain = metrics, 200*time.Millisecond }))
	begin := func(application string) (raws []*raw) {
		for _, sql := range []string{
			"SELECT id, name FROM voters ORDER BY id", "COPY voters TO STDOUT", "SELECT pg_sleep(600)", "COPY voters (id) FROM STDIN",
			"BEGIN; DELETE FROM voters WHERE id > 100000", "SELECT id, pg_sleep(600) FROM voters", "SELECT id FROM voters WHERE id = 1",
		} {
			client := dialRaw(t, b.url("postgres"))
			client.send('Q', "SET application_name = '"+application+"'\x00")
			client.expect("CSZ")
			client.send('Q', sql+"\x00")
			if strings.HasPrefix(sql, "COPY voters (id)") {
				client.expect("G")
				client.send('d', "1\n2")
			}
			raws = append(raws, client)
		}
		raws[0].receive() // its rows come
		raws[0].receive()
		return raws
	}
	gone := func(who string) {
		t.Helper()
		await(t, func() bool { return sessionsLeft() == before && testutil.ToFloat64(metrics.Active) == 0 })
		if n := testutil.ToFloat64(metrics.Sessions); n == 0 {
			t.Errorf("%s: no sessions", who)
		}
	}
	clients := begin("client")
	for i, c := range clients {
		if i%2 == 0 {
			_ = c.conn.(*net.TCPConn).SetLinger(0) // as from a machine that has crashed
		}
		_ = c.conn.Close()
	}
	gone("clients")
	await(t, func() bool {
		return b.server.Run(t, "postgres", "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'client'") == "0\n"
	})
	reading := func(clients []*raw) []*raw { // who does not read is waited for
		for _, c := range clients {
			go func() { _, _ = io.Copy(io.Discard, c.conn) }()
		}
		return clients
	}
	clients = reading(begin("ended"))
	b.server.Run(t, "postgres", "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'ended'")
	gone("sessions that the server has ended")
	clients = append(clients, reading(begin("killed"))...)
	b.server.Kill()
	gone("the server")
	for _, c := range clients {
		_ = c.conn.Close()
	}
	b.stop()
	for _, m := range read(t, b.outbox).movements {
		if m.State != schema.Closed {
			t.Errorf("open: %+v", m)
		}
	}
}

// What the metrics say is what was done.
func TestMetrics(t *testing.T) {
	metrics := pgtap.NewMetrics(nil)
	b, database := newRecordingBench(t, func(cfg *pgtap.Config) { cfg.Metrics = metrics })
	conn, other := b.as(database, "first"), b.as(database, "second")
	if active := testutil.ToFloat64(metrics.Active); active != 2 {
		t.Errorf("%v sessions are open, want 2", active)
	}
	for _, c := range []*pgx.Conn{conn, other} {
		for range 2 {
			if _, err := c.PgConn().Exec(t.Context(), "SELECT id, name FROM voters WHERE id <= 10; SELECT name FROM voters WHERE id <= 5; SELECT * FROM other").ReadAll(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if _, err := conn.Exec(t.Context(), "INSERT INTO voters (id) VALUES (2001), (2002)"); err != nil {
		t.Fatal(err)
	}
	b.stop()
	for name, c := range map[string]struct{ have, want float64 }{
		"sessions":  {testutil.ToFloat64(metrics.Sessions), 2},
		"open":      {testutil.ToFloat64(metrics.Active), 0},
		"rows":      {testutil.ToFloat64(metrics.Rows), 60},
		"electors":  {testutil.ToFloat64(metrics.Electors), 22},
		"movements": {testutil.ToFloat64(metrics.Movements), 5},
		"blocked":   {testutil.ToFloat64(metrics.Blocked), 0},
	} {
		if c.have != c.want {
			t.Errorf("%s: %v, want %v", name, c.have, c.want)
		}
	}
	if n := testutil.CollectAndCount(metrics.Latency); n != 1 {
		t.Errorf("%d histograms", n)
	}
}
