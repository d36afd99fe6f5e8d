package intake

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/rs/zerolog"
	"golang.org/x/sync/semaphore"

	"github.com/rolltrace/rolltrace/producers"
	"github.com/rolltrace/rolltrace/schema"
	"github.com/rolltrace/rolltrace/schema/wire"
)

// ClientConfig is what a Client needs.
type ClientConfig struct {
	// Dir is the folder of the outbox. Required.
	Dir string
	// Timeout is how long a request waits for a holder that is away or does not answer, before its receipt
	// says ErrBroken. It should be longer than the holder's own time-out. Defaults to 60 s.
	Timeout time.Duration
	// QueueBytes is how much may be under way; Append blocks when it is reached. At least 8 MiB. Defaults
	// to 16 MiB.
	QueueBytes int64
	// Program is told to the holder, for its log. Defaults to the name of this program.
	Program string
	// Log gets that the holder is away, and back. Defaults to none.
	Log zerolog.Logger
}

// A Client appends to the outbox of a running sidecar. It is a producers.Outbox, safe for concurrent use.
// Appends of one Client keep their order.
type Client struct {
	cfg   ClientConfig
	id    string
	facts facts
	room  *semaphore.Weighted
	open  writing

	mu       sync.Mutex
	link     *link      // nil while the holder is away
	waiting  []*request // not answered, oldest first
	number   uint64
	closing  bool
	answered chan struct{} // closed and replaced when something was answered

	stop    context.CancelFunc
	stopped chan struct{}
}

var _ producers.Outbox = (*Client)(nil)

// request is one that waits for its answer. It is sent again when the connection was lost.
type request struct {
	number   uint64
	op       string
	body     []byte
	deadline time.Time
	done     func(answer, error) // called once, with the mutex held
}

// Dial connects to the sidecar that holds the outbox. The error is ErrAbsent if none listens for it: then
// nobody holds the outbox, or whoever does it is no sidecar that listens.
func Dial(ctx context.Context, cfg ClientConfig) (*Client, error) {
	if cfg.Timeout == 0 {
		cfg.Timeout = time.Minute
	}
	if cfg.QueueBytes == 0 {
		cfg.QueueBytes = 16 << 20
	}
	if cfg.Timeout < 0 || cfg.QueueBytes < 8<<20 {
		return nil, errors.New("connect to sidecar: want a time-out of more than 0 and a queue of at least 8 MiB")
	}
	if cfg.Program == "" {
		cfg.Program = filepath.Base(os.Args[0])
	}
	id, err := uuid.NewV7()
	if err != nil {
		return nil, fmt.Errorf("connect to sidecar: %w", err)
	}
	c := &Client{
		cfg: cfg, id: id.String(), room: semaphore.NewWeighted(cfg.QueueBytes),
		open:     writing{dir: cfg.Dir},
		answered: make(chan struct{}), stopped: make(chan struct{}),
	}
	l, f, err := c.connect(ctx)
	if err != nil {
		return nil, fmt.Errorf("connect to sidecar: %w", err)
	}
	c.link, c.facts = l, f
	run, stop := context.WithCancel(context.Background())
	c.stop = stop
	go c.run(run, l)
	return c, nil
}

// Org and Sidecar say whose outbox it is.
func (c *Client) Org() string     { return c.facts.Org }
func (c *Client) Sidecar() string { return c.facts.Sidecar }

