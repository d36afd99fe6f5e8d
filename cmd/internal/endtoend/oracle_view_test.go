package endtoend

import (
	"fmt"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/rolltrace/rolltrace/schema"
	"github.com/rolltrace/rolltrace/schema/graph"
	"github.com/rolltrace/rolltrace/schema/schematest/oracle"
)

// The views that analysts use are asked too: they are not made of what package graph answers with.

// asText is a column of a time as text; NULL is none.
func asText(column string) string {
	return "ifNull(formatDateTime(" + column + ", '%Y-%m-%dT%H:%i:%S.%fZ'), '')"
}

// compareElectorPlaces compares where every elector has been.
func (s *stage) compareElectorPlaces(q question, all []*played) {
	s.t.Helper()
	rows := s.query(`SELECT org, concat(id_space, ' ', key_id, ' ', key, ' ', place, ' held ', toString(holding), ' ', toString(entries), ' ', ` +
		asText("first_entry") + `, ' to ', ` + asText("last_entry") + `, ' destroyed ', ` + asText("destroyed_at") + `) FROM elector_places`)
	each(all, func(p *played) {
		w := p.world(q.AsOf)
		var want []string
		for _, e := range w.Electors() {
			for _, stay := range w.Stays(e) {
				want = append(want, fmt.Sprintf("%s %s %s %s held %v %d %s to %s destroyed %s", e.IDSpace, e.KeyID, e.Key, stay.Place, stay.Holding, stay.Entries, stay.First, stay.Last, stay.Destroyed))
			}
		}
		p.differ(q, rows.of[p.prefix], want)
	})
}

// compareMovementElectors compares how many electors every movement carried.
func (s *stage) compareMovementElectors(q question, all []*played) {
	s.t.Helper()
	rows := s.query("SELECT org, concat(org, '/', sidecar, ' ', id, ' ', kind, ' > ', output, ' ', id_space, ' ', key_id, ' ', toString(electors)) FROM movement_electors_as_of(as_of = $1)", q.AsOf.String())
	each(all, func(p *played) {
		var want []string
		for _, m := range p.world(q.AsOf).Movements {
			want = append(want, setLines(fmt.Sprintf("%s/%s %s %s > %s", m.Ref.Org, m.Ref.Sidecar, m.Ref.ID, m.Kind, m.Output), m.S)...)
		}
		p.differ(q, rows.of[p.prefix], want)
	})
}

// comparePlaces compares what is told of every place, and between them.
func (s *stage) comparePlaces(q question, all []*played) {
	s.t.Helper()
	rows := s.query("SELECT org, concat(place, ' ', toString(entries), ' in, ', toString(departures), ' out, ', toString(destroys), ' destroyed, ', toString(attested), ' said to be, ', "+
		asText("first_at")+", ' to ', "+asText("last_at")+") FROM places_as_of(as_of = $1) WHERE first_at IS NOT NULL", q.AsOf.String())
	flows := s.query("SELECT from_org, concat(from_place, ' > ', to_place, ' ', kind, ' ', mode, ' ', toString(movements), ' ', "+asText("first_at")+", ' to ', "+asText("last_at")+
		") FROM flows_as_of(as_of = $1)", q.AsOf.String())
	type flow struct {
		from, to schema.Place
		kind     schema.Kind
		mode     schema.Mode
	}
	each(all, func(p *played) {
		places := map[schema.Place]*tally{}
		between := map[flow]*tally{}
		for _, m := range p.world(q.AsOf).Movements {
			if !m.Counts() {
				continue
			}
			if m.Output != "" {
				tallied(places, m.Output, m).entries++
			}
			for _, in := range m.Inputs {
				at := tallied(places, in.Place, m)
				switch {
				case m.Kind != schema.Destroy:
					at.departures++
				case m.Removes():
					at.destroys++
				case m.EffectiveBasis() == schema.Attested:
					at.attested++
				}
				tallied(between, flow{in.Place, m.Output, m.Kind, m.Electors.Mode}, m).entries++
			}
		}
		var want, wantFlows []string
		for name, at := range places {
			want = append(want, fmt.Sprintf("%s %d in, %d out, %d destroyed, %d said to be, %s to %s", name, at.entries, at.departures, at.destroys, at.attested, at.first, at.last))
		}
		for f, at := range between {
			wantFlows = append(wantFlows, fmt.Sprintf("%s > %s %s %s %d %s to %s", f.from, f.to, f.kind, f.mode, at.entries, at.first, at.last))
		}
		p.differ(q, rows.of[p.prefix], want)
		p.differ(q, flows.of[p.prefix], wantFlows)
	})
}

