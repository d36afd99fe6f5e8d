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

// notSaid stands for the fields of a movement that names none.
const notSaid = ""

// A fieldWalk follows fields to places, in order of time, through the movements upstream of them.
type fieldWalk struct {
	*walk
	walked map[int]bool // touched
	lists  []string
	said   map[uint32]*said // by movement
}

func newFieldWalk(moves []move, start func(string) bool, lists []string) *fieldWalk {
	w := &fieldWalk{walk: newWalk(moves, start, true), walked: map[int]bool{}, lists: lists}
	from := map[string]bool{}
	for _, i := range w.touched {
		w.walked[i] = true
		for _, p := range moves[i].inputs {
			from[p] = true
		}
	}
	for i := range moves {
		if m := &moves[i]; m.destroys() && m.carries() && from[m.inputs[0]] {
			w.needed = append(w.needed, i)
		}
	}
	slices.Sort(w.needed)
	w.needed = slices.Compact(w.needed)
	return w
}

// followFields follows the fields of all electors, or of one, and adds them up.
func (g *Graph) followFields(ctx context.Context, w *fieldWalk, one *numbered, tally *fieldTally) error {
	if len(w.needed) == 0 {
		return nil
	}
	refs := make([]setRef, len(w.needed))
	numbers := make([]uint32, len(w.needed))
	for n, i := range w.needed {
		refs[n], numbers[n] = w.moves[i].set(), w.moves[i].number
	}
	sets, err := g.electorSets(ctx, refs)
	if err != nil {
		return err
	}
	if w.said, err = g.fieldsSaid(ctx, numbers); err != nil {
		return err
	}
	entries := w.firstEntries(sets)
	if one != nil {
		part := setPart{one.space, Bucket(one.number) / partBuckets}
		only := roaring.BitmapOf(one.number)
		for movement, set := range sets[part] {
			sets[part][movement] = set.and(only)
		}
		sets = map[setPart]map[uint32]electorSet{part: sets[part]}
	}
	var mu sync.Mutex
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(runtime.GOMAXPROCS(0))
	for at, sets := range sets {
		group.Go(func() error {
			p := &fieldPart{walkPart{walk: w.walk, sets: sets, entries: entries[at.space]}, w, map[string]*fieldStay{}, map[string]*roaring.Bitmap{}}
			p.share()
			p.run()
			mu.Lock()
			defer mu.Unlock()
			p.addTo(tally, at.space)
			return ctx.Err()
		})
	}
	return group.Wait()
}

// A fieldPart is the walk over one part of the electors.
type fieldPart struct {
	walkPart
	fields  *fieldWalk
	at      map[string]*fieldStay      // by place
	unclear map[string]*roaring.Bitmap // arrived by a movement that does not say from where
}

// A fieldStay is the fields at a place: ever brought there, by origin, and those brought since the elector was last
// destroyed there.
type fieldStay struct {
	ever map[string]*origins
	now  map[string]*roaring.Bitmap
}

// origins are electors by where a field of theirs can have come from; one can have several.
type origins struct{ list, other, unknown *roaring.Bitmap }

func newOrigins() *origins { return &origins{roaring.New(), roaring.New(), roaring.New()} }

func (o *origins) all() *roaring.Bitmap { return roaring.FastOr(o.list, o.other, o.unknown) }

func (o *origins) or(other *origins) {
	o.list.Or(other.list)
	o.other.Or(other.other)
	o.unknown.Or(other.unknown)
}

// run goes through the movements in order. A movement leaves before it arrives.
func (p *fieldPart) run() {
	for _, i := range p.needed {
		m := &p.moves[i]
		set := p.sets[m.number]
		switch {
		case set.empty():
		case m.destroys():
			if stay := p.at[m.inputs[0]]; stay != nil {
				for _, electors := range stay.now {
					set.removeFrom(electors)
				}
			}
		case p.fields.walked[i]:
			if len(m.inputs) > 1 {
				p.shares[i][0].unknown.addTo(setAt(p.unclear, m.output)) // it is that of each input
			}
			stay := p.at[m.output]
			brought := p.bring(i, m, set)
			if stay == nil {
				stay = &fieldStay{map[string]*origins{}, map[string]*roaring.Bitmap{}}
				p.at[m.output] = stay
			}
			for field, from := range brought {
				if stay.ever[field] == nil {
					stay.ever[field], stay.now[field] = newOrigins(), roaring.New()
				}
				stay.ever[field].or(from)
				stay.now[field].Or(from.all())
			}
		}
	}
}

