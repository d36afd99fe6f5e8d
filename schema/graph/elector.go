package graph

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/RoaringBitmap/roaring/v2"
	"golang.org/x/sync/errgroup"

	"github.com/rolltrace/rolltrace/schema"
)

// An ElectorQuestion asks for one elector. IDSpace and KeyID may be empty: then any will do, as long as the
// key is known in one only.
type ElectorQuestion struct {
	Key     schema.Key
	IDSpace schema.IDSpace
	KeyID   schema.KeyID
	AsOf    schema.Time // zero: all that is known
}

// A Dossier is everything known of one elector.
type Dossier struct {
	Answer
	Elector       ElectorKey    `json:"elector"`
	SeedOf        []MovementRef `json:"seed_of"`       // movements that put it into a copy as a seed: then it is invented, and nobody
	Organisations []OrgStay     `json:"organisations"` // by first entry
	Places        []Stay        `json:"places"`        // by first entry
	Movements     []Movement    `json:"movements"`     // that carried it, in order; retracted ones are shown, and count for nothing
}

// A Stay is an elector at a place.
type Stay struct {
	Org         string       `json:"org"`
	Place       schema.Place `json:"place"`
	Holding     bool         `json:"holding"`      // entered, and not destroyed since
	Entries     int          `json:"entries"`      // movements that brought it there
	FirstEntry  schema.Time  `json:"first_entry"`  // when the first of them began
	LastEntry   schema.Time  `json:"last_entry"`   // when the last of them began
	DestroyedAt schema.Time  `json:"destroyed_at"` // when it was last destroyed there on the word of the owner, or ""
	Route       []Step       `json:"route"`        // the earliest one there
}

// An OrgStay is an elector at an organisation: at any of its places.
type OrgStay struct {
	Org        string      `json:"org"`
	Holding    bool        `json:"holding"`
	FirstEntry schema.Time `json:"first_entry"`
	LastEntry  schema.Time `json:"last_entry"`
}

// A Step is one movement of a route.
type Step struct {
	MovementRef
	OccurredAt schema.Time    `json:"occurred_at"`
	Kind       schema.Kind    `json:"kind"`
	Basis      schema.Basis   `json:"basis"`
	State      schema.State   `json:"state"`
	Outcome    schema.Outcome `json:"outcome"`
	Inputs     []schema.Place `json:"inputs"` // all of them
	From       schema.Place   `json:"from"`   // the one that the elector came by, or "" where there are several and none is known to have had it
	To         schema.Place   `json:"to"`
	Actor      string         `json:"actor"`
	Purpose    string         `json:"purpose"`
	Agreement  string         `json:"agreement"`
	Fields     []string       `json:"fields"`
}

// Elector answers with the dossier of one elector.
func (g *Graph) Elector(ctx context.Context, q ElectorQuestion) (*Dossier, error) {
	notes := g.newNotes(ctx, q.AsOf)
	defer notes.close()
	d, err := g.dossier(ctx, q, notes)
	if err != nil {
		return nil, err
	}
	d.Places = stays(d.Movements)
	d.Organisations = organisations(d.Places)
	if len(d.Places) == 0 {
		notes.none("movements of this elector")
	}
	been := map[string]bool{}
	for _, s := range d.Places {
		been[string(s.Place)] = true
	}
	d.Answer, err = notes.answer(func() func(CoverageRow) bool {
		further := newFlows(notes.moves).downstream(func(p string) bool { return been[p] })
		return func(row CoverageRow) bool {
			switch row.Code {
			case CodeAttested:
				return slices.ContainsFunc(row.Inputs, func(p string) bool { return been[p] })
			case CodeCounted, CodeClock, CodeNoRecorder: // of what the inputs held, which the elector must have reached
				return slices.ContainsFunc(row.Inputs, func(p string) bool { return been[p] || further[p] })
			}
			return true
		}
	})
	return d, err
}

