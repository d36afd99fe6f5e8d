package oracle_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/rolltrace/rolltrace/schema"
	"github.com/rolltrace/rolltrace/schema/schematest/oracle"
	"github.com/rolltrace/rolltrace/schema/wire"
)

// A history that is worked out by hand. Electors are a, b, c; each movement is at the hour of its number.
//
//	0  collect  office/rolls/2026 → a/crm/voters     a b c
//	1  export   a/crm/voters → a/files/cards.csv     a b
//	2  destroy  a/files/cards.csv                    whole: a b
//	3  share    a/files/cards.csv → v/ads/audience   whole: nobody is left
//	4  export   a/crm/voters → a/files/cards.csv     c
//	5  merge    a/crm/voters, a/files/cards.csv → b/files/list.csv   whole: a b c
//	6  destroy  b/files/list.csv, says a             removes nobody
//	7  share    b/files/list.csv → v/ads/audience    b
func worked() oracle.History {
	var h oracle.History
	for n, s := range []struct {
		kind              schema.Kind
		from, to, letters string
		sidecar           string
	}{
		{schema.Collect, "office/rolls/2026", "a/crm/voters", "abc", "a/db1"},
		{schema.Export, "a/crm/voters", "a/files/cards.csv", "ab", "a/db1"},
		{schema.Destroy, "a/files/cards.csv", "", "", "a/db1"},
		{schema.Share, "a/files/cards.csv", "v/ads/audience", "", "v/db1"},
		{schema.Export, "a/crm/voters", "a/files/cards.csv", "c", "a/db1"},
		{schema.Merge, "a/crm/voters a/files/cards.csv", "b/files/list.csv", "", "b/db1"},
		{schema.Destroy, "b/files/list.csv", "", "", "a/db1"},
		{schema.Share, "b/files/list.csv", "v/ads/audience", "b", "b/db1"},
	} {
		m := &schema.Movement{
			ID: fmt.Sprintf("01960000-0000-7000-8000-%012x", n), Revision: 1, State: schema.Closed, Outcome: schema.Completed,
			Kind: s.kind, Basis: schema.Declared, OccurredAt: oracle.Moment(n), ClosedAt: oracle.Moment(n), RecordedAt: oracle.Moment(n),
			Output: schema.Place(s.to), Electors: schema.Electors{Mode: schema.Whole},
		}
		for place := range strings.FieldsSeq(s.from) {
			m.Inputs = append(m.Inputs, schema.Input{Place: schema.Place(place)})
		}
		if s.letters != "" {
			set := oracle.Sets[0]
			set.Chunks = 1
			m.Electors = schema.Electors{Mode: schema.Listed, Sets: []schema.Set{set}}
			h.Steps = append(h.Steps, oracle.Step{Sidecar: s.sidecar, Arrives: []int{100 - n},
				Chunk: &oracle.Chunk{Movement: m.ID, IDSpace: set.IDSpace, KeyID: set.KeyID, Electors: s.letters}})
		}
		h.Steps = append(h.Steps, oracle.Step{Sidecar: s.sidecar, Movement: m, Arrives: []int{50 - n, 7 * n}})
	}
	return h
}

