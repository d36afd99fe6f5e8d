package graph_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/rolltrace/rolltrace/schema"
	"github.com/rolltrace/rolltrace/schema/graph"
)

func TestFields(t *testing.T) {
	with := func(fields string, of ...string) func(*schema.Movement) {
		return func(m *schema.Movement) {
			m.Fields = strings.Fields(fields)
			for i := range m.Inputs {
				m.Inputs[i].Fields = nil
				if i < len(of) {
					m.Inputs[i].Fields = strings.Fields(of[i])
				}
			}
		}
	}
	whole := func(m *schema.Movement) {
		declared(m)
		with("")(m)
	}
	c := newCentre(t)
	var messages []message
	for n, s := range []step{
		1: {kind: schema.Collect, from: rolls, to: voters, electors: "abcd", change: with("name civic_address")},
		2: {kind: schema.Collect, from: web, to: donors, electors: "cde", change: with("name email")},
		3: {kind: schema.Merge, from: voters + " " + donors, to: merged, electors: "abcde", change: with("name email civic_address", "name civic_address", "name email")},
		4: {kind: schema.Share, from: merged, to: printer, change: whole}, // abcde with all they had
		5: {kind: schema.Export, from: "party-a/old/dump", to: cards, electors: "af", change: with("phone")},
		6: {kind: schema.Share, from: cards, to: printer, electors: "f", change: with("")},
		7: {kind: schema.Destroy, from: merged, change: declared},
		8: {kind: schema.Export, from: voters, to: merged, electors: "a", change: with("name")},
		9: {kind: schema.Export, from: merged, to: archive, change: whole}, // a, with the name alone
	} {
		if s.kind != "" {
			messages = append(messages, s.messages(t, n)...)
		}
	}
	c.deliver(messages, 4)
	for _, test := range []struct {
		at, lists string
		elector   rune
		want      string
	}{
		{at: printer, lists: "electoral-office", want: "6, 1 not said: civic_address 5 (list 4, unknown 1) email 5 (not_list 3, unknown 2) name 5 (list 2, list_or_other 2, not_list 1)"},
		{at: printer, want: "6, 1 not said: civic_address 5 (unknown 5) email 5 (unknown 5) name 5 (unknown 5)"},
		{at: printer, lists: rolls, elector: 'c', want: "1, 0 not said: civic_address 1 (list 1) email 1 (not_list 1) name 1 (list_or_other 1)"},
		{at: "party-a", lists: rolls, elector: 'f', want: "1, 0 not said: phone 1 (unknown 1)"},
		{at: archive, lists: rolls, want: "1, 0 not said: name 1 (list 1)"},
		{at: audience, lists: rolls, want: "unknown"},
		{at: archive, lists: "electoral-offices", want: "unknown"},
	} {
		q := graph.FieldsQuestion{At: test.at, Lists: strings.Fields(test.lists)}
		if test.elector != 0 {
			q.Elector = &graph.ElectorQuestion{Key: keyOf(test.elector)}
		}
		got := "unknown"
		if a, err := c.graph.Fields(t.Context(), q); err == nil {
			var fields []string
			for _, f := range a.Fields {
				var origins []string
				for _, o := range f.Origins {
					origins = append(origins, fmt.Sprint(o.Origin, " ", total(o.Electors)))
				}
				fields = append(fields, fmt.Sprintf("%s %d (%s)", f.Field, total(f.Electors), strings.Join(origins, ", ")))
			}
			got = fmt.Sprintf("%d, %d not said: %s", total(a.Electors), total(a.NotSaid), strings.Join(fields, " "))
		}
		if got != test.want {
			t.Errorf("fields at %s of %c, lists %q: have\n%s\nwant\n%s", test.at, test.elector, test.lists, got, test.want)
		}
	}
}
