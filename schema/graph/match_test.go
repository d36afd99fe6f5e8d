package graph_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"slices"
	"testing"

	"github.com/rolltrace/rolltrace/schema"
	"github.com/rolltrace/rolltrace/schema/graph"
	"github.com/rolltrace/rolltrace/schema/schematest"
)

// listOf is the keys of letters as a found list, in batches of two.
func listOf(letters string) iter.Seq2[[]schema.Key, error] {
	var keys []schema.Key
	for _, letter := range letters {
		keys = append(keys, keyOf(letter))
	}
	slices.Sort(keys)
	keys = slices.Compact(keys)
	return func(yield func([]schema.Key, error) bool) {
		for batch := range slices.Chunk(keys, 2) {
			if !yield(batch, nil) {
				return
			}
		}
	}
}

func match(t *testing.T, c *centre, letters string, asOf schema.Time) *graph.Match {
	t.Helper()
	a, err := c.graph.Match(t.Context(), graph.MatchQuestion{
		IDSpace: schema.ElectorID, KeyID: schematest.KeyID, Keys: listOf(letters), Records: uint64(len(letters)), AsOf: asOf, Limit: -1,
	})
	if err != nil {
		t.Fatalf("match %q: %v", letters, err)
	}
	return a
}

// copiesOf says a match in short.
func copiesOf(a *graph.Match, most int) (out []string) {
	for _, c := range a.Copies[:min(most, len(a.Copies))] {
		text := fmt.Sprintf("%s %s %d/%d", c.What, c.Place, c.Matched, c.Electors)
		for _, s := range c.Route {
			text += fmt.Sprintf(" <%s", s.From)
		}
		out = append(out, text)
	}
	return out
}

func TestMatch(t *testing.T) {
	c := newCentre(t)
	c.deliver(workedMessages(t), 4)
	tests := []struct {
		found string
		asOf  schema.Time
		want  []string // the first of the copies
		known uint64
	}{
		// The list that was merged, of which three more copies were made: the earliest of them first.
		{"bcdi", schema.Time{}, []string{
			"movement " + merged + " 4/4 <" + web + " <" + donors,
			"movement " + printer + " 4/4 <" + web + " <" + donors + " <" + merged,
			"movement " + archive + " 4/4 <" + web + " <" + donors + " <" + merged + " <" + printer,
		}, 4},
		// A part of it: the smallest copy that has all is the likeliest.
		{"bi", schema.Time{}, []string{"movement " + merged + " 2/4 <" + web + " <" + donors}, 2},
		{"ac", schema.Time{}, []string{"movement " + staff + " 2/3 <" + rolls + " <" + voters}, 2},
		// Strangers in it change nothing.
		{"abcxyz", schema.Time{}, []string{"movement " + staff + " 3/3 <" + rolls + " <" + voters}, 3},
		{"abcdefgh", schema.Time{}, []string{"movement " + voters + " 8/8 <" + rolls}, 8},
		// As it was before the list was merged.
		{"bcdi", hour(4), []string{"movement " + cards + " 3/3 <" + rolls + " <" + voters}, 4},
	}
	for _, test := range tests {
		a := match(t, c, test.found, test.asOf)
		if got := copiesOf(a, len(test.want)); !slices.Equal(got, test.want) {
			t.Errorf("match %q as of %s: have %q, want %q", test.found, test.asOf, copiesOf(a, 4), test.want)
		}
		if a.Found.Known != test.known || a.Found.Known+a.Found.Unknown != a.Found.Keys || a.Found.Recorded != 10 {
			t.Errorf("match %q: %+v", test.found, a.Found)
		}
	}
}

func TestMatchTellsCopiesApart(t *testing.T) {
	c := newCentre(t)
	c.deliver(workedMessages(t), 4)
	a := match(t, c, "bcdi", schema.Time{})
	by := map[schema.Place]graph.MatchCopy{}
	for _, copy := range a.Copies {
		by[copy.Place] = copy
	}
	if x := by[printer]; !x.Tied || x.OnlyFirst+x.OnlyHere != 0 || x.Held != 4 || x.ShareOfFound != 1 || x.ShareOfCopy != 1 {
		t.Errorf("printer: %+v", x)
	}
	if x := a.Copies[0]; x.Held != 1 { // c came again after the destroy
		t.Errorf("merged: %+v", x)
	}
	if x := by[voters]; x.Tied || x.OnlyFirst != 1 || x.OnlyFirstFound != 1 || x.OnlyHere != 5 || x.OnlyHereFound != 0 || x.ShareOfFound != 0.75 || x.ShareOfCopy != 0.375 {
		t.Errorf("voters: %+v", x)
	}
	if a.Considered != len(a.Copies) {
		t.Errorf("%d considered, %d listed", a.Considered, len(a.Copies))
	}
}

