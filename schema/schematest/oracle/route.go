package oracle

import (
	"slices"

	"github.com/rolltrace/rolltrace/schema"
)

// A Route is movements that carried an elector, later and later, each one's output among the next one's
// inputs.
type Route []*Movement

// entriesBefore are the movements before m that brought e to one of m's inputs, in order.
func (w *World) entriesBefore(m *Movement, e Elector) []*Movement {
	var out []*Movement
	for _, earlier := range w.Movements {
		if earlier == m {
			break
		}
		if earlier.Adds() && earlier.S[e] && slices.Contains(m.inputs(), earlier.Output) {
			out = append(out, earlier)
		}
	}
	return out
}

// entries are the movements that brought e to a place, or to any place of an organisation, in order.
func (w *World) entries(e Elector, at string) []*Movement {
	var out []*Movement
	for _, m := range w.Carrying(e) {
		if m.Adds() && At(at, m.Output) {
			out = append(out, m)
		}
	}
	return out
}

// Earliest is the route that ends with the first entry at a place or organisation, and has before each
// movement the earliest one that brought the elector to one of its inputs, back to where the elector has no
// earlier entry. Nil: the elector did not reach it.
func (w *World) Earliest(e Elector, at string) Route {
	entries := w.entries(e, at)
	if len(entries) == 0 {
		return nil
	}
	route := Route{entries[0]}
	for {
		before := w.entriesBefore(route[0], e)
		if len(before) == 0 {
			return route
		}
		route = append(Route{before[0]}, route...)
	}
}

// All is every route of an elector to a place or organisation, each beginning where it has no earlier entry.
// There may be exponentially many: more than limit are not looked for.
func (w *World) All(e Elector, at string, limit int) (routes []Route, cut bool) {
	var back func(Route)
	back = func(route Route) {
		if cut {
			return
		}
		before := w.entriesBefore(route[0], e)
		if len(before) == 0 {
			if len(routes) == limit {
				cut = true
				return
			}
			routes = append(routes, route)
		}
		for _, m := range before {
			back(append(Route{m}, route...))
		}
	}
	for _, m := range w.entries(e, at) {
		back(Route{m})
	}
	return routes, cut
}

// Shortest is the route with the fewest movements; of several the one whose last movement is the earliest, and so on
// backwards. Nil: the elector did not reach it.
func (w *World) Shortest(e Elector, at string) Route {
	to := map[*Movement]Route{} // the shortest that ends with each movement
	fewest := func(among []*Movement) Route {
		var best Route
		for _, m := range among {
			if best == nil || len(to[m]) < len(best) {
				best = to[m]
			}
		}
		return best
	}
	for _, m := range w.Carrying(e) {
		if m.Adds() {
			to[m] = append(slices.Clone(fewest(w.entriesBefore(m, e))), m)
		}
	}
	return fewest(w.entries(e, at))
}

// An End is a place or an organisation at the other end of routes from, or to, the one asked.
type End struct {
	Hops        int // fewest movements
	Electors    Set
	First, Last schema.Time // when the first and the last movement that arrived there (or left there) began
	Unclear     Set         // of these it is not known whether they came this way: see Movement.From
}

// Reach is where electors went from a place or organisation: places, and organisations, by name. The one asked is
// not among them.
func (w *World) Reach(at string) map[string]*End {
	ends := map[string]*End{}
	for _, e := range w.Electors() {
		hops := map[*Movement]int{} // fewest movements from at, of those that are on a route from there
		for _, m := range w.Carrying(e) {
			if !m.Adds() {
				continue
			}
			for _, from := range m.From[e] {
				if At(at, from) {
					hops[m] = 1
				}
				for earlier, n := range hops {
					if earlier != m && earlier.Output == from && (hops[m] == 0 || n+1 < hops[m]) {
						hops[m] = n + 1
					}
				}
			}
			if hops[m] > 0 {
				arrive(ends, at, m.Output, m, e, hops[m])
			} else {
				delete(hops, m)
			}
		}
	}
	return ends
}

// Sources is where the electors at a place or organisation came from: Reach, backwards.
func (w *World) Sources(at string) map[string]*End {
	ends := map[string]*End{}
	for _, e := range w.Electors() {
		hops := map[*Movement]int{}
		for _, m := range slices.Backward(w.Carrying(e)) {
			if !m.Adds() {
				continue
			}
			if At(at, m.Output) {
				hops[m] = 1
			}
			for later, n := range hops {
				if later != m && slices.Contains(later.From[e], m.Output) && (hops[m] == 0 || n+1 < hops[m]) {
					hops[m] = n + 1
				}
			}
			if hops[m] == 0 {
				delete(hops, m)
				continue
			}
			for _, from := range m.From[e] {
				arrive(ends, at, from, m, e, hops[m])
			}
		}
	}
	return ends
}

func arrive(ends map[string]*End, at string, place schema.Place, m *Movement, e Elector, hops int) {
	when := m.OccurredAt
	for _, name := range []string{string(place), place.Org()} {
		if name == at {
			continue
		}
		end := ends[name]
		if end == nil {
			end = &End{Hops: hops, Electors: Set{}, First: when, Last: when, Unclear: Set{}}
			ends[name] = end
		}
		end.Hops = min(end.Hops, hops)
		end.Electors[e] = true
		if m.unclear[e] {
			end.Unclear[e] = true
		}
		if when.Before(end.First.Time) {
			end.First = when
		}
		if when.After(end.Last.Time) {
			end.Last = when
		}
	}
}
