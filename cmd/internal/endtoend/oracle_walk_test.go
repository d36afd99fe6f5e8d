package endtoend

import (
	"fmt"
	"slices"
	"strings"

	"github.com/rolltrace/rolltrace/schema/schematest/oracle"
)

// The views that walk along movements are asked of everything at once: from every place and every organisation, which takes
// little longer than from one.

// ats are all places that are named, and their organisations, unless one is asked about.
func (q question) ats(p *played, w *oracle.World) []string {
	if q.At != "" {
		return []string{p.prefix + q.At}
	}
	var out []string
	for _, place := range w.Named() {
		out = append(out, string(place), place.Org())
	}
	slices.Sort(out)
	return slices.Compact(out)
}

const named = "if(place = '', org, place)"

// compareReachViews compares where electors went from everywhere, or came from to everywhere.
func (s *stage) compareReachViews(q question, all []*played) {
	s.t.Helper()
	rows := s.query(fmt.Sprintf(`SELECT any(at), arrayJoin(arrayPushBack(groupArray(concat(at, ' to ', name, ' ', id_space, ' ', key_id, ' ', toString(electors), ', unknown ', toString(origin_unknown))),
			concat(at, ' to ', name, ' ', toString(min(hops)), ' hops, ', %s, ' to ', %s)))
		FROM %s_as_of(at = $2, as_of = $1) GROUP BY at, %s AS name`, asText("min(first_at)"), asText("max(last_at)"), strings.TrimSuffix(q.Ask, "-view"), named), q.AsOf.String(), q.at(all))
	each(all, func(p *played) {
		w := p.world(q.AsOf)
		walk := w.Reach
		if q.Ask == askSourcesView {
			walk = w.Sources
		}
		var want []string
		for _, at := range q.ats(p, w) {
			for name, end := range walk(at) {
				want = append(want, fmt.Sprintf("%s to %s %d hops, %s to %s", at, name, end.Hops, end.First, end.Last))
				unclear := counts(end.Unclear)
				for of, n := range counts(end.Electors) {
					want = append(want, fmt.Sprintf("%s to %s %s %s %d, unknown %d", at, name, of.id, of.key, n, unclear[of]))
				}
			}
		}
		p.differ(q, rows.of[p.prefix], want)
	})
}

// compareRouteView compares the earliest route of every elector to each place that it came to.
func (s *stage) compareRouteView(q question, all []*played) {
	s.t.Helper()
	rows := s.query(`SELECT any(target), concat(id_space, ' ', key_id, ' ', key, ' to ', target, ': ', arrayStringConcat(arrayMap(s -> s.2, arraySort(groupArray((step, concat(org, '/', sidecar, ' ', id, ' to ', to_place))))), ', '))
		FROM `+q.of("route", "lookup_route")+`_as_of(key = $2, at = $3, as_of = $1) GROUP BY key, id_space, key_id, target`, q.AsOf.String(), q.key(all), q.at(all))
	each(all, func(p *played) {
		w := p.world(q.AsOf)
		var want []string
		for _, e := range q.electors(p, w) {
			targets := []string{p.prefix + q.At}
			if q.At == "" {
				targets = nil
				for _, stay := range w.Stays(e) {
					targets = append(targets, string(stay.Place))
				}
			}
			for _, target := range targets {
				var steps []string
				for _, m := range w.Earliest(e, target) {
					steps = append(steps, fmt.Sprintf("%s/%s %s to %s", m.Ref.Org, m.Ref.Sidecar, m.Ref.ID, m.Output))
				}
				if len(steps) > 0 {
					want = append(want, fmt.Sprintf("%s %s %s to %s: %s", e.IDSpace, e.KeyID, e.Key, target, strings.Join(steps, ", ")))
				}
			}
		}
		p.differ(q, rows.of[p.prefix], want)
	})
}

// compareCopiesView compares what was destroyed everywhere, and what is left of it elsewhere.
func (s *stage) compareCopiesView(q question, all []*played) {
	s.t.Helper()
	copies := s.query(fmt.Sprintf(`SELECT any(at), arrayJoin(arrayPushBack(groupArray(concat(at, ' left at ', name, ' ', id_space, ' ', key_id, ' ', toString(electors))),
			concat(at, ' left at ', name, ' since ', %s, ', last ', %s)))
		FROM copies_as_of(at = $2, as_of = $1) GROUP BY at, %s AS name`, asText("min(since)"), asText("max(last_at)"), named), q.AsOf.String(), q.at(all))
	destroyed := s.query("SELECT org, concat("+named+", ' ', id_space, ' ', key_id, ' ', toString(electors)) FROM destroyed_as_of(at = $2, as_of = $1)", q.AsOf.String(), q.at(all))
	each(all, func(p *played) {
		w := p.world(q.AsOf)
		var want []string
		for _, at := range q.ats(p, w) {
			copies, _, _ := w.Copies(at)
			for name, c := range copies {
				want = append(want, fmt.Sprintf("%s left at %s since %s, last %s", at, name, c.Since, c.Last))
				want = append(want, setLines(at+" left at "+name, c.Electors)...)
			}
		}
		gone := tallies{}
		for _, place := range w.Named() {
			if _, destroyed, _ := w.Copies(string(place)); q.among(p, place) {
				for e := range destroyed {
					gone.add(string(place), e)
					gone.add(place.Org(), e)
				}
			}
		}
		p.differ(q, copies.of[p.prefix], want)
		p.differ(q, destroyed.of[p.prefix], gone.lines())
	})
}
