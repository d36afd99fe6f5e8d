package lineage

import (
	"cmp"
	"container/heap"
	"slices"

	"github.com/rolltrace/rolltrace/schema/graph"
)

// A cascade is what has to be derived again because of some changes, in the order of time. A derived set depends on
// earlier movements only, so that no cycle of places is one of derivations.
type cascade struct {
	queue queue
	steps []*step
	index map[graph.DerivedSet]*step
}

// A step is one set to be derived.
type step struct {
	graph.Derivation
	of    *movement
	level int    // greater than those of its terms in the cascade
	plain bool   // nothing is taken away
	cost  uint64 // electors to be united, at most
}

// plan works out the cascade of changes that the state has already; missing sets are derived too.
func plan(changes []change, missing []*step) *cascade {
	c := &cascade{index: map[graph.DerivedSet]*step{}}
	for _, s := range missing {
		c.push(s)
	}
	for _, change := range changes {
		for _, m := range []*movement{change.was, change.is} {
			if m == nil {
				continue
			}
			if m.enters() {
				c.touch(m.output, m)
			}
			if m.destroys() {
				c.touch(m.inputs[0], m)
			}
		}
		for _, s := range sets(change.is) {
			c.push(s)
		}
		if change.was != nil && change.was.whole() && (change.is == nil || !change.is.whole()) {
			// What it carried was published, or would have been had it come earlier: nobody is to be able to tell.
			c.steps = append(c.steps, &step{of: change.was, plain: true, Derivation: graph.Derivation{DerivedSet: graph.DerivedSet{Movement: change.was.number, Form: graph.Carried}}})
		}
	}
	for len(c.queue) > 0 {
		c.take(heap.Pop(&c.queue).(*step))
	}
	return c
}

// sets are the derived sets of a movement; m may be nil.
func sets(m *movement) []*step {
	var out []*step
	if m != nil && m.whole() {
		out = append(out, &step{of: m, Derivation: graph.Derivation{DerivedSet: graph.DerivedSet{Movement: m.number, Form: graph.Carried}}})
	}
	if m != nil && m.destroys() {
		out = append(out, &step{of: m, Derivation: graph.Derivation{DerivedSet: graph.DerivedSet{Movement: m.number, Form: graph.Kept}}})
	}
	return out
}

func (c *cascade) push(s *step) {
	if c.index[s.DerivedSet] == nil {
		c.index[s.DerivedSet] = s
		heap.Push(&c.queue, s)
	}
}

// touch says that what the place held just after m is not what it was: so neither is what was derived from it.
// After the next destroy there, whatever follows depends on what that kept.
func (c *cascade) touch(p *place, m *movement) {
	next := after(p.destroys, m)
	var end *movement
	if next < len(p.destroys) {
		end = p.destroys[next]
	}
	for _, w := range p.wholes[after(p.wholes, m):] {
		if end != nil && compare(w, end) > 0 {
			break
		}
		c.push(sets(w)[0])
	}
	if end != nil && !end.whole() { // a whole destroy keeps nothing, whatever there was
		c.push(sets(end)[0])
	}
}

// take finds out what the set is derived from, and what depends on it.
func (c *cascade) take(s *step) {
	m := s.of
	s.plain = true
	switch {
	case s.Form == graph.Carried:
		for _, p := range m.inputs {
			c.held(s, p)
		}
		if m.enters() {
			c.touch(m.output, m)
		}
	case m.whole(): // it keeps nothing
		c.touch(m.inputs[0], m)
	default:
		c.held(s, m.inputs[0])
		if len(s.Terms) > 0 {
			s.Terms = append(s.Terms, graph.Term{Movement: m.number, Takes: true})
			s.plain = false
		}
		c.touch(m.inputs[0], m)
	}
	for _, t := range s.Terms {
		if t.Own {
			s.level = max(s.level, c.index[set(t)].level+1)
		}
	}
	c.steps = append(c.steps, s)
}

