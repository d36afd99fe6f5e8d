package graph

import (
	"cmp"
	"context"
	"runtime"
	"slices"
	"sync"

	"github.com/RoaringBitmap/roaring/v2"
	"golang.org/x/sync/errgroup"

	"github.com/rolltrace/rolltrace/schema"
)

// A matching compares a found list with the recorded copies, part by part of the electors.
type matching struct {
	moves []move
	space uint16
	found *roaring.Bitmap  // without seeds, once the sets are read
	holds map[string][]int // movements whose sets a place holds together: the last destroy, of what it kept, and what came since
	into  map[string][]int // movements into a place, in order

	parts           []map[uint32]electorSet // by movement: what it brought, or, of a destroy, what it kept
	known, recorded uint64
	seeds           *roaring.Bitmap            // all there are
	seedsFound      *roaring.Bitmap            // in the list
	seedsOf         map[uint32]*roaring.Bitmap // by movement: those among its electors
	byMove          map[int]*candidate
	byPlace         map[string]*candidate
}

// A candidate is a copy that the list can have come from.
type candidate struct {
	place    string
	move     int // the movement that brought it; -1 for a holding
	since    int // the first movement that brought some of it
	electors uint64
	matched  uint64
	held     uint64
	seeds    *roaring.Bitmap
	seeded   uint64 // of these, in the list
	evidence float64
}

func newMatching(moves []move, space uint16, found *roaring.Bitmap) *matching {
	m := &matching{moves: moves, space: space, found: found, holds: map[string][]int{}, into: map[string][]int{},
		seeds: roaring.New(), seedsFound: roaring.New(), seedsOf: map[uint32]*roaring.Bitmap{}, byMove: map[int]*candidate{}, byPlace: map[string]*candidate{}}
	for i := range moves {
		switch move := &moves[i]; {
		case move.destroys():
			m.holds[move.inputs[0]] = []int{i}
		case move.output != "" && move.carries():
			m.holds[move.output] = append(m.holds[move.output], i)
			m.into[move.output] = append(m.into[move.output], i)
			m.byMove[i] = &candidate{place: move.output, move: i, since: i}
		}
	}
	for place, sets := range m.holds {
		m.byPlace[place] = &candidate{place: place, move: -1, since: sets[0]}
	}
	return m
}

// alone is the movement that brought all that a place holds, if it was one; the two are then the same copy.
func (m *matching) alone(place string) (i int, ok bool) {
	sets := m.holds[place]
	if first := &m.moves[sets[0]]; first.destroys() && !m.carried(sets[0]) { // it left nobody
		sets = sets[1:]
	}
	if len(sets) != 1 || m.moves[sets[0]].destroys() {
		return 0, false
	}
	return sets[0], true
}

// read reads the sets, and compares them with the list.
func (m *matching) read(ctx context.Context, g *Graph) error {
	var refs []setRef
	for i := range m.byMove {
		refs = append(refs, m.moves[i].set())
	}
	for _, sets := range m.holds {
		if first := &m.moves[sets[0]]; first.destroys() {
			refs = append(refs, setRef{first.number, kept, first.kept})
		}
	}
	if len(refs) == 0 {
		return nil
	}
	sets, seeds, err := g.seededSets(ctx, refs)
	if err != nil {
		return err
	}
	m.takeSeeds(sets, seeds)
	for part, sets := range sets {
		if part.space == m.space {
			m.parts = append(m.parts, sets)
		}
	}
	var mu sync.Mutex
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(runtime.GOMAXPROCS(0))
	for _, part := range m.parts {
		group.Go(func() error {
			m.compare(part, &mu)
			return ctx.Err()
		})
	}
	return group.Wait()
}

