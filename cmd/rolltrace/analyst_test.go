package main

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/rs/zerolog"

	"github.com/rolltrace/rolltrace/cmd/internal/demo"
	"github.com/rolltrace/rolltrace/deploy/embedded"
	"github.com/rolltrace/rolltrace/schema/graph"
)

// A statement is one of docs/analyst-sql.md, with the question above it.
type statement struct{ question, sql string }

const analystPage = "../../docs/analyst-sql.md"

// The page's stand-ins for what its reader puts there.
const (
	pageKey  = "9f86d081884c7d65"
	pageTime = "2026-04-01T00:00:00Z"
)

func analystStatements(t *testing.T) []statement {
	t.Helper()
	page, err := os.ReadFile(analystPage)
	if err != nil {
		t.Fatal(err)
	}
	var out []statement
	for _, found := range regexp.MustCompile("(?ms)^## \\d+\\. ([^\n]+)$.*?^```sql\n(.*?)^```$").FindAllSubmatch(page, -1) {
		out = append(out, statement{string(found[1]), string(found[2])})
	}
	if blocks := bytes.Count(page, []byte("```sql")); len(out) != blocks || len(out) < 25 {
		t.Fatalf("%d statements in %d blocks", len(out), blocks)
	}
	return out
}

// Every statement of docs/analyst-sql.md, sent as it stands by a user who may read nothing but the views, gives what
// the demo's files give, over the native protocol and over HTTP.
func TestAnalystSQL(t *testing.T) {
	data := filepath.Join(t.TempDir(), "demo")
	cmd := demoCmd(t, "--districts", "1", "--json", "--data", data)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		t.Fatalf("%v: %s", err, &stderr)
	}
	var report demo.Report
	if err := json.Unmarshal(stdout.Bytes(), &report); err != nil {
		t.Fatal(err)
	}
	views := slices.DeleteFunc(graph.Views(), func(v string) bool { return strings.HasPrefix(v, "internal_") })
	server, err := embedded.StartClickHouse(t.Context(), embedded.ClickHouseConfig{Dir: filepath.Join(data, "centre", "clickhouse"), Views: views, MaxMemory: 2 << 30, Log: zerolog.Nop()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Stop(); err != nil {
			t.Error(err)
		}
	})
	conn, err := graph.Open(server.DSN(embedded.Analyst))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	t.Run("rights", func(t *testing.T) { analystReadsViewsOnly(t, server, conn) })
	c := newRecount(t, data, &report, server)
	var asked []string
	for _, s := range analystStatements(t) {
		want, ok := c.answers()[s.question]
		if !ok {
			t.Errorf("%s: nothing says what the answer must be", s.question)
			continue
		}
		asked = append(asked, s.question)
		moments := []schemaTime{{c.shared, true}}
		if strings.Contains(s.sql, pageTime) {
			moments = append(moments, schemaTime{c.shared.Add(-time.Microsecond), false})
		}
		for _, at := range moments {
			sql := strings.NewReplacer(pageKey, c.key, pageTime, at.Format("2006-01-02T15:04:05.000000Z")).Replace(s.sql)
			want := want(at.shared)
			for name, ask := range map[string]func(string) ([][]string, error){
				"native": func(sql string) ([][]string, error) { return askNative(t, conn, sql) },
				"http":   func(sql string) ([][]string, error) { return askHTTP(t, server, sql) },
			} {
				have, err := ask(sql)
				if err != nil {
					t.Errorf("%s, %s: %v", s.question, name, err)
				} else if !reflect.DeepEqual(have, want) {
					t.Errorf("%s, %s, shared %v: have\n%s\nwant\n%s", s.question, name, at.shared, inLines(have), inLines(want))
				}
			}
			if n, err := askAsJDBC(t, server, sql); err != nil || n == 0 {
				t.Errorf("%s, as a JDBC driver asks: %d columns, %v", s.question, n, err)
			}
		}
	}
	for question := range c.answers() {
		if !slices.Contains(asked, question) {
			t.Errorf("%s: not on the page", question)
		}
	}
}

// A schemaTime is a moment, and whether the printer had got the list by then.
type schemaTime struct {
	time.Time
	shared bool
}

func inLines(rows [][]string) string {
	var lines []string
	for _, row := range rows {
		lines = append(lines, strings.Join(row, " | "))
	}
	return strings.Join(lines, "\n")
}

