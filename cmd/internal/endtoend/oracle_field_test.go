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

func fieldLines(w *oracle.World, at string, lists []string) []string {
	all := oracle.Set{}
	fields := map[string]oracle.Set{} // by field, and by field and origin
	add := func(name string, e oracle.Elector) {
		if fields[name] == nil {
			fields[name] = oracle.Set{}
		}
		fields[name][e] = true
	}
	for _, e := range w.Electors() {
		for field, origins := range w.Fields(e, at, lists) {
			all[e] = true
			origin := graph.OriginListOrOther
			switch {
			case origins[oracle.Unknown]:
				origin = graph.OriginUnknown
			case !origins[oracle.Other]:
				origin = graph.OriginList
			case !origins[oracle.List]:
				origin = graph.OriginNotList
			}
			if field == "" {
				add("not said", e)
				continue
			}
			add(field, e)
			add(field+" from "+origin, e)
		}
	}
	out := setLines("electors", all)
	for name, set := range fields {
		out = append(out, setLines(name, set)...)
	}
	return out
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
