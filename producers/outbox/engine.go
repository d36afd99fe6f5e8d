package outbox

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/rs/zerolog"
)

const (
	// A frame holds at least one call's drafts, whatever their size.
	maxPayload = 10 << 20

	startTimeout   = 10 * time.Minute // of the embedded server; recovery of a full store is part of it
	requestTimeout = 10 * time.Second // of one request to it
)

// An engine is one run of the embedded server on the store. After a write fault it is stopped and another
// one is started. Only the committer changes its segments.
type engine struct {
	dir    string
	server *server.Server
	conn   *nats.Conn
	js     jetstream.JetStream
	log    *engineLog
	inbox  string // its subjects are where the store answers
	acks   chan *nats.Msg
	shelf  segments
	looked map[uint64]time.Time // when segments were found sound, by number
	used   uint64               // the highest number of a folder: the server does not know one whose settings are damaged
}

// startEngine starts the server on the folder and opens the segments that are there.
func startEngine(ctx context.Context, dir string, inflight int, log zerolog.Logger) (*engine, error) {
	if err := forgetStates(dir); err != nil {
		return nil, fmt.Errorf("set up embedded server: %w", err)
	}
	s, err := server.NewServer(&server.Options{
		ServerName: "rolltrace-outbox", DontListen: true, NoSigs: true, NoSystemAccount: true,
		JetStream: true, StoreDir: dir, SyncAlways: true, DisableJetStreamBanner: true,
		// The outbox bounds what it writes; a limit of the server must not be in its way when it writes
		// what it has kept room for.
		JetStreamMaxStore: math.MaxInt64 / 2, JetStreamMaxMemory: 1 << 20,
		MaxPayload: maxPayload,
	})
	if err != nil {
		return nil, fmt.Errorf("set up embedded server: %w", err)
	}
	e := &engine{dir: dir, server: s, log: &engineLog{log: log}, looked: make(map[uint64]time.Time)}
	s.SetLoggerV2(e.log, false, false, false)
	go s.Start()
	if err := e.connect(ctx, inflight); err != nil {
		e.stop()
		return nil, err
	}
	return e, nil
}

func (e *engine) connect(ctx context.Context, inflight int) error {
	if err := e.awaitReady(ctx); err != nil {
		return fmt.Errorf("start embedded server: %w", err)
	}
	var err error
	e.conn, err = nats.Connect("", nats.InProcessServer(e.server), nats.NoReconnect(), nats.Name("rolltrace-outbox"),
		nats.WriteBufferSize(1)) // what is written goes at once, not by way of another goroutine
	if err != nil {
		return fmt.Errorf("connect to embedded server: %w", err)
	}
	e.js, err = jetstream.New(e.conn, jetstream.WithDefaultTimeout(requestTimeout))
	if err != nil {
		return fmt.Errorf("connect to embedded server: %w", err)
	}
	e.inbox, e.acks = e.conn.NewInbox()+".", make(chan *nats.Msg, inflight+1)
	if _, err = e.conn.ChanSubscribe(e.inbox+"*", e.acks); err != nil {
		return fmt.Errorf("connect to embedded server: %w", err)
	}
	return e.openSegments(ctx)
}

// awaitReady returns when the server serves, or has said why it never will.
func (e *engine) awaitReady(ctx context.Context) error {
	for late := time.Now().Add(startTimeout); ; {
		ready := e.server.ReadyForConnections(busyTick)
		if said := e.log.fatal.Load(); said != nil {
			return errors.New(*said)
		}
		switch {
		case ready:
			return nil
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case time.Now().After(late):
			return fmt.Errorf("not ready after %s", startTimeout)
		}
	}
}

func (e *engine) stop() {
	if e.conn != nil {
		e.conn.Close()
	}
	e.server.Shutdown()
	e.server.WaitForShutdown()
}

