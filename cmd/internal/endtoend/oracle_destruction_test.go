package endtoend

import (
	"fmt"

	"github.com/rolltrace/rolltrace/schema/graph"
	"github.com/rolltrace/rolltrace/schema/schematest/oracle"
)

func copyLines(w *oracle.World, at string) []string {
	copies, destroyed, _ := w.Copies(at)
	out := setLines("destroyed", destroyed)
	for name, c := range copies {
		out = append(out, fmt.Sprintf("%s since %s, last %s", name, c.Since, c.Last))
		out = append(out, setLines(name, c.Electors)...)
	}
	for _, u := range w.Used() {
		if oracle.At(at, u.Place) {
			out = append(out, useLines(u)...)
		}
	}
	return out
}

func useLines(u oracle.Use) []string {
	return setLines(fmt.Sprintf("used %s/%s %s at %s, from %s", u.Ref.Org, u.Ref.Sidecar, u.Ref.ID, u.OccurredAt, u.Place), u.Electors)
}

func (s *stage) compareCopies(q question, p *played, w *oracle.World, at string) {
	a, err := s.graph.Copies(s.t.Context(), graph.CopiesQuestion{At: at, AsOf: q.AsOf})
	want := q.wanted(p, w)
	if p.unknown(q, at, len(want) == 0, err) {
		return
	}
	have := countLines("destroyed", a.Destroyed)
	left := func(name string, c graph.CopyOrg) {
		have = append(have, fmt.Sprintf("%s since %s, last %s", name, c.Since, c.LastAt))
		have = append(have, countLines(name, c.Electors)...)
	}
	for _, o := range a.Organisations {
		left(o.Org, o)
	}
	for _, c := range a.Places {
		left(string(c.Place), c.CopyOrg)
		p.copyRoute(q, at, c)
	}
	for _, u := range a.Used {
		have = append(have, countLines(fmt.Sprintf("used %s/%s %s at %s, from %s", u.Org, u.Sidecar, u.ID, u.OccurredAt, u.Place), u.Electors)...)
	}
	p.differ(q, have, want)
	p.notes(q, w, a.Answer)
}

// copyRoute holds that the route of a copy goes there, from the place asked, later and later, and with somebody.
func (p *played) copyRoute(q question, at string, c graph.Copy) {
	for i, step := range c.Route {
		switch {
		case i == 0 && !oracle.At(at, step.From), i > 0 && step.From != c.Route[i-1].To, i > 0 && step.OccurredAt.Before(c.Route[i-1].OccurredAt.Time):
			p.fault(q, "step %d of the route to %s leaves %s at %s", i, c.Place, step.From, step.OccurredAt)
		}
	}
	if n := len(c.Route); n == 0 || c.Route[n-1].To != c.Place || c.Route[n-1].OccurredAt != c.Since || len(c.RouteElectors) == 0 {
		p.fault(q, "the route to %s is %s, of %v", c.Place, steps(c.Route), c.RouteElectors)
	}
}

// compareUsed compares what was used after destruction.
func (s *stage) compareUsed(q question, all []*played) {
	s.t.Helper()
	rows := s.query(`SELECT splitByChar('/', place)[1], concat('used ', org, '/', sidecar, ' ', id, ' at ', formatDateTime(occurred_at, '%Y-%m-%dT%H:%i:%S.%fZ'), ', from ', place,
		' ', id_space, ' ', key_id, ' ', toString(electors)) FROM used_after_destruction_as_of(at = $2, as_of = $1)`, q.AsOf.String(), q.at(all))
	each(all, func(p *played) {
		var want []string
		for _, u := range p.world(q.AsOf).Used() {
			if q.among(p, u.Place) {
				want = append(want, useLines(u)...)
			}
		}
		p.differ(q, rows.of[p.prefix], want)
	})
}
