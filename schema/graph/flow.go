package graph

import "slices"

// flows is the graph of places: from where to where movements went, whatever they carried.
type flows struct{ to, from map[string][]string }

func newFlows(moves []move) *flows {
	f := &flows{to: map[string][]string{}, from: map[string][]string{}}
	for i := range moves {
		m := &moves[i]
		if m.output == "" {
			continue
		}
		for _, from := range m.inputs {
			if !slices.Contains(f.to[from], m.output) {
				f.to[from] = append(f.to[from], m.output)
				f.from[m.output] = append(f.from[m.output], from)
			}
		}
	}
	return f
}

// downstream returns the places that can be reached from those that start says.
func (f *flows) downstream(start func(string) bool) map[string]bool { return closure(f.to, start) }

// upstream returns the places from which those that start says can be reached.
func (f *flows) upstream(start func(string) bool) map[string]bool { return closure(f.from, start) }

// closure returns the places to which edges lead from those that start says.
func closure(edges map[string][]string, start func(string) bool) map[string]bool {
	seen := map[string]bool{}
	var next []string
	for place, ends := range edges {
		if start(place) {
			next = append(next, ends...)
		}
	}
	for len(next) > 0 {
		place := next[len(next)-1]
		next = next[:len(next)-1]
		if !seen[place] {
			seen[place] = true
			next = append(next, edges[place]...)
		}
	}
	return seen
}
