package endtoend

import (
	"fmt"

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
		out = append(out, fmt.Sprintf("%s by %d, %s to %s", name, len(pass.Movements), pass.First, pass.Last))
		out = append(out, setLines(name, pass.Electors)...)
	}
	for name, end := range f.Ends {
		out = append(out, fmt.Sprintf("%s destroyed %s, arrived %s to %s", name, end.LastDestroy, end.First, end.Last))
		out = append(out, setLines(name, end.Electors)...)
		out = append(out, setLines(name+" held", end.Held)...)
		out = append(out, setLines(name+" destroyed", end.Destroyed)...)
	}
	return out
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
}

// answeredFlow hands over the lines of an answer, with a name that says of which history they are.
func answeredFlow(a *graph.Flow, add func(name string, lines ...string)) {
	pass := func(from, to string, f graph.FlowPass) {
		name := from + " > " + to
		add(from, fmt.Sprintf("%s by %d, %s to %s", name, f.Movements, f.FirstAt, f.LastAt))
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
	}
}

// compareFlows compares the whole graph: every edge and every end of all histories at once.
func (s *stage) compareFlows(q question, all []*played) {
	s.t.Helper()
	a, err := s.graph.Flow(s.t.Context(), graph.FlowQuestion{AsOf: q.AsOf, Limit: -1})
	if err != nil {
		s.t.Fatal(err)
	}
	have := &lines{of: map[string][]string{}}
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
