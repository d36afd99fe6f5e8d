package endtoend

import (
	"fmt"
	"slices"
	"strings"

	"github.com/rolltrace/rolltrace/schema/graph"
	"github.com/rolltrace/rolltrace/schema/schematest/oracle"
)

// flow is the question as the oracle is asked: whose, which way, and along routes of which movement.
func (q question) flow(p *played, w *oracle.World) *oracle.Flow {
	at := p.prefix + q.At
	switch q.Ask {
	case askFlowOf:
		return w.Flow(w.Holding(at), "", "", nil)
	case askFlowFrom:
		return w.Flow(nil, at, "", nil)
	case askFlowTo:
		return w.Flow(w.Reached(p.prefix+"b"), "", at, nil)
	}
	m := q.movement(w)
	return w.Flow(m.S, "", "", m)
}

// movement is the one that is asked for: its number is that among those of the world, round and round. Nil: there is none.
func (q question) movement(w *oracle.World) *oracle.Movement {
	if len(w.Movements) == 0 {
		return nil
	}
	return w.Movements[q.Movement%len(w.Movements)]
}

func flowLines(f *oracle.Flow) []string {
	out := setLines("electors", f.Electors)
	for e, pass := range f.Edges {
		name := e.From + " > " + e.To
		var kinds, bases, fields, purposes, agreements []string
		for _, m := range pass.Movements {
			kinds, bases = append(kinds, string(m.Kind)), append(bases, string(m.EffectiveBasis()))
			fields, purposes, agreements = append(fields, m.AllFields()...), append(purposes, m.Purpose), append(agreements, m.Agreement)
		}
		out = append(out, fmt.Sprintf("%s by %d, %s to %s: %s; %s; %s; %s; %s", name, len(pass.Movements), pass.First, pass.Last,
			distinct(kinds), distinct(bases), distinct(fields), distinct(purposes), distinct(agreements)))
		out = append(out, setLines(name, pass.Electors)...)
	}
	for name, end := range f.Ends {
		out = append(out, fmt.Sprintf("%s destroyed %s, arrived %s to %s", name, end.LastDestroy, end.First, end.Last))
		out = append(out, setLines(name, end.Electors)...)
		out = append(out, setLines(name+" held", end.Held)...)
		out = append(out, setLines(name+" destroyed", end.Destroyed)...)
		for _, m := range end.Said {
			out = append(out, fmt.Sprintf("%s said to be destroyed by %s/%s %s at %s", name, m.Ref.Org, m.Ref.Sidecar, m.Ref.ID, m.OccurredAt))
		}
	}
	return out
}

// distinct is each of the texts once, sorted, and no empty one.
func distinct[S ~string](texts []S) string {
	var out []string
	for _, text := range texts {
		if text != "" && !slices.Contains(out, string(text)) {
			out = append(out, string(text))
		}
	}
	return strings.Join(sorted(out), " ")
}

func (s *stage) compareFlow(q question, p *played, w *oracle.World, at string) {
	asked := graph.FlowQuestion{AsOf: q.AsOf, Limit: -1}
	switch q.Ask {
	case askFlowOf:
		asked.Of = at
	case askFlowFrom:
		asked.From = at
	case askFlowTo:
		asked.Of, asked.What, asked.To = p.prefix+"b", graph.Reached, at
		if !p.model.Names(asked.Of) {
			return
		}
	case askFlowMovement:
		m := q.movement(w)
		if m == nil {
			return
		}
		asked.Movement = m.Ref.Org + "/" + m.Ref.Sidecar + "/" + m.Ref.ID
	}
	a, err := s.graph.Flow(s.t.Context(), asked)
	want := q.wanted(p, w)
	if asked.Movement == "" && p.unknown(q, at, len(want) == 0, err) {
		return
	}
	if err != nil {
		p.fault(q, "%v", err)
		return
	}
	have := countLines("electors", a.Electors)
	answeredFlow(a, func(_ string, lines ...string) { have = append(have, lines...) })
	p.differ(q, have, want)
	p.notes(q, w, a.Answer)
	if q.Ask == askFlowMovement && q.AsOf.IsZero() {
		s.compareElectorsOf(q, p, q.movement(w), asked.Movement)
	}
}

// compareElectorsOf compares whose records a movement carried.
func (s *stage) compareElectorsOf(q question, p *played, m *oracle.Movement, name string) {
	keys, cut, err := s.graph.ElectorsOf(s.t.Context(), name, -1)
	if err != nil || cut {
		p.fault(q, "electors of %s: cut %v, %v", name, cut, err)
		return
	}
	var have, want []string
	for _, k := range keys {
		have = append(have, fmt.Sprint(k.IDSpace, " ", k.KeyID, " ", k.Key))
	}
	for e := range m.S {
		if m.Counts() {
			want = append(want, fmt.Sprint(e.IDSpace, " ", e.KeyID, " ", e.Key))
		}
	}
	p.differ(q, have, want)
}

