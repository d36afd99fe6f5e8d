package numbering

import (
	"cmp"
	"math/bits"
	"slices"
)

// A slot holds one key and its number plus one; a zero number is an empty slot, so that fresh memory is
// an empty table. Three words of 32 bits, because Go would pad (uint64, uint32) to 16 bytes.
type slot struct{ lo, hi, number uint32 }

func (s *slot) mixed() uint64 { return uint64(s.lo) | uint64(s.hi)<<32 }

// A table gives the numbers of the keys of one space. It is open addressing with the keys of a segment
// in order of their mixed value: a key that is not there is noticed as early as one that is, growth is
// two passes from front to back without hashing anything again, and it happens inside the memory that the
// segment has, so nothing is ever held twice. Segments split in two, so no step takes long.
//
// 12 bytes a slot, filled from 0.56 to 0.8: 15 to 21.5 bytes a key.
type table struct {
	mix       mixer
	directory []*segment // by the topmost bits of the mixed key; a segment stands in it 2^(depth-its depth) times
	depth     uint
}

// maxHomes is where a segment splits: 1.5 MiB, so that it is packed and spread within a processor's second cache.
const (
	maxHomes = 1 << 17
	minHomes = 8
)

type segment struct {
	memory memory
	slots  []slot // homes, and behind them the overflow of the last homes
	homes  uint64
	used   int
	limit  int
	depth  uint
}

func newTable(mix mixer) *table {
	return &table{mix: mix, directory: []*segment{newSegment(minHomes, 0)}}
}

func newSegment(homes uint64, depth uint) *segment {
	s := &segment{depth: depth}
	s.reserve(homes)
	return s
}

// overflow is how many slots stand behind the homes. A chain that would run past them makes the segment grow.
func overflow(homes uint64) uint64 { return 8 + min(homes/16, 120) }

// reserve gives the segment so many homes, keeping the slots that it has at the front.
func (s *segment) reserve(homes uint64) {
	n := int(homes + overflow(homes))
	if n > s.memory.capacity() {
		bigger := allocate(n)
		copy(bigger.slots(n), s.slots)
		s.memory.free()
		s.memory = bigger
	}
	s.slots = s.memory.slots(n)
	s.homes = homes
	s.limit = int(homes * 4 / 5)
}

func (t *table) segment(mixed uint64) *segment { return t.directory[mixed>>(64-t.depth)] }

// home is where the search for a mixed key begins. It never falls when the mixed key rises.
func (s *segment) home(mixed uint64) uint64 {
	h, _ := bits.Mul64(mixed<<s.depth, s.homes)
	return h
}

// find returns the number plus one of a mixed key, or 0.
func (s *segment) find(mixed, home uint64) uint32 {
	slots := s.slots[home:]
	for i := range slots {
		e := &slots[i]
		if m := e.mixed(); m >= mixed || e.number == 0 {
			if m == mixed {
				return e.number // 0 where the key is 0 and the slot empty
			}
			return 0
		}
	}
	return 0
}

// batch is how many keys are looked up together: their slots are touched first, one after the other and
// without a branch that depends on them, so that the waits for memory overlap.
const batch = 64

// A place is where in the table a key belongs.
type place struct {
	segment *segment
	mixed   uint64
	home    uint64
}

// touch fills places for keys and returns something that depends on all of their slots, so that the
// compiler leaves the loads in.
func (t *table) touch(places *[batch]place, keys []uint64) (sum uint32) {
	for i, key := range keys {
		mixed := t.mix.mix(key)
		s := t.segment(mixed)
		home := s.home(mixed)
		places[i] = place{s, mixed, home}
		sum += s.slots[home].number + s.slots[home+5].number
	}
	return sum
}

// insert adds a key that is not there.
func (t *table) insert(mixed uint64, number uint32) {
	for {
		s := t.segment(mixed)
		if s.used < s.limit && s.put(mixed, number) {
			s.used++
			return
		}
		t.grow(s, mixed)
	}
}

