package pgtap

import (
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"

	"github.com/rolltrace/rolltrace/producers"
	"github.com/rolltrace/rolltrace/schema"
)

// How a session ends, besides errProtocol and errNotRecorded.
var (
	errEnded    = errors.New("session has ended")
	errDrained  = errors.New("tap ends")
	errUntraced = errors.New("columns cannot be traced")
)

// serverError and clientError say whose connection it was.
type (
	serverError struct{ error }
	clientError struct{ error }
)

func (e serverError) Unwrap() error { return e.error }
func (e clientError) Unwrap() error { return e.error }

// A session is one client and its connection to the server.
type session struct {
	tap            *Tap
	log            zerolog.Logger
	client, server wire
	track          *tracker
	who            Client // written by the back alone
	recordedBy     schema.RecordedBy
	recorder       *producers.Recorder
	keyers         map[schema.IDSpace]Keyer
	key            atomic.Pointer[[]byte] // BackendKeyData: what a cancel request needs
	replicates     bool                   // it is a replication connection
	whole          *producers.Recording   // its movement
	unbound        bool                   // the server's side is TLS and the client's is not
	path           atomic.Pointer[string] // search_path, when the server was ready last
	status         atomic.Uint32          // of the transaction, as ReadyForQuery says it
	state          state                  // written by the back alone
	owes           atomic.Bool            // the transaction has done what has to be recorded when it commits
	heard          atomic.Uint64          // how often the server has said something
	toServer       sync.Mutex             // held while something is written to the server
	front          front
	back           back
}

// serve brings one connection through startup and then both ways until either side ends it.
func (t *Tap) serve(ctx context.Context, conn net.Conn) {
	log := t.log.With().Str("client", host(conn.RemoteAddr())).Logger()
	s, err := t.begin(ctx, conn, log)
	if err != nil {
		if !errors.Is(err, errAnswered) && !errors.Is(err, io.EOF) && ctx.Err() == nil {
			log.Debug().Err(err).Msg("connection did not become a session")
		}
		return
	}
	t.metrics.Sessions.Inc()
	t.metrics.Active.Inc()
	defer t.metrics.Active.Dec()
	switch err := s.run(ctx); {
	case err == nil, errors.Is(err, io.EOF), errors.Is(err, errDrained):
	case errors.Is(err, errNotRecorded), errors.Is(err, errProtocol):
		log.Warn().Err(err).Msg("session is ended")
	default:
		log.Debug().Err(err).Msg("session ended")
	}
}

// begin is everything up to the startup packet's arrival at the server. It has closed the connection when it fails.
func (t *Tap) begin(ctx context.Context, conn net.Conn, log zerolog.Logger) (_ *session, err error) {
	raw := conn
	defer func() {
		if err != nil {
			_ = raw.Close()
		}
	}()
	greeting, cancel := context.WithTimeout(ctx, startupTimeout)
	defer cancel()
	stop := context.AfterFunc(greeting, func() { _ = raw.SetDeadline(time.Now()) })
	conn, start, err := t.greet(greeting, conn)
	if err != nil {
		return nil, err
	}
	if start.replication() && !t.replication.Load() {
		return nil, errors.Join(errAnswered, sendError(conn, "FATAL", "42501", "replication connections are not allowed through this tap",
			"Set replication: allow for the tap; what flows is then recorded as a movement of the whole database."))
	}
	server, err := t.dial(greeting)
	if err != nil {
		log.Warn().Err(err).Msg("server cannot be reached")
		return nil, errors.Join(errAnswered, sendError(conn, "FATAL", "08006", "the server behind this tap cannot be reached", ""))
	}
	if _, err := server.Write(start.packet); err != nil {
		return nil, errors.Join(err, server.Close())
	}
	if !stop() {
		return nil, errors.Join(context.Cause(greeting), server.Close())
	}
	if start.major != 3 {
		return nil, errors.Join(errAnswered, strange(conn, server), server.Close())
	}
	s, err := t.newSession(conn, server, start, log)
	if err != nil {
		return nil, errors.Join(err, server.Close())
	}
	return s, nil
}

func (t *Tap) newSession(client, server net.Conn, start startup, log zerolog.Logger) (*session, error) {
	s := &session{tap: t, log: log, client: newWire(client), server: newWire(server), track: newTracker()}
	s.who = Client{
		User: start.parameters["user"], Database: start.parameters["database"],
		Application: start.parameters["application_name"], Address: host(client.RemoteAddr()),
	}
	s.replicates = start.replication()
	s.unbound = t.cfg.ServerTLS != nil && !isTLS(client)
	s.recordedBy = schema.RecordedBy{User: label(s.who.User), Host: label(s.who.Address)}
	var err error
	s.recorder, err = newRecorder(t.cfg, s.recordedBy)
	s.state = newState(start.parameters)
	s.front.session, s.back.session = s, s
	return s, err
}

