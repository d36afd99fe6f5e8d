package registry

import (
	"bytes"
	"slices"
	"strings"
	"time"

	"github.com/rolltrace/rolltrace/schema"
)

// A Version is a registry that was applied.
type Version struct {
	AppliedAt schema.Time
	ValidFrom schema.Time // from then on it counts, unless a later one does
	Hash      [32]byte    // of its message: decides between two that were applied at the same instant
	Registry  *Registry
}

// A History is every version that was applied. As of t, that one counts which was applied last among those that are valid
// from t or earlier: a registry that corrects the past takes the place of what was said of it before.
type History struct {
	from    []time.Time // when each index begins to count, in order
	indexes []*Index
}

// NewHistory takes versions in any order, and any of them more than once.
func NewHistory(versions []Version) *History {
	versions = slices.Clone(versions)
	slices.SortFunc(versions, func(a, b Version) int { // those applied last first
		if c := b.AppliedAt.Compare(a.AppliedAt.Time); c != 0 {
			return c
		}
		return bytes.Compare(b.Hash[:], a.Hash[:])
	})
	h := &History{}
	var begins []time.Time
	for _, v := range versions {
		begins = append(begins, v.ValidFrom.Time)
	}
	slices.SortFunc(begins, time.Time.Compare)
	made := map[[32]byte]*Index{}
	for _, at := range slices.CompactFunc(begins, time.Time.Equal) {
		counts := versions[slices.IndexFunc(versions, func(v Version) bool { return !v.ValidFrom.After(at) })]
		if made[counts.Hash] == nil {
			made[counts.Hash] = newIndex(counts.Registry)
		}
		h.from, h.indexes = append(h.from, at), append(h.indexes, made[counts.Hash])
	}
	return h
}

// nothing is the registry before the first one.
var nothing = newIndex(&Registry{})

// At is the registry that counts as of t. It is never nil.
func (h *History) At(t time.Time) *Index {
	n, found := slices.BinarySearchFunc(h.from, t, time.Time.Compare)
	if found {
		n++
	}
	if n == 0 {
		return nothing
	}
	return h.indexes[n-1]
}

// An Index finds things in one registry.
type Index struct {
	*Registry
	organisations map[string]*Organisation
	systems       map[string]*System
	datasets      map[string]*Dataset
	people        map[string]*Person
	purposes      map[string]*Purpose
	sources       map[string]*Source
	agreements    map[string]*Agreement
	policies      map[string]*Policy
}

func newIndex(r *Registry) *Index {
	return &Index{
		Registry:      r,
		organisations: by(r.Organisations, func(o Organisation) string { return o.ID }),
		systems:       by(r.Systems, func(s System) string { return s.ID }),
		datasets:      by(r.Datasets, func(d Dataset) string { return d.Place }),
		people:        by(r.People, func(p Person) string { return p.Place }),
		purposes:      by(r.Purposes, func(p Purpose) string { return p.ID }),
		sources:       by(r.Sources, func(s Source) string { return s.ID }),
		agreements:    by(r.Agreements, func(a Agreement) string { return a.ID }),
		policies:      by(r.Policies, func(p Policy) string { return p.Organisation }),
	}
}

func by[T any](list []T, id func(T) string) map[string]*T {
	out := make(map[string]*T, len(list))
	for i := range list {
		out[id(list[i])] = &list[i]
	}
	return out
}

// Organisation, Agreement, Policy, Person and Source are nil when there is none of that id.
func (x *Index) Organisation(id string) *Organisation { return x.organisations[id] }

// Agreement is the agreement that movements name so.
func (x *Index) Agreement(id string) *Agreement { return x.agreements[id] }

// Policy is that of an organisation.
func (x *Index) Policy(organisation string) *Policy { return x.policies[organisation] }

// Person is the person at a place.
func (x *Index) Person(place string) *Person { return x.people[place] }

// Source is a source by its id.
func (x *Index) Source(id string) *Source { return x.sources[id] }

// A PlaceFact is what is registered of a place.
type PlaceFact struct {
	Registered   bool // itself, or its system, and its organisation
	Owner        string
	Kind         string // of the owner
	Jurisdiction string
	Sources      []string
}

// Place is what the registry says of a place.
func (x *Index) Place(place schema.Place) PlaceFact {
	f := PlaceFact{Owner: place.Org()}
	system, dataset := x.systems[place.Org()+"/"+place.System()], x.datasets[string(place)]
	f.Registered = (system != nil || dataset != nil || x.people[string(place)] != nil) && x.organisations[place.Org()] != nil
	if system != nil {
		f.say(system.Owner, system.Jurisdiction, system.Sources)
	}
	if dataset != nil {
		f.say(dataset.Owner, dataset.Jurisdiction, dataset.Sources)
	}
	if owner := x.organisations[f.Owner]; owner != nil {
		f.Kind = owner.Kind
		if f.Jurisdiction == "" {
			f.Jurisdiction = owner.Jurisdiction
		}
	}
	return f
}

func (f *PlaceFact) say(owner, jurisdiction string, sources []string) {
	if owner != "" {
		f.Owner = owner
	}
	if jurisdiction != "" {
		f.Jurisdiction = jurisdiction
	}
	if len(sources) > 0 {
		f.Sources = sources
	}
}

// Purposes are a purpose and everything that it is part of, nearest first; nothing for "".
func (x *Index) Purposes(id string) []string {
	var out []string
	for id != "" && !slices.Contains(out, id) {
		out = append(out, id)
		p := x.purposes[id]
		if p == nil {
			break
		}
		id = p.PartOf
	}
	return out
}

// Family is an organisation and everything above it, nearest first.
func (x *Index) Family(id string) []string {
	var out []string
	for id != "" && !slices.Contains(out, id) {
		out = append(out, id)
		o := x.organisations[id]
		if o == nil {
			break
		}
		id = o.Parent
	}
	return out
}

// Election says whether an election period runs at t where the jurisdiction is. A period of a country is one of its parts too, and a
// period without a jurisdiction is one everywhere.
func (x *Index) Election(jurisdiction string, t time.Time) bool {
	return slices.ContainsFunc(x.Elections, func(e Election) bool {
		begins, _ := e.Start.Begins()
		ends, _ := e.End.Ends()
		here := e.Jurisdiction == "" || e.Jurisdiction == jurisdiction || strings.HasPrefix(jurisdiction, e.Jurisdiction+"-")
		return here && !t.Before(begins) && t.Before(ends)
	})
}

// Active says whether the agreement is in force at t.
func (a *Agreement) Active(t time.Time) bool {
	if begins, ok := a.Start.Begins(); ok && t.Before(begins) {
		return false
	}
	ends, ok := a.End.Ends()
	return !ok || t.Before(ends)
}
