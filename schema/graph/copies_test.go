package graph_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/rolltrace/rolltrace/schema"
	"github.com/rolltrace/rolltrace/schema/graph"
)

func TestCopies(t *testing.T) {
	c := newCentre(t)
	var messages []message
	for n, s := range []step{
		1:  {kind: schema.Collect, from: rolls, to: voters, electors: "abcdef"},
		2:  {kind: schema.Export, from: voters, to: cards, electors: "abcd"},
		3:  {kind: schema.Share, from: cards, to: printer, electors: "abc"},
		4:  {kind: schema.Export, from: printer, to: archive, change: declared}, // abc
		5:  {kind: schema.Collect, from: rolls, to: audience, electors: "ab"},   // not from the party
		6:  {kind: schema.Destroy, from: voters, change: declared},              // abcdef
		7:  {kind: schema.Destroy, from: printer, electors: "ab"},
		8:  {kind: schema.Share, from: voters, to: audience, electors: "ef"}, // used after destruction
		9:  {kind: schema.Collect, from: rolls, to: voters, electors: "cf"},  // they came back
		10: {kind: schema.Share, from: voters, to: "acme-mail/x/y", electors: "f"},
	} {
		if s.kind != "" {
			messages = append(messages, s.messages(t, n)...)
		}
	}
	c.deliver(messages, 4)
	for _, test := range []struct {
		at   string
		asOf schema.Time
		want string
	}{
		{voters, schema.Time{}, "destroyed 4: acme-mail 2 since 4, party-a 3 since 2, vendor-b 1 since 8;" +
			" " + archive + " 2 since 4 by 2-3-4 (2), " + cards + " 3 since 2 by 2 (3), " + audience + " 1 since 8 by 8 (1); 8 used 2 of 6"},
		{voters, hour(6), "destroyed 6: acme-mail 3 since 3, party-a 4 since 2; " +
			archive + " 3 since 4 by 2-3-4 (3), " + printer + " 3 since 3 by 2-3 (3), " + cards + " 4 since 2 by 2 (4);"},
		{voters, hour(5), "destroyed 0: ; ; none"},
		{printer, schema.Time{}, "destroyed 2: acme-mail 2 since 4; " + archive + " 2 since 4 by 4 (2);"},
		{"acme-mail", schema.Time{}, "destroyed 2: ; " + archive + " 2 since 4 by 4 (2);"},
		{"party-a", schema.Time{}, "destroyed 4: acme-mail 2 since 4, vendor-b 1 since 8;" +
			" " + archive + " 2 since 4 by 2-3-4 (2), " + cards + " 3 since 2 by 2 (3), " + audience + " 1 since 8 by 8 (1); 8 used 2 of 6"},
	} {
		a, err := c.graph.Copies(t.Context(), graph.CopiesQuestion{At: test.at, AsOf: test.asOf})
		if err != nil {
			t.Fatal(err)
		}
		var organisations, places []string
		for _, o := range a.Organisations {
			organisations = append(organisations, fmt.Sprintf("%s %d since %d", o.Org, total(o.Electors), hours(o.Since)))
		}
		for _, p := range a.Places {
			var route []string
			for _, s := range p.Route {
				route = append(route, fmt.Sprint(hours(s.OccurredAt)))
			}
			places = append(places, fmt.Sprintf("%s %d since %d by %s (%d)", p.Place, total(p.Electors), hours(p.Since), strings.Join(route, "-"), total(p.RouteElectors)))
		}
		got := fmt.Sprintf("destroyed %d: %s; %s;", total(a.Destroyed), strings.Join(organisations, ", "), strings.Join(places, ", "))
		for _, u := range a.Used {
			got += fmt.Sprintf(" %d used %d of %d", hours(u.OccurredAt), total(u.Electors), hours(u.DestroyedAt))
		}
		if got += noteCodes(a.Answer); got != test.want {
			t.Errorf("copies of %s as of %s: have\n%s\nwant\n%s", test.at, test.asOf, got, test.want)
		}
	}
	if _, err := c.graph.Copies(t.Context(), graph.CopiesQuestion{At: "nobody"}); err == nil {
		t.Error("copies of what nobody has heard of: no error")
	}
}
