package graph

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/RoaringBitmap/roaring/v2"

	"github.com/rolltrace/rolltrace/schema"
)

// A FlowQuestion asks by which edges of the graph of places electors went. Whose is said by Of or Movement, which way
// by From or To; with none of them it is the whole graph.
type FlowQuestion struct {
	Of   string // only of the electors at this place or organisation; "": of everybody
	What string // with Of: Holding or Reached; "" means Holding

	// Movement is the id of one ("id", or "org/sidecar/id"): only its electors, and only along routes that begin
	// with it. Of, From and To are empty then.
	Movement string

	From string // only along routes that begin at this place or organisation
	To   string // only along routes that end there; From is empty then

	AsOf schema.Time // zero: all that is known

	// Limit is how many edges are listed at most, of places and of organisations: those of the most electors. 0:
	// DefaultLimit; negative: all.
	Limit int
}

// Flow is the answer to a FlowQuestion: places, and the edges between them, with the electors asked for that went over
// each. How a movement with several inputs counts for them is said at Graph.Reach.
type Flow struct {
	Answer
	Of            string        `json:"of"`
	What          string        `json:"what"`     // "holding" or "reached"; "" without Of
	Movement      *Movement     `json:"movement"` // null when none was asked for
	From          string        `json:"from"`
	To            string        `json:"to"`
	Electors      []Count       `json:"electors"`           // all that went over some edge, each once
	Organisations []FlowOrg     `json:"organisations"`      // by name
	OrgEdges      []FlowOrgEdge `json:"organisation_edges"` // from one organisation to another, in order of time
	Places        []FlowPlace   `json:"places"`             // at either end of the edges, by name
	Edges         []FlowEdge    `json:"edges"`              // from place to place, in order of time
}

// A FlowEdge is what went from a place to another.
type FlowEdge struct {
	From schema.Place `json:"from"`
	To   schema.Place `json:"to"`
	FlowPass
}

// A FlowOrgEdge is what went from an organisation to another.
type FlowOrgEdge struct {
	From string `json:"from"`
	To   string `json:"to"`
	FlowPass
}

// A FlowPass is the electors that went over an edge.
type FlowPass struct {
	Electors  []Count        `json:"electors"`  // each once, whatever the movements
	Movements uint64         `json:"movements"` // that carried some of them
	Kinds     []schema.Kind  `json:"kinds"`     // of these, sorted
	Bases     []schema.Basis `json:"bases"`     // likewise
	FirstAt   schema.Time    `json:"first_at"`  // when the first of them began
	LastAt    schema.Time    `json:"last_at"`   // and the last

	// What these movements say of themselves, sorted; nothing is said where there is nothing.
	Fields     []string `json:"fields"`
	Purposes   []string `json:"purposes"`
	Agreements []string `json:"agreements"`
}

// A FlowEnd is the electors at an end of edges.
type FlowEnd struct {
	Org         string      `json:"org"`
	Electors    []Count     `json:"electors"`     // that came, or left, by edges of the answer, each once
	Held        []Count     `json:"held"`         // of these, those that are held there
	Destroyed   []Count     `json:"destroyed"`    // of these, those that were destroyed there and are not held any more
	DestroyedAt schema.Time `json:"destroyed_at"` // when the last destroy that took some of them began; "": none was destroyed
	FirstAt     schema.Time `json:"first_at"`     // when the first movement of the answer that arrived there began; "": none did
	LastAt      schema.Time `json:"last_at"`      // and the last
}

// A FlowOrg is an organisation at either end of edges.
type FlowOrg struct{ FlowEnd }

// A FlowPlace is a place at either end of edges.
type FlowPlace struct {
	Place schema.Place `json:"place"`
	FlowEnd
	Said []SaidDestroyed `json:"said_destroyed"` // in order: nothing is taken away for it
}

// A SaidDestroyed is a destroy on the word of somebody else than the owner, who is Org.
type SaidDestroyed struct {
	MovementRef
	OccurredAt schema.Time `json:"occurred_at"`
}

