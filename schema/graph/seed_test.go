package graph_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/rolltrace/rolltrace/schema"
	"github.com/rolltrace/rolltrace/schema/graph"
)

const (
	issuedA = "party-a/lists/roll.csv"
	issuedB = "party-b/lists/roll.csv"
	app     = "group-c/app/search"
)

// seeding is a history of two copies of one list, with seeds, of which one went on to an app that knows of no seeds.
func seeding(t *testing.T) []message {
	issue := func(n int, to, seeds string) []message {
		messages := step{kind: schema.Share, from: rolls, to: to, electors: "abcdefghijklmnop"}.messages(t, n)
		c := *messages[1].chunk
		c.set, c.index, c.role, c.keys = 1, 0, schema.Seeds, nil
		for _, letter := range seeds {
			c.keys = append(c.keys, keyOf(letter))
		}
		return append(messages, message{chunk: &c})
	}
	return slices.Concat(issue(1, issuedA, "qr"), issue(2, issuedB, "stu"),
		step{kind: schema.Share, from: issuedB, to: app, electors: "abcdefghijklmnopstu"}.messages(t, 3),
		step{kind: schema.Access, from: app, to: staff, electors: "bst"}.messages(t, 4))
}

// Seeds are counted nowhere, in whatever order it becomes known that they are seeds.
func TestSeedsAreNoElectors(t *testing.T) {
	for _, back := range []bool{false, true} {
		c := newCentre(t)
		messages := seeding(t)
		if back {
			slices.Reverse(messages)
		}
		c.deliver(messages, 3)
		for at, want := range map[string]string{issuedA: "abcdefghijklmnop", app: "abcdefghijklmnop", "party-a": "abcdefghijklmnop", staff: "b"} {
			a, err := c.graph.Electors(t.Context(), graph.ElectorsQuestion{At: at, List: true})
			if err != nil {
				t.Fatal(err)
			}
			if got := lettersOf(a.Keys); got != want || total(a.Electors) != len(want) {
				t.Errorf("%s holds %q (%d), want %q", at, got, total(a.Electors), want)
			}
		}
		r, err := c.graph.Reach(t.Context(), graph.ReachQuestion{At: rolls})
		if err != nil {
			t.Fatal(err)
		}
		for _, place := range r.Places {
			if place.Place == app && total(place.Electors) != 16 || place.Place == staff && total(place.Electors) != 1 {
				t.Errorf("%s was reached by %v", place.Place, place.Electors)
			}
		}
		m, err := c.graph.Movements(t.Context(), graph.MovementQuestion{To: app})
		if err != nil {
			t.Fatal(err)
		}
		if n := total(m.Movements[0].Electors); n != 16 {
			t.Errorf("%d electors went to the app", n)
		}
		for letter, seeds := range map[rune]int{'s': 1, 'a': 0} {
			d, err := c.graph.Elector(t.Context(), graph.ElectorQuestion{Key: keyOf(letter)})
			if err != nil {
				t.Fatal(err)
			}
			if len(d.SeedOf) != seeds || len(d.Places) == 0 || d.Places[len(d.Places)-1].Place != app && d.Places[len(d.Places)-1].Place != staff {
				t.Errorf("%c: seed of %v, at %v", letter, d.SeedOf, d.Places)
			}
		}
	}
}

// A list with seeds in it is known by them, whatever else it has.
func TestMatchBySeeds(t *testing.T) {
	c := newCentre(t)
	c.deliver(seeding(t), 4)
	a := match(t, c, "abcstuxyz", schema.Time{})
	if got := fmt.Sprint(len(a.Seedings), a.Found.Seeds, a.Found.Known, a.Found.Unknown, a.Found.Recorded); got != "1 3 3 3 16" {
		t.Errorf("found %s: %+v", got, a.Found)
	}
	if s := a.Seedings[0]; s.Place != issuedB || s.ToOrg != "party-b" || s.Seeds != 3 || s.Found != 3 {
		t.Errorf("seedings %+v", a.Seedings)
	}
	want := []string{"movement " + issuedB + " 3/16 <" + rolls, "movement " + app + " 3/16 <" + rolls + " <" + issuedB}
	if got := copiesOf(a, 2); !slices.Equal(got, want) {
		t.Errorf("have %q, want %q", got, want)
	}
	for i, c := range a.Copies {
		found := map[schema.Place]uint64{issuedB: 3, app: 3, staff: 2}[c.Place]
		if c.SeedsFound != found || c.Tied != (i < 2) || c.Place == issuedA && c.Seeds != 2 {
			t.Errorf("%s: seeds %d, found %d, tied %v", c.Place, c.Seeds, c.SeedsFound, c.Tied)
		}
	}
	// Of seeds alone, and of a copy with all of it but the seeds.
	if got := copiesOf(match(t, c, "qr", schema.Time{}), 9); len(got) != 1 || got[0] != "movement "+issuedA+" 0/16 <"+rolls {
		t.Errorf("of seeds alone: %q", got)
	}
	if a := match(t, c, "abcdefghijklmnop", schema.Time{}); len(a.Seedings) != 0 || a.Copies[0].SeedsFound != 0 || !a.Copies[2].Tied {
		t.Errorf("without seeds: %+v", a)
	}
}

// The view says who put how many seeds where, and which of them somebody had listed before: who calls an elector a seed
// takes it out of what is counted, and that is not to go unseen.
func TestSeedingsAreSeen(t *testing.T) {
	c := newCentre(t)
	before := step{kind: schema.Share, from: rolls, to: donors, electors: "sxyz"}.messages(t, 0) // s, before it was called a seed
	c.deliver(append(seeding(t), before...), 3)
	have := func(from string) []string {
		return c.texts("SELECT concat(place, ' of ', to_org, ': ', toString(seeds), ', ', toString(listed_before)) FROM " + from)
	}
	want := []string{issuedA + " of party-a: 2, 0", issuedB + " of party-b: 3, 1"}
	if got := have("seedings"); !slices.Equal(got, want) {
		t.Errorf("have %q, want %q", got, want)
	}
	for asOf, note := range map[schema.Time]string{{}: "5 [party-a/field-db-1 party-b/field-db-1]", hour(0): ""} {
		a, err := c.graph.Electors(t.Context(), graph.ElectorsQuestion{At: donors, AsOf: asOf})
		if err != nil {
			t.Fatal(err)
		}
		said := ""
		for _, n := range a.Notes {
			if n.Code == graph.CodeSeeds {
				said = fmt.Sprint(n.Count, " ", n.Sidecars)
			}
		}
		if said != note {
			t.Errorf("as of %s the answer says %q of seeds, want %q", asOf, said, note)
		}
	}
	if got := have("seedings_as_of(as_of = '" + hour(1).String() + "')"); !slices.Equal(got, want[:1]) {
		t.Errorf("after the first: %q", got)
	}
}
