package centre

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/gofrs/flock"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/rs/zerolog"

	"github.com/rolltrace/rolltrace/cmd/internal/config"
	"github.com/rolltrace/rolltrace/cmd/internal/hub"
	"github.com/rolltrace/rolltrace/deploy/embedded"
	"github.com/rolltrace/rolltrace/schema"
	"github.com/rolltrace/rolltrace/schema/graph"
	"github.com/rolltrace/rolltrace/schema/stream"
)

// Addresses that the parts prefer unless others are given, so that sidecars find a centre again. One that
// somebody else has is passed over for a free one.
const (
	natsAddress           = "127.0.0.1:4222"
	clickHouseAddress     = "127.0.0.1:9000"
	clickHouseHTTPAddress = "127.0.0.1:8123"
	httpAddress           = "127.0.0.1:9465"
	explorerAddress       = "127.0.0.1:9466"
)

// Free is the address of a part that takes any free port on loopback.
const Free = "127.0.0.1:0"

// Config says what a centre consists of.
type Config struct {
	// Data is the folder of everything that is kept. It is made if it is not there. Required.
	Data string
	// Hub is a hub of your own. Without a URL, one runs in this process.
	Hub hub.Config
	// ClickHouse is the DSN of a ClickHouse of your own. "" runs one beside this process.
	ClickHouse string
	// Listen says where the parts that are run here listen. "" is where they did last time, else the usual
	// port, else a free one; port 0 is any free one.
	Listen Listen
	// NATSUser, NATSPassword and NATSTLS are what clients of the embedded hub need. Off loopback all are
	// required.
	NATSUser, NATSPassword string
	NATSTLS                *tls.Config
	// MaxMemory bounds the embedded ClickHouse, in bytes. 0 chooses by the machine.
	MaxMemory int64
	// Progress is a terminal for the progress of a download. Nil shows nothing.
	Progress io.Writer
	// Log gets what the parts have to say.
	Log zerolog.Logger
}

// A Part is one part of a running centre, for people: what it is, where it listens, what it is made of.
type Part struct {
	Name  string
	Where string
	What  string
}

// A Centre is a running centre without its consumer, which is the caller's: Serves. Its methods are not safe for concurrent use.
type Centre struct {
	cfg        Config
	info       Info
	parts      []Part
	lock       *flock.Flock
	nats       *embedded.NATS
	clickhouse *embedded.ClickHouse

	// Hub is a connection to the hub, and Log the log there.
	Hub jetstream.JetStream
	Log stream.Log
	// Writer is the DSN that the consumer writes with, Reader the one that questions read with.
	Writer, Reader string
}

// Start starts what is to be embedded, connects to the rest, makes the log if it is not there, and brings
// the tables to the newest schema. ctx bounds the start. After an error nothing is left running.
func Start(ctx context.Context, cfg Config) (*Centre, error) {
	c := &Centre{cfg: cfg}
	if err := c.start(ctx); err != nil {
		return nil, errors.Join(err, c.Stop())
	}
	return c, nil
}

func (c *Centre) start(ctx context.Context) error {
	data, err := filepath.Abs(c.cfg.Data)
	if err != nil {
		return fmt.Errorf("data folder: %w", err)
	}
	c.cfg.Data = data
	previous, err := ReadInfo(c.cfg.Data)
	if err != nil && !errors.Is(err, ErrNone) && !errors.Is(err, syscall.ENOTDIR) { // take says that of the folder
		return err
	}
	if err := c.check(ctx, previous.Listen); err != nil {
		return err
	}
	if err := c.take(); err != nil {
		return err
	}
	if err := c.startHub(ctx, previous.Listen); err != nil {
		return err
	}
	if err := c.startClickHouse(ctx, previous.Listen); err != nil {
		return err
	}
	c.info.Listen.HTTP = choose(c.cfg.Listen.HTTP, previous.Listen.HTTP, httpAddress)
	c.info.Listen.Explorer = choose(c.cfg.Listen.Explorer, previous.Listen.Explorer, explorerAddress)
	if err := graph.Migrate(ctx, graph.Options{DSN: c.owner(), Definer: c.definer()}); err != nil {
		return fmt.Errorf("migrate clickhouse: %w", AtClickHouse(c.owner(), err))
	}
	return c.publish()
}

