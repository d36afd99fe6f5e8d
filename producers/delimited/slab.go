package delimited

import "sync/atomic"

// A slab is a buffer that a source fills from its head on, and blocks point into. Before the head there is
// room for the beginning of a record that the slab before it could not end.
type slab struct {
	data []byte
	head int
	refs atomic.Int32 // of the source, the scanner, and the blocks
	free chan<- *slab // where it goes when nobody needs it; full or nil: to the garbage collector
}

func (s *slab) hold() { s.refs.Add(1) }

func (s *slab) release() {
	if s.refs.Add(-1) > 0 {
		return
	}
	select {
	case s.free <- s:
	default:
	}
}

// An arrival is what a source has put into a slab: the bytes from the slab's head up to end. err ends the
// stream: io.EOF when it was whole.
type arrival struct {
	slab *slab
	end  int
	err  error
}

// A window is what the scanner looks at: the beginning of a record that is not complete, and what came
// after it. It lies in the slab that the source fills, or, when the record is longer than the room before the
// slab's head, in a slab of its own.
type window struct {
	slab       *slab
	start, end int
	source     *slab // that the last arrival was in
	taken      int   // how much of it is in the window
}

func (w *window) bytes() []byte { return w.slab.data[w.start:w.end] }

// add takes an arrival into the window.
func (w *window) add(a arrival) {
	switch {
	case w.source != a.slab:
		w.move(a)
	case w.slab == w.source:
		w.end = a.end
	default:
		w.slab.data = append(w.slab.data, a.slab.data[w.taken:a.end]...)
		w.end = len(w.slab.data)
	}
	w.taken = a.end
}

// move follows the source to another slab.
func (w *window) move(a arrival) {
	var tail []byte
	if w.slab != nil {
		tail = w.bytes()
	}
	next := a.slab
	if len(tail) <= a.slab.head {
		start := a.slab.head - copy(a.slab.data[a.slab.head-len(tail):], tail)
		w.leave()
		w.start, w.end = start, a.end
	} else {
		arrived := a.slab.data[a.slab.head:a.end]
		next = &slab{data: make([]byte, 0, len(tail)+len(a.slab.data))}
		next.data = append(append(next.data, tail...), arrived...)
		next.hold()
		w.leave()
		w.start, w.end = 0, len(next.data)
	}
	w.slab, w.source = next, a.slab
}

// leave gives back the slabs that the window was in.
func (w *window) leave() {
	if w.slab == nil {
		return
	}
	if w.slab != w.source {
		w.slab.release()
	}
	w.source.release()
}
