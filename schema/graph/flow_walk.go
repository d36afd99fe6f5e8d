package graph

import (
	"context"
	"runtime"
	"slices"
	"sync"

	"github.com/RoaringBitmap/roaring/v2"
	"golang.org/x/sync/errgroup"

	"github.com/rolltrace/rolltrace/schema"
)

// A flowWalk is a walk that keeps who went over which edge, and who is held at its places.
type flowWalk struct {
	*walk
	only    int // the movement that every route begins with; -1: they begin at places
	walked  map[int]bool
	tracked map[string]bool // places whose content is followed: at others everybody who arrived is held
}

// An edge is from a place to another, or from an organisation to another.
type edge struct{ from, to string }

// A flowFound is what was found: over all parts, when added up.
type flowFound struct {
	electors        map[uint16]uint64 // by space
	edges, orgEdges map[edge]*flowPass
	places, orgs    map[string]*flowEnd
	unclear         []string // places with electors of which it is not known by which edge they came
}

type flowPass struct {
	electors  map[uint16]uint64
	movements *roaring.Bitmap // indices of moves

	fields, purposes, agreements []string // see saidOf
}

type flowEnd struct {
	electors, held, destroyed map[uint16]uint64
	lastDestroy               int // a movement; -1: none
}

// newFlowWalk walks the way that a question asks for: to and fro, if it asks for none.
func newFlowWalk(moves []move, q FlowQuestion) *flowWalk {
	start := func(string) bool { return true }
	switch {
	case q.From != "":
		start = func(place string) bool { return matches(q.From, place) }
	case q.To != "":
		start = func(place string) bool { return matches(q.To, place) }
	}
	w := &flowWalk{walk: newWalk(moves, start, q.To != ""), only: -1}
	w.track()
	return w
}

// newMovementWalk walks from one movement on; there is nowhere to go when it is none (-1).
func newMovementWalk(moves []move, only int) *flowWalk {
	w := &flowWalk{walk: &walk{moves: moves, merged: map[string]bool{}}, only: only}
	if only >= 0 && moves[only].output != "" && moves[only].carries() {
		w.walk = newWalkOf(moves, func(i int, _ string) bool { return i == only }, false)
	}
	w.start = func(string) bool { return false } // at no place: what arrived goes on
	w.track()
	return w
}

// track finds the places at which it takes more than the walk to know who is held.
func (w *flowWalk) track() {
	w.walked, w.tracked = map[int]bool{}, map[string]bool{}
	places := map[string]bool{}
	for _, i := range w.touched {
		w.walked[i] = true
		places[w.moves[i].output] = true
		for _, p := range w.moves[i].inputs {
			places[p] = true
			if w.upstream || w.start(p) || i == w.only {
				w.tracked[p] = true
			}
		}
		if w.upstream {
			w.tracked[w.moves[i].output] = true
		}
	}
	for i := range w.moves {
		if m := &w.moves[i]; m.destroys() && m.carries() && places[m.inputs[0]] {
			w.tracked[m.inputs[0]] = true
		}
	}
	for i := range w.moves {
		m := &w.moves[i]
		if m.carries() && (m.destroys() && w.tracked[m.inputs[0]] || m.output != "" && w.tracked[m.output]) {
			w.needed = append(w.needed, i)
		}
	}
	slices.Sort(w.needed)
	w.needed = slices.Compact(w.needed)
}

// run walks all parts of the electors.
func (w *flowWalk) run(ctx context.Context, g *Graph, q FlowQuestion) (*flowFound, error) {
	found := &flowFound{electors: map[uint16]uint64{}, edges: map[edge]*flowPass{}, orgEdges: map[edge]*flowPass{},
		places: map[string]*flowEnd{}, orgs: map[string]*flowEnd{}}
	if len(w.touched) == 0 {
		return found, nil
	}
	var of map[setPart]*roaring.Bitmap
	if q.Of != "" {
		var err error
		if of, err = g.electorsAt(ctx, w.moves, q.Of, q.What); err != nil || len(of) == 0 {
			return found, err
		}
	}
	refs := make([]setRef, len(w.needed))
	for n, i := range w.needed {
		refs[n] = w.moves[i].set()
	}
	sets, err := g.electorSets(ctx, refs)
	if err != nil {
		return nil, err
	}
	entries := w.firstEntries(sets)
	var mu sync.Mutex
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(runtime.GOMAXPROCS(0))
	for at, sets := range sets {
		if of != nil && of[at] == nil {
			continue
		}
		group.Go(func() error {
			if err := ctx.Err(); err != nil {
				return err
			}
			p := &flowPart{walkPart: walkPart{walk: w.walk, sets: sets, entries: entries[at.space]}, flow: w, of: of[at],
				edges: map[edge]*partPass{}, held: map[string]*roaring.Bitmap{}, destroys: map[string][]int{}, unclear: map[string]bool{}}
			p.share()
			p.pass()
			p.hold()
			places, orgs, orgEdges := p.ends()
			mu.Lock()
			defer mu.Unlock()
			p.addTo(found, at.space, places, orgs, orgEdges)
			return nil
		})
	}
	return found, group.Wait()
}

