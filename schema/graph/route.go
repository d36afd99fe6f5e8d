package graph

import (
	"context"
	"fmt"
	"slices"

	"github.com/rolltrace/rolltrace/schema"
)

// Which routes a RouteQuestion asks for.
const (
	Earliest = "earliest" // the first entry, and before each movement the earliest that brought the elector to one of its inputs
	Shortest = "shortest" // fewest movements; of several the one whose last movement is the earliest, and so on backwards
	All      = "all"      // every one
)

// A RouteQuestion asks how one elector came to a place or an organisation.
type RouteQuestion struct {
	ElectorQuestion
	To    string // a place or an organisation
	Which string // Earliest, Shortest or All; "" means Earliest
	Limit int    // most routes, for All. 0: DefaultLimit; negative: all, of which there may be more than fit into memory
}

// A Route is the answer to a RouteQuestion.
type Route struct {
	Answer
	Elector ElectorKey  `json:"elector"`
	To      string      `json:"to"`
	Which   string      `json:"which"`  // "earliest", "shortest" or "all"
	Steps   []Step      `json:"steps"`  // the first of the routes, in order; none: the elector is not recorded to have reached it
	Routes  []RouteLine `json:"routes"` // those asked for: by their last movement, then by the one before it, and so on
}

// A RouteLine is one of several routes.
type RouteLine struct {
	Steps []Step `json:"steps"` // in order
}

// Route answers with routes of an elector to a place, or to any place of an organisation: movements, later and
// later, each one's output among the next one's inputs, that all carried the elector. They begin where it has no earlier
// entry. There may be very many routes: no more than the limit are looked for, and a note says when it cut them.
func (g *Graph) Route(ctx context.Context, q RouteQuestion) (*Route, error) {
	if err := checkAt(q.To); err != nil {
		return nil, err
	}
	which := q.Which
	if which == "" {
		which = Earliest
	}
	if which != Earliest && which != Shortest && which != All {
		return nil, fmt.Errorf("%w: routes %q: want %s, %s or %s", ErrMalformed, which, Earliest, Shortest, All)
	}
	notes := g.newNotes(ctx, q.AsOf)
	defer notes.close()
	d, err := g.dossier(ctx, q.ElectorQuestion, notes)
	if err != nil {
		return nil, err
	}
	a := &Route{Elector: d.Elector, To: q.To, Which: which, Steps: []Step{}, Routes: []RouteLine{}}
	routes := newRoutes(d.Movements)
	entries := routes.entries(q.To)
	switch {
	case len(entries) == 0:
		if err := notes.checkKnown(ctx, q.To); err != nil {
			return nil, err
		}
		notes.none("movements that brought this elector there")
	case which == Earliest:
		a.Routes = append(a.Routes, RouteLine{routes.earliest(entries[0])})
	case which == Shortest:
		a.Routes = append(a.Routes, RouteLine{routes.shortest(entries)})
	default:
		limit := bound(q.Limit)
		if a.Routes = routes.all(entries, limit); len(a.Routes) > limit {
			a.Routes = a.Routes[:limit]
			notes.cut(limit, "routes")
		}
	}
	if len(a.Routes) > 0 {
		a.Steps = a.Routes[0].Steps
	}
	a.Answer, err = notes.answer(func() func(CoverageRow) bool {
		f := newFlows(notes.moves)
		comes := f.changesSources(func(p string) bool { return matches(q.To, p) })
		been := map[string]bool{}
		for _, m := range d.Movements {
			been[string(m.Output)] = been[string(m.Output)] || m.enters()
		}
		could := f.downstream(func(p string) bool { return been[p] })
		return func(row CoverageRow) bool {
			if row.Code == CodeCounted { // of what the inputs could hold
				return comes(row) && slices.ContainsFunc(row.Inputs, func(p string) bool { return been[p] || could[p] })
			}
			return comes(row)
		}
	})
	return a, err
}

// routes are the ways of one elector from movement to movement.
type routes struct {
	movements []Movement // that carried it, in order
	before    [][]int    // for each of them, those that brought it to one of its inputs before, in order
}

func newRoutes(movements []Movement) *routes {
	r := &routes{movements, make([][]int, len(movements))}
	into := map[schema.Place][]int{}
	for i := range movements {
		m := &movements[i]
		for _, in := range m.Inputs {
			r.before[i] = append(r.before[i], into[in.Place]...)
		}
		if len(m.Inputs) > 1 {
			slices.Sort(r.before[i])
			r.before[i] = slices.Compact(r.before[i])
		}
		if m.enters() {
			into[m.Output] = append(into[m.Output], i)
		}
	}
	return r
}

// enters says whether the movement brings electors to its output.
func (m *Movement) enters() bool { return m.Outcome != schema.Retracted && m.Output != "" }

// entries are the movements that brought the elector to a place or an organisation, in order.
func (r *routes) entries(at string) []int {
	var out []int
	for i := range r.movements {
		if m := &r.movements[i]; m.enters() && matches(at, string(m.Output)) {
			out = append(out, i)
		}
	}
	return out
}

// earliest is the earliest route that ends with a movement. The view route does the same in SQL.
func (r *routes) earliest(last int) []Step {
	path := []int{last}
	for before := r.before[last]; len(before) > 0; before = r.before[path[len(path)-1]] {
		path = append(path, before[0])
	}
	return r.steps(path)
}

// shortest is the shortest route that ends with one of the movements.
func (r *routes) shortest(ends []int) []Step {
	fewest := make([]int, len(r.movements)) // movements up to each, itself included
	next := make([]int, len(r.movements))
	nearest := func(of []int) int {
		best := -1
		for _, i := range of {
			if best < 0 || fewest[i] < fewest[best] {
				best = i
			}
		}
		return best
	}
	for i := range r.movements {
		fewest[i] = 1
		if next[i] = nearest(r.before[i]); next[i] >= 0 {
			fewest[i] = fewest[next[i]] + 1
		}
	}
	var path []int
	for i := nearest(ends); i >= 0; i = next[i] {
		path = append(path, i)
	}
	return r.steps(path)
}

// all is every route that ends with one of the movements: one more than limit, if there are more.
func (r *routes) all(ends []int, limit int) []RouteLine {
	out := []RouteLine{}
	var path []int
	var back func([]int)
	back = func(before []int) {
		for _, i := range before {
			if len(out) > limit {
				return
			}
			path = append(path, i)
			if len(r.before[i]) == 0 {
				out = append(out, RouteLine{r.steps(path)})
			}
			back(r.before[i])
			path = path[:len(path)-1]
		}
	}
	back(ends)
	return out
}

// steps are the movements of a path, which is backwards.
func (r *routes) steps(path []int) []Step {
	steps := make([]Step, 0, len(path))
	for n, i := range slices.Backward(path) {
		m := &r.movements[i]
		var from schema.Place
		switch {
		case n+1 < len(path):
			from = r.movements[path[n+1]].Output
		case len(m.Inputs) == 1:
			from = m.Inputs[0].Place
		}
		steps = append(steps, m.step(from))
	}
	return steps
}

// step is the movement as a step of a route.
func (m *Movement) step(from schema.Place) Step {
	s := Step{MovementRef: m.MovementRef, OccurredAt: m.OccurredAt, Kind: m.Kind, Basis: m.Basis, State: m.State, Outcome: m.Outcome,
		From: from, To: m.Output, Actor: m.Actor, Purpose: m.Purpose, Agreement: m.Agreement, Fields: m.Fields}
	for _, in := range m.Inputs {
		s.Inputs = append(s.Inputs, in.Place)
	}
	return s
}
