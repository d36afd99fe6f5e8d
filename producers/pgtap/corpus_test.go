package pgtap_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/rolltrace/rolltrace/producers/pgtap"
	"github.com/rolltrace/rolltrace/producers/pgtap/catalogue"
	"github.com/rolltrace/rolltrace/schema"
)

// corpusRoll has electors whose identifiers are told from everything else by their form: 7 and six digits.
const corpusRoll = `
CREATE TABLE voters (id bigint PRIMARY KEY, name text, email text, poll int, note bytea);
INSERT INTO voters SELECT 7000000 + i, 'invented ' || chr(64 + i % 26), 'v' || 7000000 + i || '@example.org', i % 7, NULL FROM generate_series(1, 60) i;
CREATE TABLE donors (donor bigint PRIMARY KEY, amount int, id bigint);
INSERT INTO donors SELECT 7000000 + i, i * 10, 7000000 + i FROM generate_series(41, 80) i;
CREATE TABLE parts (id bigint, poll int) PARTITION BY LIST (poll);
CREATE TABLE parts_a PARTITION OF parts FOR VALUES IN (1, 2, 3);
CREATE TABLE parts_b PARTITION OF parts DEFAULT;
INSERT INTO parts SELECT 7000000 + i, i % 7 FROM generate_series(1, 30) i;
CREATE TABLE other (id int PRIMARY KEY, name text, poll int);
INSERT INTO other SELECT i, 'other ' || i, i % 7 FROM generate_series(1, 60) i;
CREATE SCHEMA alt;
CREATE TABLE alt.voters (id int, name text, poll int);
INSERT INTO alt.voters SELECT i, 'alt ' || i, 1 FROM generate_series(1, 5) i;
CREATE VIEW v_plain AS SELECT id, name, poll FROM voters;
CREATE VIEW v_cast AS SELECT id::text AS ident, upper(name) AS name FROM voters;
CREATE VIEW v_agg AS SELECT poll, count(*) AS n FROM voters GROUP BY poll;
CREATE VIEW v_join AS SELECT v.id AS voter, o.name AS label, o.id AS other FROM voters v JOIN other o ON o.id = v.poll;
CREATE VIEW v_union AS SELECT id FROM voters UNION ALL SELECT donor FROM donors;
CREATE VIEW v_on_view AS SELECT ident, length(name) AS len FROM v_cast;
CREATE VIEW v_named (a, b) AS WITH x AS (SELECT * FROM voters) SELECT x.poll, x.id FROM x;
CREATE VIEW v_other AS SELECT id, name FROM other;
CREATE VIEW v_noid AS SELECT name, poll FROM voters;
CREATE MATERIALIZED VIEW m_voters AS SELECT id, name FROM voters WHERE id <= 7000010;
CREATE FUNCTION f_ids() RETURNS SETOF bigint LANGUAGE sql AS 'SELECT id FROM voters WHERE id < 7000004';
CREATE FUNCTION f_name(bigint) RETURNS text LANGUAGE plpgsql AS 'BEGIN RETURN (SELECT name FROM public.voters v WHERE v.id = $1); END';
CREATE FUNCTION f_calls() RETURNS SETOF bigint LANGUAGE sql AS 'SELECT f_ids()';
CREATE FUNCTION f_other() RETURNS SETOF int LANGUAGE sql AS 'SELECT id FROM other WHERE id < 4';
CREATE FUNCTION f_atomic() RETURNS bigint LANGUAGE sql BEGIN ATOMIC SELECT max(id) FROM voters; END;
CREATE FUNCTION f_add(a int, b int) RETURNS int LANGUAGE sql AS 'SELECT a + b';
ANALYZE;
`

// What is expected to be recorded of a statement.
const (
	nothing  = "nothing"
	ids      = "listed"          // the identifiers that come back, and no others
	more     = "listed and more" // at least those
	both     = "listed, opaque"  // those, and that there may be others
	rowsOf   = "counted"         // as many records as rows
	noNumber = "opaque"          // that there was something
)

