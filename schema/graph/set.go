package graph

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/RoaringBitmap/roaring/v2"
	"golang.org/x/sync/errgroup"

	"github.com/rolltrace/rolltrace/schema"
)

// What an ElectorsQuestion asks for.
const (
	Holding = "holding" // entered, and not destroyed since
	Reached = "reached" // ever entered
)

// An ElectorsQuestion asks for the electors at a place or an organisation.
type ElectorsQuestion struct {
	At   string      // a place or an organisation
	What string      // Holding or Reached; "" means Holding
	AsOf schema.Time // zero: all that is known
	List bool        // which electors, beside how many
	// Limit is how many electors are listed. 0: DefaultLimit; negative: all, which may not fit into memory.
	Limit int
}

// Electors is the answer to an ElectorsQuestion.
type Electors struct {
	Answer
	At       string       `json:"at"`
	What     string       `json:"what"`     // "holding" or "reached"
	Electors []Count      `json:"electors"` // each elector once, whatever the places; by id space and secret
	Places   []PlaceCount `json:"places"`   // place by place, by name
	Keys     []ElectorKey `json:"keys"`     // by id space, secret and key; null when not asked for
}

// A PlaceCount is how many electors are at a place.
type PlaceCount struct {
	Org      string       `json:"org"`
	Place    schema.Place `json:"place"`
	Electors []Count      `json:"electors"`
}

// Electors says how many electors a place or an organisation holds, or how many reached it, and which.
func (g *Graph) Electors(ctx context.Context, q ElectorsQuestion) (*Electors, error) {
	if err := checkAt(q.At); err != nil {
		return nil, err
	}
	what := q.What
	if what == "" {
		what = Holding
	}
	if what != Holding && what != Reached {
		return nil, fmt.Errorf("%w: electors %q: want %s or %s", ErrMalformed, what, Holding, Reached)
	}
	a := &Electors{At: q.At, What: what, Electors: []Count{}, Places: []PlaceCount{}}
	notes := g.newNotes(ctx, q.AsOf)
	defer notes.close()
	moves, err := g.moves(ctx, q.AsOf)
	if err != nil {
		return nil, err
	}
	notes.moves = moves
	if err := g.electorCounts(ctx, moves, a); err != nil {
		return nil, err
	}
	if len(a.Electors) == 0 {
		if err := notes.checkKnown(ctx, q.At); err != nil {
			return nil, err
		}
		notes.none("electors")
	}
	if q.List {
		if err := g.electorKeys(ctx, q, a, notes); err != nil {
			return nil, err
		}
	}
	a.Answer, err = notes.answer(func() func(CoverageRow) bool {
		return newFlows(moves).changesContent(func(p string) bool { return matches(q.At, p) }, what == Holding)
	})
	return a, err
}

// electorCounts reads the counts: of each place, and of all of them together, each elector once.
func (g *Graph) electorCounts(ctx context.Context, moves []move, a *Electors) error {
	places, sets, of := setsAt(moves, a.At, a.What)
	if len(sets) == 0 {
		return nil
	}
	err := g.countSets(ctx, len(places), sets, of, func(place uint32, _ uint16, count Count) {
		if int(place) == len(places) || len(places) == 1 {
			a.Electors = append(a.Electors, count)
		}
		if int(place) == len(places) {
			return
		}
		at := schema.Place(places[place])
		i := slices.IndexFunc(a.Places, func(p PlaceCount) bool { return p.Place == at })
		if i < 0 {
			i = len(a.Places)
			a.Places = append(a.Places, PlaceCount{Org: at.Org(), Place: at})
		}
		a.Places[i].Electors = append(a.Places[i].Electors, count)
	})
	slices.SortFunc(a.Places, func(x, y PlaceCount) int { return cmp.Compare(x.Place, y.Place) })
	for _, p := range a.Places {
		slices.SortFunc(p.Electors, compareCounts)
	}
	slices.SortFunc(a.Electors, compareCounts)
	return err
}

// countSets counts the electors of sets united: those of each place, or whatever of says; and those of all of so many
// places, as those of the place after the last, unless that is eachAlone. Seeds are none.
func (g *Graph) countSets(ctx context.Context, places int, sets []setRef, of []uint32, each func(place uint32, space uint16, count Count)) error {
	var spaces map[uint16]Count
	var seeds *roaring.Bitmap
	group, groupCtx := errgroup.WithContext(ctx)
	group.Go(func() (err error) {
		spaces, err = g.spaces(groupCtx)
		return err
	})
	group.Go(func() (err error) {
		seeds, err = g.seeds(groupCtx)
		return err
	})
	if err := group.Wait(); err != nil {
		return err
	}
	unions, err := g.countUnions(ctx, sets, of, places, seeds)
	if err != nil {
		return err
	}
	if places > 1 {
		unions.of[uint32(places)] = unions.all
	}
	for place, bySpace := range unions.of {
		for space, n := range bySpace {
			count := spaces[space]
			count.Electors = n
			each(place, space, count)
		}
	}
	return nil
}

func compareCounts(x, y Count) int {
	return cmp.Or(cmp.Compare(x.IDSpace, y.IDSpace), cmp.Compare(x.KeyID, y.KeyID))
}

// setsAt are the sets whose union is held at, or has reached, each of the places asked, and for each set the index of
// its place; of all places where none is asked. A place holds what the last destroy there kept, and what came since; view/holding.sql says the same.
func setsAt(moves []move, at, what string) (places []string, sets []setRef, of []uint32) {
	index := map[string]int{}
	var ofPlace [][]setRef
	for i := range moves {
		m := &moves[i]
		place := m.output
		if m.removes {
			place = m.inputs[0]
		}
		if place == "" || at != "" && !matches(at, place) || m.mode == schema.Counted { // a destroy may have been of another mode
			continue
		}
		n, ok := index[place]
		if !ok {
			n = len(places)
			index[place] = n
			places, ofPlace = append(places, place), append(ofPlace, nil)
		}
		switch {
		case !m.removes:
			if m.carries() {
				ofPlace[n] = append(ofPlace[n], m.set())
			}
		case what == Holding && m.kept > 0:
			ofPlace[n] = []setRef{{m.number, kept, m.kept}}
		}
	}
	for n, refs := range ofPlace {
		for _, ref := range refs {
			sets, of = append(sets, ref), append(of, uint32(n))
		}
	}
	return places, sets, of
}

func (g *Graph) electorKeys(ctx context.Context, q ElectorsQuestion, a *Electors, notes *notes) error {
	view := "held_electors_as_of"
	if a.What == Reached {
		view = "reached_electors_as_of"
	}
	limit := bound(q.Limit)
	a.Keys = []ElectorKey{}
	err := g.ask(ctx, "list electors", func(rows driver.Rows) error {
		var idSpace, keyID, key string
		if err := rows.Scan(&idSpace, &keyID, &key); err != nil {
			return err
		}
		a.Keys = append(a.Keys, ElectorKey{schema.IDSpace(idSpace), schema.KeyID(keyID), key})
		return nil
	}, fmt.Sprintf(`SELECT DISTINCT id_space, key_id, key FROM %s(at = $1, as_of = $2) ORDER BY id_space, key_id, key LIMIT %d`, view, limit+1),
		q.At, q.AsOf.String())
	if err != nil {
		return err
	}
	if len(a.Keys) > limit {
		a.Keys = a.Keys[:limit]
		notes.cut(limit, "electors")
	}
	return nil
}