// A tally counts movements.
type tally struct {
	entries, departures, destroys, attested int
	first, last                             schema.Time
}

// tallied is the tally of k, which one more movement counts in. Movements come in order.
func tallied[K comparable](tallies map[K]*tally, k K, m *oracle.Movement) *tally {
	if tallies[k] == nil {
		tallies[k] = &tally{first: m.OccurredAt}
	}
	tallies[k].last = m.OccurredAt
	return tallies[k]
}

// reachView is Graph.Reach, or with the view sources Graph.Sources, read from the view; notes it has none.
func (s *stage) reachView(view, at string, asOf schema.Time) ([]string, error) {
	ends := map[string]*graph.ReachOrg{}
	err := s.rows(func(rows driver.Rows) error {
		var org, place, space, secret string
		var electors uint64
		var hops uint32
		var first, last time.Time
		if err := rows.Scan(&org, &place, &space, &secret, &electors, &hops, &first, &last); err != nil {
			return err
		}
		if place == "" {
			place = org
		}
		end := ends[place]
		if end == nil {
			end = &graph.ReachOrg{Hops: hops, FirstAt: schema.At(first), LastAt: schema.At(last)}
			ends[place] = end
		}
		end.Hops = min(end.Hops, hops)
		if first.Before(end.FirstAt.Time) {
			end.FirstAt = schema.At(first)
		}
		if last.After(end.LastAt.Time) {
			end.LastAt = schema.At(last)
		}
		end.Electors = append(end.Electors, graph.Count{IDSpace: schema.IDSpace(space), KeyID: schema.KeyID(secret), Electors: electors})
		return nil
	}, "SELECT org, place, id_space, key_id, electors, hops, first_at, last_at FROM "+view+"_as_of(at = $1, as_of = $2)", at, asOf.String())
	var out []string
	for name, end := range ends {
		out = append(out, fmt.Sprintf("%s %d hops, %s to %s", name, end.Hops, end.FirstAt, end.LastAt))
		out = append(out, countLines(name, end.Electors)...)
	}
	return out, err
}

// routeView is the steps of Graph.Route, read from the view.
func (s *stage) routeView(e oracle.Elector, at string, asOf schema.Time) ([]string, error) {
	var route []graph.Step
	err := s.rows(func(rows driver.Rows) error {
		var step graph.Step
		err := rows.Scan(&step.Org, &step.Sidecar, &step.ID)
		route = append(route, step)
		return err
	}, "SELECT org, sidecar, id FROM route_as_of(key = $1, at = $2, as_of = $3) WHERE id_space = $4 AND key_id = $5 ORDER BY step",
		e.Key.String(), at, asOf.String(), string(e.IDSpace), string(e.KeyID))
	return []string{steps(route)}, err
}

func (s *stage) rows(row func(driver.Rows) error, sql string, args ...any) error {
	rows, err := s.conn.Query(s.t.Context(), sql, args...)
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		if err := row(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

// compareView compares what a view says with the oracle.
func (s *stage) compareView(q question, p *played, w *oracle.World, at string) {
	var have, want []string
	var err error
	switch q.Ask {
	case askReachView:
		have, err = s.reachView("reach", at, q.AsOf)
		want = endLines(w.Reach(at))
	case askSourcesView:
		have, err = s.reachView("sources", at, q.AsOf)
		want = endLines(w.Sources(at))
	case askRouteView:
		have, err = s.routeView(q.elector(p.prefix), at, q.AsOf)
		want = []string{route(w.Earliest(q.elector(p.prefix), at))}
	}
	if err != nil {
		p.fault(q, "%v", err)
		return
	}
	p.differ(q, have, want)
}
