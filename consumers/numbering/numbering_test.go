package numbering

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/uuid"

	"github.com/rolltrace/rolltrace/consumers"
	"github.com/rolltrace/rolltrace/schema"
	"github.com/rolltrace/rolltrace/schema/graph"
)

// A reference numbers with Go's map and sort.
type reference map[spacedKey]uint32

type spacedKey struct {
	space uint16
	key   schema.Key
}

func (r reference) electors(space uint16, keys []schema.Key) (known []uint32, fresh []schema.Key) {
	sorted := slices.Clone(keys)
	slices.Sort(sorted)
	for _, key := range slices.Compact(sorted) {
		if number, ok := r[spacedKey{space, key}]; ok {
			known = append(known, number)
		} else {
			fresh = append(fresh, key)
		}
	}
	for _, key := range fresh {
		r[spacedKey{space, key}] = uint32(len(r))
	}
	slices.Sort(known)
	return known, fresh
}

func space(t testing.TB, n *Numbering, i int) uint16 {
	t.Helper()
	number, _, err := n.Space(schema.ElectorID, schema.KeyID(fmt.Sprintf("k-%08x", i)))
	if err != nil {
		t.Fatal(err)
	}
	return number
}

// families are keys that somebody may send, honest ones and chosen ones.
var families = map[string]func(i int, r *rand.Rand) schema.Key{
	"random":        func(_ int, r *rand.Rand) schema.Key { return schema.Key(r.Uint64()) },
	"few":           func(_ int, r *rand.Rand) schema.Key { return schema.Key(r.Uint64N(5000)) },
	"counting":      func(i int, _ *rand.Rand) schema.Key { return schema.Key(i) },
	"counting down": func(i int, _ *rand.Rand) schema.Key { return ^schema.Key(i) },
	"high bits":     func(i int, _ *rand.Rand) schema.Key { return schema.Key(uint64(i) << 40) },
	"highest bits":  func(i int, _ *rand.Rand) schema.Key { return schema.Key(uint64(i) << 46) },
	"both ends":     func(i int, _ *rand.Rand) schema.Key { return schema.Key(uint64(i)<<45 | uint64(i)) },
	"golden ratio":  func(i int, _ *rand.Rand) schema.Key { return schema.Key(uint64(i) * 0x9e3779b97f4a7c15) },
	"its inverse":   func(i int, _ *rand.Rand) schema.Key { return schema.Key(uint64(i) * 0xf1de83e19937733d) },
	"few bits": func(_ int, r *rand.Rand) schema.Key {
		var k schema.Key
		for range 4 {
			k |= 1 << r.IntN(64)
		}
		return k
	},
	"same top half":  func(_ int, r *rand.Rand) schema.Key { return schema.Key(0xabcdef01<<32 | uint64(r.Uint32())) },
	"same low half":  func(_ int, r *rand.Rand) schema.Key { return schema.Key(uint64(r.Uint32())<<32 | 0xabcdef01) },
	"square numbers": func(i int, _ *rand.Rand) schema.Key { return schema.Key(uint64(i) * uint64(i)) },
}

func TestNumbersAreThoseOfTheReference(t *testing.T) {
	for name, key := range families {
		t.Run(name, func(t *testing.T) {
			r := rand.New(rand.NewPCG(1, 2))
			n, ref := New(nil), reference{}
			defer n.Close()
			for i := range 40 {
				at := uint16(r.IntN(3))
				for s := range 3 {
					space(t, n, s)
				}
				keys := make([]schema.Key, 1+r.IntN(schema.MaxChunkKeys/8))
				for j := range keys {
					keys[j] = key(i*3000+j, r) // overlaps the chunk before
				}
				keys[r.IntN(len(keys))] = 0
				before := n.Known()
				numbered, err := n.Electors(at, keys)
				if err != nil {
					t.Fatal(err)
				}
				known, fresh := ref.electors(at, keys)
				if !slices.Equal(numbered.Known, known) || !slices.Equal(numbered.New, fresh) || uint64(numbered.First) != before {
					t.Fatalf("chunk %d: %d known and %d new from %d on, want %d and %d from %d on", i, len(numbered.Known),
						len(numbered.New), numbered.First, len(known), len(fresh), before)
				}
				if n.Known() != uint64(len(ref)) {
					t.Fatalf("%d keys known, want %d", n.Known(), len(ref))
				}
			}
		})
	}
}

