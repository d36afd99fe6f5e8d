package embedded

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nkeys"
	"github.com/rs/zerolog"
)

// NATSConfig says how the embedded NATS server runs.
type NATSConfig struct {
	// Dir is the folder of JetStream's files. It is made if it is not there. Required.
	Dir string
	// Name is the server's name. Defaults to "rolltrace".
	Name string
	// Listen is the client address, "host:port". Port 0 is any free one. An address that is not on loopback
	// wants TLS and credentials. Defaults to "127.0.0.1:0".
	Listen string
	// NoListen opens no port at all: only this process can connect. Listen is not read then.
	NoListen bool
	// TLS, when given, is required of clients that connect over the network.
	TLS *tls.Config
	// Users, Token and NKeys (public user nkeys, "U…") are the credentials. With none of them, whoever
	// reaches the port may connect. Token does not go together with the other two.
	Users []NATSUser
	Token string
	NKeys []string
	// MaxStore bounds JetStream's files, in bytes; publishing to a full store is refused. 0 is three quarters
	// of the free disk, besides what is there.
	MaxStore int64
	// MaxPayload bounds a message, in bytes. Defaults to 1 MiB.
	MaxPayload int32
	// Log gets the server's warnings and errors; its notices are debug.
	Log zerolog.Logger
}

// NATSUser is a name and a password.
type NATSUser struct{ Name, Password string }

const (
	natsStartTimeout = 30 * time.Second
	natsMemoryStore  = 64 << 20 // bytes for memory streams: nobody here has any
)

func (cfg *NATSConfig) secured() bool {
	return cfg.TLS != nil && (cfg.Token != "" || len(cfg.Users) > 0 || len(cfg.NKeys) > 0)
}

func (cfg *NATSConfig) options() (*server.Options, error) {
	if cfg.Dir == "" {
		return nil, errors.New("dir: want a folder for JetStream's files")
	}
	if cfg.Token != "" && len(cfg.Users)+len(cfg.NKeys) > 0 {
		return nil, errors.New("token: not together with users or nkeys")
	}
	opts := &server.Options{
		ServerName:         cfg.Name,
		DontListen:         cfg.NoListen,
		NoSigs:             true,
		JetStream:          true,
		StoreDir:           cfg.Dir,
		SyncAlways:         true,
		JetStreamMaxMemory: natsMemoryStore,
		MaxPayload:         cfg.MaxPayload,
		Authorization:      cfg.Token,
		TLS:                cfg.TLS != nil,
		TLSConfig:          cfg.TLS,
	}
	if opts.ServerName == "" {
		opts.ServerName = "rolltrace"
	}
	for _, u := range cfg.Users {
		opts.Users = append(opts.Users, &server.User{Username: u.Name, Password: u.Password})
	}
	for _, key := range cfg.NKeys {
		if !nkeys.IsValidPublicUserKey(key) {
			return nil, fmt.Errorf("nkey %q: want the public key of a user (it begins with U)", key)
		}
		opts.Nkeys = append(opts.Nkeys, &server.NkeyUser{Nkey: key})
	}
	if cfg.NoListen {
		return opts, nil
	}
	return opts, cfg.address(opts)
}

// Check finds the faults that StartNATS would find before it starts anything: a folder is not made.
func (cfg NATSConfig) Check() error {
	if _, err := cfg.options(); err != nil {
		return fmt.Errorf("start nats: %w", err)
	}
	return nil
}

// address settles where the server listens, or says why it must not.
func (cfg *NATSConfig) address(opts *server.Options) error {
	listen := cfg.Listen
	if listen == "" {
		listen = "127.0.0.1:0"
	}
	addr, err := parseAddress(listen)
	if err != nil {
		return err
	}
	if !addr.Addr().IsLoopback() && !cfg.secured() {
		return fmt.Errorf("listen on %s: an address that is not on loopback wants TLS and credentials (give both, or listen on 127.0.0.1)", listen)
	}
	if addr.Port() != 0 {
		if err := probe(addr); err != nil {
			return fmt.Errorf("%w (end what listens there, or choose another port)", err)
		}
	}
	opts.Host, opts.Port = addr.Addr().String(), int(addr.Port())
	if opts.Port == 0 {
		opts.Port = server.RANDOM_PORT
	}
	return nil
}

// NATS is a running server.
type NATS struct {
	opts *server.Options
	cfg  NATSConfig
	lock *os.File
	url  string
	once sync.Once

	mu     sync.Mutex
	server *server.Server // another one after a write fault

	faults   chan struct{} // a write failed
	stopping chan struct{}
	watched  chan struct{} // closed when nobody looks for faults any more
}

