package graph

import (
	"cmp"
	"context"
	"slices"

	"github.com/RoaringBitmap/roaring/v2"

	"github.com/rolltrace/rolltrace/schema"
)

// takeSeeds takes the seeds out of the sets and the list, and notes which of them each movement carried.
func (m *matching) takeSeeds(sets map[setPart]map[uint32]electorSet, seeds *roaring.Bitmap) {
	m.seeds, m.seedsFound = seeds, roaring.And(m.found, seeds)
	if seeds.IsEmpty() {
		return
	}
	m.found.AndNot(seeds)
	for at, part := range sets {
		if at.space != m.space {
			continue
		}
		for movement, set := range part {
			if carried := set.and(seeds); !carried.empty() {
				if m.seedsOf[movement] == nil {
					m.seedsOf[movement] = roaring.New()
				}
				carried.addTo(m.seedsOf[movement])
			}
		}
	}
	removeSeeds(sets, seeds)
}

// seedings are the movements that put seeds into their copies which are in the list, as of the time asked.
func (m *matching) seedings(ctx context.Context, g *Graph) ([]Seeding, error) {
	out := []Seeding{}
	if m.seedsFound.IsEmpty() {
		return out, nil
	}
	by, err := g.seedings(ctx, m.seeds)
	if err != nil {
		return nil, err
	}
	var which []int
	var paths [][]stepAt
	for i := range m.moves {
		if seeds := by[m.moves[i].number]; seeds != nil && seeds.Intersects(m.seedsFound) {
			which, paths = append(which, i), append(paths, []stepAt{{i, ""}})
		}
	}
	err = g.steps(ctx, m.moves, paths, func(n int, steps []Step) {
		move := &m.moves[which[n]]
		seeds := by[move.number]
		for _, s := range steps {
			out = append(out, Seeding{MovementRef: s.MovementRef, OccurredAt: s.OccurredAt, ToOrg: orgOf(move.output), Place: schema.Place(move.output),
				Seeds: seeds.GetCardinality(), Found: seeds.AndCardinality(m.seedsFound)})
		}
	})
	slices.SortStableFunc(out, func(x, y Seeding) int { return cmp.Compare(y.Found, x.Found) })
	return out, err
}

// seedsAt are the seeds that a candidate has.
func (m *matching) seedsAt(c *candidate) *roaring.Bitmap {
	out := roaring.New()
	moves := []int{c.move}
	if c.move < 0 {
		moves = m.holds[c.place]
	}
	for _, i := range moves {
		if seeds := m.seedsOf[m.moves[i].number]; seeds != nil {
			out.Or(seeds)
		}
	}
	return out
}
