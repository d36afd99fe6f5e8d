package graph_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/rolltrace/rolltrace/schema"
	"github.com/rolltrace/rolltrace/schema/graph"
	"github.com/rolltrace/rolltrace/schema/schematest"
)

const (
	rolls    = "electoral-office/rolls/2026"
	web      = "party-a/web/forms"
	voters   = "party-a/crm/voters"
	donors   = "party-a/crm/donors"
	cards    = "party-a/exports/cards"
	merged   = "party-a/exports/merged"
	staff    = "party-a/people/u0412"
	printer  = "acme-mail/uploads/cards.csv"
	archive  = "acme-mail/archive/all"
	audience = "vendor-b/ads/audience"
)

// worked is a history small enough to be worked out by hand; the n-th step happens at hour n.
var worked = []step{
	1: {kind: schema.Collect, from: rolls, to: voters, electors: "abcdefgh"},
	2: {kind: schema.Collect, from: web, to: donors, electors: "ghij"},
	3: {kind: schema.Access, from: voters, to: staff, electors: "abc"},
	4: {kind: schema.Export, from: voters, to: cards, electors: "bcd"},
	5: {kind: schema.Merge, from: donors + " " + cards, to: merged, electors: "bcdi"},
	6: {kind: schema.Share, from: merged, to: printer, electors: "bcdi"},
	7: {kind: schema.Destroy, from: merged, electors: "bcdi"},
	8: {kind: schema.Share, from: merged, to: audience, electors: "b", change: func(m *schema.Movement) { m.Outcome = schema.Failed }},
	9: {kind: schema.Destroy, from: printer, electors: "bcdi", change: func(m *schema.Movement) {
		m.Producer.Org, m.Basis, m.Revision = "party-a", schema.Attested, 1
	}},
	10: {kind: schema.Export, from: voters, to: merged, electors: "c"},
	11: {kind: schema.Share, from: voters, to: audience, change: func(m *schema.Movement) {
		m.Electors = schema.Electors{Mode: schema.Counted, Records: 500}
	}},
	12: {kind: schema.Export, from: printer, to: archive, change: func(m *schema.Movement) { m.Basis, m.Revision = schema.Declared, 1 }},
	13: {kind: schema.Export, from: donors, to: cards, electors: "gh", change: func(m *schema.Movement) {
		m.Basis, m.Outcome, m.Reason = schema.Declared, schema.Retracted, "entered twice"
	}},
}

func workedMessages(t testing.TB) []message {
	var out []message
	for n, s := range worked {
		if s.kind != "" {
			out = append(out, s.messages(t, n)...)
		}
	}
	return out
}

func TestElectors(t *testing.T) {
	c := newCentre(t)
	c.deliver(workedMessages(t), 5)
	tests := []struct {
		at, what string
		asOf     schema.Time
		want     string // letters, then the codes of the notes
	}{
		{voters, graph.Holding, schema.Time{}, "abcdefgh"},
		{voters, graph.Reached, hour(1), "abcdefgh"},
		{voters, graph.Reached, schema.At(hour(1).Add(-1000)), " none later"}, // one microsecond before
		{merged, graph.Holding, hour(6), "bcdi"},
		{merged, graph.Holding, hour(7), " none"},
		{merged, graph.Holding, schema.Time{}, "c"}, // came again
		{merged, graph.Reached, schema.Time{}, "bcdi"},
		{printer, graph.Holding, schema.Time{}, "bcdi attested"}, // nothing is taken away on another's word
		{printer, graph.Holding, hour(8), "bcdi"},
		{audience, graph.Holding, schema.Time{}, "b failed counted"}, // what had gone, had gone
		{audience, graph.Holding, hour(10), "b failed"},
		{archive, graph.Holding, schema.Time{}, "bcdi"}, // everything that the printer held
		{cards, graph.Reached, schema.Time{}, "bcd"},    // not what was retracted
		{staff, graph.Holding, schema.Time{}, "abc"},
		{"party-a", graph.Holding, schema.Time{}, "abcdefghij"},
		{"acme-mail", graph.Reached, schema.Time{}, "bcdi"},
		{"vendor-b", graph.Reached, schema.Time{}, "b failed counted"},
	}
	for _, test := range tests {
		a, err := c.graph.Electors(t.Context(), graph.ElectorsQuestion{At: test.at, What: test.what, AsOf: test.asOf, List: true})
		if err != nil {
			t.Errorf("%s %s as of %s: %v", test.what, test.at, test.asOf, err)
			continue
		}
		got := lettersOf(a.Keys) + noteCodes(a.Answer)
		if got != test.want {
			t.Errorf("%s %s as of %s: have %q, want %q", test.what, test.at, test.asOf, got, test.want)
		}
		if n := total(a.Electors); n != len(a.Keys) {
			t.Errorf("%s %s as of %s: counted %d, listed %d", test.what, test.at, test.asOf, n, len(a.Keys))
		}
	}
}