// How the same keys are spread over calls of a space does not change what was said before: both ways of
// numbering a chunk, mostly new and mostly known, give the same numbers.
func TestBothWaysOfNumberingAgree(t *testing.T) {
	keys := randomKeys(20_000)
	for split := 0; split <= len(keys); split += 2500 {
		n := New(nil)
		at := space(t, n, 0)
		if split > 0 {
			if _, err := n.Electors(at, keys[:split]); err != nil {
				t.Fatal(err)
			}
		}
		ref := reference{}
		ref.electors(at, keys[:split])
		known, fresh := ref.electors(at, keys)
		numbered, err := n.Electors(at, keys)
		if err != nil || !slices.Equal(numbered.Known, known) || !slices.Equal(numbered.New, fresh) {
			t.Errorf("%d of %d known: other numbers than those of the reference (%v)", split, len(keys), err)
		}
		n.Close()
	}
}

// A key that mixes to zero is told from an empty slot.
func TestKeyThatMixesToZero(t *testing.T) {
	n := New(nil)
	defer n.Close()
	at, key := space(t, n, 0), schema.Key(n.mix.xor)
	if n.mix.mix(uint64(key)) != 0 {
		t.Fatal("the key does not mix to zero: the test has to follow the mixer")
	}
	for i, want := range []int{1, 0, 0} {
		numbered, err := n.Electors(at, []schema.Key{key})
		if err != nil || len(numbered.New) != want || len(numbered.Known) != 1-want {
			t.Fatalf("time %d: %d new, %d known, %v", i+1, len(numbered.New), len(numbered.Known), err)
		}
	}
	if _, err := n.Electors(at, randomKeys(50_000)); err != nil {
		t.Fatal(err)
	}
	if numbered, err := n.Electors(at, []schema.Key{key}); err != nil || !slices.Equal(numbered.Known, []uint32{0}) {
		t.Errorf("after the table grew: %v, %v", numbered, err)
	}
}

func TestMixingIsOneToOne(t *testing.T) {
	m := newMixer()
	if m == newMixer() {
		t.Error("two mixers have the same secret")
	}
	seen := make(map[uint64]bool)
	for _, key := range append(randomKeys(100_000), families["few bits"](0, rand.New(rand.NewPCG(1, 1)))) {
		seen[m.mix(uint64(key))] = true
	}
	if len(seen) < 100_000 {
		t.Errorf("%d values of 100,000 keys", len(seen))
	}
	// Undo the mixing: what can be undone is one to one.
	inverse := func(a uint64) uint64 {
		x := a
		for range 6 {
			x *= 2 - a*x
		}
		return x
	}
	for _, key := range randomKeys(1000) {
		v := m.mix(uint64(key))
		v ^= v >> 32
		v *= inverse(m.third)
		v ^= v>>29 ^ v>>58
		v *= inverse(m.second)
		v ^= v >> 32
		v *= inverse(m.first)
		v ^= m.xor
		if v != uint64(key) {
			t.Fatalf("%016x comes back as %016x", key, v)
		}
	}
}

// Chosen keys make no longer searches than random ones.
func TestSearchesStayShort(t *testing.T) {
	for name, key := range families {
		r := rand.New(rand.NewPCG(5, 6))
		n := New(nil)
		at := space(t, n, 0)
		for i := 0; i < 400_000; i += 50_000 {
			keys := make([]schema.Key, 50_000)
			for j := range keys {
				keys[j] = key(i+j, r)
			}
			if _, err := n.Electors(at, keys); err != nil {
				t.Fatal(err)
			}
		}
		steps, longest, keys := 0, 0, 0
		n.tables[at].each(func(s *segment) {
			for i := range s.slots {
				if e := &s.slots[i]; e.number != 0 {
					d := i - int(s.home(e.mixed()))
					steps, longest, keys = steps+d, max(longest, d), keys+1
				}
			}
		})
		// At 0.85 full the mean is 2.8 and the longest of some 10⁵ about 60.
		if mean := float64(steps) / float64(keys); mean > 4 || longest > 250 {
			t.Errorf("%s: %.1f steps on average, %d at most, over %d keys", name, mean, longest, keys)
		}
		n.Close()
	}
}

// At every moment, growth included.
func TestMemoryOfAKey(t *testing.T) {
	n := New(nil)
	defer n.Close()
	at := space(t, n, 0)
	keys, worst := randomKeys(3_000_000), 0.0
	for chunk := range slices.Chunk(keys, 10_000) {
		if _, err := n.Electors(at, chunk); err != nil {
			t.Fatal(err)
		}
		if n.Known() > 1_000_000 {
			worst = max(worst, float64(n.Bytes()+pageBytes*(keptPages+1))/float64(n.Known()))
		}
	}
	t.Logf("at most %.1f bytes a key", worst)
	if worst > 30+15 { // a few pages that wait for the next split weigh more here than on a whole roll
		t.Errorf("%.1f bytes a key", worst)
	}
}

