package deadletter

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/rolltrace/rolltrace/schema"
	"github.com/rolltrace/rolltrace/schema/stream"
	"github.com/rolltrace/rolltrace/schema/wire"
)

// fetch is how many entries are read at a time.
const fetch = 256

// Foreign is the code of what somebody else than a consumer published into the rejected stream. It is listed, with
// sequence 0 of no log, and never replayed.
const Foreign wire.Code = "foreign"

// An Entry is one rejected message, without its headers and body.
type Entry struct {
	Log        string      `json:"log"`      // identity of the log that it was in
	Sequence   uint64      `json:"sequence"` // in that log
	Subject    string      `json:"subject"`
	Org        string      `json:"org"` // as the subject names them; "" if it does not
	Sidecar    string      `json:"sidecar"`
	Code       wire.Code   `json:"code"`
	Reason     string      `json:"reason"`
	Parked     bool        `json:"parked"` // of a later version
	Bytes      uint64      `json:"bytes"`  // of its body
	ReceivedAt schema.Time `json:"received_at"`
	RejectedAt schema.Time `json:"rejected_at"`

	stored uint64 // sequence in the rejected stream
	where  string // bodyHeader
}

// A Filter says which rejections are meant. The zero Filter means all.
type Filter struct {
	Sequences []uint64    // of the log; none means any
	Codes     []wire.Code // none means any
	Parked    bool        // only those of a later version
}

func (f Filter) matches(e *Entry) bool {
	return among(f.Sequences, e.Sequence) && among(f.Codes, e.Code) && (!f.Parked || e.Parked)
}

func among[T comparable](wanted []T, have T) bool {
	for _, w := range wanted {
		if w == have {
			return true
		}
	}
	return len(wanted) == 0
}

// List yields what is kept and matches, in the order in which it was rejected, each message once; and then the error,
// if any.
func (q *Queue) List(ctx context.Context, f Filter) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		seen := make(map[name]bool)
		for e, err := range q.walk(ctx) {
			if err != nil {
				yield(Entry{}, err)
				return
			}
			if !f.matches(e) || seen[e.name()] {
				continue
			}
			seen[e.name()] = true
			if !yield(*e, nil) {
				return
			}
		}
	}
}

// name is what makes two copies of one rejection the same.
type name struct {
	log      string
	sequence uint64
}

func (e *Entry) name() name {
	if e.Code == Foreign {
		return name{"", e.stored}
	}
	return name{e.Log, e.Sequence}
}

// Replay publishes what matches into the log again, as it came, and then removes it from the rejected stream. It
// returns how many were published; done is called for each, if it is not nil. What is rejected meanwhile is left for the
// next time: a message whose fault was not mended comes back as a new rejection.
func (q *Queue) Replay(ctx context.Context, f Filter, done func(Entry)) (int, error) {
	rejected, err := q.js.Stream(ctx, stream.RejectedName)
	if err != nil {
		return 0, fmt.Errorf("look at %s: %w", stream.RejectedName, err)
	}
	count := 0
	replayed := make(map[name]bool)
	for e, err := range q.walk(ctx) {
		if err != nil {
			return count, err
		}
		if !f.matches(e) || e.Code == Foreign {
			continue
		}
		if !replayed[e.name()] {
			if err := q.replay(ctx, rejected, e); err != nil {
				return count, fmt.Errorf("replay message %d of the log: %w", e.Sequence, err)
			}
			replayed[e.name()] = true
			count++
			if done != nil {
				done(*e)
			}
		}
		if err := rejected.DeleteMsg(ctx, e.stored); err != nil && !gone(err) {
			return count, fmt.Errorf("remove message %d of the log from %s: %w", e.Sequence, stream.RejectedName, err)
		}
	}
	return count, nil
}

func (q *Queue) replay(ctx context.Context, rejected jetstream.Stream, e *Entry) error {
	m, err := q.original(ctx, rejected, e)
	if gone(err) {
		return nil // somebody else has just replayed it
	}
	if err != nil {
		return err
	}
	ack, err := q.js.PublishMsg(ctx, m)
	if err == nil && ack.Stream != stream.Name {
		err = fmt.Errorf("subject %s belongs to stream %s now: want %s", m.Subject, ack.Stream, stream.Name)
	}
	return err
}

// original is the message as it was in the log.
func (q *Queue) original(ctx context.Context, rejected jetstream.Stream, e *Entry) (*nats.Msg, error) {
	kept, err := rejected.GetMsg(ctx, e.stored)
	if err != nil {
		return nil, err
	}
	m := &nats.Msg{Subject: e.Subject, Header: original(kept.Header), Data: kept.Data}
	if e.where == "" {
		return m, nil
	}
	log, err := stream.Open(ctx, q.js)
	if err != nil {
		return nil, err
	}
	if log.ID != e.Log {
		return nil, fmt.Errorf("it was too large to be kept whole, and log %s, which has it, is not at this hub", e.Log)
	}
	whole, err := log.Stream.GetMsg(ctx, e.Sequence)
	if err != nil {
		return nil, fmt.Errorf("read it from the log: %w", err)
	}
	m.Data = whole.Data
	if e.where == messageInLog {
		m.Header = withoutHub(whole.Header)
	}
	return m, nil
}

func gone(err error) bool { return errors.Is(err, jetstream.ErrMsgNotFound) }

// walk yields what is kept now, in order, and then the error, if any. What comes meanwhile is left out.
func (q *Queue) walk(ctx context.Context) iter.Seq2[*Entry, error] {
	return func(yield func(*Entry, error) bool) {
		if err := q.each(ctx, yield); err != nil {
			yield(nil, fmt.Errorf("read %s: %w", stream.RejectedName, err))
		}
	}
}

func (q *Queue) each(ctx context.Context, yield func(*Entry, error) bool) error {
	rejected, err := q.js.Stream(ctx, stream.RejectedName)
	if err != nil {
		return err
	}
	state := rejected.CachedInfo().State
	if state.Msgs == 0 {
		return nil
	}
	consumer, err := rejected.CreateConsumer(ctx, jetstream.ConsumerConfig{
		AckPolicy: jetstream.AckNonePolicy, HeadersOnly: true, MemoryStorage: true, InactiveThreshold: time.Minute,
	})
	if err != nil {
		return err
	}
	defer func() {
		_ = rejected.DeleteConsumer(context.WithoutCancel(ctx), consumer.CachedInfo().Name) // it would go by itself
	}()
	for {
		some, err := consumer.FetchNoWait(fetch)
		if err != nil {
			return err
		}
		count := 0
		for m := range some.Messages() {
			count++
			e, err := entryOf(m)
			if err != nil {
				return err
			}
			if e.stored > state.LastSeq || !yield(e, nil) {
				return nil
			}
		}
		if err := some.Error(); err != nil {
			return err
		}
		if count == 0 {
			return nil
		}
	}
}

func entryOf(m jetstream.Msg) (*Entry, error) {
	meta, err := m.Metadata()
	if err != nil {
		return nil, err
	}
	e, err := readEntry(m.Headers())
	if err != nil {
		return nil, fmt.Errorf("message %d: %w", meta.Sequence.Stream, err)
	}
	if e.Code == Foreign {
		e.Subject = m.Subject()
	}
	e.stored, e.RejectedAt = meta.Sequence.Stream, schema.At(meta.Timestamp)
	return e, nil
}
