package pgtap

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"

	"github.com/rolltrace/rolltrace/producers"
	"github.com/rolltrace/rolltrace/schema"
)

// Defaults of a Config.
const (
	DefaultWindow     = time.Minute
	DefaultWindowKeys = 1 << 18
	DefaultDrain      = 15 * time.Second
	DefaultRetry      = time.Second
)

// Config is what a Tap needs.
type Config struct {
	// Listen is where clients connect: host:port, or the path of a Unix socket. Required. An address that is not on
	// loopback wants TLS.
	Listen string
	// Server is the Postgres server: host:port, or the path of its Unix socket. Required.
	Server string
	// TLS is what clients may ask for. Defaults to none: they are told that there is none.
	TLS *tls.Config
	// RequireTLS refuses clients that do not ask for it.
	RequireTLS bool
	// ServerTLS is what the tap asks the server for. Defaults to none.
	ServerTLS *tls.Config
	// Replication allows replication connections. Defaults to refusing them.
	Replication bool

	// Outbox takes what is recorded. Required.
	Outbox producers.Outbox
	// Keyer makes the keys of an id space, and KeyID names the secret that they are made under. Required with a Catalogue.
	Keyer func(schema.IDSpace) Keyer
	KeyID schema.KeyID
	// Catalogue knows the configured tables. Defaults to none: nothing is recorded.
	Catalogue Catalogue
	// Analyst reads statements. Defaults to none: a COPY that might be of configured tables is counted.
	Analyst Analyst
	// Route says where a client's rows go. Required with a Catalogue. It is called for every result.
	Route func(Client) Route
	// Unmapped is where rows go that the server writes to a file or a program, and come from that it reads there. Defaults to
	// unmapped/postgres of the table's organisation. It is called for each of them.
	Unmapped func() schema.Place

	// Window is how long small results go into one movement. Defaults to 1 min.
	Window time.Duration
	// WindowKeys is how many keys such a movement has before the next one begins: the tap remembers them, at about 40
	// bytes each. Defaults to 262,144.
	WindowKeys int
	// Retry is how long, after the outbox has refused something, statements that would have to be recorded are refused
	// before one of them tries again. Defaults to 1 s.
	Retry time.Duration
	// Drain is how long sessions that are in the middle of something may go on when the tap ends; and how long one goes on whose
	// client has gone, while the server says nothing of a statement that only reads. Defaults to 15 s.
	Drain time.Duration

	// Log gets what an operator must know; sessions at debug level. Defaults to none.
	Log zerolog.Logger
	// Metrics counts what the tap does. Defaults to metrics that nobody reads.
	Metrics *Metrics
}

// A Tap listens for clients and connects each to the server, for as long as it runs.
type Tap struct {
	cfg     Config
	log     zerolog.Logger
	metrics *Metrics
	ledger  *ledger
	dialer  net.Dialer
	ready   chan struct{}
	address net.Addr // when ready is closed

	replication atomic.Bool // is allowed
	ending      atomic.Bool
	serving     sync.WaitGroup
	mu          sync.Mutex
	sessions    map[*session]struct{}
}

// New checks the configuration. Nothing listens before Run.
func New(cfg Config) (*Tap, error) {
	switch {
	case cfg.Listen == "" || cfg.Server == "":
		return nil, errors.New("tap: want where to listen, and the server")
	case cfg.Outbox == nil:
		return nil, errors.New("tap: want an outbox")
	case cfg.Catalogue != nil && (cfg.Keyer == nil || cfg.Route == nil):
		return nil, errors.New("tap: want keys and routes for what the catalogue knows")
	}
	if err := allowed(cfg); err != nil {
		return nil, err
	}
	if cfg.Window <= 0 {
		cfg.Window = DefaultWindow
	}
	if cfg.WindowKeys <= 0 {
		cfg.WindowKeys = DefaultWindowKeys
	}
	if cfg.Retry <= 0 {
		cfg.Retry = DefaultRetry
	}
	if cfg.Drain <= 0 {
		cfg.Drain = DefaultDrain
	}
	if cfg.Metrics == nil {
		cfg.Metrics = NewMetrics(nil)
	}
	if cfg.TLS != nil {
		cfg.TLS = cfg.TLS.Clone()
		cfg.TLS.NextProtos = []string{alpn}
	}
	t := &Tap{
		cfg: cfg, log: cfg.Log, metrics: cfg.Metrics, ledger: newLedger(cfg), dialer: net.Dialer{Timeout: 10 * time.Second},
		ready: make(chan struct{}), sessions: make(map[*session]struct{}),
	}
	t.replication.Store(cfg.Replication)
	return t, nil
}

