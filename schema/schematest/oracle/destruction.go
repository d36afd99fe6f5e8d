package oracle

import (
	"slices"

	"github.com/rolltrace/rolltrace/schema"
)

// destroyed is the electors that were destroyed at a place before a movement (nil: up to now), and have not entered
// it again; held those that it holds then.
func (w *World) destroyed(place schema.Place, before *Movement) (gone, held Set) {
	gone, held = Set{}, Set{}
	for _, m := range w.Movements {
		if m == before {
			break
		}
		if m.Counts() && m.Removes() && m.Inputs[0].Place == place {
			gone.add(m.S)
			held.remove(m.S)
		}
		if m.Adds() && m.Output == place {
			gone.remove(m.S)
			held.add(m.S)
		}
	}
	return gone, held
}

// A Copy is what is left somewhere of what was destroyed elsewhere.
type Copy struct {
	Electors    Set
	Since, Last schema.Time // the first and the last movement that brought them
}

// Copies are what is left of what was destroyed at a place or organisation, by place and organisation; and what
// was destroyed. The one asked is not among them. Unclear are the places on the way where it is not known of some by
// which input they came.
func (w *World) Copies(at string) (copies map[string]*Copy, destroyed Set, unclear map[schema.Place]bool) {
	copies, destroyed, unclear = map[string]*Copy{}, Set{}, map[schema.Place]bool{}
	gone := map[schema.Place]Set{}
	for _, m := range w.Movements {
		if !m.Counts() || !m.Removes() {
			continue
		}
		if p := m.Inputs[0].Place; At(at, p) && gone[p] == nil {
			gone[p], _ = w.destroyed(p, nil)
			destroyed.add(gone[p])
		}
	}
	for e := range destroyed {
		var on []*Movement // those on a route from where it was destroyed
		for _, m := range w.Carrying(e) {
			comes := func(from schema.Place) bool {
				return gone[from][e] || slices.ContainsFunc(on, func(earlier *Movement) bool { return earlier.Output == from })
			}
			if m.Adds() && slices.ContainsFunc(m.From[e], comes) {
				on = append(on, m)
				unclear[m.Output] = unclear[m.Output] || m.unclear[e]
			}
		}
		for _, m := range on {
			if !w.destroyedAfter(m, e) {
				leave(copies, at, m, e)
			}
		}
	}
	return copies, destroyed, unclear
}

func (w *World) destroyedAfter(entry *Movement, e Elector) bool {
	return slices.ContainsFunc(w.Movements[slices.Index(w.Movements, entry)+1:], func(m *Movement) bool {
		return m.Counts() && m.Removes() && m.Inputs[0].Place == entry.Output && m.S[e]
	})
}

func leave(copies map[string]*Copy, at string, m *Movement, e Elector) {
	for _, name := range []string{string(m.Output), m.Output.Org()} {
		if name == at {
			continue
		}
		c := copies[name]
		if c == nil {
			c = &Copy{Electors: Set{}, Since: m.OccurredAt, Last: m.OccurredAt}
			copies[name] = c
		}
		c.Electors[e] = true
		if m.OccurredAt.Before(c.Since.Time) {
			c.Since = m.OccurredAt
		}
		if m.OccurredAt.After(c.Last.Time) {
			c.Last = m.OccurredAt
		}
	}
}

// A Use is electors that a movement took out of a place after they had been destroyed there.
type Use struct {
	*Movement
	Place    schema.Place
	Electors Set
}

// Used are all of them, in the order of the movements and their inputs.
func (w *World) Used() []Use {
	var out []Use
	for _, m := range w.Movements {
		if !m.Adds() {
			continue
		}
		held := Set{}
		for _, p := range m.inputs() {
			_, here := w.destroyed(p, m)
			held.add(here)
		}
		for _, p := range m.inputs() {
			gone, _ := w.destroyed(p, m)
			use := Use{m, p, Set{}}
			for e := range m.S {
				if gone[e] && !held[e] {
					use.Electors[e] = true
				}
			}
			if len(use.Electors) > 0 {
				out = append(out, use)
			}
		}
	}
	return out
}
