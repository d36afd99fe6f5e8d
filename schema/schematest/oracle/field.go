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

// Fields are the field categories that reached a place or an organisation with an elector, and what each can have come
// from; "" stands for those that are not said. lists are the places and organisations that are the list of electors.
func (w *World) Fields(e Elector, at string, lists []string) map[string]map[string]bool {
	ever := map[schema.Place]map[string]map[string]bool{}
	now := map[schema.Place]map[string]bool{}
	for _, m := range w.Carrying(e) {
		if m.Counts() && m.Removes() {
			delete(now, m.Inputs[0].Place)
		}
		if !m.Adds() {
			continue
		}
		brought := map[string]map[string]bool{}
		add := func(field, origin string) {
			if brought[field] == nil {
				brought[field] = map[string]bool{}
			}
			brought[field][origin] = true
		}
		named := slices.Clone(m.Fields)
		for _, in := range m.Inputs {
			named = append(named, in.Fields...)
		}
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
			list := slices.ContainsFunc(lists, func(name string) bool { return At(name, in.Place) })
			for _, field := range carried {
				for origin := range ever[in.Place][field] {
					add(field, origin)
				}
				switch {
				case list:
					add(field, List)
				case len(ever[in.Place][field]) > 0:
				case m.Kind == schema.Collect && len(lists) > 0:
					add(field, Other)
				default:
					add(field, Unknown)
				}
			}
		}
		for _, field := range named {
			if len(brought[field]) == 0 {
				add(field, Unknown)
			}
		}
		for field, origins := range brought {
			if ever[m.Output] == nil {
				ever[m.Output] = map[string]map[string]bool{}
			}
			if now[m.Output] == nil {
				now[m.Output] = map[string]bool{}
			}
			if ever[m.Output][field] == nil {
				ever[m.Output][field] = map[string]bool{}
			}
			now[m.Output][field] = true
			for origin := range origins {
				ever[m.Output][field][origin] = true
			}
		}
	}
	out := map[string]map[string]bool{}
	for place, fields := range ever {
		if !At(at, place) {
			continue
		}
		for field, origins := range fields {
			if out[field] == nil {
				out[field] = map[string]bool{}
			}
			for origin := range origins {
				out[field][origin] = true
			}
		}
	}
	return out
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
