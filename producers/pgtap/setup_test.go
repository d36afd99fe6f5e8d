package pgtap_test

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/rolltrace/rolltrace/producers/outbox"
	"github.com/rolltrace/rolltrace/producers/pgtap"
	"github.com/rolltrace/rolltrace/schema/schematest"
)

// patience bounds every wait for an event.
const patience = 60 * time.Second

// A bench is a tap in front of a server, with an outbox of its own.
type bench struct {
	t      testing.TB
	server *schematest.PostgresServer
	outbox *outbox.Outbox
	tap    *pgtap.Tap
	stop   func() // ends the tap, and waits until it has ended
}

func openOutbox(t testing.TB, change func(*outbox.Config)) *outbox.Outbox {
	t.Helper()
	cfg := outbox.Config{Dir: filepath.Join(t.TempDir(), "outbox"), Org: "party-a", Sidecar: "field-db-1", Signer: schematest.Identity(1)}
	if change != nil {
		change(&cfg)
	}
	o, err := outbox.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := o.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return o
}

// newBench starts a tap in front of the server that the tests share, unless the change says otherwise.
func newBench(t testing.TB, change func(*pgtap.Config)) *bench {
	t.Helper()
	b := &bench{t: t, server: schematest.Postgres(t)}
	b.outbox = openOutbox(t, nil)
	b.start(change)
	return b
}

func (b *bench) start(change func(*pgtap.Config)) {
	b.t.Helper()
	cfg := pgtap.Config{Listen: "127.0.0.1:0", Server: b.server.Address(), Outbox: b.outbox}
	if change != nil {
		change(&cfg)
	}
	var err error
	if b.tap, err = pgtap.New(cfg); err != nil {
		b.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- b.tap.Run(ctx) }()
	stopped := false
	b.stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		if err := <-ended; err != nil {
			b.t.Error(err)
		}
	}
	b.t.Cleanup(b.stop)
	select {
	case <-b.tap.Ready():
	case err := <-ended:
		b.t.Fatal(err)
	}
}

// url is the connection string of a database through the tap.
func (b *bench) url(database string) string {
	return "postgres://postgres@" + b.tap.Address().String() + "/" + database + "?sslmode=disable"
}

// connect connects through the tap with pgx.
func (b *bench) connect(database string) *pgx.Conn {
	b.t.Helper()
	return connect(b.t, b.url(database))
}

func connect(t testing.TB, url string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	return conn
}

// tool runs one of Postgres' programs and returns everything that it wrote.
func (b *bench) tool(stdin, url, name string, args ...string) string {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.t.Context(), 2*patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, filepath.Join(b.server.Bin, name), args...)
	if url != "" {
		cmd.Args = append(cmd.Args, "-d", url)
	}
	cmd.Stdin = strings.NewReader(stdin)
	out, err := cmd.CombinedOutput()
	if err != nil {
		out = fmt.Appendf(out, "\n%v", err)
	}
	return string(out)
}

// await waits until something is so.
func await(t testing.TB, so func() bool) {
	t.Helper()
	late := time.After(patience)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !so() {
		select {
		case <-tick.C:
		case <-late:
			t.Fatal("it did not happen")
		}
	}
}
