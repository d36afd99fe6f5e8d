package main

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/rolltrace/rolltrace/schema"
	"github.com/rolltrace/rolltrace/schema/schematest"
)

// tapFile is the configuration of a sidecar with one tap.
func tapFile(d *desk, server *schematest.PostgresServer, listen, more string) string {
	return string(d.write("sidecar.yaml", fmt.Appendf(nil, `
places: [party-a/crm/voters]
taps:
  - listen: %s
    server: %s
    catalogue: %s
    window: 100ms
    tables:
      - table: voters
        place: party-a/crm/voters
        ids: [id]
        fields: [name, home=civic_address]
    clients:
      - user: postgres
        application: "weekly*"
        place: party-a/reports/{application}
        purpose: report
%s`, listen, server.Address(), server.URL("postgres"), more)))
}

// freeAddress is one that nobody listens on.
func freeAddress(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}

// Through the running sidecar: what a client reads is at the hub, with where it went and what for.
func TestTap(t *testing.T) {
	server := schematest.PostgresOf(t, schematest.PostgresConfig{})
	server.Run(t, "postgres", "CREATE TABLE voters (id int, name text, home text); INSERT INTO voters SELECT i, 'invented', 'nowhere' FROM generate_series(1, 100) i; CREATE TABLE donors AS SELECT id FROM voters WHERE id < 4")
	d := newDesk(t)
	hub := d.startHub()
	listen := freeAddress(t)
	run := d.sidecar("--config", tapFile(d, server, listen, ""))
	read := func(application, sql string) {
		t.Helper()
		conn, err := pgx.Connect(t.Context(), "postgres://postgres@"+listen+"/postgres?sslmode=disable&application_name="+application)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = conn.Close(t.Context()) }()
		if _, err := conn.PgConn().Exec(t.Context(), sql).ReadAll(); err != nil {
			t.Fatal(err)
		}
	}
	read("weekly-3", "SELECT id, name FROM voters WHERE id <= 3")
	read("somebody", "SELECT home FROM voters")
	movements := hub.closed(2)
	slices.SortFunc(movements, func(a, b *schema.Movement) int { return strings.Compare(string(a.Output), string(b.Output)) })
	weekly, somebody := movements[0], movements[1]
	if weekly.Output != "party-a/reports/weekly-3" || weekly.Kind != schema.Export || weekly.Purpose != "report" ||
		!slices.Equal(weekly.Fields, []string{"name"}) || weekly.RecordedBy != (schema.RecordedBy{User: "postgres", Host: "127.0.0.1"}) {
		t.Errorf("recorded %+v", weekly)
	}
	if have := hub.keys(weekly, 0); !slices.Equal(have, d.want(schema.ElectorID, "1", "2", "3")) {
		t.Errorf("electors %v", have)
	}
	if somebody.Output != "party-a/unmapped/postgres" || somebody.Kind != schema.Access || somebody.Electors.Mode != schema.Counted || somebody.Electors.Records != 100 {
		t.Errorf("recorded %+v", somebody)
	}

	// Other rules take effect for whoever is connected; a file that is not good changes nothing.
	d.write("sidecar.yaml", []byte("taps: nonsense\n"))
	_ = run.Process.Signal(syscall.SIGHUP)
	run.says("rules are not reloaded")
	text := tapFile(d, server, listen, "")
	content, err := os.ReadFile(text)
	if err != nil {
		t.Fatal(err)
	}
	d.write("sidecar.yaml", bytes.ReplaceAll(content, []byte("window: 100ms"), []byte("window: 200ms")))
	_ = run.Process.Signal(syscall.SIGHUP)
	run.says("taps[0].window: is another than the tap was started with: restart to change it")
	content = bytes.ReplaceAll(content, []byte("party-a/reports/{application}"), []byte("acme-mail/reports/{application}\n        entry: merge"))
	d.write("sidecar.yaml", bytes.ReplaceAll(content, []byte("    clients:"), []byte("      - {table: donors, place: party-a/money/donors, ids: [id]}\n    clients:")))
	_ = run.Process.Signal(syscall.SIGHUP)
	run.says("rules are reloaded")
	read("weekly-4", "SELECT id FROM voters WHERE id = 4")
	if !slices.ContainsFunc(hub.closed(3), func(m *schema.Movement) bool {
		return m.Output == "acme-mail/reports/weekly-4" && m.Kind == schema.Share
	}) {
		t.Error("the new rules are not in force")
	}
	read("weekly-5", "SELECT id FROM donors; INSERT INTO donors VALUES (7)")
	came := hub.closed(5)
	if !slices.ContainsFunc(came, func(m *schema.Movement) bool {
		return m.Output == "acme-mail/reports/weekly-5" && m.Inputs[0].Place == "party-a/money/donors"
	}) {
		t.Error("the new table is not known")
	}
	if !slices.ContainsFunc(came, func(m *schema.Movement) bool {
		return m.Kind == schema.Merge && m.Output == "party-a/money/donors" && slices.Equal(hub.keys(m, 0), d.want(schema.ElectorID, "7"))
	}) {
		t.Error("the entry is no merge")
	}
	run.stop()
}

// What is wrong with a tap is said at the start, in one line that names the setting.
func TestTapSettings(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"no server": {"taps: [{listen: '127.0.0.1:1'}]", "taps[0].server: want the Postgres server"},
		"unknown":   {"taps: [{listen: '127.0.0.1:1', sever: x}]", `unknown key "taps[0].sever", did you mean server?`},
		"place":     {"taps: [{listen: '127.0.0.1:1', server: 'h:1', catalogue: 'postgres://h', tables: [{table: v, place: nowhere}]}]", "taps[0].tables[0]: place: \"nowhere\""},
		"rule":      {"taps: [{listen: '127.0.0.1:1', server: 'h:1', clients: [{place: x}]}]", "taps[0].clients[0].place"},
		"TLS":       {"taps: [{listen: '127.0.0.1:1', server: 'h:1', server_tls: maybe}]", "taps[0].server_tls: \"maybe\": want disable or require or verify-full"},
		"not alone": {"taps: [{listen: '0.0.0.0:1', server: 'h:1'}]", "wants TLS"},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDesk(t)
			e := d.run(nil, append([]string{"run", "--config", d.write("sidecar.yaml", []byte(c.text+"\n"))}, d.settings()...)...)
			if e.code == 0 || !strings.Contains(e.stderr, c.want) {
				t.Errorf("exit code %d, said %q, want %q", e.code, e.stderr, c.want)
			}
		})
	}
}

// A sidecar covers the places of its taps' tables without being told so once more.
func TestPlacesOfTablesAreCovered(t *testing.T) {
	cfg := settings{Places: []string{"party-a/files/lists", "party-a/crm/voters"}}
	cfg.Taps = []tapSettings{{Tables: []tableSettings{{Place: "party-a/crm/voters"}, {Place: "party-a/money/donors"}}}}
	want := []schema.Place{"party-a/files/lists", "party-a/crm/voters", "party-a/money/donors"}
	if places := cfg.covers(); !slices.Equal(places, want) {
		t.Errorf("it covers %v, want %v", places, want)
	}
}
