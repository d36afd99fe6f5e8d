package endtoend

import (
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/rolltrace/rolltrace/schema"
	"github.com/rolltrace/rolltrace/schema/schematest/oracle"
)

// lines gathers lines by history; each is compared as a set of lines.
type lines struct {
	mu sync.Mutex
	of map[string][]string // by prefix
}

func (l *lines) add(org string, format string, args ...any) {
	prefix, _, _ := strings.Cut(org, "-")
	l.mu.Lock()
	defer l.mu.Unlock()
	l.of[prefix+"-"] = append(l.of[prefix+"-"], fmt.Sprintf(format, args...))
}

// differ notes the lines that only one of the two has.
func (p *played) differ(q question, have, want []string) {
	slices.Sort(have)
	slices.Sort(want)
	if slices.Equal(have, want) {
		return
	}
	for _, line := range have {
		if _, found := slices.BinarySearch(want, line); !found {
			p.fault(q, "only in the answer:   %s", line)
		}
	}
	for _, line := range want {
		if _, found := slices.BinarySearch(have, line); !found {
			p.fault(q, "only with the oracle: %s", line)
		}
	}
	if len(slices.Compact(slices.Clone(have))) == len(slices.Compact(slices.Clone(want))) && len(have) != len(want) {
		p.fault(q, "%d lines in the answer, %d with the oracle", len(have), len(want))
	}
}

// query reads a view for all histories, a line for each row.
func (s *stage) query(sql string, args ...any) *lines {
	s.t.Helper()
	l := &lines{of: map[string][]string{}}
	rows, err := s.conn.Query(s.t.Context(), sql, args...)
	if err != nil {
		s.t.Fatalf("%s: %v", sql, err)
	}
	defer func(rows driver.Rows) { _ = rows.Close() }(rows)
	for rows.Next() {
		var org, line string
		if err := rows.Scan(&org, &line); err != nil {
			s.t.Fatal(err)
		}
		l.add(org, "%s", line)
	}
	if err := rows.Err(); err != nil {
		s.t.Fatalf("%s: %v", sql, err)
	}
	return l
}

// compareKeys compares what every place holds and was reached by, elector by elector.
func (s *stage) compareKeys(q question, all []*played) {
	s.t.Helper()
	const which = "SELECT org, concat('%[1]s ', place, ' ', id_space, ' ', key_id, ' ', key) FROM %[1]s_electors_as_of(at = '', as_of = $1)"
	held := s.query(fmt.Sprintf(which, "held"), q.AsOf.String())
	reached := s.query(fmt.Sprintf(which, "reached"), q.AsOf.String())
	each(all, func(p *played) {
		w := p.world(q.AsOf)
		var wantHeld, wantReached []string
		for _, place := range w.Places() {
			for e := range w.Holding(string(place)) {
				wantHeld = append(wantHeld, fmt.Sprint("held ", place, " ", e.IDSpace, " ", e.KeyID, " ", e.Key))
			}
			for e := range w.Reached(string(place)) {
				wantReached = append(wantReached, fmt.Sprint("reached ", place, " ", e.IDSpace, " ", e.KeyID, " ", e.Key))
			}
		}
		p.differ(q, held.of[p.prefix], wantHeld)
		p.differ(q, reached.of[p.prefix], wantReached)
	})
}

// compareCounts compares how many electors every place and organisation holds and was reached by.
func (s *stage) compareCounts(q question, all []*played) {
	s.t.Helper()
	rows := s.query("SELECT org, concat(org, ' ', place, ' ', id_space, ' ', key_id, ' ', toString(holding), ' ', toString(reached)) FROM electors_as_of(at = '', as_of = $1)", q.AsOf.String())
	each(all, func(p *played) {
		w := p.world(q.AsOf)
		var want []string
		orgs := map[string]bool{}
		for _, place := range w.Places() {
			want = append(want, counted(place.Org()+" "+string(place), w.Holding(string(place)), w.Reached(string(place)))...)
			orgs[place.Org()] = true
		}
		for org := range orgs {
			want = append(want, counted(org+" ", w.Holding(org), w.Reached(org))...)
		}
		p.differ(q, rows.of[p.prefix], want)
	})
}

