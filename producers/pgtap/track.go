package pgtap

import "sync"

// An item is a request on its way, in the order of the client's messages: what the server has still to answer. Its kind is
// the message's type, or one of these.
type item struct {
	kind     byte
	flags    flags
	function uint32 // of a FunctionCall: its OID
	prepared        // of Query and Execute
	naming   *naming
}

const (
	starting = 'A' // the startup packet, until the first ReadyForQuery
	copyData = 'd' // one or more CopyData: they have no answer, and say where a COPY ends
	copyDone = 'c' // CopyDone or CopyFail
)

type flags uint8

const (
	ofPortal   flags = 1 << iota // Describe: of a portal, not of a statement
	swallow                      // the tap's own request: its answer goes to nobody
	copyIn                       // Query, Execute: the server reads a COPY
	ours                         // the tap's own question: the client knows nothing of it
	unsettling                   // names may stand for something else when it has run
)

// maxItems bounds the requests on their way of one session: 32 bytes each. A client that sends on without reading waits.
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
	names    nameTable
	undone   []*naming
	stirred  bool   // names may stand for something else: a request that is on its way is unsettling
	entry    *entry // that reads the data of the COPY that the server reads
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
	t.waitForRoom()
	for _, i := range items {
		if t.skipping {
			if i.kind != 'S' {
				continue
			}
			t.skipping = false
		}
		t.stirred = t.stirred || i.flags&unsettling != 0
		t.items = append(t.items, i)
	}
	return !t.ended
}

func (t *tracker) waitForRoom() bool {
	for len(t.items)-t.first >= maxItems && !t.ended {
		t.room.Wait()
	}
	return !t.ended
}

// name adds a request that gives a name another meaning.
func (t *tracker) name(i item, portal bool, name []byte, to prepared) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.waitForRoom() || t.skipping {
		return !t.ended
	}
	t.stirred = t.stirred || i.flags&unsettling != 0
	i.naming = t.names.set(portal, name, to)
	t.items = append(t.items, i)
	return true
}

// bind adds a Bind: the portal is what the statement is.
func (t *tracker) bind(portal, statement []byte, named bool) bool {
	t.mu.Lock()
	var to prepared
	if named {
		to = t.names.of(false, statement)
	}
	t.mu.Unlock()
	return t.name(item{kind: 'B'}, true, portal, to)
}

// named is what a portal or a statement stands for.
func (t *tracker) named(portal bool, name []byte) prepared {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.names.of(portal, name)
}

// settled says whether names stand for what the back knows, and settle that it knows everything that was done, if nothing is
// on its way.
func (t *tracker) settled() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return !t.stirred
}

func (t *tracker) settle() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.stirred = t.stirred && t.head().kind != 0
}

// full says that there are too many prepared statements to remember what each returns.
func (t *tracker) full() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.names.extended >= maxNames
}

// data adds CopyData, and returns who reads it; nil for nobody. Some clients send it before the server has said that it reads
// any: until then it waits, unless there is nobody who could say who reads it.
func (t *tracker) data(wait bool) (*entry, bool) {
	t.mu.Lock()
	for wait && !t.ended {
		if h := t.head(); h.kind == 0 || h.flags&copyIn != 0 {
			break
		}
		t.room.Wait()
	}
	e := t.entry
	t.mu.Unlock()
	return e, t.push(item{kind: copyData})
}

// enter says who reads the data of the COPY that begins: it is told before data can wait for it no longer.
func (t *tracker) enter(e *entry) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.entry = e
	t.items[t.first].flags |= copyIn
	t.room.Signal()
}

// entered returns who has read the data of the COPY that has ended.
func (t *tracker) entered() *entry {
	t.mu.Lock()
	defer t.mu.Unlock()
	e := t.entry
	t.entry = nil
	return e
}

// ask adds requests of the tap's own, if the client has none on its way, and sends them: send is called before the client's next.
func (t *tracker) ask(items []item, send func() error) (asked bool, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.head().kind != 0 || t.skipping || t.ended {
		return false, nil
	}
	t.items = append(t.items, items...)
	return true, send()
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

// reads says whether what the server does reads only.
func (t *tracker) reads() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, i := range t.items[t.first:] {
		if i.kind != 'Q' && i.kind != 'E' {
			continue
		}
		if i.statement == nil {
			return false
		}
		for n := range i.statement.Parts {
			if !i.statement.Parts[n].Reads {
				return false
			}
		}
	}
	return true
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
		return r // enter
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
	failed := t.undone[:0]
	undo := func() {
		if n := t.items[t.first].naming; n != nil {
			failed = append(failed, n)
		}
		t.drop()
	}
	undo()
	defer func() {
		for i := len(failed) - 1; i >= 0; i-- {
			t.names.back(failed[i])
		}
		clear(failed)
		t.undone = failed[:0]
	}()
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
		undo()
	}
	t.skipping = true
}
