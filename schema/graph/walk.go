package graph

import (
	"context"
	"runtime"
	"slices"
	"sync"

	"github.com/RoaringBitmap/roaring/v2"
	"golang.org/x/sync/errgroup"
)

// A walk follows electors from a place, movement by movement: downstream in order of time, upstream backwards. It
// is the rule that view/walk.sql has in SQL, where it is explained, and gives the same answers: there round by
// round, because SQL has no loops over movements; here in one pass over them, part by part of the electors.
type walk struct {
	start    func(place string) bool
	upstream bool
	moves    []move          // all, in order
	touched  []int           // those that electors can have walked by, in the order of the walk
	needed   []int           // these, and those into the inputs of such as have several; in order of time
	merged   map[string]bool // those inputs
}

// A walkEnd is what arrived at a place: over all parts, when added up.
type walkEnd struct {
	electors map[uint16]uint64 // by space
	unknown  map[uint16]uint64 // of these, those of unknown origin
	hops     uint32            // fewest
	first    int               // movements: the first and the last that arrived
	last     int
}

// A walkResult is what arrived at places, and at organisations, each elector once.
type walkResult struct{ places, orgs map[string]*walkEnd }

func newWalk(moves []move, start func(string) bool, upstream bool) *walk {
	w := newWalkOf(moves, func(_ int, place string) bool { return start(place) }, upstream)
	w.start = start
	return w
}

// newWalkOf is newWalk, with a start that depends on the movement that begins there.
func newWalkOf(moves []move, begins func(i int, place string) bool, upstream bool) *walk {
	w := &walk{upstream: upstream, moves: moves, merged: map[string]bool{}}
	seen := map[string]bool{}
	order := make([]int, len(moves))
	for i := range order {
		order[i] = i
	}
	if upstream {
		slices.Reverse(order)
	}
	into := map[string][]int{}
	for _, i := range order {
		m := &moves[i]
		if m.output == "" || !m.carries() {
			continue
		}
		into[m.output] = append(into[m.output], i)
		heads, tails := w.ends(m)
		if !slices.ContainsFunc(heads, func(p string) bool { return seen[p] || begins(i, p) }) {
			continue
		}
		for _, p := range tails {
			seen[p] = true
		}
		w.touched = append(w.touched, i)
		if len(m.inputs) > 1 {
			for _, p := range m.inputs {
				w.merged[p] = true
			}
		}
	}
	w.needed = slices.Clone(w.touched)
	for p := range w.merged {
		w.needed = append(w.needed, into[p]...)
	}
	slices.Sort(w.needed)
	w.needed = slices.Compact(w.needed)
	return w
}

// ends are the places that a movement leaves, and those at which it arrives.
func (w *walk) ends(m *move) (heads, tails []string) {
	if w.upstream {
		return []string{m.output}, m.inputs
	}
	return m.inputs, []string{m.output}
}

// run walks all parts of the electors.
func (w *walk) run(ctx context.Context, g *Graph) (*walkResult, error) {
	result := &walkResult{places: map[string]*walkEnd{}, orgs: map[string]*walkEnd{}}
	if len(w.touched) == 0 {
		return result, nil
	}
	refs := make([]setRef, len(w.needed))
	for i, at := range w.needed {
		refs[i] = w.moves[at].set()
	}
	sets, err := g.electorSets(ctx, refs)
	if err != nil {
		return nil, err
	}
	entries := w.firstEntries(sets)
	var mu sync.Mutex
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(runtime.GOMAXPROCS(0))
	for p, sets := range sets {
		group.Go(func() error {
			if err := ctx.Err(); err != nil {
				return err
			}
			part := walkPart{walk: w, sets: sets, entries: entries[p.space], arrivals: map[string]*arrival{}}
			part.share()
			part.run()
			orgs := part.orgs()
			mu.Lock()
			defer mu.Unlock()
			part.addTo(result, p.space, orgs)
			return nil
		})
	}
	return result, group.Wait()
}