func TestElectorsByPlace(t *testing.T) {
	c := newCentre(t)
	c.deliver(workedMessages(t), 100)
	a, err := c.graph.Electors(t.Context(), graph.ElectorsQuestion{At: "party-a"})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, p := range a.Places {
		got = append(got, fmt.Sprintf("%s %d", p.Place, total(p.Electors)))
	}
	want := []string{donors + " 4", voters + " 8", cards + " 3", merged + " 1", staff + " 3"}
	if !slices.Equal(got, want) {
		t.Errorf("have %q, want %q", got, want)
	}
	cut, err := c.graph.Electors(t.Context(), graph.ElectorsQuestion{At: "party-a", List: true, Limit: 3})
	if err != nil {
		t.Fatal(err)
	}
	if len(cut.Keys) != 3 || noteCodes(cut.Answer) != " cut" || cut.Complete {
		t.Errorf("a cut list has %d electors, notes%s, complete %v", len(cut.Keys), noteCodes(cut.Answer), cut.Complete)
	}
}

func TestReach(t *testing.T) {
	c := newCentre(t)
	c.deliver(workedMessages(t), 4)
	t.Run("made", func(t *testing.T) { testReach(t, c) })
	// A restart reads the views from disk: not as CREATE VIEW expanded them.
	for _, view := range []string{"reach", "reach_as_of", "sources", "sources_as_of"} {
		c.exec("DETACH TABLE " + view)
		c.exec("ATTACH TABLE " + view)
	}
	t.Run("attached", func(t *testing.T) { testReach(t, c) })
}

func testReach(t *testing.T, c *centre) {
	tests := []struct {
		view string
		q    graph.ReachQuestion
		want []string // place or organisation, hops, electors; then the notes
	}{
		{"reach", graph.ReachQuestion{At: rolls}, []string{
			// c came to merged in two hops, at hour 10: too late for the printer
			"party-a 1 8", "acme-mail 4 3", "vendor-b 4 1",
			voters + " 1 8", cards + " 2 3", merged + " 2 3", staff + " 2 3", printer + " 4 3", audience + " 4 1", archive + " 5 3",
			" failed counted",
		}},
		{"reach", graph.ReachQuestion{At: rolls, AsOf: hour(5)}, []string{"party-a 1 8", voters + " 1 8", cards + " 2 3", staff + " 2 3", merged + " 3 3", ""}},
		{"reach", graph.ReachQuestion{At: "party-a"}, []string{
			"acme-mail 1 4", "vendor-b 1 1",
			cards + " 1 3", merged + " 1 4", staff + " 1 3", donors + " 1 4", printer + " 1 4", audience + " 1 1", archive + " 2 4",
			" failed counted",
		}},
		{"sources", graph.ReachQuestion{At: printer}, []string{
			"party-a 1 4", "electoral-office 4 3",
			merged + " 1 4", donors + " 2 1", cards + " 2 3", voters + " 3 3", web + " 3 1", rolls + " 4 3", "",
		}},
		{"reach", graph.ReachQuestion{At: staff}, []string{" none"}},
	}
	for i, test := range tests {
		a := c.reach(test.view, test.q)
		var got []string
		for _, o := range a.Organisations {
			got = append(got, fmt.Sprintf("%s %d %d", o.Org, o.Hops, total(o.Electors)))
		}
		for _, p := range a.Places {
			got = append(got, fmt.Sprintf("%s %d %d", p.Place, p.Hops, total(p.Electors)))
		}
		got = append(got, noteCodes(a.Answer))
		slices.Sort(got)
		slices.Sort(test.want)
		if !slices.Equal(got, test.want) {
			t.Errorf("%d: have\n%s\nwant\n%s", i, strings.Join(got, "\n"), strings.Join(test.want, "\n"))
		}
	}
}

