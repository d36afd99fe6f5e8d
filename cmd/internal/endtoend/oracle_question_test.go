package endtoend

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/rolltrace/rolltrace/schema"
	"github.com/rolltrace/rolltrace/schema/graph"
	"github.com/rolltrace/rolltrace/schema/schematest/oracle"
)

// unknown says whether there is no answer, as should be for a place that nobody names; if it should not, that is
// a fault.
func (p *played) unknown(q question, at string, empty bool, err error) bool {
	known := p.model.Names(at)
	switch {
	case err == nil && empty && !known:
		p.fault(q, "an empty answer about a place that nobody names")
	case errors.Is(err, graph.ErrUnknownPlace) && known:
		p.fault(q, "%v", err)
	case err != nil && !errors.Is(err, graph.ErrUnknownPlace):
		p.fault(q, "%v", err)
	}
	return err != nil
}

// wanted is the oracle's answer to a question about one history, in lines.
func (q question) wanted(p *played, w *oracle.World) []string {
	at := p.prefix + q.At
	switch q.Ask {
	case askHolding:
		return electorLines(w.Holding(at))
	case askReached:
		return electorLines(w.Reached(at))
	case askReach:
		return endLines(w.Reach(at))
	case askSources:
		return endLines(w.Sources(at))
	case askElector:
		return dossierLines(w, q.elector(p.prefix))
	case askRoute:
		return routeLines(w, q.elector(p.prefix), at)
	case askCopies:
		return copyLines(w, at)
	case askFields:
		return fieldLines(w, at, p.lists())
	case askAccounting:
		return accountLines(w, at)
	case askFlowOf, askFlowFrom, askFlowTo, askFlowMovement:
		return flowLines(q.flow(p, w))
	}
	return nil
}

// elector is the elector asked for.
func (q question) elector(prefix string) oracle.Elector {
	return oracle.Elector{IDSpace: q.IDSpace, KeyID: q.KeyID, Key: oracle.Keys(prefix, q.Elector)[0]}
}

func electorLines(set oracle.Set) []string {
	out := setLines("count", set)
	for e := range set {
		out = append(out, fmt.Sprint(e.IDSpace, " ", e.KeyID, " ", e.Key))
	}
	return out
}

func endLines(ends map[string]*oracle.End) []string {
	var out []string
	for name, end := range ends {
		out = append(out, fmt.Sprintf("%s %d hops, %s to %s", name, end.Hops, end.First, end.Last))
		out = append(out, setLines(name, end.Electors)...)
	}
	return out
}

func (s *stage) compareElectors(q question, p *played, w *oracle.World, at string) {
	a, err := s.graph.Electors(s.t.Context(), graph.ElectorsQuestion{At: at, What: q.Ask, AsOf: q.AsOf, List: true, Limit: -1})
	want := q.wanted(p, w)
	if p.unknown(q, at, len(want) == 0, err) {
		return
	}
	have := countLines("count", a.Electors)
	for _, k := range a.Keys {
		have = append(have, fmt.Sprint(k.IDSpace, " ", k.KeyID, " ", k.Key))
	}
	p.differ(q, have, want)
	p.notes(q, w, a.Answer)
}

func countLines(what string, counts []graph.Count) []string {
	var out []string
	for _, c := range counts {
		out = append(out, fmt.Sprint(what, " ", c.IDSpace, " ", c.KeyID, " ", c.Electors))
	}
	return out
}

func setLines(what string, set oracle.Set) []string {
	var out []string
	for s, n := range counts(set) {
		out = append(out, fmt.Sprint(what, " ", s.id, " ", s.key, " ", n))
	}
	return out
}

