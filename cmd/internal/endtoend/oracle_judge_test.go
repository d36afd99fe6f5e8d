package endtoend

import (
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/rolltrace/rolltrace/schema/graph"
	"github.com/rolltrace/rolltrace/schema/schematest/oracle"
)

// A judge compares answers to one kind of question with those of the oracle: of all histories at once, and, if the question names
// a place or an elector, of that part of the only one; or of one.
type judge struct {
	of  string // what it judges: methods of graph.Graph, and views
	all func(*stage, question, []*played)
	one func(*stage, question, *played, *oracle.World, string) // at a place or an organisation, with its prefix
}

// judges are all of them, by what they are asked as.
var judges map[string]judge

func init() { // the comparisons look at it themselves
	judges = map[string]judge{
		askCounts:           {of: "electors", all: (*stage).compareCounts},
		askKeys:             {of: "held_electors reached_electors holding reached", all: (*stage).compareKeys},
		askCoverage:         {of: "Coverage coverage", all: (*stage).compareCoverage},
		askHoles:            {of: "Holes holes", all: (*stage).compareHoles},
		askDerived:          {all: (*stage).compareDerived},
		askElectorPlaces:    {of: "elector_places elector_keys dossier lookup_places lookup_dossier", all: (*stage).compareElectorPlaces},
		askMovementElectors: {of: "movement_electors", all: (*stage).compareMovementElectors},
		askPlaces:           {of: "places flows recorded_organisations", all: (*stage).comparePlaces},
		askUsed:             {of: "used_after_destruction", all: (*stage).compareUsed},
		askFlow:             {of: "Flow flow_electors", all: (*stage).compareFlows},
		askReachView:        {of: "reach", all: (*stage).compareReachViews},
		askSourcesView:      {of: "sources", all: (*stage).compareReachViews},
		askRouteView:        {of: "route lookup_route", all: (*stage).compareRouteView},
		askCopiesView:       {of: "copies destroyed", all: (*stage).compareCopiesView},
		askFieldsView:       {of: "fields elector_fields origins elector_origins lookup_fields", all: (*stage).compareFieldViews},
		askRecords:          {of: "movements movement_revisions gaps Gaps sidecars Sidecars", all: (*stage).compareRecords},
		askNotesView:        {of: "notes", all: (*stage).compareNotesView},
		askOversight:        {of: "Oversight", all: (*stage).compareOversight},
		askOverview:         {of: "Overview", all: (*stage).compareOverview},

		askHolding:      {of: "Electors", one: (*stage).compareElectors},
		askReached:      {of: "Electors", one: (*stage).compareElectors},
		askReach:        {of: "Reach", one: (*stage).compareReach},
		askSources:      {of: "Sources", one: (*stage).compareReach},
		askElector:      {of: "Elector", one: (*stage).compareElector},
		askRoute:        {of: "Route", one: (*stage).compareRoute},
		askMovements:    {of: "Movements", one: (*stage).compareMovements},
		askCopies:       {of: "Copies", one: (*stage).compareCopies},
		askFields:       {of: "Fields", one: (*stage).compareFields},
		askMatch:        {of: "Match", one: (*stage).compareMatch},
		askFlowOf:       {of: "Flow", one: (*stage).compareFlow},
		askFlowFrom:     {of: "Flow", one: (*stage).compareFlow},
		askFlowTo:       {of: "Flow", one: (*stage).compareFlow},
		askFlowMovement: {of: "Flow ElectorsOf", one: (*stage).compareFlow},
		askAccounting:   {of: "Accounting", one: (*stage).compareAccounting},
		askLeft:         {of: "Left", one: (*stage).compareLeft},
	}
}

// notJudged are the questions and views that the oracle has nothing to say of, and why.
var notJudged = map[string]string{
	"Rejections": "what is in a history can be read", "rejections": "likewise",
	"Progress": "how far a consumer has come is not told by movements", "progress": "likewise",
	"Findings": "what rules find: consumers/policy", "findings": "likewise", "finding_history": "likewise",
	"Rulings": "what people decided: consumers/policy", "rulings": "likewise",
	"seedings": "who put seeds into copies: schema/graph; that they are counted nowhere, every other question is judged by",

	"registry_versions": "what people entered: schema/registry", "organisations": "likewise", "systems": "likewise", "datasets": "likewise", "people": "likewise",
	"purposes": "likewise", "record_sources": "likewise", "agreements": "likewise", "policies": "likewise", "elections": "likewise",
	"registered_places": "what people entered of the places that movements name", "registered_movements": "likewise", "registered_holdings": "likewise",
}

// Whatever can be asked is judged: a new question of package graph, or a new view, wants a judge, or a reason.
func TestOracleJudgesEverything(t *testing.T) {
	asked := map[string]bool{}
	questions := reflect.TypeFor[*graph.Graph]()
	for i := range questions.NumMethod() {
		asked[questions.Method(i).Name] = true
	}
	for _, view := range graph.Views() { // twins are compared, and TestTwinsAgree of package graph compares them with the plain ones
		if name := strings.TrimSuffix(view, "_as_of"); !strings.HasPrefix(name, "internal_") {
			asked[name] = true
		}
	}
	judged := map[string]bool{}
	for ask, j := range judges {
		if (j.all == nil) == (j.one == nil) {
			t.Errorf("%s: want one comparison", ask)
		}
		for name := range strings.FieldsSeq(j.of) {
			judged[name] = true
			if !asked[name] {
				t.Errorf("%s: there is no %s", ask, name)
			}
		}
	}
	for name := range notJudged {
		if !asked[name] || judged[name] {
			t.Errorf("%s is not there, or is judged", name)
		}
		judged[name] = true
	}
	for _, name := range slices.Sorted(maps.Keys(asked)) {
		if !judged[name] {
			t.Errorf("nobody compares %s with the oracle", name)
		}
	}
}
