package graph

import (
	"cmp"
	"context"
	"maps"
	"slices"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/rolltrace/rolltrace/schema"
)

// A CopiesQuestion asks what destroys at a place, or at the places of an organisation, left elsewhere.
type CopiesQuestion struct {
	At   string      // a place or an organisation
	AsOf schema.Time // zero: all that is known
}

// Copies is the answer to a CopiesQuestion. The organisation asked is not listed; its own places are, where copies
// are left at one of them of what another had.
type Copies struct {
	Answer
	At            string    `json:"at"`
	Destroyed     []Count   `json:"destroyed"`     // electors that were destroyed there, and have not come back to the same place
	Organisations []CopyOrg `json:"organisations"` // where copies of these are left, by name
	Places        []Copy    `json:"places"`        // likewise
	Used          []Use     `json:"used"`          // movements out of there of electors that had been destroyed, in order
}

// A CopyOrg is an organisation where copies are left.
type CopyOrg struct {
	Org      string      `json:"org"`
	Electors []Count     `json:"electors"` // each once, whatever the places
	Since    schema.Time `json:"since"`    // when the first of the movements that brought them began
	LastAt   schema.Time `json:"last_at"`  // and the last
}

// A Copy is a place where copies are left.
type Copy struct {
	Place schema.Place `json:"place"`
	CopyOrg
	Route         []Step  `json:"route"`          // the one that began to bring them: the first movement, and before each the earliest of the same electors
	RouteElectors []Count `json:"route_electors"` // of the electors left, those that came all this way
}

// A Use is electors that a movement took out of a place after they had been destroyed there.
type Use struct {
	MovementRef
	OccurredAt  schema.Time  `json:"occurred_at"`
	Kind        schema.Kind  `json:"kind"`
	Place       schema.Place `json:"place"` // where they had been destroyed
	To          schema.Place `json:"to"`
	DestroyedAt schema.Time  `json:"destroyed_at"` // when the last destroy there before it began
	Electors    []Count      `json:"electors"`
}

// Copies answers which copies are left of what was destroyed at a place: where its electors went on from there, along
// any routes, whenever they left, and have not been destroyed on the word of the owner since a route brought them. An
// elector that came back to the place after its destruction is not asked for.
func (g *Graph) Copies(ctx context.Context, q CopiesQuestion) (*Copies, error) {
	if err := checkAt(q.At); err != nil {
		return nil, err
	}
	notes := g.newNotes(ctx, q.AsOf)
	defer notes.close()
	moves, err := g.moves(ctx, q.AsOf)
	if err != nil {
		return nil, err
	}
	notes.moves = moves
	spaces, err := g.spaces(ctx)
	if err != nil {
		return nil, err
	}
	a := &Copies{At: q.At, Destroyed: []Count{}, Organisations: []CopyOrg{}, Places: []Copy{}, Used: []Use{}}
	start := func(place string) bool { return matches(q.At, place) }
	trail := newTrail(moves, start)
	if err := trail.run(ctx, g); err != nil {
		return nil, err
	}
	a.Destroyed = trail.destroyed(spaces)
	for org, left := range trail.left(orgOf) {
		if org != q.At {
			a.Organisations = append(a.Organisations, left.org(org, moves, spaces))
		}
	}
	var paths [][]stepAt
	for place, left := range trail.left(func(place string) string { return place }) {
		if place == q.At {
			continue
		}
		c := Copy{Place: schema.Place(place), CopyOrg: left.org(orgOf(place), moves, spaces)}
		path, by := trail.route(place, left.first)
		c.RouteElectors = countsOf(by, spaces)
		a.Places, paths = append(a.Places, c), append(paths, path)
	}
	if err := g.steps(ctx, moves, paths, func(i int, route []Step) { a.Places[i].Route = route }); err != nil {
		return nil, err
	}
	slices.SortFunc(a.Organisations, func(x, y CopyOrg) int { return cmp.Compare(x.Org, y.Org) })
	slices.SortFunc(a.Places, func(x, y Copy) int { return cmp.Compare(x.Place, y.Place) })
	if a.Used, err = g.used(ctx, q); err != nil {
		return nil, err
	}
	switch {
	case len(a.Destroyed) == 0:
		if err := notes.checkKnown(ctx, q.At); err != nil {
			return nil, err
		}
		notes.none("electors that were destroyed there and have not come back")
	case len(a.Places) == 0:
		notes.none("copies")
	}
	notes.originUnknown(trail.unclear())
	a.Answer, err = notes.answer(func() func(CoverageRow) bool { return newFlows(moves).changesCopies(start) })
	return a, err
}