func corpusConfig(b *bench) func(*pgtap.Config) {
	return recording(b, func(cfg *pgtap.Config) {
		table := func(name string, place schema.Place, id string) catalogue.Table {
			return catalogue.Table{
				Schema: "public", Name: name, Place: place,
				IDs: map[string]schema.IDSpace{id: schema.ElectorID}, Fields: map[string]string{"name": "name"},
			}
		}
		roll := table("voters", voters, "id")
		roll.IDs["email"] = "email"
		c, err := catalogue.New(catalogue.Config{
			Connect: func(ctx context.Context, database string) (*pgx.Conn, error) {
				return pgx.Connect(ctx, b.server.URL(database))
			},
			Tables: []catalogue.Table{roll, table("donors", "party-a/money/donors", "donor"), table("parts", "party-a/crm/parts", "id"), table("numbered", "party-a/crm/numbered", "id")},
		})
		if err != nil {
			b.t.Fatal(err)
		}
		cfg.Catalogue = c
	})
}

// A returned is what a client got, told without any knowledge of tables.
type returned struct {
	exact, within map[string]bool // identifiers that are a value, and those that are anywhere in one
	rows          int
}

var (
	identifier = regexp.MustCompile(`7\d{6}`)
	separator  = regexp.MustCompile(`[\t,|"\n\r;]`)
)

func (r *returned) value(v []byte) {
	for _, id := range identifier.FindAll(v, -1) {
		r.within[string(id)] = true
	}
	if identifier.FindString(string(v)) == string(v) && len(v) == 7 {
		r.exact[string(v)] = true
	}
}

// simple runs a text in the simple protocol; a COPY's rows are cut at every separator.
func simple(t *testing.T, c *pgx.Conn, sql string) *returned {
	t.Helper()
	r := &returned{exact: map[string]bool{}, within: map[string]bool{}}
	if strings.HasPrefix(strings.ToUpper(sql), "COPY") {
		var out bytes.Buffer
		tag, err := c.PgConn().CopyTo(t.Context(), &out, sql)
		if err != nil {
			t.Errorf("%s: %v", sql, err)
		}
		r.rows = int(tag.RowsAffected())
		for _, v := range separator.Split(out.String(), -1) {
			r.value([]byte(v))
		}
		return r
	}
	results := c.PgConn().Exec(t.Context(), sql)
	for results.NextResult() {
		reader := results.ResultReader()
		for reader.NextRow() {
			r.rows++
			for _, v := range reader.Values() {
				r.value(v)
			}
		}
	}
	if err := results.Close(); err != nil && !strings.Contains(sql, "1 / (") {
		t.Errorf("%s: %v", sql, err)
	}
	return r
}

// extended runs one statement in the extended protocol.
func extended(t *testing.T, c *pgx.Conn, sql string, binary int16) {
	t.Helper()
	results := c.PgConn().ExecParams(t.Context(), sql, nil, nil, nil, []int16{binary})
	for results.NextRow() {
	}
	if _, err := results.Close(); err != nil && !strings.Contains(sql, "1 / (") {
		t.Errorf("%s: %v", sql, err)
	}
}

// What is recorded of a corpus of statements is what comes back of them, in every way of asking.
func TestCorpus(t *testing.T) {
	b := newBench(t, nil)
	b.stop()
	database := b.server.Database(t)
	b.server.Run(t, database, corpusRoll)
	b.start(corpusConfig(b))
	all := slices.Concat(corpusReads, corpusCopies(), corpusScripts)
	if len(all) < 200 {
		t.Errorf("%d statements, want 200 or more", len(all))
	}
	came := make([]*returned, len(all))
	ways := []string{"simple"}
	for i, c := range all {
		as := func(way string, run func(*pgx.Conn)) {
			conn, err := pgx.Connect(t.Context(), b.url(database)+fmt.Sprintf("&application_name=%d-%s", i, way))
			if err != nil {
				t.Fatal(err)
			}
			run(conn)
			if err := conn.Close(t.Context()); err != nil {
				t.Error(err)
			}
		}
		as("simple", func(conn *pgx.Conn) { came[i] = simple(t, conn, c.sql) })
		if strings.HasSuffix(c.sql, "TO STDOUT") {
			as("binary", func(conn *pgx.Conn) {
				if _, err := conn.PgConn().CopyTo(t.Context(), io.Discard, c.sql+" WITH (FORMAT binary)"); err != nil {
					t.Errorf("%s, binary: %v", c.sql, err)
				}
			})
		}
		if strings.Contains(c.sql, ";") || strings.HasPrefix(c.sql, "COPY") {
			continue
		}
		as("text", func(conn *pgx.Conn) { extended(t, conn, c.sql, 0) })
		as("binary", func(conn *pgx.Conn) { extended(t, conn, c.sql, 1) })
	}
	ways = append(ways, "text", "binary")
	b.stop()
	r := read(t, b.outbox)
	tally := map[string]int{}
	for i, c := range all {
		tally[c.want]++
		for _, way := range ways {
			copied := strings.HasPrefix(c.sql, "COPY")
			if way != "simple" && (strings.Contains(c.sql, ";") || copied && (way == "text" || !strings.HasSuffix(c.sql, "TO STDOUT"))) {
				continue
			}
			place := schema.Place(fmt.Sprintf("party-a/reports/%d-%s", i, way))
			if fault := judge(r, place, c.want, came[i]); fault != "" {
				t.Errorf("%s (%s), want %s: %s", c.sql, way, c.want, fault)
			}
		}
	}
	t.Logf("%d statements: %v", len(all), tally)
}