// firstEntries says for each space which movement was the first to bring electors of it to a place.
func (w *walk) firstEntries(sets map[setPart]map[uint32]electorSet) map[uint16]map[string]int {
	carries := map[uint16]map[uint32]bool{}
	for p, sets := range sets {
		if carries[p.space] == nil {
			carries[p.space] = map[uint32]bool{}
		}
		for movement := range sets {
			carries[p.space][movement] = true
		}
	}
	out := map[uint16]map[string]int{}
	for space, carries := range carries {
		first := map[string]int{}
		for _, i := range w.needed {
			if m := &w.moves[i]; carries[m.number] {
				if _, ok := first[m.output]; !ok {
					first[m.output] = i
				}
			}
		}
		out[space] = first
	}
	return out
}

// A walkPart is the walk over one part of the electors.
type walkPart struct {
	*walk
	sets     map[uint32]electorSet // by movement
	entries  map[string]int        // see firstEntries
	shares   map[int][]share       // of movements with several inputs: for each input
	arrivals map[string]*arrival   // by place
}

// A share is what of a movement's electors counts for one of its inputs, and what of that is of unknown origin.
type share struct{ electors, unknown electorSet }

// An arrival is what has arrived at a place: layers[h] in h+1 hops and not in fewer.
type arrival struct {
	layers      []*roaring.Bitmap
	unknown     *roaring.Bitmap
	first, last int
}

// share divides the electors of movements with several inputs among them.
func (p *walkPart) share() {
	p.shares = map[int][]share{}
	if len(p.merged) == 0 {
		return
	}
	entered := map[string]*roaring.Bitmap{}
	for _, i := range p.needed {
		m := &p.moves[i]
		set := p.sets[m.number]
		if set.empty() {
			continue
		}
		if len(m.inputs) > 1 {
			p.shares[i] = p.divide(i, set, entered)
		}
		if p.merged[m.output] {
			if entered[m.output] == nil {
				entered[m.output] = roaring.New()
			}
			set.addTo(entered[m.output])
		}
	}
}

func (p *walkPart) divide(i int, set electorSet, entered map[string]*roaring.Bitmap) []share {
	m := &p.moves[i]
	shares := make([]share, len(m.inputs))
	unrecorded, anyOpen := set, false
	open := func(place string) bool {
		first, ok := p.entries[place]
		return !ok || first >= i
	}
	for at, place := range m.inputs {
		anyOpen = anyOpen || open(place)
		if before := entered[place]; before != nil {
			shares[at].electors = set.and(before)
			unrecorded = unrecorded.andNot(before)
		}
	}
	if unrecorded.empty() {
		return shares
	}
	for at, place := range m.inputs {
		if !anyOpen || open(place) {
			shares[at].electors = shares[at].electors.or(unrecorded)
		}
		if !anyOpen {
			shares[at].unknown = unrecorded
		}
	}
	return shares
}

// carried is what of the electors of movement i counts for one of its inputs: all, where there is one.
func (p *walkPart) carried(i, at int, set electorSet) share {
	if len(p.moves[i].inputs) > 1 {
		return p.shares[i][at]
	}
	return share{electors: set}
}

// run carries the electors from movement to movement. A movement leaves before it arrives.
func (p *walkPart) run() {
	type load struct {
		tail     string
		hops     int
		electors electorSet
		unknown  electorSet
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
			if p.start(head) {
				loads = append(loads, load{tail, 1, carried.electors, carried.unknown})
				continue
			}
			from := p.arrivals[head]
			if from == nil {
				continue
			}
			for h, layer := range from.layers {
				electors := carried.electors.and(layer)
				unknown := carried.unknown
				if !unknown.empty() {
					unknown = unknown.and(layer)
				}
				loads = append(loads, load{tail, h + 2, electors, unknown})
			}
		}
		for _, l := range loads {
			if !l.electors.empty() {
				p.arrive(l.tail, i, l.hops, l.electors, l.unknown)
			}
		}
	}
}

