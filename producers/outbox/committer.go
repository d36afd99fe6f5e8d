package outbox

import (
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/rolltrace/rolltrace/producers"
	"github.com/rolltrace/rolltrace/schema/wire"
)

const (
	// maxInFlight is how many frames are on their way to the disk at once: while one is synced the next is
	// sealed and handed over, and everything that comes meanwhile waits together for the one after.
	maxInFlight = 2

	ackTimeout    = 20 * time.Second       // of a write to a disk that is slow but in order
	doubtTimeout  = 100 * time.Millisecond // of one, after the server complained
	busyTick      = 20 * time.Millisecond
	idleTick      = time.Second
	closeTimeout  = 10 * time.Second
	headSyncEvery = 5 * time.Second
	firstBackOff  = 50 * time.Millisecond
	lastBackOff   = 5 * time.Second
)

// A committer writes the queue into the store, in frames. Its goroutine is the only one that seals,
// publishes, restarts the engine and gives up what was forwarded.
type committer struct {
	identity string // whose chain it is
	instance string // of the chain
	chain    *wire.Chain
	tailOf   string // the instance whose lost end waits to be recorded

	engine  *engine // nil while it is down
	head    *headFile
	reserve *reserve

	segment      uint64 // the highest number that was used
	segmentBytes int64  // that it grows to, about
	floor        int64  // bytes that were there at opening: perhaps more than the limit, which may have been lowered
	rollNext     bool   // a new one has to begin: nothing may be written behind the end of this one

	flights  []*flight // on their way to the disk, oldest first
	expected uint64    // sequence of the last of them in its segment
	unacked  int64     // their bytes
	total    uint64    // of the last frame sealed
	free     int64     // bytes on the disk, before the next frame
	buffers  [][]byte  // to write frames into

	// After a fault: what was on its way. It is not known which of it was written.
	doubtful []*flight
	retryAt  time.Time
	backOff  time.Duration

	full    bool
	short   atomic.Pointer[error] // why there is no room, or no order; nil when all is well
	waiting waiting
	passing passing

	headSynced time.Time
	headDirty  bool
	hubSynced  position // what the head on the disk says that the hub has

	hurry   <-chan struct{} // set by Close: when it is closed, the disk is no longer waited for
	closing bool
	since   time.Time // that it is closing
}

// A flight is a frame on its way to the disk.
type flight struct {
	frame   *frame
	bytes   []byte
	entries []*entry
	records int    // what they record; see awake.go
	behind  uint64 // the sequence of the one before it, in their segment
	sent    time.Time
}

// run is the committer's goroutine.
func (o *Outbox) run() {
	defer close(o.stopped)
	c := &o.committer
	tick := time.NewTimer(busyTick)
	defer tick.Stop()
	stop, hurry := o.stop, (<-chan struct{})(nil)
	for {
		o.tend()
		if c.closing && o.finished() {
			o.ended = o.shutDown()
			return
		}
		o.dispatch()
		var answers <-chan *nats.Msg
		if len(c.flights) > 0 {
			answers = c.engine.acks
		}
		tick.Reset(o.nextTick())
		select {
		case answer := <-answers:
			if sequence, err := c.engine.acknowledged(answer, c.flights[0].behind); err != nil {
				o.fault(err)
			} else {
				o.durable(sequence)
			}
		case <-o.queue.wake:
		case <-tick.C:
		case <-o.doubted:
			o.fault(errors.New("messages are missing when they are read"))
		case <-stop:
			stop, hurry, c.closing, c.since = nil, c.hurry, true, time.Now()
		case <-hurry:
			hurry = nil
			o.abandon()
		}
	}
}

func (o *Outbox) nextTick() time.Duration {
	c := &o.committer
	if len(c.flights) > 0 || len(c.doubtful) > 0 || c.engine == nil || c.full || c.closing || o.queue.len() > 0 || c.passing.any() {
		return busyTick
	}
	return idleTick
}

