package main

import (
	"fmt"
	"maps"
	"math"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/rolltrace/rolltrace/cmd/internal/demo"
	"github.com/rolltrace/rolltrace/deploy/embedded"
	"github.com/rolltrace/rolltrace/producers/pseudonym"
	"github.com/rolltrace/rolltrace/schema"
	"github.com/rolltrace/rolltrace/schema/graph"
)

// A recount is what the answers of docs/analyst-sql.md must be, counted from the files that a demo leaves. Times are
// those of the movements, as the graph's questions tell them.
type recount struct {
	list, signedUp, canvassed, known, lacking, pulled, cards, printed, party map[string]bool

	key       string   // of the elector whose route the demo tells
	keys      []string // of those at the printer, sorted
	user      bool     // whether the recorder saw a user
	shared    time.Time
	movements []graph.Movement
	progress  []graph.LogProgress
	sidecars  []graph.Sidecar
}

func newRecount(t *testing.T, data string, report *demo.Report, server *embedded.ClickHouse) *recount {
	t.Helper()
	c := &recount{
		list: idsOf(t, data, "elections-office/list-of-electors.csv"), signedUp: idsOf(t, data, "party-a/sign-ups.csv"),
		canvassed: idsOf(t, data, "party-a/canvass.csv"), known: idsOf(t, data, "party-a/cards-with-address.csv"),
		lacking: idsOf(t, data, "party-a/cards-without-address.csv"), pulled: idsOf(t, data, "party-a/addresses-from-hq.csv"),
		cards: idsOf(t, data, "party-a/card-list.csv"), printed: idsOf(t, data, "lantern-print/christmas-cards.csv"),
		user: report.Answers.PulledBy[0].RecordedBy.User != "",
	}
	c.party = maps.Clone(c.list)
	maps.Copy(c.party, c.signedUp)
	maps.Copy(c.party, c.canvassed)
	secret, err := pseudonym.ReadKeyFile(filepath.Join(data, demo.KeyFile))
	if err != nil {
		t.Fatal(err)
	}
	space := secret.Space(schema.ElectorID)
	keyOf := func(id string) string {
		key, ok := space.Key([]byte(id))
		if !ok {
			t.Fatalf("%s has no key", id)
		}
		return key.String()
	}
	c.key = keyOf(report.Answers.RouteOf)
	for id := range c.printed {
		c.keys = append(c.keys, keyOf(id))
	}
	slices.Sort(c.keys)
	conn, err := graph.Open(server.DSN(embedded.Owner))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	g := graph.New(conn, graph.Config{})
	answer, err := g.Movements(t.Context(), graph.MovementQuestion{})
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range answer.Movements {
		c.movements = append(c.movements, m.Movement)
	}
	for _, m := range c.movements {
		if m.Kind == schema.Share {
			c.shared = m.OccurredAt.Time
		}
	}
	if c.progress, err = g.Progress(t.Context()); err != nil {
		t.Fatal(err)
	}
	if c.sidecars, err = g.Sidecars(t.Context()); err != nil {
		t.Fatal(err)
	}
	return c
}

const (
	list     = "elections-office/lists/electors-2021.csv"
	signUps  = "public/web/sign-ups"
	doors    = "public/canvass/doorsteps-2021"
	crm      = "party-a/crm/voters"
	friends  = "party-a/crm/supporters"
	knowing  = "party-a/files/cards-with-address.csv"
	lacking  = "party-a/files/cards-without-address.csv"
	pulled   = "party-a/files/addresses-from-hq.csv"
	cardList = "party-a/files/card-list.csv"
	printer  = "lantern-print/uploads/christmas-cards.csv"
)

// rows makes rows of values as ClickHouse writes them.
func rows(values ...[]any) [][]string {
	out := [][]string{}
	for _, row := range values {
		var texts []string
		for _, v := range row {
			switch v := v.(type) {
			case map[string]bool:
				texts = append(texts, fmt.Sprint(len(v)))
			default:
				texts = append(texts, fmt.Sprint(v))
			}
		}
		out = append(out, texts)
	}
	return out
}