// check finds out what is wrong with the configuration before anything is made or started: what is given answers, and what is
// to be run can listen.
func (c *Centre) check(ctx context.Context, previous Listen) error {
	if c.cfg.Hub.NATS.IsZero() {
		if err := c.natsConfig(previous).Check(); err != nil {
			return err
		}
	} else {
		conn, err := hub.Connect(c.cfg.Hub, hub.Options{Name: "rolltrace", Log: c.cfg.Log})
		if err != nil {
			return err
		}
		conn.Close()
	}
	if c.cfg.ClickHouse == "" {
		return c.clickHouseConfig(previous).Check()
	}
	return AtClickHouse(c.cfg.ClickHouse, graph.CheckOwner(ctx, c.cfg.ClickHouse))
}

// take makes the data folder this process's own.
func (c *Centre) take() error {
	data := c.cfg.Data
	if err := os.MkdirAll(data, 0o700); err != nil {
		return fmt.Errorf("make data folder: %w", err)
	}
	lock := flock.New(filepath.Join(data, "lock"), flock.SetPermissions(0o600))
	taken, err := lock.TryLock()
	if err != nil {
		return fmt.Errorf("lock data folder %s: %w", data, err)
	}
	if !taken {
		return fmt.Errorf("lock data folder %s: another rolltrace runs on it: end that one, or give another folder with --data", data)
	}
	c.lock = lock
	return nil
}

func (c *Centre) startHub(ctx context.Context, previous Listen) error {
	conn, err := c.connectHub(ctx, previous)
	if err != nil {
		return err
	}
	if c.Hub, err = jetstream.New(conn); err != nil {
		conn.Close()
		return fmt.Errorf("connect to the hub: %w", err)
	}
	if c.nats != nil { // its streams are this program's own
		if err := stream.Extend(ctx, c.Hub); err != nil {
			return fmt.Errorf("prepare the log: %w", err)
		}
	}
	if c.Log, err = stream.Ensure(ctx, c.Hub, stream.Options{}); err != nil {
		return fmt.Errorf("prepare the log: %w", err)
	}
	return nil
}

func (c *Centre) connectHub(ctx context.Context, previous Listen) (*nats.Conn, error) {
	if where := c.cfg.Hub.NATS; !where.IsZero() {
		c.info.NATS = where.Reveal()
		c.part("nats", where.String(), "given")
		return hub.Connect(c.cfg.Hub, hub.Options{Name: "rolltrace", Log: c.cfg.Log})
	}
	cfg := c.natsConfig(previous)
	var options []nats.Option
	if c.cfg.NATSUser != "" {
		options = append(options, nats.UserInfo(c.cfg.NATSUser, c.cfg.NATSPassword))
	}
	server, err := embedded.StartNATS(ctx, cfg)
	if err != nil {
		return nil, err
	}
	c.nats = server
	c.info.NATS, c.info.Listen.NATS = server.URL(), hostOf(server.URL())
	c.part("nats", server.URL(), "embedded, sync always, "+server.Dir())
	conn, err := nats.Connect("", append(options, server.InProcess(), nats.Name("rolltrace"), nats.MaxReconnects(-1))...)
	if err != nil {
		return nil, fmt.Errorf("connect to the hub: %w", err)
	}
	return conn, nil
}

func (c *Centre) natsConfig(previous Listen) embedded.NATSConfig {
	cfg := embedded.NATSConfig{
		Dir:    filepath.Join(c.cfg.Data, "nats"),
		Listen: choose(c.cfg.Listen.NATS, previous.NATS, natsAddress),
		TLS:    c.cfg.NATSTLS,
		Log:    c.cfg.Log.With().Str("part", "nats").Logger(),
	}
	if c.cfg.NATSUser != "" {
		cfg.Users = []embedded.NATSUser{{Name: c.cfg.NATSUser, Password: c.cfg.NATSPassword}}
	}
	return cfg
}