// dispatch seals and publishes what waits and may go.
func (o *Outbox) dispatch() {
	c := &o.committer
	for c.engine != nil && len(c.doubtful) == 0 && len(c.flights) < maxInFlight && (len(c.flights) == 0 || !o.queue.gathers()) {
		if c.rollNext || o.queue.len() > 0 && c.engine.shelf.newest().bytes+c.unacked >= c.segmentBytes {
			if len(c.flights) > 0 || !o.roll() {
				return // frames of two segments could overtake each other
			}
			continue
		}
		c.free = diskFree(o.cfg.Dir)
		entries, held := o.queue.take(frameBytes, o.mayGo)
		o.setFull(held)
		if held && o.cfg.OnFull == Pass {
			o.pass()
		}
		if len(entries) == 0 {
			return
		}
		if f := o.seal(entries); f != nil {
			o.publish(f)
		}
	}
}

// seal makes one frame of the entries. One that cannot be sealed is settled and left out.
func (o *Outbox) seal(entries []*entry) *flight {
	c := &o.committer
	first, _ := c.chain.Last()
	fl := &flight{frame: &frame{instance: c.instance, first: first + 1}}
	for _, e := range entries {
		if e.settled {
			continue
		}
		if o.cfg.OnFull == Pass {
			c.passing.see(e.drafts)
		}
		sequence, hash := c.chain.Last()
		messages, err := o.sealEntry(e)
		if err != nil {
			c.chain.Reset(sequence, hash)
			e.end(err)
			continue
		}
		fl.frame.messages = append(fl.frame.messages, messages...)
		fl.entries = append(fl.entries, e)
		fl.records += recordsOf(e)
	}
	if len(fl.entries) == 0 {
		return nil
	}
	fl.frame.last, fl.frame.hash = c.chain.Last()
	fl.frame.clock = o.clock.latest.Load()
	fl.bytes = fl.frame.encode(c.buffer(), c.total)
	c.total = fl.frame.total
	return fl
}

// buffer is one of those that frames were written from before: nobody reads them any more once the store has
// acknowledged.
func (c *committer) buffer() []byte {
	if n := len(c.buffers); n > 0 {
		b := c.buffers[n-1]
		c.buffers = c.buffers[:n-1]
		return b[:0]
	}
	return nil
}

func (o *Outbox) sealEntry(e *entry) ([]wire.Message, error) {
	messages := make([]wire.Message, len(e.drafts))
	for i, d := range e.drafts {
		if d.Heartbeat != nil {
			beat, depth := *d.Heartbeat, o.shelf.depth()
			beat.OutboxMessages, beat.OutboxBytes = depth.Messages, depth.Bytes
			d.Heartbeat = &beat
		}
		m, err := o.committer.chain.Seal(d)
		if err != nil {
			return nil, err
		}
		messages[i] = m
	}
	return messages, nil
}

func (o *Outbox) publish(f *flight) {
	c := &o.committer
	f.sent = time.Now()
	o.awake.stir()
	f.behind = c.expected
	err := c.engine.publish(f.bytes, f.behind)
	c.flights = append(c.flights, f)
	c.unacked += storedBytes(f.bytes)
	c.expected++
	if err != nil {
		o.fault(err)
	}
}

// storedBytes is what a frame takes in the store: the record's own fields, subject and header besides.
func storedBytes(frame []byte) int64 { return int64(len(frame)) + 128 }

// durable takes note that the oldest flight has been written and synced.
func (o *Outbox) durable(sequence uint64) {
	c := &o.committer
	f := c.flights[0]
	o.awake.committed(f.records)
	c.flights[0] = nil
	c.flights = c.flights[1:]
	c.unacked -= storedBytes(f.bytes)
	c.engine.shelf.wrote(sequence, storedBytes(f.bytes))
	h := o.shelf.put(at(c.engine.shelf.newest().number, sequence), f.frame, len(f.bytes), o.unclosed.wrote(f.entries), c.tailOf != "")
	// Before anybody is told: after kill -9 the head must know all that was acknowledged.
	o.writeHead(h)
	for _, e := range f.entries {
		e.end(nil)
	}
	if len(c.buffers) < maxInFlight && cap(f.bytes) <= 2*frameBytes {
		c.buffers = append(c.buffers, f.bytes)
	}
	m := o.cfg.Metrics
	m.Commits.Inc()
	m.Appended.Add(float64(len(f.frame.messages)))
	m.AppendedBytes.Add(float64(len(f.bytes)))
	o.showDepth()
	c.backOff = 0
	if len(f.frame.messages) > 0 {
		c.tailOf = "" // a gap goes before all else
	}
	if len(c.doubtful) == 0 && !c.full {
		c.short.Store(nil)
		o.noteGoing()
	}
}

