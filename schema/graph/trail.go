package graph

import (
	"context"
	"runtime"
	"slices"
	"sync"

	"github.com/RoaringBitmap/roaring/v2"
	"golang.org/x/sync/errgroup"
)

// A trail follows the electors that were destroyed at places, from there, and finds where they are left. It walks
// the movements in order, part by part of the electors, as walk does.
type trail struct {
	*walk
	walked map[int]bool // touched
	parts  []*trailPart
}

// A trailPart is the trail of one part of the electors.
type trailPart struct {
	walkPart
	space   uint16
	gone    map[string]*roaring.Bitmap // at the places asked: destroyed, and not entered again
	arrived map[string]*roaring.Bitmap
	legs    map[leg]electorSet
	landed  map[string][]landing
	unclear map[string]*roaring.Bitmap // arrived by a movement that does not say from where
}

// A leg is what a movement took from one of its inputs.
type leg struct{ move, input int }

// A landing is what a movement brought to a place, and was not destroyed there since.
type landing struct {
	move     int
	electors *roaring.Bitmap
}

func newTrail(moves []move, start func(string) bool) *trail {
	t := &trail{walk: newWalk(moves, start, false), walked: map[int]bool{}}
	ends := map[string]bool{}
	for _, i := range t.touched {
		t.walked[i] = true
		ends[moves[i].output] = true
	}
	for i := range moves {
		m := &moves[i]
		switch {
		case !m.carries():
		case m.removes && (start(m.inputs[0]) || ends[m.inputs[0]]), m.output != "" && start(m.output):
			t.needed = append(t.needed, i)
		}
	}
	slices.Sort(t.needed)
	t.needed = slices.Compact(t.needed)
	return t
}

// run follows all parts of the electors.
func (t *trail) run(ctx context.Context, g *Graph) error {
	if len(t.needed) == 0 {
		return nil
	}
	refs := make([]setRef, len(t.needed))
	for i, at := range t.needed {
		refs[i] = t.moves[at].set()
	}
	sets, err := g.electorSets(ctx, refs)
	if err != nil {
		return err
	}
	entries := t.firstEntries(sets)
	var mu sync.Mutex
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(runtime.GOMAXPROCS(0))
	for at, sets := range sets {
		group.Go(func() error {
			p := &trailPart{walkPart: walkPart{walk: t.walk, sets: sets, entries: entries[at.space]}, space: at.space,
				gone: map[string]*roaring.Bitmap{}, arrived: map[string]*roaring.Bitmap{}, legs: map[leg]electorSet{},
				landed: map[string][]landing{}, unclear: map[string]*roaring.Bitmap{}}
			p.destroy()
			p.share()
			p.follow(t.walked)
			mu.Lock()
			defer mu.Unlock()
			t.parts = append(t.parts, p)
			return ctx.Err()
		})
	}
	return group.Wait()
}

// destroys says whether the movement takes electors away. A destroy counts from the moment on that what it kept does.
func (m *move) destroys() bool { return m.removes && m.kept > 0 }

// destroy finds what was destroyed at the places asked, and did not come back.
func (p *trailPart) destroy() {
	for _, i := range p.needed {
		m := &p.moves[i]
		set := p.sets[m.number]
		switch {
		case set.empty():
		case m.destroys() && p.start(m.inputs[0]):
			set.addTo(setAt(p.gone, m.inputs[0]))
		case m.output != "" && p.gone[m.output] != nil:
			set.removeFrom(p.gone[m.output])
		}
	}
}

func setAt(sets map[string]*roaring.Bitmap, place string) *roaring.Bitmap {
	if sets[place] == nil {
		sets[place] = roaring.New()
	}
	return sets[place]
}

// follow carries them on from there, movement by movement. A movement leaves before it arrives.
func (p *trailPart) follow(walked map[int]bool) {
	for _, i := range p.needed {
		m := &p.moves[i]
		set := p.sets[m.number]
		switch {
		case set.empty():
		case m.destroys():
			for _, l := range p.landed[m.inputs[0]] {
				set.removeFrom(l.electors)
			}
		case walked[i]:
			p.carry(i, m, set)
		}
	}
}

func (p *trailPart) carry(i int, m *move, set electorSet) {
	all := roaring.New()
	for input, place := range m.inputs {
		carried := share{electors: set}
		if len(m.inputs) > 1 {
			carried = p.shares[i][input]
		}
		for _, from := range []*roaring.Bitmap{p.gone[place], p.arrived[place]} {
			if from == nil || carried.electors.empty() {
				continue
			}
			went := carried.electors.and(from)
			if went.empty() {
				continue
			}
			p.legs[leg{i, input}] = p.legs[leg{i, input}].or(went)
			went.addTo(all)
			if !carried.unknown.empty() {
				carried.unknown.and(from).addTo(setAt(p.unclear, m.output))
			}
		}
	}
	if !all.IsEmpty() {
		setAt(p.arrived, m.output).Or(all)
		p.landed[m.output] = append(p.landed[m.output], landing{i, all})
	}
}

