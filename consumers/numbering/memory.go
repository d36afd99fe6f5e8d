package numbering

import (
	"sync"
	"unsafe"
)

const slotSize = uint64(unsafe.Sizeof(slot{}))

// A page is what a large segment stands in. Its size is that of the operating system's larger pages: with those, a look-up
// waits for one memory access and not for the page tables too.
const (
	pageBytes = 2 << 20
	pageSlots = pageBytes / 12
)

// memory is room for slots. Pages are outside Go's heap: the collector does not look at them, and does not let the heap
// grow in proportion to them.
type memory struct {
	heap []slot
	page *page
}

type page [pageSlots]slot

// allocate returns room for n slots, all empty: a page where it takes more than half of one.
func allocate(n int) memory {
	if n > pageSlots/2 && n <= pageSlots {
		if p := pages.take(); p != nil {
			return memory{page: p}
		}
	}
	return memory{heap: make([]slot, n)}
}

func (m *memory) capacity() int {
	if m.page != nil {
		return pageSlots
	}
	return len(m.heap)
}

func (m *memory) slots(n int) []slot {
	if m.page != nil {
		return m.page[:n]
	}
	return m.heap[:n]
}

// free gives the memory back. Slots taken from it must not be used any more.
func (m *memory) free() {
	if m.page != nil {
		pages.give(m.page)
	}
	*m = memory{}
}

// pages are those that nobody uses, shared by the process: memory, and nothing else.
var pages pool

// A pool has pages that were used and are not now: a segment that splits gives one back, and the next one to split
// takes it. More than a few go back to the operating system.
type pool struct {
	mu   sync.Mutex
	free []*page
}

const keptPages = 4

func (p *pool) take() *page {
	p.mu.Lock()
	defer p.mu.Unlock()
	if last := len(p.free) - 1; last >= 0 {
		taken := p.free[last]
		p.free = p.free[:last]
		clear(taken[:])
		return taken
	}
	return mapPage()
}

func (p *pool) give(one *page) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.free) < keptPages {
		p.free = append(p.free, one)
		return
	}
	unmapPage(one)
}