// dossier reads the movements of the elector; the rest of a Dossier is made from them. The notes get all movements.
func (g *Graph) dossier(ctx context.Context, q ElectorQuestion, notes *notes) (*Dossier, error) {
	var found []numbered
	var seeds *roaring.Bitmap
	group, groupCtx := errgroup.WithContext(ctx)
	group.Go(func() (err error) {
		found, err = g.findElector(groupCtx, q)
		return err
	})
	group.Go(func() (err error) {
		notes.moves, err = g.moves(groupCtx, q.AsOf)
		return err
	})
	group.Go(func() (err error) {
		seeds, err = g.seeds(groupCtx)
		return err
	})
	if err := group.Wait(); err != nil {
		return nil, err
	}
	carried := map[uint32]uint64{} // generations that count
	for i := range notes.moves {
		if m := &notes.moves[i]; m.mode == schema.Whole {
			carried[m.number] = m.carried
		}
	}
	d := &Dossier{SeedOf: []MovementRef{}, Movements: []Movement{}}
	known := 0
	var first schema.Time
	for _, e := range found {
		movements, err := g.movementsOf(ctx, e, carried)
		if err != nil {
			return nil, err
		}
		for _, m := range movements { // in order
			if m.Outcome != schema.Retracted && (first.IsZero() || m.OccurredAt.Before(first.Time)) {
				first = m.OccurredAt
			}
		}
		if !q.AsOf.IsZero() {
			movements = slices.DeleteFunc(movements, func(m Movement) bool { return m.OccurredAt.After(q.AsOf.Time) })
		}
		if len(movements) > 0 {
			known++
			d.Movements = movements
		}
		if len(movements) > 0 || known == 0 {
			d.Elector = ElectorKey{e.IDSpace, e.KeyID, q.Key.String()}
			if seeds.Contains(e.number) {
				if d.SeedOf, err = g.seededBy(ctx, e.number); err != nil {
					return nil, err
				}
			}
		}
	}
	if known > 1 {
		return nil, fmt.Errorf("%w: the key is known in %d id spaces: say in which", ErrMalformed, known)
	}
	notes.later("movement of this elector", first)
	return d, nil
}

// A numbered is an elector with its number, and with what its space stands for.
type numbered struct {
	Count
	space  uint16
	number uint32
}

// findElector returns the elector: once for each id space and secret that it is known in.
func (g *Graph) findElector(ctx context.Context, q ElectorQuestion) ([]numbered, error) {
	spaces, err := g.spaces(ctx)
	if err != nil {
		return nil, err
	}
	var found []numbered
	err = g.ask(ctx, "look up elector", func(rows driver.Rows) error {
		var e numbered
		err := rows.Scan(&e.space, &e.number)
		e.Count = spaces[e.space]
		if (q.IDSpace == "" || q.IDSpace == e.IDSpace) && (q.KeyID == "" || q.KeyID == e.KeyID) {
			found = append(found, e)
		}
		return err
	}, "SELECT DISTINCT space, number FROM internal_number WHERE key = $1", uint64(q.Key))
	if err == nil && len(found) == 0 {
		err = ErrUnknownElector
		asked := func(is Count) bool {
			return (q.IDSpace == "" || q.IDSpace == is.IDSpace) && (q.KeyID == "" || q.KeyID == is.KeyID)
		}
		if q.IDSpace != "" && !slices.ContainsFunc(slices.Collect(maps.Values(spaces)), asked) {
			err = &refusal{text: ErrUnknownKeys.Error(), causes: []error{ErrUnknownKeys, ErrUnknownElector}}
		}
	}
	slices.SortFunc(found, func(x, y numbered) int { return compareCounts(x.Count, y.Count) })
	return found, err
}

// movementsOf returns the movements that carried an elector, in order, whether they were listed, or derived in the
// generations that count.
func (g *Graph) movementsOf(ctx context.Context, e numbered, carried map[uint32]uint64) ([]Movement, error) {
	modes, err := g.carriers(ctx, e, carried)
	if err != nil || len(modes) == 0 {
		return nil, err
	}
	var out []Movement
	err = g.ask(withMovements(ctx, slices.Collect(maps.Keys(modes))), "read dossier", func(rows driver.Rows) error {
		var row movementRow
		if err := rows.ScanStruct(&row); err != nil {
			return err
		}
		if modes[row.Number][schema.Mode(row.Mode)] {
			out = append(out, row.movement())
		}
		return nil
	}, "SELECT * FROM internal_listing WHERE "+amongMovements+`
		ORDER BY occurred_at, org, sidecar, id`)
	return out, err
}

