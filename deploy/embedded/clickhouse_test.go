package embedded

import (
	"context"
	"database/sql"
	"testing"
	"time"

	_ "github.com/ClickHouse/clickhouse-go/v2"
	"github.com/rs/zerolog"
)

func startClickHouse(t *testing.T, cfg ClickHouseConfig) *ClickHouse {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	cfg.Log = zerolog.New(zerolog.NewTestWriter(t))
	c, err := StartClickHouse(ctx, cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Stop(); err != nil {
			t.Error(err)
		}
	})
	return c
}

func open(t *testing.T, dsn string) *sql.DB {
	t.Helper()
	db, err := sql.Open("clickhouse", dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

func TestClickHouseAnswersAsItsOwner(t *testing.T) {
	c := startClickHouse(t, ClickHouseConfig{Dir: t.TempDir(), MaxMemory: 1 << 30})
	db := open(t, c.DSN(Owner))
	var who, version string
	if err := db.QueryRow("SELECT currentUser(), version()").Scan(&who, &version); err != nil {
		t.Fatal(err)
	}
	if who != Owner {
		t.Errorf("user %q, want %q", who, Owner)
	}
}