// electorsAt are the electors that a place or an organisation holds, or was reached by, part by part.
func (g *Graph) electorsAt(ctx context.Context, moves []move, at, what string) (map[setPart]*roaring.Bitmap, error) {
	_, refs, _ := setsAt(moves, at, what)
	if len(refs) == 0 {
		return nil, nil
	}
	sets, err := g.electorSets(ctx, refs)
	out := map[setPart]*roaring.Bitmap{}
	for part, sets := range sets {
		all := roaring.New()
		for _, set := range sets {
			set.addTo(all)
		}
		if !all.IsEmpty() {
			out[part] = all
		}
	}
	return out, err
}

// A flowPart is the walk over one part of the electors.
type flowPart struct {
	walkPart
	flow     *flowWalk
	of       *roaring.Bitmap // only these; nil: all
	edges    map[edge]*partPass
	held     map[string]*roaring.Bitmap // at tracked places
	destroys map[string][]int           // there, in order
	unclear  map[string]bool
}

type partPass struct{ electors, movements *roaring.Bitmap }

func (p *flowPart) edge(from, to string) *partPass {
	e := edge{from, to}
	if p.edges[e] == nil {
		p.edges[e] = &partPass{roaring.New(), roaring.New()}
	}
	return p.edges[e]
}

// pass carries electors from movement to movement, in the order of the walk. A movement leaves before it arrives.
func (p *flowPart) pass() {
	there := map[string]*roaring.Bitmap{} // on a route: by the place where the walk has come to
	type load struct {
		tail     string
		electors electorSet
	}
	var loads []load
	for _, i := range p.touched {
		m := &p.moves[i]
		set := p.sets[m.number]
		if set.empty() {
			continue
		}
		loads = loads[:0]
		for at, input := range m.inputs {
			carried := p.carried(i, at, set)
			head, tail := input, m.output
			if p.upstream {
				head, tail = tail, head
			}
			bounds := []*roaring.Bitmap{p.of}
			if !p.start(head) && i != p.flow.only {
				if there[head] == nil {
					continue
				}
				bounds = append(bounds, there[head])
			}
			for _, bound := range bounds {
				if bound != nil {
					carried = share{carried.electors.and(bound), carried.unknown.within(bound)}
				}
			}
			if carried.electors.empty() {
				continue
			}
			if !carried.unknown.empty() {
				p.unclear[m.output] = true
			}
			e := p.edge(input, m.output)
			carried.electors.addTo(e.electors)
			e.movements.Add(uint32(i))
			loads = append(loads, load{tail, carried.electors})
		}
		for _, l := range loads {
			l.electors.addTo(setAt(there, l.tail))
		}
	}
}

// hold follows what is held at tracked places.
func (p *flowPart) hold() {
	for _, i := range p.needed {
		m := &p.moves[i]
		set := p.sets[m.number]
		switch {
		case set.empty():
		case m.destroys():
			if at := m.inputs[0]; p.flow.tracked[at] {
				set.removeFrom(setAt(p.held, at))
				p.destroys[at] = append(p.destroys[at], i)
			}
		case m.output != "" && p.flow.tracked[m.output]:
			set.addTo(setAt(p.held, m.output))
		}
	}
}

// A partEnd is the electors at an end of edges: all, those that are held there, and those that were destroyed.
type partEnd struct {
	electors, held, destroyed *roaring.Bitmap
	lastDestroy               int
}

