package outbox

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/gofrs/flock"
	"github.com/rs/zerolog"
	"golang.org/x/sync/semaphore"

	"github.com/rolltrace/rolltrace/producers"
	"github.com/rolltrace/rolltrace/schema"
	"github.com/rolltrace/rolltrace/schema/wire"
)

// MaxAppend is how much one call of Append may hold, about, in bytes: it becomes durable in one piece.
const MaxAppend = 8 << 20

// An Outbox is open, held by this process, and running until Close. It is a producers.Outbox and a
// producers.Source. It is safe for concurrent use, but for Read and Remove, which are one reader's.
type Outbox struct {
	cfg     Config
	sampled zerolog.Logger // for what repeats
	lock    *flock.Flock
	clock   clock

	queue queue
	room  *semaphore.Weighted // of the queue, in bytes

	committer committer
	shelf     shelf
	reader    reader
	unclosed  unclosed
	awake     awake

	doubted chan struct{} // asks for a restart of the engine: what it reads has holes
	stop    chan struct{} // closed by Close
	stopped chan struct{} // closed when the committer has ended
	once    sync.Once
	ended   error
}

var (
	_ producers.Outbox = (*Outbox)(nil)
	_ producers.Source = (*Outbox)(nil)
)

// Open takes the lock of the folder (ErrLocked if another process has it), starts the embedded server,
// recovers the end of the chain, and returns the outbox, ready to append. If the store turns out to have
// lost its end, a new instance begins and the loss is recorded as its first message.
//
// The context bounds opening alone. Close the outbox to release the lock.
func Open(ctx context.Context, cfg Config) (*Outbox, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	lock, err := takeLock(cfg.Dir)
	if err != nil {
		return nil, err
	}
	o, err := open(ctx, cfg, lock)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open outbox %s: %w", cfg.Dir, err), lock.Unlock())
	}
	return o, nil
}

func takeLock(dir string) (*flock.Flock, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("open outbox: %w", err)
	}
	lock := flock.New(filepath.Join(dir, "lock"), flock.SetPermissions(0o600))
	held, err := lock.TryLock()
	if err != nil {
		return nil, fmt.Errorf("open outbox %s: take lock: %w", dir, err)
	}
	if !held {
		return nil, fmt.Errorf("open outbox %s: %w", dir, producers.ErrLocked)
	}
	return lock, nil
}

func open(ctx context.Context, cfg Config, lock *flock.Flock) (*Outbox, error) {
	o := &Outbox{
		cfg: cfg, lock: lock,
		sampled: cfg.Log.Sample(&zerolog.BurstSampler{Burst: 3, Period: 30 * time.Second}),
		room:    semaphore.NewWeighted(cfg.QueueBytes),
		doubted: make(chan struct{}, 1), stop: make(chan struct{}), stopped: make(chan struct{}),
	}
	o.queue.wake = make(chan struct{}, 1)
	o.shelf.init()
	o.awake.init()
	if err := o.recover(ctx); err != nil {
		return nil, err
	}
	go o.awake.run(cfg.Dir, o.stopped, cfg.Metrics.AwakeReads)
	go o.run()
	return o, nil
}

// Append is described at producers.Outbox. One call may hold MaxAppend at most.
func (o *Outbox) Append(ctx context.Context, drafts ...wire.Draft) (*producers.Receipt, error) {
	e := &entry{drafts: drafts, class: classOf(drafts), size: sizeOf(drafts), deadline: time.Now().Add(o.cfg.BlockTimeout)}
	if e.size > MaxAppend {
		return nil, fmt.Errorf("append to outbox: %d bytes at once: want at most %d", e.size, MaxAppend)
	}
	receipt, settle := producers.NewReceipt()
	if len(drafts) == 0 || e.class == heartbeat && o.shelf.heartbeatWaits() {
		settle(nil)
		return receipt, nil
	}
	if err := o.takeRoom(ctx, e); err != nil {
		return nil, err
	}
	e.settle = func(err error) {
		o.room.Release(o.roomOf(e))
		settle(err)
	}
	if !o.queue.push(e) {
		o.room.Release(o.roomOf(e))
		return nil, producers.ErrClosed
	}
	return receipt, nil
}

// roomOf is what an entry takes of the queue: one that is larger than the queue takes all of it.
func (o *Outbox) roomOf(e *entry) int64 { return min(e.size, o.cfg.QueueBytes) }

// takeRoom waits for room in the queue. It is short while the disk does not keep up, and is refused by then.
func (o *Outbox) takeRoom(ctx context.Context, e *entry) error {
	size := o.roomOf(e)
	if o.room.TryAcquire(size) {
		return nil
	}
	until, cancel := context.WithDeadline(ctx, e.deadline)
	defer cancel()
	if err := o.room.Acquire(until, size); err == nil {
		return nil
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return o.committer.refusal()
}

// Now is described at producers.Outbox.
func (o *Outbox) Now(context.Context) (schema.Time, error) { return o.clock.next(), nil }

// Instance names the chain that messages are appended to now.
func (o *Outbox) Instance() string { return o.shelf.instance() }

// Dir is the folder.
func (o *Outbox) Dir() string { return o.cfg.Dir }

// Close writes what was appended before, if there is room and order to write it within 10 s, and settles
// the rest with ErrClosed; then it stops the embedded server and releases the lock. It returns when
// everything has ended; when the context ends first it no longer waits for the disk. Later calls return
// what the first did.
func (o *Outbox) Close(ctx context.Context) error {
	o.once.Do(func() {
		o.queue.close()
		o.committer.hurry = ctx.Done()
		close(o.stop)
		<-o.stopped
		<-o.awake.stopped
		o.shelf.close()
		if err := o.lock.Unlock(); err != nil {
			o.ended = errors.Join(o.ended, fmt.Errorf("release lock of outbox: %w", err))
		}
	})
	return o.ended
}