// carriers returns the numbers of the movements that carried an elector: when listed, when derived, or both. It asks
// for as little as it can: each condition more is a tenth of the time that ClickHouse takes to plan.
func (g *Graph) carriers(ctx context.Context, e numbered, carried map[uint32]uint64) (map[uint32]map[schema.Mode]bool, error) {
	modes := map[uint32]map[schema.Mode]bool{}
	var mu sync.Mutex
	look := func(ctx context.Context, mode schema.Mode, sql string) error {
		return g.ask(ctx, "look up the movements of an elector", func(rows driver.Rows) error {
			var movement uint32
			var space uint16
			var generation uint64
			var in bool
			if err := rows.Scan(&movement, &space, &generation, &in); err != nil {
				return err
			}
			if !in || space != e.space || mode == schema.Whole && generation != carried[movement] {
				return nil
			}
			mu.Lock()
			defer mu.Unlock()
			if modes[movement] == nil {
				modes[movement] = map[schema.Mode]bool{}
			}
			modes[movement][mode] = true
			return nil
		}, sql)
	}
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error {
		return look(ctx, schema.Listed, listingText(e.number))
	})
	if len(carried) > 0 {
		group.Go(func() error {
			return look(ctx, schema.Whole, fmt.Sprintf("SELECT movement, space, generation, bitmapContains(electors, toUInt32(%d)) FROM derived_by_bucket WHERE bucket = %d",
				e.number, Bucket(e.number)))
		})
	}
	return modes, group.Wait()
}

// listingText is the statement for the movements that listed an elector, and some that did not.
func listingText(number uint32) string {
	bucket, own := slots(number)
	return fmt.Sprintf("SELECT movement, space, toUInt64(0), slot = %d OR bitmapContains(electors, toUInt32(%d)) FROM listed_by_elector WHERE slot IN (%d, %[1]d)",
		own, number, bucket)
}

// slots are where listed_by_elector has an elector: that of the bitmaps of its bucket, and its own.
func slots(number uint32) (bucket, own uint64) {
	bucket = uint64(Bucket(number)) << (BucketBits + 1)
	return bucket, bucket + 1 + uint64(number%(1<<BucketBits))
}

// stays folds movements, in order, into the places where they brought the elector.
func stays(movements []Movement) []Stay {
	index := map[schema.Place]int{}
	destroyed := map[schema.Place]schema.Time{} // last, whether or not it is known to have been there
	out := []Stay{}
	routes := newRoutes(movements)
	for i, m := range movements {
		if m.Outcome == schema.Retracted {
			continue
		}
		if m.Removes {
			destroyed[m.Inputs[0].Place] = m.OccurredAt
			if at, ok := index[m.Inputs[0].Place]; ok {
				out[at].Holding, out[at].DestroyedAt = false, m.OccurredAt
			}
			continue
		}
		if m.Output == "" {
			continue
		}
		at, ok := index[m.Output]
		if !ok {
			at = len(out)
			index[m.Output] = at
			out = append(out, Stay{Org: m.Output.Org(), Place: m.Output, FirstEntry: m.OccurredAt, DestroyedAt: destroyed[m.Output], Route: routes.earliest(i)})
		}
		out[at].Holding, out[at].LastEntry = true, m.OccurredAt
		out[at].Entries++
	}
	return out
}

func organisations(stays []Stay) []OrgStay {
	index := map[string]int{}
	out := []OrgStay{}
	for _, s := range stays {
		at, ok := index[s.Org]
		if !ok {
			at = len(out)
			index[s.Org] = at
			out = append(out, OrgStay{Org: s.Org, FirstEntry: s.FirstEntry})
		}
		out[at].Holding = out[at].Holding || s.Holding
		if s.LastEntry.After(out[at].LastEntry.Time) {
			out[at].LastEntry = s.LastEntry
		}
	}
	return out
}