func texts[S ~string](all []S) []string {
	var out []string
	for _, one := range all {
		out = append(out, string(one))
	}
	return out
}

// answeredFlow hands over the lines of an answer, with a name that says of which history they are.
func answeredFlow(a *graph.Flow, add func(name string, lines ...string)) {
	pass := func(from, to string, f graph.FlowPass) {
		name := from + " > " + to
		add(from, fmt.Sprintf("%s by %d, %s to %s: %s; %s; %s; %s; %s", name, f.Movements, f.FirstAt, f.LastAt,
			strings.Join(texts(f.Kinds), " "), strings.Join(texts(f.Bases), " "), strings.Join(f.Fields, " "), strings.Join(f.Purposes, " "), strings.Join(f.Agreements, " ")))
		add(from, countLines(name, f.Electors)...)
	}
	end := func(name string, f graph.FlowEnd) {
		add(name, fmt.Sprintf("%s destroyed %s, arrived %s to %s", name, f.DestroyedAt, f.FirstAt, f.LastAt))
		add(name, countLines(name, f.Electors)...)
		add(name, countLines(name+" held", f.Held)...)
		add(name, countLines(name+" destroyed", f.Destroyed)...)
	}
	for _, e := range a.Edges {
		pass(string(e.From), string(e.To), e.FlowPass)
	}
	for _, e := range a.OrgEdges {
		pass(e.From, e.To, e.FlowPass)
	}
	for _, o := range a.Organisations {
		end(o.Org, o.FlowEnd)
	}
	for _, place := range a.Places {
		end(string(place.Place), place.FlowEnd)
		for _, d := range place.Said {
			add(string(place.Place), fmt.Sprintf("%s said to be destroyed by %s/%s %s at %s", place.Place, d.Org, d.Sidecar, d.ID, d.OccurredAt))
		}
	}
}

// compareFlows compares the whole graph: every edge and every end of all histories at once.
func (s *stage) compareFlows(q question, all []*played) {
	s.t.Helper()
	s.compareFlowView(q, all)
	if !q.everything() {
		return
	}
	a, err := s.graph.Flow(s.t.Context(), graph.FlowQuestion{AsOf: q.AsOf, Limit: -1})
	if err != nil {
		s.t.Fatal(err)
	}
	have := newLines()
	answeredFlow(a, func(name string, lines ...string) {
		for _, line := range lines {
			have.add(name, "%s", line)
		}
	})
	each(all, func(p *played) {
		f := p.world(q.AsOf).Flow(nil, "", "", nil)
		f.Electors = oracle.Set{} // of all histories together
		p.differ(q, have.of[p.prefix], flowLines(f))
	})
}

// compareFlowView compares how many electors went from where to where, from organisation to organisation too.
func (s *stage) compareFlowView(q question, all []*played) {
	s.t.Helper()
	rows := s.query("SELECT from_org, concat(from_org, ' ', from_place, ' > ', to_org, ' ', to_place, ' ', id_space, ' ', key_id, ' ', toString(electors), ', unknown ', toString(origin_unknown), ', by ', toString(movements), ', ', "+
		asText("first_at")+", ' to ', "+asText("last_at")+") FROM flow_electors_as_of(at = $2, as_of = $1)", q.AsOf.String(), q.at(all))
	each(all, func(p *played) {
		type way struct {
			name string
			of   space
		}
		passed := map[way]*oracle.Pass{}
		for _, m := range p.world(q.AsOf).Movements {
			if !m.Counts() || !m.Adds() {
				continue
			}
			for e := range m.S {
				for _, from := range m.From[e] {
					if !q.among(p, from) && !q.among(p, m.Output) {
						continue
					}
					for _, name := range []string{from.Org() + "  > " + m.Output.Org() + " ", from.Org() + " " + string(from) + " > " + m.Output.Org() + " " + string(m.Output)} {
						w := way{name, space{e.IDSpace, e.KeyID}}
						if passed[w] == nil {
							passed[w] = &oracle.Pass{Electors: oracle.Set{}, Unclear: oracle.Set{}, Movements: map[oracle.Ref]*oracle.Movement{}, First: m.OccurredAt}
						}
						pass := passed[w]
						pass.Electors[e], pass.Movements[m.Ref], pass.Last = true, m, m.OccurredAt
						if m.Unclear(e) {
							pass.Unclear[e] = true
						}
					}
				}
			}
		}
		var want []string
		for w, pass := range passed {
			want = append(want, fmt.Sprintf("%s %s %s %d, unknown %d, by %d, %s to %s", w.name, w.of.id, w.of.key, len(pass.Electors), len(pass.Unclear), len(pass.Movements), pass.First, pass.Last))
		}
		p.differ(q, rows.of[p.prefix], want)
	})
}