// openSegments finds the streams of the store, and clears away what a kill has left of deleted ones.
func (e *engine) openSegments(ctx context.Context) error {
	for number := range e.folders() {
		e.used = max(e.used, number)
	}
	list := e.js.StreamNames(ctx)
	var found []*segment
	for name := range list.Name() {
		number, ok := segmentNumber(name)
		if !ok {
			continue
		}
		s, err := e.js.Stream(ctx, name)
		if err != nil {
			return fmt.Errorf("open segment of outbox: %w", err)
		}
		state := s.CachedInfo().State
		found = append(found, &segment{number: number, stream: s, first: state.FirstSeq, last: state.LastSeq, bytes: int64(state.Bytes)})
	}
	if err := list.Err(); err != nil {
		return fmt.Errorf("list segments of outbox: %w", err)
	}
	e.shelf.set(found)
	if first := e.shelf.oldest(); first != nil {
		e.clearBefore(first.number)
	}
	return nil
}

// clearBefore removes the folders of segments before the number: the server no longer knows them.
func (e *engine) clearBefore(number uint64) {
	for n, dir := range e.folders() {
		if n < number {
			os.RemoveAll(dir) //nolint:errcheck // only room is lost, and it is tried again at the next start
		}
	}
}

// folders are those of the segments, by number, whether the server knows them or not.
func (e *engine) folders() iter.Seq2[uint64, string] {
	return func(yield func(uint64, string) bool) {
		dirs, _ := filepath.Glob(filepath.Join(e.dir, "jetstream", "*", "streams", "*"+segmentBegin+"*")) // the pattern is good
		for _, dir := range dirs {
			if n, ok := segmentNumber(strings.TrimPrefix(filepath.Base(dir), ".")); ok && !yield(n, dir) {
				return
			}
		}
	}
}

// roll begins a new segment.
func (e *engine) roll(ctx context.Context, number uint64, size int64) error {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	s, err := e.js.CreateStream(ctx, jetstream.StreamConfig{
		Name: segmentBegin + strconv.FormatUint(number, 10), Subjects: []string{segmentSubject(number)},
		Storage: jetstream.FileStorage, Retention: jetstream.LimitsPolicy, Discard: jetstream.DiscardNew,
		MaxBytes: size + maxPayload + 1<<20, MaxMsgs: -1, AllowDirect: true, Replicas: 1, Duplicates: 100 * time.Millisecond,
	})
	if err != nil {
		return fmt.Errorf("begin segment of outbox: %w", err)
	}
	if err := e.syncFolders(number); err != nil {
		return fmt.Errorf("begin segment of outbox: %w", err)
	}
	e.shelf.add(&segment{number: number, stream: s})
	return nil
}

// syncFolders makes the new folders of a segment durable: JetStream syncs files alone.
func (e *engine) syncFolders(number uint64) error {
	dirs, err := filepath.Glob(filepath.Join(e.dir, "jetstream", "*", "streams", segmentBegin+strconv.FormatUint(number, 10), "msgs"))
	if err != nil || len(dirs) != 1 {
		return errors.Join(errors.New("its folder is not there"), err)
	}
	for dir, n := dirs[0], 0; n < 5; dir, n = filepath.Dir(dir), n+1 { // up to the outbox's own folder
		if err := syncDir(dir); err != nil {
			return err
		}
	}
	return nil
}

// drop gives up a whole segment. It writes nothing, so it works on a full disk; removing messages one by one,
// or by a purge, would write, and nats-server 2.15.2 never comes back from a purge whose write fails.
func (e *engine) drop(ctx context.Context, s *segment) error {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	if err := e.js.DeleteStream(ctx, s.stream.CachedInfo().Config.Name); err != nil {
		return fmt.Errorf("give up segment of outbox: %w", err)
	}
	e.shelf.remove(s)
	return nil
}

// publish hands a frame to the newest segment, to be written behind the sequence, and nowhere else. The store answers on acks. It is
// spoken to directly, without jetstream's own publisher: that would hand each answer from goroutine to goroutine once more,
// which takes as long as a sync does.
func (e *engine) publish(frame []byte, behind uint64) error {
	s, expected := e.shelf.newest(), strconv.FormatUint(behind, 10)
	return e.conn.PublishMsg(&nats.Msg{
		Subject: segmentSubject(s.number), Reply: e.inbox + expected, Data: frame,
		Header: nats.Header{jetstream.ExpectedLastSeqHeader: []string{expected}},
	})
}

