package pgtap_test

import (
	"bytes"
	"database/sql"
	"os/exec"
	"slices"
	"strings"
	"testing"

	_ "github.com/lib/pq"

	"github.com/rolltrace/rolltrace/schema"
)

// python is Debian's: its packages are where the drivers are.
const python = "/usr/bin/python3"

// psycopg 2 and 3, with server-side cursors, prepared statements, binary results, COPY, and libpq's pipeline mode with an
// error in it.
const pythonScript = `
import sys, psycopg, psycopg2, psycopg2.extras
url = sys.argv[1]
old = psycopg2.connect(url + "&application_name=psycopg2")
with old.cursor() as c:
    c.execute("SELECT id, name FROM voters WHERE id = ANY(%s)", ([1, 2, 3],))
    print(c.fetchall())
with old.cursor("held", withhold=False) as c:
    c.itersize = 2
    c.execute("SELECT id FROM voters WHERE id BETWEEN 10 AND 14")
    print([r for r in c])
try:
    with old.cursor() as c:
        c.execute("SELECT nothing")
except psycopg2.Error as e:
    print(e.pgcode, e)
old.rollback()
with old.cursor() as c:
    psycopg2.extras.execute_values(c, "INSERT INTO other VALUES %s", [(5001, 'a'), (5002, 'b')])
    print(c.rowcount)
old.rollback()
new = psycopg.connect(url + "&application_name=psycopg3", autocommit=True)
for _ in range(8):  # prepared from the sixth on
    print(new.execute("SELECT id, email FROM voters WHERE id = %s", (20,)).fetchall())
print(new.cursor(binary=True).execute("SELECT id FROM voters WHERE id = 21").fetchall())
try:
    with new.pipeline() as p:
        kept = [new.execute("SELECT id FROM voters WHERE id = %s", (i,)) for i in range(30, 35)]
        p.sync()
        new.execute("SELECT 1/0")
        new.execute("SELECT id FROM voters WHERE id = 40")
        p.sync()
        last = new.execute("SELECT id FROM voters WHERE id = 41")
except psycopg.Error as e:
    print(e.sqlstate)
print([k.fetchall() for k in kept])
print(new.execute("SELECT id FROM voters WHERE id = 42").fetchall())
with new.cursor().copy("COPY (SELECT * FROM other WHERE id < 4 ORDER BY id) TO STDOUT (FORMAT binary)") as copy:
    copy.set_types(["int8", "text"])
    print([r for r in copy.rows()])
with new.transaction():
    with new.cursor("named") as c:
        c.execute("SELECT id FROM voters WHERE id BETWEEN 50 AND 53")
        print(c.fetchmany(2), c.fetchone())
        c.scroll(-1)
`

func runPython(t *testing.T, url string) string {
	t.Helper()
	var said bytes.Buffer // psycopg may log that it leaves an aborted pipeline, with its address, depending on the moment
	cmd := exec.CommandContext(t.Context(), python, "-c", pythonScript, url)
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v: %s: on Debian and Ubuntu: apt-get install python3-psycopg python3-psycopg2", python, err, said.Bytes())
	}
	return string(out)
}

func TestPsycopg(t *testing.T) {
	b, database := newRecordingBench(t, nil)
	same(t, runPython(t, b.url(database)), runPython(t, b.server.URL(database)))
	b.stop()
	r := read(t, b.outbox)
	for place, want := range map[schema.Place][]string{
		"party-a/reports/psycopg2": append(series(1, 3), series(10, 14)...),
	} {
		if have := r.electors(place, schema.ElectorID); !slices.Equal(have, keysOf(schema.ElectorID, want...)) {
			t.Errorf("%s: %d electors, want %d", place, len(have), len(want))
		}
	}
	have := r.electors("party-a/reports/psycopg3", schema.ElectorID)
	for _, want := range [][]string{series(20, 21), series(30, 34), series(42, 42), series(50, 52)} {
		for _, key := range keysOf(schema.ElectorID, want...) {
			if !slices.Contains(have, key) {
				t.Errorf("psycopg3: an elector of %s is missing among %d", strings.Join(want, " "), len(have))
			}
		}
	}
	if slices.Contains(have, keysOf(schema.ElectorID, "40")[0]) {
		t.Error("psycopg3: recorded an elector that the server has not sent")
	}
}