// changesCopies says which movements could change what is left of what was destroyed where start says, and what was
// used after: those that could change what was there, or where it went, and destroys at any of these places.
func (f *flows) changesCopies(start func(string) bool) func(CoverageRow) bool {
	downstream := f.downstream(start)
	beside := ends(f.mixed, func(p string) bool { return downstream[p] })
	reach, content := f.changesReach(start), f.changesContent(start, true)
	return func(row CoverageRow) bool {
		if row.Kind == schema.Destroy {
			p := row.Inputs[0]
			return start(p) || downstream[p] || beside[p] && row.Code != CodeAttested || content(row) || reach(row)
		}
		return reach(row) || content(row)
	}
}

// used reads the view of what was used after destruction.
func (g *Graph) used(ctx context.Context, q CopiesQuestion) ([]Use, error) {
	out := []Use{}
	err := g.ask(ctx, "look for what was used after destruction", func(rows driver.Rows) error {
		var u Use
		var c Count
		var kind, place, to, idSpace, keyID string
		err := rows.Scan(&u.OccurredAt.Time, &u.Org, &u.Sidecar, &u.ID, &kind, &place, &to, &u.DestroyedAt.Time, &idSpace, &keyID, &c.Electors)
		u.OccurredAt, u.DestroyedAt = at(u.OccurredAt.Time), at(u.DestroyedAt.Time)
		u.Kind, u.Place, u.To, c.IDSpace, c.KeyID = schema.Kind(kind), schema.Place(place), schema.Place(to), schema.IDSpace(idSpace), schema.KeyID(keyID)
		if n := len(out) - 1; n >= 0 && out[n].MovementRef == u.MovementRef && out[n].Place == u.Place {
			out[n].Electors = append(out[n].Electors, c)
			return err
		}
		u.Electors = []Count{c}
		out = append(out, u)
		return err
	}, `SELECT occurred_at, org, sidecar, id, kind, place, output, destroyed_at, id_space, key_id, electors
		FROM used_after_destruction_as_of(at = $1, as_of = $2) ORDER BY occurred_at, org, sidecar, id, place, id_space, key_id`, q.At, q.AsOf.String())
	return out, err
}

// A stepAt is a step of a path over movements: which one, and the place that it was left by.
type stepAt struct {
	move int
	from string
}

// steps reads what answers say of the movements of paths, and hands over a route for each.
func (g *Graph) steps(ctx context.Context, moves []move, paths [][]stepAt, route func(int, []Step)) error {
	var numbers []uint32
	for _, path := range paths {
		for _, s := range path {
			numbers = append(numbers, moves[s.move].number)
		}
	}
	if len(numbers) == 0 {
		return nil
	}
	movements := map[uint32]*Movement{}
	err := g.ask(withMovements(ctx, numbers), "read routes", func(rows driver.Rows) error {
		var row movementRow
		if err := rows.ScanStruct(&row); err != nil {
			return err
		}
		m := row.movement()
		movements[row.Number] = &m
		return nil
	}, "SELECT * FROM internal_listing WHERE "+amongMovements)
	if err != nil {
		return err
	}
	for i, path := range paths {
		steps := []Step{}
		for _, s := range path {
			if m := movements[moves[s.move].number]; m != nil {
				steps = append(steps, m.step(schema.Place(s.from)))
			}
		}
		route(i, steps)
	}
	return nil
}

// countsOf is numbers of electors by space, as an answer has them.
func countsOf(n map[uint16]uint64, spaces map[uint16]Count) []Count {
	out := []Count{}
	for space := range maps.Keys(n) {
		if n[space] > 0 {
			count := spaces[space]
			count.Electors = n[space]
			out = append(out, count)
		}
	}
	slices.SortFunc(out, compareCounts)
	return out
}
