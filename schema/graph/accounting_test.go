package graph_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/rolltrace/rolltrace/schema"
	"github.com/rolltrace/rolltrace/schema/graph"
)

func entryText(e graph.Entry) string {
	text := fmt.Sprintf("%s %s %s %s>%s %s %q %q: %d at %d-%d, %d electors", e.Direction, e.Kind, e.Basis, strings.Join(e.From, "+"), e.To, strings.Join(e.Fields, "+"),
		e.Purpose, e.Actor, e.Movements, hours(e.FirstAt), hours(e.LastAt), total(e.Electors))
	if e.Records > 0 {
		text += fmt.Sprintf(", %d records", e.Records)
	}
	if e.Unfinished > 0 {
		text += fmt.Sprintf(", %d unfinished", e.Unfinished)
	}
	return text + fmt.Sprintf(" (%d>%d places)", e.FromPlaces.Count, e.ToPlaces.Count)
}

// Movements that are alike are one entry, whatever the files; the electors of it count once.
func TestAccounting(t *testing.T) {
	plain := func(change func(*schema.Movement)) func(*schema.Movement) {
		return func(m *schema.Movement) {
			m.Actor, m.Purpose, m.Agreement = "", "mail", "acme-2026"
			if change != nil {
				change(m)
			}
		}
	}
	c := newCentre(t)
	var messages []message
	for n, s := range []step{
		1: {kind: schema.Collect, from: rolls, to: voters, electors: "abcdef", change: plain(nil)},
		2: {kind: schema.Share, from: voters, to: "acme-mail/uploads/1.csv", electors: "abc", change: plain(nil)},
		3: {kind: schema.Share, from: voters, to: "acme-mail/uploads/2.csv", electors: "bcd", change: plain(nil)},
		4: {kind: schema.Share, from: cards, to: "acme-mail/uploads/3.csv", electors: "a", change: plain(func(m *schema.Movement) { m.Outcome = schema.Failed })},
		5: {kind: schema.Share, from: voters, to: "acme-mail/uploads/4.csv", electors: "e", change: plain(func(m *schema.Movement) { m.Purpose = "phone" })},
		6: {kind: schema.Share, from: voters, to: "acme-mail/uploads/5.csv", change: plain(func(m *schema.Movement) {
			m.Electors = schema.Electors{Mode: schema.Counted, Records: 500}
		})},
		7: {kind: schema.Access, from: voters, to: staff, electors: "a", change: plain(nil)},
		8: {kind: schema.Export, from: voters, to: cards, change: declared}, // abcdef
		9: {kind: schema.Share, from: cards, to: printer, electors: "a", change: plain(func(m *schema.Movement) {
			m.Basis, m.Outcome, m.Reason = schema.Declared, schema.Retracted, "entered twice"
		})},
		10: {kind: schema.Destroy, from: cards, electors: "ab", change: plain(nil)},
		11: {kind: schema.Collect, from: web, to: audience, electors: "z", change: plain(nil)}, // of others
	} {
		if s.kind != "" {
			messages = append(messages, s.messages(t, n)...)
		}
	}
	c.deliver(messages, 4)
	a, err := c.graph.Accounting(t.Context(), graph.AccountingQuestion{At: "party-a"})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range a.Entries {
		got = append(got, entryText(e))
	}
	want := []string{
		`in collect observed electoral-office>party-a civic_address+name "mail" "": 1 at 1-1, 6 electors (1>1 places)`,
		`out share observed party-a>acme-mail civic_address+name "mail" "": 4 at 2-6, 4 electors, 500 records, 1 unfinished (2>4 places)`,
		`out share observed party-a>acme-mail civic_address+name "phone" "": 1 at 5-5, 1 electors (1>1 places)`,
		`within access observed party-a>party-a/people/u0412 civic_address+name "mail" "": 1 at 7-7, 1 electors (1>1 places)`,
		`within export declared party-a>party-a civic_address+name "communicate" "party-a/people/u0412": 1 at 8-8, 6 electors (1>1 places)`,
		`out destroy observed party-a> name "mail" "": 1 at 10-10, 2 electors (1>0 places)`,
		`out collect observed party-a>vendor-b civic_address+name "mail" "": 1 at 11-11, 1 electors (1>1 places)`,
	}
	if !slices.Equal(got, want) || noteCodes(a.Answer) != " failed counted" {
		t.Errorf("have\n%s\nwant\n%s\nnotes%s", strings.Join(got, "\n"), strings.Join(want, "\n"), noteCodes(a.Answer))
	}
	if a, err = c.graph.Accounting(t.Context(), graph.AccountingQuestion{At: "acme-mail", AsOf: hour(3), Limit: 1}); err != nil {
		t.Fatal(err)
	}
	if len(a.Entries) != 1 || a.Entries[0].Movements != 2 || total(a.Entries[0].Electors) != 4 || noteCodes(a.Answer) != "" {
		t.Errorf("as of hour 3: %+v", a)
	}
	if a, err = c.graph.Accounting(t.Context(), graph.AccountingQuestion{At: voters, Limit: 2}); err != nil || len(a.Entries) != 2 || noteCodes(a.Answer) != " counted cut" {
		t.Errorf("cut: %+v, %v", a, err)
	}
	if _, err := c.graph.Accounting(t.Context(), graph.AccountingQuestion{At: "nobody"}); !errors.Is(err, graph.ErrUnknownPlace) {
		t.Errorf("nobody: %v", err)
	}

	keys, cut, err := c.graph.ElectorsOf(t.Context(), c.hourID(8), 0)
	if err != nil || cut || lettersOf(keys) != "abcdef" {
		t.Errorf("electors of a whole movement: %q, %v, %v", lettersOf(keys), cut, err)
	}
	if keys, cut, err = c.graph.ElectorsOf(t.Context(), c.hourID(3), 2); err != nil || !cut || len(keys) != 2 {
		t.Errorf("electors of a movement, cut: %v, %v, %v", keys, cut, err)
	}
	f, err := c.graph.Flow(t.Context(), graph.FlowQuestion{Movement: c.hourID(1)})
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range f.OrgEdges {
		if e.To == "acme-mail" && (e.Movements != 3 || !slices.Equal(e.Purposes, []string{"mail", "phone"}) || !slices.Equal(e.Agreements, []string{"acme-2026"}) ||
			!slices.Equal(e.Fields, []string{"civic_address", "name"})) {
			t.Errorf("what the movements to %s say: %+v", e.To, e)
		}
	}
}