// lib/pq does not describe its portals: the tap does.
func TestLibPQ(t *testing.T) {
	b, database := newRecordingBench(t, nil)
	read1 := func(url string) (ids []int) {
		db, err := sql.Open("postgres", url)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = db.Close() }()
		db.SetMaxOpenConns(1)
		statement, err := db.Prepare("SELECT id, name FROM voters WHERE id >= $1 ORDER BY id LIMIT 3")
		if err != nil {
			t.Fatal(err)
		}
		for _, from := range []int{5, 100, 200} {
			rows, err := statement.Query(from)
			if err != nil {
				t.Fatal(err)
			}
			for rows.Next() {
				var id int
				var name string
				if err := rows.Scan(&id, &name); err != nil {
					t.Fatal(err)
				}
				ids = append(ids, id)
			}
			if err := rows.Err(); err != nil {
				t.Fatal(err)
			}
		}
		// The statement's table is renamed, and another one takes its name: what is read is the other's.
		for _, step := range []string{"BEGIN", "ALTER TABLE voters RENAME TO gone", "ALTER TABLE other RENAME TO voters"} {
			if _, err := db.Exec(step); err != nil {
				t.Fatal(err)
			}
		}
		rows, err := statement.Query(900)
		if err != nil {
			t.Fatal(err)
		}
		for rows.Next() {
			ids = append(ids, 0)
		}
		if _, err := db.Exec("ROLLBACK"); err != nil {
			t.Fatal(err)
		}
		return ids
	}
	want := read1(b.server.URL(database))
	if have := read1(b.url(database) + "&application_name=libpq"); !slices.Equal(have, want) {
		t.Errorf("read %v, want %v", have, want)
	}
	b.stop()
	ids := slices.Concat(series(5, 7), series(100, 102), series(200, 202))
	if have := read(t, b.outbox).electors("party-a/reports/libpq", schema.ElectorID); !slices.Equal(have, keysOf(schema.ElectorID, ids...)) {
		t.Errorf("%d electors, want %d", len(have), len(ids))
	}
}

// jdbc is Debian's.
const jdbc = "/usr/share/java/postgresql.jar"

// JDBC, with statements that are prepared in the server from the fifth execution on, results in parts, batches and COPY.
func TestJDBC(t *testing.T) {
	b, database := entering(t)
	classes := t.TempDir()
	java := func(args ...string) string {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), args[0], args[1:]...)
		var said bytes.Buffer
		cmd.Stderr = &said
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("%s: %v: %s: on Debian and Ubuntu: apt-get install libpostgresql-jdbc-java default-jdk-headless", args[0], err, said.Bytes())
		}
		return string(out)
	}
	java("javac", "-cp", jdbc, "-d", classes, "testdata/Reader.java")
	run := func(address, database string) string {
		t.Helper()
		return java("java", "-XX:TieredStopAtLevel=1", "-cp", classes+":"+jdbc, "Reader",
			"jdbc:postgresql://"+address+"/"+database+"?user=postgres&sslmode=disable&ApplicationName=jdbc")
	}
	direct := b.server.Database(t)
	b.server.Run(t, direct, roll)
	same(t, strings.ReplaceAll(run(b.tap.Address().String(), database), database, "d"), strings.ReplaceAll(run(b.server.Address(), direct), direct, "d"))
	b.stop()
	r := read(t, b.outbox)
	for kind, want := range map[schema.Kind][]string{
		schema.Access:  slices.Concat(series(1, 8), series(20, 30), series(40, 41), series(60, 60), series(70, 72), []string{"3012"}),
		schema.Collect: slices.Concat(series(3001, 3011), series(3020, 3021)),
		schema.Destroy: nil,
	} {
		if have, _ := r.into("jdbc", kind); !slices.Equal(have, keysOf(schema.ElectorID, want...)) {
			t.Errorf("%s: %d electors, want %d", kind, len(have), len(want))
		}
	}
}
