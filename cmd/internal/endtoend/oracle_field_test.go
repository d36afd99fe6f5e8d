package endtoend

import (
	"fmt"

	"github.com/rolltrace/rolltrace/schema/graph"
	"github.com/rolltrace/rolltrace/schema/schematest/oracle"
)

// lists are what histories take for the list of electors: a place where nothing comes to, as a rule, and one where
// much does.
func (p *played) lists() []string {
	var out []string
	for _, at := range []string{"office", "b/crm/voters"} {
		if p.model.Names(p.prefix + at) {
			out = append(out, p.prefix+at)
		}
	}
	return out
}

// tallies are sets of electors by what is said of them.
type tallies map[string]oracle.Set

func (t tallies) add(name string, e oracle.Elector) {
	if t[name] == nil {
		t[name] = oracle.Set{}
	}
	t[name][e] = true
}

func (t tallies) lines() []string {
	var out []string
	for name, set := range t {
		out = append(out, setLines(name, set)...)
	}
	return out
}

func fieldLines(w *oracle.World, at string, lists []string) []string {
	counts := tallies{}
	for _, e := range w.Electors() {
		origins := map[string]map[string]bool{} // by field
		for place, fields := range w.Fields(e, lists) {
			for field, from := range fields {
				if !oracle.At(at, place) {
					continue
				}
				if origins[field] == nil {
					origins[field] = map[string]bool{}
				}
				for origin := range from {
					origins[field][origin] = true
				}
			}
		}
		for field, from := range origins {
			counts.add("electors", e)
			origin := graph.OriginListOrOther
			switch {
			case from[oracle.Unknown]:
				origin = graph.OriginUnknown
			case !from[oracle.Other]:
				origin = graph.OriginList
			case !from[oracle.List]:
				origin = graph.OriginNotList
			}
			if field == "" {
				counts.add("not said", e)
				continue
			}
			counts.add(field, e)
			counts.add(field+" from "+origin, e)
		}
	}
	return counts.lines()
}

func (s *stage) compareFields(q question, p *played, w *oracle.World, at string) {
	a, err := s.graph.Fields(s.t.Context(), graph.FieldsQuestion{At: at, AsOf: q.AsOf, Lists: p.lists()})
	want := q.wanted(p, w)
	if p.unknown(q, at, len(want) == 0, err) {
		return
	}
	have := append(countLines("electors", a.Electors), countLines("not said", a.NotSaid)...)
	for _, f := range a.Fields {
		have = append(have, countLines(f.Field, f.Electors)...)
		for _, o := range f.Origins {
			have = append(have, countLines(fmt.Sprint(f.Field, " from ", o.Origin), o.Electors)...)
		}
	}
	p.differ(q, have, want)
	p.notes(q, w, a.Answer)
}

// compareFieldViews compares which fields reached which place, of whom, and from where they can have come.
func (s *stage) compareFieldViews(q question, all []*played) {
	s.t.Helper()
	const name = "concat(if(place = '', org, place), ' ', field, ' ', "
	fields, origins, which, sources := newLines(), newLines(), newLines(), newLines()
	asOf, at, key := q.AsOf.String(), q.at(all), q.key(all)
	if key == "" {
		fields = s.query("SELECT org, "+name+"id_space, ' ', key_id, ' ', toString(electors)) FROM fields_as_of(at = $2, as_of = $1)", asOf, at)
		origins = s.query("SELECT org, "+name+"'from ', source_org, ' ', source, ' ', toString(collected), ' ', id_space, ' ', key_id, ' ', toString(electors)) FROM origins_as_of(at = $2, as_of = $1)", asOf, at)
	}
	if key != "" || at == "" {
		which = s.query("SELECT org, "+name+"id_space, ' ', key_id, ' ', key) FROM "+q.of("elector_fields", "lookup_fields")+"_as_of(key = $2, as_of = $1)", asOf, key)
		sources = s.query("SELECT org, "+name+"'from ', source_org, ' ', source, ' ', toString(collected), ' ', id_space, ' ', key_id, ' ', key) FROM elector_origins_as_of(key = $2, as_of = $1)", asOf, key)
	}
	each(all, func(p *played) {
		w := p.world(q.AsOf)
		wantFields, wantOrigins := tallies{}, tallies{}
		var wantWhich, wantSources []string
		for _, e := range q.electors(p, w) {
			for place, fields := range w.FieldSources(e) {
				if key == "" && !q.among(p, place) {
					continue
				}
				for field, from := range fields {
					wantWhich = append(wantWhich, fmt.Sprint(place, " ", field, " ", e.IDSpace, " ", e.KeyID, " ", e.Key))
					wantFields.add(fmt.Sprint(place, " ", field), e)
					wantFields.add(fmt.Sprint(place.Org(), " ", field), e)
					for source := range from {
						line := fmt.Sprintf("%s from %s %s %v", field, source.Place.Org(), source.Place, source.Collected)
						wantSources = append(wantSources, fmt.Sprint(place, " ", line, " ", e.IDSpace, " ", e.KeyID, " ", e.Key))
						wantOrigins.add(fmt.Sprint(place, " ", line), e)
						wantOrigins.add(fmt.Sprint(place.Org(), " ", line), e)
					}
				}
			}
		}
		if key == "" {
			p.differ(q, fields.of[p.prefix], wantFields.lines())
			p.differ(q, origins.of[p.prefix], wantOrigins.lines())
		}
		if key != "" || at == "" {
			p.differ(q, which.of[p.prefix], wantWhich)
			p.differ(q, sources.of[p.prefix], wantSources)
		}
	})
}