// ends are the ends of the edges: places, organisations; and the edges between organisations.
func (p *flowPart) ends() (places, orgs map[string]*partEnd, orgEdges map[edge]*partPass) {
	places, orgs, orgEdges = map[string]*partEnd{}, map[string]*partEnd{}, map[edge]*partPass{}
	at := func(ends map[string]*partEnd, name string) *partEnd {
		if ends[name] == nil {
			ends[name] = &partEnd{roaring.New(), roaring.New(), roaring.New(), -1}
		}
		return ends[name]
	}
	for e, pass := range p.edges {
		at(places, e.from).electors.Or(pass.electors)
		at(places, e.to).electors.Or(pass.electors)
		between := edge{orgOf(e.from), orgOf(e.to)}
		if between.from == between.to {
			continue
		}
		if orgEdges[between] == nil {
			orgEdges[between] = &partPass{roaring.New(), roaring.New()}
		}
		orgEdges[between].electors.Or(pass.electors)
		orgEdges[between].movements.Or(pass.movements)
	}
	for place, end := range places {
		end.held = end.electors
		if p.flow.tracked[place] {
			end.held = roaring.And(end.electors, setAt(p.held, place))
		}
		for _, i := range p.destroys[place] {
			if gone := p.sets[p.moves[i].number].and(end.electors).andNot(end.held); !gone.empty() {
				gone.addTo(end.destroyed)
				end.lastDestroy = i
			}
		}
		org := at(orgs, orgOf(place))
		org.electors.Or(end.electors)
		org.held.Or(end.held)
		org.destroyed.Or(end.destroyed)
	}
	for _, org := range orgs {
		org.destroyed.AndNot(org.held)
	}
	for place := range places {
		org := orgs[orgOf(place)]
		for _, i := range p.destroys[place] {
			if !p.sets[p.moves[i].number].and(org.destroyed).within(places[place].destroyed).empty() {
				org.lastDestroy = max(org.lastDestroy, i)
			}
		}
	}
	return places, orgs, orgEdges
}

// addTo adds what was found in this part.
func (p *flowPart) addTo(found *flowFound, space uint16, places, orgs map[string]*partEnd, orgEdges map[edge]*partPass) {
	all := roaring.New()
	for _, pass := range p.edges {
		all.Or(pass.electors)
	}
	found.electors[space] += all.GetCardinality()
	passes := func(to map[edge]*flowPass, from map[edge]*partPass) {
		for e, pass := range from {
			if to[e] == nil {
				to[e] = &flowPass{electors: map[uint16]uint64{}, movements: roaring.New()}
			}
			to[e].electors[space] += pass.electors.GetCardinality()
			to[e].movements.Or(pass.movements)
		}
	}
	passes(found.edges, p.edges)
	passes(found.orgEdges, orgEdges)
	ends := func(to map[string]*flowEnd, from map[string]*partEnd) {
		for name, end := range from {
			if to[name] == nil {
				to[name] = &flowEnd{map[uint16]uint64{}, map[uint16]uint64{}, map[uint16]uint64{}, -1}
			}
			to[name].electors[space] += end.electors.GetCardinality()
			to[name].held[space] += end.held.GetCardinality()
			to[name].destroyed[space] += end.destroyed.GetCardinality()
			to[name].lastDestroy = max(to[name].lastDestroy, end.lastDestroy)
		}
	}
	ends(found.places, places)
	ends(found.orgs, orgs)
	for place := range p.unclear {
		found.unclear = append(found.unclear, place)
	}
}

// concerns says which movements could change the answer.
func (w *flowWalk) concerns(q FlowQuestion, a *Flow) func(CoverageRow) bool {
	f := newFlows(w.moves)
	places := map[string]bool{}
	for _, p := range a.Places {
		places[string(p.Place)] = true
	}
	held := f.changesContent(func(p string) bool { return places[p] }, true)
	along := func(row CoverageRow) bool {
		return row.Code != CodeAttested && !row.unrecorded() && (q.Of == "" || len(a.Edges) > 0)
	}
	switch {
	case q.From != "":
		along = f.changesReach(w.start)
	case q.To != "":
		along = f.changesSources(w.start)
	case a.Movement != nil:
		along = w.concernsMovement(f, a.Movement)
	}
	whose := func(CoverageRow) bool { return false }
	if q.Of != "" {
		whose = f.changesContent(func(p string) bool { return matches(q.Of, p) }, q.What == Holding)
	}
	return func(row CoverageRow) bool { return along(row) || held(row) || whose(row) }
}

// concernsMovement says which movements could change what the one asked for carried, or where that went.
func (w *flowWalk) concernsMovement(f *flows, asked *Movement) func(CoverageRow) bool {
	further := f.changesReach(func(p string) bool { return p == string(asked.Output) })
	input := func(p string) bool {
		return slices.ContainsFunc(asked.Inputs, func(in schema.Input) bool { return string(in.Place) == p })
	}
	content := f.changesContent(input, true)
	return func(row CoverageRow) bool {
		before := !row.OccurredAt.After(asked.OccurredAt.Time) && (asked.Mode == schema.Whole || len(asked.Inputs) > 1)
		after := !row.OccurredAt.Before(asked.OccurredAt.Time)
		return row.MovementRef == asked.MovementRef || before && content(row) || after && further(row)
	}
}