type space struct {
	id  schema.IDSpace
	key schema.KeyID
}

// counts counts electors by id space and secret.
func counts(set oracle.Set) map[space]int {
	out := map[space]int{}
	for e := range set {
		out[space{e.IDSpace, e.KeyID}]++
	}
	return out
}

func counted(what string, holding, reached oracle.Set) []string {
	var out []string
	held := counts(holding)
	for s, n := range counts(reached) {
		out = append(out, fmt.Sprint(what, " ", s.id, " ", s.key, " ", held[s], " ", n))
	}
	return out
}

// compareCoverage compares what could change the answers.
func (s *stage) compareCoverage(q question, all []*played) {
	s.t.Helper()
	rows := s.query(`SELECT org, concat(code, ' ', org, '/', sidecar, ' ', id, ' ', kind, ' ', arrayStringConcat(inputs, ' '), ' > ', output, ' ', toString(count)) FROM coverage_as_of(as_of = $1)`, q.AsOf.String())
	each(all, func(p *played) {
		var want []string
		for _, d := range p.world(q.AsOf).Doubts() {
			want = append(want, fmt.Sprintf("%s %s/%s %s %s %s > %s %d", d.Code, d.Ref.Org, d.Ref.Sidecar, d.Ref.ID, d.Kind, joined(d.Inputs), d.Output, d.Count))
		}
		for ref, chunks := range p.model.Orphans() {
			want = append(want, fmt.Sprintf("unknown_movement %s/%s %s   >  %d", ref.Org, ref.Sidecar, ref.ID, chunks))
		}
		p.differ(q, rows.of[p.prefix], want)
	})
}

func joined(inputs []schema.Input) string {
	var places []string
	for _, in := range inputs {
		places = append(places, string(in.Place))
	}
	return strings.Join(places, " ")
}

// compareHoles compares what never arrived.
func (s *stage) compareHoles(q question, all []*played) {
	s.t.Helper()
	rows := s.query(`SELECT org, concat(org, '/', sidecar, ' ', instance, ' ', toString(first_sequence), ' ', toString(last_sequence), ' ', toString(toBool(reported))) FROM holes`)
	each(all, func(p *played) {
		var want []string
		for _, h := range p.model.Holes() {
			want = append(want, fmt.Sprintf("%s/%s %s %d %d %v", h.Org, h.Sidecar, h.Instance, h.First, h.Last, h.Reported))
		}
		p.differ(q, rows.of[p.prefix], want)
	})
}

// world is the oracle's world as of a time.
func (p *played) world(asOf schema.Time) *oracle.World {
	w := p.worlds[asOf]
	if w == nil {
		w = p.model.World(asOf)
		p.worlds[asOf] = w
	}
	return w
}

// compareDerived compares what whole movements carried.
func (s *stage) compareDerived(q question, all []*played) {
	s.t.Helper()
	rows := s.query(`SELECT n.org, concat(n.org, '/', n.sidecar, ' ', toString(n.id), ' ', k.id_space, ' ', k.key_id, ' ', leftPad(lower(hex(e.key)), 16, '0'))
		FROM (SELECT movement, space, arrayJoin(bitmapToArray(d.electors)) AS number FROM derived AS d
			WHERE form = 'S' AND (movement, form, generation) IN (SELECT movement, form, max(generation) FROM derived_head GROUP BY movement, form)) AS d
		INNER JOIN movement_number AS n ON n.movement = d.movement
		INNER JOIN internal_space AS k ON k.space = d.space
		INNER JOIN elector AS e ON e.number = d.number`)
	each(all, func(p *played) {
		var want []string
		for _, m := range p.model.WithSeeds().World(schema.Time{}).Movements { // they are taken away when it is read
			if m.Electors.Mode == schema.Whole {
				for e := range m.S {
					want = append(want, fmt.Sprintf("%s/%s %s %s %s %s", m.Ref.Org, m.Ref.Sidecar, m.Ref.ID, e.IDSpace, e.KeyID, e.Key))
				}
			}
		}
		p.differ(q, rows.of[p.prefix], want)
	})
}
