package endtoend

import (
	"context"
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

func (s *stage) compareElectors(q question, p *played, w *oracle.World, at string, set oracle.Set) {
	a, err := s.graph.Electors(s.t.Context(), graph.ElectorsQuestion{At: at, What: q.Ask, AsOf: q.AsOf, List: true, Limit: -1})
	if p.unknown(q, at, len(set) == 0, err) {
		return
	}
	var have, want []string
	for _, k := range a.Keys {
		have = append(have, fmt.Sprint(k.IDSpace, " ", k.KeyID, " ", k.Key))
	}
	for e := range set {
		want = append(want, fmt.Sprint(e.IDSpace, " ", e.KeyID, " ", e.Key))
	}
	p.differ(q, have, want)
	p.differ(q, countLines("count", a.Electors), setLines("count", set))
	feeds := w.Feeds(at, whole)
	p.notes(q, w, a.Answer, func(place schema.Place) bool { return feeds[place] }, q.Ask == askHolding)
}

func whole(m *oracle.Movement) bool { return m.Electors.Mode == schema.Whole }

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

// notes holds "never incomplete as complete": a movement that may have brought more electors to a place that the
// answer depends on, or not have taken them from there, is in a note of its kind, and the answer is not complete.
func (p *played) notes(q question, w *oracle.World, a graph.Answer, depends func(schema.Place) bool, destroys bool) {
	said := map[string]map[graph.MovementRef]bool{}
	complete := true
	for _, n := range a.Notes {
		if said[n.Code] == nil {
			said[n.Code] = map[graph.MovementRef]bool{}
		}
		for _, ref := range n.Movements {
			said[n.Code][ref] = true
		}
		if n.Code != graph.CodeNone && n.Code != graph.CodeAttested {
			complete = false
		}
	}
	if complete != a.Complete {
		p.fault(q, "complete is %v, the notes say otherwise: %v", a.Complete, a.Notes)
	}
	recorded := map[string]map[graph.MovementRef]bool{}
	for _, d := range w.Doubts() {
		ref := graph.MovementRef(d.Ref)
		if recorded[d.Code] == nil {
			recorded[d.Code] = map[graph.MovementRef]bool{}
		}
		recorded[d.Code][ref] = true
		concerns := d.Output != "" && depends(d.Output)
		if d.Kind == schema.Destroy {
			concerns = destroys && depends(d.Inputs[0].Place)
		}
		if concerns && !said[d.Code][ref] && len(said[d.Code]) < graph.MaxNoteMovements {
			p.fault(q, "no note %s of movement %s of %s/%s", d.Code, ref.ID, ref.Org, ref.Sidecar)
		}
	}
	for _, code := range []string{graph.CodeOpen, graph.CodeFailed, graph.CodeCounted, graph.CodeChunksMissing, graph.CodeUnknownKind, graph.CodeAttested} {
		for ref := range said[code] {
			if strings.HasPrefix(ref.Org, p.prefix) && !recorded[code][ref] {
				p.fault(q, "a note %s of movement %s of %s/%s that does not call for it", code, ref.ID, ref.Org, ref.Sidecar)
			}
		}
	}
}

func (s *stage) compareReach(q question, p *played, at string,
	ask func(context.Context, graph.ReachQuestion) (*graph.Reach, error), ends map[string]*oracle.End) {
	a, err := ask(s.t.Context(), graph.ReachQuestion{At: at, AsOf: q.AsOf})
	if p.unknown(q, at, len(ends) == 0, err) {
		return
	}
	var have, want []string
	for _, o := range a.Organisations {
		have = append(have, endLines(o.Org, o)...)
	}
	for _, place := range a.Places {
		have = append(have, endLines(string(place.Place), place.ReachOrg)...)
	}
	for name, end := range ends {
		want = append(want, fmt.Sprintf("%s %d hops, %s to %s", name, end.Hops, end.First, end.Last))
		want = append(want, setLines(name, end.Electors)...)
	}
	p.differ(q, have, want)
}

func endLines(name string, end graph.ReachOrg) []string {
	out := []string{fmt.Sprintf("%s %d hops, %s to %s", name, end.Hops, end.FirstAt, end.LastAt)}
	return append(out, countLines(name, end.Electors)...)
}

func (s *stage) compareElector(q question, p *played, w *oracle.World, e oracle.Elector) {
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
	var have, want []string
	for i, stay := range d.Places {
		have = append(have, fmt.Sprintf("%d: %s held %v, entries %d, %s to %s, destroyed %s", i, stay.Place, stay.Holding, stay.Entries, stay.FirstEntry, stay.LastEntry, stay.DestroyedAt))
		have = append(have, "route "+steps(stay.Route))
	}
	for i, stay := range w.Stays(e) {
		want = append(want, fmt.Sprintf("%d: %s held %v, entries %d, %s to %s, destroyed %s", i, stay.Place, stay.Holding, stay.Entries, stay.First, stay.Last, stay.Destroyed))
		want = append(want, "route "+route(w.Earliest(e, string(stay.Place))))
	}
	for i, m := range d.Movements {
		have = append(have, fmt.Sprintf("movement %d: %s", i, movementLine(&m)))
	}
	for i, m := range w.Carrying(e) {
		want = append(want, fmt.Sprintf("movement %d: %s", i, wantedLine(m)))
	}
	orgs := map[string]bool{}
	for i, o := range d.Organisations {
		have = append(have, fmt.Sprintf("organisation %d: %s held %v, %s to %s", i, o.Org, o.Holding, o.FirstEntry, o.LastEntry))
	}
	for _, stay := range w.Stays(e) {
		org := stay.Place.Org()
		if orgs[org] {
			continue
		}
		last := stay.Last
		for _, other := range w.Stays(e) {
			if other.Place.Org() == org && other.Last.After(last.Time) {
				last = other.Last
			}
		}
		want = append(want, fmt.Sprintf("organisation %d: %s held %v, %s to %s", len(orgs), org, w.Holding(org)[e], stay.First, last))
		orgs[org] = true
	}
	p.differ(q, have, want)
	p.notes(q, w, d.Answer, func(schema.Place) bool { return false }, false)
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

func (s *stage) compareRoute(q question, p *played, w *oracle.World, e oracle.Elector, to string) {
	a, err := s.graph.Route(s.t.Context(), graph.RouteQuestion{ElectorQuestion: graph.ElectorQuestion{Key: e.Key, IDSpace: e.IDSpace, KeyID: e.KeyID, AsOf: w.AsOf}, To: to})
	if !p.model.Knows(e) {
		if !errors.Is(err, graph.ErrUnknownElector) {
			p.fault(q, "an elector that was never there: %v", err)
		}
		return
	}
	want := w.Earliest(e, to)
	if p.unknown(q, to, len(want) == 0, err) {
		return
	}
	p.differ(q, []string{steps(a.Steps)}, []string{route(want)})
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