func (s *stage) compareReach(q question, p *played, w *oracle.World, at string) {
	ask := s.graph.Reach
	if q.Ask == askSources {
		ask = s.graph.Sources
	}
	a, err := ask(s.t.Context(), graph.ReachQuestion{At: at, AsOf: q.AsOf})
	want := q.wanted(p, w)
	if p.unknown(q, at, len(want) == 0, err) {
		return
	}
	var have []string
	end := func(name string, o graph.ReachOrg) {
		have = append(have, fmt.Sprintf("%s %d hops, %s to %s", name, o.Hops, o.FirstAt, o.LastAt))
		have = append(have, countLines(name, o.Electors)...)
	}
	for _, o := range a.Organisations {
		end(o.Org, o)
	}
	for _, place := range a.Places {
		end(string(place.Place), place.ReachOrg)
	}
	p.differ(q, have, want)
	p.notes(q, w, a.Answer)
}

func (s *stage) compareElector(q question, p *played, w *oracle.World, _ string) {
	e := q.elector(p.prefix)
	d, err := s.graph.Elector(s.t.Context(), graph.ElectorQuestion{Key: e.Key, IDSpace: e.IDSpace, KeyID: e.KeyID, AsOf: w.AsOf})
	if !p.model.Knows(e) {
		if !errors.Is(err, graph.ErrUnknownElector) {
			p.fault(q, "an elector that was never there: %v", err)
		}
		return
	}
	if err != nil {
		p.fault(q, "%v", err)
		return
	}
	var have []string
	for i, stay := range d.Places {
		have = append(have, fmt.Sprintf("%d: %s held %v, entries %d, %s to %s, destroyed %s", i, stay.Place, stay.Holding, stay.Entries, stay.FirstEntry, stay.LastEntry, stay.DestroyedAt))
		have = append(have, "route "+steps(stay.Route))
	}
	for i, m := range d.Movements {
		have = append(have, fmt.Sprintf("movement %d: %s", i, movementLine(&m)))
	}
	for i, o := range d.Organisations {
		have = append(have, fmt.Sprintf("organisation %d: %s held %v, %s to %s", i, o.Org, o.Holding, o.FirstEntry, o.LastEntry))
	}
	p.differ(q, have, q.wanted(p, w))
	p.notes(q, w, d.Answer)
}

func dossierLines(w *oracle.World, e oracle.Elector) []string {
	var out []string
	stays := w.Stays(e)
	orgs := map[string]bool{}
	for i, stay := range stays {
		out = append(out, fmt.Sprintf("%d: %s held %v, entries %d, %s to %s, destroyed %s", i, stay.Place, stay.Holding, stay.Entries, stay.First, stay.Last, stay.Destroyed))
		out = append(out, "route "+route(w.Earliest(e, string(stay.Place))))
		org := stay.Place.Org()
		if orgs[org] {
			continue
		}
		last := stay.Last
		for _, other := range stays {
			if other.Place.Org() == org && other.Last.After(last.Time) {
				last = other.Last
			}
		}
		out = append(out, fmt.Sprintf("organisation %d: %s held %v, %s to %s", len(orgs), org, w.Holding(org)[e], stay.First, last))
		orgs[org] = true
	}
	for i, m := range w.Carrying(e) {
		out = append(out, fmt.Sprintf("movement %d: %s", i, wantedLine(m)))
	}
	return out
}

func movementLine(m *graph.Movement) string {
	return fmt.Sprintf("%s/%s %s r%d of %d %s %s %s %s/%s removes %v %s at %s: %s > %s (%s) %s", m.Org, m.Sidecar, m.ID, m.Revision, m.Revisions, m.Kind, m.State, m.Outcome,
		m.Basis, m.Published, m.Removes, m.Mode, m.OccurredAt, joined(m.Inputs), m.Output, strings.Join(m.Fields, ","), m.Purpose)
}

func wantedLine(m *oracle.Movement) string {
	return fmt.Sprintf("%s/%s %s r%d of %d %s %s %s %s/%s removes %v %s at %s: %s > %s (%s) %s", m.Ref.Org, m.Ref.Sidecar, m.Ref.ID, m.Revision, m.Revisions, m.Kind, m.State, m.Outcome,
		m.EffectiveBasis(), m.Basis, m.Removes(), m.Electors.Mode, m.OccurredAt, joined(m.Inputs), m.Output, strings.Join(m.Fields, ","), m.Purpose)
}

