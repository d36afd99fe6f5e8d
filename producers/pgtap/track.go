package pgtap

import "sync"

// An item is a request on its way, in the order of the client's messages: what the server has still to answer. Its kind is
// the message's type, or one of these.
type item struct {
	kind      byte
	flags     flags
	statement *Statement // of Query and Execute; nil if it is not known
}

const (
	starting = 'A' // the startup packet, until the first ReadyForQuery
	copyData = 'd' // one or more CopyData: they have no answer, and say where a COPY ends
	copyDone = 'c' // CopyDone or CopyFail
)

type flags uint8

const (
	ofPortal flags = 1 << iota // Describe: of a portal, not of a statement
	swallow                    // the tap's own request: its answer goes to nobody
	copyIn                     // Query, Execute: the server reads a COPY
)

// maxItems bounds the requests on their way of one session: 16 bytes each. A client that sends on without reading waits.
const maxItems = 1 << 16

// A tracker follows which request the server answers. It knows what Postgres does after an error (nothing until Sync) and
// during COPY (Sync is read and ignored). The two goroutines of a session share it.
type tracker struct {
	mu       sync.Mutex
	room     sync.Cond
	items    []item
	first    int  // index of the oldest
	skipping bool // after an error: the server ignores everything until Sync
	ended    bool
	begun    uint64 // requests that were pushed, for a measure of how busy the session is
}

func newTracker() *tracker {
	t := &tracker{}
	t.room.L = &t.mu
	t.items = append(t.items, item{kind: starting})
	return t
}

// push adds requests that are about to be sent. It says false when the session has ended.
func (t *tracker) push(items ...item) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	for len(t.items)-t.first >= maxItems && !t.ended {
		t.room.Wait()
	}
	for _, i := range items {
		if t.skipping {
			if i.kind != 'S' {
				continue
			}
			t.skipping = false
		}
		t.begun++
		t.items = append(t.items, i)
	}
	return !t.ended
}

// end wakes whoever waits in push.
func (t *tracker) end() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.ended = true
	t.room.Broadcast()
}

// idle says whether the server owes no answer.
func (t *tracker) idle() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.head().kind == 0
}

// now is the request that the server answers.
func (t *tracker) now() item {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.head()
}

// head is the request that the server answers now. Copy messages outside of a COPY have no answer.
func (t *tracker) head() item {
	for t.first < len(t.items) {
		if i := t.items[t.first]; i.kind != copyData && i.kind != copyDone {
			return i
		}
		t.drop()
	}
	return item{}
}

func (t *tracker) drop() {
	t.items[t.first] = item{}
	t.first++
	switch {
	case t.first == len(t.items):
		if t.items = t.items[:0]; cap(t.items) > 1024 {
			t.items = nil
		}
		t.first = 0
	case t.first >= 256 && t.first >= len(t.items)/2:
		n := copy(t.items, t.items[t.first:])
		clear(t.items[n:])
		t.items, t.first = t.items[:n], 0
	}
	t.room.Signal()
}

// A reply is what a message of the server means to the session.
type reply struct {
	item        item
	unexpected  bool // it answers nothing that was asked
	ends        bool // of a result: nothing more of it comes
	nothingOpen bool // no request is on its way any more
}

// answer takes note of a message of the server and returns the request that it answers.
func (t *tracker) answer(kind byte) (r reply) {
	t.mu.Lock()
	defer t.mu.Unlock()
	h := t.head()
	r.item = h
	switch kind {
	case '1':
		r.unexpected = h.kind != 'P'
	case '2':
		r.unexpected = h.kind != 'B'
	case '3':
		r.unexpected = h.kind != 'C'
	case 't':
		r.unexpected = h.kind != 'D' || h.flags&ofPortal != 0
		return r // RowDescription or NoData follows
	case 'n':
		r.unexpected = h.kind != 'D'
	case 'T':
		if h.kind == 'Q' {
			return r
		}
		r.unexpected = h.kind != 'D'
	case 'V':
		r.unexpected = h.kind != 'F'
		return r
	case 'C', 'I':
		r.ends = true
		r.unexpected = h.kind != 'Q' && h.kind != 'E'
		if h.kind == 'Q' {
			if h.flags&copyIn != 0 {
				t.copied()
			}
			return r
		}
		if h.flags&copyIn != 0 {
			t.copied()
		}
	case 's':
		r.ends = true
		r.unexpected = h.kind != 'E'
	case 'G', 'W':
		r.unexpected = h.kind != 'Q' && h.kind != 'E'
		if !r.unexpected {
			t.items[t.first].flags |= copyIn
		}
		return r
	case 'H':
		r.unexpected = h.kind != 'Q' && h.kind != 'E'
		return r
	case 'Z':
		r.unexpected = h.kind != 'S' && h.kind != 'Q' && h.kind != 'F' && h.kind != starting
	case 'E':
		r.ends = true
		t.fail(h)
		return r
	case 'R', 'K', 'v':
		r.unexpected = h.kind != starting
		return r
	default:
		r.unexpected = true
	}
	if !r.unexpected {
		t.drop()
		r.nothingOpen = t.head().kind == 0
	}
	return r
}

// copied removes what the server has read as part of a COPY that is done: everything up to the end of the data.
func (t *tracker) copied() {
	head := t.items[t.first]
	head.flags &^= copyIn
	t.items[t.first] = head
	for i := t.first + 1; i < len(t.items); i++ {
		if t.items[i].kind == copyDone {
			clear(t.items[t.first:i])
			t.first = i
			t.items[i] = head
			t.room.Signal()
			return
		}
	}
}

// fail takes note of an error. Of the extended protocol, the server reads on only at the next Sync.
func (t *tracker) fail(h item) {
	switch h.kind {
	case 'P', 'B', 'D', 'E', 'C':
	case 'Q':
		t.items[t.first].flags &^= copyIn
		return
	default:
		return
	}
	t.drop()
	if h.flags&copyIn != 0 {
		// What came before the data was read by the COPY: Sync too.
		for t.first < len(t.items) && t.items[t.first].kind == 'S' {
			t.drop()
		}
	}
	for t.first < len(t.items) {
		if t.items[t.first].kind == 'S' {
			return
		}
		t.drop()
	}
	t.skipping = true
}
