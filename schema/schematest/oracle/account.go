package oracle

import (
	"slices"
	"strings"

	"github.com/rolltrace/rolltrace/schema"
)

// An Alike is what the movements of an entry of an account have in common.
type Alike struct {
	Direction                             string // in, out or within
	Kind                                  schema.Kind
	Basis                                 schema.Basis
	Removes                               bool
	From, To                              string // organisations, and one; of an access the place it went to
	Fields                                string
	Purpose, Agreement, LegalBasis, Actor string
}

// An Entry is the movements of an account that are alike.
type Entry struct {
	Movements, Unfinished uint64
	First, Last           schema.Time
	Electors              Set
	Records               uint64 // whose electors are not known
	FromPlaces, ToPlaces  map[schema.Place]bool
}

// Account is what a place or an organisation received, passed on and destroyed.
func (w *World) Account(at string) map[Alike]*Entry {
	out := map[Alike]*Entry{}
	for _, m := range w.Movements {
		in := m.Output != "" && At(at, m.Output)
		off := slices.ContainsFunc(m.inputs(), func(p schema.Place) bool { return At(at, p) })
		if !m.Counts() || !in && !off {
			continue
		}
		alike := m.alike()
		switch {
		case in && off:
			alike.Direction = "within"
		case in:
			alike.Direction = "in"
		default:
			alike.Direction = "out"
		}
		e := out[alike]
		if e == nil {
			e = &Entry{First: m.OccurredAt, Electors: Set{}, FromPlaces: map[schema.Place]bool{}, ToPlaces: map[schema.Place]bool{}}
			out[alike] = e
		}
		e.Movements++
		e.Last = m.OccurredAt
		if m.State == schema.Open || m.Outcome == schema.Failed {
			e.Unfinished++
		}
		if m.Electors.Mode == schema.Counted {
			e.Records += m.Electors.Records
		} else {
			e.Electors.add(m.S)
			e.Records += m.unkeyed()
		}
		for _, p := range m.inputs() {
			e.FromPlaces[p] = true
		}
		if m.Output != "" {
			e.ToPlaces[m.Output] = true
		}
	}
	return out
}

func (m *Movement) alike() Alike {
	a := Alike{Kind: m.Kind, Basis: m.EffectiveBasis(), Removes: m.Removes(), To: m.Output.Org(), Fields: strings.Join(m.AllFields(), " "),
		Purpose: m.Purpose, Agreement: m.Agreement, LegalBasis: m.LegalBasis, Actor: m.Actor}
	if m.Kind == schema.Access {
		a.To = string(m.Output)
	}
	a.From = strings.Join(m.fromOrgs(), " ")
	return a
}

// fromOrgs are the organisations that own the inputs, sorted.
func (m *Movement) fromOrgs() []string {
	var orgs []string
	for _, p := range m.inputs() {
		orgs = append(orgs, p.Org())
	}
	slices.Sort(orgs)
	return slices.Compact(orgs)
}

// InputOrgs are the organisations that own its inputs.
func (m *Movement) InputOrgs() map[string]bool {
	orgs := map[string]bool{}
	for _, org := range m.fromOrgs() {
		orgs[org] = true
	}
	return orgs
}

// Orgs are those that own any of its places.
func (m *Movement) Orgs() map[string]bool {
	orgs := m.InputOrgs()
	if m.Output != "" {
		orgs[m.Output.Org()] = true
	}
	return orgs
}

// Left is what the places of an organisation hold of the electors that entered it, from others, under an agreement, and never
// entered it under one that is not over.
func (w *World) Left(agreement, org string, over []string) map[schema.Place]Set {
	under, otherwise := Set{}, Set{}
	for _, m := range w.Movements {
		if !m.Adds() || m.Output.Org() != org || slices.Contains(m.fromOrgs(), org) {
			continue
		}
		if m.Agreement == agreement {
			under.add(m.S)
		}
		if !slices.Contains(over, m.Agreement) {
			otherwise.add(m.S)
		}
	}
	out := map[schema.Place]Set{}
	for place, held := range w.holding {
		for e := range held {
			if place.Org() == org && under[e] && !otherwise[e] {
				w.at(out, place)[e] = true
			}
		}
	}
	return out
}