// strange brings the client what the server says to a version of the protocol that it does not speak. A server that says
// anything but an error speaks one that the tap does not: the connection ends.
func strange(client, server net.Conn) error {
	var answer [maxStartup]byte
	if err := server.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		return err
	}
	n, err := io.ReadFull(server, answer[:])
	if n == 0 || answer[0] != 'E' {
		return err
	}
	_, err = client.Write(answer[:n])
	return err
}

// run is the session after startup.
func (s *session) run(ctx context.Context) error {
	if !s.tap.enter(s) {
		return errors.Join(errDrained, s.client.Close(), s.server.Close())
	}
	defer s.tap.leave(s)
	ahead, ended := make(chan error, 1), make(chan struct{})
	go func() {
		err := s.front.run()
		var lost serverError
		switch {
		case errors.As(err, &lost): // what the server said before comes through the back
		case errors.Is(err, errProtocol):
			_ = s.server.Close()
		default:
			// The server ends the session when it has answered what was sent before.
			_ = s.server.CloseWrite()
			s.forsake(ended)
		}
		ahead <- err
	}()
	err := s.back.run(ctx)
	close(ended)
	s.endWhole()
	s.track.end()
	s.farewell(err)
	_ = s.server.Close()
	_ = s.client.Close()
	first := <-ahead
	var lost serverError
	switch {
	case errors.Is(first, errProtocol):
		return first
	case errors.As(err, &lost) && (first == nil || errors.Is(first, io.EOF) || errors.Is(err, io.EOF)):
		return nil
	}
	return err
}

// forsake ends a session whose client has gone, or says no more, when the server says nothing for a while. A statement that may
// change something is waited for: it will be done all the same.
func (s *session) forsake(ended <-chan struct{}) {
	tick := time.NewTicker(s.tap.cfg.Drain)
	defer tick.Stop()
	for before := s.heard.Load(); ; {
		select {
		case <-ended:
			return
		case <-tick.C:
		}
		now := s.heard.Load()
		if now == before && s.track.reads() {
			s.stop(context.Background()) // nobody waits for it
			_ = s.server.Close()
			return
		}
		before = now
	}
}

// stop tells the server to cancel what it does for this session.
func (s *session) stop(ctx context.Context) {
	key := s.key.Load()
	if key == nil {
		return
	}
	packet := binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, uint32(8+len(*key))), cancelRequest)
	if err := s.tap.cancel(ctx, append(packet, *key...)); err != nil {
		s.log.Debug().Err(err).Msg("what the server does for a session is not cancelled")
	}
}

// farewell tells the client why the tap ends the session, if that can still be told.
func (s *session) farewell(err error) {
	if s.back.torn {
		return
	}
	var message []byte
	switch {
	case errors.Is(err, errNotRecorded):
		message = errorMessage("FATAL", fullCode, fullMessage, fullHint)
	case errors.Is(err, errProtocol):
		message = errorMessage("FATAL", "08P01", "the tap has lost track of this connection", "")
	case errors.Is(err, errUntraced):
		message = errorMessage("FATAL", "58000", "the tap cannot tell which electors are in this result", "The tap's own connection to the server may be down.")
	default:
		return
	}
	_ = s.client.SetWriteDeadline(time.Now().Add(time.Second))
	_, _ = s.client.Write(message) // who has gone needs no farewell
}

// keyer makes keys of an id space for this session.
func (s *session) keyer(space schema.IDSpace) Keyer {
	k := s.keyers[space]
	if k == nil {
		if s.keyers == nil {
			s.keyers = make(map[schema.IDSpace]Keyer)
		}
		k = s.tap.cfg.Keyer(space)
		s.keyers[space] = k
	}
	return k
}

// whom is the client of a statement.
func (s *session) whom(statement *Statement) Client {
	who := s.who
	who.Tags = s.state.tags(statement)
	return who
}

func isTLS(conn net.Conn) bool {
	_, ok := conn.(*tls.Conn)
	return ok
}

// host is the address without its port; "local" for a Unix socket.
func host(a net.Addr) string {
	if tcp, ok := a.(*net.TCPAddr); ok {
		return tcp.IP.String()
	}
	return "local"
}

// label makes a name fit schema.ValidLabel.
func label(name string) string {
	fit := strings.Map(func(r rune) rune {
		if r == ' ' || !schema.ValidLabel("a"+string(r)) {
			return '-'
		}
		return r
	}, name)
	fit = strings.TrimLeft(fit, "-._:/@+")
	return fit[:min(len(fit), schema.MaxLabel)]
}