// Flow answers by which edges of the graph of places electors went: how those at a place came there and where else they
// are, what went on from a place or came to it (the graph of which Reach and Sources count the places), or where
// the electors of a movement went from it.
func (g *Graph) Flow(ctx context.Context, q FlowQuestion) (*Flow, error) {
	if err := q.check(); err != nil {
		return nil, err
	}
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
	a := &Flow{Of: q.Of, What: q.What, From: q.From, To: q.To}
	w := newFlowWalk(moves, q)
	if q.Movement != "" {
		var number uint32
		if a.Movement, number, err = g.findMovement(ctx, q.Movement); err != nil {
			return nil, err
		}
		w = newMovementWalk(moves, slices.IndexFunc(moves, func(m move) bool { return m.number == number }))
	}
	found, err := w.run(ctx, g, q)
	if err != nil {
		return nil, err
	}
	if err := g.saidOf(ctx, found, moves); err != nil {
		return nil, err
	}
	found.answer(a, moves, spaces)
	for _, at := range []string{q.Of, q.From, q.To} {
		if len(a.Edges) == 0 && at != "" {
			if err := notes.checkKnown(ctx, at); err != nil {
				return nil, err
			}
		}
	}
	if len(a.Edges) == 0 {
		notes.none("movements of these electors")
	}
	a.cut(bound(q.Limit), notes)
	notes.originUnknown(found.unclear)
	a.Answer, err = notes.answer(func() func(CoverageRow) bool { return w.concerns(q, a) })
	if err == nil {
		a.said(notes.coverage)
	}
	return a, err
}

func (q *FlowQuestion) check() error {
	for _, at := range []string{q.Of, q.From, q.To} {
		if at == "" {
			continue
		}
		if err := checkAt(at); err != nil {
			return err
		}
	}
	switch {
	case q.Movement != "" && (q.Of != "" || q.From != "" || q.To != ""):
		return fmt.Errorf("%w: flow of a movement, and of or along something else: want one of them", ErrMalformed)
	case q.From != "" && q.To != "":
		return fmt.Errorf("%w: flow from %s and to %s: want one of them", ErrMalformed, q.From, q.To)
	case q.Of == "" && q.What != "":
		return fmt.Errorf("%w: flow of the electors %s, and not where: want a place or an organisation", ErrMalformed, q.What)
	case q.Of == "":
	case q.What == "":
		q.What = Holding
	case q.What != Holding && q.What != Reached:
		return fmt.Errorf("%w: electors %q: want %s or %s", ErrMalformed, q.What, Holding, Reached)
	}
	return nil
}

// findMovement returns the movement that a text names: its id, or org/sidecar/id.
func (g *Graph) findMovement(ctx context.Context, text string) (*Movement, uint32, error) {
	var ref MovementRef
	switch parts := strings.Split(text, "/"); len(parts) {
	case 1:
		ref.ID = text
	case 3:
		ref = MovementRef{parts[0], parts[1], parts[2]}
	default:
		return nil, 0, fmt.Errorf("%w: movement %q: want an id, or org/sidecar/id", ErrMalformed, text)
	}
	if !schema.ValidID(strings.ToLower(ref.ID)) {
		return nil, 0, fmt.Errorf("%w: movement %q: want a UUIDv7 as its id", ErrMalformed, text)
	}
	var found []movementRow
	err := g.ask(ctx, "look up movement", func(rows driver.Rows) error {
		var row movementRow
		err := rows.ScanStruct(&row)
		found = append(found, row)
		return err
	}, "SELECT * FROM internal_listing WHERE id = $1 AND ($2 = '' OR org = $2 AND sidecar = $3) ORDER BY org, sidecar LIMIT 2",
		strings.ToLower(ref.ID), ref.Org, ref.Sidecar)
	switch {
	case err != nil:
		return nil, 0, err
	case len(found) == 0:
		return nil, 0, &missing{asked: text, why: ErrUnknownMovement}
	case len(found) > 1:
		return nil, 0, fmt.Errorf("%w: several sidecars have a movement %q: say which, as %s/%s/%s", ErrMalformed, text,
			found[0].Org, found[0].Sidecar, found[0].ID)
	}
	m := found[0].movement()
	return &m, found[0].Number, nil
}

