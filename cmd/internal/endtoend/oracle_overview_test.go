package endtoend

import (
	"fmt"
	"slices"

	"github.com/rolltrace/rolltrace/schema"
	"github.com/rolltrace/rolltrace/schema/graph"
	"github.com/rolltrace/rolltrace/schema/schematest/oracle"
)

// compareOverview compares the picture of everything, where two of the organisations are shown by their places.
func (s *stage) compareOverview(q question, all []*played) {
	s.t.Helper()
	asked := graph.OverviewQuestion{AsOf: q.AsOf}
	for _, p := range all {
		asked.Expand = append(asked.Expand, p.prefix+"a", p.prefix+"v")
	}
	a, err := s.graph.Overview(s.t.Context(), asked)
	if err != nil {
		s.t.Fatal(err)
	}
	have := newLines()
	for _, n := range a.Nodes {
		have.add(n.Name, "%s of %s %q %q: %d places, %d people", n.Name, n.Org, n.Title, n.Kind, n.Places, n.People)
		for _, line := range append(countLines(n.Name+" holds", n.Holding), countLines(n.Name+" reached", n.Reached)...) {
			have.add(n.Name, "%s", line)
		}
	}
	for _, f := range a.Flows {
		name := f.From + " > " + f.To
		have.add(f.From, "%s by %d, counted %d, %s to %s", name, f.Movements, f.Counted, f.FirstAt, f.LastAt)
		for _, line := range countLines(name, f.Electors) {
			have.add(f.From, "%s", line)
		}
	}
	each(all, func(p *played) {
		expanded := []string{p.prefix + "a", p.prefix + "v"}
		nodes, flows := p.world(q.AsOf).Overview(func(place schema.Place) string {
			if slices.Contains(expanded, place.Org()) {
				return string(place)
			}
			return place.Org()
		})
		var want []string
		for name, n := range nodes {
			people := 0
			for place := range n.Places {
				if place.IsPerson() {
					people++
				}
			}
			want = append(want, fmt.Sprintf("%s of %s %q %q: %d places, %d people", name, schema.Place(name).Org(), "", "", len(n.Places), people))
			want = append(append(want, setLines(name+" holds", n.Holding)...), setLines(name+" reached", n.Reached)...)
		}
		for e, f := range flows {
			name := e.From + " > " + e.To
			want = append(want, fmt.Sprintf("%s by %d, counted %d, %s to %s", name, f.Movements, f.Counted, f.First, f.Last))
			want = append(want, setLines(name, f.Electors)...)
		}
		p.differ(q, have.of[p.prefix], want)
	})
	var moments []schema.Time
	for _, p := range all {
		for _, m := range p.world(schema.Time{}).Movements {
			if m.Counts() {
				moments = append(moments, m.OccurredAt)
			}
		}
	}
	slices.SortFunc(moments, func(x, y schema.Time) int { return x.Compare(y.Time) })
	if moments = slices.Compact(moments); !slices.Equal(moments, a.Moments) {
		s.t.Errorf("overview as of %s: moments %v, want %v", q.AsOf, a.Moments, moments)
	}
}

func accountLines(w *oracle.World, at string) []string {
	var out []string
	for a, e := range w.Account(at) {
		line := fmt.Sprintf("%s %s %s %v from %s to %s (%s) %s %s %s %s: %d, %s to %s, %d records, %d unfinished, from %s to %s", a.Direction, a.Kind, a.Basis, a.Removes, a.From, a.To, a.Fields,
			a.Purpose, a.Agreement, a.LegalBasis, a.Actor, e.Movements, e.First, e.Last, e.Records, e.Unfinished, distinct(mapped(e.FromPlaces)), distinct(mapped(e.ToPlaces)))
		out = append(append(out, line), setLines(line, e.Electors)...)
	}
	return out
}

func mapped[K comparable](set map[K]bool) []K {
	var out []K
	for one := range set {
		out = append(out, one)
	}
	return out
}

// compareAccounting compares what a place or an organisation received, passed on and destroyed.
func (s *stage) compareAccounting(q question, p *played, w *oracle.World, at string) {
	a, err := s.graph.Accounting(s.t.Context(), graph.AccountingQuestion{At: at, AsOf: q.AsOf})
	want := q.wanted(p, w)
	if p.unknown(q, at, len(want) == 0, err) {
		return
	}
	var have []string
	var before schema.Time
	for _, e := range a.Entries {
		line := fmt.Sprintf("%s %s %s %v from %s to %s (%s) %s %s %s %s: %d, %s to %s, %d records, %d unfinished, from %s to %s", e.Direction, e.Kind, e.Basis, e.Removes, distinct(e.From), e.To, distinct(e.Fields),
			e.Purpose, e.Agreement, e.LegalBasis, e.Actor, e.Movements, e.FirstAt, e.LastAt, e.Records, e.Unfinished, distinct(e.FromPlaces.Names), distinct(e.ToPlaces.Names))
		have = append(append(have, line), countLines(line, e.Electors)...)
		if e.FirstAt.Before(before.Time) || e.FromPlaces.Count != uint64(len(e.FromPlaces.Names)) || e.ToPlaces.Count != uint64(len(e.ToPlaces.Names)) {
			p.fault(q, "out of order, or places without names: %s", line)
		}
		before = e.FirstAt
	}
	p.differ(q, have, want)
	p.notes(q, w, a.Answer)
}

// compareLeft compares what is left of what an organisation received under an agreement.
func (s *stage) compareLeft(q question, p *played, _ *oracle.World, at string) {
	if q.AsOf.IsZero() { // it wants a time
		q.AsOf = oracle.Moment(oracle.Moments)
	}
	org := schema.Place(at).Org()
	agreement := oracle.Agreements[q.Movement%len(oracle.Agreements)]
	over := oracle.Agreements[:1+q.Movement%len(oracle.Agreements)]
	left, err := s.graph.Left(s.t.Context(), agreement, org, over, q.AsOf)
	if err != nil {
		p.fault(q, "%v", err)
		return
	}
	var have, want []string
	for _, l := range left {
		have = append(have, fmt.Sprint(l.Place, " ", l.Electors))
	}
	for place, set := range p.world(q.AsOf).Left(agreement, org, over) {
		most := 0
		for _, n := range counts(set) {
			most = max(most, n)
		}
		want = append(want, fmt.Sprint(place, " ", most))
	}
	p.differ(q, have, want)
}
