package endtoend

import (
	"fmt"
	"slices"

	"github.com/rolltrace/rolltrace/schema"
	"github.com/rolltrace/rolltrace/schema/graph"
	"github.com/rolltrace/rolltrace/schema/schematest/oracle"
)

// compareMatch asks which copy a found list is: some electors of the history, seeds among them, and a stranger. Each copy is
// compared by its numbers; how it ranks is a function of them, and of all histories together.
func (s *stage) compareMatch(q question, p *played, w *oracle.World, _ string) {
	found := oracle.Set{}
	keys := []schema.Key{schema.Key(1)<<63 | schema.Key(len(p.prefix))}
	for _, key := range oracle.Keys(p.prefix, q.Letters) {
		found[oracle.Elector{IDSpace: q.IDSpace, KeyID: q.KeyID, Key: key}] = true
		keys = append(keys, key)
	}
	slices.Sort(keys)
	a, err := s.graph.Match(s.t.Context(), graph.MatchQuestion{IDSpace: q.IDSpace, KeyID: q.KeyID, AsOf: q.AsOf, Limit: -1,
		Keys: func(yield func([]schema.Key, error) bool) { yield(keys, nil) }})
	if err != nil {
		p.fault(q, "%v", err)
		return
	}
	m := matched{p.model, w, p.model.WithSeeds().World(q.AsOf), found}
	var have, want []string
	moves, places := m.copies()
	single := map[string]bool{} // what one movement brought is listed as that, and not as a holding
	for _, c := range a.Copies {
		line := fmt.Sprintf("%s %s %d, matched %d, held %d, seeds %d, found %d, since %s", c.What, c.Place, c.Electors, c.Matched, c.Held, c.Seeds, c.SeedsFound, c.Since)
		if c.What == graph.CopyHolding && !slices.Contains(places[string(c.Place)], line) {
			p.fault(q, "it has %s, want one of %q", line, places[string(c.Place)])
		}
		if c.What == graph.CopyMovement {
			have = append(have, line)
		}
		single[string(c.Place)] = single[string(c.Place)] || c.What == graph.CopyMovement
		if n := len(c.Route); n == 0 || c.Route[n-1].To != c.Place || c.Route[n-1].OccurredAt != c.Since || c.Matched > 0 && (c.RouteElectors == 0 || c.RouteElectors > c.Matched) {
			p.fault(q, "to %s a route of %d steps by %d electors", c.Place, n, c.RouteElectors)
		}
		for i := 1; i < len(c.Route); i++ {
			if c.Route[i].From != c.Route[i-1].To || c.Route[i].OccurredAt.Before(c.Route[i-1].OccurredAt.Time) {
				p.fault(q, "to %s a route that does not hang together: %v", c.Place, c.Route)
			}
		}
	}
	for at := range places {
		if !single[at] && !slices.ContainsFunc(a.Copies, func(c graph.MatchCopy) bool { return string(c.Place) == at }) {
			p.fault(q, "no copy at %s", at)
		}
	}
	want = append(want, moves...)
	p.differ(q, have, want)
	var known, seeds int
	for e := range found {
		switch {
		case p.model.Seed(e):
			seeds++
		case slices.ContainsFunc(w.Movements, func(m *oracle.Movement) bool { return m.Adds() && m.S[e] }):
			known++
		}
	}
	if f := a.Found; f.Keys != uint64(len(keys)) || f.Known != uint64(known) || f.Seeds != uint64(seeds) || f.Known+f.Unknown+f.Seeds != f.Keys {
		p.fault(q, "found %+v, want %d known and %d seeds", f, known, seeds)
	}
}

// matched is the oracle's side of a match: the world without seeds, and with them.
type matched struct {
	model         *oracle.Model
	world, seeded *oracle.World
	found         oracle.Set
}

// copies are lines of what each movement brought, and of what each place holds, of those that have some of the list.
func (m matched) copies() (moves []string, places map[string][]string) {
	places = map[string][]string{}
	since := map[string][]*oracle.Movement{}
	for i, movement := range m.world.Movements {
		if !movement.Adds() || movement.Electors.Mode == schema.Counted {
			continue
		}
		place := string(movement.Output)
		holding := m.world.Holding(place)
		if line, some := m.line(graph.CopyMovement, place, movement.S, m.seeded.Movements[i].S, holding, movement); some {
			moves = append(moves, line)
		}
		since[place] = append(since[place], movement)
	}
	for _, at := range m.seeded.Places() {
		place := string(at)
		holding := m.world.Holding(place)
		for _, first := range since[place] { // the first that brought some that are held, or, if only seeds are, any
			if line, some := m.line(graph.CopyHolding, place, holding, m.seeded.Holding(place), holding, first); some {
				places[place] = append(places[place], line)
				if slices.ContainsFunc(slices.Collect(keysOf(holding)), func(e oracle.Elector) bool { return m.found[e] && first.S[e] }) {
					places[place] = places[place][len(places[place])-1:]
					break
				}
			}
		}
	}
	return moves, places
}

func keysOf(set oracle.Set) func(func(oracle.Elector) bool) {
	return func(yield func(oracle.Elector) bool) {
		for e := range set {
			if !yield(e) {
				return
			}
		}
	}
}

func (m matched) line(what, place string, electors, seeded, holding oracle.Set, since *oracle.Movement) (line string, some bool) {
	var n, in, held, seeds, found int
	for e := range seeded {
		if !m.model.Seed(e) || e.IDSpace != m.space().IDSpace || e.KeyID != m.space().KeyID {
			continue
		}
		seeds++
		if m.found[e] {
			found++
		}
	}
	for e := range electors {
		if e.IDSpace != m.space().IDSpace || e.KeyID != m.space().KeyID {
			continue
		}
		n++
		if m.found[e] {
			in++
			if holding[e] {
				held++
			}
		}
	}
	return fmt.Sprintf("%s %s %d, matched %d, held %d, seeds %d, found %d, since %s", what, place, n, in, held, seeds, found, since.OccurredAt), in+found > 0
}

// space is that of the list.
func (m matched) space() oracle.Elector {
	for e := range m.found {
		return e
	}
	return oracle.Elector{}
}