func TestManySmallSpaces(t *testing.T) {
	n := New(nil)
	defer n.Close()
	for i := range 1 << 16 {
		at := space(t, n, i)
		if int(at) != i {
			t.Fatalf("space %d has number %d", i, at)
		}
		if _, err := n.Electors(at, []schema.Key{7}); err != nil {
			t.Fatal(err)
		}
	}
	if n.Known() != 1<<16 || n.Bytes() > 40<<20 {
		t.Errorf("%d keys in %d bytes", n.Known(), n.Bytes())
	}
	if _, _, err := n.Space(schema.ElectorID, "k-ffffffff"); !errors.Is(err, consumers.ErrTooManySpaces) {
		t.Errorf("the 65,537th space: %v", err)
	}
	if number, first, err := n.Space(schema.ElectorID, "k-00000007"); number != 7 || first || err != nil {
		t.Errorf("a space that is known: %d, %v, %v", number, first, err)
	}
}

func TestExhaustedNumbers(t *testing.T) {
	n := New(nil)
	defer n.Close()
	at := space(t, n, 0)
	n.next = maxNumbers - 2
	numbered, err := n.Electors(at, []schema.Key{1, 2})
	if err != nil || numbered.First != maxNumbers-2 || len(numbered.New) != 2 {
		t.Fatalf("the last two numbers: %v, %v", numbered, err)
	}
	if _, err := n.Electors(at, []schema.Key{3}); !errors.Is(err, ErrExhausted) {
		t.Errorf("one more: %v", err)
	}
	if n.Known() != maxNumbers {
		t.Errorf("%d numbers given", n.Known())
	}
	// A key whose number is the largest is found.
	n.next--
	if numbered, err := n.Electors(at, []schema.Key{2}); err != nil || !slices.Equal(numbered.Known, []uint32{maxNumbers - 1}) {
		t.Errorf("the last number: %v, %v", numbered, err)
	}
}

func TestMovementNumbers(t *testing.T) {
	n := New(nil)
	defer n.Close()
	id := func(i int) string { return fmt.Sprintf("01960000-0000-7000-8000-%012x", i) }
	for i, m := range [][3]string{{"a", "x", id(1)}, {"a", "x", id(2)}, {"b", "x", id(1)}, {"a", "y", id(1)}} {
		number, first, err := n.Movement(m[0], m[1], m[2])
		if int(number) != i || !first || err != nil {
			t.Errorf("%v: %d, %v, %v; want %d, new", m, number, first, err, i)
		}
		if number, first, err := n.Movement(m[0], m[1], m[2]); int(number) != i || first || err != nil {
			t.Errorf("%v again: %d, %v, %v", m, number, first, err)
		}
	}
	if _, _, err := n.Movement("a", "x", "no uuid"); err == nil {
		t.Error("a movement without a UUID got a number")
	}
	for i := 4; i < 300_000; i++ { // several pages of names
		if number, first, err := n.Movement("a", "z", id(i)); int(number) != i || !first || err != nil {
			t.Fatalf("movement %d: %d, %v, %v", i, number, first, err)
		}
	}
	for i := 4; i < 300_000; i++ {
		if number, first, err := n.Movement("a", "z", id(i)); int(number) != i || first || err != nil {
			t.Fatalf("movement %d again: %d, %v, %v", i, number, first, err)
		}
	}
}

// Two movements whose names have one hash are two.
func TestMovementsWithOneHash(t *testing.T) {
	n := New(nil)
	defer n.Close()
	name := func(i byte) movementName {
		id := uuid.UUID{15: i}
		return movementName{id: id}
	}
	m := &n.movements
	m.sidecars[sidecarName{"a", "x"}] = 0
	*m.name(0) = name(200) // another movement stands where the first one's hash leads
	m.index.insert(m.hash(name(1)), 0)
	m.count = 1
	for _, first := range []bool{true, false} {
		if number, isFirst, err := n.Movement("a", "x", name(1).id.String()); number != 1 || isFirst != first || err != nil {
			t.Errorf("%d, %v, %v; want 1, %v", number, isFirst, err, first)
		}
	}
}

