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

// hourID is the id of the movement of the n-th hour.
func (c *centre) hourID(n int) string {
	c.t.Helper()
	a, err := c.graph.Movements(c.t.Context(), graph.MovementQuestion{Since: hour(n), Until: hour(n)})
	if err != nil || len(a.Movements) != 1 {
		c.t.Fatalf("movement of hour %d: %v, %v", n, a, err)
	}
	return a.Movements[0].ID
}

// flowText is the edges, and the places as electors/held/destroyed, each in the order of the answer.
func flowText(f *graph.Flow) string {
	var edges, places []string
	for _, e := range f.Edges {
		edges = append(edges, fmt.Sprintf("%s>%s %d by %d at %d", e.From, e.To, total(e.Electors), e.Movements, hours(e.FirstAt)))
	}
	for _, p := range f.Places {
		text := fmt.Sprintf("%s %d/%d/%d", p.Place, total(p.Electors), total(p.Held), total(p.Destroyed))
		if !p.DestroyedAt.IsZero() {
			text += fmt.Sprintf(" at %d", hours(p.DestroyedAt))
		}
		for _, s := range p.Said {
			text += fmt.Sprintf(" said at %d", hours(s.OccurredAt))
		}
		places = append(places, text)
	}
	return fmt.Sprintf("%d: %s; %s;%s", total(f.Electors), strings.Join(edges, ", "), strings.Join(places, ", "), noteCodes(f.Answer))
}

