package endtoend

import (
	"slices"
	"strings"

	"github.com/rolltrace/rolltrace/schema"
	"github.com/rolltrace/rolltrace/schema/graph"
	"github.com/rolltrace/rolltrace/schema/schematest/oracle"
)

// notes holds "never incomplete as complete": if the answer would have been another had a doubtful movement not been
// as it is recorded, a note of the answer names it. And a note names no movement without a doubt.
func (p *played) notes(q question, w *oracle.World, a graph.Answer) {
	said := map[string]map[graph.MovementRef]bool{}
	complete := true
	for _, n := range a.Notes {
		if said[n.Code] == nil {
			said[n.Code] = map[graph.MovementRef]bool{}
		}
		for _, ref := range n.Movements {
			said[n.Code][ref] = true
		}
		if !slices.Contains([]string{graph.CodeNone, graph.CodeLater, graph.CodeAttested, graph.CodeNoRecorder, graph.CodeSeeds, graph.CodeElsewhere}, n.Code) {
			complete = false
		}
	}
	p.large(q, w, a)
	p.unclear(q, w, a)
	p.clocks(q, w, said[graph.CodeClock])
	if complete != a.Complete {
		p.fault(q, "complete is %v, the notes say otherwise: %v", a.Complete, a.Notes)
	}
	recorded := map[string]map[graph.MovementRef]bool{}
	wanted := sorted(q.wanted(p, w))
	for _, d := range w.Doubts() {
		ref := graph.MovementRef(d.Ref)
		if recorded[d.Code] == nil {
			recorded[d.Code] = map[graph.MovementRef]bool{}
		}
		recorded[d.Code][ref] = true
		if said[d.Code][ref] || len(said[d.Code]) == graph.MaxNoteMovements { // which names no more
			continue
		}
		for _, further := range p.possible(q, w, d) {
			if !slices.Equal(wanted, sorted(q.wanted(p, p.model.Otherwise(q.AsOf, d, further)))) {
				p.fault(q, "no note %s of movement %s of %s/%s, which could change the answer: %s", d.Code, ref.ID, ref.Org, ref.Sidecar, further.Key)
				break
			}
		}
	}
	if q.Tight {
		p.tooWide(q, w, wanted, said[graph.CodeCounted])
	}
	for code, refs := range said {
		for ref := range refs {
			if strings.HasPrefix(ref.Org, p.prefix) && code != graph.CodeUnknownMovement && !recorded[code][ref] {
				p.fault(q, "a note %s of movement %s of %s/%s that does not call for it", code, ref.ID, ref.Org, ref.Sidecar)
			}
		}
	}
}

// tooWide holds that a counted movement qualifies an answer only if it would be another had it carried somebody: one of those
// that are known, or a stranger of any id space.
func (p *played) tooWide(q question, w *oracle.World, wanted []string, said map[graph.MovementRef]bool) {
	electors := w.Electors()
	for _, set := range oracle.Sets {
		electors = append(electors, oracle.Elector{IDSpace: set.IDSpace, KeyID: set.KeyID, Key: 1})
	}
	for _, d := range w.Doubts() {
		if d.Code != graph.CodeCounted || !said[graph.MovementRef(d.Ref)] {
			continue
		}
		if !slices.ContainsFunc(electors, func(further oracle.Elector) bool {
			return !slices.Equal(wanted, sorted(q.wanted(p, p.model.Otherwise(q.AsOf, d, further))))
		}) {
			p.fault(q, "a note counted of movement %s of %s/%s, which could not change the answer", d.Ref.ID, d.Ref.Org, d.Ref.Sidecar)
		}
	}
}

func sorted(lines []string) []string {
	slices.Sort(lines)
	return lines
}

// possible are electors that a doubtful movement may have carried, and does not say: some of those that are known, and
// one that nobody has seen. Of one of which only a number is known, they are among those that its inputs could hold.
func (p *played) possible(q question, w *oracle.World, d oracle.Doubt) []oracle.Elector {
	var out []oracle.Elector
	switch {
	case d.Code == graph.CodeAttested: // it takes nothing away, whatever it was
		return nil
	case d.Code == graph.CodeClock: // see clocks
		return nil
	case q.Elector != "":
		out = append(out, q.elector(p.prefix))
	default:
		known := w.Electors()
		for i := range min(len(known), 4) {
			out = append(out, known[i*len(known)/4])
		}
		out = append(out, oracle.Elector{IDSpace: schema.ElectorID, KeyID: oracle.Sets[0].KeyID, Key: 1})
	}
	if d.Code == graph.CodeCounted {
		out = slices.DeleteFunc(out, func(e oracle.Elector) bool {
			return !slices.ContainsFunc(d.Inputs, func(in schema.Input) bool { return w.Reached(string(in.Place))[e] })
		})
	}
	return out
}