// A place that several movements filled is a copy of its own, and holds no more than is left of them.
func TestMatchOfHoldings(t *testing.T) {
	c := newCentre(t)
	var messages []message
	for n, s := range []step{
		{kind: schema.Collect, from: rolls, to: voters, electors: "abcdefghijklmnop"},
		{kind: schema.Export, from: voters, to: cards, electors: "abc"},
		{kind: schema.Export, from: voters, to: cards, electors: "def"},
		{kind: schema.Destroy, from: cards, electors: "ad"},
		{kind: schema.Export, from: voters, to: cards, electors: "g"},
	} {
		messages = append(messages, s.messages(t, n+1)...)
	}
	c.deliver(messages, 3)
	if got, want := copiesOf(match(t, c, "bcefg", schema.Time{}), 1), []string{"holding " + cards + " 5/5 <" + rolls + " <" + voters}; !slices.Equal(got, want) {
		t.Errorf("have %q, want %q", got, want)
	}
	if got, want := copiesOf(match(t, c, "abcdef", hour(3)), 1), []string{"holding " + cards + " 6/6 <" + rolls + " <" + voters}; !slices.Equal(got, want) {
		t.Errorf("have %q, want %q", got, want)
	}
}

func TestMatchOfNothing(t *testing.T) {
	c := newCentre(t)
	c.deliver(workedMessages(t), 100)
	a := match(t, c, "xyz", schema.Time{})
	if len(a.Copies) != 0 || a.Found.Unknown != 3 || a.Found.Known != 0 {
		t.Errorf("strangers: %+v", a)
	}
	if got := noteCodes(a.Answer); got != " none failed counted" {
		t.Errorf("notes%s", got)
	}
	_, err := c.graph.Match(t.Context(), graph.MatchQuestion{IDSpace: schema.ElectorID, KeyID: "k-00000000", Keys: listOf("abc")})
	if !errors.Is(err, graph.ErrUnknownKeys) {
		t.Errorf("of another secret: %v", err)
	}
	fault := errors.New("fault")
	_, err = c.graph.Match(t.Context(), graph.MatchQuestion{IDSpace: schema.ElectorID, KeyID: schematest.KeyID,
		Keys: func(yield func([]schema.Key, error) bool) { yield(nil, fault) }})
	if !errors.Is(err, fault) {
		t.Errorf("of a list that cannot be read: %v", err)
	}
}

func TestMatchIsOrderFree(t *testing.T) {
	var answers []string
	for _, back := range []bool{false, true} {
		c := newCentre(t)
		messages := workedMessages(t)
		if back {
			slices.Reverse(messages)
		}
		c.deliver(messages, 3)
		text, err := json.Marshal(match(t, c, "abdix", schema.Time{}))
		if err != nil {
			t.Fatal(err)
		}
		answers = append(answers, string(text))
	}
	if answers[0] != answers[1] {
		t.Errorf("have %s, and the other way round %s", answers[0], answers[1])
	}
}

// Few of many electors are looked up by their keys; many are found among all between them. Either finds the same.
func TestMatchOfFewAndOfMany(t *testing.T) {
	c := newCentre(t)
	messages := step{kind: schema.Collect, from: rolls, to: voters, electors: "ab"}.messages(t, 1)
	more := *messages[1].chunk
	more.index, more.keys = 1, schematest.Keys(100, 2000)
	c.deliver(append(messages, message{chunk: &more}), 2)
	all := slices.Clone(more.keys)
	slices.Sort(all)
	for _, every := range []int{1, 3, 500} {
		var some []schema.Key
		for i := 0; i < len(all); i += every {
			some = append(some, all[i], all[i]+1) // and a stranger
		}
		a, err := c.graph.Match(t.Context(), graph.MatchQuestion{IDSpace: schema.ElectorID, KeyID: schematest.KeyID,
			Keys: func(yield func([]schema.Key, error) bool) { yield(some, nil) }})
		if err != nil {
			t.Fatal(err)
		}
		if want := uint64(len(some) / 2); a.Found.Known != want || a.Copies[0].Matched != want || a.Found.Unknown != want {
			t.Errorf("every %d: found %+v, and %d on the copy; want %d", every, a.Found, a.Copies[0].Matched, want)
		}
	}
}