// held adds what the place held just before the step's movement: what the last destroy kept, and what came since.
func (c *cascade) held(s *step, p *place) {
	entries, terms := p.entries[:before(p.entries, s.of)], len(s.Terms)
	if last := before(p.destroys, s.of); last > 0 {
		destroy := p.destroys[last-1]
		entries = entries[after(entries, destroy):]
		if !destroy.whole() {
			c.add(s, destroy, graph.Kept)
		}
	}
	if w := lastWhole(p, s.of, entries); w != nil {
		entries = entries[after(entries, w):]
		s.Terms = s.Terms[:terms]
		c.add(s, w, graph.Carried)
	}
	for _, m := range entries {
		if m.whole() {
			c.add(s, m, graph.Carried)
		} else {
			s.Terms = append(s.Terms, graph.Term{Movement: m.number})
			s.cost += max(m.keys, unknownCost)
		}
	}
}

// A place that more movements than this went into is not united from all of them again for each that leaves it. Only
// tests change it.
var manyTerms = 256

// lastWhole returns the last movement that carried all that p held, and p alone, before m and after all but a few of
// many entries: what it carried stands for them. nil: there is none.
func lastWhole(p *place, m *movement, entries []*movement) *movement {
	if len(entries) <= manyTerms {
		return nil
	}
	for _, w := range slices.Backward(p.wholes[:before(p.wholes, m)]) {
		if after(entries, w) <= manyTerms {
			return nil
		}
		if len(w.inputs) == 1 {
			return w
		}
	}
	return nil
}

// add adds a derived set.
func (c *cascade) add(s *step, m *movement, form graph.DerivedForm) {
	t := graph.Term{Movement: m.number, Form: form}
	of := c.index[set(t)]
	switch {
	case of == nil:
		s.cost += derivedCost
	case of.plain && len(of.Terms) <= maxInlined && len(s.Terms) <= maxInlined:
		// A union of unions is one union, and needs not wait for them.
		for _, t := range of.Terms {
			if !slices.Contains(s.Terms, t) {
				s.Terms = append(s.Terms, t)
			}
		}
		s.cost += of.cost
		return
	default:
		s.cost += of.cost
	}
	t.Own = of != nil
	s.Terms = append(s.Terms, t)
}

// What is not known of a set's size before it is read, in electors, and how many terms are taken over from another
// set at most.
const (
	unknownCost = 1 << 10
	derivedCost = 1 << 20
	maxInlined  = 64
)

// set is the derived set that a term means.
func set(t graph.Term) graph.DerivedSet {
	return graph.DerivedSet{Movement: t.Movement, Form: t.Form}
}

// What one statement derives at most: the sets that are made at once have to fit into ClickHouse's memory.
const (
	maxTerms = 1 << 14
	maxCost  = 64 << 20
)

// statements cuts the cascade into derivations that can be made at once, each after those that it depends on.
func (c *cascade) statements() [][]graph.Derivation {
	levels := map[int][]*step{}
	last := 0
	for _, s := range c.steps {
		levels[s.level] = append(levels[s.level], s)
		last = max(last, s.level)
	}
	var out [][]graph.Derivation
	for level := range last + 1 {
		var some []graph.Derivation
		terms, cost := 0, uint64(0)
		for _, s := range levels[level] {
			if len(s.Terms) == 0 {
				continue // nothing is stored of an empty set
			}
			if len(some) > 0 && (terms+len(s.Terms) > maxTerms || cost+s.cost > maxCost) {
				out, some, terms, cost = append(out, some), nil, 0, 0
			}
			some = append(some, s.Derivation)
			terms, cost = terms+len(s.Terms), cost+s.cost
		}
		if len(some) > 0 {
			out = append(out, some)
		}
	}
	return out
}

// sets are those that the cascade derives.
func (c *cascade) sets() []graph.DerivedSet {
	out := make([]graph.DerivedSet, len(c.steps))
	for i, s := range c.steps {
		out[i] = s.DerivedSet
	}
	return out
}

// A queue yields the earliest step first.
type queue []*step

func (q queue) Len() int { return len(q) }
func (q queue) Less(i, j int) bool {
	return cmp.Or(compare(q[i].of, q[j].of), cmp.Compare(q[i].Form, q[j].Form)) < 0
}
func (q queue) Swap(i, j int) { q[i], q[j] = q[j], q[i] }
func (q *queue) Push(x any)   { *q = append(*q, x.(*step)) }
func (q *queue) Pop() any {
	last := len(*q) - 1
	s := (*q)[last]
	*q = (*q)[:last]
	return s
}
