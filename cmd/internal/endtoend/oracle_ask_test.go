package endtoend

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/rolltrace/rolltrace/schema"
	"github.com/rolltrace/rolltrace/schema/schematest/oracle"
)

// A question is about one history, or, where there is a view for that, about everything.
type question struct {
	Ask     string `json:"ask"`
	At      string `json:"at,omitempty"` // a place or organisation, without the prefix
	Elector string `json:"elector,omitempty"`
	Letters string `json:"letters,omitempty"` // of a found list

	Movement int            `json:"movement,omitempty"` // see question.movement
	IDSpace  schema.IDSpace `json:"id_space,omitempty"`
	KeyID    schema.KeyID   `json:"key_id,omitempty"`
	AsOf     schema.Time    `json:"as_of"`
}

func (q question) String() string {
	return strings.Join(strings.Fields(fmt.Sprint(q.Ask, " ", q.At, " ", q.IDSpace, " ", q.KeyID, " ", q.Elector, q.Letters, " as of ", q.AsOf)), " ")
}

// The questions about everything, and about one history.
const (
	askCounts   = "counts"
	askKeys     = "keys"
	askCoverage = "coverage"
	askHoles    = "holes"
	askDerived  = "derived"

	askElectorPlaces    = "elector-places"
	askMovementElectors = "movement-electors"
	askPlaces           = "places"

	askHolding   = "holding"
	askReached   = "reached"
	askReach     = "reach"
	askSources   = "sources"
	askElector   = "elector"
	askRoute     = "route"
	askMovements = "movements"
	askCopies    = "copies"
	askUsed      = "used"
	askFields    = "fields"
	askMatch     = "match"

	askFlow         = "flow"
	askFlowOf       = "flow-of"
	askFlowFrom     = "flow-from"
	askFlowTo       = "flow-to"
	askFlowMovement = "flow-movement"

	askCopiesView = "copies-view"
	askFieldsView = "fields-view"

	askAccounting = "accounting" // these, and views, only in two orders of arrival
	askOverview   = "overview"

	askReachView   = "reach-view"
	askSourcesView = "sources-view"
	askRouteView   = "route-view"
)

func (q question) everything() bool {
	return slices.Contains([]string{askCounts, askKeys, askCoverage, askHoles, askDerived, askElectorPlaces, askMovementElectors, askPlaces, askUsed, askFlow, askCopiesView, askFieldsView}, q.Ask)
}

// aboutEverything asks as of now, and, if the histories have arrived, as of each moment.
func aboutEverything(arrived bool) []question {
	out := []question{{Ask: askHoles}, {Ask: askDerived}, {Ask: askKeys}, {Ask: askUsed}}
	for _, asOf := range moments() {
		if arrived || asOf.IsZero() {
			out = append(out, question{Ask: askCounts, AsOf: asOf}, question{Ask: askCoverage, AsOf: asOf})
		}
	}
	if arrived {
		then := oracle.Moment(oracle.Moments / 2)
		out = append(out, question{Ask: askKeys, AsOf: then}, question{Ask: askElectorPlaces},
			question{Ask: askMovementElectors}, question{Ask: askMovementElectors, AsOf: then}, question{Ask: askPlaces}, question{Ask: askPlaces, AsOf: then},
			question{Ask: askFlow}, question{Ask: askFlow, AsOf: then})
		if *thorough {
			out = append(out, aboutFew()...)
		}
	}
	return out
}

// aboutFew are further ones, which take long where there are many histories.
func aboutFew() []question {
	return []question{{Ask: askCopiesView}, {Ask: askCopiesView, AsOf: oracle.Moment(oracle.Moments / 2)}, {Ask: askFieldsView}}
}

// asks are the questions about one history.
var asks = []string{askHolding, askReach, askElector, askSources, askReached, askRoute, askMovements, askCopies, askFields, askMatch,
	askFlowOf, askFlowFrom, askFlowTo, askFlowMovement}

var viewAsks = []string{askReachView, askRouteView, askSourcesView, askRouteView}

