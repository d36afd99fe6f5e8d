package graph

import (
	"cmp"
	"context"
	"maps"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/RoaringBitmap/roaring/v2"
	"golang.org/x/sync/errgroup"

	"github.com/rolltrace/rolltrace/schema"
)

// An OverviewQuestion asks for everything at once, as a picture has it: organisations, and the places of some.
type OverviewQuestion struct {
	AsOf   schema.Time // zero: all that is known
	Expand []string    // organisations whose places are nodes of their own; names of none are passed over
}

// An Overview is the graph of nodes and flows: counts first. A node is an organisation, or, where it was asked to be
// expanded, each of its places.
type Overview struct {
	Answer
	Moments []schema.Time  `json:"moments"` // when movements began, in order, whatever the time asked: at most MaxMoments, evenly among them
	Nodes   []OverviewNode `json:"nodes"`   // by name
	Flows   []OverviewFlow `json:"flows"`   // by from, then by to
}

// An OverviewNode is an organisation, or a place.
type OverviewNode struct {
	Name         string  `json:"name"`
	Org          string  `json:"org"`
	Title        string  `json:"title"`        // of the organisation, as the registry of that time has it; "" where nobody registered it
	Kind         string  `json:"kind"`         // likewise: authority, party, vendor …
	Jurisdiction string  `json:"jurisdiction"` // likewise
	Places       uint64  `json:"places"`       // that movements name
	People       uint64  `json:"people"`       // of them
	Holding      []Count `json:"holding"`
	Reached      []Count `json:"reached"`
}

// An OverviewFlow is all movements from one node to another. What stays within a node is not shown.
type OverviewFlow struct {
	From      string      `json:"from"`
	To        string      `json:"to"`
	Movements uint64      `json:"movements"`
	Counted   uint64      `json:"counted"`  // of them, those whose electors are not known
	Electors  []Count     `json:"electors"` // each once, whatever the movements
	FirstAt   schema.Time `json:"first_at"` // when the first of them began
	LastAt    schema.Time `json:"last_at"`  // and the last
}

// Overview answers with the graph of all organisations. Electors of a movement with several inputs count for the
// inputs as in Reach.
func (g *Graph) Overview(ctx context.Context, q OverviewQuestion) (*Overview, error) {
	notes := g.newNotes(ctx, q.AsOf)
	defer notes.close()
	moves, err := g.moves(ctx, q.AsOf)
	if err != nil {
		return nil, err
	}
	notes.moves = moves
	spaces, err := g.spaces(ctx)
	if err != nil {
		return nil, err
	}
	o := overview{graph: g, moves: moves, spaces: spaces, expand: q.Expand}
	a := &Overview{}
	if a.Moments, err = g.moments(ctx); err != nil {
		return nil, err
	}
	if a.Flows, err = o.flows(ctx, notes); err != nil {
		return nil, err
	}
	if a.Nodes, err = o.nodes(ctx); err != nil {
		return nil, err
	}
	if err := g.registered(ctx, q.AsOf, a.Nodes); err != nil {
		return nil, err
	}
	if len(a.Nodes) == 0 {
		notes.none("movements")
	}
	a.Answer, err = notes.answer(func() func(CoverageRow) bool { return func(CoverageRow) bool { return true } })
	return a, err
}

// registered adds to nodes what the registry says of their organisations.
func (g *Graph) registered(ctx context.Context, asOf schema.Time, nodes []OverviewNode) error {
	return g.ask(ctx, "read the registry", func(rows driver.Rows) error {
		var org, title, kind, jurisdiction string
		err := rows.Scan(&org, &title, &kind, &jurisdiction)
		for i := range nodes {
			if nodes[i].Org == org {
				nodes[i].Title, nodes[i].Kind, nodes[i].Jurisdiction = title, kind, jurisdiction
			}
		}
		return err
	}, "SELECT organisation, name, kind, jurisdiction FROM organisations_as_of(as_of = $1)", asOf.String())
}

// MaxMoments is how many moments an Overview has.
const MaxMoments = 200

// moments are times at which movements began, the first and the last among them.
func (g *Graph) moments(ctx context.Context) ([]schema.Time, error) {
	all := []schema.Time{}
	err := g.ask(ctx, "read movements", func(rows driver.Rows) error {
		var began time.Time
		err := rows.Scan(&began)
		all = append(all, at(began))
		return err
	}, "SELECT DISTINCT occurred_at FROM internal_movement WHERE outcome != 'retracted' ORDER BY occurred_at")
	if len(all) <= MaxMoments {
		return all, err
	}
	some := make([]schema.Time, MaxMoments)
	for i := range some {
		some[i] = all[i*(len(all)-1)/(MaxMoments-1)]
	}
	return some, err
}

// overview is an Overview in the making.
type overview struct {
	graph  *Graph
	moves  []move
	spaces map[uint16]Count
	expand []string
}

// node is the node that a place belongs to.
func (o *overview) node(place string) string {
	if org := orgOf(place); !slices.Contains(o.expand, org) {
		return org
	}
	return place
}

type nodePair struct{ from, to string }

