package embedded

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/rs/zerolog"
)

func open(t *testing.T, dsn string) *sql.DB {
	t.Helper()
	db, err := sql.Open("clickhouse", dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

func do(t *testing.T, db *sql.DB, statement string, args ...any) {
	t.Helper()
	if _, err := db.Exec(statement, args...); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}

func value[T any](t *testing.T, db *sql.DB, query string, args ...any) T {
	t.Helper()
	var v T
	if err := db.QueryRow(query, args...).Scan(&v); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return v
}

// code is the number of ClickHouse's error, or 0.
func code(err error) int32 {
	var exception *clickhouse.Exception
	if errors.As(err, &exception) {
		return exception.Code
	}
	return 0
}

// ClickHouse's numbers of errors.
const (
	outOfMemory      = 241
	accessDenied     = 497
	wrongPassword    = 516
	readOnlySettings = 164
)

// What was acknowledged is there after each of several kill -9 of the engine, on the same ports, with
// nobody's help.
func TestClickHouseComesBackWithWhatItAcknowledged(t *testing.T) {
	c := startClickHouse(t, ClickHouseConfig{Dir: t.TempDir()})
	native, web := c.Addr(), c.HTTPURL()
	db := open(t, c.DSN(Owner))
	do(t, db, "CREATE TABLE n (n UInt64) ENGINE = MergeTree ORDER BY n")
	const kills = 5
	acknowledged := uint64(0)
	for round := range kills {
		ended := make(chan uint64)
		began := make(chan struct{})
		go func() {
			n := acknowledged
			for ; ; n++ {
				if _, err := db.Exec("INSERT INTO n VALUES (?)", n); err != nil {
					break
				}
				if n == acknowledged+2 {
					close(began)
				}
			}
			ended <- n
		}()
		<-began
		if err := c.Kill(); err != nil {
			t.Fatal(err)
		}
		acknowledged = <-ended
		if err := c.Ready(t.Context()); err != nil {
			t.Fatal(err)
		}
		if restarts := c.Restarts(); restarts != int64(round)+1 {
			t.Fatalf("%d restarts after %d kills", restarts, round+1)
		}
		// The first row that was not acknowledged may be there or not.
		if have := value[uint64](t, db, "SELECT uniqExact(n) FROM n WHERE n < ?", acknowledged); have != acknowledged {
			t.Fatalf("%d of %d acknowledged rows are left", have, acknowledged)
		}
	}
	if c.Addr() != native || c.HTTPURL() != web {
		t.Errorf("moved from %s, %s to %s, %s", native, web, c.Addr(), c.HTTPURL())
	}
}

// When the process that started it is killed, the engine ends too, and the next one on the folder finds
// the data. That the folder can be taken is the proof: the engine holds its lock as long as it lives.
func TestClickHouseDoesNotOutliveItsParent(t *testing.T) {
	dir := t.TempDir()
	first := startHelper(t, "clickhouse", nil, dir)
	var held heldClickHouse
	first.hear(t, &held)
	known, err := passwords(dir)
	if err != nil {
		t.Fatal(err)
	}
	db := open(t, "clickhouse://rolltrace:"+known[Owner]+"@"+held.Addr+"/rolltrace")
	do(t, db, "CREATE TABLE kept (n UInt64) ENGINE = MergeTree ORDER BY n")
	do(t, db, "INSERT INTO kept VALUES (42)")
	first.kill(t)

	c := startClickHouse(t, ClickHouseConfig{Dir: dir})
	if _, err := net.Dial("tcp", held.Addr); err == nil {
		t.Errorf("something still listens on %s", held.Addr)
	}
	if n := value[uint64](t, open(t, c.DSN(Owner)), "SELECT n FROM kept"); n != 42 {
		t.Errorf("read %d, want 42", n)
	}
}

// A clean stop frees ports and folder, ends whatever is connected, and may be asked for twice.
func TestClickHouseStops(t *testing.T) {
	dir := t.TempDir()
	c := startClickHouse(t, ClickHouseConfig{Dir: dir})
	db := open(t, c.DSN(Owner))
	do(t, db, "CREATE TABLE kept (n UInt64) ENGINE = MergeTree ORDER BY n")
	do(t, db, "INSERT INTO kept VALUES (42)") // leaves an idle connection in the pool
	for range 2 {
		if err := c.Stop(); err != nil {
			t.Fatal(err)
		}
	}
	if c.PID() != 0 {
		t.Errorf("process %d is left", c.PID())
	}
	if err := c.Ready(t.Context()); !errors.Is(err, errEnded) {
		t.Errorf("ready after stop: %v", err)
	}
	if err := c.Kill(); !errors.Is(err, os.ErrProcessDone) {
		t.Errorf("kill after stop: %v", err)
	}
	again := startClickHouse(t, ClickHouseConfig{Dir: dir, Listen: c.Addr(), HTTP: c.HTTPURL()[len("http://"):]})
	if again.Addr() != c.Addr() || again.HTTPURL() != c.HTTPURL() {
		t.Errorf("given %s and %s, listens on %s and %s", c.Addr(), c.HTTPURL(), again.Addr(), again.HTTPURL())
	}
	if again.DSN(Owner) != c.DSN(Owner) {
		t.Error("the owner has another password")
	}
	if n := value[uint64](t, open(t, again.DSN(Owner)), "SELECT n FROM kept"); n != 42 {
		t.Errorf("read %d, want 42", n)
	}
}

func TestClickHouseSaysInOneLineWhyItCannotStart(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = taken.Close() }()
	inUse := taken.Addr().String()
	notAFolder := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(notAFolder, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		cfg   ClickHouseConfig
		words []string
	}{
		"native port in use":  {ClickHouseConfig{Listen: inUse}, []string{"native", inUse, "in use", "choose another port"}},
		"http port in use":    {ClickHouseConfig{HTTP: inUse}, []string{"http", inUse, "in use", "choose another port"}},
		"off loopback":        {ClickHouseConfig{Listen: "0.0.0.0:9000"}, []string{"0.0.0.0:9000", "127.0.0.1 only", "DSN"}},
		"every address":       {ClickHouseConfig{HTTP: ":8123"}, []string{":8123", "127.0.0.1 only"}},
		"no port":             {ClickHouseConfig{HTTP: "127.0.0.1"}, []string{`"127.0.0.1"`, "host:port"}},
		"port of letters":     {ClickHouseConfig{HTTP: "127.0.0.1:http"}, []string{"number"}},
		"host name":           {ClickHouseConfig{HTTP: "example.org:1"}, []string{"IP address or localhost"}},
		"too little memory":   {ClickHouseConfig{MaxMemory: 1}, []string{"max memory 1"}},
		"view with a quote":   {ClickHouseConfig{Views: []string{"a`b"}}, []string{"a`b"}},
		"folder is a file":    {ClickHouseConfig{Dir: notAFolder}, []string{notAFolder}},
		"no folder":           {ClickHouseConfig{Dir: ""}, []string{"dir"}},
		"database with a dot": {ClickHouseConfig{Database: "a.b"}, []string{"a.b"}},
	} {
		t.Run(name, func(t *testing.T) {
			if c.cfg.Dir == "" && name != "no folder" {
				c.cfg.Dir = t.TempDir()
			}
			_, err := StartClickHouse(t.Context(), c.cfg)
			isOneLine(t, err, append(c.words, "start clickhouse")...)
		})
	}
}

func TestClickHouseFolderHasOneOwner(t *testing.T) {
	c := startClickHouse(t, ClickHouseConfig{Dir: t.TempDir()})
	ctx, cancel := context.WithCancel(t.Context())
	cancel() // not to wait for the first one to go away
	_, err := StartClickHouse(ctx, ClickHouseConfig{Dir: c.cfg.Dir})
	isOneLine(t, err, c.cfg.Dir, "in use by another process")
}

// An engine that cannot start (here: its own files are broken) ends the start with its last words.
func TestClickHouseTellsTheEnginesLastWords(t *testing.T) {
	dir := t.TempDir()
	c := startClickHouse(t, ClickHouseConfig{Dir: dir})
	if err := c.Stop(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "data", "metadata", "broken.sql"), []byte("CREATE NONSENSE"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := StartClickHouse(t.Context(), ClickHouseConfig{Dir: dir})
	isOneLine(t, err, "it ended", "SYNTAX_ERROR", filepath.Join(dir, "log"))
}

// A crash is logged with the last line that the engine printed.
func TestACrashIsLoggedWithTheEnginesLastWords(t *testing.T) {
	var log lockedBuffer
	dir := t.TempDir()
	c, err := StartClickHouse(t.Context(), ClickHouseConfig{Dir: dir, MaxMemory: testMemory, Log: zerolog.New(&log)})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := c.Stop(); err != nil {
			t.Error(err)
		}
	}()
	if err := os.WriteFile(filepath.Join(dir, "log", "engine.out"), []byte("first\nInvented fault of the engine\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := c.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := c.Ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	if said := log.String(); !strings.Contains(said, `"last_words":"Invented fault of the engine"`) {
		t.Errorf("logged %s", said)
	}
}

// lockedBuffer is a buffer for several goroutines.
type lockedBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

func TestClickHouseKeepsItsSecretsToItsOwner(t *testing.T) {
	dir := t.TempDir()
	c := startClickHouse(t, ClickHouseConfig{Dir: dir})
	db := open(t, c.DSN(Owner))
	do(t, db, "CREATE TABLE kept (n UInt64) ENGINE = MergeTree ORDER BY n")
	do(t, db, "INSERT INTO kept VALUES (42)")
	for _, name := range []string{"users.json", "users.xml", "config.xml", "start.sql", "lock", "log/engine.out"} {
		mode(t, filepath.Join(dir, name), 0o600)
	}
	mode(t, filepath.Join(dir, "data"), 0o700)
	mode(t, filepath.Join(dir, "log"), 0o700)
	// The folder of the data is enough to keep others out; but a copy of it may be put elsewhere.
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			if errors.Is(err, fs.ErrNotExist) {
				return nil // a temporary one
			}
			return err
		}
		if path == dir || entry.Type() == fs.ModeSymlink {
			return nil
		}
		if info, err := entry.Info(); err == nil && info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has mode %o", path, info.Mode().Perm())
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func mode(t *testing.T, path string, want fs.FileMode) {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != want {
		t.Errorf("%s has mode %o, want %o", filepath.Base(path), info.Mode().Perm(), want)
	}
}

func TestClickHouseRefusesAWrongPassword(t *testing.T) {
	c := startClickHouse(t, ClickHouseConfig{Dir: t.TempDir()})
	for _, dsn := range []string{
		"clickhouse://rolltrace:wrong@" + c.Addr() + "/rolltrace",
		"clickhouse://analyst@" + c.Addr() + "/rolltrace",
		"clickhouse://nobody:x@" + c.Addr() + "/rolltrace",
	} {
		if err := open(t, dsn).Ping(); code(err) != wrongPassword {
			t.Errorf("%s: %v", dsn[:20], err)
		}
	}
	if restarts := c.Restarts(); restarts != 0 {
		t.Errorf("wrong passwords have ended the server %d times", restarts)
	}
	// The engine's own session has a name without a password. It is of no use to anybody else.
	db := open(t, "clickhouse://default@"+c.Addr()+"/default")
	for _, statement := range []string{"SELECT number FROM system.numbers LIMIT 1", "SYSTEM STOP LISTEN TCP", "CREATE TEMPORARY TABLE t (n UInt8)"} {
		if _, err := db.Exec(statement); code(err) == 0 {
			t.Errorf("the user without a password may %s: %v", statement, err)
		}
	}
}

// A client that is gone in the middle, or talks nonsense, ends its own connection and nothing else.
func TestClickHouseSurvivesItsClients(t *testing.T) {
	c := startClickHouse(t, ClickHouseConfig{Dir: t.TempDir()})
	db := open(t, c.DSN(Owner))
	do(t, db, "CREATE TABLE n (n UInt64) ENGINE = MergeTree ORDER BY n")
	reset := func(address, say string) {
		conn, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		if err := conn.(*net.TCPConn).SetLinger(0); err != nil { // closing resets, as a killed client's kernel may
			t.Fatal(err)
		}
		if _, err := conn.Write([]byte(say)); err != nil {
			t.Fatal(err)
		}
		if len(say) > 100 {
			_, _ = conn.Read(make([]byte, 1)) // in the middle of the answer
		}
		_ = conn.Close()
	}
	web := strings.TrimPrefix(c.HTTPURL(), "http://")
	long := "GET /?user=rolltrace&password=" + c.Password(Owner) + "&query=SELECT+number+FROM+numbers(100000000) HTTP/1.1\r\nHost: x\r\n\r\n"
	for range 20 {
		reset(c.Addr(), "GET / HTTP/1.1\r\n\r\n")
		reset(c.Addr(), "\x00")
		reset(web, "nonsense\r\n\r\n")
		reset(web, long)
	}
	for range 5 {
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			_, _ = db.ExecContext(ctx, "INSERT INTO n SELECT number FROM numbers(1000000000)")
		}()
		for value[uint64](t, db, "SELECT count() FROM system.processes WHERE query LIKE 'INSERT INTO n SELECT%'") == 0 {
		}
		cancel() // the driver drops the connection
		<-ended
	}
	if err := open(t, "clickhouse://rolltrace:"+c.Password(Owner)+"@"+c.Addr()+"/no_such_database").Ping(); err == nil {
		t.Error("a database that is not there answers")
	}
	if err := db.Ping(); err != nil {
		t.Error(err)
	}
	if restarts := c.Restarts(); restarts != 0 {
		t.Errorf("clients have ended the server %d times", restarts)
	}
}

// The settings that the promises rest on are those that the running server has.
func TestClickHouseRunsWithTheseSettings(t *testing.T) {
	c := startClickHouse(t, ClickHouseConfig{Dir: t.TempDir(), MaxMemory: 768 << 20})
	db := open(t, c.DSN(Owner))
	for query, want := range map[string]string{
		"SELECT serverTimezone()": "UTC",
		"SELECT value FROM system.server_settings WHERE name = 'max_server_memory_usage'":                       "805306368",
		"SELECT value FROM system.server_settings WHERE name = 'background_pool_size'":                          "2",
		"SELECT value FROM system.merge_tree_settings WHERE name = 'fsync_after_insert'":                        "1",
		"SELECT value FROM system.merge_tree_settings WHERE name = 'fsync_part_directory'":                      "1",
		"SELECT value FROM system.merge_tree_settings WHERE name = 'min_rows_to_fsync_after_merge'":             "1",
		"SELECT value FROM system.merge_tree_settings WHERE name = 'min_compressed_bytes_to_fsync_after_merge'": "1",
		"SELECT value FROM system.settings WHERE name = 'fsync_metadata'":                                       "1",
		"SELECT value FROM system.settings WHERE name = 'async_insert'":                                         "0",
	} {
		if have := value[string](t, db, query); have != want {
			t.Errorf("%s: %s, want %s", query, have, want)
		}
	}
	if _, err := db.Exec("SELECT groupArray(number) FROM numbers(200000000)"); code(err) != outOfMemory {
		t.Errorf("more memory than it may have: %v", err)
	}
	if err := db.Ping(); err != nil {
		t.Errorf("after a query that wanted too much: %v", err)
	}
}

// What each user may do. The views are DEFINER views of the owner's, made after the start.
func TestClickHouseGrants(t *testing.T) {
	c := startClickHouse(t, ClickHouseConfig{Dir: t.TempDir(), Views: []string{"shown", "asked"}})
	owner := open(t, c.DSN(Owner))
	for _, statement := range []string{
		"CREATE TABLE base (n UInt64) ENGINE = MergeTree ORDER BY n",
		"CREATE TABLE ingest (n UInt64) ENGINE = Null",
		"CREATE TABLE derived (n UInt64) ENGINE = MergeTree ORDER BY n",
		"CREATE MATERIALIZED VIEW ingest_to_base TO base AS SELECT n FROM ingest",
		"CREATE VIEW shown DEFINER = rolltrace SQL SECURITY DEFINER AS SELECT sum(n) AS total FROM base",
		"CREATE VIEW asked DEFINER = rolltrace SQL SECURITY DEFINER AS SELECT n FROM base WHERE n > {least: UInt64}",
		"CREATE VIEW hidden DEFINER = rolltrace SQL SECURITY DEFINER AS SELECT n FROM base",
	} {
		do(t, owner, statement)
	}
	writer := open(t, c.DSN(Writer))
	do(t, writer, "INSERT INTO ingest VALUES (1), (2)")
	do(t, writer, "INSERT INTO base VALUES (3)")
	if total := value[uint64](t, writer, "SELECT sum(n) FROM base"); total != 6 {
		t.Errorf("the writer reads %d, want 6", total)
	}
	do(t, writer, "INSERT INTO derived VALUES (4)")
	do(t, writer, "DELETE FROM derived WHERE n = 4")
	denied(t, writer, "CREATE TABLE other (n UInt64) ENGINE = Memory", "DROP TABLE base", "TRUNCATE TABLE base",
		"ALTER TABLE base DELETE WHERE 1", "SELECT * FROM file('users.json', 'LineAsString')",
		"SELECT * FROM url('http://127.0.0.1:1/x', 'LineAsString', 'line String')")

	for _, name := range []string{Analyst, Dashboard} {
		reader := open(t, c.DSN(name))
		if total := value[uint64](t, reader, "SELECT total FROM shown"); total != 6 {
			t.Errorf("the %s reads %d, want 6", name, total)
		}
		if n := value[uint64](t, reader, "SELECT n FROM asked(least = 2)"); n != 3 {
			t.Errorf("the %s reads %d, want 3", name, n)
		}
		if have := value[[]string](t, reader, "SELECT groupArray(name) FROM system.tables WHERE database = 'rolltrace'"); !slices.Equal(slices.Sorted(slices.Values(have)), []string{"asked", "shown"}) {
			t.Errorf("the %s sees %v", name, have)
		}
		do(t, reader, "SELECT 1 SETTINGS max_threads = 1")
		denied(t, reader, "SELECT * FROM base", "SELECT * FROM hidden", "SELECT * FROM system.processes",
			"SELECT * FROM file('users.json', 'LineAsString')", "SELECT * FROM remote('127.0.0.1', system.one)")
		for _, statement := range []string{"INSERT INTO base VALUES (4)", "CREATE TEMPORARY TABLE t (n UInt8)", "SET readonly = 0"} {
			if _, err := reader.Exec(statement); code(err) != accessDenied && code(err) != readOnlySettings {
				t.Errorf("the %s may %s: %v", name, statement, err)
			}
		}
	}
}

func denied(t *testing.T, db *sql.DB, statements ...string) {
	t.Helper()
	for _, statement := range statements {
		if _, err := db.Exec(statement); code(err) != accessDenied {
			t.Errorf("%s: %v", statement, err)
		}
	}
}