// analystReadsViewsOnly: no table, and no view that has elector numbers.
func analystReadsViewsOnly(t *testing.T, server *embedded.ClickHouse, conn driver.Conn) {
	owner, err := graph.Open(server.DSN(embedded.Owner))
	if err != nil {
		t.Fatal(err)
	}
	defer owner.Close()
	var tables, numbered []string
	if err := owner.QueryRow(t.Context(), "SELECT groupArray(name) FROM system.tables WHERE database = currentDatabase() AND (engine != 'View' OR startsWith(name, 'internal_') AND NOT endsWith(name, '_as_of'))").Scan(&tables); err != nil {
		t.Fatal(err)
	}
	if len(tables) < 20 {
		t.Fatalf("tables and internal views: %v", tables)
	}
	for _, table := range tables {
		if strings.HasSuffix(table, "_as_of") {
			table += "(as_of = '')"
		}
		var exception *clickhouse.Exception
		if err := conn.Exec(t.Context(), "SELECT * FROM "+table+" LIMIT 1"); !errors.As(err, &exception) || exception.Code != 497 {
			t.Errorf("%s: %v, want it refused", table, err)
		}
	}
	if err := owner.QueryRow(t.Context(), `SELECT groupArray(concat(table, '.', name)) FROM system.columns
		WHERE database = currentDatabase() AND table IN (SELECT name FROM system.tables WHERE engine = 'View' AND NOT startsWith(name, 'internal_')) AND name IN ('number', 'movement', 'space')`).Scan(&numbered); err != nil || len(numbered) > 0 {
		t.Errorf("numbers in views: %v, %v", numbered, err)
	}
}

// askNative asks over the native protocol, and writes values as ClickHouse does in text.
func askNative(t *testing.T, conn driver.Conn, sql string) ([][]string, error) {
	rows, err := conn.Query(t.Context(), sql)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	out := [][]string{}
	for rows.Next() {
		values := make([]any, len(rows.Columns()))
		for i, column := range rows.ColumnTypes() {
			values[i] = reflect.New(column.ScanType()).Interface()
		}
		if err := rows.Scan(values...); err != nil {
			return nil, err
		}
		var row []string
		for i, value := range values {
			row = append(row, written(reflect.ValueOf(value).Elem().Interface(), rows.ColumnTypes()[i].DatabaseTypeName()))
		}
		out = append(out, row)
	}
	return out, rows.Err()
}

func written(value any, as string) string {
	switch v := value.(type) {
	case time.Time:
		if as == "Date" {
			return v.Format(time.DateOnly)
		}
		return v.UTC().Format("2006-01-02 15:04:05.000000")
	case []string:
		if len(v) == 0 {
			return "[]"
		}
		return "['" + strings.Join(v, "','") + "']"
	}
	return fmt.Sprint(value)
}

// askHTTP asks over HTTP, as Grafana's and other clients' statements go.
func askHTTP(t *testing.T, server *embedded.ClickHouse, sql string) ([][]string, error) {
	body, err := post(t, server, sql, url.Values{"default_format": {"JSONCompactStringsEachRow"}})
	if err != nil {
		return nil, err
	}
	out := [][]string{}
	for decoder := json.NewDecoder(bytes.NewReader(body)); ; {
		var row []string
		if err := decoder.Decode(&row); errors.Is(err, io.EOF) {
			return out, nil
		} else if err != nil {
			return nil, fmt.Errorf("%w: %s", err, body)
		}
		out = append(out, row)
	}
}

// askAsJDBC asks with the settings of ClickHouse's JDBC driver under a tool that bounds what it shows, and returns how
// many columns came, all of types that the driver has classes for.
func askAsJDBC(t *testing.T, server *embedded.ClickHouse, sql string) (int, error) {
	body, err := post(t, server, sql, url.Values{
		"default_format": {"RowBinaryWithNamesAndTypes"}, "max_result_rows": {"200"}, "result_overflow_mode": {"break"},
		"wait_end_of_query": {"1"}, "session_timezone": {"America/Vancouver"}, "compress": {"0"},
	})
	if err != nil {
		return 0, err
	}
	reader := bufio.NewReader(bytes.NewReader(body))
	n, err := binary.ReadUvarint(reader)
	var words []string
	for i := uint64(0); i < 2*n && err == nil; i++ {
		var length uint64
		if length, err = binary.ReadUvarint(reader); err == nil {
			word := make([]byte, length)
			_, err = io.ReadFull(reader, word)
			words = append(words, string(word))
		}
	}
	if err != nil {
		return 0, err
	}
	for _, columnType := range words[n:] {
		if !regexp.MustCompile(`^(String|LowCardinality\(String\)|Bool|UInt(8|16|32|64)|Float64|Date|DateTime64\(6, 'UTC'\)|Array\(String\))$`).MatchString(columnType) {
			return 0, fmt.Errorf("a column of type %s", columnType)
		}
	}
	return int(n), nil
}

func post(t *testing.T, server *embedded.ClickHouse, sql string, settings url.Values) ([]byte, error) {
	settings.Set("database", "rolltrace")
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.HTTPURL()+"/?"+settings.Encode(), strings.NewReader(sql))
	if err != nil {
		return nil, err
	}
	request.SetBasicAuth(embedded.Analyst, server.Password(embedded.Analyst))
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", response.Status, body)
	}
	return body, err
}
