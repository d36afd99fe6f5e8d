package embedded

import (
	"bytes"
	"context"
	"embed"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"text/template"
	"time"

	"github.com/rs/zerolog"
)

// ClickHouseConfig says how the embedded ClickHouse runs.
type ClickHouseConfig struct {
	// Dir is the data folder: tables, passwords, logs. It is made if it is not there. Required.
	Dir string
	// Listen is the loopback address of the native protocol. Port 0 is any free one. Defaults to "127.0.0.1:0".
	Listen string
	// HTTP is the loopback address of the HTTP interface. Port 0 is any free one. Defaults to "127.0.0.1:0".
	HTTP string
	// Database is made if it is not there; the writer's and the readers' grants are in it. Defaults to "rolltrace".
	Database string
	// Views are the views of Database that the analyst and the dashboard may select from. They need not
	// exist yet. Defaults to none.
	Views []string
	// MaxMemory bounds the server's memory, in bytes, at least 512 MiB. 0 is DefaultMaxMemory().
	MaxMemory int64
	// StopTimeout is how long a clean stop may take before the process is killed. Defaults to 30 seconds.
	StopTimeout time.Duration
	// Progress is a terminal that shows one line while the library is fetched. Nil shows nothing.
	Progress io.Writer
	// Log gets starts, stops and restarts.
	Log zerolog.Logger
}

const (
	defaultDatabase    = "rolltrace"
	defaultStopTimeout = 30 * time.Second
	minMaxMemory       = 512 << 20
)

