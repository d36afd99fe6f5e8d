package graph

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/RoaringBitmap/roaring/v2"

	"github.com/rolltrace/rolltrace/schema"
)

// seeds are the numbers of all seeds: invented entries, which movements may carry on and nothing counts. An elector is one
// when a movement calls it a seed and none says that it is none, whatever else carried it and whenever that arrived.
func (g *Graph) seeds(ctx context.Context) (*roaring.Bitmap, error) {
	seeds := roaring.New()
	err := g.ask(ctx, "read seeds", func(rows driver.Rows) error {
		var count uint64
		var text []byte
		if err := rows.Scan(&count, &text); err != nil {
			return err
		}
		seeds.AddMany(sortedNumbers(int(count), text))
		return nil
	}, "SELECT count(), reinterpret(groupArray(number), 'String') FROM internal_seed")
	return seeds, err
}

// removeSeeds takes the seeds out of sets. A set of nothing else is gone: nobody came by that movement.
func removeSeeds(sets map[setPart]map[uint32]electorSet, seeds *roaring.Bitmap) {
	for _, part := range sets {
		for movement, set := range part {
			if set.bits != nil && !set.bits.Intersects(seeds) {
				continue
			}
			if set = set.andNot(seeds); set.empty() {
				delete(part, movement)
			} else {
				part[movement] = set
			}
		}
	}
}

// seedings are the movements that put seeds into copies: for each of them, which.
func (g *Graph) seedings(ctx context.Context, seeds *roaring.Bitmap) (map[uint32]*roaring.Bitmap, error) {
	out := map[uint32]*roaring.Bitmap{}
	if seeds.IsEmpty() {
		return out, nil
	}
	ctx = clickhouse.Context(ctx, clickhouse.WithParameters(clickhouse.Parameters{"seeds": fmt.Sprintf("%x", littleEndian(seeds.ToArray()))}))
	err := g.ask(ctx, "read who put seeds into copies", func(rows driver.Rows) error {
		var number, movement uint32
		if err := rows.Scan(&number, &movement); err != nil {
			return err
		}
		if out[movement] == nil {
			out[movement] = roaring.New()
		}
		out[movement].Add(number)
		return nil
	}, "SELECT number, movement FROM internal_seeding WHERE number IN ("+seedNumbers+")")
	return out, err
}

// seedNumbers is the seeds that a query has as its parameter.
const seedNumbers = "SELECT arrayJoin(reinterpret(unhex({seeds:String}), 'Array(UInt32)'))"

// seededBy are the movements that put a seed into copies, in order.
func (g *Graph) seededBy(ctx context.Context, number uint32) ([]MovementRef, error) {
	by, err := g.seedings(ctx, roaring.BitmapOf(number))
	if err != nil {
		return nil, err
	}
	out := []MovementRef{}
	err = g.ask(withMovements(ctx, slices.Collect(maps.Keys(by))), "read who put seeds into copies", func(rows driver.Rows) error {
		var m MovementRef
		err := rows.Scan(&m.Org, &m.Sidecar, &m.ID)
		out = append(out, m)
		return err
	}, "SELECT org, sidecar, id FROM internal_listing WHERE "+amongMovements+" ORDER BY occurred_at, org, sidecar, id")
	return out, err
}

// seedsLeftOut says how many seeds are left out of what is counted, and on whose word: who calls an elector a seed hides it.
func (g *Graph) seedsLeftOut(ctx context.Context, asOf schema.Time) ([]Note, error) {
	var seeds uint64
	if err := g.conn.QueryRow(ctx, "SELECT count() FROM internal_seed").Scan(&seeds); err != nil {
		return nil, fmt.Errorf("count seeds: %w", explain(err))
	}
	if seeds == 0 {
		return nil, nil
	}
	note := Note{Code: CodeSeeds}
	var before uint64
	err := g.ask(ctx, "read who put seeds into copies", func(rows driver.Rows) error {
		var by string
		var seeds, listed uint64
		err := rows.Scan(&by, &seeds, &listed)
		note.Sidecars = append(note.Sidecars, by)
		note.Count += seeds
		before += listed
		return err
	}, "SELECT concat(org, '/', sidecar) AS by, sum(seeds), sum(listed_before) FROM seedings_as_of(as_of = $1) GROUP BY by ORDER BY by", asOf.String())
	if err != nil || note.Count == 0 {
		return nil, err
	}
	note.Text = plural(note.Count, "seed") + " put into copies, as " + plural(uint64(len(note.Sidecars)), "sidecar") + " said, counted nowhere as electors"
	if before > 0 {
		note.Text += fmt.Sprintf("; %s of them others had listed before: electors, more likely (view seedings)", thousands(before))
	}
	return []Note{note}, nil
}
