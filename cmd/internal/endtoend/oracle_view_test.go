package endtoend

import (
	"fmt"
	"strings"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/rolltrace/rolltrace/schema"
	"github.com/rolltrace/rolltrace/schema/schematest/oracle"
)

// The views that analysts use are asked too: they are not made of what package graph answers with.

// asText is a column of a time as text; NULL is none.
func asText(column string) string {
	return "ifNull(formatDateTime(" + column + ", '%Y-%m-%dT%H:%i:%S.%fZ'), '')"
}

// compareElectorPlaces compares where every elector has been, and by which movements.
func (s *stage) compareElectorPlaces(q question, all []*played) {
	s.t.Helper()
	const elector = "concat(id_space, ' ', key_id, ' ', key, ' ', "
	rows := s.query("SELECT org, "+elector+"place, ' held ', toString(holding), ' ', toString(entries), ' ', "+asText("first_entry")+", ' to ', "+
		asText("last_entry")+", ' destroyed ', "+asText("destroyed_at")+") FROM "+q.of("elector_places", "lookup_places")+"_as_of(key = $2, as_of = $1)", q.AsOf.String(), q.key(all))
	dossier := s.query("SELECT org, "+elector+"org, '/', sidecar, ' ', id) FROM "+q.of("dossier", "lookup_dossier")+"_as_of(key = $2, as_of = $1)", q.AsOf.String(), q.key(all))
	known := s.known(q, all)
	each(all, func(p *played) {
		w := p.world(q.AsOf)
		var want, wantDossier, wantKnown []string
		for _, e := range q.electors(p, w) {
			who := fmt.Sprint(e.IDSpace, " ", e.KeyID, " ", e.Key)
			for _, stay := range w.Stays(e) {
				want = append(want, fmt.Sprintf("%s %s held %v %d %s to %s destroyed %s", who, stay.Place, stay.Holding, stay.Entries, stay.First, stay.Last, stay.Destroyed))
			}
			counts := false
			for _, m := range w.Carrying(e) {
				wantDossier = append(wantDossier, fmt.Sprintf("%s %s/%s %s", who, m.Ref.Org, m.Ref.Sidecar, m.Ref.ID))
				counts = counts || m.Counts() && !p.model.Seed(e) // a seed is no elector
			}
			if counts {
				wantKnown = append(wantKnown, who)
			}
		}
		var haveKnown []string
		for _, letter := range p.letters() {
			haveKnown = append(haveKnown, known[letter]...)
		}
		p.differ(q, rows.of[p.prefix], want)
		p.differ(q, dossier.of[p.prefix], wantDossier)
		p.differ(q, haveKnown, wantKnown)
	})
}

// letters are the keys of everybody who can be in the history.
func (p *played) letters() []string {
	var out []string
	for _, key := range oracle.Keys(p.prefix, oracle.Letters) {
		out = append(out, key.String())
	}
	return out
}

// known are the electors that movements carried, by key.
func (s *stage) known(q question, all []*played) map[string][]string {
	s.t.Helper()
	out := map[string][]string{}
	err := s.rows(func(rows driver.Rows) error {
		var key, who string
		err := rows.Scan(&key, &who)
		out[key] = append(out[key], who)
		return err
	}, "SELECT key, concat(id_space, ' ', key_id, ' ', key) FROM elector_keys_as_of(key = $2, as_of = $1)", q.AsOf.String(), q.key(all))
	if err != nil {
		s.t.Fatal(err)
	}
	return out
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
		asText("first_at")+", ' to ', "+asText("last_at")+", ' by ', arrayStringConcat(sidecars, ' ')) FROM places_as_of(as_of = $1)", q.AsOf.String())
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
		if q.AsOf.IsZero() { // it counts when the hub received them, which is later than any time asked for
			for _, name := range p.model.Covered() {
				if places[name] == nil {
					places[name] = &tally{}
				}
			}
		}
		var want, wantFlows []string
		for name, at := range places {
			want = append(want, fmt.Sprintf("%s %d in, %d out, %d destroyed, %d said to be, %s to %s by %s", name, at.entries, at.departures, at.destroys, at.attested, at.first, at.last, p.covering(q, string(name))))
		}
		for f, at := range between {
			wantFlows = append(wantFlows, fmt.Sprintf("%s > %s %s %s %d %s to %s", f.from, f.to, f.kind, f.mode, at.entries, at.first, at.last))
		}
		p.differ(q, rows.of[p.prefix], want)
		p.differ(q, flows.of[p.prefix], wantFlows)
	})
	s.compareOrganisations(q, all)
}