func (c *Centre) clickHouseConfig(previous Listen) embedded.ClickHouseConfig {
	return embedded.ClickHouseConfig{
		Dir:       filepath.Join(c.cfg.Data, "clickhouse"),
		Listen:    choose(c.cfg.Listen.ClickHouse, previous.ClickHouse, clickHouseAddress),
		HTTP:      choose(c.cfg.Listen.ClickHouseHTTP, previous.ClickHouseHTTP, clickHouseHTTPAddress),
		Views:     graph.Readable(),
		MaxMemory: c.cfg.MaxMemory,
		Progress:  c.cfg.Progress,
		Log:       c.cfg.Log.With().Str("part", "clickhouse").Logger(),
	}
}

func (c *Centre) startClickHouse(ctx context.Context, previous Listen) error {
	if dsn := c.cfg.ClickHouse; dsn != "" {
		c.Writer, c.Reader = dsn, dsn
		c.info.ClickHouse = map[string]string{given: dsn}
		c.part("clickhouse", config.RedactURL(dsn), "given")
		return nil
	}
	server, err := embedded.StartClickHouse(ctx, c.clickHouseConfig(previous))
	if err != nil {
		return err
	}
	c.clickhouse = server
	c.Writer, c.Reader = server.DSN(embedded.Writer), server.DSN(embedded.Analyst)
	c.info.ClickHouse = map[string]string{}
	for _, user := range []string{embedded.Owner, embedded.Writer, embedded.Analyst, embedded.Dashboard} {
		c.info.ClickHouse[user] = server.DSN(user)
	}
	c.info.Listen.ClickHouse, c.info.Listen.ClickHouseHTTP = server.Addr(), hostOf(server.HTTPURL())
	c.part("clickhouse", server.Addr(), server.Engine())
	c.part("clickhouse http", server.HTTPURL(), "users "+embedded.Analyst+", "+embedded.Dashboard+" (passwords in "+filepath.Join(c.cfg.Data, InfoFile)+")")
	return nil
}

// owner is the DSN that may make tables.
func (c *Centre) owner() string {
	if c.clickhouse != nil {
		return c.clickhouse.DSN(embedded.Owner)
	}
	return c.cfg.ClickHouse
}

func (c *Centre) definer() string {
	if c.clickhouse != nil {
		return embedded.Owner
	}
	return ""
}

func (c *Centre) part(name, where, what string) { c.parts = append(c.parts, Part{name, where, what}) }

// publish writes centre.json.
func (c *Centre) publish() error {
	c.info.PID, c.info.StartedAt = os.Getpid(), schema.At(time.Now())
	return c.info.write(c.cfg.Data)
}

// Serves adds the parts that the caller runs, and where they listen, to Parts and to centre.json.
func (c *Centre) Serves(http, explorer string, parts ...Part) error {
	c.parts = append(c.parts, parts...)
	c.info.Listen.HTTP, c.info.Listen.Explorer = http, explorer
	return c.publish()
}

// Listen is where the parts that are run here listen; HTTP and Explorer are where the caller's parts should.
func (c *Centre) Listen() Listen { return c.info.Listen }

// Data is the data folder, as an absolute path.
func (c *Centre) Data() string { return c.cfg.Data }

// Parts are the parts of the centre, in the order in which they started.
func (c *Centre) Parts() []Part { return c.parts }

// NATS is the URL of the hub.
func (c *Centre) NATS() string { return c.info.NATS }

// Stop ends everything that Start started, the hub last but the lock, and returns when it is gone. The
// addresses stay in centre.json, so that the next start takes the same ones.
func (c *Centre) Stop() error {
	var faults []error
	if c.Hub != nil {
		c.Hub.Conn().Close()
	}
	if c.clickhouse != nil {
		faults = append(faults, c.clickhouse.Stop())
	}
	if c.nats != nil {
		c.nats.Stop()
	}
	if c.info.PID != 0 {
		c.info.PID = 0
		faults = append(faults, c.info.write(c.cfg.Data))
	}
	if c.lock != nil {
		faults = append(faults, c.lock.Unlock())
	}
	*c = Centre{cfg: c.cfg}
	return errors.Join(faults...)
}

// choose is the address that was given, or that of last time, or the usual one if it is free, or any.
func choose(given, previous, usual string) string {
	if given != "" {
		return given
	}
	for _, address := range []string{previous, usual} {
		if address == "" {
			continue
		}
		if probe, err := net.Listen("tcp", address); err == nil {
			_ = probe.Close()
			return address
		}
	}
	return Free
}

func hostOf(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	return u.Host
}
