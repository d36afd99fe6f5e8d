package pgtap_test

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

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
