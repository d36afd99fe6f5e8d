package oracle

import (
	"slices"

	"github.com/rolltrace/rolltrace/schema"
)

// A Trouble is something that is missing from what a sidecar recorded.
type Trouble struct {
	Code    string
	Sidecar string         // org/sidecar
	Places  []schema.Place // where it can have happened; nil: anywhere
	Records uint64
}

// Troubles are all that are known as of a time. Every sidecar with heartbeats is taken to have been silent since the
// last message, which was later than any time asked for but now.
func (m *Model) Troubles(asOf schema.Time) []Trouble {
	var out []Trouble
	for _, h := range m.Holes() {
		if !h.Reported {
			out = append(out, Trouble{"hole", h.Org + "/" + h.Sidecar, m.territory(h.Org, h.Sidecar), 0})
		}
	}
	silent := map[string]bool{}
	for box, c := range m.outboxes {
		name := box.org + "/" + box.sidecar
		for _, g := range c.reported {
			where := []schema.Place{g.Place}
			if g.Place == "" {
				where = m.territory(box.org, box.sidecar)
			}
			if asOf.IsZero() || g.Instance != "" || !g.From.After(asOf.Time) {
				out = append(out, Trouble{"gap", name, where, g.Records})
			}
		}
		if len(c.beats) > 0 && asOf.IsZero() && !silent[name] {
			silent[name] = true
			out = append(out, Trouble{"silent", name, m.territory(box.org, box.sidecar), 0})
		}
	}
	return out
}

// territory is where a sidecar ever said that it records, and where movements that it published were; nil if it
// never said where.
func (m *Model) territory(org, sidecar string) []schema.Place {
	var out []schema.Place
	for box, c := range m.outboxes {
		if box.org == org && box.sidecar == sidecar {
			for _, b := range c.beats {
				out = append(out, b.Places...)
			}
		}
	}
	if len(out) == 0 {
		return nil
	}
	for _, movement := range m.current(asRecorded) {
		if movement.Ref.Org == org && movement.Ref.Sidecar == sidecar {
			out = append(out, movement.inputs()...)
			if movement.Output != "" {
				out = append(out, movement.Output)
			}
		}
	}
	return out
}

// Covered says whether the last heartbeat of a sidecar, up to the time, has the place.
func (w *World) Covered(place schema.Place) bool {
	for _, s := range w.model.Sidecars(w.AsOf) {
		if s.Last != nil && slices.Contains(s.Last.Places, place) {
			return true
		}
	}
	return false
}

// Named are the places that any movement names that counts.
func (w *World) Named() []schema.Place {
	var out []schema.Place
	for _, m := range w.Movements {
		if m.Counts() {
			out = append(out, m.inputs()...)
			if m.Output != "" {
				out = append(out, m.Output)
			}
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// Downstream are the places to which movements lead from those that from says, whatever they carried and whenever.
func (w *World) Downstream(from func(schema.Place) bool) map[schema.Place]bool {
	return w.along(from, func(m *Movement) (leaves, arrives []schema.Place) { return m.inputs(), []schema.Place{m.Output} })
}

// Upstream is Downstream, backwards.
func (w *World) Upstream(from func(schema.Place) bool) map[schema.Place]bool {
	return w.along(from, func(m *Movement) (leaves, arrives []schema.Place) { return []schema.Place{m.Output}, m.inputs() })
}

func (w *World) along(from func(schema.Place) bool, ends func(*Movement) (leaves, arrives []schema.Place)) map[schema.Place]bool {
	found := map[schema.Place]bool{}
	for more := true; more; {
		more = false
		for _, m := range w.Movements {
			if !m.Adds() {
				continue
			}
			leaves, arrives := ends(m)
			if !slices.ContainsFunc(leaves, func(p schema.Place) bool { return from(p) || found[p] }) {
				continue
			}
			for _, p := range arrives {
				more = more || !found[p]
				found[p] = true
			}
		}
	}
	return found
}
