package oracle

import "github.com/rolltrace/rolltrace/schema"

// A Node of an overview is an organisation, or one of its places.
type Node struct {
	Places           map[schema.Place]bool // that movements name
	Holding, Reached Set
}

// A Between is everything that went from a node to another.
type Between struct {
	Electors           Set
	Movements, Counted uint64
	First, Last        schema.Time
}

// Overview is everything at once, where node says of a place to which node it belongs.
func (w *World) Overview(node func(schema.Place) string) (map[string]*Node, map[Edge]*Between) {
	nodes, flows := map[string]*Node{}, map[Edge]*Between{}
	for _, place := range w.Named() {
		name := node(place)
		if nodes[name] == nil {
			nodes[name] = &Node{map[schema.Place]bool{}, Set{}, Set{}}
		}
		nodes[name].Places[place] = true
		nodes[name].Holding.add(w.holding[place])
		nodes[name].Reached.add(w.reached[place])
	}
	for _, m := range w.Movements {
		if !m.Adds() {
			continue
		}
		counted := map[Edge]bool{} // once, whatever the inputs
		for _, input := range m.inputs() {
			edge := Edge{node(input), node(m.Output)}
			if edge.From == edge.To {
				continue
			}
			f := flows[edge]
			if f == nil {
				f = &Between{Electors: Set{}, First: m.OccurredAt}
				flows[edge] = f
			}
			for e, from := range m.From {
				for _, p := range from {
					if p == input {
						f.Electors[e] = true
					}
				}
			}
			if counted[edge] {
				continue
			}
			counted[edge] = true
			f.Movements++
			f.Last = m.OccurredAt
			if m.Electors.Mode == schema.Counted {
				f.Counted++
			}
		}
	}
	return nodes, flows
}
