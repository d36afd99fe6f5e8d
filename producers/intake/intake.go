package intake

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/google/uuid"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/rs/zerolog"

	"github.com/rolltrace/rolltrace/producers"
	"github.com/rolltrace/rolltrace/schema"
)

const (
	maxPayload     = 16 << 20
	startTimeout   = 30 * time.Second
	closingTimeout = 15 * time.Second // for the closings that are written when Run ends

	helloSubject = "intake.hello"
	sessionBegin = "intake.session."
	aliveBegin   = "intake.alive."
)

// Config is what an Intake needs.
type Config struct {
	// Dir is the folder of the outbox: clients find the intake there. Required.
	Dir string
	// Outbox takes what clients append. Required.
	Outbox producers.Holder
	// Org and Sidecar are told to clients, so that they can see whose outbox it is. Required.
	Org, Sidecar string
	// Listen is the address to listen on, of the loopback interface. Defaults to a free port of 127.0.0.1.
	Listen string
	// Grace is how long a client's connection may be gone before its open movements are closed as failed.
	// Defaults to 5 s.
	Grace time.Duration
	// Log gets what clients leave behind; sessions at debug level. Defaults to none.
	Log zerolog.Logger
}

// An Intake serves other processes of this machine for as long as it runs.
type Intake struct {
	cfg   Config
	ready chan struct{}

	mu       sync.Mutex
	sessions map[string]*session
	ended    bool

	inheritance sync.Mutex
	inherited   map[string]bool // movements that clients of an earlier holder have open, until they come back
}

// New checks the configuration. Nothing listens before Run. What is open in the outbox is what clients of an earlier
// holder have open: New is called after CloseAbandoned, and before anything is opened by the holder itself.
func New(cfg Config) (*Intake, error) {
	if cfg.Dir == "" || cfg.Outbox == nil {
		return nil, errors.New("intake: want a folder and an outbox")
	}
	if cfg.Listen == "" {
		cfg.Listen = "127.0.0.1:0"
	}
	if _, _, err := loopback(cfg.Listen); err != nil {
		return nil, err
	}
	if cfg.Grace == 0 {
		cfg.Grace = 5 * time.Second
	}
	if cfg.Grace < 0 {
		return nil, fmt.Errorf("intake: grace: %s: want more than 0", cfg.Grace)
	}
	i := &Intake{cfg: cfg, ready: make(chan struct{}), sessions: make(map[string]*session), inherited: make(map[string]bool)}
	for _, id := range cfg.Outbox.Unclosed() {
		i.inherited[id] = true
	}
	return i, nil
}

// loopback reads an address and refuses all that other machines could reach.
func loopback(address string) (host string, port int, err error) {
	host, portText, err := net.SplitHostPort(address)
	if err == nil {
		port, err = strconv.Atoi(portText)
	}
	if err != nil || port < 0 || port > 65535 {
		return "", 0, fmt.Errorf("intake: listen: %q: want an address and a port, for example 127.0.0.1:0", address)
	}
	if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return "", 0, fmt.Errorf("intake: listen: %q: want a loopback address: it is for processes of this machine alone", address)
	}
	if port == 0 {
		port = server.RANDOM_PORT
	}
	return host, port, nil
}

// Ready is closed when clients can connect.
func (i *Intake) Ready() <-chan struct{} { return i.ready }

