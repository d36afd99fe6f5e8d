package endtoend

import (
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/rolltrace/rolltrace/schema"
	"github.com/rolltrace/rolltrace/schema/graph"
	"github.com/rolltrace/rolltrace/schema/schematest/oracle"
)

// lines gathers lines by history; each is compared as a set of lines.
type lines struct {
	mu sync.Mutex
	of map[string][]string // by prefix
}

func newLines() *lines { return &lines{of: map[string][]string{}} }

func (l *lines) add(org string, format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.of[prefixOf(org)] = append(l.of[prefixOf(org)], fmt.Sprintf(format, args...))
}

func prefixOf(org string) string {
	prefix, _, _ := strings.Cut(org, "-")
	return prefix + "-"
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
	l := newLines()
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
	const which = "SELECT org, concat('%[1]s ', place, ' ', id_space, ' ', key_id, ' ', key) FROM %[1]s_electors_as_of(at = $2, as_of = $1)"
	held := s.query(fmt.Sprintf(which, "held"), q.AsOf.String(), q.at(all))
	reached := s.query(fmt.Sprintf(which, "reached"), q.AsOf.String(), q.at(all))
	const many = "SELECT org, concat(place, ' ', id_space, ' ', key_id, ' ', toString(groupBitmapMerge(electors))) FROM %s_as_of(at = $2, as_of = $1) GROUP BY org, place, id_space, key_id"
	holds := s.query(fmt.Sprintf(many, "holding"), q.AsOf.String(), q.at(all))
	came := s.query(fmt.Sprintf(many, "reached"), q.AsOf.String(), q.at(all))
	each(all, func(p *played) {
		w := p.world(q.AsOf)
		var wantHolds, wantCame []string
		for _, place := range q.places(p, w) {
			wantHolds = append(wantHolds, setLines(string(place), w.Holding(string(place)))...)
			wantCame = append(wantCame, setLines(string(place), w.Reached(string(place)))...)
		}
		p.differ(q, holds.of[p.prefix], wantHolds)
		p.differ(q, came.of[p.prefix], wantCame)
		var wantHeld, wantReached []string
		for _, place := range q.places(p, w) {
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

// places are those that were ever entered and that the question is about.
func (q question) places(p *played, w *oracle.World) []schema.Place {
	return slices.DeleteFunc(w.Places(), func(place schema.Place) bool { return !q.among(p, place) })
}

// compareCounts compares how many electors every place and organisation holds and was reached by.
func (s *stage) compareCounts(q question, all []*played) {
	s.t.Helper()
	rows := s.query("SELECT org, concat(org, ' ', place, ' ', id_space, ' ', key_id, ' ', toString(holding), ' ', toString(reached)) FROM electors_as_of(at = $2, as_of = $1)", q.AsOf.String(), q.at(all))
	each(all, func(p *played) {
		w := p.world(q.AsOf)
		var want []string
		holding, reached := tallies{}, tallies{}
		for _, place := range q.places(p, w) {
			for _, name := range []string{place.Org() + " " + string(place), place.Org() + " "} {
				for e := range w.Holding(string(place)) {
					holding.add(name, e)
				}
				for e := range w.Reached(string(place)) {
					reached.add(name, e)
				}
			}
		}
		for name, set := range reached {
			want = append(want, counted(name, holding[name], set)...)
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
	rows, err := s.graph.Coverage(s.t.Context(), q.AsOf)
	if err != nil {
		s.t.Fatal(err)
	}
	have := newLines()
	for _, c := range rows {
		have.add(c.Org, "%s %s/%s %s %s %s > %s %d", c.Code, c.Org, c.Sidecar, c.ID, c.Kind, strings.Join(c.Inputs, " "), c.Output, c.Count)
	}
	each(all, func(p *played) {
		var want []string
		for _, d := range p.world(q.AsOf).Doubts() {
			want = append(want, fmt.Sprintf("%s %s/%s %s %s %s > %s %d", d.Code, d.Ref.Org, d.Ref.Sidecar, d.Ref.ID, d.Kind, joined(d.Inputs), d.Output, d.Count))
		}
		for ref, chunks := range p.model.Orphans() {
			want = append(want, fmt.Sprintf("unknown_movement %s/%s %s   >  %d", ref.Org, ref.Sidecar, ref.ID, chunks))
		}
		p.differ(q, have.of[p.prefix], want)
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
	holes, err := s.graph.Holes(s.t.Context())
	if err != nil {
		s.t.Fatal(err)
	}
	have := newLines()
	for _, h := range holes {
		have.add(h.Org, "%s", holeLine(h))
	}
	each(all, func(p *played) { p.differ(q, have.of[p.prefix], p.holeLines()) })
}

func holeLine(h graph.Hole) string {
	return fmt.Sprintf("hole %s/%s %s %d %d, %d, %v", h.Org, h.Sidecar, h.Instance, h.FirstSequence, h.LastSequence, h.Missing, h.Reported)
}

func (p *played) holeLines() []string {
	var want []string
	for _, h := range p.model.Holes() {
		want = append(want, holeLine(graph.Hole{Org: h.Org, Sidecar: h.Sidecar, Instance: h.Instance, FirstSequence: h.First, LastSequence: h.Last,
			Missing: h.Last - h.First + 1, Reported: h.Reported}))
	}
	return want
}

// world is the oracle's world as of a time.
func (p *played) world(asOf schema.Time) *oracle.World {
	p.mu.Lock()
	defer p.mu.Unlock()
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