// randomQuestions are those of the n-th history: one, and sometimes a view, because each takes ClickHouse a tenth of a
// second and more, unless the run is thorough.
func randomQuestions(random *rand.Rand, n int) []question {
	some := []string{asks[n%len(asks)]}
	if n%4 == 0 {
		some = append(some, viewAsks[n/4%len(viewAsks)])
	}
	if *thorough {
		some = append(append(append(some, asks...), asks...), viewAsks...)
	}
	var out []question
	for _, ask := range some {
		out = append(out, randomQuestion(random, ask))
	}
	return out
}

// randomQuestion asks as people do: about a random place or organisation, a random elector, as of a random moment.
func randomQuestion(random *rand.Rand, ask string) question {
	q := question{Ask: ask, AsOf: moments()[random.IntN(oracle.Moments+1)], At: string(oracle.Places[random.IntN(len(oracle.Places))])}
	if random.IntN(2) == 0 {
		q.AsOf = schema.Time{}
	}
	if random.IntN(3) == 0 {
		q.At = schema.Place(q.At).Org()
	}
	if ask == askMatch {
		set := oracle.Sets[random.IntN(len(oracle.Sets))]
		q.IDSpace, q.KeyID = set.IDSpace, set.KeyID
		for _, letter := range oracle.Letters {
			if random.IntN(2) == 0 || q.Letters == "" {
				q.Letters += string(letter)
			}
		}
	}
	if ask == askFlowMovement || ask == askMatch {
		q.Movement = random.IntN(1000)
	}
	if ask == askElector || ask == askRoute || ask == askRouteView {
		set := oracle.Sets[random.IntN(len(oracle.Sets))]
		q.IDSpace, q.KeyID, q.Elector = set.IDSpace, set.KeyID, string(oracle.Letters[random.IntN(len(oracle.Letters))])
	}
	return q
}

func (s *stage) askAll(q question, all []*played) {
	s.t.Helper()
	switch q.Ask {
	case askCounts:
		s.compareCounts(q, all)
	case askKeys:
		s.compareKeys(q, all)
	case askCoverage:
		s.compareCoverage(q, all)
	case askHoles:
		s.compareHoles(q, all)
	case askUsed:
		s.compareUsed(q, all)
	case askFlow:
		s.compareFlows(q, all)
	case askDerived:
		s.compareDerived(q, all)
	case askElectorPlaces:
		s.compareElectorPlaces(q, all)
	case askMovementElectors:
		s.compareMovementElectors(q, all)
	case askPlaces:
		s.comparePlaces(q, all)
	case askCopiesView:
		s.compareCopiesView(q, all)
	case askFieldsView:
		s.compareFieldsView(q, all)
	}
}

func (s *stage) ask(q question, p *played) {
	if q.Elector != "" && p.model.Seed(q.elector(p.prefix)) { // whoever asks for one is told of it
		model := p.model
		p.model, p.worlds = model.WithSeeds(), map[schema.Time]*oracle.World{}
		defer func() { p.model, p.worlds = model, map[schema.Time]*oracle.World{} }()
	}
	w := p.world(q.AsOf)
	at := p.prefix + q.At
	switch q.Ask {
	case askHolding, askReached:
		s.compareElectors(q, p, w, at)
	case askReach:
		s.compareReach(q, p, w, at, s.graph.Reach)
	case askSources:
		s.compareReach(q, p, w, at, s.graph.Sources)
	case askElector:
		s.compareElector(q, p, w)
	case askRoute:
		s.compareRoute(q, p, w, at)
	case askMovements:
		s.compareMovements(q, p, w, at)
	case askReachView, askSourcesView, askRouteView:
		s.compareView(q, p, w, at)
	case askCopies:
		s.compareCopies(q, p, w, at)
	case askFields:
		s.compareFields(q, p, w, at)
	case askMatch:
		s.compareMatch(q, p, w)
	case askFlowOf, askFlowFrom, askFlowTo, askFlowMovement:
		s.compareFlow(q, p, w, at)
	}
}

// moments are the times that questions are asked as of: the last one is now.
func moments() []schema.Time {
	var out []schema.Time
	for n := range oracle.Moments {
		out = append(out, oracle.Moment(n))
	}
	return append(out, schema.Time{})
}