// bring is what a movement brings to its output, by field.
func (p *fieldPart) bring(i int, m *move, set electorSet) map[string]*origins {
	said := p.fields.said[m.number]
	if said == nil {
		return nil
	}
	out := map[string]*origins{}
	if m.mode == schema.Whole && len(said.fields) == 0 { // what its inputs had
		for n, place := range m.inputs {
			stay := p.at[place]
			if stay == nil {
				continue
			}
			for field, has := range stay.now {
				if out[field] == nil {
					out[field] = newOrigins()
				}
				p.from(m, n, field, p.came(i, n, set).and(has), out[field])
			}
		}
		return out
	}
	fields := said.fields
	if len(fields) == 0 {
		fields = []string{notSaid}
	}
	for _, field := range fields {
		o := newOrigins()
		out[field] = o
		some := slices.ContainsFunc(said.inputs, func(in []string) bool { return gives(in, field) })
		for n := range m.inputs {
			if !some || n >= len(said.inputs) || gives(said.inputs[n], field) {
				p.from(m, n, field, p.came(i, n, set), o)
			}
		}
		set.andNot(o.all()).addTo(o.unknown)
	}
	return out
}

// gives says whether an input can have given a field: one that names none can have given any.
func gives(fields []string, field string) bool {
	return len(fields) == 0 || slices.Contains(fields, field)
}

// came is the electors that count for an input.
func (p *fieldPart) came(i, input int, set electorSet) electorSet {
	if len(p.moves[i].inputs) == 1 {
		return set
	}
	return p.shares[i][input].electors
}

// from adds where the field of electors that came by an input can have come from.
func (p *fieldPart) from(m *move, input int, field string, electors electorSet, o *origins) {
	place := m.inputs[input]
	list := slices.ContainsFunc(p.fields.lists, func(at string) bool { return matches(at, place) })
	if list {
		electors.addTo(o.list)
	}
	if stay := p.at[place]; stay != nil && stay.ever[field] != nil {
		before := stay.ever[field]
		electors.and(before.list).addTo(o.list)
		electors.and(before.other).addTo(o.other)
		electors.and(before.unknown).addTo(o.unknown)
		electors = electors.andNot(before.all())
	}
	switch {
	case list:
	case m.kind == schema.Collect && len(p.fields.lists) > 0: // from outside, and not from the list
		electors.addTo(o.other)
	default:
		electors.addTo(o.unknown)
	}
}

// addTo counts what reached the places asked.
func (p *fieldPart) addTo(t *fieldTally, space uint16) {
	all := map[string]*origins{}
	electors := roaring.New()
	for place, stay := range p.at {
		if !p.start(place) {
			continue
		}
		for field, from := range stay.ever {
			if all[field] == nil {
				all[field] = newOrigins()
			}
			all[field].or(from)
			electors.Or(from.all())
		}
	}
	if !electors.IsEmpty() {
		t.electors[space] += electors.GetCardinality()
	}
	for place, set := range p.unclear {
		if set.Intersects(electors) {
			t.unclear = append(t.unclear, place)
		}
	}
	for field, o := range all {
		t.add(space, field, "", o.all())
		t.add(space, field, OriginUnknown, o.unknown)
		o.list.AndNot(o.unknown)
		o.other.AndNot(o.unknown)
		t.add(space, field, OriginListOrOther, roaring.And(o.list, o.other))
		t.add(space, field, OriginList, roaring.AndNot(o.list, o.other))
		t.add(space, field, OriginNotList, roaring.AndNot(o.other, o.list))
	}
}
