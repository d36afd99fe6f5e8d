package endtoend

import (
	"fmt"
	"strings"
	"testing"

	"github.com/rolltrace/rolltrace/schema"
	"github.com/rolltrace/rolltrace/schema/graph"
	"github.com/rolltrace/rolltrace/schema/schematest/oracle"
	"github.com/rolltrace/rolltrace/schema/wire"
)

// The views of copies, fields, origins and flows say of every history what the oracle says, now and as of a moment:
// of everything at once, which the questions never ask.
func TestOracleJudgesAnalystsViews(t *testing.T) {
	var all []*played
	generate := oracle.Histories(*historySize)
	for i := range max(*histories/20, 5) {
		seed := *historySeed + 10_000 + i
		all = append(all, play(t, fmt.Sprintf("h%d-", i), fmt.Sprintf("history of seed %d", seed), generate.Example(seed)))
	}
	s := newStage(t)
	queues := make([][]wire.Message, len(all))
	for i, p := range all {
		queues[i] = p.some(t, len(p.pending))
	}
	s.deliver(interleave(queues))
	for _, asOf := range []schema.Time{{}, oracle.Moment(oracle.Moments / 2)} {
		q := question{Ask: "analysts-views", AsOf: asOf}
		s.compareCopyViews(q, all)
		s.compareFieldViews(q, all)
		s.compareOriginViews(q, all)
		s.compareFlowViews(q, all)
	}
	report(t, all)
}

// spots are the places of a history, and their organisations.
func spots(w *oracle.World) []string {
	seen := map[string]bool{}
	var out []string
	for _, place := range w.Named() {
		for _, at := range []string{string(place), place.Org()} {
			if !seen[at] {
				seen[at] = true
				out = append(out, at)
			}
		}
	}
	return out
}

const named = "if(place = '', org, place)"

func (s *stage) compareCopyViews(q question, all []*played) {
	s.t.Helper()
	copies := s.query("SELECT at, concat(at, ': ', "+named+", ' ', id_space, ' ', key_id, ' ', toString(electors)) FROM copies_as_of(at = '', as_of = $1)", q.AsOf.String())
	since := s.query("SELECT any(at), concat(at, ': ', "+named+" AS name, ' since ', "+asText("min(since)")+", ', last ', "+asText("max(last_at)")+") FROM copies_as_of(at = '', as_of = $1) GROUP BY at, name", q.AsOf.String())
	destroyed := s.query("SELECT org, concat("+named+", ': destroyed ', id_space, ' ', key_id, ' ', toString(electors)) FROM destroyed_as_of(at = '', as_of = $1)", q.AsOf.String())
	each(all, func(p *played) {
		w := p.world(q.AsOf)
		var want []string
		for _, at := range spots(w) {
			for _, line := range copyLines(w, at) {
				if !strings.HasPrefix(line, "used ") {
					want = append(want, at+": "+line)
				}
			}
		}
		p.differ(q, append(append(copies.of[p.prefix], since.of[p.prefix]...), destroyed.of[p.prefix]...), want)
	})
}

func (s *stage) compareFieldViews(q question, all []*played) {
	s.t.Helper()
	rows := s.query("SELECT org, concat("+named+", ': ', if(field = '', 'not said', field), ' ', id_space, ' ', key_id, ' ', toString(electors)) FROM fields_as_of(at = '', as_of = $1)", q.AsOf.String())
	each(all, func(p *played) {
		w := p.world(q.AsOf)
		var want []string
		for _, at := range spots(w) {
			for _, line := range fieldLines(w, at, nil) {
				if !strings.Contains(line, " from ") && !strings.HasPrefix(line, "electors ") {
					want = append(want, at+": "+line)
				}
			}
		}
		p.differ(q, rows.of[p.prefix], want)
	})
}

// compareOriginViews takes office for the list: a place that nothing comes to, as a rule.
func (s *stage) compareOriginViews(q question, all []*played) {
	s.t.Helper()
	rows := s.query(`SELECT any(org), concat(place, ': ', field, ' from ', multiIf(unknown, '`+graph.OriginUnknown+`', listed AND other, '`+graph.OriginListOrOther+`', listed, '`+graph.OriginList+`', '`+graph.OriginNotList+`') AS origin,
		' ', id_space, ' ', key_id, ' ', toString(count())) FROM
		(
			SELECT org, place, field, id_space, key_id, key, max(match(source, '^[a-z0-9]+-office/')) AS listed,
				max(collected AND NOT match(source, '^[a-z0-9]+-office/')) AS other, max(NOT collected AND NOT match(source, '^[a-z0-9]+-office/')) AS unknown
			FROM elector_origins_as_of(key = '', as_of = $1)
			WHERE field != ''
			GROUP BY org, place, field, id_space, key_id, key
		)
		GROUP BY place, field, origin, id_space, key_id`, q.AsOf.String())
	each(all, func(p *played) {
		w := p.world(q.AsOf)
		var want []string
		for _, place := range w.Named() {
			for _, line := range fieldLines(w, string(place), []string{p.prefix + "office"}) {
				if strings.Contains(line, " from ") {
					want = append(want, string(place)+": "+line)
				}
			}
		}
		p.differ(q, rows.of[p.prefix], want)
	})
}

func (s *stage) compareFlowViews(q question, all []*played) {
	s.t.Helper()
	rows := s.query("SELECT from_org, concat(from_place, ' > ', to_place, ' ', id_space, ' ', key_id, ' ', toString(electors)) FROM flow_electors_as_of(at = '', as_of = $1) WHERE from_place != ''", q.AsOf.String())
	each(all, func(p *played) {
		flows := map[string]oracle.Set{}
		for _, m := range p.world(q.AsOf).Movements {
			if !m.Counts() || !m.Adds() {
				continue
			}
			for e := range m.S {
				for _, from := range m.From[e] {
					name := fmt.Sprint(from, " > ", m.Output)
					if flows[name] == nil {
						flows[name] = oracle.Set{}
					}
					flows[name][e] = true
				}
			}
		}
		var want []string
		for name, set := range flows {
			want = append(want, setLines(name, set)...)
		}
		p.differ(q, rows.of[p.prefix], want)
	})
}
