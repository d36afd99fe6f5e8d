package oracle

import (
	"slices"

	"github.com/rolltrace/rolltrace/schema"
)

// What a field can have come from.
const (
	List    = "list"
	Other   = "other"
	Unknown = "unknown"
)

// Traced is, by place and by field, what a field that reached the place can have come from. The field "" stands for those
// that are not said.
type Traced[Origin comparable] map[schema.Place]map[string]map[Origin]bool

// Fields are the field categories that reached places with an elector, and what each can have come from: List, Other,
// Unknown. lists are the places and organisations that are the list of electors.
func (w *World) Fields(e Elector, lists []string) Traced[string] {
	return traced(w, e, func(m *Movement, from schema.Place, had bool) (string, bool) {
		switch {
		case slices.ContainsFunc(lists, func(name string) bool { return At(name, from) }):
			return List, true
		case had:
			return "", false
		case from != "" && m.Kind == schema.Collect && len(lists) > 0:
			return Other, true
		}
		return Unknown, true
	})
}

// A FieldSource is where a route of a field begins: nothing says that the place had it from elsewhere. The zero one is that
// of a field which none of the inputs of a movement had.
type FieldSource struct {
	Place     schema.Place
	Collected bool // there, from outside
}

// FieldSources are the field categories that reached places with an elector, and the sources of each.
func (w *World) FieldSources(e Elector) Traced[FieldSource] {
	return traced(w, e, func(m *Movement, from schema.Place, had bool) (FieldSource, bool) {
		return FieldSource{from, from != "" && m.Kind == schema.Collect}, !had
	})
}

// traced follows the fields of an elector. begins says whether a field that a movement takes from a place, where it had
// come before or had not, has an origin there, and which; the place is "" where no input gave it.
func traced[Origin comparable](w *World, e Elector, begins func(m *Movement, from schema.Place, had bool) (Origin, bool)) Traced[Origin] {
	ever := Traced[Origin]{}
	now := map[schema.Place]map[string]bool{}
	for _, m := range w.Carrying(e) {
		if m.Counts() && m.Removes() {
			delete(now, m.Inputs[0].Place)
		}
		if !m.Adds() {
			continue
		}
		brought := map[string]map[Origin]bool{}
		add := func(field string, origin Origin) {
			if brought[field] == nil {
				brought[field] = map[Origin]bool{}
			}
			brought[field][origin] = true
		}
		named := m.AllFields()
		for _, in := range m.Inputs {
			if !slices.Contains(m.From[e], in.Place) {
				continue
			}
			var carried []string
			switch {
			case len(named) == 0 && m.Electors.Mode == schema.Whole:
				for field := range now[in.Place] {
					carried = append(carried, field)
				}
			case len(named) == 0:
				carried = []string{""}
			default:
				for _, field := range named {
					if m.gives(in, field) {
						carried = append(carried, field)
					}
				}
			}
			for _, field := range carried {
				had := ever[in.Place][field]
				for origin := range had {
					add(field, origin)
				}
				if origin, ok := begins(m, in.Place, len(had) > 0); ok {
					add(field, origin)
				}
			}
		}
		for _, field := range named {
			if origin, ok := begins(m, "", false); ok && len(brought[field]) == 0 {
				add(field, origin)
			}
		}
		for field, origins := range brought {
			if ever[m.Output] == nil {
				ever[m.Output] = map[string]map[Origin]bool{}
			}
			if now[m.Output] == nil {
				now[m.Output] = map[string]bool{}
			}
			if ever[m.Output][field] == nil {
				ever[m.Output][field] = map[Origin]bool{}
			}
			now[m.Output][field] = true
			for origin := range origins {
				ever[m.Output][field][origin] = true
			}
		}
	}
	return ever
}

// AllFields are the fields that a movement names, for itself or for an input, sorted.
func (m *Movement) AllFields() []string {
	named := slices.Clone(m.Fields)
	for _, in := range m.Inputs {
		named = append(named, in.Fields...)
	}
	slices.Sort(named)
	return slices.Compact(named)
}

// gives says whether an input can have given a field: one that names none can have given any, and where no input
// names the field, each can.
func (m *Movement) gives(in schema.Input, field string) bool {
	can := func(in schema.Input) bool { return len(in.Fields) == 0 || slices.Contains(in.Fields, field) }
	return can(in) || !slices.ContainsFunc(m.Inputs, can)
}

// UnclearOnTheWay are the places on routes of electors to a place or organisation where it is not known of some by
// which input they came.
func (w *World) UnclearOnTheWay(at string) map[schema.Place]bool {
	out := map[schema.Place]bool{}
	for e := range w.Reached(at) {
		var on []*Movement
		for _, m := range slices.Backward(w.Carrying(e)) {
			leads := func(later *Movement) bool { return slices.Contains(later.From[e], m.Output) }
			if m.Adds() && (At(at, m.Output) || slices.ContainsFunc(on, leads)) {
				on = append(on, m)
				if m.unclear[e] {
					out[m.Output] = true
				}
			}
		}
	}
	return out
}