// reach asks for reach or sources, in Go and of the view: both must say the same.
func (c *centre) reach(view string, q graph.ReachQuestion) *graph.Reach {
	c.t.Helper()
	ask := c.graph.Reach
	if view == "sources" {
		ask = c.graph.Sources
	}
	a, err := ask(c.t.Context(), q)
	if err != nil {
		c.t.Fatalf("%s of %s: %v", view, q.At, err)
	}
	var want []string
	for _, o := range a.Organisations {
		want = append(want, fmt.Sprintf("%s  %d %d %s %s", o.Org, o.Hops, total(o.Electors), o.FirstAt, o.LastAt))
	}
	for _, p := range a.Places {
		want = append(want, fmt.Sprintf("%s %s %d %d %s %s", p.Org, p.Place, p.Hops, total(p.Electors), p.FirstAt, p.LastAt))
	}
	for _, n := range a.Notes {
		if n.Code == graph.CodeOriginUnknown {
			want = append(want, n.Places...)
		}
	}
	got := c.texts(fmt.Sprintf(`SELECT arrayJoin(arrayFilter(t -> t != '', [
		concat(org, ' ', place, ' ', toString(hops), ' ', toString(electors), ' ',
			formatDateTime(first_at, '%%Y-%%m-%%dT%%H:%%i:%%S.%%fZ'), ' ', formatDateTime(last_at, '%%Y-%%m-%%dT%%H:%%i:%%S.%%fZ')),
		if(origin_unknown > 0, place, '')])) FROM %s_as_of(at = '%s', as_of = '%s')`, view, q.At, q.AsOf))
	slices.Sort(want)
	slices.Sort(got)
	if !slices.Equal(got, want) {
		c.t.Errorf("%s of %s: the view has\n%s\nthe question has\n%s", view, q.At, strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	return a
}

// Histories of everything that makes a walk hard: cycles, merges, movements of the same moment, places that electors
// come back to. What is right the worked ones say; here view and question must say the same.
func TestReachOfViewAndQuestion(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	places := []string{"a/s/1", "a/s/2", "b/s/1", "b/s/2", "c/s/1"}
	for range 3 {
		var messages []message
		for n := range 10 {
			s := step{kind: schema.Merge, to: places[random.IntN(len(places))]}
			from := random.Perm(len(places))[:1+random.IntN(3)]
			if len(from) == 1 {
				s.kind = schema.Export
			}
			for _, i := range from {
				s.from += " " + places[i]
			}
			for letter := range 8 {
				if random.IntN(3) > 0 {
					s.electors += string(rune('a' + letter))
				}
			}
			s.change = func(m *schema.Movement) { m.OccurredAt = hour(n / 2) }
			messages = append(messages, s.messages(t, n)...)
		}
		c := newCentre(t)
		c.deliver(messages, 20)
		for _, q := range []graph.ReachQuestion{{At: "a/s/1"}, {At: "b"}, {At: "c/s/1", AsOf: hour(3)}} {
			for _, view := range []string{"reach", "sources"} {
				_, err := c.graph.Reach(t.Context(), q)
				if !errors.Is(err, graph.ErrUnknownPlace) {
					c.reach(view, q)
				}
			}
		}
	}
}

// Two lists are merged, and each elector counts for the list that it is recorded on.
func TestReachThroughMerge(t *testing.T) {
	const (
		a, b, c = "party-a/lists/a", "party-a/lists/b", "party-a/lists/c" // nobody is recorded to have entered c
		ab, ac  = "party-a/merged/ab", "party-a/merged/ac"
	)
	history := []step{
		{kind: schema.Collect, from: rolls, to: a, electors: "abc"},
		{kind: schema.Collect, from: web, to: b, electors: "cd"},
		{kind: schema.Destroy, from: b, electors: "d"},                     // d is still recorded to have entered
		{kind: schema.Merge, from: a + " " + b, to: ab, electors: "abcde"}, // e is recorded at neither
		{kind: schema.Merge, from: a + " " + c, to: ac, electors: "abf"},   // f is not recorded at a
		{kind: schema.Collect, from: rolls, to: a, electors: "ef"},         // too late to count
	}
	var messages []message
	for n, s := range history {
		messages = append(messages, s.messages(t, n)...)
	}
	centre := newCentre(t)
	centre.deliver(messages, 3)
	tests := []struct {
		view, at string
		want     []string
	}{
		{"reach", a, []string{ab + " 1 4", ac + " 1 2", " origin_unknown"}},
		{"reach", b, []string{ab + " 1 3", " origin_unknown"}},
		{"reach", c, []string{ac + " 1 1", ""}},
		{"reach", rolls, []string{a + " 1 5", ab + " 2 3", ac + " 2 2", ""}},
		{"sources", ab, []string{a + " 1 4", b + " 1 3", rolls + " 2 3", web + " 2 2", " origin_unknown"}},
		{"sources", ac, []string{a + " 1 2", c + " 1 1", rolls + " 2 2", ""}},
	}
	for i, test := range tests {
		answer := centre.reach(test.view, graph.ReachQuestion{At: test.at})
		var got []string
		for _, p := range answer.Places {
			got = append(got, fmt.Sprintf("%s %d %d", p.Place, p.Hops, total(p.Electors)))
		}
		got = append(got, noteCodes(answer.Answer))
		slices.Sort(got)
		slices.Sort(test.want)
		if !slices.Equal(got, test.want) {
			t.Errorf("%d: have\n%s\nwant\n%s", i, strings.Join(got, "\n"), strings.Join(test.want, "\n"))
		}
	}
}

func TestRoute(t *testing.T) {
	c := newCentre(t)
	c.deliver(workedMessages(t), 3)
	tests := []struct {
		elector rune
		to      string
		asOf    schema.Time
		want    string
	}{
		{'b', printer, schema.Time{}, rolls + " 1 " + voters + " 4 " + cards + " 5 " + merged + " 6 " + printer},
		{'b', "acme-mail", hour(6), rolls + " 1 " + voters + " 4 " + cards + " 5 " + merged + " 6 " + printer},
		{'b', "acme-mail", hour(5), "none"},
		{'i', printer, schema.Time{}, web + " 2 " + donors + " 5 " + merged + " 6 " + printer},
		{'a', staff, schema.Time{}, rolls + " 1 " + voters + " 3 " + staff},
		{'g', donors, schema.Time{}, web + " 2 " + donors},
		{'a', printer, schema.Time{}, "none"},
		{'g', cards, schema.Time{}, "none"}, // retracted
	}
	for _, test := range tests {
		a, err := c.graph.Route(t.Context(), graph.RouteQuestion{To: test.to,
			ElectorQuestion: graph.ElectorQuestion{Key: keyOf(test.elector), AsOf: test.asOf}})
		if err != nil {
			t.Errorf("%c to %s: %v", test.elector, test.to, err)
			continue
		}
		got := "none"
		for i, s := range a.Steps {
			if i == 0 {
				got = string(s.From)
			} else if a.Steps[i-1].To != s.From {
				t.Errorf("%c to %s: step %d leaves %s, where no step arrived", test.elector, test.to, i, s.From)
			}
			got += fmt.Sprintf(" %d %s", int(s.OccurredAt.Sub(hour(0).Time).Hours()), s.To)
		}
		if got != test.want {
			t.Errorf("%c to %s as of %s: have %s, want %s", test.elector, test.to, test.asOf, got, test.want)
		}
	}
}

// A list that went to a printer by three routes.
func TestRoutes(t *testing.T) {
	c := newCentre(t)
	var messages []message
	for n, s := range []step{
		1: {kind: schema.Collect, from: rolls, to: voters, electors: "a"},
		2: {kind: schema.Export, from: voters, to: cards, electors: "a"},
		3: {kind: schema.Share, from: cards, to: printer, electors: "a"},
		4: {kind: schema.Collect, from: web, to: donors, electors: "a"},
		5: {kind: schema.Merge, from: voters + " " + donors, to: printer, electors: "a"},
	} {
		if s.kind != "" {
			messages = append(messages, s.messages(t, n)...)
		}
	}
	c.deliver(messages, 100)
	for _, test := range []struct {
		which string
		limit int
		want  string
	}{
		{graph.Earliest, 0, "1-2-3"},
		{graph.Shortest, 0, "1-5"},
		{graph.All, 3, "1-2-3 1-5 4-5"},
		{graph.All, 2, "1-2-3 1-5 cut"},
	} {
		a, err := c.graph.Route(t.Context(), graph.RouteQuestion{To: "acme-mail", Which: test.which, Limit: test.limit,
			ElectorQuestion: graph.ElectorQuestion{Key: keyOf('a')}})
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, r := range a.Routes {
			var steps []string
			for _, s := range r.Steps {
				steps = append(steps, fmt.Sprint(hours(s.OccurredAt)))
			}
			got = append(got, strings.Join(steps, "-"))
		}
		if text := strings.Join(got, " ") + noteCodes(a.Answer); text != test.want {
			t.Errorf("%s: have %s, want %s", test.which, text, test.want)
		}
	}
}

func TestDossier(t *testing.T) {
	c := newCentre(t)
	c.deliver(workedMessages(t), 7)
	d, err := c.graph.Elector(t.Context(), graph.ElectorQuestion{Key: keyOf('c')})
	if err != nil {
		t.Fatal(err)
	}
	if want := (graph.ElectorKey{IDSpace: schema.ElectorID, KeyID: schematest.KeyID, Key: keyOf('c').String()}); d.Elector != want {
		t.Errorf("elector: have %v, want %v", d.Elector, want)
	}
	var got []string
	for _, s := range d.Places {
		got = append(got, fmt.Sprintf("%s held %v, entries %d, first %d, last %d", s.Place, s.Holding, s.Entries, hours(s.FirstEntry), hours(s.LastEntry)))
	}
	for _, o := range d.Organisations {
		got = append(got, fmt.Sprintf("%s held %v, first %d, last %d", o.Org, o.Holding, hours(o.FirstEntry), hours(o.LastEntry)))
	}
	for _, m := range d.Movements {
		got = append(got, fmt.Sprintf("%s at %d, %s", m.Kind, hours(m.OccurredAt), m.Basis))
	}
	got = append(got, noteCodes(d.Answer))
	want := []string{
		voters + " held true, entries 1, first 1, last 1",
		staff + " held true, entries 1, first 3, last 3",
		cards + " held true, entries 1, first 4, last 4",
		merged + " held true, entries 2, first 5, last 10",
		printer + " held true, entries 1, first 6, last 6",
		archive + " held true, entries 1, first 12, last 12",
		"party-a held true, first 1, last 10", "acme-mail held true, first 6, last 12",
		"collect at 1, observed", "access at 3, observed", "export at 4, observed", "merge at 5, observed", "share at 6, observed",
		"destroy at 7, observed", "destroy at 9, attested", "export at 10, observed", "export at 12, declared",
		" failed counted attested",
	}
	if !slices.Equal(got, want) {
		t.Errorf("have\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if at := d.Places[3].DestroyedAt; at != hour(7) {
		t.Errorf("destroyed at %s, want %s", at, hour(7))
	}
	if len(d.Movements[3].Inputs) != 2 || d.Movements[3].Inputs[0].Fields[0] != "name" || d.Movements[3].Revisions != 2 {
		t.Errorf("the merge is not as it was published: %+v", d.Movements[3])
	}
}

func TestMovements(t *testing.T) {
	c := newCentre(t)
	c.deliver(workedMessages(t), 6)
	tests := []struct {
		question graph.MovementQuestion
		want     string
	}{
		{graph.MovementQuestion{}, "1:8 2:4 3:3 4:3 5:4 6:4 7:4 8:1 9:4 10:1 11:0 12:4 13:2"},
		{graph.MovementQuestion{Kind: schema.Share}, "6:4 8:1 11:0"},
		{graph.MovementQuestion{From: voters}, "3:3 4:3 10:1 11:0"},
		{graph.MovementQuestion{From: "party-a", To: "vendor-b"}, "8:1 11:0"},
		{graph.MovementQuestion{To: merged, Since: hour(6)}, "10:1"},
		{graph.MovementQuestion{To: merged, Since: hour(5), Until: hour(5)}, "5:4"},
		{graph.MovementQuestion{Limit: 2}, "1:8 2:4 cut"},
		{graph.MovementQuestion{Kind: schema.Export, To: "vendor-b"}, " none"},
	}
	for _, test := range tests {
		a, err := c.graph.Movements(t.Context(), test.question)
		if err != nil {
			t.Errorf("%+v: %v", test.question, err)
			continue
		}
		var got []string
		for _, m := range a.Movements {
			got = append(got, fmt.Sprintf("%d:%d", hours(m.OccurredAt), total(m.Electors)))
		}
		if text := strings.Join(got, " ") + noteCodes(a.Answer); text != test.want {
			t.Errorf("%+v: have %q, want %q", test.question, text, test.want)
		}
	}
	// A kind that nobody knows is no empty list.
	if _, err := c.graph.Movements(t.Context(), graph.MovementQuestion{Kind: "teleport"}); !errors.Is(err, graph.ErrMalformed) {
		t.Errorf("an unknown kind: %v", err)
	}
}

func TestUnknown(t *testing.T) {
	c := newCentre(t)
	c.deliver(workedMessages(t), 100)
	ctx := t.Context()
	ask := map[string]func(at string) error{
		"electors": func(at string) error { _, err := c.graph.Electors(ctx, graph.ElectorsQuestion{At: at}); return err },
		"reach":    func(at string) error { _, err := c.graph.Reach(ctx, graph.ReachQuestion{At: at}); return err },
		"sources":  func(at string) error { _, err := c.graph.Sources(ctx, graph.ReachQuestion{At: at}); return err },
		"from":     func(at string) error { _, err := c.graph.Movements(ctx, graph.MovementQuestion{From: at}); return err },
		"to":       func(at string) error { _, err := c.graph.Movements(ctx, graph.MovementQuestion{To: at}); return err },
		"route": func(at string) error {
			_, err := c.graph.Route(ctx, graph.RouteQuestion{ElectorQuestion: graph.ElectorQuestion{Key: keyOf('a')}, To: at})
			return err
		},
	}
	for name, question := range ask {
		for at, want := range map[string]error{"party-a/crm/nowhere": graph.ErrUnknownPlace, "party": graph.ErrUnknownPlace,
			"party-a/crm": graph.ErrMalformed, "Party A": graph.ErrMalformed, "": graph.ErrMalformed, rolls: nil} {
			if (name == "from" || name == "to") && at == "" {
				continue
			}
			if err := question(at); !errors.Is(err, want) {
				t.Errorf("%s %q: have %v, want %v", name, at, err, want)
			}
		}
	}
	if _, err := c.graph.Elector(ctx, graph.ElectorQuestion{Key: keyOf('z')}); !errors.Is(err, graph.ErrUnknownElector) {
		t.Errorf("an elector that nobody has seen: %v", err)
	}
	if _, err := c.graph.Elector(ctx, graph.ElectorQuestion{Key: keyOf('a'), IDSpace: "email"}); !errors.Is(err, graph.ErrUnknownElector) {
		t.Errorf("an elector in another id space: %v", err)
	}
	d, err := c.graph.Elector(ctx, graph.ElectorQuestion{Key: keyOf('a'), AsOf: hour(0)})
	if err != nil || len(d.Movements) != 0 || noteCodes(d.Answer) != " none later" || !d.Complete {
		t.Errorf("an elector before its first movement: %+v, %v", d, err)
	}
}

// answers is every question of the worked history, as JSON.
func answers(t testing.TB, g *graph.Graph) string {
	t.Helper()
	ctx := t.Context()
	var out strings.Builder
	add := func(a any, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		text, err := json.MarshalIndent(a, "", " ")
		if err != nil {
			t.Fatal(err)
		}
		out.Write(append(text, '\n'))
	}
	for _, asOf := range []schema.Time{{}, hour(7)} {
		for _, at := range []string{rolls, merged, "party-a", "acme-mail"} {
			for _, what := range []string{graph.Holding, graph.Reached} {
				a, err := g.Electors(ctx, graph.ElectorsQuestion{At: at, What: what, AsOf: asOf, List: true})
				add(a, err)
			}
			r, err := g.Reach(ctx, graph.ReachQuestion{At: at, AsOf: asOf})
			add(r, err)
			r, err = g.Sources(ctx, graph.ReachQuestion{At: at, AsOf: asOf})
			add(r, err)
		}
		for _, letter := range "abi" {
			d, err := g.Elector(ctx, graph.ElectorQuestion{Key: keyOf(letter), AsOf: asOf})
			add(d, err)
		}
		m, err := g.Movements(ctx, graph.MovementQuestion{Until: asOf})
		add(m, err)
	}
	return out.String()
}

// TestOrderFree holds "an answer depends on the set of movements alone", with merges stopped and after them.
func TestOrderFree(t *testing.T) {
	once := workedMessages(t)
	want := func() string {
		c := newCentre(t)
		c.deliver(once, len(once))
		return answers(t, c.graph)
	}()

	backwards := slices.Clone(once)
	slices.Reverse(backwards)
	c := newCentre(t)
	c.exec("SYSTEM STOP MERGES")
	t.Cleanup(func() { _ = c.conn.Exec(context.Background(), "SYSTEM START MERGES") })
	c.deliver(append(append(backwards, once...), backwards...), 9)
	if got := answers(t, c.graph); got != want {
		t.Errorf("backwards and three times, merges stopped: %s", difference(got, want))
	}
	c.exec("SYSTEM START MERGES")
	for _, table := range c.texts("SELECT name FROM system.tables WHERE database = currentDatabase() AND engine LIKE '%MergeTree'") {
		c.exec("OPTIMIZE TABLE " + table + " FINAL")
	}
	if got := answers(t, c.graph); got != want {
		t.Errorf("backwards and three times, merged: %s", difference(got, want))
	}
}

func difference(got, want string) string {
	have, wish := strings.Split(got, "\n"), strings.Split(want, "\n")
	for i := range min(len(have), len(wish)) {
		if have[i] != wish[i] {
			return fmt.Sprintf("line %d: have %s, want %s", i, have[i], wish[i])
		}
	}
	return fmt.Sprintf("%d lines, want %d", len(have), len(wish))
}

func lettersOf(keys []graph.ElectorKey) string {
	var letters []string
	for letter := 'a'; letter <= 'z'; letter++ {
		if slices.ContainsFunc(keys, func(k graph.ElectorKey) bool { return k.Key == keyOf(letter).String() }) {
			letters = append(letters, string(letter))
		}
	}
	return strings.Join(letters, "")
}

func noteCodes(a graph.Answer) string {
	var codes string
	for _, n := range a.Notes {
		if n.Code != graph.CodeNoRecorder && n.Code != graph.CodeFuture { // there are no sidecars, and the clock stands still
			codes += " " + n.Code
		}
	}
	return codes
}

func total(counts []graph.Count) int {
	n := 0
	for _, c := range counts {
		n += int(c.Electors)
	}
	return n
}

func hours(t schema.Time) int { return int(t.Sub(hour(0).Time).Hours()) }
