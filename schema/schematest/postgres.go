package schematest

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// PostgresConfig is what a test asks of a Postgres server. The zero value trusts everybody on loopback.
type PostgresConfig struct {
	// Settings are lines for postgresql.conf, "name = value".
	Settings []string
	// HBA are lines for pg_hba.conf, before the one that trusts everybody on loopback.
	HBA []string
	// Files are put into the data folder, readable by the server alone: certificates, keys.
	Files map[string][]byte
}

// A PostgresServer is a Postgres of its own for tests, on a free port of 127.0.0.1 and a socket in its folder. It does not
// sync: it is no yardstick for writes.
type PostgresServer struct {
	Bin  string // folder of the programs: psql, pg_dump, pgbench, …
	Dir  string // folder of the data, and of the Unix socket
	Port int

	process *exec.Cmd
	alive   *os.File // the server ends when it is closed, as it is when this process ends
	ended   chan struct{}
	said    strings.Builder
}

// postgres is the server that the tests of this binary share.
var postgres struct {
	mu     sync.Mutex
	server *PostgresServer
}

// Postgres is the server that all tests of this binary share, whose TestMain calls Main; the first call starts it. A
// machine without Postgres fails the test, and is told which package it wants.
func Postgres(t testing.TB) *PostgresServer {
	t.Helper()
	postgres.mu.Lock()
	defer postgres.mu.Unlock()
	if postgres.server == nil {
		server, err := startPostgres(t.Context(), PostgresConfig{})
		if err != nil {
			t.Fatal(err)
		}
		postgres.server = server
	}
	return postgres.server
}

// PostgresOf starts a server for this test alone, which is stopped when the test ends.
func PostgresOf(t testing.TB, cfg PostgresConfig) *PostgresServer {
	t.Helper()
	server, err := startPostgres(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.stop(); err != nil {
			t.Error(err)
		}
	})
	return server
}

func stopPostgres() error {
	postgres.mu.Lock()
	defer postgres.mu.Unlock()
	if postgres.server == nil {
		return nil
	}
	return postgres.server.stop()
}

// PostgresBin is the folder of Postgres' programs on this machine: PG_BINDIR, what PATH has, or where Debian, Red Hat
// and Homebrew put the newest version.
func PostgresBin() (string, error) {
	folders := []string{os.Getenv("PG_BINDIR")}
	if path, err := exec.LookPath("initdb"); err == nil {
		if path, err = filepath.EvalSymlinks(path); err == nil {
			folders = append(folders, filepath.Dir(path))
		}
	}
	for _, pattern := range []string{"/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin", "/opt/homebrew/opt/postgresql@*/bin", "/usr/local/opt/postgresql@*/bin"} {
		found, _ := filepath.Glob(pattern) // the patterns are good
		slices.Reverse(found)
		folders = append(folders, found...)
	}
	for _, folder := range folders {
		if folder == "" {
			continue
		}
		if _, err := os.Stat(filepath.Join(folder, "initdb")); err == nil {
			return folder, nil
		}
	}
	return "", errors.New("start Postgres: this machine has none: install the package postgresql (Debian, Ubuntu: apt-get install postgresql), or set PG_BINDIR to the folder of initdb")
}

func startPostgres(ctx context.Context, cfg PostgresConfig) (*PostgresServer, error) {
	bin, err := PostgresBin()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "rolltrace-pg-")
	if err != nil {
		return nil, err
	}
	s := &PostgresServer{Bin: bin, Dir: dir, ended: make(chan struct{})}
	if err := s.start(ctx, cfg); err != nil {
		return nil, errors.Join(fmt.Errorf("start Postgres: %w", err), s.stop())
	}
	return s, nil
}

// owner is who runs the server: Postgres refuses to be run by root.
func owner() (*syscall.Credential, error) {
	if os.Getuid() != 0 {
		return nil, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, err := strconv.ParseUint(u.Uid, 10, 32)
		if err != nil {
			return nil, err
		}
		gid, err := strconv.ParseUint(u.Gid, 10, 32)
		if err != nil {
			return nil, err
		}
		return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, nil
	}
	return nil, errors.New("root may not run it, and there is no user postgres")
}

func (s *PostgresServer) command(name string, args ...string) (*exec.Cmd, error) {
	as, err := owner()
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(filepath.Join(s.Bin, name), args...)
	cmd.Dir = s.Dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: as, Setpgid: true}
	return cmd, nil
}

