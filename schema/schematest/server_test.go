package schematest_test

import (
	"database/sql"
	"testing"

	_ "github.com/ClickHouse/clickhouse-go/v2"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/rolltrace/rolltrace/schema/schematest"
)

func TestMain(m *testing.M) { schematest.Main(m) }

// Two tests of one binary share a server, and nothing else.
func TestEachTestHasADatabaseOfItsOwn(t *testing.T) {
	databases := map[string]bool{}
	for _, name := range []string{"one", "another"} {
		t.Run(name, func(t *testing.T) {
			db, err := sql.Open("clickhouse", schematest.ClickHouse(t))
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = db.Close() }()
			if _, err := db.Exec("CREATE TABLE kept (n UInt32) ENGINE = MergeTree ORDER BY n"); err != nil {
				t.Fatal(err)
			}
			var database string
			var started uint64
			if err := db.QueryRow("SELECT currentDatabase(), count() FROM kept").Scan(&database, &started); err != nil {
				t.Fatal(err)
			}
			if databases[database] || started != 0 {
				t.Errorf("database %s was used before", database)
			}
			databases[database] = true
		})
	}
	db, err := sql.Open("clickhouse", schematest.ClickHouse(t))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	for database := range databases {
		var left uint64
		if err := db.QueryRow("SELECT count() FROM system.databases WHERE name = ?", database).Scan(&left); err != nil {
			t.Fatal(err)
		}
		if left != 0 {
			t.Errorf("database %s outlived its test", database)
		}
	}
}

func TestEachTestHasANATSOfItsOwn(t *testing.T) {
	one, another := schematest.JetStream(t, schematest.NATS(t)), schematest.JetStream(t, schematest.NATS(t))
	if _, err := one.CreateStream(t.Context(), jetstream.StreamConfig{Name: "KEPT", Subjects: []string{"kept"}}); err != nil {
		t.Fatal(err)
	}
	if _, err := one.Publish(t.Context(), "kept", []byte("1")); err != nil {
		t.Fatal(err)
	}
	if _, err := another.Stream(t.Context(), "KEPT"); err == nil {
		t.Error("the stream of one test is seen by another")
	}
}
