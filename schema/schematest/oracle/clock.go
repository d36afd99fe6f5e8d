package oracle

import (
	"slices"
	"time"

	"github.com/rolltrace/rolltrace/schema"
)

// Off is by how much the clock of a movement's sidecar may be off: the most that heartbeats of its day, the one before
// and the one after say.
func (w *World) Off(m *Movement) time.Duration {
	day := func(t schema.Time) time.Time { return t.Truncate(24 * time.Hour) }
	var most time.Duration
	for box, c := range w.model.outboxes {
		if box.org != m.Ref.Org || box.sidecar != m.Ref.Sidecar {
			continue
		}
		for _, b := range c.beats {
			if apart := day(b.At).Sub(day(m.OccurredAt)); b.ClockKnown && apart.Abs() <= 24*time.Hour {
				most = max(most, (time.Duration(b.ClockOffset) * time.Microsecond).Abs())
			}
		}
	}
	return most
}

// close is how many movements are closer to m than the clocks of the two are off, where their order decides what m did:
// those into its inputs, and destroys there.
func (w *World) close(m *Movement) uint64 {
	var n uint64
	for _, other := range w.Movements {
		apart := m.OccurredAt.Sub(other.OccurredAt.Time).Abs()
		sameClock := m.Ref.Org == other.Ref.Org && m.Ref.Sidecar == other.Ref.Sidecar
		if !sameClock && other.carries() && m.carries() && apart < w.Off(m)+w.Off(other) && orderDecides(m, other) {
			n++
		}
	}
	return n
}

func (m *Movement) carries() bool {
	return m.Counts() && m.Electors.Mode != schema.Counted && (m.Output != "" || m.Removes())
}

func orderDecides(m, other *Movement) bool {
	switch {
	case other.Removes() && m.Removes():
		return other.Inputs[0].Place == m.Inputs[0].Place && m.Electors.Mode == schema.Whole
	case other.Removes():
		return slices.Contains(m.inputs(), other.Inputs[0].Place)
	}
	return slices.Contains(m.inputs(), other.Output)
}