var namePattern = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]{0,127}$`)

func (cfg *ClickHouseConfig) complete() error {
	if cfg.Dir == "" {
		return errors.New("dir: want a folder for ClickHouse's data")
	}
	dir, err := filepath.Abs(cfg.Dir)
	if err != nil {
		return err
	}
	cfg.Dir = dir
	if cfg.Database == "" {
		cfg.Database = defaultDatabase
	}
	for _, name := range append([]string{cfg.Database}, cfg.Views...) {
		if !namePattern.MatchString(name) {
			return fmt.Errorf("database or view %q: want letters, digits and _, beginning with a letter", name)
		}
	}
	if cfg.MaxMemory == 0 {
		cfg.MaxMemory = DefaultMaxMemory()
	}
	if cfg.MaxMemory < minMaxMemory {
		return fmt.Errorf("max memory %d: want %d bytes or more", cfg.MaxMemory, minMaxMemory)
	}
	if cfg.StopTimeout <= 0 {
		cfg.StopTimeout = defaultStopTimeout
	}
	return nil
}

// ClickHouse is a running ClickHouse: a process of its own, started again on the same ports when it ends
// without having been told to. Its methods are safe for concurrent use.
type ClickHouse struct {
	cfg       ClickHouseConfig
	engine    engine
	lock      *os.File
	passwords map[string]string
	native    netip.AddrPort
	http      netip.AddrPort
	client    *http.Client
	process   *supervisor
}

// StartClickHouse starts ClickHouse on a data folder and returns when it answers and its database is
// there. ctx bounds the start (the first one on a machine fetches the library: minutes on a slow line),
// not the life: Stop ends that. A data folder that another process has, a port in use, and no way to get
// ClickHouse are errors of one line.
func StartClickHouse(ctx context.Context, cfg ClickHouseConfig) (*ClickHouse, error) {
	if err := cfg.complete(); err != nil {
		return nil, fmt.Errorf("start clickhouse: %w", err)
	}
	c := &ClickHouse{cfg: cfg, client: &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}}
	if err := c.start(ctx); err != nil {
		c.unlock()
		return nil, fmt.Errorf("start clickhouse: %w", err)
	}
	return c, nil
}

// Check finds the faults that StartClickHouse would find before it starts anything: a folder is not made, and nothing is
// fetched.
func (cfg ClickHouseConfig) Check() error {
	err := cfg.complete()
	for _, port := range []struct{ name, listen string }{{"native protocol", cfg.Listen}, {"http", cfg.HTTP}} {
		if err != nil {
			break
		}
		var addr netip.AddrPort
		if addr, err = clickhouseAddress(port.listen); err == nil {
			if _, err = settle(addr); err != nil {
				err = fmt.Errorf("%s: %w", port.name, err)
			}
		}
	}
	if err != nil {
		return fmt.Errorf("start clickhouse: %w", err)
	}
	return nil
}

func (c *ClickHouse) start(ctx context.Context) error {
	native, err := clickhouseAddress(c.cfg.Listen)
	if err != nil {
		return err
	}
	web, err := clickhouseAddress(c.cfg.HTTP)
	if err != nil {
		return err
	}
	for _, dir := range []string{c.cfg.Dir, c.folder("data"), c.folder("log")} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return err
		}
	}
	if c.lock, err = lockFolder(ctx, c.cfg.Dir); err != nil {
		return err
	}
	if c.passwords, err = passwords(c.cfg.Dir); err != nil {
		return err
	}
	if c.engine, err = chooseEngine(ctx, c.cfg); err != nil {
		return err
	}
	for attempt := 1; ; attempt++ {
		err = c.listen(ctx, native, web)
		// Somebody else may take a free port between our look and the engine's: look again.
		if err == nil || !errors.Is(err, errPortTaken) || native.Port() != 0 && web.Port() != 0 || attempt == 5 {
			return err
		}
	}
}

// errPortTaken marks a start that failed because a port that was free a moment ago was taken.
var errPortTaken = errors.New("the port was taken meanwhile")

// listen settles the ports, starts the process, waits until it answers, and makes the database.
func (c *ClickHouse) listen(ctx context.Context, native, web netip.AddrPort) error {
	var err error
	if c.native, err = settle(native); err != nil {
		return fmt.Errorf("native protocol: %w", err)
	}
	if c.http, err = settle(web); err != nil {
		return fmt.Errorf("http: %w", err)
	}
	if err := c.writeFiles(); err != nil {
		return err
	}
	c.process = newSupervisor(c.engine, c.answers, c.folder("log"), c.lock, c.cfg)
	if err := c.process.start(ctx); err != nil {
		if probe(c.native) != nil || probe(c.http) != nil {
			return fmt.Errorf("%w (%s or %s): %w", errPortTaken, c.native, c.http, err)
		}
		return err
	}
	if err := c.Exec(ctx, "CREATE DATABASE IF NOT EXISTS "+quote(c.cfg.Database)); err != nil {
		return errors.Join(fmt.Errorf("make the database: %w", err), c.process.stop())
	}
	c.cfg.Log.Info().Str("engine", c.engine.statement).Str("native", c.native.String()).Str("http", c.http.String()).Msg("clickhouse is up")
	return nil
}

// settle turns port 0 into a free one, and checks that a given one is free.
func settle(addr netip.AddrPort) (netip.AddrPort, error) {
	if addr.Port() == 0 {
		return freePort(addr.Addr())
	}
	if err := probe(addr); err != nil {
		return addr, fmt.Errorf("%w (end what listens there, or choose another port)", err)
	}
	return addr, nil
}

func (c *ClickHouse) folder(name string) string { return filepath.Join(c.cfg.Dir, name) }

//go:embed clickhouse
var files embed.FS

// writeFiles writes the engine's configuration and users into the data folder.
func (c *ClickHouse) writeFiles() error {
	values := struct {
		Data, Log, UsersFile    string
		TCPPort, HTTPPort       uint16
		MaxMemory, ReaderMemory int64
		Users                   []user
	}{
		Data: c.folder("data"), Log: c.folder("log"), UsersFile: c.folder("users.xml"),
		TCPPort: c.native.Port(), HTTPPort: c.http.Port(),
		MaxMemory: c.cfg.MaxMemory, ReaderMemory: c.cfg.MaxMemory / 2,
		Users: users(c.cfg, c.passwords),
	}
	for _, name := range []string{"config.xml", "users.xml"} {
		file, err := template.New(name).Funcs(template.FuncMap{"x": escape}).ParseFS(files, "clickhouse/"+name)
		if err != nil {
			return err
		}
		var text bytes.Buffer
		if err := file.Execute(&text, values); err != nil {
			return err
		}
		if err := writeWhole(c.folder(name), text.Bytes()); err != nil {
			return fmt.Errorf("write %s: %w", name, err)
		}
	}
	return c.engine.writeFiles(c.cfg.Dir)
}

func escape(text string) (string, error) {
	var out strings.Builder
	err := xml.EscapeText(&out, []byte(text))
	return out.String(), err
}

// answers says whether our own server answers: the password is only known to it and us, so another
// server on the port does not count.
func (c *ClickHouse) answers(ctx context.Context) error { return c.Exec(ctx, "SELECT 1") }

// Exec runs one statement as the owner, over HTTP, and drops what it returns: for what has to be done
// before anybody has a driver.
func (c *ClickHouse) Exec(ctx context.Context, statement string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, c.HTTPURL(), strings.NewReader(statement))
	if err != nil {
		return err
	}
	request.Header.Set("X-ClickHouse-User", Owner)
	request.Header.Set("X-ClickHouse-Key", c.passwords[Owner])
	response, err := c.client.Do(request)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode == http.StatusOK {
		_, err = io.Copy(io.Discard, response.Body)
		return err
	}
	text, err := io.ReadAll(io.LimitReader(response.Body, 4096))
	if err != nil {
		return err
	}
	return fmt.Errorf("%s: %s", response.Status, lastLine(text))
}

// Engine says in one line which ClickHouse was taken.
func (c *ClickHouse) Engine() string { return c.engine.statement }

// Addr is the address of the native protocol, "127.0.0.1:port". It stays the same over restarts.
func (c *ClickHouse) Addr() string { return c.native.String() }

// HTTPURL is the root of the HTTP interface, "http://127.0.0.1:port". It stays the same over restarts.
func (c *ClickHouse) HTTPURL() string { return "http://" + c.http.String() }

// Password is a user's password, or "" for a user that is none of Owner, Writer, Analyst, Dashboard.
func (c *ClickHouse) Password(user string) string { return c.passwords[user] }

// DSN is what clickhouse-go opens for a user, in the configured database:
// "clickhouse://user:password@127.0.0.1:port/rolltrace".
func (c *ClickHouse) DSN(user string) string { return c.DSNOf(user, c.cfg.Database) }

// DSNOf is DSN in another database of the server.
func (c *ClickHouse) DSNOf(user, database string) string {
	dsn := url.URL{
		Scheme: "clickhouse",
		User:   url.UserPassword(user, c.passwords[user]),
		Host:   c.native.String(),
		Path:   "/" + database,
	}
	return dsn.String()
}

// Ready returns nil as soon as the server answers, or ctx's error: after Kill, it waits for the restart.
func (c *ClickHouse) Ready(ctx context.Context) error { return c.process.ready(ctx) }

// Restarts is how many times the process was started again.
func (c *ClickHouse) Restarts() int64 { return c.process.restarts.Load() }

// PID is the process id of the engine, or 0 between two of them.
func (c *ClickHouse) PID() int { return c.process.pid() }

// Kill ends the process with SIGKILL, as a crash would, for tests. It is started again.
func (c *ClickHouse) Kill() error { return c.process.kill() }

// Stop ends the process with SIGTERM and waits until it is gone; after StopTimeout it is killed. Stopping
// again does nothing.
func (c *ClickHouse) Stop() error {
	err := c.process.stop()
	c.unlock()
	return err
}

func (c *ClickHouse) unlock() {
	if c.lock != nil {
		_ = c.lock.Close()
	}
}
