package oracle

import (
	"cmp"
	"maps"
	"slices"

	"github.com/rolltrace/rolltrace/schema"
)

// A Doubt is why a movement could change answers, as docs/json.md names it.
type Doubt struct {
	Code string
	*Movement
	Count uint64 // records whose electors are not known, or chunks missing
}

// Doubts are the doubts of the movements, by code and then in order.
func (w *World) Doubts() []Doubt {
	var out []Doubt
	for _, m := range w.Movements {
		if !m.Counts() {
			continue
		}
		doubt := func(when bool, code string, count uint64) {
			if when {
				out = append(out, Doubt{code, m, count})
			}
		}
		doubt(m.State == schema.Open, "open", 0)
		doubt(m.Outcome == schema.Failed, "failed", 0)
		doubt(m.Electors.Mode == schema.Counted, "counted", m.Electors.Records)
		doubt(m.unkeyed() > 0, "counted", m.unkeyed())
		doubt(w.unentered(m) > 0, "whole", w.unentered(m))
		doubt(m.Missing > 0, "chunks_missing", uint64(m.Missing))
		doubt(!m.Kind.Known(), "unknown_kind", 0)
		doubt(w.close(m) > 0, "clock", w.close(m))
		doubt(m.Kind == schema.Destroy && m.EffectiveBasis() == schema.Attested, "attested", 0)
	}
	slices.SortStableFunc(out, func(x, y Doubt) int { return cmp.Compare(x.Code, y.Code) })
	return out
}

// unentered is how many inputs of a whole movement nothing is known to have entered before it: what was there
// is not known then.
func (w *World) unentered(m *Movement) uint64 {
	if m.Electors.Mode != schema.Whole {
		return 0
	}
	unknown := map[schema.Place]bool{}
	for _, place := range m.inputs() {
		unknown[place] = true
	}
	for _, earlier := range w.Movements {
		if earlier == m {
			break
		}
		if earlier.Adds() && earlier.Electors.Mode != schema.Counted {
			delete(unknown, earlier.Output)
		}
	}
	return uint64(len(unknown))
}

// unkeyed is how many records had no identifier: at most those of the column that lacked most.
func (m *Movement) unkeyed() uint64 {
	var most uint64
	for _, set := range m.Electors.Sets {
		most = max(most, set.Unkeyed)
	}
	return most
}

// A Hole is a run of messages of an outbox that never arrived.
type Hole struct {
	Org, Sidecar, Instance string
	First, Last            uint64
	Reported               bool
}

// Holes are the holes of all outboxes, sorted.
func (m *Model) Holes() []Hole {
	var out []Hole
	for box, c := range m.outboxes {
		before := uint64(0)
		for _, sequence := range slices.Sorted(maps.Keys(c.arrived)) {
			if sequence > before+1 {
				out = append(out, Hole{box.org, box.sidecar, box.instance, before + 1, sequence - 1, m.reported(box, before+1, sequence-1)})
			}
			before = sequence
		}
	}
	slices.SortFunc(out, func(x, y Hole) int {
		return cmp.Or(cmp.Compare(x.Org, y.Org), cmp.Compare(x.Sidecar, y.Sidecar), cmp.Compare(x.Instance, y.Instance), cmp.Compare(x.First, y.First))
	})
	return out
}

// reported says whether a sidecar says itself that these messages of an outbox of its own are lost.
func (m *Model) reported(lost outbox, first, last uint64) bool {
	for box, c := range m.outboxes {
		if box.org != lost.org || box.sidecar != lost.sidecar {
			continue
		}
		for _, g := range c.reported {
			if g.Instance == lost.instance && g.FirstSequence <= first && last <= g.LastSequence {
				return true
			}
		}
	}
	return false
}

// Names says whether any movement that counts names a place or organisation, or a sidecar covers it.
func (m *Model) Names(at string) bool {
	for _, movement := range m.current(asRecorded) {
		if movement.Counts() && (movement.Output != "" && At(at, movement.Output) || slices.ContainsFunc(movement.inputs(), func(p schema.Place) bool { return At(at, p) })) {
			return true
		}
	}
	for _, c := range m.outboxes {
		for _, b := range c.beats {
			if slices.ContainsFunc(b.Places, func(p schema.Place) bool { return At(at, p) }) {
				return true
			}
		}
	}
	return false
}