// compare adds what is in one part.
func (m *matching) compare(part map[uint32]electorSet, mu *sync.Mutex) {
	all := roaring.New()
	held := map[string]*roaring.Bitmap{}
	type count struct{ electors, matched, held uint64 }
	places, moves := map[string]count{}, map[int]count{}
	for place := range m.holds {
		union := m.holding(part, place)
		if union.empty() {
			continue
		}
		matched := union.and(m.found).bitmap()
		held[place] = matched
		n := matched.GetCardinality()
		places[place] = count{union.count(), n, n}
	}
	for i := range m.byMove {
		set := part[m.moves[i].number]
		if set.empty() {
			continue
		}
		set.addTo(all)
		matched := set.and(m.found)
		c := count{electors: set.count(), matched: matched.count()}
		if there := held[m.moves[i].output]; there != nil && c.matched > 0 {
			c.held = matched.and(there).count()
		}
		moves[i] = c
	}
	mu.Lock()
	defer mu.Unlock()
	m.known += all.AndCardinality(m.found)
	m.recorded += all.GetCardinality()
	add := func(to *candidate, c count) {
		to.electors += c.electors
		to.matched += c.matched
		to.held += c.held
	}
	for place, c := range places {
		add(m.byPlace[place], c)
	}
	for i, c := range moves {
		add(m.byMove[i], c)
	}
}

// holding is what a place holds of a part.
func (m *matching) holding(part map[uint32]electorSet, place string) electorSet {
	sets := m.holds[place]
	if len(sets) == 1 {
		return part[m.moves[sets[0]].number]
	}
	union := roaring.New()
	for _, i := range sets {
		part[m.moves[i].number].addTo(union)
	}
	return electorSet{bits: union}
}

// of is what a candidate has of a part.
func (m *matching) of(part map[uint32]electorSet, c *candidate) electorSet {
	if c.move < 0 {
		return m.holding(part, c.place)
	}
	return part[m.moves[c.move].number]
}

// rank is the copies that have some of the list, the most likely first.
func (m *matching) rank(f Found) []*candidate {
	var out []*candidate
	add := func(c *candidate) {
		c.seeds = m.seedsAt(c)
		c.seeded = c.seeds.AndCardinality(m.seedsFound)
		if c.matched+c.seeded > 0 {
			if c.move < 0 {
				c.since = m.firstInto(c.place)
			}
			c.evidence = rounded(evidence(m.recorded+f.Unknown, c.electors, f.Keys-f.Seeds, c.matched), 1)
			out = append(out, c)
		}
	}
	for _, c := range m.byMove {
		add(c)
	}
	for place, c := range m.byPlace {
		if _, same := m.alone(place); !same {
			add(c)
		}
	}
	slices.SortFunc(out, func(x, y *candidate) int {
		return cmp.Or(x.compare(y), cmp.Compare(x.since, y.since), cmp.Compare(y.move, x.move), cmp.Compare(x.place, y.place))
	})
	return out
}

// compare says which copy is the more likely: negative for c.
func (c *candidate) compare(other *candidate) int {
	return cmp.Or(cmp.Compare(other.seeded, c.seeded), cmp.Compare(other.evidence, c.evidence), cmp.Compare(other.matched, c.matched), cmp.Compare(c.electors, other.electors))
}

// carried says whether a movement has electors, or seeds.
func (m *matching) carried(i int) bool {
	number := m.moves[i].number
	return m.seedsOf[number] != nil || slices.ContainsFunc(m.parts, func(part map[uint32]electorSet) bool { return !part[number].empty() })
}

// firstInto is the first movement that brought to a place some of the list that it holds; or, if these are only seeds, some
// of them.
func (m *matching) firstInto(place string) int {
	for _, i := range m.into[place] {
		for _, part := range m.parts {
			set := part[m.moves[i].number]
			if set.empty() {
				continue
			}
			listed := set.and(m.found).bitmap()
			if !listed.IsEmpty() && !m.holding(part, place).and(listed).empty() {
				return i
			}
		}
	}
	for _, i := range m.into[place] {
		if seeds := m.seedsOf[m.moves[i].number]; seeds != nil && seeds.Intersects(m.seedsFound) {
			return i
		}
	}
	if into := m.into[place]; len(into) > 0 {
		return into[0]
	}
	return m.holds[place][0]
}

