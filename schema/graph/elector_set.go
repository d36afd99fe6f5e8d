package graph

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/RoaringBitmap/roaring/v2"
	"golang.org/x/sync/errgroup"
)

// An electorSet is a set of elector numbers: a bitmap, or, when there are few and scattered, the numbers in
// order. One of the two is nil; the empty set is the zero one. Sets are not changed once made.
type electorSet struct {
	numbers []uint32
	bits    *roaring.Bitmap
}

func (s electorSet) empty() bool { return len(s.numbers) == 0 && (s.bits == nil || s.bits.IsEmpty()) }

// and is the electors of s that are in b.
func (s electorSet) and(b *roaring.Bitmap) electorSet {
	if s.bits != nil {
		return electorSet{bits: roaring.And(s.bits, b)}
	}
	return electorSet{numbers: s.filter(b, true)}
}

// within is and, for sets that are empty as a rule.
func (s electorSet) within(b *roaring.Bitmap) electorSet {
	if s.empty() {
		return s
	}
	return s.and(b)
}

// andNot is the electors of s that are not in b.
func (s electorSet) andNot(b *roaring.Bitmap) electorSet {
	if s.bits != nil {
		return electorSet{bits: roaring.AndNot(s.bits, b)}
	}
	return electorSet{numbers: s.filter(b, false)}
}

func (s electorSet) filter(b *roaring.Bitmap, in bool) []uint32 {
	var out []uint32
	for i, n := range s.numbers {
		if b.Contains(n) == in {
			if out == nil {
				out = make([]uint32, 0, len(s.numbers)-i)
			}
			out = append(out, n)
		}
	}
	return out
}

// count is how many electors there are.
func (s electorSet) count() uint64 {
	if s.bits != nil {
		return s.bits.GetCardinality()
	}
	return uint64(len(s.numbers))
}

// bitmap is the electors as a bitmap, not to be changed.
func (s electorSet) bitmap() *roaring.Bitmap {
	if s.bits != nil {
		return s.bits
	}
	return roaring.BitmapOf(s.numbers...)
}

// addTo adds the electors to b.
func (s electorSet) addTo(b *roaring.Bitmap) {
	if s.bits != nil {
		b.Or(s.bits)
	}
	b.AddMany(s.numbers)
}

func (s electorSet) removeFrom(b *roaring.Bitmap) {
	if s.bits != nil {
		b.AndNot(s.bits)
	}
	for _, n := range s.numbers {
		b.Remove(n)
	}
}

// or is the union of two sets.
func (s electorSet) or(other electorSet) electorSet {
	switch {
	case s.empty():
		return other
	case other.empty():
		return s
	}
	b := roaring.New()
	s.addTo(b)
	other.addTo(b)
	return electorSet{bits: b}
}

// partBuckets is how many buckets of the electors are walked at a time.
const partBuckets = 64

// A setPart names a part of the electors: of one id space and secret, in a range of buckets.
type setPart struct{ space, part uint16 }

// electorSets reads sets of electors, at most one of each movement, part by part, by the number of the movement. Seeds are
// no electors.
func (g *Graph) electorSets(ctx context.Context, refs []setRef) (map[setPart]map[uint32]electorSet, error) {
	sets, seeds, err := g.seededSets(ctx, refs)
	if err == nil && !seeds.IsEmpty() {
		removeSeeds(sets, seeds)
	}
	return sets, err
}

// seededSets is electorSets with the seeds still in the sets, and the seeds.
func (g *Graph) seededSets(ctx context.Context, refs []setRef) (sets map[setPart]map[uint32]electorSet, seeds *roaring.Bitmap, err error) {
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() (err error) {
		seeds, err = g.seeds(ctx)
		return err
	})
	group.Go(func() (err error) {
		sets, err = g.recordedSets(ctx, refs)
		return err
	})
	err = group.Wait()
	return sets, seeds, err
}

