package graph

import (
	"cmp"
	"context"
	"slices"

	"github.com/rolltrace/rolltrace/schema"
)

// A ReachQuestion asks where electors went from a place or an organisation, or where they came from.
type ReachQuestion struct {
	At   string      // a place or an organisation
	AsOf schema.Time // zero: all that is known
}

// Reach is the answer to a ReachQuestion. The place asked is not listed, and neither is the organisation
// asked; its own places are, where electors went on from one of them to another.
type Reach struct {
	Answer
	At            string     `json:"at"`
	Organisations []ReachOrg `json:"organisations"` // by hops, then by name
	Places        []ReachAt  `json:"places"`        // by hops, then by name
}

// A ReachOrg is an organisation at the other end of routes.
type ReachOrg struct {
	Org      string      `json:"org"`
	Hops     uint32      `json:"hops"`     // fewest movements on a route
	Electors []Count     `json:"electors"` // each once, whatever the routes and places
	FirstAt  schema.Time `json:"first_at"` // when the first movement that arrived there (reach), or left there (sources), began
	LastAt   schema.Time `json:"last_at"`  // and the last
}

// A ReachAt is a place at the other end of routes.
type ReachAt struct {
	Place schema.Place `json:"place"`
	ReachOrg
}

// Reach answers where electors went from a place or an organisation: every place and organisation to which a
// route leads, with the electors that such routes carried. A route is movements, later and later, each one's
// output among the next one's inputs, that carried the same elector. What a movement with several inputs
// carried counts for the inputs that the electors are recorded to have entered before it, and, for electors
// recorded at none of them, for the inputs that nobody is recorded to have entered; or, when there is no such
// input, for all of them, and a note says so (CodeOriginUnknown).
func (g *Graph) Reach(ctx context.Context, q ReachQuestion) (*Reach, error) {
	return g.reach(ctx, q, false)
}

// Sources answers where electors at a place or an organisation came from: Reach, backwards.
func (g *Graph) Sources(ctx context.Context, q ReachQuestion) (*Reach, error) {
	return g.reach(ctx, q, true)
}

func (g *Graph) reach(ctx context.Context, q ReachQuestion, upstream bool) (*Reach, error) {
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
	start := func(place string) bool { return matches(q.At, place) }
	found, err := newWalk(moves, start, upstream).run(ctx, g)
	if err != nil {
		return nil, err
	}
	spaces, err := g.spaces(ctx)
	if err != nil {
		return nil, err
	}
	a := &Reach{At: q.At, Organisations: []ReachOrg{}, Places: []ReachAt{}}
	delete(found.places, q.At)
	delete(found.orgs, q.At)
	for org, end := range found.orgs {
		a.Organisations = append(a.Organisations, end.reach(org, moves, spaces))
	}
	var unclear []string
	for place, end := range found.places {
		a.Places = append(a.Places, ReachAt{schema.Place(place), end.reach(orgOf(place), moves, spaces)})
		for _, unknown := range end.unknown {
			if unknown > 0 {
				unclear = append(unclear, place)
			}
		}
	}
	slices.SortFunc(a.Organisations, func(x, y ReachOrg) int { return cmp.Or(cmp.Compare(x.Hops, y.Hops), cmp.Compare(x.Org, y.Org)) })
	slices.SortFunc(a.Places, func(x, y ReachAt) int { return cmp.Or(cmp.Compare(x.Hops, y.Hops), cmp.Compare(x.Place, y.Place)) })

	if len(a.Places) == 0 && len(a.Organisations) == 0 {
		if err := notes.checkKnown(ctx, q.At); err != nil {
			return nil, err
		}
		notes.none("movements")
	}
	notes.originUnknown(unclear)
	a.Answer, err = notes.answer(func() func(CoverageRow) bool {
		if upstream {
			return newFlows(moves).changesSources(start)
		}
		return newFlows(moves).changesReach(start)
	})
	return a, err
}

// reach is the end of a walk as an answer has it.
func (e *walkEnd) reach(org string, moves []move, spaces map[uint16]Count) ReachOrg {
	out := ReachOrg{Org: org, Hops: e.hops, FirstAt: at(moves[e.first].at), LastAt: at(moves[e.last].at), Electors: []Count{}}
	for space, n := range e.electors {
		count := spaces[space]
		count.Electors = n
		out.Electors = append(out.Electors, count)
	}
	slices.SortFunc(out.Electors, compareCounts)
	return out
}
