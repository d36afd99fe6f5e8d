package demo

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/rolltrace/rolltrace/schema"
	"github.com/rolltrace/rolltrace/schema/graph"
	"github.com/rolltrace/rolltrace/schema/stream"
	"github.com/rolltrace/rolltrace/schema/wire"
)

// A watch sees the movements arrive at the hub, as they do.
type watch struct {
	subscription *nats.Subscription

	mu     sync.Mutex
	closed []schema.Movement // in the order of their arrival, each once
	seen   map[string]bool
	news   chan struct{} // closed at each arrival, and replaced
	fault  error
}

func watchHub(js jetstream.JetStream) (*watch, error) {
	w := &watch{seen: map[string]bool{}, news: make(chan struct{})}
	subscription, err := js.Conn().Subscribe(wire.TypeMovement.Subject("*", "*"), w.take)
	if err != nil {
		return nil, fmt.Errorf("watch the hub: %w", err)
	}
	w.subscription = subscription
	return w, js.Conn().FlushTimeout(time.Minute)
}

func (w *watch) take(msg *nats.Msg) {
	record, err := wire.Decode(msg.Subject, msg.Header, msg.Data)
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case err != nil:
		w.fault = fmt.Errorf("read a movement at the hub: %w", err)
	case record.Movement.State == schema.Closed && !w.seen[revision(record.Movement)]:
		w.seen[revision(record.Movement)] = true
		w.closed = append(w.closed, *record.Movement)
	}
	close(w.news)
	w.news = make(chan struct{})
}

func revision(m *schema.Movement) string { return fmt.Sprint(m.ID, "/", m.Revision) }

// arrived waits until n closed movements are at the hub, and returns them. An outbox is emptied in order,
// so everything that came before them, their chunks too, is there as well.
func (w *watch) arrived(ctx context.Context, n int, ended <-chan error) ([]schema.Movement, error) {
	for {
		w.mu.Lock()
		closed, news, fault := w.closed, w.news, w.fault
		w.mu.Unlock()
		if fault != nil {
			return nil, fault
		}
		if len(closed) >= n {
			return closed, nil
		}
		select {
		case <-news:
		case err := <-ended:
			return nil, err
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// stop ends the watch.
func (w *watch) stop() { _ = w.subscription.Unsubscribe() }

// caughtUp waits until the consumer has brought everything that is at the hub now into ClickHouse, and what follows from it.
// progress is told how far it is.
func caughtUp(ctx context.Context, log stream.Log, dsn string, ended <-chan error, progress func(at, of uint64)) error {
	info, err := log.Stream.Info(ctx)
	if err != nil {
		return fmt.Errorf("ask the hub how long the log is: %w", err)
	}
	last := info.State.LastSeq
	conn, err := graph.Open(dsn)
	if err != nil {
		return err
	}
	defer conn.Close()
	questions := graph.New(conn, graph.Config{})
	tick := time.NewTicker(20 * time.Millisecond) // ClickHouse tells nobody of an insert: it has to be asked
	defer tick.Stop()
	for {
		logs, err := questions.Progress(ctx)
		if err != nil {
			return err
		}
		at := uint64(0)
		for _, p := range logs {
			if p.Log == log.ID {
				at = p.Derived
			}
		}
		progress(at, last)
		if at >= last {
			return nil
		}
		select {
		case <-tick.C:
		case err := <-ended:
			return err
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}