// recordedSets reads sets as they were recorded, see seededSets.
func (g *Graph) recordedSets(ctx context.Context, refs []setRef) (map[setPart]map[uint32]electorSet, error) {
	out := map[setPart]map[uint32]electorSet{}
	small := map[setPart]map[uint32]electorSet{}
	group, ctx := errgroup.WithContext(clickhouse.Context(ctx, clickhouse.WithParameters(setParameters(refs))))
	few, ok, err := g.readFew(ctx, refs)
	for _, r := range few {
		if !ok {
			break
		}
		p := setPart{r.space, r.bucket / partBuckets}
		if !r.bits.IsEmpty() {
			put(out, p, r.movement, electorSet{bits: r.bits})
		}
		putNumbers(out, p, r.movement, r.numbers)
	}
	var mu sync.Mutex
	if err == nil && slices.ContainsFunc(refs, func(r setRef) bool { return r.form != listed }) {
		group.Go(func() error {
			return g.ask(ctx, "read the derived electors of movements", func(rows driver.Rows) error {
				var p setPart
				var movement uint32
				var state []byte
				if err := rows.Scan(&p.space, &p.part, &movement, &state); err != nil {
					return err
				}
				bits, err := decodeBitmap(state)
				mu.Lock()
				defer mu.Unlock()
				put(out, p, movement, electorSet{bits: bits})
				return err
			}, fmt.Sprintf(`SELECT space, toUInt16(intDiv(bucket, %d)) AS part, movement, toString(groupBitmapMergeState(electors))
				FROM derived WHERE %s GROUP BY space, part, movement`, partBuckets, derivedCondition))
		})
	}
	if err == nil && !ok && slices.ContainsFunc(refs, func(r setRef) bool { return r.form == listed }) {
		group.Go(func() error {
			return g.ask(ctx, "read the electors of movements", func(rows driver.Rows) error {
				var p setPart
				var movement uint32
				var state, text []byte // arrays would be read one boxed element at a time
				var count uint64
				if err := rows.Scan(&p.space, &p.part, &movement, &state, &count, &text); err != nil {
					return err
				}
				bits, err := decodeBitmap(state)
				if err != nil {
					return err
				}
				mu.Lock()
				defer mu.Unlock()
				if !bits.IsEmpty() {
					put(out, p, movement, electorSet{bits: bits})
				}
				putNumbers(small, p, movement, sortedNumbers(int(count), text))
				return nil
			}, fmt.Sprintf(`SELECT space, toUInt16(intDiv(bucket, %d)) AS part, movement, toString(groupBitmapMergeState(electors)), sum(length(numbers)), reinterpret(groupArrayArray(numbers), 'String')
				FROM listed WHERE %s GROUP BY space, part, movement`, partBuckets, listedCondition(refs)))
		})
	}
	if err := errors.Join(err, group.Wait()); err != nil {
		return nil, err
	}
	for p, sets := range small {
		for movement, set := range sets {
			put(out, p, movement, set)
		}
	}
	return out, nil
}

// putNumbers puts numbers, in order, into the parts that they are of.
func putNumbers(sets map[setPart]map[uint32]electorSet, p setPart, movement uint32, numbers []uint32) {
	for len(numbers) > 0 {
		p.part = Bucket(numbers[0]) / partBuckets
		end, _ := slices.BinarySearch(numbers, (uint32(p.part)+1)*partBuckets<<BucketBits)
		if p.part == 1<<16/partBuckets-1 {
			end = len(numbers)
		}
		put(sets, p, movement, electorSet{numbers: numbers[:end:end]})
		numbers = numbers[end:]
	}
}

// put adds electors of a movement.
func put(sets map[setPart]map[uint32]electorSet, p setPart, movement uint32, set electorSet) {
	if sets[p] == nil {
		sets[p] = map[uint32]electorSet{}
	}
	sets[p][movement] = set.or(sets[p][movement])
}

// sortedNumbers reads count little-endian numbers, and brings them in order, each once. Zeroes at the end may have
// been left out.
func sortedNumbers(count int, text []byte) []uint32 {
	numbers := littleEndianNumbers(count, text)
	if !slices.IsSorted(numbers) {
		slices.Sort(numbers)
	}
	return slices.Compact(numbers)
}

// decodeBitmap reads the state of ClickHouse's groupBitmap over UInt32: up to 32 numbers as they are, or a bitmap in
// the portable format of roaring bitmaps.
func decodeBitmap(state []byte) (*roaring.Bitmap, error) {
	errForm := errors.New("a set of electors is not in the form of groupBitmap over UInt32")
	if len(state) < 2 {
		return nil, errForm
	}
	if state[0] == 0 {
		text := state[2:]
		if len(text) != 4*int(state[1]) {
			return nil, errForm
		}
		return roaring.BitmapOf(sortedNumbers(int(state[1]), text)...), nil
	}
	size, n := binary.Uvarint(state[1:])
	if state[0] != 1 || n <= 0 || uint64(len(state)-1-n) != size {
		return nil, errForm
	}
	bits := roaring.New()
	if _, err := bits.FromBuffer(state[1+n:]); err != nil {
		return nil, errForm
	}
	return bits, nil
}