// judge compares what is recorded with what came.
func judge(r *record, place schema.Place, want string, came *returned) string {
	movements := r.to(place)
	var records uint64
	opaque, counted := false, false
	for _, m := range movements {
		if m.Electors.Mode != schema.Counted {
			continue
		}
		records += m.Electors.Records
		opaque = opaque || m.Electors.Records == 0
		counted = counted || m.Electors.Records > 0
	}
	have := r.electors(place, schema.ElectorID)
	exact := keysOf(schema.ElectorID, slices.Collect(maps.Keys(came.exact))...)
	if len(came.within) > 0 && len(movements) == 0 {
		return "electors came, and nothing is recorded"
	}
	said := fmt.Sprintf("%d movements, %d listed, %d counted, opaque %v; %d rows and %d identifiers came", len(movements), len(have), records, opaque, came.rows, len(came.exact))
	ok := false
	switch want {
	case nothing:
		ok = len(movements) == 0
	case ids:
		ok = len(have) > 0 && slices.Equal(have, exact) && !opaque && !counted
	case more:
		ok = len(exact) > 0 && !slices.ContainsFunc(exact, func(k schema.Key) bool { return !slices.Contains(have, k) })
	case both:
		ok = len(have) > 0 && slices.Equal(have, exact) && opaque
	case rowsOf:
		ok = len(have) == 0 && counted && records == uint64(came.rows)
	case noNumber:
		ok = len(have) == 0 && opaque && !counted
	}
	if !ok {
		return said
	}
	return ""
}

type statementCase struct{ sql, want string }

func corpusCopies() (all []statementCase) {
	sources := []statementCase{
		{"voters", ids}, {"voters (name, id)", ids}, {"voters (name, poll)", rowsOf}, {"other", nothing}, {"public.voters (id)", ids},
		{"(SELECT * FROM voters)", ids}, {"(SELECT poll, id FROM v_plain ORDER BY 2)", ids}, {"(SELECT ident FROM v_on_view)", ids},
		{"(SELECT upper(name) FROM voters)", rowsOf}, {"(SELECT count(*) FROM voters)", noNumber}, {"(SELECT * FROM v_other)", nothing},
		{"(WITH x AS (SELECT id FROM voters WHERE poll = 1) SELECT o.name, x.id FROM x, other o WHERE o.id = 3)", ids},
		{"(DELETE FROM voters WHERE id < 0 RETURNING id)", nothing}, {"(SELECT o.*, v.id FROM other o JOIN voters v ON v.poll = o.id)", ids},
	}
	formats := []string{"", " WITH (FORMAT csv)", " WITH (FORMAT csv, HEADER, DELIMITER ';', QUOTE '|')", " CSV HEADER FORCE QUOTE *", " WITH (DELIMITER '|', NULL 'none')"}
	for _, s := range sources {
		for _, f := range formats {
			if strings.Contains(f, "FORCE") && s.want == noNumber {
				continue
			}
			all = append(all, statementCase{"COPY " + s.sql + " TO STDOUT" + f, s.want})
		}
	}
	return all
}
