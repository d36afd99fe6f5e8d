package numbering

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math"
	"slices"
	"unsafe"

	"github.com/rolltrace/rolltrace/consumers"
	"github.com/rolltrace/rolltrace/schema"
	"github.com/rolltrace/rolltrace/schema/graph"
)

// ErrExhausted says that all 2³²−1 numbers are given.
var ErrExhausted = errors.New("all 4,294,967,295 numbers are given: this graph is full; begin another one with an empty database")

// maxNumbers is how many electors, and how many movements, can have a number.
const maxNumbers = math.MaxUint32

// A Source is where numbers that were given before are read back; *graph.Reader is one.
type Source interface {
	Spaces(ctx context.Context, upTo uint64) ([]graph.Space, error)
	Electors(ctx context.Context, upTo uint64) iter.Seq2[graph.ElectorBlock, error]
	Movements(ctx context.Context, upTo uint64) iter.Seq2[graph.MovementNumber, error]
}

// Numbering numbers the electors, movements and spaces of one log. It is not safe for concurrent use.
type Numbering struct {
	source    Source
	mix       mixer
	spaces    map[spaceName]uint16
	tables    []*table // by space
	movements movements
	next      uint64 // the next elector's number

	// Room that is used again for every chunk.
	known, buffer32         []uint32
	fresh, sorted, buffer64 []uint64
	touched                 uint32 // what touching returned; nothing reads it
}

type spaceName struct {
	idSpace schema.IDSpace
	keyID   schema.KeyID
}

// New returns a Numbering that knows nothing yet; source may be nil if it is never to Load.
func New(source Source) *Numbering {
	n := &Numbering{source: source, mix: newMixer()}
	n.reset()
	return n
}

func (n *Numbering) reset() {
	n.Close()
	n.spaces = make(map[spaceName]uint16)
	n.movements = newMovements(n.mix)
}

// Close gives the memory back. Load makes the Numbering usable again.
func (n *Numbering) Close() {
	for _, t := range n.tables {
		t.free()
	}
	n.movements.free()
	n.spaces, n.tables, n.next = nil, nil, 0
}

// Load forgets everything and reads back the numbers that the log gave up to the sequence. Rows that
// contradict each other, or that leave a number out, are graph.ErrCorrupt.
func (n *Numbering) Load(ctx context.Context, upTo uint64) error {
	n.reset()
	spaces, err := n.source.Spaces(ctx, upTo)
	if err != nil {
		return err
	}
	for i, s := range spaces {
		number, first, err := n.Space(s.IDSpace, s.KeyID)
		if err != nil || !first || number != s.Number {
			return fmt.Errorf("load id space %d of %d: %w", i+1, len(spaces), graph.ErrCorrupt)
		}
	}
	if err := n.loadElectors(ctx, upTo); err != nil {
		return err
	}
	for m, err := range n.source.Movements(ctx, upTo) {
		if err != nil {
			return err
		}
		if number, first, err := n.Movement(m.Org, m.Sidecar, m.ID); err != nil || !first || number != m.Number {
			return fmt.Errorf("load movement number %d: %w", m.Number, graph.ErrCorrupt)
		}
	}
	return nil
}

func (n *Numbering) loadElectors(ctx context.Context, upTo uint64) error {
	var given bitset // numbers
	for block, err := range n.source.Electors(ctx, upTo) {
		if err != nil {
			return err
		}
		if int(block.Space) >= len(n.tables) {
			return fmt.Errorf("load electors of space %d: %w", block.Space, graph.ErrCorrupt)
		}
		if number, ok := n.loadBlock(n.tables[block.Space], block, &given); !ok {
			return fmt.Errorf("load elector number %d: %w", number, graph.ErrCorrupt)
		}
	}
	if n.next != given.end {
		return fmt.Errorf("load electors: %d numbers of %d: %w", n.next, given.end, graph.ErrCorrupt)
	}
	return nil
}

// loadBlock says false, and which number, where a key has two numbers, or a number two keys.
func (n *Numbering) loadBlock(t *table, block graph.ElectorBlock, given *bitset) (number uint32, ok bool) {
	var places [batch]place
	numbers := block.Numbers
	for keys := asInts(block.Keys); len(keys) > 0; {
		some := keys[:min(batch, len(keys))]
		n.touched += t.touch(&places, some)
		for i := range some {
			number, mixed := numbers[i], places[i].mixed
			s := t.segment(mixed)
			found := s.find(mixed, s.home(mixed))
			if found != 0 && found == number+1 {
				continue // written twice
			}
			if found != 0 || number == maxNumbers || !given.add(number) {
				return number, false
			}
			t.insert(mixed, number)
			n.next++
		}
		keys, numbers = keys[len(some):], numbers[len(some):]
	}
	return 0, true
}

// A bitset is a set of numbers.
type bitset struct {
	words []uint64
	end   uint64 // the largest, plus one
}

// add says false when the number is there already.
func (b *bitset) add(number uint32) bool {
	word, bit := int(number/64), uint64(1)<<(number%64)
	if word >= len(b.words) {
		b.words = append(b.words, make([]uint64, word+1-len(b.words))...)
	}
	if b.words[word]&bit != 0 {
		return false
	}
	b.words[word] |= bit
	b.end = max(b.end, uint64(number)+1)
	return true
}