type row = []any

// answers are those to each question of the page, by whether the printer had the list.
func (c *recount) answers() map[string]func(shared bool) [][]string {
	always := func(values ...[]any) func(bool) [][]string {
		return func(bool) [][]string { return rows(values...) }
	}
	later := func(values ...[]any) func(bool) [][]string {
		return func(shared bool) [][]string {
			if !shared {
				return rows()
			}
			return rows(values...)
		}
	}
	listed, met := both(c.pulled, c.list), both(c.pulled, c.canvassed)
	kept := len(c.party) // the party's own lists are part of its databases
	var keys, sidecars, progress [][]any
	for _, key := range c.keys[:min(len(c.keys), 1000)] {
		keys = append(keys, row{key})
	}
	for _, s := range c.sidecars {
		sidecars = append(sidecars, row{s.Org, s.Sidecar, s.Missing, s.Gaps, s.OutboxMessages})
	}
	for _, p := range c.progress {
		progress = append(progress, row{p.Behind, p.Underived})
	}
	copies := []row{{pulled, 1, c.pulled}, {lacking, 1, c.lacking}, {printer, 1, c.printed}, {cardList, 1, c.cards}}
	slices.SortStableFunc(copies, func(x, y row) int { return len(x[2].(map[string]bool)) - len(y[2].(map[string]bool)) })
	return map[string]func(bool) [][]string{
		"Who put seeds into copies, and so says that these entries are nobody?": always(),
		"Which copies have these keys of a found list?":                         always(copies...),
		"Where has this elector's record been, and is it still there?": always(
			row{"party-a", friends, true, 1}, row{"party-a", crm, true, 1}, row{"party-a", lacking, false, 1},
			row{"party-a", pulled, false, 1}, row{"party-a", cardList, false, 1}, row{"lantern-print", printer, true, 1}),
		"How did it get to this vendor?": always(
			row{1, "collect", list, crm, ""}, row{2, "export", crm, pulled, "party-a/people/u0412"},
			row{3, "merge", pulled, cardList, "party-a/people/s0117"}, row{4, "share", cardList, printer, "party-a/people/s0117"}),
		"Which fields of this elector reached the vendor, and where can they come from?": always(row{printer, "civic_address", list}, row{printer, "name", list}),
		"In which id spaces, and under which secrets, is this key known?":                always(row{c.key, "elector-id"}),
		"Which movements carried this elector?": always(
			row{"collect", friends, "declared", ""}, row{"collect", crm, "observed", "communicate"},
			row{"export", lacking, "observed", "greeting-cards"}, row{"export", pulled, "observed", "greeting-cards"},
			row{"merge", cardList, "observed", "greeting-cards"}, row{"share", printer, "observed", "greeting-cards"},
			row{"destroy", "", "declared", ""}, row{"destroy", "", "declared", ""}, row{"destroy", "", "declared", ""}),
		"How many electors does each organisation hold, and how many ever reached it?": always(
			row{"lantern-print", "elector-id", c.printed, c.printed}, row{"party-a", "elector-id", c.party, c.party}),
		"What would a breach of this vendor expose, as of that day?": later(row{"", "elector-id", c.printed}, row{printer, "elector-id", c.printed}),
		"Which fields would it expose?":                              later(row{"civic_address", c.printed}, row{"name", c.printed}),
		"How many electors reached one organisation, and not another?": always(
			row{"elector-id", kept - len(both(c.party, c.printed))}),
		"Which electors reached both?":                                        always(keys...),
		"What is the overlap of two vendors?":                                 always(row{"elector-id", both(c.party, c.printed)}),
		"How many electors reached more than one organisation within a year?": always(row{"elector-id", both(c.party, c.printed)}),
		"What did this employee take last week?":                              always(row{"export", "['" + crm + "']", pulled, c.pulled}),
		"Where did what this vendor has come from?": always(
			row{cardList, c.cards, 1}, row{pulled, c.pulled, 2}, row{knowing, c.known, 2}, row{friends, c.known, 3}, row{crm, c.pulled, 3},
			row{list, listed, 4}, row{doors, met, 4}, row{signUps, c.known, 4}),
		"Where did the list of electors go?": always(
			row{"party-a", crm, c.list, 1}, row{"party-a", pulled, listed, 2}, row{"party-a", cardList, both(listed, c.cards), 3}, row{"lantern-print", printer, both(listed, c.printed), 4}),
		"How many addresses at the vendor come from the list of electors?": always(
			row{list, true, both(listed, c.printed)}, row{friends, false, both(c.known, c.printed)}, row{doors, true, both(met, c.printed)}),
		"Which copies are left of what was destroyed?": always(row{printer, c.printed}),
		"What was destroyed, and has not come back?":   always(row{pulled, c.pulled}, row{cardList, c.cards}, row{knowing, c.known}, row{lacking, c.lacking}),
		"Was anything used after it was destroyed?":    always(),
		"Who gave to whom?": always(
			row{"elections-office", "party-a", "elector-id", c.list, 1}, row{"party-a", "lantern-print", "elector-id", c.printed, 1},
			row{"public", "party-a", "elector-id", len(c.signedUp) + len(c.canvassed) - len(both(c.signedUp, c.canvassed)), 2}),
		"For which purposes, and under which agreements, were records given to others?": always(row{"greeting-cards", "lantern-print-2019", 1, c.printed}),
		"Which sources of a field did nobody record?":                                   always(row{friends, "civic_address", c.known}),
		"Which places has nobody a recorder at?": always(
			row{list, 0, 1}, row{printer, 1, 0}, row{friends, 1, 2}, row{crm, 2, 1}, row{pulled, 1, 1}, row{cardList, 1, 1}, row{knowing, 1, 1}, row{lacking, 1, 0}, row{doors, 0, 1}, row{signUps, 0, 1}),
		"What could change these answers?":                 always(),
		"Is the centre up to date?":                        always(progress...),
		"Which sidecars lost something?":                   always(sidecars...),
		"What did movements say before they were revised?": always(row{1, "open", "", c.count(func(m graph.Movement) bool { return m.Basis == schema.Observed })}),
		"Which movements to others were large, compared to what the giver held?": always(
			row{printer, c.printed, math.Round(1000*float64(len(c.printed))/float64(kept)) / 10}),
		"How many rows had no identifier?": always(),
		"What has the vendor got since that day?": func(shared bool) [][]string {
			if shared {
				return rows(row{0})
			}
			return rows(row{c.printed})
		},
		"Movements of a period, day by day": always(c.byDay()...),
		"Which people and actors does the record name?": always(
			row{"party-a/people/s0117", c.count(func(m graph.Movement) bool { return m.Actor == "party-a/people/s0117" }), c.user}, row{"party-a/people/u0412", 1, c.user}),
	}
}

func (c *recount) count(counts func(graph.Movement) bool) int {
	n := 0
	for _, m := range c.movements {
		if counts(m) {
			n++
		}
	}
	return n
}

// byDay counts the movements that were made while the demo ran; the others are back-filled.
func (c *recount) byDay() [][]any {
	type group struct{ day, kind string }
	n := map[group]int{}
	for _, m := range c.movements {
		if time.Since(m.OccurredAt.Time) < 24*time.Hour {
			n[group{m.OccurredAt.Format(time.DateOnly), string(m.Kind)}]++
		}
	}
	var out [][]any
	for _, g := range slices.SortedFunc(maps.Keys(n), func(x, y group) int { return slices.Compare([]string{x.day, x.kind}, []string{y.day, y.kind}) }) {
		out = append(out, row{g.day, g.kind, n[g]})
	}
	return out
}
