package numbering

import "unsafe"

const slotSize = uint64(unsafe.Sizeof(slot{}))

// mapped is from how many bytes on a segment's memory comes from the operating system instead of Go's heap.
const mapped = 64 << 10

// memory is room for slots. Large pieces are outside Go's heap: the collector does not look at them, does not
// let the heap grow in proportion to them, and they are given back at once. Of a mapped piece only what was touched
// exists, so its capacity can be generous.
type memory struct {
	heap []slot
	off  []byte
}

// allocate returns room for n slots at least, all empty.
func allocate(n int) memory {
	bytes := uint64(n) * slotSize
	if bytes >= mapped {
		room := uint64(mapped)
		for room < bytes {
			room *= 2
		}
		if off, err := mapMemory(int(room)); err == nil {
			return memory{off: off}
		}
	}
	return memory{heap: make([]slot, n)}
}

func (m *memory) capacity() int {
	if m.off != nil {
		return int(uint64(len(m.off)) / slotSize)
	}
	return len(m.heap)
}

func (m *memory) slots(n int) []slot {
	if m.off != nil {
		return unsafe.Slice((*slot)(unsafe.Pointer(unsafe.SliceData(m.off))), n)
	}
	return m.heap[:n]
}

// free gives the memory back. Slots taken from it must not be used any more.
func (m *memory) free() {
	if m.off != nil {
		unmapMemory(m.off)
	}
	*m = memory{}
}