func TestWorked(t *testing.T) {
	messages, err := worked().Play("")
	if err != nil {
		t.Fatal(err)
	}
	model := oracle.New()
	for _, m := range messages {
		r, err := wire.Decode(m.Subject, m.Header, m.Body)
		if err != nil {
			t.Fatal(err)
		}
		model.Add(&r)
	}
	letters := func(s oracle.Set) string {
		var out []string
		for e := range s {
			for _, letter := range "abc" {
				if e.Key == oracle.Keys("", string(letter))[0] {
					out = append(out, string(letter))
				}
			}
		}
		slices.Sort(out)
		return strings.Join(out, "")
	}
	now := model.World(schema.Time{})
	for at, want := range map[string]string{"a/crm/voters": "abc", "a/files/cards.csv": "c", "b/files/list.csv": "abc", "v": "b", "a": "abc", "office": ""} {
		if have := letters(now.Holding(at)); have != want {
			t.Errorf("%s holds %q, want %q", at, have, want)
		}
	}
	if have := letters(now.Reached("a/files/cards.csv")); have != "abc" {
		t.Errorf("the cards were reached by %q", have)
	}
	if have := letters(model.World(oracle.Moment(1)).Holding("a/files/cards.csv")); have != "ab" {
		t.Errorf("the cards held %q before they were destroyed", have)
	}
	ends := func(ends map[string]*oracle.End) string {
		var out []string
		for _, name := range slices.Sorted(maps.Keys(ends)) {
			out = append(out, fmt.Sprintf("%s %d %s", name, ends[name].Hops, letters(ends[name].Electors)))
		}
		return strings.Join(out, ", ")
	}
	// b came to the list from the voters, and from the cards too, which it is recorded to have entered
	if have, want := ends(now.Reach("a/files/cards.csv")), "b 1 abc, b/files/list.csv 1 abc, v 2 b, v/ads/audience 2 b"; have != want {
		t.Errorf("reach of the cards: have %s, want %s", have, want)
	}
	if have, want := ends(now.Sources("v")), "a 2 b, a/crm/voters 2 b, a/files/cards.csv 2 b, b 1 b, b/files/list.csv 1 b, office 3 b, office/rolls/2026 3 b"; have != want {
		t.Errorf("sources of v: have %s, want %s", have, want)
	}
	b := oracle.Elector{IDSpace: oracle.Sets[0].IDSpace, KeyID: oracle.Sets[0].KeyID, Key: oracle.Keys("", "b")[0]}
	all, cut := now.All(b, "v", 10)
	var routes []string
	for _, route := range append([]oracle.Route{now.Earliest(b, "v")}, all...) {
		var steps []string
		for _, m := range route {
			steps = append(steps, strings.TrimLeft(m.Ref.ID[24:], "0")+">"+string(m.Output))
		}
		routes = append(routes, strings.Join(steps, " "))
	}
	short, long := ">a/crm/voters 5>b/files/list.csv 7>v/ads/audience", ">a/crm/voters 1>a/files/cards.csv 5>b/files/list.csv 7>v/ads/audience"
	if want := []string{short, short, long}; !slices.Equal(routes, want) || cut || len(now.Shortest(b, "v")) != 3 {
		t.Errorf("routes: have %q, want %q; cut %v, shortest %d", routes, want, cut, len(now.Shortest(b, "v")))
	}
	var doubts []string
	for _, d := range now.Doubts() {
		doubts = append(doubts, d.Code+" "+strings.TrimLeft(d.Ref.ID[24:], "0"))
	}
	if want := []string{"attested 6"}; !slices.Equal(doubts, want) {
		t.Errorf("doubts: have %q, want %q", doubts, want)
	}
}

// The generator draws everything that the outside form allows, and everything that it draws can be published.
func TestHistories(t *testing.T) {
	drawn := map[string]int{}
	for seed := range 300 {
		h := oracle.Histories(10).Example(seed)
		if _, err := h.Play("h-"); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		for _, smaller := range append(h.Coarser(), h.Finer()...) {
			if smaller.Size() >= h.Size() {
				t.Fatalf("seed %d: a smaller history is larger", seed)
			}
		}
		for _, s := range h.Steps {
			drawn[fmt.Sprintf("arrives %d times", min(len(s.Arrives), 2))]++
			if m := s.Movement; m != nil {
				drawn["kind "+string(m.Kind)]++
				drawn["mode "+string(m.Electors.Mode)+" of a destroy: "+fmt.Sprint(m.Kind == schema.Destroy)]++
				drawn["basis "+string(m.Basis)]++
				drawn["state "+string(m.State)+" "+string(m.Outcome)]++
				drawn[fmt.Sprintf("revised %v", m.Revision > 2)]++
			}
		}
	}
	for _, what := range []string{"arrives 0 times", "arrives 1 times", "arrives 2 times", "kind collect", "kind export", "kind merge", "kind share",
		"kind access", "kind destroy", "kind entrust", "mode listed of a destroy: true", "mode whole of a destroy: true", "mode counted of a destroy: true",
		"mode listed of a destroy: false", "mode whole of a destroy: false", "mode counted of a destroy: false", "basis observed", "basis declared", "basis attested",
		"state open ", "state closed completed", "state closed failed", "state closed retracted", "revised true"} {
		if drawn[what] == 0 {
			t.Errorf("300 histories have no %s", what)
		}
	}
}
