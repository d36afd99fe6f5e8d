package deploy_test

import (
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/rs/zerolog"

	"github.com/rolltrace/rolltrace/deploy"
	"github.com/rolltrace/rolltrace/deploy/embedded"
	"github.com/rolltrace/rolltrace/schema"
	"github.com/rolltrace/rolltrace/schema/graph"
	"github.com/rolltrace/rolltrace/schema/schematest"
)

// Codes of ClickHouse's exceptions.
const (
	codeReadonly            = 164
	codeConstraintViolation = 452
	codeAccessDenied        = 497
	codeWrongPassword       = 516
)

// database is a ClickHouse on the shipped settings, in another folder and on free ports.
type database struct {
	secrets     string
	native, web int
}

// place is what a site changes: where things are. It goes into config.d, as docs/deploy.md says.
const place = `<clickhouse>
  <path>%[1]s/data/</path><tmp_path>%[1]s/data/tmp/</tmp_path>
  <user_files_path>%[1]s/data/user_files/</user_files_path><format_schema_path>%[1]s/data/format_schemas/</format_schema_path>
  <tcp_port>%[2]d</tcp_port><http_port>%[3]d</http_port>
  <max_server_memory_usage>2000000000</max_server_memory_usage>
</clickhouse>
`

// inspector is a user of the test's own, who may look at what the others may not. Its password is x.
const inspector = `<clickhouse><users><inspector>
  <password_sha256_hex>2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881</password_sha256_hex>
  <networks><ip>127.0.0.1</ip></networks><profile>default</profile><quota>default</quota>
  <grants><query>GRANT SHOW, SELECT ON *.*</query></grants>
</inspector></users></clickhouse>
`

