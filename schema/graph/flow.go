package graph

import (
	"slices"

	"github.com/rolltrace/rolltrace/schema"
)

// flows is the graph of places: from where to where movements went, whatever they carried.
type flows struct {
	to, from map[string][]string

	// The inputs of those into a place that carried whatever was there; and of those that count for one input or another
	// depending on what had entered them: of several inputs, with electors listed, or with everything that was there, where
	// somebody was destroyed at an input, who may have come back by another. What comes into such an input can change
	// what other movements carried, and from where.
	whole, mixed map[string][]string
}

func newFlows(moves []move) *flows {
	f := &flows{to: map[string][]string{}, from: map[string][]string{}, whole: map[string][]string{}, mixed: map[string][]string{}}
	add := func(edges map[string][]string, from, to string) {
		if !slices.Contains(edges[from], to) {
			edges[from] = append(edges[from], to)
		}
	}
	destroyed := map[string]bool{}
	for i := range moves {
		if moves[i].removes {
			destroyed[moves[i].inputs[0]] = true
		}
	}
	for i := range moves {
		m := &moves[i]
		if m.output == "" {
			continue
		}
		back := slices.ContainsFunc(m.inputs, func(p string) bool { return destroyed[p] })
		for _, from := range m.inputs {
			add(f.to, from, m.output)
			add(f.from, m.output, from)
			if m.mode == schema.Whole {
				add(f.whole, m.output, from)
			}
			if m.mode == schema.Whole && back || m.mode != schema.Whole && len(m.inputs) > 1 {
				add(f.mixed, m.output, from)
			}
		}
	}
	return f
}

// changesContent says which movements could change what the places that start says hold, or were reached by: those
// into them, and whatever came into, or was destroyed at, a place whose content was carried on there whole.
func (f *flows) changesContent(start func(string) bool, holding bool) func(CoverageRow) bool {
	carried := closure(f.whole, start)
	upstream := f.upstream(start)
	return func(row CoverageRow) bool {
		switch {
		case row.unrecorded():
			return start(row.Output) || upstream[row.Output]
		case row.Kind != schema.Destroy && row.Code == CodeClock && !f.carriesWhole(row): // it carried what it lists
			return false
		case row.Kind != schema.Destroy:
			return start(row.Output) || carried[row.Output]
		}
		// A destroy takes nothing from what was reached, and on another's word nothing at all.
		return holding && start(row.Inputs[0]) || carried[row.Inputs[0]] && row.Code != CodeAttested
	}
}

// changesSources says which movements could change how electors came to the places that start says: those into them,
// and upstream, and destroys at what was carried on whole there.
func (f *flows) changesSources(start func(string) bool) func(CoverageRow) bool {
	upstream := f.upstream(start)
	emptied := ends(f.whole, func(p string) bool { return start(p) || upstream[p] })
	return func(row CoverageRow) bool {
		switch {
		case row.Code == CodeAttested:
			return false
		case row.Kind == schema.Destroy:
			return emptied[row.Inputs[0]]
		}
		return start(row.Output) || upstream[row.Output]
	}
}

// carriesWhole says whether a movement there, from the same inputs, carried whatever was there.
func (f *flows) carriesWhole(row CoverageRow) bool {
	return slices.ContainsFunc(row.Inputs, func(p string) bool { return slices.Contains(f.whole[row.Output], p) })
}

// changesReach says which movements could change where electors went from the places that start says: those out of
// them, and downstream; those into them, where all was carried on; those into what else the movements there came from,
// where that decides from where those carried somebody; and destroys there.
func (f *flows) changesReach(start func(string) bool) func(CoverageRow) bool {
	downstream := f.downstream(start)
	beside := ends(f.mixed, func(p string) bool { return downstream[p] })
	for place := range ends(f.whole, func(p string) bool { return downstream[p] }) {
		beside[place] = beside[place] || start(place)
	}
	carried := closure(f.whole, func(p string) bool { return beside[p] })
	emptied := ends(f.whole, func(p string) bool { return downstream[p] || beside[p] || carried[p] })
	return func(row CoverageRow) bool {
		switch {
		case row.unrecorded():
			return start(row.Output) || downstream[row.Output]
		case row.Code == CodeAttested:
			return false
		case row.Kind == schema.Destroy:
			return emptied[row.Inputs[0]]
		}
		return beside[row.Output] || carried[row.Output] ||
			slices.ContainsFunc(row.Inputs, func(p string) bool { return start(p) || downstream[p] })
	}
}

// changesAccount says which of the movements could change what came into, and went out of, the places that start says: those
// there, and what changes what they hold, or what the other inputs of a movement of everything out of there hold.
func (f *flows) changesAccount(moves []move, start func(string) bool) func(CoverageRow) bool {
	inputs := map[string]bool{}
	for i := range moves {
		if m := &moves[i]; m.mode == schema.Whole && slices.ContainsFunc(m.inputs, start) {
			for _, p := range m.inputs {
				inputs[p] = true
			}
		}
	}
	here, there := f.changesContent(start, true), f.changesContent(func(p string) bool { return inputs[p] }, true)
	return func(row CoverageRow) bool {
		return start(row.Output) || slices.ContainsFunc(row.Inputs, start) || here(row) || !row.unrecorded() && there(row)
	}
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

// ends returns the places to which one edge leads from those that start says.
func ends(edges map[string][]string, start func(string) bool) map[string]bool {
	seen := map[string]bool{}
	for place, ends := range edges {
		if start(place) {
			for _, end := range ends {
				seen[end] = true
			}
		}
	}
	return seen
}
