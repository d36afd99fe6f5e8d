package endtoend

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/rolltrace/rolltrace/schema"
	"github.com/rolltrace/rolltrace/schema/graph"
	"github.com/rolltrace/rolltrace/schema/schematest/oracle"
)

// concerned says which places a question concerns, as docs/json.md has it.
func (q question) concerned(p *played, w *oracle.World) func(schema.Place) bool {
	at := p.prefix + q.At
	there := func(place schema.Place) bool { return oracle.At(at, place) }
	switch q.Ask {
	case askReach:
		down := w.Downstream(there)
		return func(place schema.Place) bool { return there(place) || down[place] }
	case askCopies:
		down, up := w.Downstream(there), w.Upstream(there)
		return func(place schema.Place) bool { return there(place) || down[place] || up[place] }
	case askElector:
		been := map[schema.Place]bool{}
		for _, stay := range w.Stays(q.elector(p.prefix)) {
			been[stay.Place] = true
		}
		down := w.Downstream(func(place schema.Place) bool { return been[place] })
		return func(place schema.Place) bool { return been[place] || down[place] }
	}
	up := w.Upstream(there)
	return func(place schema.Place) bool { return there(place) || up[place] }
}

func (q question) flows() bool {
	return slices.Contains([]string{askFlowOf, askFlowFrom, askFlowTo, askFlowMovement}, q.Ask)
}

// large compares what an answer says of holes, gaps and silent sidecars, and of places where nobody records. Of the
// sidecars of other histories in the same log it says something too; of how many, TestOrderFree compares.
func (p *played) large(q question, w *oracle.World, a graph.Answer) {
	if q.flows() { // whose notes follow the places of the answer
		return
	}
	concerns := q.concerned(p, w)
	var want, have []string
	add := func(code string, places []schema.Place, sidecars ...string) {
		for _, place := range places {
			want = append(want, fmt.Sprint(code, " at ", place))
		}
		for _, sidecar := range sidecars {
			want = append(want, fmt.Sprint(code, " of ", sidecar))
		}
	}
	for _, t := range p.model.Troubles(w.AsOf) {
		var places []schema.Place
		for _, place := range t.Places {
			if concerns(place) {
				places = append(places, place)
			}
		}
		code := t.Code
		if t.Places != nil && len(places) == 0 {
			code = graph.CodeElsewhere
		}
		add(code, places, t.Sidecar)
	}
	for _, place := range w.Named() {
		if concerns(place) && !w.Covered(place) {
			add(graph.CodeNoRecorder, []schema.Place{place})
		}
	}
	for _, n := range a.Notes {
		if !slices.Contains([]string{graph.CodeHole, graph.CodeGap, graph.CodeSilent, graph.CodeElsewhere, graph.CodeNoRecorder}, n.Code) {
			continue
		}
		for _, place := range n.Places {
			have = append(have, fmt.Sprint(n.Code, " at ", place))
		}
		for _, sidecar := range n.Sidecars {
			if strings.HasPrefix(sidecar, p.prefix) {
				have = append(have, fmt.Sprint(n.Code, " of ", sidecar))
			}
		}
		if n.Code == graph.CodeNoRecorder && n.Count != uint64(len(n.Places)) {
			p.fault(q, "%d places without a recorder are counted, and named %v", n.Count, n.Places)
		}
	}
	slices.Sort(want)
	p.differ(q, have, slices.Compact(want))
}

// unclear compares at which places an answer says that it is not known by which input electors came.
func (p *played) unclear(q question, w *oracle.World, a graph.Answer) {
	said := map[schema.Place]bool{}
	for _, n := range a.Notes {
		if n.Code == graph.CodeOriginUnknown {
			for _, place := range n.Places {
				said[schema.Place(place)] = true
			}
		}
	}
	if q.flows() {
		return
	}
	at := p.prefix + q.At
	want := map[schema.Place]bool{}
	ends := map[string]*oracle.End{}
	switch q.Ask {
	case askReach:
		ends = w.Reach(at)
	case askSources:
		ends = w.Sources(at)
	case askCopies:
		_, _, want = w.Copies(at)
	case askFields:
		want = w.UnclearOnTheWay(at)
	}
	for name, end := range ends {
		if strings.Contains(name, "/") {
			want[schema.Place(name)] = len(end.Unclear) > 0
		}
	}
	anywhere := w.Unclear()
	for place, unclear := range want {
		if unclear && !said[place] {
			p.fault(q, "no note that it is not known by which input electors came to %s", place)
		}
	}
	for place := range said {
		// Fields are followed through all movements on the way, whoever went on.
		if !want[place] && (q.Ask != askFields || !anywhere[place]) {
			p.fault(q, "a note that it is not known by which input electors came to %s", place)
		}
	}
}

// clocks holds that an answer which another order of the movements would change says so, where clocks are off by more
// than they are apart.
func (p *played) clocks(q question, w *oracle.World, said map[graph.MovementRef]bool) {
	if len(said) > 0 || !slices.Contains([]string{askHolding, askReached, askReach, askSources, askCopies, askFields}, q.Ask) {
		return
	}
	off := map[string]time.Duration{}
	for _, m := range w.Movements {
		off[m.Ref.Org+"/"+m.Ref.Sidecar] = max(off[m.Ref.Org+"/"+m.Ref.Sidecar], w.Off(m))
	}
	wanted := sorted(q.wanted(p, w))
	for name, most := range off {
		for _, sign := range []time.Duration{-1, 1} {
			other := p.model.Shifted(q.AsOf, func(m *oracle.Movement) time.Duration {
				by := max(w.Off(m)-time.Microsecond, 0)
				if m.Ref.Org+"/"+m.Ref.Sidecar == name {
					return sign * by
				}
				return -sign * by
			})
			if most > 0 && !slices.Equal(wanted, sorted(q.wanted(p, other))) {
				p.fault(q, "no note of clocks, and the answer would be another if that of %s were off the other way", name)
				return
			}
		}
	}
}