func startDatabase(t *testing.T, secrets string) database {
	t.Helper()
	db := database{secrets: secrets, native: freePort(t), web: freePort(t)}
	dir := t.TempDir()
	for _, folder := range []string{"config.d", "users.d", "data"} {
		if err := os.Mkdir(filepath.Join(dir, folder), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	write := func(name, text string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("config.xml", read(t, "clickhouse/config.xml"))
	write("users.xml", strings.ReplaceAll(read(t, "clickhouse/users.xml"), "/etc/clickhouse-server/", dir+"/"))
	write("rolltrace-passwords.xml", read(t, filepath.Join(db.secrets, "clickhouse", "passwords.xml")))
	write(filepath.Join("config.d", "place.xml"), fmt.Sprintf(place, dir, db.native, db.web))
	write(filepath.Join("users.d", "inspector.xml"), inspector)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute) // the library may have to be fetched
	defer cancel()
	stop, err := embedded.StartSettings(ctx, dir, func(context.Context) error {
		_, _, err := db.ask("writer", "SELECT 1")
		return err
	}, zerolog.Nop())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
	return db
}

func read(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

func (db database) password(user string) string {
	b, err := os.ReadFile(filepath.Join(db.secrets, "clickhouse", user+".password"))
	if err != nil {
		return "x" // the inspector
	}
	return strings.TrimSpace(string(b))
}

// ask sends a statement over HTTP.
func (db database) ask(user, sql string) (status int, answer string, err error) {
	request, err := http.NewRequest(http.MethodPost, fmt.Sprintf("http://127.0.0.1:%d/", db.web), strings.NewReader(sql))
	if err != nil {
		return 0, "", err
	}
	request.Header.Set("X-ClickHouse-User", user)
	request.Header.Set("X-ClickHouse-Key", db.password(user))
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, "", err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	return response.StatusCode, string(text), err
}

func (db database) dsn(user string) string {
	return fmt.Sprintf("clickhouse://%s:%s@127.0.0.1:%d/rolltrace", user, db.password(user), db.native)
}

// open connects as the native clients do: the consumer, the command line, Grafana's plug-in.
func (db database) open(t *testing.T, user string) driver.Conn {
	t.Helper()
	conn, err := graph.Open(db.dsn(user))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

// refused wants one of the codes from a statement.
func refused(t *testing.T, conn driver.Conn, user, sql string, codes ...int32) {
	t.Helper()
	err := conn.Exec(t.Context(), sql)
	var exception *clickhouse.Exception
	if errors.As(err, &exception) {
		for _, code := range codes {
			if exception.Code == code {
				return
			}
		}
	}
	t.Errorf("%s: %s: %v, want it refused", user, sql, err)
}

func TestClickHouseSettings(t *testing.T) {
	db := startDatabase(t, secrets(t))
	ctx := t.Context()
	if err := graph.Migrate(ctx, graph.Options{DSN: db.dsn("rolltrace"), Definer: "rolltrace"}); err != nil {
		t.Fatalf("migrate with the rights of rolltrace: %v", err)
	}
	t.Run("nobody without a password", func(t *testing.T) { noDefaultUser(t, db) })
	t.Run("durable by default", func(t *testing.T) { durable(t, db) })
	t.Run("writer", func(t *testing.T) { writerRights(t, db) })
	for _, user := range []string{"analyst", "dashboard"} {
		t.Run(user, func(t *testing.T) { readerRights(t, db, user) })
	}
	t.Run("views of the analyst", func(t *testing.T) {
		if got := views(t, db, "analyst"); !slices.Equal(got, slices.Sorted(slices.Values(graph.Readable()))) {
			t.Errorf("users.xml grants %v, want what graph.Readable lists: %v", got, graph.Readable())
		}
	})
	t.Run("views of the dashboard", func(t *testing.T) { dashboardSeesNoElectors(t, db) })
}

func noDefaultUser(t *testing.T, db database) {
	for _, user := range append([]string{"nobody"}, deploy.ClickHouseUsers...) {
		request, err := http.NewRequest(http.MethodGet, fmt.Sprintf("http://127.0.0.1:%d/?query=SELECT+1", db.web), nil)
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("X-ClickHouse-User", user)
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		text, _ := io.ReadAll(response.Body)
		response.Body.Close()
		if response.StatusCode == http.StatusOK || !strings.Contains(string(text), fmt.Sprint(codeWrongPassword)) {
			t.Errorf("%s without a password: %s %s", user, response.Status, text)
		}
	}
	var file struct {
		Users struct {
			Each []struct{ XMLName xml.Name } `xml:",any"`
		} `xml:"users"`
	}
	if err := xml.Unmarshal([]byte(read(t, "clickhouse/users.xml")), &file); err != nil {
		t.Fatal(err)
	}
	var users []string
	for _, user := range file.Users.Each {
		users = append(users, user.XMLName.Local)
	}
	if !slices.Equal(users, deploy.ClickHouseUsers) {
		t.Errorf("users.xml has %v, want %v and no default", users, deploy.ClickHouseUsers)
	}
}

func durable(t *testing.T, db database) {
	owner, inspector := db.open(t, "rolltrace"), db.open(t, "inspector")
	for _, sql := range []string{
		"CREATE TABLE somebody_elses (a UInt8) ENGINE = MergeTree ORDER BY a",
		"INSERT INTO somebody_elses VALUES (1)",
	} {
		if err := owner.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	var synced uint64
	if err := inspector.QueryRow(t.Context(), "SELECT count() FROM system.merge_tree_settings WHERE value = '1' AND name IN ('fsync_after_insert', 'fsync_part_directory', 'min_rows_to_fsync_after_merge', 'min_compressed_bytes_to_fsync_after_merge')").Scan(&synced); err != nil {
		t.Fatal(err)
	}
	if synced != 4 {
		t.Errorf("%d of 4 settings sync what was acknowledged", synced)
	}
	var async bool
	if err := db.open(t, "writer").QueryRow(t.Context(), "SELECT getSetting('async_insert')").Scan(&async); err != nil || async {
		t.Errorf("the writer's inserts are asynchronous: %v, %v", async, err)
	}
}

func writerRights(t *testing.T, db database) {
	conn := db.open(t, "writer")
	for _, sql := range []string{
		"INSERT INTO ingest (movement, space, bucket) VALUES (1, 1, 0)",
		"INSERT INTO ingest_row VALUES (1, 1, 7)",
		"INSERT INTO position VALUES ('x', 1, 1, now64(6))",
		"SELECT count() FROM listed",
	} {
		if err := conn.Exec(t.Context(), sql); err != nil {
			t.Errorf("writer: %s: %v", sql, err)
		}
	}
	derives(t, graph.NewLineage(conn, graph.WriterConfig{}))
	for _, sql := range []string{
		"DROP TABLE position", "TRUNCATE TABLE position", "DROP DATABASE rolltrace", "ALTER TABLE position DELETE WHERE 1",
		"ALTER TABLE position MODIFY SETTING fsync_after_insert = 0", "CREATE TABLE x (a UInt8) ENGINE = Memory",
		"DELETE FROM position WHERE 1", "OPTIMIZE TABLE position", "RENAME TABLE position TO p", "CREATE USER x",
		"SYSTEM STOP MERGES position", "SELECT * FROM system.processes", "SELECT * FROM system.users",
		"SELECT * FROM url('http://127.0.0.1:1/', 'LineAsString')", "SELECT * FROM file('x', 'LineAsString')",
		"SELECT * FROM remote('127.0.0.1', 'rolltrace', 'position')",
	} {
		refused(t, conn, "writer", sql, codeAccessDenied)
	}
	refused(t, conn, "writer", "SET log_queries = 0", codeConstraintViolation)
}

// derives sees that sets can be derived, published, and removed again.
func derives(t *testing.T, l *graph.Lineage) {
	t.Helper()
	set := graph.DerivedSet{Movement: 1, Form: graph.Kept}
	for attempt := range uint32(2) {
		g := graph.NewGeneration(1, attempt)
		for _, terms := range [][]graph.Term{{{Movement: 1}}, {{Movement: 1, Form: graph.Carried}}} {
			if err := l.Derive(t.Context(), g, []graph.Derivation{{DerivedSet: set, Terms: terms}}); err != nil {
				t.Errorf("writer: %v", err)
			}
		}
		if err := l.Publish(t.Context(), g, []graph.DerivedSet{set}, schematest.Began); err != nil {
			t.Errorf("writer: %v", err)
		}
	}
	if n, err := l.Sweep(t.Context(), schema.At(schematest.Began.Add(time.Hour)), time.Minute); err != nil || n != 1 {
		t.Errorf("writer: %d old sets were removed, want 1: %v", n, err)
	}
}

func readerRights(t *testing.T, db database, user string) {
	conn := db.open(t, user)
	var tables []string
	if err := db.open(t, "inspector").QueryRow(t.Context(), "SELECT groupArray(name) FROM system.tables WHERE database = 'rolltrace' AND engine NOT IN ('View', 'MaterializedView')").Scan(&tables); err != nil {
		t.Fatal(err)
	}
	if len(tables) < 10 {
		t.Fatalf("%d tables", len(tables))
	}
	for _, table := range tables {
		if user == "analyst" && slices.Contains(graph.Readable(), table) { // what the command line reads itself
			continue
		}
		refused(t, conn, user, "SELECT * FROM "+table+" LIMIT 1", codeAccessDenied)
	}
	for _, sql := range []string{
		"INSERT INTO position VALUES ('x', 1, 1, now64(6))", "DROP TABLE position", "CREATE TABLE x (a UInt8) ENGINE = Memory",
		"CREATE VIEW v_x AS SELECT 1", "CREATE TEMPORARY TABLE x (a UInt8)", "TRUNCATE TABLE position", "SELECT * FROM system.processes",
		"SELECT * FROM url('http://127.0.0.1:1/', 'LineAsString')", "SELECT * FROM file('x', 'LineAsString')", "KILL QUERY WHERE 1",
		"SELECT * FROM remote('127.0.0.1', 'rolltrace', 'position')", "SELECT * FROM mergeTreeIndex('rolltrace', 'position')", "SYSTEM FLUSH LOGS",
	} {
		refused(t, conn, user, sql, codeAccessDenied, codeReadonly)
	}
	for _, sql := range []string{"SET log_queries = 0", "SET readonly = 0", "SET max_memory_usage = 900000000000", "SET max_execution_time = 100000"} {
		refused(t, conn, user, sql, codeConstraintViolation, codeReadonly)
	}
	// What Grafana's plug-in sends with every query.
	ctx := clickhouse.Context(t.Context(), clickhouse.WithSettings(clickhouse.Settings{"limit": 1000000, "max_execution_time": 20}))
	if err := conn.Exec(ctx, "SELECT 1"); err != nil {
		t.Errorf("%s: a query as the plug-in sends it: %v", user, err)
	}
}

// views are those that a user may read, by name; each is read.
func views(t *testing.T, db database, user string) []string {
	t.Helper()
	inspector, conn := db.open(t, "inspector"), db.open(t, user)
	rows, err := inspector.Query(t.Context(), "SELECT table FROM system.grants WHERE user_name = $1 AND database = 'rolltrace' AND access_type = 'SELECT' ORDER BY table", user)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = rows.Close() }()
	var names []string
	for rows.Next() {
		var name *string
		if err := rows.Scan(&name); err != nil {
			t.Fatal(err)
		}
		names = append(names, *name)
	}
	for _, name := range names {
		var definition string
		if err := inspector.QueryRow(t.Context(), "SELECT create_table_query FROM system.tables WHERE database = 'rolltrace' AND name = $1", name).Scan(&definition); err != nil {
			t.Errorf("%s: %s: no such view", user, name)
			continue
		}
		if asked := parameters(definition); asked != "" {
			name += "(" + asked + ")"
		} else if user == "analyst" {
			filters(t, db, name)
		}
		if err := conn.Exec(t.Context(), "SELECT count() FROM (SELECT * FROM "+name+" LIMIT 1)"); err != nil {
			t.Errorf("%s: %s: %v", user, name, err)
		}
	}
	return names
}

// filters of the simplest kind work on every column: an empty text, an empty array, no value. ClickHouse reads those
// from subcolumns, which not every form of a view has.
func filters(t *testing.T, db database, view string) {
	t.Helper()
	inspector, conn := db.open(t, "inspector"), db.open(t, "analyst")
	rows, err := inspector.Query(t.Context(), "SELECT name, type FROM system.columns WHERE database = 'rolltrace' AND table = $1", view)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var column, kind string
		if err := rows.Scan(&column, &kind); err != nil {
			t.Fatal(err)
		}
		condition := ""
		switch {
		case kind == "String":
			condition = column + " = ''"
		case strings.HasPrefix(kind, "Array"):
			condition = "empty(" + column + ")"
		case strings.HasPrefix(kind, "Nullable"):
			condition = column + " IS NULL"
		default:
			continue
		}
		if err := conn.Exec(t.Context(), "SELECT count() FROM "+view+" WHERE "+condition); err != nil {
			t.Errorf("%s WHERE %s: %v", view, condition, err)
		}
	}
}

// parameters are those of a parameterised view, each as an empty text.
func parameters(definition string) string {
	var asked []string
	for _, found := range regexp.MustCompile(`\{(\w+):String\}`).FindAllStringSubmatch(definition, -1) {
		if p := found[1] + " = ''"; !slices.Contains(asked, p) {
			asked = append(asked, p)
		}
	}
	return strings.Join(asked, ", ")
}

// Everybody who may see Grafana may send any query as this user: so none of its views has a key in it, or a set.
func dashboardSeesNoElectors(t *testing.T, db database) {
	names := views(t, db, "dashboard")
	if len(names) == 0 {
		t.Fatal("the dashboard sees nothing")
	}
	inspector := db.open(t, "inspector")
	for _, name := range names {
		if strings.HasPrefix(name, "internal_") {
			t.Errorf("the dashboard reads %s", name)
		}
		rows, err := inspector.Query(t.Context(), "SELECT name, type FROM system.columns WHERE database = 'rolltrace' AND table = $1", name)
		if err != nil {
			t.Fatal(err)
		}
		for rows.Next() {
			var column, kind string
			if err := rows.Scan(&column, &kind); err != nil {
				t.Fatal(err)
			}
			if column == "key" || column == "number" || strings.HasPrefix(kind, "AggregateFunction") {
				t.Errorf("the dashboard sees %s.%s %s", name, column, kind)
			}
		}
		_ = rows.Close()
	}
}
