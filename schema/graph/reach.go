package graph

import (
	"context"
	"slices"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

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
	return g.reach(ctx, q, "reach", (*flows).downstream, func(row CoverageRow) []string { return row.Inputs })
}

// Sources answers where electors at a place or an organisation came from: Reach, backwards.
func (g *Graph) Sources(ctx context.Context, q ReachQuestion) (*Reach, error) {
	return g.reach(ctx, q, "sources", (*flows).upstream, func(row CoverageRow) []string { return []string{row.Output} })
}

func (g *Graph) reach(ctx context.Context, q ReachQuestion, view string,
	further func(*flows, func(string) bool) map[string]bool, near func(CoverageRow) []string) (*Reach, error) {
	if err := checkAt(q.At); err != nil {
		return nil, err
	}
	a := &Reach{At: q.At, Organisations: []ReachOrg{}, Places: []ReachAt{}}
	index := map[[2]string]*ReachOrg{}
	var order [][2]string
	var unclear []string
	text, err := walkText(view, q.At, q.AsOf.String())
	if err != nil {
		return nil, err
	}
	err = g.ask(ctx, "walk the graph", func(rows driver.Rows) error {
		var org, place, idSpace, keyID string
		var electors, unknown uint64
		var hops uint32
		var first, last time.Time
		if err := rows.Scan(&org, &place, &idSpace, &keyID, &electors, &hops, &first, &last, &unknown); err != nil {
			return err
		}
		if place != "" && unknown > 0 {
			unclear = append(unclear, place)
		}
		id := [2]string{org, place}
		end, ok := index[id]
		if !ok {
			end = &ReachOrg{Org: org, Hops: hops, FirstAt: at(first), LastAt: at(last)}
			index[id] = end
			order = append(order, id)
		}
		end.Hops = min(end.Hops, hops)
		if at(first).Before(end.FirstAt.Time) {
			end.FirstAt = at(first)
		}
		if at(last).After(end.LastAt.Time) {
			end.LastAt = at(last)
		}
		end.Electors = append(end.Electors, Count{schema.IDSpace(idSpace), schema.KeyID(keyID), electors})
		return nil
	}, "SELECT org, place, id_space, key_id, electors, hops, first_at, last_at, origin_unknown FROM ("+text+") ORDER BY org, place, id_space, key_id")
	if err != nil {
		return nil, err
	}
	for _, id := range order {
		if end := *index[id]; id[1] == "" {
			a.Organisations = append(a.Organisations, end)
		} else {
			a.Places = append(a.Places, ReachAt{schema.Place(id[1]), end})
		}
	}
	slices.SortStableFunc(a.Organisations, func(x, y ReachOrg) int { return int(x.Hops) - int(y.Hops) })
	slices.SortStableFunc(a.Places, func(x, y ReachAt) int { return int(x.Hops) - int(y.Hops) })

	notes := g.newNotes(q.AsOf)
	if len(order) == 0 {
		if err := g.checkKnown(ctx, q.At); err != nil {
			return nil, err
		}
		notes.none("movements")
	}
	notes.originUnknown(unclear)
	f, err := g.flows(ctx, q.AsOf)
	if err != nil {
		return nil, err
	}
	touched := further(f, func(p string) bool { return matches(q.At, p) })
	a.Answer, err = notes.answer(ctx, only(func(row CoverageRow) bool {
		return row.Code != CodeAttested && row.Kind != schema.Destroy &&
			slices.ContainsFunc(near(row), func(p string) bool { return matches(q.At, p) || touched[p] })
	}))
	return a, err
}
