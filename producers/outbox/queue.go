package outbox

import (
	"sync"
	"time"

	"github.com/rolltrace/rolltrace/producers"
	"github.com/rolltrace/rolltrace/schema"
	"github.com/rolltrace/rolltrace/schema/wire"
)

// A class says what an entry may use when there is no room for data.
type class uint8

const (
	data      class = iota // nothing: it blocks, or passes
	opening                // nothing with on_full: block, else the reserve: what passes has a movement to be missed in
	kept                   // the reserve: closings and gaps
	heartbeat              // the reserve, for there is one at most
)

// An entry is one call of Append: its drafts are recorded together or not at all.
type entry struct {
	drafts   []wire.Draft
	class    class
	size     int64     // about, in bytes
	deadline time.Time // by which it is recorded or refused; zero: never
	settle   func(error)
	settled  bool
}

func (e *entry) end(err error) {
	if e.settled {
		return
	}
	e.settled = true
	if e.settle != nil {
		e.settle(err)
	}
}

func classOf(drafts []wire.Draft) class {
	c := heartbeat
	for _, d := range drafts {
		switch {
		case d.Heartbeat != nil:
		case d.Gap != nil, d.Movement != nil && d.Movement.Revision > 1:
			c = min(c, kept)
		case d.Movement != nil && d.Movement.State == schema.Open:
			c = min(c, opening)
		default:
			return data
		}
	}
	return c
}

// What a message takes besides its keys: subject, headers, and the body of a plain movement.
const (
	messageBytes  = 1 << 10
	movementBytes = 3 << 10
)

func sizeOf(drafts []wire.Draft) int64 {
	var size int64
	for _, d := range drafts {
		switch {
		case d.Chunk != nil:
			size += messageBytes + 8*int64(len(d.Chunk.Keys))
		case d.Movement != nil:
			size += movementBytes + int64(len(d.Movement.Inputs))*256 + int64(len(d.Movement.Electors.Sets))*256
		case d.Heartbeat != nil:
			size += messageBytes + int64(len(d.Heartbeat.Places))*64
		default:
			size += messageBytes
		}
	}
	return size
}

// A queue is what waits to be written, in the order of the calls.
type queue struct {
	mu      sync.Mutex
	entries []*entry
	closed  bool          // nothing more from outside
	ended   bool          // nothing more at all
	wake    chan struct{} // tells the committer that there is something to do
}

func (q *queue) push(e *entry) bool {
	q.mu.Lock()
	closed := q.closed
	if !closed {
		q.entries = append(q.entries, e)
	}
	q.mu.Unlock()
	if !closed {
		q.rouse()
	}
	return !closed
}

// pushFront puts entries before all others: what was taken, and the outbox's own.
func (q *queue) pushFront(entries []*entry) {
	q.mu.Lock()
	ended := q.ended
	if !ended {
		q.entries = append(append(make([]*entry, 0, len(entries)+len(q.entries)), entries...), q.entries...)
	}
	q.mu.Unlock()
	if ended {
		for _, e := range entries {
			e.end(producers.ErrClosed)
		}
	}
	q.rouse()
}

// rouse wakes the committer.
func (q *queue) rouse() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// take removes the first entries that fit and may go, and says whether some stay because they may not. What
// may go overtakes what may not; data is not overtaken by data.
func (q *queue) take(limit int64, mayGo func(class, int64) bool) (taken []*entry, held bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	var size int64
	var rest []*entry
	for i, e := range q.entries {
		if size > 0 && size+e.size > limit {
			if rest == nil {
				rest = q.entries[i:]
			} else {
				rest = append(rest, q.entries[i:]...)
			}
			break
		}
		if held && e.class <= opening || !mayGo(e.class, size+e.size) {
			held = true
			rest = append(rest, e)
			continue
		}
		size += e.size
		taken = append(taken, e)
	}
	q.entries = rest
	return taken, held
}

// remove takes out the entries that the function chooses.
func (q *queue) remove(choose func(*entry) bool) []*entry {
	q.mu.Lock()
	defer q.mu.Unlock()
	var chosen []*entry
	rest := q.entries[:0:0]
	for _, e := range q.entries {
		if choose(e) {
			chosen = append(chosen, e)
		} else {
			rest = append(rest, e)
		}
	}
	q.entries = rest
	return chosen
}

// gathers says whether what waits is to share a sync with what comes while another frame is synced: it is neither little, which
// costs nothing to hand over, nor much.
func (q *queue) gathers() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	var size int64
	for _, e := range q.entries {
		size += e.size
	}
	return size > frameBytes/8 && size < frameBytes*3/4
}

func (q *queue) len() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.entries)
}

// end settles what is left, and whatever comes from now on.
func (q *queue) end() {
	q.mu.Lock()
	left := q.entries
	q.entries, q.ended = nil, true
	q.mu.Unlock()
	for _, e := range left {
		e.end(producers.ErrClosed)
	}
}

// close refuses what comes from outside from now on.
func (q *queue) close() {
	q.mu.Lock()
	q.closed = true
	q.mu.Unlock()
	q.rouse()
}