// Known is how many elector keys have a number.
func (n *Numbering) Known() uint64 { return n.next }

// Bytes is how much memory the elector keys take.
func (n *Numbering) Bytes() uint64 {
	var sum uint64
	for _, t := range n.tables {
		sum += t.bytes()
	}
	return sum
}

// Space returns the number of an id space under one secret, and whether this is its first appearance. When
// all 65,536 are given it returns consumers.ErrTooManySpaces.
func (n *Numbering) Space(idSpace schema.IDSpace, keyID schema.KeyID) (number uint16, first bool, err error) {
	name := spaceName{idSpace, keyID}
	if number, ok := n.spaces[name]; ok {
		return number, false, nil
	}
	if len(n.tables) > math.MaxUint16 {
		return 0, false, consumers.ErrTooManySpaces
	}
	number = uint16(len(n.tables))
	n.spaces[name] = number
	n.tables = append(n.tables, newTable(n.mix))
	return number, true, nil
}

// Movement returns the number of a movement, and whether this is its first appearance.
func (n *Numbering) Movement(org, sidecar, id string) (number uint32, first bool, err error) {
	return n.movements.number(org, sidecar, id)
}

// Electors numbers the keys of one chunk of a space that Space has returned. After an error no key of the chunk
// has got a number. What it returns is good until the next call.
func (n *Numbering) Electors(space uint16, keys []schema.Key) (consumers.Numbered, error) {
	if n.next+uint64(len(keys)) > maxNumbers {
		return consumers.Numbered{}, ErrExhausted
	}
	t, raw, first := n.tables[space], asInts(keys), uint32(n.next)
	n.known, n.fresh = n.known[:0], n.fresh[:0]
	if n.mostlyNew(t, raw) {
		n.sorted = append(n.sorted[:0], raw...)
		n.sort(n.sorted)
		n.numberSorted(t, slices.Compact(n.sorted))
	} else {
		n.look(t, raw)
		n.sort(n.fresh)
		n.fresh = slices.Compact(n.fresh)
		n.add(t, n.fresh)
	}
	n.buffer32 = slices.Grow(n.buffer32[:0], len(n.known))[:len(n.known)]
	sortNumbers(n.known, n.buffer32)
	return consumers.Numbered{New: asKeys(n.fresh), First: first, Known: slices.Compact(n.known)}, nil
}

func (n *Numbering) sort(keys []uint64) {
	n.buffer64 = slices.Grow(n.buffer64[:0], len(keys))[:len(keys)]
	sortKeys(keys, n.buffer64)
}

// mostlyNew looks at a few keys. It decides how the chunk is numbered, never which numbers it gets.
func (n *Numbering) mostlyNew(t *table, keys []uint64) bool {
	var places [batch]place
	some := keys[:min(batch, len(keys))]
	n.touched += t.touch(&places, some)
	missing := 0
	for i := range some {
		if p := &places[i]; t.segment(p.mixed).find(p.mixed, p.home) == 0 {
			missing++
		}
	}
	return 2*missing > len(some)
}

// numberSorted numbers keys that come in order, each once: a new one can have its number at once.
func (n *Numbering) numberSorted(t *table, keys []uint64) {
	var places [batch]place
	for len(keys) > 0 {
		some := keys[:min(batch, len(keys))]
		n.touched += t.touch(&places, some)
		for i, key := range some {
			mixed := places[i].mixed
			s := t.segment(mixed) // inserting may have made another one of it
			if number := s.find(mixed, s.home(mixed)); number != 0 {
				n.known = append(n.known, number-1)
				continue
			}
			t.insert(mixed, uint32(n.next))
			n.next++
			n.fresh = append(n.fresh, key)
		}
		keys = keys[len(some):]
	}
}

// look parts the keys into known ones, as numbers, and new ones.
func (n *Numbering) look(t *table, keys []uint64) {
	var places [batch]place
	for len(keys) > 0 {
		some := keys[:min(batch, len(keys))]
		n.touched += t.touch(&places, some)
		for i, key := range some {
			p := &places[i]
			if number := t.segment(p.mixed).find(p.mixed, p.home); number != 0 {
				n.known = append(n.known, number-1)
			} else {
				n.fresh = append(n.fresh, key)
			}
		}
		keys = keys[len(some):]
	}
}

// add gives the next numbers to keys that are not there.
func (n *Numbering) add(t *table, keys []uint64) {
	var places [batch]place
	for len(keys) > 0 {
		some := keys[:min(batch, len(keys))]
		n.touched += t.touch(&places, some)
		for i := range some {
			t.insert(places[i].mixed, uint32(n.next))
			n.next++
		}
		keys = keys[len(some):]
	}
}

// A schema.Key is a uint64; the table sees bare integers.
func asInts(keys []schema.Key) []uint64 {
	return unsafe.Slice((*uint64)(unsafe.SliceData(keys)), len(keys))
}

func asKeys(ints []uint64) []schema.Key {
	return unsafe.Slice((*schema.Key)(unsafe.SliceData(ints)), len(ints))
}
