package outbox

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/rs/zerolog"
)

const (
	streamName  = "OUTBOX"
	subjectName = "frame"
	// A frame holds at least one call's drafts, whatever their size: 16 full chunks and a movement.
	maxPayload = 16 << 20

	startTimeout   = 30 * time.Second // of the embedded server; recovery of a full store is part of it
	requestTimeout = 10 * time.Second // of one request to it
)

// An engine is one run of the embedded server on the store. After a write fault it is stopped and another
// one is started.
type engine struct {
	server *server.Server
	conn   *nats.Conn
	js     jetstream.JetStream
	stream jetstream.Stream
	log    *engineLog
}

// startEngine starts the server on the folder and opens the stream, or makes it.
func startEngine(ctx context.Context, dir string, limit int64, inflight int, log zerolog.Logger) (*engine, error) {
	s, err := server.NewServer(&server.Options{
		ServerName: "rolltrace-outbox", DontListen: true, NoSigs: true, NoSystemAccount: true,
		JetStream: true, StoreDir: dir, SyncAlways: true, DisableJetStreamBanner: true,
		// The stream has a limit of its own; the server's must not be in its way.
		JetStreamMaxStore: math.MaxInt64 / 2, JetStreamMaxMemory: 1 << 20,
		MaxPayload: maxPayload,
	})
	if err != nil {
		return nil, fmt.Errorf("set up embedded server: %w", err)
	}
	e := &engine{server: s, log: &engineLog{log: log}}
	s.SetLoggerV2(e.log, false, false, false)
	go s.Start()
	if err := e.connect(ctx, limit, inflight); err != nil {
		e.stop()
		if said := e.log.last.Load(); said != nil {
			return nil, fmt.Errorf("%w (%s)", err, *said)
		}
		return nil, err
	}
	return e, nil
}

func (e *engine) connect(ctx context.Context, limit int64, inflight int) error {
	if !e.server.ReadyForConnections(startTimeout) {
		return fmt.Errorf("start embedded server: not ready after %s", startTimeout)
	}
	var err error
	e.conn, err = nats.Connect("", nats.InProcessServer(e.server), nats.NoReconnect(), nats.Name("rolltrace-outbox"))
	if err != nil {
		return fmt.Errorf("connect to embedded server: %w", err)
	}
	e.js, err = jetstream.New(e.conn, jetstream.WithPublishAsyncMaxPending(inflight+1), jetstream.WithDefaultTimeout(requestTimeout))
	if err != nil {
		return fmt.Errorf("connect to embedded server: %w", err)
	}
	want := jetstream.StreamConfig{
		Name: streamName, Subjects: []string{subjectName}, Storage: jetstream.FileStorage,
		Retention: jetstream.LimitsPolicy, Discard: jetstream.DiscardNew, MaxBytes: limit,
		MaxMsgs: -1, MaxAge: 0, AllowDirect: true, Replicas: 1,
	}
	e.stream, err = e.js.Stream(ctx, streamName)
	switch {
	case errors.Is(err, jetstream.ErrStreamNotFound):
		e.stream, err = e.js.CreateStream(ctx, want)
	case err == nil:
		info := e.stream.CachedInfo()
		// A limit below what is stored would make the server drop the oldest.
		want.MaxBytes = max(want.MaxBytes, int64(info.State.Bytes))
		if have := info.Config; have.MaxBytes != want.MaxBytes || have.Discard != want.Discard ||
			have.Retention != want.Retention || have.MaxAge != 0 || !have.AllowDirect {
			e.stream, err = e.js.UpdateStream(ctx, want)
		}
	}
	if err != nil {
		return fmt.Errorf("open stream of outbox: %w", err)
	}
	return nil
}

func (e *engine) stop() {
	if e.conn != nil {
		e.conn.Close()
	}
	e.server.Shutdown()
	e.server.WaitForShutdown()
}

// state is what the store holds now.
func (e *engine) state(ctx context.Context) (jetstream.StreamState, error) {
	info, err := e.stream.Info(ctx)
	if err != nil {
		return jetstream.StreamState{}, fmt.Errorf("read state of outbox: %w", err)
	}
	return info.State, nil
}

// publish hands a frame to the store, to be written behind the position, and nowhere else.
func (e *engine) publish(frame []byte, behind uint64) (jetstream.PubAckFuture, error) {
	return e.js.PublishMsgAsync(&nats.Msg{Subject: subjectName, Data: frame}, jetstream.WithExpectLastSequence(behind))
}

// get reads the frame at the position, or with next the first one there or after. A frame that cannot be
// read, for whatever reason, is errLost.
func (e *engine) get(ctx context.Context, position uint64, next bool) (uint64, *frame, error) {
	var opts []jetstream.GetMsgOpt
	if next {
		opts = append(opts, jetstream.WithGetMsgSubject(subjectName))
	}
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	m, err := e.stream.GetMsg(ctx, position, opts...)
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return 0, nil, errLost
	}
	if err != nil {
		return 0, nil, fmt.Errorf("read outbox: %w", err)
	}
	f, err := decodeFrame(m.Data)
	if err != nil {
		return m.Sequence, nil, errLost
	}
	return m.Sequence, f, nil
}

var errLost = errors.New("no frame at this position")

// lastFrame is the last frame that can be read, and its position; nil if there is none.
func (e *engine) lastFrame(ctx context.Context) (uint64, *frame, error) {
	state, err := e.state(ctx)
	if err != nil {
		return 0, nil, err
	}
	for position := state.LastSeq; state.Msgs > 0 && position >= state.FirstSeq && position > 0; position-- {
		_, f, err := e.get(ctx, position, false)
		if err == nil {
			return position, f, nil
		}
		if !errors.Is(err, errLost) {
			return 0, nil, err
		}
	}
	return 0, nil, nil
}

// purge gives up everything before the position.
func (e *engine) purge(ctx context.Context, before uint64) error {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	if err := e.stream.Purge(ctx, jetstream.WithPurgeSequence(before)); err != nil {
		return fmt.Errorf("remove from outbox: %w", err)
	}
	return nil
}

// engineLog takes what the server says. A server that complains is not trusted to answer any more: then a
// write that does not come back soon is taken for failed.
type engineLog struct {
	log  zerolog.Logger
	last atomic.Pointer[string] // the latest complaint
	at   atomic.Int64           // and when
}

func (l *engineLog) complainedSince(t time.Time) bool { return l.at.Load() >= t.UnixNano() }

func (l *engineLog) complain(format string, v []any) {
	said := fmt.Sprintf(format, v...)
	l.last.Store(&said)
	l.at.Store(time.Now().UnixNano())
	l.log.Debug().Str("server", said).Msg("embedded server complains")
}

// The server's logger.

func (l *engineLog) Errorf(format string, v ...any)  { l.complain(format, v) }
func (l *engineLog) Fatalf(format string, v ...any)  { l.complain(format, v) }
func (l *engineLog) Warnf(format string, v ...any)   { l.say(format, v) }
func (l *engineLog) Noticef(format string, v ...any) { l.say(format, v) }
func (l *engineLog) Debugf(format string, v ...any)  { l.say(format, v) }
func (l *engineLog) Tracef(string, ...any)           {}

func (l *engineLog) say(format string, v []any) {
	if l.log.GetLevel() <= zerolog.DebugLevel {
		l.log.Debug().Str("server", fmt.Sprintf(format, v...)).Msg("embedded server")
	}
}