// Allow says whether replication connections are allowed from now on.
func (t *Tap) Allow(replication bool) { t.replication.Store(replication) }

// allowed refuses a listener that others could reach without TLS.
func allowed(cfg Config) error {
	if strings.HasPrefix(cfg.Listen, "/") {
		return nil
	}
	name, _, err := net.SplitHostPort(cfg.Listen)
	if err != nil {
		return fmt.Errorf("tap: listen: %q: want host:port or the path of a Unix socket", cfg.Listen)
	}
	if ip := net.ParseIP(name); name == "localhost" || ip != nil && ip.IsLoopback() {
		return nil
	}
	if cfg.TLS == nil || !cfg.RequireTLS {
		return fmt.Errorf("tap: listen: %s: what others can reach wants TLS: give a certificate, or listen on loopback", cfg.Listen)
	}
	return nil
}

// Ready is closed when clients can connect.
func (t *Tap) Ready() <-chan struct{} { return t.ready }

// Address is where the tap listens, once Ready is closed.
func (t *Tap) Address() net.Addr { return t.address }

// Run listens until the context ends; then it takes no more clients, ends the sessions that are idle, lets the others
// finish within the drain time, closes the open movements, and returns nil. An error is that it cannot listen. It may be
// called once. The outbox has to be closed after it.
func (t *Tap) Run(ctx context.Context) error {
	listener, err := listen(ctx, t.cfg.Listen)
	if err != nil {
		return fmt.Errorf("tap: %w", err)
	}
	t.address = listener.Addr()
	summing, stop := context.WithCancel(context.WithoutCancel(ctx))
	summed := make(chan struct{})
	go func() {
		defer close(summed)
		t.ledger.run(summing)
	}()
	working, abandon := context.WithCancel(context.WithoutCancel(ctx))
	defer abandon()
	close(t.ready)
	t.log.Info().Stringer("listen", t.address).Str("server", t.cfg.Server).Msg("tap listens")
	accepted := make(chan struct{})
	go func() {
		defer close(accepted)
		t.accept(working, ctx, listener)
	}()
	<-ctx.Done()
	_ = listener.Close()
	<-accepted
	t.drain(abandon)
	stop()
	<-summed
	return nil
}

func listen(ctx context.Context, address string) (net.Listener, error) {
	network := "tcp"
	if strings.HasPrefix(address, "/") {
		network = "unix"
		// A socket that nobody listens on any more is in the way.
		if conn, err := net.DialTimeout(network, address, time.Second); err == nil {
			return nil, errors.Join(fmt.Errorf("listen on %s: somebody listens there", address), conn.Close())
		}
		if err := os.Remove(address); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
	}
	return (&net.ListenConfig{}).Listen(ctx, network, address)
}

// accept takes clients until the listener is closed. working is what sessions live in.
func (t *Tap) accept(working, until context.Context, listener net.Listener) {
	for {
		conn, err := listener.Accept()
		if err != nil {
			if until.Err() != nil || errors.Is(err, net.ErrClosed) {
				return
			}
			// Too many open files, most likely: those who are there go on.
			t.log.Warn().Err(err).Msg("a connection could not be taken")
			select {
			case <-time.After(100 * time.Millisecond):
			case <-until.Done():
			}
			continue
		}
		t.serving.Go(func() { t.serve(working, conn) })
	}
}

// enter and leave keep the list of sessions. enter says false when the tap ends.
func (t *Tap) enter(s *session) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.ending.Load() {
		return false
	}
	t.sessions[s] = struct{}{}
	return true
}

func (t *Tap) leave(s *session) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.sessions, s)
}

func (t *Tap) draining() bool { return t.ending.Load() }

// drain ends the sessions: idle ones at once, others when they are idle, and at last all.
func (t *Tap) drain(abandon func()) {
	t.mu.Lock()
	t.ending.Store(true)
	for s := range t.sessions {
		_ = s.server.SetReadDeadline(time.Now()) // it looks whether it can end
	}
	t.mu.Unlock()
	late := time.AfterFunc(t.cfg.Drain, func() {
		abandon()
		t.mu.Lock()
		defer t.mu.Unlock()
		for s := range t.sessions {
			_ = s.server.Close()
			_ = s.client.Close()
		}
	})
	defer late.Stop()
	t.serving.Wait()
}

func (t *Tap) route(who Client) Route { return t.cfg.Route(who) }

// unmapped is the place of what is beyond the server, beside one of its tables.
func (t *Tap) unmapped(beside schema.Place) schema.Place {
	if t.cfg.Unmapped != nil {
		return t.cfg.Unmapped()
	}
	return schema.Place(beside.Org() + "/unmapped/postgres")
}
