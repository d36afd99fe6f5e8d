package pgtap_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/rolltrace/rolltrace/producers"
	"github.com/rolltrace/rolltrace/producers/outbox"
	"github.com/rolltrace/rolltrace/producers/pgtap"
	"github.com/rolltrace/rolltrace/schema"
	"github.com/rolltrace/rolltrace/schema/wire"
)

var _ producers.Outbox = (*outbox.Outbox)(nil)

// When the outbox is full nothing goes on unrecorded.
func TestFullOutbox(t *testing.T) {
	b, database := newRecordingBench(t, nil)
	b.stop()
	b.outbox = openOutbox(t, func(cfg *outbox.Config) {
		cfg.MaxBytes, cfg.BlockTimeout = outbox.MinMaxBytes, 100*time.Millisecond
	})
	b.start(recording(b, func(cfg *pgtap.Config) { cfg.Retry = time.Hour }))
	b.server.Run(t, database, "INSERT INTO voters SELECT i, 'x', NULL, 0, NULL FROM generate_series(1001, 400000) i")
	conn := b.as(database, "full").PgConn()
	rows := 0
	results := conn.Exec(t.Context(), "SELECT id, repeat('x', 300) FROM voters") // more than the sockets hold
	for results.NextResult() {
		for results.ResultReader().NextRow() {
			rows++
		}
	}
	err := results.Close()
	var fault *pgconn.PgError
	if !errors.As(err, &fault) || fault.Code != "53100" || fault.Severity != "ERROR" {
		t.Errorf("%v", err)
	}
	// While that is known, a statement that reads electors fails in the server: the transaction is as it says.
	for _, ask := range []func() error{
		func() error {
			_, err := conn.Exec(t.Context(), "SELECT id FROM voters WHERE id = 1").ReadAll()
			return err
		},
		func() error {
			return conn.ExecParams(t.Context(), "SELECT id FROM voters WHERE id = $1", [][]byte{[]byte("1")}, nil, nil, nil).Read().Err
		},
	} {
		if _, err := conn.Exec(t.Context(), "BEGIN; SELECT id FROM other LIMIT 1").ReadAll(); err != nil {
			t.Fatal(err)
		}
		if err := ask(); !errors.As(err, &fault) || fault.Code != "53100" || fault.Severity != "ERROR" || conn.TxStatus() != 'E' {
			t.Errorf("%v, in a transaction of state %q", err, conn.TxStatus())
		}
		if _, err := conn.Exec(t.Context(), "ROLLBACK").ReadAll(); err != nil {
			t.Error(err)
		}
	}
	// The server has cancelled it, and the session goes on with what is not recorded.
	if _, err := conn.Exec(t.Context(), "SELECT count(*) FROM other; SELECT id FROM other LIMIT 1").ReadAll(); err != nil {
		t.Errorf("afterwards: %v", err)
	}
	b.stop()
	r := read(t, b.outbox)
	have := r.electors("party-a/reports/full", schema.ElectorID)
	if rows == 0 || rows > len(have) || rows == 400_000 {
		t.Errorf("%d rows came, %d electors are recorded", rows, len(have))
	}
}

