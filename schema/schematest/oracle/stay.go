package oracle

import (
	"cmp"

	"github.com/rolltrace/rolltrace/schema"
)

func (e Elector) compare(other Elector) int {
	return cmp.Or(cmp.Compare(e.IDSpace, other.IDSpace), cmp.Compare(e.KeyID, other.KeyID), cmp.Compare(e.Key, other.Key))
}

// A Stay is an elector at a place.
type Stay struct {
	Place       schema.Place
	Holding     bool
	Entries     int
	First, Last schema.Time // entries
	Destroyed   schema.Time // the last time that it was destroyed there on the word of the owner
}

// Stays are the places that an elector reached, by first entry.
func (w *World) Stays(e Elector) []Stay {
	var out []Stay
	for _, place := range w.entered(e) {
		s := Stay{Place: place, Holding: w.holding[place][e]}
		for _, m := range w.Carrying(e) {
			switch {
			case m.Adds() && m.Output == place:
				if s.Entries == 0 {
					s.First = m.OccurredAt
				}
				s.Entries++
				s.Last = m.OccurredAt
			case m.Removes() && m.Inputs[0].Place == place:
				s.Destroyed = m.OccurredAt
			}
		}
		out = append(out, s)
	}
	return out
}

// entered is the places that an elector entered, in the order of the first entries.
func (w *World) entered(e Elector) []schema.Place {
	var places []schema.Place
	seen := map[schema.Place]bool{}
	for _, m := range w.Carrying(e) {
		if m.Adds() && !seen[m.Output] {
			seen[m.Output] = true
			places = append(places, m.Output)
		}
	}
	return places
}