// Run listens until the context ends, and returns nil; or an error if it cannot listen. What clients have
// appended by then is answered, and movements that they leave open are closed as failed. It may be called
// once. The outbox has to be closed after it.
func (i *Intake) Run(ctx context.Context) error {
	token, err := newToken()
	if err != nil {
		return fmt.Errorf("start intake: %w", err)
	}
	host, port, err := loopback(i.cfg.Listen)
	if err != nil {
		return err
	}
	s, err := i.serve(host, port, token)
	if err != nil {
		if errors.Is(err, syscall.EADDRINUSE) {
			err = fmt.Errorf("%w: end what listens there, or choose another port (--intake)", err)
		}
		return fmt.Errorf("start intake on %s: %w", i.cfg.Listen, err)
	}
	defer func() {
		s.Shutdown()
		s.WaitForShutdown()
	}()
	conn, err := nats.Connect("", nats.InProcessServer(s), nats.UserInfo(holderUser, token), nats.NoReconnect())
	if err != nil {
		return fmt.Errorf("start intake: %w", err)
	}
	defer conn.Close()
	known := facts{
		Protocol: protocol, URL: "nats://" + s.Addr().String(), Token: token, PID: os.Getpid(),
		Org: i.cfg.Org, Sidecar: i.cfg.Sidecar, StartedAt: schema.At(time.Now()),
	}
	if _, err := conn.Subscribe(helloSubject, func(m *nats.Msg) { i.greet(ctx, conn, m) }); err != nil {
		return fmt.Errorf("start intake: %w", err)
	}
	if err := conn.FlushTimeout(startTimeout); err != nil { // somebody answers before anybody can ask
		return fmt.Errorf("start intake: %w", err)
	}
	if err := known.write(i.cfg.Dir); err != nil {
		return fmt.Errorf("start intake: %w", err)
	}
	defer known.remove(i.cfg.Dir)
	close(i.ready)
	i.cfg.Log.Debug().Str("listen", known.URL).Msg("intake listens")
	i.await(ctx)
	<-ctx.Done()
	i.endAll(ctx)
	return conn.FlushTimeout(time.Second)
}

const (
	holderUser = "holder"
	clientUser = "client"
)

func (i *Intake) serve(host string, port int, token string) (*server.Server, error) {
	s, err := server.NewServer(&server.Options{
		ServerName: "rolltrace-intake", Host: host, Port: port, NoSigs: true, NoLog: true, NoSystemAccount: true,
		MaxPayload: maxPayload, MaxPending: 256 << 20,
		Users: []*server.User{
			{Username: holderUser, Password: token},
			{Username: clientUser, Password: token, Permissions: &server.Permissions{
				Publish:   &server.SubjectPermission{Allow: []string{helloSubject, sessionBegin + "*"}},
				Subscribe: &server.SubjectPermission{Allow: []string{"_INBOX.>", aliveBegin + "*"}},
				Response:  &server.ResponsePermission{MaxMsgs: 1, Expires: time.Minute},
			}},
		},
	})
	if err != nil {
		return nil, err
	}
	// The server would not say why it cannot listen.
	if port != server.RANDOM_PORT {
		l, err := net.Listen("tcp", net.JoinHostPort(host, strconv.Itoa(port)))
		if err != nil {
			return nil, err
		}
		if err := l.Close(); err != nil {
			return nil, err
		}
	}
	go s.Start()
	if !s.ReadyForConnections(startTimeout) {
		s.Shutdown()
		return nil, fmt.Errorf("not ready after %s", startTimeout)
	}
	return s, nil
}

// greet begins a session, or continues one whose connection was lost.
func (i *Intake) greet(ctx context.Context, conn *nats.Conn, m *nats.Msg) {
	var h hello
	err := json.Unmarshal(m.Data, &h)
	if err == nil {
		err = uuid.Validate(h.Client)
	}
	if err != nil || h.Protocol != protocol {
		reply(m, answerTo(errRequest))
		return
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	switch s := i.sessions[h.Client]; {
	case i.ended:
		reply(m, answerTo(producers.ErrClosed))
		return
	case s != nil && s.isEnded():
		reply(m, answerTo(errEnded))
		return
	case s != nil:
		s.log.Debug().Msg("session continues")
	default:
		s, err := newSession(i, conn, h)
		if err != nil {
			reply(m, answerTo(err))
			return
		}
		i.sessions[h.Client] = s
		s.log.Debug().Msg("session begins")
		go s.run(ctx)
	}
	reply(m, answer{})
}

// endAll ends every session and waits for it.
func (i *Intake) endAll(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closingTimeout)
	defer cancel()
	i.mu.Lock()
	i.ended = true
	sessions := make([]*session, 0, len(i.sessions))
	for _, s := range i.sessions {
		sessions = append(sessions, s)
	}
	i.mu.Unlock()
	for _, s := range sessions {
		s.end(ctx)
	}
}

// forget drops a session after a while, in which its client still learns what became of it.
func (i *Intake) forget(client string) {
	time.AfterFunc(time.Minute, func() {
		i.mu.Lock()
		defer i.mu.Unlock()
		delete(i.sessions, client)
	})
}

func reply(m *nats.Msg, a answer) {
	b, err := json.Marshal(a)
	if err != nil || m.Reply == "" {
		return
	}
	m.Respond(b) //nolint:errcheck // a client that gets no answer asks again
}
