package consumers

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"golang.org/x/sync/semaphore"

	"github.com/rolltrace/rolltrace/schema"
	"github.com/rolltrace/rolltrace/schema/stream"
	"github.com/rolltrace/rolltrace/schema/wire"
)

// How the log is read. The server sends what was asked for ahead; a silent one is noticed after two heartbeats.
const (
	pullMessages  = 512
	pullBytes     = 8 << 20 // or two messages, where the server takes larger ones
	pullExpiry    = 30 * time.Second
	pullHeartbeat = 5 * time.Second
	idleConsumer  = 10 * time.Minute // after which the server forgets a consumer that nobody asks
	requestTime   = 10 * time.Second
	checkInterval = 2 * time.Second
)

// An entry is one message of the log.
type entry struct {
	message  wire.Message
	sequence uint64
	received schema.Time // by the hub's clock
}

func (e *entry) size() int64 { return int64(len(e.message.Body) + 1<<10) }

// A tail reads the log, in order and without a hole.
type tail struct {
	js         jetstream.JetStream
	name       string // of the stream
	id         string // of the log
	acceptLost uint64
	retry      retry
	room       *semaphore.Weighted // for entries that were handed on; whoever takes them gives it back
	roomBytes  int64

	next     uint64      // the sequence to read next
	received schema.Time // of the message before it; zero if that is not known

	last atomic.Uint64 // the log's last sequence, when it was last looked at
}

// run hands on every message, until ctx ends (nil) or the log is not to be read on.
func (t *tail) run(ctx context.Context, out chan<- *entry) error {
	return t.retry.until(ctx, "read the log", func(ctx context.Context) error { return t.read(ctx, out) })
}

// read hands on messages until something is wrong: the connection was made anew, the consumer is gone.
func (t *tail) read(ctx context.Context, out chan<- *entry) error {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	defer t.whenReconnected(func() { stop(errReconnected) })()
	if err := t.check(ctx); err != nil {
		return cause(ctx, err)
	}
	consumer, err := t.subscribe(ctx)
	if err != nil {
		return cause(ctx, err)
	}
	defer t.forget(consumer)
	var handing sync.Mutex
	// Consume, not Messages: that one has room for as many messages as it asks for, the server's heartbeats among
	// them, and drops what comes beyond it while nobody takes any (nats.go 1.55). A callback that waits stops neither
	// the connection nor the watch for heartbeats.
	consuming, err := consumer.Consume(func(m jetstream.Msg) {
		handing.Lock()
		defer handing.Unlock()
		if ctx.Err() != nil {
			return
		}
		if err := t.hand(ctx, m, out); err != nil {
			stop(err)
			return
		}
		t.retry.worked()
	}, jetstream.PullMaxMessagesWithBytesLimit(pullMessages, max(pullBytes, 2*int(t.js.Conn().MaxPayload()))),
		jetstream.PullExpiry(pullExpiry), jetstream.PullHeartbeat(pullHeartbeat),
		jetstream.ConsumeErrHandler(func(_ jetstream.ConsumeContext, err error) { stop(err) }))
	if err != nil {
		return cause(ctx, err)
	}
	<-ctx.Done()
	consuming.Stop()
	handing.Lock() // whatever is handed on now sees that ctx has ended
	defer handing.Unlock()
	return context.Cause(ctx)
}

var errReconnected = errors.New("the connection to the hub was made anew")

// cause is why ctx ended, if that is what err is about.
func cause(ctx context.Context, err error) error {
	if errors.Is(err, context.Canceled) && ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

// whenReconnected calls what after the connection was lost and is there again. The server may be another
// one then, or the same one with less on its disk: the log is looked at before it is read on.
func (t *tail) whenReconnected(what func()) (done func()) {
	conn := t.js.Conn()
	status := conn.StatusChanged(nats.RECONNECTING, nats.CONNECTED)
	go func() {
		lost := false
		for s := range status { // RemoveStatusListener closes it
			if s == nats.CONNECTED && lost {
				what()
			}
			lost = lost || s == nats.RECONNECTING
		}
	}()
	return func() { conn.RemoveStatusListener(status) }
}

func (t *tail) subscribe(ctx context.Context) (jetstream.Consumer, error) {
	ctx, cancel := context.WithTimeout(ctx, requestTime)
	defer cancel()
	consumer, err := t.js.CreateConsumer(ctx, t.name, jetstream.ConsumerConfig{
		DeliverPolicy: jetstream.DeliverByStartSequencePolicy, OptStartSeq: t.next,
		AckPolicy: jetstream.AckNonePolicy, ReplayPolicy: jetstream.ReplayInstantPolicy,
		MemoryStorage: true, Replicas: 1, InactiveThreshold: idleConsumer,
	})
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return nil, logGone(t.id)
	}
	return consumer, err
}