func TestFlow(t *testing.T) {
	c := newCentre(t)
	c.deliver(workedMessages(t), 5)
	for _, test := range []struct {
		q    graph.FlowQuestion
		want string
	}{
		// Those that the printer holds, wherever they have been: c is at both ends of the merge, and i came by the donors.
		{graph.FlowQuestion{Of: printer}, "4: " +
			rolls + ">" + voters + " 3 by 1 at 1, " + web + ">" + donors + " 1 by 1 at 2, " + voters + ">" + staff + " 2 by 1 at 3, " +
			voters + ">" + cards + " 3 by 1 at 4, " + donors + ">" + merged + " 1 by 1 at 5, " + cards + ">" + merged + " 3 by 1 at 5, " +
			merged + ">" + printer + " 4 by 1 at 6, " + merged + ">" + audience + " 1 by 1 at 8, " + voters + ">" + merged + " 1 by 1 at 10, " +
			printer + ">" + archive + " 4 by 1 at 12; " +
			archive + " 4/4/0, " + printer + " 4/4/0 said at 9, " + rolls + " 3/0/0, " + donors + " 1/1/0, " + voters + " 3/3/0, " + cards + " 3/3/0, " +
			merged + " 4/1/3 at 7, " + staff + " 2/2/0, " + web + " 1/0/0, " + audience + " 1/1/0; failed counted attested"},
		// What went on from the merged list: c came back after the printer got it.
		{graph.FlowQuestion{From: merged}, "4: " +
			merged + ">" + printer + " 4 by 1 at 6, " + merged + ">" + audience + " 1 by 1 at 8, " + printer + ">" + archive + " 4 by 1 at 12; " +
			archive + " 4/4/0, " + printer + " 4/4/0 said at 9, " + merged + " 4/1/3 at 7, " + audience + " 1/1/0; failed counted attested"},
		{graph.FlowQuestion{From: merged, AsOf: hour(7)}, "4: " + merged + ">" + printer + " 4 by 1 at 6; " + printer + " 4/4/0, " + merged + " 4/0/4 at 7;"},
		// … of those that a person saw.
		{graph.FlowQuestion{From: merged, Of: staff, What: graph.Reached}, "2: " +
			merged + ">" + printer + " 2 by 1 at 6, " + merged + ">" + audience + " 1 by 1 at 8, " + printer + ">" + archive + " 2 by 1 at 12; " +
			archive + " 2/2/0, " + printer + " 2/2/0 said at 9, " + merged + " 2/1/1 at 7, " + audience + " 1/1/0; failed counted attested"},
		{graph.FlowQuestion{To: audience}, "1: " +
			rolls + ">" + voters + " 1 by 1 at 1, " + voters + ">" + cards + " 1 by 1 at 4, " + cards + ">" + merged + " 1 by 1 at 5, " +
			merged + ">" + audience + " 1 by 1 at 8; " +
			rolls + " 1/0/0, " + voters + " 1/1/0, " + cards + " 1/1/0, " + merged + " 1/0/1 at 7, " + audience + " 1/1/0; failed counted"},
		{graph.FlowQuestion{Movement: "5"}, "4: " +
			donors + ">" + merged + " 1 by 1 at 5, " + cards + ">" + merged + " 3 by 1 at 5, " + merged + ">" + printer + " 4 by 1 at 6, " +
			merged + ">" + audience + " 1 by 1 at 8, " + printer + ">" + archive + " 4 by 1 at 12; " +
			archive + " 4/4/0, " + printer + " 4/4/0 said at 9, " + donors + " 1/1/0, " + cards + " 3/3/0, " + merged + " 4/1/3 at 7, " + audience + " 1/1/0; failed counted attested"},
		{graph.FlowQuestion{Movement: "10"}, "1: " + voters + ">" + merged + " 1 by 1 at 10; " + voters + " 1/1/0, " + merged + " 1/1/0;"},
		{graph.FlowQuestion{Movement: "11"}, "0: ; ; none counted"},       // nobody knows whom
		{graph.FlowQuestion{Movement: "7"}, "0: ; ; none"},                // a destroy
		{graph.FlowQuestion{Movement: "13"}, "0: ; ; none"},               // retracted
		{graph.FlowQuestion{Movement: "5", AsOf: hour(4)}, "0: ; ; none"}, // not yet
		{graph.FlowQuestion{Of: merged, AsOf: hour(7)}, "0: ; ; none"},    // nobody is there then
		{graph.FlowQuestion{Of: rolls}, "0: ; ; none"},                    // nobody is recorded there
		{graph.FlowQuestion{From: staff}, "0: ; ; none"},                  // nothing went on from there
		{graph.FlowQuestion{Of: voters, To: web}, "0: ; ; none"},          // nothing came there
	} {
		if test.q.Movement != "" {
			var n int
			_, _ = fmt.Sscan(test.q.Movement, &n)
			test.q.Movement = c.hourID(n)
		}
		f, err := c.graph.Flow(t.Context(), test.q)
		if err != nil {
			t.Errorf("%+v: %v", test.q, err)
			continue
		}
		if got := flowText(f); got != test.want {
			t.Errorf("%+v:\nhave %s\nwant %s", test.q, got, test.want)
		}
	}
}

// The graph of what went on from a place has the places of reach, and that to a place those of sources.
func TestFlowIsReach(t *testing.T) {
	c := newCentre(t)
	c.deliver(workedMessages(t), 100)
	for _, at := range []string{rolls, voters, merged, printer, "party-a", "acme-mail"} {
		for _, ask := range []struct {
			reach func() (*graph.Reach, error)
			q     graph.FlowQuestion
		}{
			{func() (*graph.Reach, error) { return c.graph.Reach(t.Context(), graph.ReachQuestion{At: at}) }, graph.FlowQuestion{From: at}},
			{func() (*graph.Reach, error) { return c.graph.Sources(t.Context(), graph.ReachQuestion{At: at}) }, graph.FlowQuestion{To: at}},
		} {
			r, err := ask.reach()
			if err != nil {
				t.Fatal(err)
			}
			f, err := c.graph.Flow(t.Context(), ask.q)
			if err != nil {
				t.Fatal(err)
			}
			var have, want []string
			for _, p := range f.Places {
				if !strings.HasPrefix(string(p.Place)+"/", at+"/") {
					have = append(have, fmt.Sprint(p.Place, " ", total(p.Electors)))
				}
			}
			for _, p := range r.Places {
				if !strings.HasPrefix(string(p.Place)+"/", at+"/") {
					want = append(want, fmt.Sprint(p.Place, " ", total(p.Electors)))
				}
			}
			slices.Sort(want)
			if !slices.Equal(have, want) {
				t.Errorf("%+v: have %q, want %q", ask.q, have, want)
			}
		}
	}
}