// StartNATS starts a server with JetStream on a folder, which this process then holds alone: two servers
// on one folder lose acknowledged messages. Every publish that is acknowledged has been synced to disk.
// ctx bounds the start, not the life: Stop ends that. A folder in use, a port in use, and a listener off
// loopback without TLS and credentials are errors of one line.
func StartNATS(ctx context.Context, cfg NATSConfig) (*NATS, error) {
	opts, err := cfg.options()
	if err != nil {
		return nil, fmt.Errorf("start nats: %w", err)
	}
	if err := os.MkdirAll(cfg.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("start nats: %w", err)
	}
	lock, err := lockFolder(ctx, cfg.Dir)
	if err != nil {
		return nil, fmt.Errorf("start nats: %w", err)
	}
	opts.JetStreamMaxStore = cfg.maxStore()
	n := &NATS{opts: opts, cfg: cfg, lock: lock, faults: make(chan struct{}, 1), stopping: make(chan struct{}), watched: make(chan struct{})}
	if err := n.start(ctx); err != nil {
		_ = lock.Close()
		return nil, fmt.Errorf("start nats: %w", err)
	}
	go n.watch()
	return n, nil
}

func (n *NATS) start(ctx context.Context) error {
	srv, err := server.NewServer(n.opts)
	if err != nil {
		return err
	}
	log := &natsLog{log: n.cfg.Log, fatal: make(chan string, 1), faults: n.faults}
	srv.SetLoggerV2(log, false, false, false)
	n.server = srv
	srv.Start()
	ready := make(chan bool, 1)
	go func() { ready <- srv.ReadyForConnections(natsStartTimeout) }()
	select {
	case ok := <-ready:
		if !ok {
			err = fmt.Errorf("no answer after %s", natsStartTimeout)
		}
	case <-ctx.Done():
		err = ctx.Err()
	case message := <-log.fatal:
		err = errors.New(message)
	}
	if err == nil && !srv.JetStreamEnabled() {
		err = fmt.Errorf("jetstream did not start on %s", n.cfg.Dir)
	}
	if err != nil {
		srv.Shutdown()
		srv.WaitForShutdown()
		return err
	}
	n.settle()
	return nil
}

// URL is what clients connect to, "nats://127.0.0.1:port" ("tls://…" with TLS), without credentials. It
// is empty when there is no listener.
func (n *NATS) URL() string { return n.url }

// settle keeps where the server listens: it forgets that when it stops.
func (n *NATS) settle() {
	addr, ok := n.server.Addr().(*net.TCPAddr)
	if !ok {
		return
	}
	scheme := "nats"
	if n.opts.TLSConfig != nil {
		scheme = "tls"
	}
	host := addr.AddrPort()
	if host.Addr().IsUnspecified() {
		host = netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), host.Port())
	}
	if n.url == "" { // it stays what it is
		n.url = fmt.Sprintf("%s://%s", scheme, host)
		n.cfg.Listen = addr.String()
	}
}

// InProcess is the option that connects without a port: nats.Connect("", n.InProcess(), …). Credentials
// are asked for there too.
func (n *NATS) InProcess() nats.Option { return nats.InProcessServer(inProcess{n}) }

// inProcess connects to whichever server runs.
type inProcess struct{ n *NATS }

func (p inProcess) InProcessConn() (net.Conn, error) {
	p.n.mu.Lock()
	defer p.n.mu.Unlock()
	return p.n.server.InProcessConn()
}

// Dir is the folder of JetStream's files.
func (n *NATS) Dir() string { return filepath.Clean(n.cfg.Dir) }

// Stop ends the server and waits until its files are closed. Stopping again does nothing.
func (n *NATS) Stop() {
	n.once.Do(func() {
		close(n.stopping)
		<-n.watched
		n.server.Shutdown()
		n.server.WaitForShutdown()
		_ = n.lock.Close()
	})
}

// natsLog hands the server's words to zerolog. What would end a server of its own ends the start instead.
type natsLog struct {
	log    zerolog.Logger
	fatal  chan string
	faults chan<- struct{}
}

func (l *natsLog) Noticef(format string, v ...any) { l.log.Debug().Msgf(format, v...) }
func (l *natsLog) Warnf(format string, v ...any)   { l.log.Warn().Msgf(format, v...) }
func (l *natsLog) Debugf(format string, v ...any)  { l.log.Debug().Msgf(format, v...) }
func (l *natsLog) Tracef(format string, v ...any)  { l.log.Trace().Msgf(format, v...) }

func (l *natsLog) Errorf(format string, v ...any) {
	text := fmt.Sprintf(format, v...)
	l.log.Error().Msg(text)
	if isFault(text) {
		select {
		case l.faults <- struct{}{}:
		default: // one is enough
		}
	}
}

func (l *natsLog) Fatalf(format string, v ...any) {
	select {
	case l.fatal <- fmt.Sprintf(format, v...):
	default:
	}
}
