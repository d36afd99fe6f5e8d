package endtoend

import (
	"fmt"
	"slices"

	"github.com/rolltrace/rolltrace/schema/schematest/oracle"
)

// ats are all places that are named, and their organisations.
func ats(w *oracle.World) []string {
	var out []string
	for _, place := range w.Named() {
		out = append(out, string(place), place.Org())
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// compareCopiesView compares what was destroyed everywhere, and what is left of it elsewhere.
func (s *stage) compareCopiesView(q question, all []*played) {
	s.t.Helper()
	copies := s.query("SELECT splitByChar('/', at)[1], concat(at, ' left at ', if(place = '', org, place), ' ', id_space, ' ', key_id, ' ', toString(electors)) FROM copies_as_of(at = '', as_of = $1)", q.AsOf.String())
	destroyed := s.query("SELECT org, concat('destroyed at ', if(place = '', org, place), ' ', id_space, ' ', key_id, ' ', toString(electors)) FROM destroyed_as_of(at = '', as_of = $1)", q.AsOf.String())
	each(all, func(p *played) {
		w := p.world(q.AsOf)
		var want, wantDestroyed []string
		for _, at := range ats(w) {
			copies, destroyed, _ := w.Copies(at)
			wantDestroyed = append(wantDestroyed, setLines("destroyed at "+at, destroyed)...)
			for name, c := range copies {
				want = append(want, setLines(at+" left at "+name, c.Electors)...)
			}
		}
		p.differ(q, copies.of[p.prefix], want)
		p.differ(q, destroyed.of[p.prefix], wantDestroyed)
	})
}

// compareFieldsView compares which fields reached every place; of some histories, because the oracle takes long.
func (s *stage) compareFieldsView(q question, all []*played) {
	s.t.Helper()
	rows := s.query("SELECT org, concat(if(place = '', org, place), ' ', field, ' ', id_space, ' ', key_id, ' ', toString(electors)) FROM fields_as_of(at = '', as_of = $1)", q.AsOf.String())
	each(all, func(p *played) {
		if len(p.history.Steps)%8 > 0 && len(all) > 50 {
			return
		}
		w := p.world(q.AsOf)
		var want []string
		for _, at := range ats(w) {
			reached := map[string]oracle.Set{}
			for e := range w.Reached(at) {
				for field := range w.Fields(e, at, nil) {
					if reached[field] == nil {
						reached[field] = oracle.Set{}
					}
					reached[field][e] = true
				}
			}
			for field, electors := range reached {
				want = append(want, setLines(fmt.Sprint(at, " ", field), electors)...)
			}
		}
		p.differ(q, rows.of[p.prefix], want)
	})
}