// arrive adds electors that movement i brought to a place in so many hops.
func (p *walkPart) arrive(place string, i, hops int, electors, unknown electorSet) {
	a := p.arrivals[place]
	if a == nil {
		a = &arrival{unknown: roaring.New(), first: i, last: i}
		p.arrivals[place] = a
	}
	a.first, a.last = min(a.first, i), max(a.last, i)
	unknown.addTo(a.unknown)
	for len(a.layers) < hops {
		a.layers = append(a.layers, roaring.New())
	}
	for h, layer := range a.layers {
		switch {
		case layer.IsEmpty():
		case h < hops-1:
			electors = electors.andNot(layer)
		case h > hops-1:
			electors.removeFrom(layer)
		}
	}
	electors.addTo(a.layers[hops-1])
}

// An orgCount is how many electors arrived at an organisation, each once, and how many of them are of unknown origin.
type orgCount struct{ electors, unknown uint64 }

func (p *walkPart) orgs() map[string]orgCount {
	electors, unknown := map[string][]*roaring.Bitmap{}, map[string][]*roaring.Bitmap{}
	for place, a := range p.arrivals {
		org := orgOf(place)
		electors[org] = append(electors[org], a.layers...)
		unknown[org] = append(unknown[org], a.unknown)
	}
	var seen denseSet
	out := map[string]orgCount{}
	for org := range electors {
		out[org] = orgCount{seen.union(electors[org]), seen.union(unknown[org])}
	}
	return out
}

// A denseSet has a bit for each elector of a part: to unite many small sets, which bitmaps are slow at.
type denseSet struct{ words []uint64 }

// union counts the union of sets of one part.
func (d *denseSet) union(sets []*roaring.Bitmap) uint64 {
	if len(sets) == 1 {
		return sets[0].GetCardinality()
	}
	var large []*roaring.Bitmap
	small := sets[:0:0]
	for _, s := range sets {
		if n := s.GetCardinality(); n > 1<<BucketBits {
			large = append(large, s)
		} else if n > 0 {
			small = append(small, s)
		}
	}
	all := roaring.FastOr(large...)
	n := all.GetCardinality()
	if d.words == nil {
		d.words = make([]uint64, partBuckets<<BucketBits/64)
	}
	clear(d.words)
	var buffer [1024]uint32
	for _, s := range small {
		numbers := s.ManyIterator()
		for got := numbers.NextMany(buffer[:]); got > 0; got = numbers.NextMany(buffer[:]) {
			for _, number := range buffer[:got] {
				at, bit := number%(partBuckets<<BucketBits)/64, uint64(1)<<(number%64)
				if d.words[at]&bit == 0 {
					d.words[at] |= bit
					if !all.Contains(number) {
						n++
					}
				}
			}
		}
	}
	return n
}

// addTo adds what arrived in this part.
func (p *walkPart) addTo(result *walkResult, space uint16, orgs map[string]orgCount) {
	for place, a := range p.arrivals {
		var n uint64
		hops := len(a.layers)
		for h, layer := range slices.Backward(a.layers) {
			if !layer.IsEmpty() {
				n += layer.GetCardinality()
				hops = h + 1
			}
		}
		end(result.places, place).add(space, n, a.unknown.GetCardinality(), hops, a.first, a.last)
		end(result.orgs, orgOf(place)).add(space, 0, 0, hops, a.first, a.last)
	}
	for org, n := range orgs {
		o := result.orgs[org]
		o.electors[space] += n.electors
		o.unknown[space] += n.unknown
	}
}

func end(ends map[string]*walkEnd, name string) *walkEnd {
	if ends[name] == nil {
		ends[name] = &walkEnd{electors: map[uint16]uint64{}, unknown: map[uint16]uint64{}, hops: 1 << 31, first: 1 << 62, last: -1}
	}
	return ends[name]
}

func (e *walkEnd) add(space uint16, electors, unknown uint64, hops, first, last int) {
	e.electors[space] += electors
	e.unknown[space] += unknown
	e.hops = min(e.hops, uint32(hops))
	e.first, e.last = min(e.first, first), max(e.last, last)
}
