package graph_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/rolltrace/rolltrace/schema"
	"github.com/rolltrace/rolltrace/schema/graph"
)

// declared makes a movement one of everything that was there, on its owner's word.
func declared(m *schema.Movement) { m.Basis, m.Revision = schema.Declared, 1 }

const spare = "party-a/spare/list"

// wholes is a history of movements of everything that was there.
var wholes = []step{
	1:  {kind: schema.Collect, from: rolls, to: voters, electors: "abcd"},
	2:  {kind: schema.Collect, from: web, to: donors, electors: "cde"},
	3:  {kind: schema.Merge, from: voters + " " + donors, to: merged, change: declared}, // abcde
	4:  {kind: schema.Share, from: merged, to: printer, change: declared},               // abcde
	5:  {kind: schema.Destroy, from: merged, change: declared},                          // abcde
	6:  {kind: schema.Share, from: merged, to: audience, change: declared},              // nobody
	7:  {kind: schema.Destroy, from: printer, electors: "ab"},
	8:  {kind: schema.Export, from: printer, to: archive, change: declared},                       // cde
	9:  {kind: schema.Export, from: archive, to: printer, change: declared},                       // cde, round in a circle
	10: {kind: schema.Access, from: "party-a/old/dump", to: staff, change: declared},              // of a place that nobody has heard of
	11: {kind: schema.Collect, from: rolls, to: cards, electors: "af", change: declared},          // and see below
	12: {kind: schema.Export, from: printer + " " + cards, to: "acme-mail/x/y", change: declared}, // cde, and what 11 became
	13: {kind: schema.Collect, from: web, to: spare, electors: "gh", change: declared},
	14: {kind: schema.Destroy, from: spare, electors: "g", change: declared}, // and see below
}

// wholeMessages are those of the history. Step 11 is relabelled as one of everything at donors, and the destroy of
// step 14, long after it was read, as one of which only the number is known.
func wholeMessages(t testing.TB) []message {
	var out []message
	relabelled := func(n int, last message, mode schema.Mode) message {
		m := *last.movement
		m.Revision, m.Reason, m.Electors = 2, "it was another one", schema.Electors{Mode: mode}
		if n == 11 {
			m.Inputs = []schema.Input{{Place: donors}}
		}
		return message{movement: &m}
	}
	destroy := wholes[14].messages(t, 14)
	out = append(out, destroy...)
	for n, s := range wholes {
		if s.kind == "" || n == 14 {
			continue
		}
		out = append(out, s.messages(t, n)...)
		if n == 11 {
			out = append(out, relabelled(n, out[len(out)-1], schema.Whole))
		}
	}
	return append(out, relabelled(14, destroy[len(destroy)-1], schema.Counted))
}

func TestWhole(t *testing.T) {
	for name, arrange := range map[string]func([]message){
		"in order":  func([]message) {},
		"backwards": slices.Reverse[[]message],
	} {
		t.Run(name, func(t *testing.T) {
			c := newCentre(t)
			messages := wholeMessages(t)
			arrange(messages)
			c.deliver(messages, 3)
			testWholeElectors(t, c)
			testWholeReach(t, c)
			testWholeDossier(t, c)
			movements, err := c.graph.Movements(t.Context(), graph.MovementQuestion{})
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, m := range movements.Movements {
				got = append(got, fmt.Sprintf("%d:%d", hours(m.OccurredAt), total(m.Electors)))
			}
			if text, want := strings.Join(got, " "), "1:4 2:3 3:5 4:5 5:5 6:0 7:2 8:3 9:3 10:0 11:3 12:3 13:2 14:0"; text != want {
				t.Errorf("movements: have %s, want %s", text, want)
			}
		})
	}
}

func testWholeElectors(t *testing.T, c *centre) {
	for _, test := range []struct {
		at, what string
		asOf     schema.Time
		want     string
	}{
		{merged, graph.Holding, hour(4), "abcde"},
		{spare, graph.Holding, schema.Time{}, "gh counted"}, // how many of them went is known, and not which
		{merged, graph.Holding, schema.Time{}, " none"},
		{merged, graph.Reached, schema.Time{}, "abcde"},
		{audience, graph.Reached, schema.Time{}, " none"},
		{printer, graph.Holding, hour(6), "abcde"},
		{printer, graph.Holding, schema.Time{}, "cde"},
		{printer, graph.Reached, schema.Time{}, "abcde"},
		{archive, graph.Holding, schema.Time{}, "cde"},
		{staff, graph.Holding, schema.Time{}, " none whole"},
		{cards, graph.Holding, schema.Time{}, "cde"}, // not what it was thought to be at first
		{"acme-mail", graph.Holding, schema.Time{}, "cde"},
		{"acme-mail", graph.Reached, schema.Time{}, "abcde"},
	} {
		a, err := c.graph.Electors(t.Context(), graph.ElectorsQuestion{At: test.at, What: test.what, AsOf: test.asOf, List: true})
		if err != nil {
			t.Fatal(err)
		}
		if got := lettersOf(a.Keys) + noteCodes(a.Answer); got != test.want || total(a.Electors) != len(a.Keys) {
			t.Errorf("%s %s as of %s: have %q, counted %d, want %q", test.what, test.at, test.asOf, got, total(a.Electors), test.want)
		}
	}
}

func testWholeReach(t *testing.T, c *centre) {
	a, err := c.graph.Reach(t.Context(), graph.ReachQuestion{At: donors})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, p := range a.Places {
		got = append(got, fmt.Sprintf("%s %d %d", p.Place, p.Hops, total(p.Electors)))
	}
	want := []string{cards + " 1 3", merged + " 1 3", printer + " 2 3", "acme-mail/x/y 2 3", archive + " 3 3"}
	if !slices.Equal(got, want) {
		t.Errorf("reach: have\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func testWholeDossier(t *testing.T, c *centre) {
	for letter, want := range map[rune]string{
		'a': voters + " true, " + merged + " false, " + printer + " false",
		'd': voters + " true, " + donors + " true, " + merged + " false, " + printer + " true, " + archive + " true, " + cards + " true, acme-mail/x/y true",
	} {
		d, err := c.graph.Elector(t.Context(), graph.ElectorQuestion{Key: keyOf(letter)})
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, s := range d.Places {
			got = append(got, fmt.Sprintf("%s %v", s.Place, s.Holding))
		}
		if text := strings.Join(got, ", "); text != want {
			t.Errorf("dossier of %c: have %s, want %s", letter, text, want)
		}
	}
}