// fill makes an outbox take no data any more, without the tap's knowing.
func fill(t *testing.T, o *outbox.Outbox) {
	t.Helper()
	for index, size := uint32(0), 1000; ; index++ {
		keys := make([]schema.Key, size)
		receipt, err := o.Append(t.Context(), wire.Draft{Chunk: &wire.Chunk{
			Movement: "0199b0c2-7f3e-7c1a-9d58-3f1c6f1b2a90", Index: index, IDSpace: schema.ElectorID, KeyID: secret.KeyID(), Keys: keys,
		}})
		if err == nil {
			err = receipt.Wait(t.Context())
		}
		if errors.Is(err, producers.ErrFull) {
			if size == 1 {
				return
			}
			size = 1
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// refused checks that a client was told that something could not be recorded.
func refused(t *testing.T, name string, err error, severity string) {
	t.Helper()
	var fault *pgconn.PgError
	if !errors.As(err, &fault) || fault.Code != "53100" || fault.Severity != severity {
		t.Errorf("%s: %v, want %s 53100", name, err, severity)
	}
}

// newUnableBench is a tap whose outbox takes nothing, and which finds that out again with every statement.
func newUnableBench(t *testing.T, retry time.Duration) (b *bench, database string) {
	b, database = newRecordingBench(t, nil)
	b.stop()
	b.outbox = openOutbox(t, func(cfg *outbox.Config) { cfg.MaxBytes, cfg.BlockTimeout = outbox.MinMaxBytes, 50*time.Millisecond })
	b.start(recording(b, func(cfg *pgtap.Config) { cfg.Retry = retry }))
	fill(t, b.outbox)
	return b, database
}

// A small result that has come when it turns out that it cannot be recorded goes to nobody. What the client is told is true of its
// transaction, and the session goes on if that can be.
func TestFinishedResultsThatCannotBeRecorded(t *testing.T) {
	b, database := newUnableBench(t, time.Nanosecond)
	const ask = "SELECT id, name FROM voters WHERE id = 7"
	ways := map[string]func(c *pgx.Conn) error{
		"simple": func(c *pgx.Conn) error {
			all, err := c.PgConn().Exec(t.Context(), ask).ReadAll()
			for _, one := range all {
				if len(one.Rows) > 0 {
					t.Error("a row came")
				}
			}
			return err
		},
		"several": func(c *pgx.Conn) error {
			_, err := c.PgConn().Exec(t.Context(), "SELECT 1; "+ask+"; SELECT 2; SELECT id FROM other").ReadAll()
			return err
		},
		"extended": func(c *pgx.Conn) error { return c.PgConn().ExecParams(t.Context(), ask, nil, nil, nil, nil).Read().Err },
		"counted": func(c *pgx.Conn) error {
			_, err := c.PgConn().Exec(t.Context(), "SELECT name FROM voters").ReadAll()
			return err
		},
		"copy": func(c *pgx.Conn) error {
			_, err := c.PgConn().CopyTo(t.Context(), &strings.Builder{}, "COPY ("+ask+") TO STDOUT")
			return err
		},
	}
	for name, way := range ways {
		conn := b.as(database, name)
		refused(t, name, way(conn), "ERROR")
		if conn.PgConn().TxStatus() != 'I' {
			t.Errorf("%s: status %q", name, conn.PgConn().TxStatus())
		}
		// In a transaction, the server's has failed too.
		if _, err := conn.Exec(t.Context(), "BEGIN"); err != nil {
			t.Fatal(name, err)
		}
		refused(t, name+" in a transaction", way(conn), "ERROR")
		var fault *pgconn.PgError
		if _, err := conn.Exec(t.Context(), "SELECT 1"); conn.PgConn().TxStatus() != 'E' || !errors.As(err, &fault) || fault.Code != "25P02" {
			t.Errorf("%s: afterwards %v, status %q", name, err, conn.PgConn().TxStatus())
		}
		if _, err := conn.Exec(t.Context(), "ROLLBACK"); err != nil {
			t.Error(name, err)
		}
		if _, err := conn.Exec(t.Context(), "SELECT id FROM other LIMIT 1"); err != nil {
			t.Error(name, err)
		}
	}
	// Flushed, and not yet ready.
	raw := dialRaw(t, b.url(database))
	raw.send('P', "\x00"+ask+"\x00\x00\x00")
	raw.send('B', "\x00\x00\x00\x00\x00\x00\x00\x00")
	raw.send('E', "\x00\x00\x00\x00\x00")
	raw.send('H', "")
	raw.expect("12")
	raw.send('E', "\x00\x00\x00\x00\x00")
	raw.send('S', "")
	raw.expect("EZ")
	raw.send('Q', "SELECT 1\x00")
	raw.expect("TDCZ")
	// What has been committed and has changed something is not denied: the session ends, and the change is a gap.
	for name, sql := range map[string]string{
		"insert": "INSERT INTO voters (id) VALUES (9001) RETURNING id", "quiet": "INSERT INTO voters (id) VALUES (9002)", "called": ask + "; SELECT f()",
	} {
		if name == "called" {
			b.server.Run(t, database, "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'")
		}
		conn := b.as(database, name)
		_, err := conn.PgConn().Exec(t.Context(), sql).ReadAll()
		refused(t, name, err, "FATAL")
	}
	b.stop()
	r := read(t, b.outbox)
	if len(r.movements) != 0 {
		t.Errorf("%d movements in a full outbox", len(r.movements))
	}
	if len(r.gaps) == 0 || r.gaps[0].Place != voters || r.gaps[0].Records != 1 {
		t.Errorf("gaps: %+v", r.gaps)
	}
}

// What would have to be recorded at its commit is not committed while that is known to be impossible.
func TestCommitsThatCannotBeRecorded(t *testing.T) {
	b, database := newRecordingBench(t, nil)
	b.stop()
	b.outbox = openOutbox(t, func(cfg *outbox.Config) { cfg.MaxBytes, cfg.BlockTimeout = outbox.MinMaxBytes, 50*time.Millisecond })
	b.start(recording(b, func(cfg *pgtap.Config) { cfg.Retry = time.Hour }))
	conn, other := b.as(database, "commit"), b.as(database, "other")
	if _, err := conn.Exec(t.Context(), "BEGIN; INSERT INTO voters (id) VALUES (9001)"); err != nil {
		t.Fatal(err)
	}
	fill(t, b.outbox)
	_, err := other.Exec(t.Context(), "SELECT id FROM voters WHERE id = 1")
	refused(t, "read", err, "ERROR")
	_, err = conn.Exec(t.Context(), "COMMIT")
	refused(t, "commit", err, "ERROR")
	if conn.PgConn().TxStatus() != 'E' {
		t.Errorf("status %q", conn.PgConn().TxStatus())
	}
	if _, err := conn.Exec(t.Context(), "ROLLBACK"); err != nil {
		t.Error(err)
	}
	if n := b.server.Run(t, database, "SELECT count(*) FROM voters WHERE id = 9001"); n != "0\n" {
		t.Errorf("%s rows are there", n)
	}
}

// An outbox that is told to let go what it has no room for: the rows go, and what went by is a gap.
func TestPassingOutbox(t *testing.T) {
	b, database := newRecordingBench(t, nil)
	b.stop()
	dir := t.TempDir()
	config := func(cfg *outbox.Config) {
		cfg.Dir, cfg.MaxBytes, cfg.OnFull = dir, outbox.MinMaxBytes, outbox.Pass
	}
	b.outbox = openOutbox(t, config)
	b.start(recording(b, nil))
	b.server.Run(t, database, "INSERT INTO voters SELECT i, 'x', NULL, 0, NULL FROM generate_series(1001, 400000) i")
	conn := b.as(database, "pass").PgConn()
	rows := 0
	for _, sql := range []string{"SELECT id, name FROM voters", "SELECT id FROM voters WHERE id = 7", "COPY voters (id) TO STDOUT"} {
		if strings.HasPrefix(sql, "COPY") {
			tag, err := conn.CopyTo(t.Context(), &strings.Builder{}, sql)
			if err != nil {
				t.Error(err)
			}
			rows += int(tag.RowsAffected())
			continue
		}
		all, err := conn.Exec(t.Context(), sql).ReadAll()
		if err != nil {
			t.Fatal(err)
		}
		rows += len(all[0].Rows)
	}
	if rows != 800_001 {
		t.Errorf("%d rows came", rows)
	}
	b.stop()
	if err := b.outbox.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	r := read(t, openOutbox(t, config))
	missed, recorded := uint64(0), 0
	for _, g := range r.gaps {
		missed += g.Records
	}
	for _, keys := range r.keys {
		recorded += len(keys[schema.ElectorID])
	}
	if missed == 0 || int(missed)+recorded < 800_000 {
		t.Errorf("%d in gaps and %d recorded, of 800,001", missed, recorded)
	}
}

// An outbox whose store is out of order is as one that is full, and when it is in order again the rows go.
func TestBrokenOutbox(t *testing.T) {
	b, database := newRecordingBench(t, nil)
	b.stop()
	dir := filepath.Join(t.TempDir(), "outbox")
	b.outbox = openOutbox(t, func(cfg *outbox.Config) { cfg.Dir, cfg.MaxBytes, cfg.BlockTimeout = dir, 8<<20, time.Second })
	b.start(recording(b, func(cfg *pgtap.Config) { cfg.Retry = 100 * time.Millisecond }))
	b.server.Run(t, database, "INSERT INTO voters SELECT i, 'x', NULL, 0, NULL FROM generate_series(1001, 200000) i")
	store, away := filepath.Join(dir, "jetstream"), filepath.Join(dir, "away")
	conn := b.as(database, "broken")
	came := map[string]bool{}
	next := 0
	take := func(n int) error { // n electors that nobody has read
		all, err := conn.PgConn().Exec(t.Context(), fmt.Sprintf("SELECT id FROM voters WHERE id > %d AND id <= %d", next, next+n)).ReadAll()
		next += n
		for _, one := range all {
			for _, row := range one.Rows {
				came[string(row[0])] = true
			}
		}
		return err
	}
	if err := take(10); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.Rename(store, away), os.WriteFile(store, nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	var err error
	for range 15 {
		if err = take(10_000); err != nil {
			break
		}
	}
	var fault *pgconn.PgError
	if !errors.As(err, &fault) || fault.Code != "53100" {
		t.Fatalf("with a store that is gone: %v", err)
	}
	if fault.Severity == "FATAL" {
		conn = b.as(database, "broken")
	}
	refused(t, "again", take(10), "ERROR")
	if err := errors.Join(os.Remove(store), os.Rename(away, store)); err != nil {
		t.Fatal(err)
	}
	await(t, func() bool { return take(10) == nil })
	b.stop()
	have := read(t, b.outbox).electors("party-a/reports/broken", schema.ElectorID)
	p := secret.Space(schema.ElectorID)
	for id := range came {
		if key, _ := p.Key([]byte(id)); !slices.Contains(have, key) {
			t.Fatalf("one of %d electors that came is not recorded among %d", len(came), len(have))
		}
	}
}
