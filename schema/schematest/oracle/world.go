package oracle

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/rolltrace/rolltrace/schema"
)

// A World is what is known of everything as of a time: what every answer is read from.
type World struct {
	AsOf      schema.Time // zero: all that is known
	Movements []*Movement // that occurred by then, in order; retracted ones too

	model   *Model
	holding map[schema.Place]Set
	reached map[schema.Place]Set
}

// World goes through the movements up to a time, one after another.
func (m *Model) World(asOf schema.Time) *World {
	return m.world(asOf, asRecorded, func(*Movement) {})
}

// Shifted is the world in which movements took place earlier or later than they say, as far as their order is
// concerned.
func (m *Model) Shifted(asOf schema.Time, shift func(*Movement) time.Duration) *World {
	return m.world(asOf, shift, func(*Movement) {})
}

// Otherwise is the world in which the movement of a doubt was not as it is recorded: it carried further electors, and
// was completed; or, if nobody knows what its kind does, it carried nobody. An answer that differs there could be
// changed by the movement.
func (m *Model) Otherwise(asOf schema.Time, d Doubt, further Elector) *World {
	return m.world(asOf, asRecorded, func(other *Movement) {
		switch {
		case other.Ref != d.Ref:
		case d.Code == "unknown_kind":
			clear(other.S)
		default:
			other.S[further] = true
			if other.Kind == schema.Destroy {
				other.Outcome = schema.Completed
			}
		}
	})
}

// world changes movements as soon as it is known what they carried.
func (m *Model) world(asOf schema.Time, shift func(*Movement) time.Duration, change func(*Movement)) *World {
	w := &World{AsOf: asOf, model: m, holding: map[schema.Place]Set{}, reached: map[schema.Place]Set{}}
	for _, movement := range m.current(shift) {
		if !asOf.IsZero() && movement.OccurredAt.After(asOf.Time) {
			continue
		}
		w.Movements = append(w.Movements, movement)
		if !movement.Counts() {
			continue
		}
		if movement.Electors.Mode == schema.Whole {
			for _, place := range movement.inputs() {
				movement.S.add(w.holding[place])
			}
		}
		change(movement)
		for e := range movement.S {
			from, known := w.attribute(movement, e)
			movement.From[e] = from
			if !known {
				movement.unclear[e] = true
			}
		}
		if movement.Removes() {
			w.at(w.holding, movement.Inputs[0].Place).remove(movement.S)
		}
		if movement.Adds() {
			w.at(w.holding, movement.Output).add(movement.S)
			w.at(w.reached, movement.Output).add(movement.S)
		}
	}
	return w
}

func (w *World) at(sets map[schema.Place]Set, place schema.Place) Set {
	if sets[place] == nil {
		sets[place] = Set{}
	}
	return sets[place]
}

// attribute says from which of its inputs a movement took an elector: from those that it is recorded to have
// entered; if there is none, from those that nobody of its id space and secret is recorded to have entered; if there
// is none, it is not known which, and it counts for all of them.
func (w *World) attribute(m *Movement, e Elector) (from []schema.Place, known bool) {
	inputs := m.inputs()
	for _, place := range inputs {
		if w.reached[place][e] {
			from = append(from, place)
		}
	}
	if len(from) > 0 {
		return from, true
	}
	for _, place := range inputs {
		if !w.reached[place].has(e.IDSpace, e.KeyID) {
			from = append(from, place)
		}
	}
	if len(from) > 0 {
		return from, true
	}
	return inputs, len(inputs) == 1
}

func (s Set) has(space schema.IDSpace, secret schema.KeyID) bool {
	for e := range s {
		if e.IDSpace == space && e.KeyID == secret {
			return true
		}
	}
	return false
}

// At says whether place is at, or one of the organisation at.
func At(at string, place schema.Place) bool {
	return string(place) == at || !strings.Contains(at, "/") && place.Org() == at
}

// Holding is the electors that a place, or any place of an organisation, holds.
func (w *World) Holding(at string) Set { return union(w.holding, at) }

// Reached is the electors that ever entered a place, or any place of an organisation.
func (w *World) Reached(at string) Set { return union(w.reached, at) }

func union(sets map[schema.Place]Set, at string) Set {
	all := Set{}
	for place, set := range sets {
		if At(at, place) {
			all.add(set)
		}
	}
	return all
}

// Places are the places that were ever entered, sorted.
func (w *World) Places() []schema.Place {
	return slices.Sorted(maps.Keys(w.reached))
}

// Electors are all that any movement carried, also one that was retracted.
func (w *World) Electors() []Elector {
	all := Set{}
	for _, m := range w.Movements {
		all.add(m.S)
	}
	return slices.SortedFunc(maps.Keys(all), Elector.compare)
}

// Carrying are the movements that carried an elector, in order; retracted ones too.
func (w *World) Carrying(e Elector) []*Movement {
	var out []*Movement
	for _, m := range w.Movements {
		if m.S[e] {
			out = append(out, m)
		}
	}
	return out
}

// Unclear says whether it is not known by which of the movement's inputs an elector came.
func (m *Movement) Unclear(e Elector) bool { return m.unclear[e] }

// Unclear are the places where it is not known of some electors by which input of a movement they came.
func (w *World) Unclear() map[schema.Place]bool {
	out := map[schema.Place]bool{}
	for _, m := range w.Movements {
		if m.Adds() && len(m.unclear) > 0 {
			out[m.Output] = true
		}
	}
	return out
}