func (s *PostgresServer) start(ctx context.Context, cfg PostgresConfig) error {
	as, err := owner()
	if err != nil {
		return err
	}
	own := func(path string) error {
		if as == nil {
			return nil
		}
		return os.Chown(path, int(as.Uid), int(as.Gid))
	}
	if err := own(s.Dir); err != nil {
		return err
	}
	data := filepath.Join(s.Dir, "data")
	initdb, err := s.command("initdb", "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync")
	if err != nil {
		return err
	}
	if out, err := initdb.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w: %s", err, out)
	}
	for name, content := range cfg.Files {
		path := filepath.Join(data, name)
		if err := errors.Join(os.WriteFile(path, content, 0o600), own(path)); err != nil {
			return err
		}
	}
	hba := strings.Join(append(slices.Clone(cfg.HBA), "local all all trust", "host all all 127.0.0.1/32 trust", "host replication all 127.0.0.1/32 trust", ""), "\n")
	if err := os.WriteFile(filepath.Join(data, "pg_hba.conf"), []byte(hba), 0o600); err != nil {
		return err
	}
	if s.Port, err = freePort(); err != nil {
		return err
	}
	settings := append([]string{
		"listen_addresses = '127.0.0.1'", "port = " + strconv.Itoa(s.Port), "unix_socket_directories = '" + s.Dir + "'",
		"fsync = off", "full_page_writes = off", "max_connections = 200", "shared_buffers = 128MB", "max_prepared_transactions = 10",
		"wal_level = logical", "autovacuum = off", "",
	}, cfg.Settings...)
	conf, err := os.OpenFile(filepath.Join(data, "postgresql.conf"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = conf.WriteString(strings.Join(settings, "\n") + "\n")
	if err := errors.Join(err, conf.Close()); err != nil {
		return err
	}
	return s.run(ctx, data)
}

func (s *PostgresServer) run(ctx context.Context, data string) error {
	// A shell between us ends the server when the test's process ends in any way: its standard input ends then.
	cmd, err := s.command("postgres", "-D", data)
	if err != nil {
		return err
	}
	const keeper = `"$@" </dev/null & p=$!; (cat >/dev/null; kill -INT $p) <&3 2>/dev/null & c=$!; wait $p; kill $c 2>/dev/null`
	cmd.Args = append([]string{"sh", "-c", keeper, "postgres"}, cmd.Args...)
	cmd.Args[4] = cmd.Path
	cmd.Path = "/bin/sh"
	read, write, err := os.Pipe()
	if err != nil {
		return err
	}
	s.alive = write
	cmd.ExtraFiles = []*os.File{read}
	defer func() { _ = read.Close() }()
	cmd.Stderr = &s.said
	if err := cmd.Start(); err != nil {
		return err
	}
	s.process = cmd
	go func() {
		_ = cmd.Wait()
		close(s.ended)
	}()
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		if conn, err := pgconn.Connect(ctx, s.URL("postgres")); err == nil {
			return conn.Close(ctx)
		}
		select {
		case <-tick.C:
		case <-s.ended:
			return fmt.Errorf("it has ended: %s", s.said.String())
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	return l.Addr().(*net.TCPAddr).Port, l.Close()
}

// stop ends the server and removes its folder.
func (s *PostgresServer) stop() error {
	if s.alive != nil {
		_ = s.alive.Close() // fast shutdown; it may have ended
	}
	if s.process != nil {
		select {
		case <-s.ended:
		case <-time.After(30 * time.Second):
			s.Kill()
		}
	}
	if err := os.RemoveAll(s.Dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// Kill ends the server as a crash does: all its processes at once.
func (s *PostgresServer) Kill() {
	_ = syscall.Kill(-s.process.Process.Pid, syscall.SIGKILL)
	<-s.ended
}

// Address is where the server listens, host:port.
func (s *PostgresServer) Address() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(s.Port)) }

// URL is the connection string of a database, as the superuser.
func (s *PostgresServer) URL(database string) string {
	return "postgres://postgres@" + s.Address() + "/" + database + "?sslmode=disable"
}

// Run runs SQL in a database, as the superuser, with psql, and returns what it printed, unaligned and without headers.
func (s *PostgresServer) Run(t testing.TB, database, sql string) string {
	t.Helper()
	cmd := exec.Command(filepath.Join(s.Bin, "psql"), "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-d", s.URL(database))
	cmd.Stdin = strings.NewReader(sql)
	var complaint strings.Builder
	cmd.Stderr = &complaint
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("psql: %v: %s", err, complaint.String())
	}
	return string(out)
}

// Database makes a database for the test and returns its name. It is dropped when the test ends.
func (s *PostgresServer) Database(t testing.TB) string {
	t.Helper()
	name := fmt.Sprintf("t_%d", time.Now().UnixNano())
	s.Run(t, "postgres", "CREATE DATABASE "+name)
	t.Cleanup(func() { s.Run(t, "postgres", "DROP DATABASE IF EXISTS "+name+" WITH (FORCE)") })
	return name
}