// answer writes what was found.
func (f *flowFound) answer(a *Flow, moves []move, spaces map[uint16]Count) {
	a.Electors = countsOf(f.electors, spaces)
	a.Organisations, a.OrgEdges, a.Places, a.Edges = []FlowOrg{}, []FlowOrgEdge{}, []FlowPlace{}, []FlowEdge{}
	arrived := map[string]*roaring.Bitmap{} // movements, by place and by organisation
	arrive := func(at string, movements *roaring.Bitmap) {
		if arrived[at] == nil {
			arrived[at] = roaring.New()
		}
		arrived[at].Or(movements)
	}
	for e, pass := range f.edges {
		arrive(e.to, pass.movements)
		a.Edges = append(a.Edges, FlowEdge{schema.Place(e.from), schema.Place(e.to), pass.answer(moves, spaces)})
	}
	for e, pass := range f.orgEdges {
		a.OrgEdges = append(a.OrgEdges, FlowOrgEdge{e.from, e.to, pass.answer(moves, spaces)})
	}
	for e, pass := range f.edges { // within an organisation too
		arrive(orgOf(e.to), pass.movements)
	}
	for place, end := range f.places {
		a.Places = append(a.Places, FlowPlace{schema.Place(place), end.answer(orgOf(place), arrived[place], moves, spaces), []SaidDestroyed{}})
	}
	for org, end := range f.orgs {
		a.Organisations = append(a.Organisations, FlowOrg{end.answer(org, arrived[org], moves, spaces)})
	}
	slices.SortFunc(a.Organisations, func(x, y FlowOrg) int { return cmp.Compare(x.Org, y.Org) })
	slices.SortFunc(a.Places, func(x, y FlowPlace) int { return cmp.Compare(x.Place, y.Place) })
	slices.SortFunc(a.OrgEdges, func(x, y FlowOrgEdge) int {
		return cmp.Or(x.FirstAt.Compare(y.FirstAt.Time), cmp.Compare(x.From, y.From), cmp.Compare(x.To, y.To))
	})
	slices.SortFunc(a.Edges, func(x, y FlowEdge) int {
		return cmp.Or(x.FirstAt.Compare(y.FirstAt.Time), cmp.Compare(x.From, y.From), cmp.Compare(x.To, y.To))
	})
}

func (p *flowPass) answer(moves []move, spaces map[uint16]Count) FlowPass {
	out := FlowPass{Electors: countsOf(p.electors, spaces), Movements: p.movements.GetCardinality(), Kinds: []schema.Kind{}, Bases: []schema.Basis{},
		FirstAt: at(moves[p.movements.Minimum()].at), LastAt: at(moves[p.movements.Maximum()].at)}
	for i := range roaring.Values(p.movements) {
		out.Kinds = include(out.Kinds, moves[i].kind)
		out.Bases = include(out.Bases, moves[i].basis)
	}
	out.Fields, out.Purposes, out.Agreements = append([]string{}, p.fields...), append([]string{}, p.purposes...), append([]string{}, p.agreements...)
	return out
}

// include adds names to a sorted list, each once.
func include[S ~string](sorted []S, names ...S) []S {
	for _, name := range names {
		if i, found := slices.BinarySearch(sorted, name); !found && name != "" {
			sorted = slices.Insert(sorted, i, name)
		}
	}
	return sorted
}