// covering are the sidecars that cover a place or an organisation.
func (p *played) covering(q question, at string) string {
	if !q.AsOf.IsZero() {
		return ""
	}
	return strings.Join(p.model.Covering(at), " ")
}

// compareOrganisations compares what movements say of every organisation.
func (s *stage) compareOrganisations(q question, all []*played) {
	s.t.Helper()
	rows := s.query("SELECT org, concat(org, ' ', toString(places), ' places, ', toString(people), ' people, ', toString(received), ' received from ', arrayStringConcat(received_from, ' '), ', ', toString(gave), ' given to ', arrayStringConcat(gave_to, ' '), ', ', "+
		"toString(within), ' within, ', toString(destroys), ' destroyed, ', toString(attested), ' said to be, ', "+asText("first_at")+", ' to ', "+asText("last_at")+", ' by ', arrayStringConcat(sidecars, ' ')) FROM recorded_organisations_as_of(as_of = $1)", q.AsOf.String())
	each(all, func(p *played) {
		w := p.world(q.AsOf)
		named := w.Named()
		if q.AsOf.IsZero() {
			named = append(named, p.model.Covered()...)
		}
		orgs := map[string]*organisation{}
		of := func(org string) *organisation {
			if orgs[org] == nil {
				orgs[org] = &organisation{places: map[schema.Place]bool{}}
			}
			return orgs[org]
		}
		for _, place := range named {
			of(place.Org()).places[place] = true
		}
		for _, m := range w.Movements {
			if m.Counts() {
				for org := range m.Orgs() {
					of(org).count(org, m)
				}
			}
		}
		var want []string
		for name, o := range orgs {
			people := 0
			for place := range o.places {
				if place.IsPerson() {
					people++
				}
			}
			want = append(want, fmt.Sprintf("%s %d places, %d people, %d received from %s, %d given to %s, %d within, %d destroyed, %d said to be, %s to %s by %s", name, len(o.places)-people, people,
				o.received, distinct(o.from), o.gave, distinct(o.to), o.within, o.destroys, o.attested, o.first, o.last, p.covering(q, name)))
		}
		p.differ(q, rows.of[p.prefix], want)
	})
}

// An organisation is what movements say of one.
type organisation struct {
	places                                     map[schema.Place]bool
	received, gave, within, destroys, attested int
	from, to                                   []string
	first, last                                schema.Time
}

// count takes one more movement that names the organisation. Movements come in order.
func (o *organisation) count(org string, m *oracle.Movement) {
	if o.first.IsZero() {
		o.first = m.OccurredAt
	}
	o.last = m.OccurredAt
	own, others := false, []string(nil)
	for _, in := range m.Inputs {
		if in.Place.Org() == org {
			own = true
		} else {
			others = append(others, in.Place.Org())
		}
	}
	switch {
	case m.Kind == schema.Destroy && m.Removes():
		o.destroys++
	case m.Kind == schema.Destroy && m.EffectiveBasis() == schema.Attested:
		o.attested++
	case m.Output == "":
	case m.Output.Org() != org:
		o.gave++
		o.to = append(o.to, m.Output.Org())
	default:
		if len(others) > 0 {
			o.received++
			o.from = append(o.from, others...)
		}
		if own {
			o.within++
		}
	}
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