func (o *Outbox) showDepth() {
	d := o.shelf.depth()
	o.cfg.Metrics.Messages.Set(float64(d.Messages))
	o.cfg.Metrics.Bytes.Set(float64(d.Bytes))
}

// tend does what is due: late writes, deadlines, a restart, the reserve, giving up what was forwarded.
func (o *Outbox) tend() {
	c := &o.committer
	now := time.Now()
	if len(c.flights) > 0 && c.engine != nil {
		f := c.flights[0]
		if now.Sub(f.sent) > ackTimeout {
			o.fault(errors.New("write timed out"))
		} else if now.Sub(f.sent) > doubtTimeout && c.engine.log.complainedSince(f.sent) {
			o.fault(errors.New(*c.engine.log.last.Load()))
		}
	}
	if c.engine == nil && now.After(c.retryAt) {
		o.restart()
	}
	if c.short.Load() != nil {
		o.noteWait(now)
		o.refuse(now)
	}
	o.tendReserve()
	o.tendPassing(now)
	o.tendSegments()
	if c.headDirty && now.Sub(c.headSynced) > headSyncEvery {
		o.syncHead(now)
	}
}

// refuse settles what has waited too long.
func (o *Outbox) refuse(now time.Time) {
	why := o.committer.refusal()
	expired := func(e *entry) bool { return !e.deadline.IsZero() && now.After(e.deadline) }
	late := o.queue.remove(expired)
	for _, f := range o.committer.doubtful {
		for _, e := range f.entries {
			if expired(e) && !e.settled {
				late = append(late, e)
			}
		}
	}
	if len(late) > 0 {
		c := &o.committer
		c.waiting = waiting{last: c.waiting.last} // it does not go on
	}
	for _, e := range late {
		if o.cfg.OnFull == Pass {
			o.passEntry(e)
			continue
		}
		o.cfg.Metrics.Refused.Add(float64(len(e.drafts)))
		e.end(why)
	}
}

// refusal is the error for what has waited too long. It may be called from any goroutine.
func (c *committer) refusal() error {
	if why := c.short.Load(); why != nil {
		return *why
	}
	return fmt.Errorf("%w: the disk does not keep up", producers.ErrBroken)
}

// finished says, while closing, whether nothing is left that can be written.
func (o *Outbox) finished() bool {
	c := &o.committer
	if c.engine == nil || c.full {
		o.abandonQueue()
	}
	if time.Since(c.since) > closeTimeout {
		o.abandon()
	}
	return len(c.flights) == 0 && len(c.doubtful) == 0 && o.queue.len() == 0 && !c.passing.any()
}

// abandonQueue settles what was never handed to the disk.
func (o *Outbox) abandonQueue() {
	for _, e := range o.queue.remove(func(e *entry) bool { return e.class <= opening || o.committer.engine == nil }) {
		e.end(producers.ErrClosed)
	}
}

// abandon stops waiting for the disk.
func (o *Outbox) abandon() {
	c := &o.committer
	for _, e := range o.queue.remove(func(*entry) bool { return true }) {
		e.end(producers.ErrClosed)
	}
	for _, f := range append(c.flights, c.doubtful...) {
		for _, e := range f.entries {
			e.end(producers.ErrClosed)
		}
	}
	c.flights, c.doubtful = nil, nil
	o.dropPassing()
}

// shutDown ends everything that the committer holds.
func (o *Outbox) shutDown() error {
	c := &o.committer
	if c.engine != nil {
		o.tendSegments()
	}
	if c.engine != nil {
		c.engine.stop()
		c.engine = nil
	}
	o.shelf.setEngine(nil)
	o.queue.end()
	o.writeHead(o.shelf.snapshot())
	if err := errors.Join(c.head.sync(), c.head.close()); err != nil {
		return fmt.Errorf("close outbox %s: %w", o.cfg.Dir, err)
	}
	return nil
}
