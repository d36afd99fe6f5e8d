package graph

import (
	"context"
	"maps"
	"slices"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/RoaringBitmap/roaring/v2"
)

// CountListed is how the question for the electors at a place counts those of listed movements, all of one space.
func (g *Graph) CountListed(ctx context.Context, movements []uint32) (uint64, error) {
	refs := make([]setRef, len(movements))
	for i, m := range movements {
		refs[i] = setRef{m, listed, 0}
	}
	union, err := g.countUnions(ctx, refs, make([]uint32, len(refs)), 1, roaring.New())
	if err != nil {
		return 0, err
	}
	return union.all[0], nil
}

// MovementsOf is how the question for a dossier looks up the movements of an elector of the first space.
func (g *Graph) MovementsOf(ctx context.Context, number uint32) ([]uint32, error) {
	modes, err := g.carriers(ctx, numbered{number: number}, nil)
	return slices.Sorted(maps.Keys(modes)), err
}

// ExplainListed is what ClickHouse does to count the electors of listed movements, and to look up the movements of an elector.
func (g *Graph) ExplainListed(ctx context.Context, movements []uint32, number uint32) (set, dossier []string, err error) {
	refs := make([]setRef, len(movements))
	for i, m := range movements {
		refs[i] = setRef{m, listed, 0}
	}
	explain := func(ctx context.Context, text string) (lines []string, err error) {
		err = g.ask(ctx, "explain", func(rows driver.Rows) error {
			var line string
			err := rows.Scan(&line)
			lines = append(lines, line)
			return err
		}, "EXPLAIN indexes = 1, compact = 1 "+text)
		return lines, err
	}
	set, err = explain(clickhouse.Context(ctx, clickhouse.WithParameters(setParameters(refs))), countText(refs, 1, false))
	if err == nil {
		dossier, err = explain(ctx, listingText(number))
	}
	return set, dossier, err
}

// OverlapListed is how many electors two sets of listed movements have in common, all of one space, read as reach, match
// and the flow graph read sets.
func (g *Graph) OverlapListed(ctx context.Context, x, y []uint32) (uint64, error) {
	var refs []setRef
	for _, m := range slices.Compact(slices.Sorted(slices.Values(slices.Concat(x, y)))) {
		refs = append(refs, setRef{m, listed, 0})
	}
	parts, err := g.recordedSets(ctx, refs)
	var n uint64
	for _, sets := range parts {
		var union [2]electorSet
		for i, movements := range [][]uint32{x, y} {
			var bits []*roaring.Bitmap
			var numbers [][]uint32
			for _, m := range movements {
				if sets[m].bits != nil {
					bits = append(bits, sets[m].bits)
				}
				numbers = append(numbers, sets[m].numbers)
			}
			union[i] = electorSet{numbers: unite(numbers)}
			if len(bits) > 0 {
				union[i].bits = roaring.FastOr(bits...)
			}
		}
		n += union[0].common(union[1])
	}
	return n, err
}

// common is how many electors two sets have in common, when each may be both: a bitmap, and numbers.
func (s electorSet) common(other electorSet) uint64 {
	only := func(s electorSet) electorSet {
		if s.bits == nil {
			s.bits = roaring.New()
		}
		return electorSet{bits: s.bits, numbers: electorSet{numbers: s.numbers}.filter(s.bits, false)}
	}
	s, other = only(s), only(other)
	n := s.bits.AndCardinality(other.bits) + uint64(len(electorSet{numbers: s.numbers}.filter(other.bits, true))+len(electorSet{numbers: other.numbers}.filter(s.bits, true)))
	return n + uint64(len(s.numbers)+len(other.numbers)-len(unite([][]uint32{s.numbers, other.numbers})))
}