func TestSort(t *testing.T) {
	for name, key := range families {
		r := rand.New(rand.NewPCG(3, 4))
		for _, size := range []int{0, 1, 2, 3, 1000, schema.MaxChunkKeys} {
			keys, numbers := make([]uint64, size), make([]uint32, size)
			for i := range keys {
				keys[i] = uint64(key(i, r))
				numbers[i] = uint32(keys[i])
			}
			r.Shuffle(size, func(i, j int) { keys[i], keys[j] = keys[j], keys[i] })
			want, wantNumbers := slices.Sorted(slices.Values(keys)), slices.Sorted(slices.Values(numbers))
			sortKeys(keys, make([]uint64, size))
			sortNumbers(numbers, make([]uint32, size))
			if !slices.Equal(keys, want) || !slices.Equal(numbers, wantNumbers) {
				t.Errorf("%s, %d of them: not in order", name, size)
			}
		}
	}
}

// A kept is what a graph has kept.
type kept struct {
	spaces    []graph.Space
	electors  []graph.ElectorBlock
	movements []graph.MovementNumber
	err       error
}

func (k kept) Spaces(context.Context, uint64) ([]graph.Space, error) { return k.spaces, nil }

func (k kept) Electors(context.Context, uint64) iter.Seq2[graph.ElectorBlock, error] {
	return each(k.electors, k.err)
}

func (k kept) Movements(context.Context, uint64) iter.Seq2[graph.MovementNumber, error] {
	return each(k.movements, nil)
}

func each[T any](items []T, err error) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for _, item := range items {
			if !yield(item, nil) {
				return
			}
		}
		if err != nil {
			var none T
			yield(none, err)
		}
	}
}

func block(space uint16, number uint32, key schema.Key) graph.ElectorBlock {
	return graph.ElectorBlock{Space: space, Numbers: []uint32{number}, Keys: []schema.Key{key}}
}

func TestLoadRefusesWhatContradictsItself(t *testing.T) {
	good := kept{
		spaces: []graph.Space{{Number: 0, IDSpace: "elector-id", KeyID: "k-00000001"}, {Number: 1, IDSpace: "email", KeyID: "k-00000001"}},
		// In any order, and some of them twice.
		electors: []graph.ElectorBlock{
			{Numbers: []uint32{1, 0, 1}, Keys: []schema.Key{3, 9, 3}}, {Space: 1, Numbers: []uint32{2}, Keys: []schema.Key{9}},
			{Space: 1, Numbers: []uint32{2}, Keys: []schema.Key{9}},
		},
		movements: []graph.MovementNumber{{Number: 0, Org: "a", Sidecar: "x", ID: "01960000-0000-7000-8000-000000000000"}},
	}
	away := errors.New("away")
	for name, tc := range map[string]struct {
		change func(*kept)
		want   error
	}{
		"nothing":             {func(*kept) {}, nil},
		"a number left out":   {func(k *kept) { k.electors = k.electors[1:] }, graph.ErrCorrupt},
		"a key twice":         {func(k *kept) { k.electors[2] = block(0, 3, 3) }, graph.ErrCorrupt},
		"a number twice":      {func(k *kept) { k.electors[2] = block(1, 1, 8) }, graph.ErrCorrupt},
		"a number too large":  {func(k *kept) { k.electors[2] = block(1, 1<<32-1, 8) }, graph.ErrCorrupt},
		"an unknown space":    {func(k *kept) { k.spaces = k.spaces[:1] }, graph.ErrCorrupt},
		"a space twice":       {func(k *kept) { k.spaces[1] = graph.Space{Number: 1, IDSpace: "elector-id", KeyID: "k-00000001"} }, graph.ErrCorrupt},
		"a space left out":    {func(k *kept) { k.spaces[1].Number = 2 }, graph.ErrCorrupt},
		"a movement left out": {func(k *kept) { k.movements[0].Number = 1 }, graph.ErrCorrupt},
		"ClickHouse went":     {func(k *kept) { k.err = away }, away},
	} {
		source := kept{slices.Clone(good.spaces), slices.Clone(good.electors), slices.Clone(good.movements), nil}
		tc.change(&source)
		n := New(source)
		if err := n.Load(t.Context(), 1); !errors.Is(err, tc.want) {
			t.Errorf("%s: %v, want %v", name, err, tc.want)
		}
		n.Close()
	}
	n := New(good)
	defer n.Close()
	for range 2 { // a second Load begins anew
		if err := n.Load(t.Context(), 1); err != nil {
			t.Fatal(err)
		}
		numbered, err := n.Electors(0, []schema.Key{3, 9, 10})
		if err != nil || !slices.Equal(numbered.Known, []uint32{0, 1}) || !slices.Equal(numbered.New, []schema.Key{10}) || numbered.First != 3 {
			t.Errorf("after loading: %+v, %v", numbered, err)
		}
		if number, first, err := n.Movement("a", "y", "01960000-0000-7000-8000-000000000000"); number != 1 || !first || err != nil {
			t.Errorf("the next movement: %d, %v, %v", number, first, err)
		}
	}
}