// saidOf reads what the movements of edges say of themselves.
func (g *Graph) saidOf(ctx context.Context, f *flowFound, moves []move) error {
	over := roaring.New()
	for _, pass := range f.edges {
		over.Or(pass.movements)
	}
	index := map[uint32]uint32{} // of moves, by number
	var numbers []uint32
	for i := range roaring.Values(over) {
		index[moves[i].number] = i
		numbers = append(numbers, moves[i].number)
	}
	if len(numbers) == 0 {
		return nil
	}
	passes := slices.AppendSeq(slices.Collect(maps.Values(f.edges)), maps.Values(f.orgEdges))
	return g.ask(withMovements(ctx, numbers), "read what movements say", func(rows driver.Rows) error {
		var fields []string
		var purpose, agreement string
		var of []uint32
		if err := rows.Scan(&fields, &purpose, &agreement, &of); err != nil {
			return err
		}
		alike := roaring.New()
		for _, number := range of {
			alike.Add(index[number])
		}
		for _, pass := range passes {
			if pass.movements.Intersects(alike) {
				pass.fields = include(pass.fields, fields...)
				pass.purposes, pass.agreements = include(pass.purposes, purpose), include(pass.agreements, agreement)
			}
		}
		return nil
	}, `SELECT arrayDistinct(arrayConcat(fields, arrayFlatten(input_fields))) AS all_fields, purpose, agreement, groupArray(movement)
		FROM internal_listing WHERE `+amongMovements+" GROUP BY all_fields, purpose, agreement")
}

func (e *flowEnd) answer(org string, arrived *roaring.Bitmap, moves []move, spaces map[uint16]Count) FlowEnd {
	out := FlowEnd{Org: org, Electors: countsOf(e.electors, spaces), Held: countsOf(e.held, spaces), Destroyed: countsOf(e.destroyed, spaces)}
	if e.lastDestroy >= 0 {
		out.DestroyedAt = at(moves[e.lastDestroy].at)
	}
	if arrived != nil {
		out.FirstAt, out.LastAt = at(moves[arrived.Minimum()].at), at(moves[arrived.Maximum()].at)
	}
	return out
}

// cut leaves the edges of the most electors, and the places and organisations at their ends.
func (a *Flow) cut(limit int, notes *notes) {
	edges, orgEdges := len(a.Edges), len(a.OrgEdges)
	a.Edges = most(a.Edges, limit, func(e FlowEdge) FlowPass { return e.FlowPass })
	a.OrgEdges = most(a.OrgEdges, limit, func(e FlowOrgEdge) FlowPass { return e.FlowPass })
	if edges == len(a.Edges) && orgEdges == len(a.OrgEdges) {
		return
	}
	notes.said = append(notes.said, Note{Code: CodeCut, Count: uint64(limit),
		Text: fmt.Sprintf("only the %s of the most electors are listed, of %s", plural(uint64(limit), "edge"), thousands(uint64(edges)))})
	places, orgs := map[string]bool{}, map[string]bool{}
	for _, e := range a.Edges {
		for _, p := range []schema.Place{e.From, e.To} {
			places[string(p)], orgs[p.Org()] = true, true
		}
	}
	for _, e := range a.OrgEdges {
		orgs[e.From], orgs[e.To] = true, true
	}
	a.Places = slices.DeleteFunc(a.Places, func(p FlowPlace) bool { return !places[string(p.Place)] })
	a.Organisations = slices.DeleteFunc(a.Organisations, func(o FlowOrg) bool { return !orgs[o.Org] })
}

// most keeps those of the most electors, in the order that they have. Electors of several kinds are added up only to
// compare.
func most[E any](edges []E, limit int, pass func(E) FlowPass) []E {
	if len(edges) <= limit {
		return edges
	}
	size := func(i int) (n uint64) {
		for _, c := range pass(edges[i]).Electors {
			n += c.Electors
		}
		return n
	}
	order := make([]int, len(edges))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(i, j int) int { return cmp.Compare(size(j), size(i)) })
	order = order[:limit]
	slices.Sort(order)
	out := make([]E, limit)
	for n, i := range order {
		out[n] = edges[i]
	}
	return out
}

// said adds what somebody else than the owner says of places.
func (a *Flow) said(coverage []CoverageRow) {
	for _, row := range coverage {
		if row.Code != CodeAttested {
			continue
		}
		i, ok := slices.BinarySearchFunc(a.Places, row.Inputs[0], func(p FlowPlace, at string) int { return cmp.Compare(string(p.Place), at) })
		if ok {
			a.Places[i].Said = append(a.Places[i].Said, SaidDestroyed{row.MovementRef, row.OccurredAt})
		}
	}
}