// Append is described at producers.Outbox. One call may hold about 8 MiB.
func (c *Client) Append(ctx context.Context, drafts ...wire.Draft) (*producers.Receipt, error) {
	body, err := encodeDrafts(drafts)
	if err != nil {
		return nil, err
	}
	if len(body) > maxPayload/2 {
		return nil, fmt.Errorf("append to outbox: %d bytes at once: want at most %d", len(body), maxPayload/2)
	}
	if err := c.open.hold(drafts); err != nil {
		return nil, err
	}
	size := min(int64(len(body)), c.cfg.QueueBytes)
	deadline := time.Now().Add(c.cfg.Timeout)
	if err := c.takeRoom(ctx, size, deadline); err != nil {
		return nil, err
	}
	receipt, settle := producers.NewReceipt()
	err = c.send(&request{op: opAppend, body: body, deadline: deadline, done: func(a answer, err error) {
		c.room.Release(size)
		if err == nil {
			err = a.err()
		}
		if err == nil {
			c.open.release(drafts)
		}
		settle(err)
	}})
	if err != nil {
		c.room.Release(size)
		return nil, err
	}
	return receipt, nil
}

func (c *Client) takeRoom(ctx context.Context, size int64, deadline time.Time) error {
	if c.room.TryAcquire(size) {
		return nil
	}
	until, cancel := context.WithDeadline(ctx, deadline)
	defer cancel()
	if err := c.room.Acquire(until, size); err == nil {
		return nil
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return c.timedOut()
}

func (c *Client) timedOut() error {
	return fmt.Errorf("%w: %s: the sidecar that holds it did not answer for %s: see whether it runs",
		producers.ErrBroken, c.cfg.Dir, c.cfg.Timeout)
}

// Now is described at producers.Outbox: it is the holder's clock.
func (c *Client) Now(ctx context.Context) (schema.Time, error) {
	type result struct {
		now schema.Time
		err error
	}
	got := make(chan result, 1)
	err := c.send(&request{op: opNow, deadline: time.Now().Add(c.cfg.Timeout), done: func(a answer, err error) {
		if err == nil {
			err = a.err()
		}
		got <- result{a.Now, err}
	}})
	if err != nil {
		return schema.Time{}, err
	}
	select {
	case r := <-got:
		return r.now, r.err
	case <-ctx.Done():
		return schema.Time{}, context.Cause(ctx)
	}
}

// Close waits until everything is answered, says goodbye and closes the connection; movements that were
// left open are then closed as failed by the holder. When the context ends first, receipts that are not
// settled say ErrClosed.
func (c *Client) Close(ctx context.Context) error {
	c.mu.Lock()
	if c.closing {
		c.mu.Unlock()
		<-c.stopped
		return nil
	}
	c.closing = true
	for len(c.waiting) > 0 && ctx.Err() == nil {
		answered := c.answered
		c.mu.Unlock()
		select {
		case <-answered:
		case <-ctx.Done():
		}
		c.mu.Lock()
	}
	if c.link != nil {
		c.link.goodbye()
	}
	c.fail(func(*request) bool { return true }, producers.ErrClosed)
	c.mu.Unlock()
	c.stop()
	<-c.stopped
	c.open.releaseAll()
	return nil
}

// send puts a request behind all others, and sends it if the holder is there.
func (c *Client) send(r *request) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closing {
		return producers.ErrClosed
	}
	c.number++
	r.number = c.number
	c.waiting = append(c.waiting, r)
	if c.link != nil {
		c.link.send(r)
	}
	return nil
}

// settle hands an answer to its request.
func (c *Client) settle(number uint64, a answer) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i, r := range c.waiting {
		if r.number == number {
			if i == 0 { // as a rule: answers come in order
				c.waiting = c.waiting[1:]
			} else {
				c.waiting = append(c.waiting[:i:i], c.waiting[i+1:]...)
			}
			r.done(a, nil)
			c.announce()
			return
		}
	}
}

// fail settles requests without an answer. The mutex is held.
func (c *Client) fail(which func(*request) bool, err error) {
	rest := c.waiting[:0:0]
	for _, r := range c.waiting {
		if which(r) {
			r.done(answer{}, err)
		} else {
			rest = append(rest, r)
		}
	}
	if len(rest) != len(c.waiting) {
		c.waiting = rest
		c.announce()
	}
}

func (c *Client) announce() {
	close(c.answered)
	c.answered = make(chan struct{})
}