func TestFlowOfOrganisations(t *testing.T) {
	c := newCentre(t)
	c.deliver(workedMessages(t), 100)
	f, err := c.graph.Flow(t.Context(), graph.FlowQuestion{})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, o := range f.Organisations {
		got = append(got, fmt.Sprintf("%s %d/%d/%d", o.Org, total(o.Electors), total(o.Held), total(o.Destroyed)))
	}
	for _, e := range f.OrgEdges {
		got = append(got, fmt.Sprintf("%s>%s %d by %d of %v %v", e.From, e.To, total(e.Electors), e.Movements, e.Kinds, e.Bases))
	}
	want := []string{"acme-mail 4/4/0", "electoral-office 8/0/0", "party-a 10/10/0", "vendor-b 1/1/0",
		"electoral-office>party-a 8 by 1 of [collect] [observed]", "party-a>acme-mail 4 by 1 of [share] [observed]", "party-a>vendor-b 1 by 1 of [share] [observed]"}
	if !slices.Equal(got, want) {
		t.Errorf("have %q, want %q", got, want)
	}
	if f, err = c.graph.Flow(t.Context(), graph.FlowQuestion{Limit: 2}); err != nil {
		t.Fatal(err)
	}
	// Of ten edges the two with the most electors, and of three between organisations.
	if want := "10: " + rolls + ">" + voters + " 8 by 1 at 1, " + web + ">" + donors + " 4 by 1 at 2; "; !strings.HasPrefix(flowText(f), want) ||
		len(f.OrgEdges) != 2 || len(f.Places) != 4 || len(f.Organisations) != 3 || !strings.HasSuffix(flowText(f), " cut") {
		t.Errorf("cut: have %s, organisations %v", flowText(f), f.Organisations)
	}
}

func TestFlowThatCannotBe(t *testing.T) {
	c := newCentre(t)
	c.deliver(workedMessages(t), 100)
	for _, test := range []struct {
		q    graph.FlowQuestion
		want error
	}{
		{graph.FlowQuestion{Of: "party-b"}, graph.ErrUnknownPlace},
		{graph.FlowQuestion{From: "party-b"}, graph.ErrUnknownPlace},
		{graph.FlowQuestion{Of: voters, To: "party-b"}, graph.ErrUnknownPlace},
		{graph.FlowQuestion{From: "party-a/crm"}, graph.ErrMalformed},
		{graph.FlowQuestion{From: voters, To: printer}, graph.ErrMalformed},
		{graph.FlowQuestion{Of: voters, What: "seen"}, graph.ErrMalformed},
		{graph.FlowQuestion{What: graph.Holding}, graph.ErrMalformed},
		{graph.FlowQuestion{Movement: "0199b0c2-7f3e-7c1a-9d58-000000000000"}, graph.ErrUnknownMovement},
		{graph.FlowQuestion{Movement: "a/b"}, graph.ErrMalformed},
		{graph.FlowQuestion{Movement: c.hourID(5), Of: voters}, graph.ErrMalformed},
	} {
		if _, err := c.graph.Flow(t.Context(), test.q); !errors.Is(err, test.want) {
			t.Errorf("%+v: have %v, want %v", test.q, err, test.want)
		}
	}
	m, err := c.graph.Movements(t.Context(), graph.MovementQuestion{Kind: schema.Merge})
	if err != nil {
		t.Fatal(err)
	}
	ref := m.Movements[0].MovementRef
	f, err := c.graph.Flow(t.Context(), graph.FlowQuestion{Movement: ref.Org + "/" + ref.Sidecar + "/" + strings.ToUpper(ref.ID)})
	if err != nil || f.Movement == nil || f.Movement.MovementRef != ref {
		t.Errorf("a movement named in full: %v, %v", f, err)
	}
}
