package pgtap_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/rolltrace/rolltrace/producers/pgtap"
	"github.com/rolltrace/rolltrace/schema"
)

// entering is a tap whose clients' entries are of the purpose that is their application's name.
func entering(t *testing.T) (b *bench, database string) {
	return newRecordingBench(t, func(cfg *pgtap.Config) {
		cfg.Route = func(who pgtap.Client) pgtap.Route {
			return pgtap.Route{Output: "party-a/people/u1", Kind: schema.Access, Purpose: who.Application}
		}
	})
}

// into are the electors that movements of a kind have, by the application that made them.
func (r *record) into(application string, kind schema.Kind) (keys []schema.Key, records uint64) {
	for _, m := range r.movements {
		if m.Purpose == application && m.Kind == kind && m.Electors.Mode == schema.Listed {
			keys = append(keys, r.keys[m.ID][schema.ElectorID]...)
			records += m.Electors.Records
		}
	}
	slices.Sort(keys)
	return slices.Compact(keys), records
}

// slowly is a reader that gives a few bytes at a time, so that rows are cut anywhere.
type slowly struct {
	rest []byte
	size int
}

func (s *slowly) Read(p []byte) (int, error) {
	if len(s.rest) == 0 {
		return 0, io.EOF
	}
	n := copy(p, s.rest[:min(s.size, len(s.rest))])
	s.rest = s.rest[n:]
	return n, nil
}

// binaryRows is a COPY in binary of rows of one bigint, or none, and a text.
func binaryRows(ids ...int64) []byte {
	b := []byte("PGCOPY\n\xff\r\n\x00\x00\x00\x00\x00\x00\x00\x00\x04abcd")
	for _, id := range ids {
		b = append(b, 0, 2, 0, 0, 0, 8)
		b = binary.BigEndian.AppendUint64(b, uint64(id))
		b = append(b, 0xff, 0xff, 0xff, 0xff)
	}
	return append(b, 0xff, 0xff)
}

