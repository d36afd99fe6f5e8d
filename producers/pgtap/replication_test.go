package pgtap_test

import (
	"errors"
	"path/filepath"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/rolltrace/rolltrace/producers/pgtap"
	"github.com/rolltrace/rolltrace/schema"
)

// Replication is refused unless it is allowed.
func TestReplicationIsRefused(t *testing.T) {
	b := newBench(t, nil)
	_, err := pgconn.Connect(t.Context(), b.url("postgres")+"&replication=database")
	var fault *pgconn.PgError
	if !errors.As(err, &fault) || fault.Code != "42501" {
		t.Errorf("%v", err)
	}
}

// Where it is allowed it is a movement of all that the database's tables hold, and works as without the tap.
func TestReplicationIsRecorded(t *testing.T) {
	b, database := newRecordingBench(t, func(cfg *pgtap.Config) { cfg.Replication = true })
	conn, err := pgconn.Connect(t.Context(), b.url(database)+"&replication=database&application_name=replica")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Exec(t.Context(), "IDENTIFY_SYSTEM; ").ReadAll(); err != nil {
		t.Error(err)
	}
	if _, err := conn.Exec(t.Context(), "CREATE_REPLICATION_SLOT s TEMPORARY LOGICAL pgoutput").ReadAll(); err != nil {
		t.Error(err)
	}
	// CopyBoth, until the client ends it.
	raw := conn.Frontend()
	raw.Send(&pgproto3.Query{String: "START_REPLICATION SLOT s LOGICAL 0/0 (proto_version '1', publication_names 'p')"})
	if err := raw.Flush(); err != nil {
		t.Fatal(err)
	}
	for state := 0; state < 2; {
		message, err := raw.Receive()
		if err != nil {
			t.Fatal(err)
		}
		switch message.(type) {
		case *pgproto3.CopyBothResponse:
			raw.Send(&pgproto3.CopyDone{})
			if err := raw.Flush(); err != nil {
				t.Fatal(err)
			}
			state = 1
		case *pgproto3.ReadyForQuery:
			if state != 1 {
				t.Fatal("no CopyBoth")
			}
			state = 2
		}
	}
	if _, err := conn.Exec(t.Context(), "SELECT 1").ReadAll(); err != nil {
		t.Error(err)
	}
	base := filepath.Join(t.TempDir(), "base")
	if out := b.tool("", b.url("postgres"), "pg_basebackup", "-D", base, "-c", "fast", "-X", "stream"); out != "" {
		t.Errorf("pg_basebackup: %s", out)
	}
	if err := conn.Close(t.Context()); err != nil {
		t.Error(err)
	}
	b.stop()
	r := read(t, b.outbox)
	m := r.to("party-a/reports/replica")
	if len(m) != 1 || m[0].State != schema.Closed || m[0].Electors.Mode != schema.Whole || m[0].Inputs[0].Place != voters {
		t.Errorf("recorded %+v", m)
	}
	if m := r.to("party-a/reports/pg_basebackup"); len(m) == 0 || m[0].Electors.Mode != schema.Whole {
		t.Errorf("of pg_basebackup: %+v", m)
	}
}
