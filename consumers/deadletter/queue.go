package deadletter

import (
	"context"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/rolltrace/rolltrace/consumers"
	"github.com/rolltrace/rolltrace/schema/stream"
	"github.com/rolltrace/rolltrace/schema/wire"
)

// How long one exchange with the hub may take, and how many messages are on their way at once.
const (
	requestTime = 30 * time.Second
	window      = 64
)

// A Queue is the rejected stream of a hub. It is safe for concurrent use.
type Queue struct {
	js       jetstream.JetStream
	exercise stream.Exercise
}

// New returns the Queue of a hub. stream.Ensure has made its stream.
func New(js jetstream.JetStream) *Queue { return &Queue{js: js} }

// NewExercise returns the Queue of an exercise, which keeps; it is neither listed nor replayed.
func NewExercise(js jetstream.JetStream, exercise stream.Exercise) *Queue {
	return &Queue{js: js, exercise: exercise}
}

var _ consumers.Rejects = (*Queue)(nil)

// Put keeps the rejections. The message id of each is made of the log and the sequence, so that within the stream's
// duplicate window it is kept once; List and Replay take later copies as the same. A full stream refuses them:
// that is an error, and nothing is dropped.
func (q *Queue) Put(ctx context.Context, rejections []consumers.Rejection) error {
	for len(rejections) > 0 {
		n := min(window, len(rejections))
		if err := q.put(ctx, rejections[:n]); err != nil {
			return fmt.Errorf("put into %s: %w", q.exercise.Rejected(), err)
		}
		rejections = rejections[n:]
	}
	return nil
}

func (q *Queue) put(ctx context.Context, rejections []consumers.Rejection) error {
	ctx, cancel := context.WithTimeout(ctx, requestTime)
	defer cancel()
	futures := make([]jetstream.PubAckFuture, 0, len(rejections))
	for i := range rejections {
		future, err := q.js.PublishMsgAsync(q.wrap(&rejections[i]))
		if err != nil {
			return err
		}
		futures = append(futures, future)
	}
	for _, future := range futures {
		select {
		case <-future.Ok():
		case err := <-future.Err():
			return err
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// maxHeader is how large JetStream lets the headers of a message be, in bytes; less what it takes to write them.
const maxHeader = 64<<10 - 64

// wrap is the message as it is kept: all of it, or as much as a message may hold; the log has it all.
func (q *Queue) wrap(r *consumers.Rejection) *nats.Msg {
	m := &nats.Msg{Subject: q.exercise.Subject(wire.RejectedSubject(r.Code)), Header: header(r), Data: r.Message.Body}
	if headerBytes(m.Header) > maxHeader {
		m.Header, m.Data = attributes(r), nil
		m.Header[bodyHeader] = []string{messageInLog}
	}
	if int64(headerBytes(m.Header)+len(m.Data)+64) > q.js.Conn().MaxPayload() {
		m.Header[bodyHeader] = []string{bodyInLog}
		m.Data = nil
	}
	return m
}

func headerBytes(h nats.Header) int {
	size := 0
	for name, values := range h {
		for _, value := range values {
			size += len(name) + len(value) + len(": \r\n")
		}
	}
	return size
}