// What a client copies into a configured table is listed, in every format, wherever its messages are cut.
func TestCopiesInAreListed(t *testing.T) {
	b, database := entering(t)
	lines := func(format string, ids ...string) string {
		var out strings.Builder
		for _, id := range ids {
			fmt.Fprintf(&out, format, id)
		}
		return out.String()
	}
	cases := []struct {
		name, sql, data string
		want            []string // ids; nil: not listed
	}{
		{"text", "COPY voters FROM STDIN", lines("%s\ta\\tb\\\nc\t\\N\t1\t\\N\n", series(2001, 2003)...), series(2001, 2003)},
		{"text-columns", "COPY voters (name, id) FROM STDIN", lines("x\\\\\t%s\n", series(2011, 2013)...), series(2011, 2013)},
		{"text-escaped", "COPY voters (name, id) FROM STDIN", "x\t\\x32\\060\\062\\61\ny\t2022", []string{"2021", "2022"}},
		{"text-crlf", "COPY voters (name, id) FROM STDIN", lines("x\t%s\r\n", series(2031, 2033)...), series(2031, 2033)},
		{"text-cr", "COPY voters (id) FROM STDIN", lines("%s\r", series(2041, 2043)...), series(2041, 2043)},
		{"text-end", "COPY voters (id) FROM STDIN", lines("%s\n", series(2051, 2053)...) + "\\.\n9\n", series(2051, 2053)},
		{"text-delimiter", "COPY voters (name, id) FROM STDIN (DELIMITER '|', NULL 'none')", "a\\|b|2061\nnone|2062\n", series(2061, 2062)},
		{"csv", "COPY voters (name, id) FROM STDIN (FORMAT csv, HEADER)", "id,name\n" + lines("\"a, \"\"b\"\"\nc\",%s\n", series(2071, 2073)...), series(2071, 2073)},
		{"csv-escape", "COPY voters (name, id) FROM STDIN (FORMAT csv, ESCAPE '!', QUOTE '|', DELIMITER ';')", lines("|a!|\nb;|;|%s|\n", series(2081, 2083)...), series(2081, 2083)},
		{"binary", "COPY voters (id, name) FROM STDIN (FORMAT binary)", string(binaryRows(2091, 2092, 2093)), series(2091, 2093)},
		{"noid", "COPY voters (id, name) FROM STDIN WHERE id <> 2102", "2101\ta\n2102\tb\n", nil}, // who went in cannot be told
		{"failed", "COPY voters (id, name) FROM STDIN", "2111\ta\nno number\tb\n", nil},
		{"empty", "COPY voters FROM STDIN", "", nil},
		{"other", "COPY other FROM STDIN", "2121\tx\n", nil},
		{"large", "COPY voters (id) FROM STDIN", lines("%s\n", series(100_001, 400_000)...), series(100_001, 400_000)},
	}
	for _, c := range cases {
		for _, size := range []int{1, 7, 1 << 16} {
			if len(c.data) > 1<<20 && size < 1<<16 {
				continue
			}
			conn := b.as(database, c.name)
			tx, err := conn.Begin(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			_, err = conn.PgConn().CopyFrom(t.Context(), &slowly{[]byte(c.data), size}, c.sql)
			if (err != nil) != (c.name == "failed") {
				t.Errorf("%s: %v", c.name, err)
			}
			// Undone, but for the last.
			if size == 1<<16 && err == nil {
				err = tx.Commit(t.Context())
			} else {
				err = tx.Rollback(t.Context())
			}
			if err != nil {
				t.Errorf("%s: %v", c.name, err)
			}
		}
	}
	b.stop()
	r := read(t, b.outbox)
	for _, c := range cases {
		if have, records := r.into(c.name, schema.Collect); !slices.Equal(have, keysOf(schema.ElectorID, c.want...)) || records != uint64(len(c.want)) {
			t.Errorf("%s: %d electors in %d records, want %d", c.name, len(have), records, len(c.want))
		}
	}
}

// What a client changes in the extended protocol is listed, and it sees nothing of how.
func TestChangesAreListed(t *testing.T) {
	b, database := entering(t)
	b.server.Run(t, database, `CREATE ROLE writer LOGIN; GRANT INSERT, DELETE ON voters TO writer; GRANT SELECT (poll) ON voters TO writer;
		CREATE TABLE guarded (id bigint); ALTER TABLE guarded ENABLE ROW LEVEL SECURITY`)
	t.Cleanup(func() { b.server.Run(t, database, "DROP OWNED BY writer; DROP ROLE writer") })
	conn := b.as(database, "changes")
	for i := range 3 { // prepared, in binary
		tag, err := conn.Exec(t.Context(), "INSERT INTO voters (id, name) VALUES ($1, $2), ($3, 'b') -- so", 3000+2*i, "a", 3001+2*i)
		if err != nil || tag.String() != "INSERT 0 2" {
			t.Errorf("%s, %v", tag, err)
		}
	}
	batch := &pgx.Batch{}
	for i := range 4 {
		batch.Queue("INSERT INTO voters (id) VALUES ($1)", 3010+i)
		batch.Queue("SELECT id FROM other WHERE id = $1", i+1)
	}
	if err := conn.SendBatch(t.Context(), batch).Close(); err != nil {
		t.Error(err)
	}
	if tag, err := conn.Exec(t.Context(), "DELETE FROM voters WHERE id BETWEEN $1 AND $2", 100, 109); err != nil || tag.RowsAffected() != 10 {
		t.Errorf("%s, %v", tag, err)
	}
	if tag, err := conn.Exec(t.Context(), "INSERT INTO voters (id, poll) SELECT i, 1 FROM generate_series(500001, 700000) i"); err != nil || tag.RowsAffected() != 200_000 {
		t.Errorf("%s, %v", tag, err)
	}
	// Without the right to read them they are counted, and the client is not refused.
	writer := connect(t, "postgres://writer@"+b.tap.Address().String()+"/"+database+"?sslmode=disable&application_name=writer")
	for _, sql := range []string{"INSERT INTO voters (id) VALUES (3901)", "DELETE FROM voters WHERE poll = 99"} {
		if _, err := writer.Exec(t.Context(), sql); err != nil {
			t.Errorf("%s: %v", sql, err)
		}
	}
	b.stop()
	r := read(t, b.outbox)
	want := slices.Concat(series(3000, 3005), series(3010, 3013), series(500_001, 700_000))
	if have, _ := r.into("changes", schema.Collect); !slices.Equal(have, keysOf(schema.ElectorID, want...)) {
		t.Errorf("%d electors entered, want %d", len(have), len(want))
	}
	if have, _ := r.into("changes", schema.Destroy); !slices.Equal(have, keysOf(schema.ElectorID, series(100, 109)...)) {
		t.Errorf("%d electors deleted, want 10", len(have))
	}
	if have := deedsOf(r, "writer"); !slices.Equal(have, []string{"collect party-a/people/u1>party-a/crm/voters counted 1"}) {
		t.Errorf("of the writer: %q", have)
	}
	for _, m := range r.movements {
		if m.Kind == schema.Access {
			t.Errorf("recorded as read: %+v", m)
		}
	}
}

const changingScript = `
\set VERBOSITY verbose
INSERT INTO voters (id, name) VALUES (5001, 'a') \gdesc
INSERT INTO voters (id, name) VALUES ($1, $2) \bind 5002 'b' \g
INSERT INTO voters (id, name) VALUES (5003, 'c') ;
INSERT INTO voters (id, name) VALUES (5003, 'c'); -- again
INSERT INTO voters (id, nme) VALUES (5004, 'c');
SELECT 'é' \; INSERT INTO voters (id) VALUES (5005) \; SELECT nothing;
INSERT INTO voters (id) VALUES (5006) \; DELETE FROM voters WHERE id = 5006 \; DELETE FROM voters WHERE i = 1;
DELETE FROM voters WHERE id IN (5002, 5003) RETURNING name;
DELETE FROM voters WHERE id = 5003;
DELETE FROM voters WHERE;
BEGIN;
DELETE FROM voters;
SELECT count(*) FROM voters;
ROLLBACK;
BEGIN;
CREATE TABLE mine AS SELECT id FROM voters WHERE id < 4;
SAVEPOINT s;
SELECT 1 / 0;
ROLLBACK TO s;
SELECT * FROM mine;
COMMIT;
CREATE MATERIALIZED VIEW mat AS SELECT id FROM voters WHERE id < 4;
REFRESH MATERIALIZED VIEW mat;
SELECT * INTO two FROM voters WHERE id < 4;
PREPARE p AS INSERT INTO voters (id) VALUES ($1);
EXECUTE p (5010);
COPY voters (id) FROM STDIN;
5011
5012
\.
SELECT count(*) FROM voters;
SELECT name FROM pg_prepared_statements;
SELECT name FROM pg_cursors;
`

// Clients see the same as without the tap, to the byte, also where the tap asks for what it has to record.
func TestChangesLookTheSame(t *testing.T) {
	b, through := entering(t)
	direct := b.server.Database(t)
	b.server.Run(t, direct, roll)
	same(t, b.tool(changingScript, b.url(through), "psql", "-X", "-a"), b.tool(changingScript, b.server.URL(direct), "psql", "-X", "-a"))
	for name, url := range map[string]string{"direct": b.server.URL(direct), "through": b.url(through)} {
		t.Run(name, func(t *testing.T) {
			raw := dialRaw(t, url)
			raw.send('P', "i\x00INSERT INTO voters (id) VALUES ($1)\x00\x00\x00")
			raw.send('D', "Si\x00")
			raw.send('S', "")
			raw.expect("1tnZ")
			one := func(id string) string { return "\x00i\x00\x00\x00\x00\x01\x00\x00\x00\x04" + id + "\x00\x01\x00\x01" }
			raw.send('B', one("6001"))
			raw.send('D', "P\x00")
			raw.send('E', "\x00\x00\x00\x00\x01") // not in parts
			raw.send('B', one("6002"))
			raw.send('E', "\x00\x00\x00\x00\x00")
			raw.send('B', one("6002")) // is there already
			raw.send('E', "\x00\x00\x00\x00\x00")
			raw.send('B', one("6003"))
			raw.send('E', "\x00\x00\x00\x00\x00")
			raw.send('S', "")
			raw.expect("2nC2C2EZ")
			// A name that is taken stays what it was.
			raw.send('P', "i\x00SELECT id FROM other WHERE id = $1\x00\x00\x00")
			raw.send('S', "")
			raw.expect("EZ")
			raw.send('B', one("6004"))
			raw.send('E', "\x00\x00\x00\x00\x00")
			raw.send('S', "")
			raw.expect("2CZ")
			raw.send('C', "Si\x00")
			raw.send('P', "i\x00SELECT id FROM other WHERE id = $1\x00\x00\x00")
			raw.send('B', "\x00i\x00\x00\x00\x00\x01\x00\x00\x00\x017\x00\x00")
			raw.send('H', "")
			raw.expect("312")
			raw.send('E', "\x00\x00\x00\x00\x00")
			raw.send('S', "")
			raw.expect("DCZ")
			// What was prepared without a name outlives the tap's questions.
			raw.send('P', "\x00SELECT 1\x00\x00\x00")
			raw.send('P', "c\x00CREATE TEMP TABLE tt AS SELECT id FROM voters WHERE id < 4\x00\x00\x00")
			raw.send('B', "p\x00c\x00\x00\x00\x00\x00\x00\x00")
			raw.send('E', "p\x00\x00\x00\x00\x00")
			raw.send('S', "")
			raw.expect("112CZ")
			raw.send('B', "\x00\x00\x00\x00\x00\x00\x00\x00")
			raw.send('E', "\x00\x00\x00\x00\x00")
			raw.send('S', "")
			raw.expect("2DCZ")
		})
	}
	b.stop()
	r := read(t, b.outbox)
	if have, _ := r.into("", schema.Collect); !slices.Equal(have, keysOf(schema.ElectorID, "6004")) {
		t.Errorf("%d electors entered in the extended protocol", len(have))
	}
}

// The result of a function that is called by its number is recorded if the function may read electors.
func TestFunctionCalls(t *testing.T) {
	b, database := entering(t)
	b.server.Run(t, database, `CREATE FUNCTION f_name(bigint) RETURNS text LANGUAGE sql AS 'SELECT name FROM voters WHERE id = $1';
		CREATE FUNCTION f_none(bigint) RETURNS text LANGUAGE sql AS 'SELECT name FROM other WHERE id = $1'`)
	for _, name := range []string{"f_name", "f_none", "pg_backend_pid"} {
		oid := strings.TrimSpace(b.server.Run(t, database, "SELECT '"+name+"'::regproc::oid"))
		conn := b.as(database, name)
		var number uint32
		if _, err := fmt.Sscan(oid, &number); err != nil {
			t.Fatal(err)
		}
		call := binary.BigEndian.AppendUint32(nil, number)
		if name == "pg_backend_pid" {
			call = append(call, 0, 0, 0, 0, 0, 0)
		} else {
			call = append(call, 0, 0, 0, 1, 0, 0, 0, 1, '7', 0, 0)
		}
		answer := callFunction(t, conn.PgConn(), call)
		if !bytes.Contains(answer, []byte(" 7")) && name != "pg_backend_pid" {
			t.Errorf("%s: %q", name, answer)
		}
	}
	b.stop()
	r := read(t, b.outbox)
	for name, want := range map[string][]string{"f_name": {"access party-a/crm/voters>party-a/people/u1 counted 0"}, "f_none": nil, "pg_backend_pid": nil} {
		if have := deedsOf(r, name); !slices.Equal(have, want) {
			t.Errorf("%s: %q, want %q", name, have, want)
		}
	}
}

func callFunction(t *testing.T, conn *pgconn.PgConn, call []byte) []byte {
	t.Helper()
	raw := &raw{t: t, conn: conn.Conn()}
	raw.send('F', string(call))
	kind, body := raw.receive()
	if kind != 'V' {
		t.Fatalf("%c: %q", kind, body)
	}
	raw.expect("Z")
	return body
}
