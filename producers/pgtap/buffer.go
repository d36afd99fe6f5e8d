package pgtap

import "sync"

const (
	waitingSize = 4 << 10  // of a buffer that has to be there while nothing comes
	bufferSize  = 64 << 10 // of one that is read into
	exportSize  = 1 << 20  // of one that rows are held in until their keys are durable
)

// pools are the buffers that nobody uses, by size.
var pools = map[int]*sync.Pool{
	waitingSize: {New: func() any { b := make([]byte, waitingSize); return &b }},
	bufferSize:  {New: func() any { b := make([]byte, bufferSize); return &b }},
	exportSize:  {New: func() any { b := make([]byte, exportSize); return &b }},
}

var waitingPool, bufferPool, exportPool = pools[waitingSize], pools[bufferSize], pools[exportSize]

// A buffer is what was read and not yet written: data[from:to].
type buffer struct {
	data     []byte
	home     *[]byte // where data came from; nil if it was made larger than any pool has
	from, to int
	size     int // to read into; 0 is bufferSize
}

// want is how much room a read should have.
func (b *buffer) want() int {
	if b.size > 0 {
		return b.size
	}
	return bufferSize
}

func poolOf(size int) *sync.Pool {
	switch size {
	case waitingSize:
		return waitingPool
	case bufferSize:
		return bufferPool
	case exportSize:
		return exportPool
	}
	return nil
}

// room makes room to read into: at least half of size, if the buffer is empty all of it.
func (b *buffer) room(size int) {
	if b.from == b.to {
		b.from, b.to = 0, 0
		if len(b.data) >= size {
			return
		}
		b.free()
		b.take(size)
		return
	}
	if len(b.data)-b.to >= size/2 {
		return
	}
	if have := b.to - b.from; have <= len(b.data)/2 && len(b.data) >= size {
		copy(b.data, b.data[b.from:b.to])
		b.from, b.to = 0, have
		return
	}
	for size < 2*(b.to-b.from) {
		size *= 2
	}
	b.move(size)
}

// move puts what is there into memory of another size, which is larger than it.
func (b *buffer) move(size int) {
	old := *b
	b.data, b.home = nil, nil
	b.take(size)
	b.from, b.to = 0, copy(b.data, old.data[old.from:old.to])
	old.free()
}

func (b *buffer) take(size int) {
	if pool := poolOf(size); pool != nil {
		b.home = pool.Get().(*[]byte)
		b.data = *b.home
		return
	}
	b.data, b.home = make([]byte, size), nil
}

// rest gives the memory back if there is nothing in it.
func (b *buffer) rest() {
	if b.from == b.to {
		b.free()
	}
}

// free gives the memory back.
func (b *buffer) free() {
	if b.home != nil {
		poolOf(len(b.data)).Put(b.home)
	}
	*b = buffer{size: b.size}
}
