package intake

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/rolltrace/rolltrace/producers"
)

const (
	dialTimeout  = 2 * time.Second
	helloTimeout = 5 * time.Second
	firstPause   = 20 * time.Millisecond
	lastPause    = time.Second
	lookEvery    = 100 * time.Millisecond
)

// A link is one connection to a holder.
type link struct {
	conn    *nats.Conn
	subject string // of the session's requests
	inbox   string
	lost    chan struct{} // closed when the connection is gone
}

// connect finds the holder and greets it.
func (c *Client) connect(ctx context.Context) (*link, facts, error) {
	f, err := readFacts(c.cfg.Dir)
	if err != nil {
		return nil, f, err
	}
	l := &link{subject: sessionBegin + c.id, inbox: nats.NewInbox() + ".", lost: make(chan struct{})}
	l.conn, err = nats.Connect(f.URL, nats.UserInfo(clientUser, f.Token), nats.NoReconnect(), nats.Timeout(dialTimeout),
		nats.Name(c.cfg.Program), nats.ClosedHandler(func(*nats.Conn) { close(l.lost) }),
		nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) {}))
	if err != nil {
		// Somebody who ended without taking the facts away, or is about to listen anew.
		return nil, f, fmt.Errorf("%w: %s: %w", ErrAbsent, c.cfg.Dir, err)
	}
	if err := c.greet(ctx, l); err != nil {
		l.conn.Close()
		return nil, f, err
	}
	return l, f, nil
}

func (c *Client) greet(ctx context.Context, l *link) error {
	if _, err := l.conn.Subscribe(aliveBegin+c.id, func(m *nats.Msg) { m.Respond(nil) }); err != nil { //nolint:errcheck // asked again
		return err
	}
	if _, err := l.conn.Subscribe(l.inbox+"*", func(m *nats.Msg) {
		number, err := strconv.ParseUint(strings.TrimPrefix(m.Subject, l.inbox), 10, 64)
		var a answer
		if err == nil && len(m.Data) > 0 && json.Unmarshal(m.Data, &a) == nil {
			c.settle(number, a)
		}
	}); err != nil {
		return err
	}
	body, err := json.Marshal(hello{Protocol: protocol, Client: c.id, PID: os.Getpid(), Program: c.cfg.Program})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, helloTimeout)
	defer cancel()
	m, err := l.conn.RequestWithContext(ctx, helloSubject, body)
	if err != nil {
		return fmt.Errorf("%w: %s: greet: %w", ErrAbsent, c.cfg.Dir, err)
	}
	var a answer
	if err := json.Unmarshal(m.Data, &a); err != nil {
		return fmt.Errorf("greet: %w", err)
	}
	return a.err()
}

// send sends a request; that it was not sent shows by the connection being lost.
func (l *link) send(r *request) {
	m := &nats.Msg{Subject: l.subject, Reply: l.inbox + strconv.FormatUint(r.number, 10), Header: nats.Header{opHeader: {r.op}}, Data: r.body}
	if err := l.conn.PublishMsg(m); err != nil {
		l.conn.Close()
	}
}

func (l *link) goodbye() {
	l.send(&request{op: opEnd})
	l.conn.FlushTimeout(time.Second) //nolint:errcheck // the holder sees the connection go
}

// run keeps the client linked: when the connection is lost it looks for the holder until it is back, and
// sends again, in order, what was not answered.
func (c *Client) run(ctx context.Context, l *link) {
	defer close(c.stopped)
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	pause, next := firstPause, time.Time{}
	for {
		var lost <-chan struct{}
		if l != nil {
			lost = l.lost
		}
		select {
		case <-ctx.Done():
			if l != nil {
				l.conn.Close()
			}
			return
		case <-lost:
			l = nil
			c.setLink(nil)
			pause, next = firstPause, time.Time{}
			c.cfg.Log.Warn().Str("outbox", c.cfg.Dir).Msg("the sidecar that holds the outbox is away; waiting for it")
		case <-tick.C:
		}
		c.expire()
		if l != nil || time.Now().Before(next) || ctx.Err() != nil {
			continue
		}
		found, _, err := c.connect(ctx)
		switch {
		case err == nil:
			l = found
			c.setLink(l)
			c.cfg.Log.Info().Str("outbox", c.cfg.Dir).Msg("the sidecar that holds the outbox is back")
		case errors.Is(err, producers.ErrBroken): // it has ended the session
			c.mu.Lock()
			c.fail(func(*request) bool { return true }, err)
			c.mu.Unlock()
		}
		pause = min(2*pause, lastPause)
		next = time.Now().Add(pause)
	}
}

// setLink begins to use a connection, or none.
func (c *Client) setLink(l *link) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.link = l
	if l == nil {
		return
	}
	for _, r := range c.waiting {
		l.send(r)
	}
}

// expire settles what has waited too long.
func (c *Client) expire() {
	now := time.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.fail(func(r *request) bool { return now.After(r.deadline) }, c.timedOut())
}
