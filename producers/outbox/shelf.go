package outbox

import (
	"sync"

	"github.com/rolltrace/rolltrace/producers"
	"github.com/rolltrace/rolltrace/schema/wire"
)

// recentBytes is how much of what was written last is kept in memory for the forwarder, which so seldom
// has to read from the disk while the hub keeps up.
const recentBytes = 4 << 20

// A shelf is what committer, reader and askers share: the end of the store, and how far it was forwarded.
type shelf struct {
	mu      sync.Mutex
	changed chan struct{} // closed and replaced when anything here changes
	engine  *engine       // nil while the embedded server is down
	closed  bool

	head     head
	position position // of the last frame that is durable
	content  position // and of the last one with messages
	beat     position // and of the last one with a heartbeat
	tail     hole     // the end that was lost last, and is recorded

	reading bool // somebody reads, and soon
	recent  []shelved
	behind  position // the frames in memory are all that come behind this one
	bytes   int
}

type shelved struct {
	position position
	frame    *frame
	bytes    int
}

func (s *shelf) init() { s.changed = make(chan struct{}) }

func (s *shelf) announce() {
	close(s.changed)
	s.changed = make(chan struct{})
}

func (s *shelf) setEngine(e *engine) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.engine = e
	s.announce()
}

// put makes a frame known that is durable now, and returns the head with it. While the lost end of another
// instance is still to be recorded, a frame without messages leaves the head as it is.
func (s *shelf) put(position position, f *frame, bytes, open int, mourning bool) head {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.position = position
	if len(f.messages) > 0 {
		s.content = position
	}
	if len(f.messages) > 0 || !mourning {
		s.head.Instance, s.head.Sequence, s.head.Hash = f.instance, f.last, wire.FormatHash(f.hash)
	}
	s.head.Clock, s.head.Total, s.head.Open = f.clock, f.total, open
	for _, m := range f.messages {
		if isHeartbeat(m) {
			s.beat = position
		}
	}
	s.recent, s.bytes = append(s.recent, shelved{position, f, bytes}), s.bytes+bytes
	if !s.reading {
		s.forget()
	}
	for s.bytes > recentBytes && len(s.recent) > 1 {
		s.forget()
	}
	s.announce()
	return s.head
}

// forwarded moves on how far the hub has acknowledged.
func (s *shelf) forwarded(to forwarded) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if to.Position <= s.head.Hub.Position {
		return
	}
	s.head.Hub = to
	for len(s.recent) > 0 && s.recent[0].position <= to.Position {
		s.forget()
	}
}

// forget drops the oldest frame in memory.
func (s *shelf) forget() {
	s.behind, s.bytes = s.recent[0].position, s.bytes-s.recent[0].bytes
	s.recent[0] = shelved{}
	s.recent = s.recent[1:]
}

func (s *shelf) snapshot() head {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.head
}

// end is the position of the last frame that was written.
func (s *shelf) end() position {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.position
}

func (s *shelf) loseTail(lost hole) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tail = lost
}

func (s *shelf) lostTail() hole {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.tail
}

func (s *shelf) instance() string { return s.snapshot().Instance }

func (s *shelf) heartbeatWaits() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.beat > s.head.Hub.Position
}

// isEmpty says whether the hub has acknowledged everything.
func (s *shelf) isEmpty() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.content <= s.head.Hub.Position
}

// depth is exact while the outbox has one instance. What an earlier instance left is counted as one message
// more, at least until it is forwarded: nothing but an empty outbox has depth 0.
func (s *shelf) depth() producers.Depth {
	if s.isEmpty() {
		return producers.Depth{}
	}
	h := s.snapshot()
	d := producers.Depth{Messages: h.Sequence, Bytes: h.Total - min(h.Total, h.Hub.Total)}
	if h.Hub.Instance == h.Instance {
		d.Messages -= min(h.Hub.Sequence, h.Sequence)
	} else if h.Hub.Instance != "" || d.Messages == 0 {
		d.Messages++
	}
	return d
}

func (s *shelf) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed, s.recent = true, nil
	s.announce()
}

func isHeartbeat(m wire.Message) bool {
	const begin = wire.Prefix + string(wire.TypeHeartbeat) + "."
	return len(m.Subject) > len(begin) && m.Subject[:len(begin)] == begin
}
