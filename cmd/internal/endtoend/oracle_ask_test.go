package endtoend

import (
	"fmt"
	"maps"
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
	Tight    bool           `json:"tight,omitempty"` // no movement is said to qualify the answer that could not change it
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

	askReachView   = "reach-view"
	askSourcesView = "sources-view"
	askRouteView   = "route-view"
	askCopiesView  = "copies-view"
	askFieldsView  = "fields-view"
	askNotesView   = "notes-view"
	askRecords     = "records"
	askOversight   = "oversight"
	askOverview    = "overview"

	askAccounting = "accounting"
	askLeft       = "left"

	askReport         = "report" // these only in two orders of arrival: they are made of the others
	askReportMovement = "report-movement"
	askReportElector  = "report-elector"
)

func (q question) everything() bool { return judges[q.Ask].all != nil && q.At == "" && q.Elector == "" }

// at is the place or organisation that a view is asked about: of the only history, or empty for all.
func (q question) at(all []*played) string {
	if q.At == "" {
		return ""
	}
	return all[0].prefix + q.At
}

// key is the elector that a view is asked about, likewise.
func (q question) key(all []*played) string {
	if q.Elector == "" {
		return ""
	}
	return q.elector(all[0].prefix).Key.String()
}

// among says whether the question is about a place.
func (q question) among(p *played, place schema.Place) bool {
	return q.At == "" || oracle.At(p.prefix+q.At, place)
}

// electors are those of a history that the question is about. A key says nothing of its id space and secret.
func (q question) electors(p *played, w *oracle.World) []oracle.Elector {
	return slices.DeleteFunc(w.Electors(), func(e oracle.Elector) bool {
		return q.Elector != "" && e.Key != oracle.Keys(p.prefix, q.Elector)[0]
	})
}

// of is the view, or, half of the time that an elector is asked for, the one of its name for those who may only look up.
func (q question) of(view, lookUp string) string {
	if q.Elector != "" && q.Movement%2 == 1 {
		return lookUp
	}
	return view
}

// aboutEverything asks as of now, and, if the histories have arrived, as of another moment; how many electors are where, and
// what could change that, as of each.
func aboutEverything(arrived bool) []question {
	if !arrived {
		return []question{{Ask: askHoles}, {Ask: askDerived}, {Ask: askKeys}, {Ask: askUsed}, {Ask: askCounts}, {Ask: askCoverage}}
	}
	var out []question
	for i, ask := range slices.Sorted(maps.Keys(judges)) {
		switch {
		case judges[ask].all == nil:
		case ask == askCounts, ask == askCoverage, *thorough:
			for _, asOf := range moments() {
				out = append(out, question{Ask: ask, AsOf: asOf})
			}
		default:
			out = append(out, question{Ask: ask}, question{Ask: ask, AsOf: oracle.Moment(1 + i%(oracle.Moments-2))})
		}
	}
	return out
}

// asks are the questions about one history.
func asks() []string {
	return slices.DeleteFunc(slices.Sorted(maps.Keys(judges)), func(ask string) bool { return judges[ask].one == nil })
}

// randomQuestions are those of the n-th history: one, because each takes ClickHouse a tenth of a second and more, unless the
// run is thorough.
func randomQuestions(random *rand.Rand, n int, h oracle.History) []question {
	all := asks()
	some := []string{all[n%len(all)]}
	if n%10 == 0 {
		some = append(some, partAsks[n/10%len(partAsks)])
	}
	if *thorough {
		some = slices.Concat(all, all, partAsks)
	}
	var out []question
	for _, ask := range some {
		out = append(out, randomQuestion(random, ask, h))
	}
	return out
}

// richer asks the same about the place or organisation of which the oracle has the most to say: long routes are few.
func (p *played) richer(q question) question {
	if !p.search || judges[q.Ask].one == nil || q.Ask == askFlowMovement { // which is about a movement
		return q
	}
	w := p.world(q.AsOf)
	best, most := q, len(q.wanted(p, w))
	for _, at := range (question{}).ats(p, w) {
		other := q
		other.At = strings.TrimPrefix(at, p.prefix)
		if n := len(other.wanted(p, w)); n > most {
			best, most = other, n
		}
	}
	return best
}

// partAsks are those of the questions about everything that can be asked about a place, an organisation or an elector too.
var partAsks = []string{askReachView, askFieldsView, askElectorPlaces, askCopiesView, askRouteView, askCounts, askSourcesView, askFlow, askKeys, askUsed}

// randomQuestion asks as people do: about a random place or organisation, a random elector, as of a random moment; mostly
// about those of the history.
func randomQuestion(random *rand.Rand, ask string, h oracle.History) question {
	places, columns, letters := slices.Clone(oracle.Places), slices.Clone(oracle.Sets), oracle.Letters
	if random.IntN(8) > 0 {
		places, columns, letters = h.Names()
	}
	q := question{Ask: ask, AsOf: moments()[random.IntN(oracle.Moments+1)], At: string(places[random.IntN(len(places))])}
	if random.IntN(2) == 0 {
		q.AsOf = schema.Time{}
	}
	if random.IntN(3) == 0 {
		q.At = schema.Place(q.At).Org()
	}
	column := columns[random.IntN(len(columns))]
	if ask == askMatch {
		q.IDSpace, q.KeyID = column.IDSpace, column.KeyID
		for _, letter := range oracle.Letters {
			if random.IntN(2) == 0 || q.Letters == "" {
				q.Letters += string(letter)
			}
		}
	}
	if ask == askFlowMovement || ask == askReportMovement || ask == askMatch || ask == askLeft || ask == askElectorPlaces || ask == askRouteView || ask == askFieldsView {
		q.Movement = random.IntN(1000)
	}
	if ask == askElectorPlaces {
		q.At = ""
	}
	if ask == askElector || ask == askReportElector || ask == askRoute || ask == askRouteView || ask == askElectorPlaces || ask == askFieldsView && random.IntN(2) == 0 {
		q.IDSpace, q.KeyID, q.Elector = column.IDSpace, column.KeyID, string(letters[random.IntN(len(letters))])
	}
	return q
}

func (s *stage) ask(q question, p *played) {
	if q.Elector != "" && q.Ask != askFieldsView && (q.Ask == askElectorPlaces || q.Ask == askRouteView || p.model.Seed(q.elector(p.prefix))) { // whoever asks for a seed is told of it
		p = &played{prefix: p.prefix, model: p.model.WithSeeds(), worlds: map[schema.Time]*oracle.World{}, tell: p}
	}
	if judges[q.Ask].all != nil {
		judges[q.Ask].all(s, q, []*played{p})
		return
	}
	judges[q.Ask].one(s, q, p, p.world(q.AsOf), p.prefix+q.At)
}

// moments are the times that questions are asked as of: the last one is now.
func moments() []schema.Time {
	var out []schema.Time
	for n := range oracle.Moments {
		out = append(out, oracle.Moment(n))
	}
	return append(out, schema.Time{})
}
