package schematest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/rs/zerolog"

	"github.com/rolltrace/rolltrace/deploy/embedded"
)

// startTimeout bounds the start of a server: the first one on a machine fetches its library.
const startTimeout = 15 * time.Minute

// maxMemory bounds a test server's memory: several test binaries run at a time.
const maxMemory = 2 << 30

// shared is the ClickHouse of this test binary.
var shared struct {
	mu     sync.Mutex
	dir    string
	server *embedded.ClickHouse
}

// Main is the body of TestMain in every package whose tests start ClickHouse or Postgres:
//
//	func TestMain(m *testing.M) { schematest.Main(m) }
//
// It runs the tests, and then stops what they shared.
func Main(m *testing.M) {
	embedded.Child()
	code := m.Run()
	if err := errors.Join(stop(), stopPostgres()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func stop() error {
	shared.mu.Lock()
	defer shared.mu.Unlock()
	if shared.server == nil {
		return nil
	}
	err := shared.server.Stop()
	if removed := os.RemoveAll(shared.dir); err == nil {
		err = removed
	}
	return err
}

func start() (*embedded.ClickHouse, error) {
	shared.mu.Lock()
	defer shared.mu.Unlock()
	if shared.server != nil {
		return shared.server, nil
	}
	dir, err := os.MkdirTemp("", "rolltrace-test-")
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	server, err := embedded.StartClickHouse(ctx, embedded.ClickHouseConfig{Dir: dir, MaxMemory: maxMemory, Log: zerolog.Nop()})
	if err != nil {
		_ = os.RemoveAll(dir)
		return nil, err
	}
	shared.dir, shared.server = dir, server
	return server, nil
}

// ClickHouse makes a database for the test, which is dropped when the test ends, and returns its DSN as
// the owner. The first call in a test binary starts the server. A test that kills or stops the server
// wants one of its own: ClickHouseServer.
func ClickHouse(t testing.TB) string {
	t.Helper()
	server, err := start()
	if err != nil {
		t.Fatal(err)
	}
	database := "t_" + strings.ReplaceAll(uuid.NewString(), "-", "")
	if err := server.Exec(t.Context(), "CREATE DATABASE "+database); err != nil {
		t.Fatalf("make the test's database: %v", err)
	}
	t.Cleanup(func() {
		if err := server.Exec(context.Background(), "DROP DATABASE IF EXISTS "+database+" SYNC"); err != nil {
			t.Errorf("drop the test's database: %v", err)
		}
	})
	return server.DSNOf(embedded.Owner, database)
}

// ClickHouseServer starts a server for this test alone, and stops it when the test ends. An empty
// cfg.Dir is a temporary one.
func ClickHouseServer(t testing.TB, cfg embedded.ClickHouseConfig) *embedded.ClickHouse {
	t.Helper()
	if cfg.Dir == "" {
		cfg.Dir = t.TempDir()
	}
	if cfg.MaxMemory == 0 {
		cfg.MaxMemory = maxMemory
	}
	ctx, cancel := context.WithTimeout(t.Context(), startTimeout)
	defer cancel()
	server, err := embedded.StartClickHouse(ctx, cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Stop(); err != nil {
			t.Error(err)
		}
	})
	return server
}

// NATS starts a server with JetStream for this test, on a free port of loopback and in a temporary
// folder, and stops it when the test ends.
func NATS(t testing.TB) *embedded.NATS {
	t.Helper()
	return NATSServer(t, embedded.NATSConfig{})
}

// NATSServer is NATS with a configuration: to start again on the same folder, on the same port, or with
// credentials. An empty cfg.Dir is a temporary one.
func NATSServer(t testing.TB, cfg embedded.NATSConfig) *embedded.NATS {
	t.Helper()
	if cfg.Dir == "" {
		cfg.Dir = t.TempDir()
	}
	server, err := embedded.StartNATS(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Stop)
	return server
}

// Connect connects to a server for this test: over its port, or in process if it has none.
func Connect(t testing.TB, server *embedded.NATS, options ...nats.Option) *nats.Conn {
	t.Helper()
	if server.URL() == "" {
		options = append(options, server.InProcess())
	}
	conn, err := nats.Connect(server.URL(), options...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	return conn
}

// JetStream is Connect, and the JetStream of the connection.
func JetStream(t testing.TB, server *embedded.NATS, options ...nats.Option) jetstream.JetStream {
	t.Helper()
	js, err := jetstream.New(Connect(t, server, options...))
	if err != nil {
		t.Fatal(err)
	}
	return js
}
