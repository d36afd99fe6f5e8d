package oracle

import (
	"slices"

	"github.com/rolltrace/rolltrace/schema"
)

// An Edge is from a place to another, or from an organisation to another.
type Edge struct{ From, To string }

// A Pass is what went over an edge.
type Pass struct {
	Electors    Set
	Unclear     Set // of these it is not known whether they came by this edge: see Movement.From
	Movements   map[Ref]*Movement
	First, Last schema.Time
}

// A FlowEnd is what is known of a place or an organisation at either end of edges.
type FlowEnd struct {
	Electors, Held, Destroyed Set
	LastDestroy               schema.Time
	First, Last               schema.Time // arrivals
	Said                      []*Movement // destroys on another's word
}

// A Flow is edges and their ends, by name: places and organisations.
type Flow struct {
	Electors Set
	Edges    map[Edge]*Pass
	Ends     map[string]*FlowEnd
}

// Flow is where the electors of a set (nil: all) went: anywhere, or along routes that begin at from, or that end at to,
// or that begin with a movement.
func (w *World) Flow(of Set, from, to string, only *Movement) *Flow {
	f := &Flow{Set{}, map[Edge]*Pass{}, map[string]*FlowEnd{}}
	for _, e := range w.Electors() {
		if of != nil && !of[e] {
			continue
		}
		movements := w.Carrying(e)
		if to != "" {
			slices.Reverse(movements)
		}
		on := map[schema.Place]bool{} // places that a route has come to
		for _, m := range movements {
			if !m.Adds() {
				continue
			}
			var next []schema.Place
			for _, input := range m.From[e] {
				head, tail := input, m.Output
				if to != "" {
					head, tail = tail, head
				}
				anywhere := from == "" && to == "" && only == nil
				if anywhere || from != "" && At(from, head) || to != "" && At(to, head) || m == only || on[head] {
					f.pass(e, input, m)
					next = append(next, tail)
				}
			}
			for _, place := range next {
				on[place] = true
			}
		}
	}
	w.ends(f)
	return f
}

func (f *Flow) pass(e Elector, input schema.Place, m *Movement) {
	f.Electors[e] = true
	edges := []Edge{{string(input), string(m.Output)}}
	if input.Org() != m.Output.Org() {
		edges = append(edges, Edge{input.Org(), m.Output.Org()})
	}
	for _, edge := range edges {
		if f.Edges[edge] == nil {
			f.Edges[edge] = &Pass{Set{}, Set{}, map[Ref]*Movement{}, m.OccurredAt, m.OccurredAt}
		}
		pass := f.Edges[edge]
		pass.Electors[e] = true
		if m.unclear[e] {
			pass.Unclear[e] = true
		}
		pass.Movements[m.Ref] = m
		pass.First, pass.Last = earlier(pass.First, m.OccurredAt), later(pass.Last, m.OccurredAt)
	}
	for _, name := range []string{string(input), input.Org(), string(m.Output), m.Output.Org()} {
		if f.Ends[name] == nil {
			f.Ends[name] = &FlowEnd{Electors: Set{}, Held: Set{}, Destroyed: Set{}}
		}
		f.Ends[name].Electors[e] = true
	}
	for _, name := range []string{string(m.Output), m.Output.Org()} {
		end := f.Ends[name]
		end.First, end.Last = earlier(end.First, m.OccurredAt), later(end.Last, m.OccurredAt)
	}
}

func earlier(at, other schema.Time) schema.Time {
	if at.IsZero() || other.Before(at.Time) {
		return other
	}
	return at
}

func later(at, other schema.Time) schema.Time {
	if other.After(at.Time) {
		return other
	}
	return at
}

// ends says of the ends of edges who is held there, and who was destroyed. At an organisation those count that went by one of
// its places in the flow, for what became of them at that place.
func (w *World) ends(f *Flow) {
	for name, end := range f.Ends {
		for place, here := range f.Ends {
			if !At(name, schema.Place(place)) || place == name && schema.Place(place).Org() == place {
				continue
			}
			for e := range here.Electors {
				if w.holding[schema.Place(place)][e] {
					end.Held[e] = true
				}
			}
		}
	}
	for _, m := range w.Movements {
		if !m.Counts() || m.Kind != schema.Destroy {
			continue
		}
		place := m.Inputs[0].Place
		here := f.Ends[string(place)]
		if here == nil {
			continue
		}
		if m.EffectiveBasis() == schema.Attested {
			here.Said = append(here.Said, m)
		}
		if !m.Removes() {
			continue
		}
		for e := range m.S {
			if !here.Electors[e] || here.Held[e] {
				continue
			}
			for _, name := range []string{string(place), place.Org()} {
				if end := f.Ends[name]; !end.Held[e] {
					end.Destroyed[e] = true
					end.LastDestroy = m.OccurredAt
				}
			}
		}
	}
}