// put says false when the slots behind the last home are full.
func (s *segment) put(mixed uint64, number uint32) bool {
	slots := s.slots
	i := int(s.home(mixed))
	for slots[i].number != 0 && slots[i].mixed() < mixed {
		if i++; i == len(slots) {
			return false
		}
	}
	end := i
	for slots[end].number != 0 {
		if end++; end == len(slots) {
			return false
		}
	}
	for ; end > i; end-- { // a few slots: less work than a call that copies
		slots[end] = slots[end-1]
	}
	slots[i] = slot{uint32(mixed), uint32(mixed >> 32), number + 1}
	return true
}

// grow makes room around a mixed key: its segment gets larger, or becomes two.
func (t *table) grow(s *segment, mixed uint64) {
	if s.homes < maxHomes {
		s.grow(min(larger(s.homes), maxHomes))
		return
	}
	if s.depth == t.depth {
		directory := make([]*segment, 2*len(t.directory))
		for i := range directory {
			directory[i] = t.directory[i/2]
		}
		t.directory, t.depth = directory, t.depth+1
	}
	low, high := s.split()
	span := 1 << (t.depth - s.depth) // entries of the directory that s had
	first := int(mixed>>(64-t.depth)) &^ (span - 1)
	for i := range span {
		t.directory[first+i] = low
		if i >= span/2 {
			t.directory[first+i] = high
		}
	}
}

// larger is about √2 times as many homes, so that a segment that was split grows once before it splits again.
func larger(homes uint64) uint64 { return homes*181/128 + 4 }

// grow gives the segment more homes, in the same memory where that is large enough.
func (s *segment) grow(homes uint64) {
	for {
		s.reserve(homes)
		if s.spread(s.pack()) {
			return
		}
		homes = larger(homes)
	}
}

// split cuts the segment in two by its next bit, and gives its memory back.
func (s *segment) split() (low, high *segment) {
	packed := s.pack()
	cut, _ := slices.BinarySearchFunc(packed, uint64(1), func(e slot, bit uint64) int {
		return cmp.Compare(e.mixed()<<s.depth>>63, bit)
	})
	halves := [2]*segment{}
	for i, part := range [2][]slot{packed[:cut], packed[cut:]} {
		half := newSegment(max(maxHomes*91/128, uint64(len(part))*3/2), s.depth+1)
		copy(half.slots[len(half.slots)-len(part):], part)
		for !half.spread(half.slots[len(half.slots)-len(part):]) {
			half.grow(larger(half.homes))
		}
		halves[i] = half
	}
	s.memory.free()
	return halves[0], halves[1]
}

// pack moves all keys to the end, in order, clears the slots before them, and returns them.
func (s *segment) pack() []slot {
	to := len(s.slots)
	for from := len(s.slots) - 1; from >= 0; from-- {
		if s.slots[from].number != 0 {
			to--
			s.slots[to] = s.slots[from]
		}
	}
	clear(s.slots[:to])
	return s.slots[to:]
}

// spread puts the keys that stand packed at the end of the segment's slots to their places, from the first to the
// last: as long as they fit, the place of a key is never behind the key. It says false when they do not fit; then
// all are there still, in order, and can be packed again.
func (s *segment) spread(packed []slot) bool {
	s.used = len(packed)
	start := len(s.slots) - len(packed)
	next := 0
	for i := range packed {
		e := packed[i]
		at := max(next, int(s.home(e.mixed())))
		if at > start+i {
			return false
		}
		packed[i] = slot{}
		s.slots[at] = e
		next = at + 1
	}
	return true
}

func (t *table) bytes() uint64 {
	var sum uint64
	for i, s := range t.directory {
		if i == 0 || t.directory[i-1] != s {
			sum += uint64(len(s.slots)) * slotSize
		}
	}
	return sum + uint64(len(t.directory))*8
}

func (t *table) free() {
	for i, s := range t.directory {
		if i == 0 || t.directory[i-1] != s {
			s.memory.free()
		}
	}
	t.directory = nil
}