// acknowledged reads an answer, which is to be about the frame that was to be written behind the sequence: it is where that is.
func (e *engine) acknowledged(answer *nats.Msg, behind uint64) (uint64, error) {
	if answer.Subject != e.inbox+strconv.FormatUint(behind, 10) {
		return 0, errors.New("answer of store is not about the oldest frame")
	}
	var ack struct {
		Sequence uint64              `json:"seq"`
		Error    *jetstream.APIError `json:"error"`
	}
	if err := json.Unmarshal(answer.Data, &ack); err != nil {
		return 0, fmt.Errorf("read answer of store: %w", err) // nobody has written it: no stream is there
	}
	if ack.Error != nil {
		return 0, ack.Error
	}
	return ack.Sequence, nil
}

// isUnreachable says whether the server did not answer, rather than with nothing good.
func isUnreachable(err error) bool {
	for _, one := range []error{
		context.DeadlineExceeded, context.Canceled, nats.ErrTimeout, nats.ErrNoResponders, nats.ErrConnectionClosed,
		nats.ErrInvalidConnection, nats.ErrDisconnected, nats.ErrConnectionDraining, jetstream.ErrStreamNotFound,
		jetstream.ErrJetStreamNotEnabled, jetstream.ErrJetStreamNotEnabledForAccount,
	} {
		if errors.Is(err, one) {
			return true
		}
	}
	return false
}

var errLost = errors.New("no frame at this position")

// get reads the frame of a segment at the sequence, or with next the first one there or after. A frame that
// cannot be read, for whatever reason, is errLost.
func (e *engine) get(ctx context.Context, s *segment, sequence uint64, next bool) (uint64, *frame, error) {
	var opts []jetstream.GetMsgOpt
	if next {
		opts = append(opts, jetstream.WithGetMsgSubject(segmentSubject(s.number)))
	}
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	m, err := s.stream.GetMsg(ctx, sequence, opts...)
	if isUnreachable(err) {
		return 0, nil, fmt.Errorf("read outbox: %w", err)
	}
	if err != nil { // not there, or not as it was written: a record's checksum does not cover all of it
		return 0, nil, errLost
	}
	f, err := decodeFrame(m.Data)
	if err != nil {
		return m.Sequence, nil, errLost
	}
	return m.Sequence, f, nil
}

// after reads the first frame behind a position that can be read, up to the last position. The error is
// errLost if there is none, or errUnsound if the server must not be asked before it is started anew.
func (e *engine) after(ctx context.Context, behind, last position) (position, *frame, error) {
	for _, s := range e.shelf.all() {
		from, to := uint64(1), s.end().sequence()
		if s.number == behind.segment() {
			from = behind.sequence() + 1
		}
		if s.number == last.segment() {
			to = min(to, last.sequence())
		}
		if s.number < behind.segment() || s.number > last.segment() || from > to {
			continue
		}
		if err := e.look(s, to); err != nil {
			return 0, nil, err
		}
		sequence, f, err := e.get(ctx, s, from, true)
		if errors.Is(err, errLost) {
			// The store stumbles over a damaged block, or the segment has lost its end: step on.
			for sequence = from; sequence <= to && errors.Is(err, errLost); sequence++ {
				_, f, err = e.get(ctx, s, sequence, false)
			}
			sequence--
		}
		if !errors.Is(err, errLost) {
			return at(s.number, sequence), f, err
		}
	}
	return 0, nil, errLost
}

// lastFrame is the last frame that can be read and has the property, and its position; nil if there is none.
func (e *engine) lastFrame(ctx context.Context, has func(*frame) bool) (*frame, position, error) {
	all := e.shelf.all()
	for i := len(all) - 1; i >= 0; i-- {
		for sequence := all[i].last; sequence > 0 && sequence >= all[i].first; sequence-- {
			_, f, err := e.get(ctx, all[i], sequence, false)
			for try := 1; try < patience && err != nil && !errors.Is(err, errLost) && ctx.Err() == nil; try++ {
				_, f, err = e.get(ctx, all[i], sequence, false) // the disk may be slow
			}
			if errors.Is(err, errLost) {
				continue
			}
			if err != nil {
				return nil, 0, err
			}
			if has(f) {
				return f, at(all[i].number, sequence), nil
			}
		}
	}
	return nil, 0, nil
}

func anyFrame(*frame) bool          { return true }
func hasMessages(f *frame) bool     { return len(f.messages) > 0 }
func of(i string) func(*frame) bool { return func(f *frame) bool { return f.instance == i } }
