package numbering

import (
	"math/bits"
	"slices"
)

// A slot holds one key and its number plus one; a zero number is an empty slot, so that fresh memory is
// an empty table. Three words of 32 bits, because Go would pad (uint64, uint32) to 16 bytes.
type slot struct{ lo, hi, number uint32 }

func (s *slot) mixed() uint64 { return uint64(s.lo) | uint64(s.hi)<<32 }

// A table gives the numbers of the keys of one space. It is open addressing with the keys of a segment
// in order of their mixed value, so that a key that is not there is noticed as early as one that is, and that
// a segment grows and splits in one pass from front to back, hashing nothing again. A full segment splits
// in two, so no step takes long and no more than one segment is ever held twice.
//
// 12 bytes a slot, filled from 0.425 to 0.85: 14 to 28.3 bytes a key.
type table struct {
	mix       mixer
	directory []segment // by the topmost bits of the mixed key; a segment stands in it 2^(depth-its depth) times
	depth     uint
}

// Sizes of a segment, in homes. One that splits takes a whole page of the larger kind, 2 MiB.
const (
	minHomes = 8
	maxHomes = pageSlots - 256
)

// A segment is small enough to stand in the directory itself: looking a key up follows one pointer. What
// changes with every key is behind it.
type segment struct {
	slots []slot // homes, and behind them the overflow of the last homes
	homes uint64
	depth uint
	fill  *fill
}

type fill struct {
	memory      memory
	used, limit int
}

func newTable(mix mixer) *table {
	return &table{mix: mix, directory: []segment{newSegment(minHomes, 0)}}
}

// newSegment makes an empty segment. Behind the homes is room for the chains of the last ones; a chain that
// would run past it makes the segment grow.
func newSegment(homes uint64, depth uint) segment {
	n := int(homes + 8 + min(homes/16, 248))
	m := allocate(n)
	return segment{slots: m.slots(n), homes: homes, depth: depth, fill: &fill{memory: m, limit: int(homes * 17 / 20)}}
}

func (t *table) segment(mixed uint64) *segment { return &t.directory[mixed>>(64-t.depth)] }

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
	mixed uint64
	home  uint64
}

// touch fills places for keys and returns something that depends on all of their slots, so that the
// compiler leaves the loads in.
func (t *table) touch(places *[batch]place, keys []uint64) (sum uint32) {
	for i, key := range keys {
		mixed := t.mix.mix(key)
		s := t.segment(mixed)
		home := s.home(mixed)
		places[i] = place{mixed, home}
		sum += s.slots[home].number + s.slots[home+5].number
	}
	return sum
}

// insert adds a key that is not there.
func (t *table) insert(mixed uint64, number uint32) {
	for {
		s := t.segment(mixed)
		if s.fill.used < s.fill.limit && s.put(mixed, number) {
			s.fill.used++
			return
		}
		t.grow(*s, mixed)
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
	copy(slots[i+1:end+1], slots[i:end])
	slots[i] = slot{uint32(mixed), uint32(mixed >> 32), number + 1}
	return true
}

// grow makes room around a mixed key: its segment gets larger, or becomes two.
func (t *table) grow(s segment, mixed uint64) {
	if s.homes < maxHomes {
		larger := s.moved(s.slots, s.homes*181/128+4, s.depth) // √2 times as many
		t.replace(s, mixed, larger, larger)
		return
	}
	if s.depth == t.depth {
		directory := make([]segment, 2*len(t.directory))
		for i := range directory {
			directory[i] = t.directory[i/2]
		}
		t.directory, t.depth = directory, t.depth+1
	}
	cut := slices.IndexFunc(s.slots, func(e slot) bool { return e.mixed()<<s.depth>>63 == 1 })
	if cut < 0 {
		cut = len(s.slots)
	}
	t.replace(s, mixed, s.moved(s.slots[:cut], maxHomes, s.depth+1), s.moved(s.slots[cut:], maxHomes, s.depth+1))
}

// replace puts two segments, or one twice, where s stood.
func (t *table) replace(s segment, mixed uint64, low, high segment) {
	span := 1 << (t.depth - s.depth) // entries of the directory that s had
	first := int(mixed>>(64-t.depth)) &^ (span - 1)
	for i := range span {
		t.directory[first+i] = low
		if 2*i >= span {
			t.directory[first+i] = high
		}
	}
	s.fill.memory.free()
}

// moved is a new segment with the keys in slots, which are in order.
func (s *segment) moved(from []slot, homes uint64, depth uint) segment {
	for homes = min(homes, maxHomes); ; homes += homes / 8 {
		to := newSegment(homes, depth)
		if to.takeAll(from) {
			return to
		}
		to.fill.memory.free() // the last chains did not fit behind the homes: never seen, but possible
	}
}

func (s *segment) takeAll(from []slot) bool {
	next := 0
	for i := range from {
		e := &from[i]
		if e.number == 0 {
			continue
		}
		at := max(next, int(s.home(e.mixed())))
		if at >= len(s.slots) {
			return false
		}
		s.slots[at] = *e
		s.fill.used++
		next = at + 1
	}
	return true
}

// each calls what once for every segment.
func (t *table) each(what func(*segment)) {
	for i := 0; i < len(t.directory); i += 1 << (t.depth - t.directory[i].depth) {
		what(&t.directory[i])
	}
}

func (t *table) bytes() (sum uint64) {
	t.each(func(s *segment) { sum += uint64(s.fill.memory.capacity()) * slotSize })
	return sum
}

func (t *table) free() {
	t.each(func(s *segment) { s.fill.memory.free() })
	t.directory = nil
}