func steps(route []graph.Step) string {
	var out []string
	for _, s := range route {
		out = append(out, s.Org+"/"+s.Sidecar+" "+s.ID)
	}
	return strings.Join(out, ", ")
}

func route(r oracle.Route) string {
	var out []string
	for _, m := range r {
		out = append(out, m.Ref.Org+"/"+m.Ref.Sidecar+" "+m.Ref.ID)
	}
	return strings.Join(out, ", ")
}

// mostRoutes is the limit with which all routes are asked for.
const mostRoutes = 20

func routeLines(w *oracle.World, e oracle.Elector, to string) []string {
	earliest := w.Earliest(e, to)
	if len(earliest) == 0 {
		return nil
	}
	out := []string{"earliest: " + route(earliest), "shortest: " + route(w.Shortest(e, to))}
	all, cut := w.All(e, to, mostRoutes)
	for i, r := range all {
		out = append(out, fmt.Sprintf("route %d: %s", i, route(r)))
	}
	return append(out, fmt.Sprintf("cut: %v", cut))
}

func (s *stage) compareRoute(q question, p *played, w *oracle.World, to string) {
	e := q.elector(p.prefix)
	want := q.wanted(p, w)
	var have []string
	for _, which := range []string{graph.Earliest, graph.Shortest, graph.All} {
		a, err := s.graph.Route(s.t.Context(), graph.RouteQuestion{To: to, Which: which, Limit: mostRoutes,
			ElectorQuestion: graph.ElectorQuestion{Key: e.Key, IDSpace: e.IDSpace, KeyID: e.KeyID, AsOf: w.AsOf}})
		if !p.model.Knows(e) {
			if !errors.Is(err, graph.ErrUnknownElector) {
				p.fault(q, "an elector that was never there: %v", err)
			}
			return
		}
		if p.unknown(q, to, len(want) == 0, err) {
			return
		}
		cut := slices.ContainsFunc(a.Notes, func(n graph.Note) bool { return n.Code == graph.CodeCut })
		switch {
		case len(a.Routes) == 0:
		case which == graph.Earliest:
			have = append(have, "earliest: "+steps(a.Steps))
		case which == graph.Shortest:
			have = append(have, "shortest: "+steps(a.Steps))
		default:
			for i, r := range a.Routes {
				have = append(have, fmt.Sprintf("route %d: %s", i, steps(r.Steps)))
			}
			have = append(have, fmt.Sprintf("cut: %v", cut))
		}
		p.notes(q, w, a.Answer)
	}
	p.differ(q, have, want)
}

func (s *stage) compareMovements(q question, p *played, w *oracle.World, at string) {
	for _, asked := range []graph.MovementQuestion{{From: at}, {To: at}, {From: at, Kind: schema.Destroy}} {
		asked.Until, asked.Limit = w.AsOf, -1
		a, err := s.graph.Movements(s.t.Context(), asked)
		if p.unknown(q, at, false, err) {
			continue
		}
		var have, want []string
		for i, m := range a.Movements {
			have = append(have, fmt.Sprintf("%d: %s", i, movementLine(&m.Movement)))
			have = append(have, countLines(m.ID, m.Electors)...)
		}
		n := 0
		for _, m := range w.Movements {
			from := slices.ContainsFunc(m.Inputs, func(in schema.Input) bool { return oracle.At(at, in.Place) })
			if asked.Kind != "" && m.Kind != asked.Kind || asked.From != "" && !from || asked.To != "" && (m.Output == "" || !oracle.At(at, m.Output)) {
				continue
			}
			want = append(want, fmt.Sprintf("%d: %s", n, wantedLine(m)))
			want = append(want, setLines(m.Ref.ID, m.S)...)
			n++
		}
		p.differ(q, have, want)
	}
}