// copies are the candidates as an answer has them.
func (m *matching) copies(ctx context.Context, g *Graph, f Found, candidates []*candidate) ([]MatchCopy, error) {
	out := make([]MatchCopy, len(candidates))
	paths := make([][]stepAt, len(candidates))
	for n, c := range candidates {
		out[n] = MatchCopy{
			What: CopyMovement, Org: orgOf(c.place), Place: schema.Place(c.place), Since: at(m.moves[c.since].at),
			Electors: c.electors, Matched: c.matched, Held: c.held, Seeds: c.seeds.GetCardinality(), SeedsFound: c.seeded,
			ShareOfFound: rounded(float64(c.matched)/float64(max(f.Keys-f.Seeds, 1)), 6),
			ShareOfCopy:  rounded(float64(c.matched)/float64(max(c.electors, 1)), 6),
			Evidence:     c.evidence,
			Chance:       rounded(chance(m.recorded+f.Unknown, c.electors, f.Keys-f.Seeds, c.matched), 1),
			Tied:         c.compare(candidates[0]) == 0,
			Route:        []Step{},
		}
		if c.move < 0 {
			out[n].What = CopyHolding
		}
		if n > 0 {
			m.distinguish(&out[n], candidates[0], c)
		}
		paths[n], out[n].RouteElectors = m.route(c)
	}
	err := g.steps(ctx, m.moves, paths, func(n int, route []Step) { out[n].Route = route })
	return out, err
}

// distinguish says what tells a copy from the first.
func (m *matching) distinguish(out *MatchCopy, first, c *candidate) {
	for _, part := range m.parts {
		a, b := m.of(part, first).bitmap(), m.of(part, c).bitmap()
		onlyFirst, onlyHere := roaring.AndNot(a, b), roaring.AndNot(b, a)
		out.OnlyFirst += onlyFirst.GetCardinality()
		out.OnlyFirstFound += onlyFirst.AndCardinality(m.found)
		out.OnlyHere += onlyHere.GetCardinality()
		out.OnlyHereFound += onlyHere.AndCardinality(m.found)
	}
}

// route is the way by which some of the list came, backwards from the movement of the candidate, and how many of them.
func (m *matching) route(c *candidate) (path []stepAt, electors uint64) {
	some := make([]electorSet, len(m.parts))
	for n, part := range m.parts {
		some[n] = m.of(part, c).and(m.found)
	}
	i := c.since
	if c.move < 0 {
		if came := m.common(some, i); came != nil {
			some = came
		}
	}
	for i >= 0 {
		move := &m.moves[i]
		from := ""
		if len(move.inputs) == 1 {
			from = move.inputs[0]
		}
		before := -1
		for _, j := range m.before(move, i) {
			if came := m.common(some, j); came != nil {
				before, some, from = j, came, m.moves[j].output
				break
			}
		}
		path = append(path, stepAt{i, from})
		i = before
	}
	slices.Reverse(path)
	for _, s := range some {
		electors += s.count()
	}
	return path, electors
}

// before are the movements into the inputs of another, before it, in order.
func (m *matching) before(move *move, i int) []int {
	var out []int
	for _, place := range move.inputs {
		for _, j := range m.into[place] {
			if j < i {
				out = append(out, j)
			}
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// common is, part by part, the electors of some that a movement carried; nil when there are none.
func (m *matching) common(some []electorSet, i int) []electorSet {
	out := make([]electorSet, len(some))
	any := false
	for n, part := range m.parts {
		set := part[m.moves[i].number]
		if some[n].empty() || set.empty() {
			continue
		}
		out[n] = set.and(some[n].bitmap())
		any = any || !out[n].empty()
	}
	if !any {
		return nil
	}
	return out
}