// flows are the movements between nodes, with their electors.
func (o *overview) flows(ctx context.Context, notes *notes) ([]OverviewFlow, error) {
	found := map[nodePair]*OverviewFlow{}
	for i := range o.moves {
		m := &o.moves[i]
		for _, pair := range o.pairs(m) {
			f := found[pair]
			if f == nil {
				f = &OverviewFlow{From: pair.from, To: pair.to, FirstAt: at(m.at), Electors: []Count{}}
				found[pair] = f
			}
			f.Movements, f.LastAt = f.Movements+1, at(m.at)
			if !m.carries() {
				f.Counted++
			}
		}
	}
	electors, unclear, err := o.electors(ctx)
	if err != nil {
		return nil, err
	}
	for pair, bySpace := range electors {
		found[pair].Electors = o.counts(bySpace)
	}
	notes.originUnknown(unclear)
	out := make([]OverviewFlow, 0, len(found))
	for _, f := range found {
		out = append(out, *f)
	}
	slices.SortFunc(out, func(x, y OverviewFlow) int { return cmp.Or(cmp.Compare(x.From, y.From), cmp.Compare(x.To, y.To)) })
	return out, nil
}

// pairs are the flows that a movement belongs to, each once.
func (o *overview) pairs(m *move) []nodePair {
	var out []nodePair
	if m.output == "" {
		return nil
	}
	to := o.node(m.output)
	for _, input := range m.inputs {
		if pair := (nodePair{o.node(input), to}); pair.from != to && !slices.Contains(out, pair) {
			out = append(out, pair)
		}
	}
	return out
}

// electors counts the electors of each flow, part by part, and says at which places some are of unknown origin.
func (o *overview) electors(ctx context.Context) (map[nodePair]map[uint16]uint64, []string, error) {
	w := newWalk(o.moves, func(string) bool { return true }, false)
	refs := make([]setRef, len(w.needed))
	for i, at := range w.needed {
		refs[i] = o.moves[at].set()
	}
	out, unclear := map[nodePair]map[uint16]uint64{}, map[string]bool{}
	if len(refs) == 0 {
		return out, nil, nil
	}
	sets, err := o.graph.electorSets(ctx, refs)
	if err != nil {
		return nil, nil, err
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
			part := walkPart{walk: w, sets: sets, entries: entries[p.space]}
			part.share()
			flows, unknown := o.part(&part)
			mu.Lock()
			defer mu.Unlock()
			for pair, n := range flows {
				if out[pair] == nil {
					out[pair] = map[uint16]uint64{}
				}
				out[pair][p.space] += n
			}
			for _, place := range unknown {
				unclear[place] = true
			}
			return nil
		})
	}
	return out, slices.Sorted(maps.Keys(unclear)), group.Wait()
}

// part counts the electors of each flow in one part of them.
func (o *overview) part(p *walkPart) (flows map[nodePair]uint64, unknown []string) {
	carried := map[nodePair][]*roaring.Bitmap{}
	for _, i := range p.touched {
		m := &p.moves[i]
		set := p.sets[m.number]
		if set.empty() {
			continue
		}
		to := o.node(m.output)
		for at, input := range m.inputs {
			by := p.carried(i, at, set)
			pair := nodePair{o.node(input), to}
			if pair.from == to || by.electors.empty() {
				continue
			}
			if !by.unknown.empty() {
				unknown = append(unknown, m.output)
			}
			bits := by.electors.bits
			if bits == nil {
				bits = roaring.BitmapOf(by.electors.numbers...)
			}
			carried[pair] = append(carried[pair], bits)
		}
	}
	var seen denseSet
	flows = map[nodePair]uint64{}
	for pair, sets := range carried {
		flows[pair] = seen.union(sets)
	}
	return flows, unknown
}

// nodes are all places that movements name, or their organisations, with the electors there.
func (o *overview) nodes(ctx context.Context) ([]OverviewNode, error) {
	found := map[string]*OverviewNode{}
	seen := map[string]bool{}
	see := func(place string) {
		if place == "" || seen[place] {
			return
		}
		seen[place] = true
		name := o.node(place)
		if found[name] == nil {
			found[name] = &OverviewNode{Name: name, Org: orgOf(place), Holding: []Count{}, Reached: []Count{}}
		}
		found[name].Places++
		if schema.Place(place).IsPerson() {
			found[name].People++
		}
	}
	for i := range o.moves {
		for _, input := range o.moves[i].inputs {
			see(input)
		}
		see(o.moves[i].output)
	}
	names := slices.Sorted(maps.Keys(found))
	for what, counts := range map[string]func(*OverviewNode) *[]Count{
		Holding: func(n *OverviewNode) *[]Count { return &n.Holding },
		Reached: func(n *OverviewNode) *[]Count { return &n.Reached },
	} {
		bySpace, err := o.there(ctx, names, what)
		if err != nil {
			return nil, err
		}
		for name, electors := range bySpace {
			*counts(found[name]) = o.counts(electors)
		}
	}
	out := make([]OverviewNode, len(names))
	for i, name := range names {
		out[i] = *found[name]
	}
	return out, nil
}

// there counts the electors at each node.
func (o *overview) there(ctx context.Context, names []string, what string) (map[string]map[uint16]uint64, error) {
	places, sets, of := setsAt(o.moves, "", what)
	out := map[string]map[uint16]uint64{}
	if len(sets) == 0 {
		return out, nil
	}
	nodes := make([]uint32, len(of))
	for i, place := range of {
		at, _ := slices.BinarySearch(names, o.node(places[place]))
		nodes[i] = uint32(at)
	}
	err := o.graph.countSets(ctx, eachAlone, sets, nodes, func(node uint32, space uint16, count Count) {
		if name := names[node]; out[name] == nil {
			out[name] = map[uint16]uint64{}
		}
		out[names[node]][space] = count.Electors
	})
	return out, err
}

// counts are numbers of electors by space, as answers have them.
func (o *overview) counts(bySpace map[uint16]uint64) []Count {
	out := []Count{}
	for space, n := range bySpace {
		count := o.spaces[space]
		count.Electors = n
		out = append(out, count)
	}
	slices.SortFunc(out, compareCounts)
	return out
}