// forget removes the consumer from the server, which would do so itself after idleConsumer.
func (t *tail) forget(consumer jetstream.Consumer) {
	if !t.js.Conn().IsConnected() {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_ = t.js.DeleteConsumer(ctx, t.name, consumer.CachedInfo().Name)
}

func (t *tail) hand(ctx context.Context, m jetstream.Msg, out chan<- *entry) error {
	meta, err := m.Metadata()
	if err != nil {
		return fmt.Errorf("read metadata of a message: %w", err)
	}
	sequence := meta.Sequence.Stream
	if sequence < t.next {
		return nil
	}
	if sequence > t.next {
		if err := t.hole(ctx, sequence); err != nil {
			return err
		}
	}
	e := &entry{
		message:  wire.Message{Subject: m.Subject(), Header: m.Headers(), Body: m.Data()},
		sequence: sequence, received: schema.At(meta.Timestamp),
	}
	if err := t.room.Acquire(ctx, min(e.size(), t.roomBytes)); err != nil {
		return err
	}
	select {
	case out <- e:
	case <-ctx.Done():
		return ctx.Err()
	}
	t.next, t.received = sequence+1, e.received
	if sequence > t.last.Load() {
		t.last.Store(sequence)
	}
	return nil
}

// hole decides what it means that the message with this sequence came instead of the next one: something was
// lost on the way, which reading again brings, or the log itself does not have it.
func (t *tail) hole(ctx context.Context, sequence uint64) error {
	log, err := t.open(ctx)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, requestTime)
	defer cancel()
	_, err = log.GetMsg(ctx, t.next)
	switch {
	case err == nil:
		return fmt.Errorf("message %d did not arrive", t.next)
	case !errors.Is(err, jetstream.ErrMsgNotFound):
		return fmt.Errorf("look for message %d: %w", t.next, err)
	case t.acceptLost < sequence-1:
		return logLost(t.next, sequence-1)
	}
	return nil
}

// open looks at the log, and makes sure that it is the one.
func (t *tail) open(ctx context.Context) (jetstream.Stream, error) {
	ctx, cancel := context.WithTimeout(ctx, requestTime)
	defer cancel()
	log, err := t.js.Stream(ctx, t.name)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return nil, logGone(t.id)
	}
	if err != nil {
		return nil, fmt.Errorf("look at the log: %w", err)
	}
	if id := log.CachedInfo().Config.Metadata[stream.IDKey]; id != t.id {
		return nil, otherLog(id, t.id)
	}
	t.last.Store(log.CachedInfo().State.LastSeq)
	return log, nil
}

// check makes sure that the log goes on where reading stopped.
func (t *tail) check(ctx context.Context) error {
	log, err := t.open(ctx)
	if err != nil {
		return err
	}
	state := log.CachedInfo().State
	if state.LastSeq < t.next-1 {
		return logBehind(state.LastSeq, t.next-1)
	}
	if state.FirstSeq > t.next && t.acceptLost < state.FirstSeq-1 {
		return logLost(t.next, state.FirstSeq-1)
	}
	if t.received.IsZero() || state.FirstSeq >= t.next {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, requestTime)
	defer cancel()
	before, err := log.GetMsg(ctx, t.next-1)
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return nil // lost after it was read: the graph has it
	}
	if err != nil {
		return fmt.Errorf("look at message %d: %w", t.next-1, err)
	}
	if !schema.At(before.Time).Equal(t.received.Time) {
		return logRewritten(t.next - 1)
	}
	return nil
}