// destroyed is how many electors were destroyed at the places asked, each once, and did not come back.
func (t *trail) destroyed(spaces map[uint16]Count) []Count {
	n := map[uint16]uint64{}
	for _, p := range t.parts {
		var gone []*roaring.Bitmap
		for _, at := range p.gone {
			gone = append(gone, at)
		}
		n[p.space] += roaring.FastOr(gone...).GetCardinality()
	}
	return countsOf(n, spaces)
}

// A remnant is what is left at a place or an organisation.
type remnant struct {
	electors    map[uint16]uint64 // by space
	first, last int               // movements: the first and the last that brought some
}

func (r *remnant) org(org string, moves []move, spaces map[uint16]Count) CopyOrg {
	return CopyOrg{Org: org, Electors: countsOf(r.electors, spaces), Since: at(moves[r.first].at), LastAt: at(moves[r.last].at)}
}

// left is what is left, each elector once under each of the names that name gives to places.
func (t *trail) left(name func(place string) string) map[string]*remnant {
	out := map[string]*remnant{}
	for _, p := range t.parts {
		all := map[string][]*roaring.Bitmap{}
		for place, landings := range p.landed {
			for _, l := range landings {
				if l.electors.IsEmpty() {
					continue
				}
				at := name(place)
				all[at] = append(all[at], l.electors)
				if out[at] == nil {
					out[at] = &remnant{map[uint16]uint64{}, l.move, l.move}
				}
				out[at].first, out[at].last = min(out[at].first, l.move), max(out[at].last, l.move)
			}
		}
		for at, sets := range all {
			out[at].electors[p.space] += roaring.FastOr(sets...).GetCardinality()
		}
	}
	return out
}

// unclear are the places with electors of which it is not known by which input they came.
func (t *trail) unclear() []string {
	var out []string
	for _, p := range t.parts {
		for place, electors := range p.unclear {
			if !electors.IsEmpty() {
				out = append(out, place)
			}
		}
	}
	return out
}

// route is the route to a place that ends with a movement, back to where its electors were destroyed: always by the
// earliest movement that brought some of them, and by its first input that did. It says how many came all this way.
func (t *trail) route(place string, last int) (path []stepAt, electors map[uint16]uint64) {
	some := make([]*roaring.Bitmap, len(t.parts))
	for n, p := range t.parts {
		for _, l := range p.landed[place] {
			if l.move == last {
				some[n] = l.electors
			}
		}
	}
	for i := last; i >= 0; {
		m := &t.moves[i]
		var from string
		some, from = t.firstInput(i, m, some)
		path = append(path, stepAt{i, from})
		gone := t.common(some, func(p *trailPart) electorSet { return electorSet{bits: p.gone[from]} })
		if gone != nil {
			some = gone
			break
		}
		i, some = t.before(i, from, some)
	}
	slices.Reverse(path)
	electors = map[uint16]uint64{}
	for n, p := range t.parts {
		if some[n] != nil {
			electors[p.space] += some[n].GetCardinality()
		}
	}
	return path, electors
}

// firstInput is the first input of a movement by which some of the electors came, and these.
func (t *trail) firstInput(i int, m *move, some []*roaring.Bitmap) ([]*roaring.Bitmap, string) {
	for input, place := range m.inputs {
		if came := t.common(some, func(p *trailPart) electorSet { return p.legs[leg{i, input}] }); came != nil {
			return came, place
		}
	}
	return some, m.inputs[0] // not so: they all came by one
}

// before is the earliest movement that brought some of the electors to a place before movement i, and these. -1: none.
func (t *trail) before(i int, place string, some []*roaring.Bitmap) (int, []*roaring.Bitmap) {
	for _, j := range t.touched {
		m := &t.moves[j]
		if j >= i || m.output != place {
			continue
		}
		came := t.common(some, func(p *trailPart) electorSet {
			var all electorSet
			for input := range m.inputs {
				all = all.or(p.legs[leg{j, input}])
			}
			return all
		})
		if came != nil {
			return j, came
		}
	}
	return -1, some
}

// common is, part by part, the electors that are in some and in a set of the part; nil when there are none.
func (t *trail) common(some []*roaring.Bitmap, of func(*trailPart) electorSet) []*roaring.Bitmap {
	out := make([]*roaring.Bitmap, len(some))
	any := false
	for n, p := range t.parts {
		set := of(p)
		if some[n] == nil || set.empty() {
			continue
		}
		both := roaring.New()
		set.and(some[n]).addTo(both)
		if !both.IsEmpty() {
			out[n], any = both, true
		}
	}
	if !any {
		return nil
	}
	return out
}
