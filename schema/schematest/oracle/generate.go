package oracle

import (
	"fmt"
	"slices"
	"time"

	"pgregory.net/rapid"

	"github.com/rolltrace/rolltrace/schema"
	"github.com/rolltrace/rolltrace/schema/wire"
)

// Moments is how many different times movements of a history begin at: few, so that many of them tie.
const Moments = 8

// Moment is the n-th of them.
func Moment(n int) schema.Time {
	return schema.At(time.Date(2026, 4, 1, 12, 0, 0, 0, time.UTC).Add(time.Duration(n) * time.Hour))
}

// Places are where electors of a history can be: few, so that there are cycles. Nobody brings anything to the
// first one, more often than not.
var Places = []schema.Place{
	"office/rolls/2026", "a/crm/voters", "a/files/cards.csv", "a/people/u0412", "b/crm/voters", "b/files/list.csv", "v/uploads/one.csv", "v/ads/audience",
}

var sidecars = []string{"a/db1", "a/db2", "b/db1", "v/db1"}

// Sets are the id columns of histories.
var Sets = []schema.Set{
	{IDSpace: schema.ElectorID, KeyID: "k-00000001"}, {IDSpace: "email", KeyID: "k-00000001"}, {IDSpace: schema.ElectorID, KeyID: "k-00000002"},
}

// Agreements are what movements of histories name as theirs.
var Agreements = []string{"", "acme-2026", "acme-2027"}

// Histories are random histories, of up to size movements each, in every kind, mode, basis and disorder that the
// outside form allows.
func Histories(size int) *rapid.Generator[History] {
	return rapid.Custom(func(t *rapid.T) History {
		g := &generator{t: t, ordered: rapid.IntRange(0, 2).Draw(t, "in order") == 0, places: Places, sets: Sets, letters: Letters, modes: Modes}
		if g.chance(2) {
			g.narrow()
		}
		g.movements = rapid.IntRange(1, size).Draw(t, "movements")
		for n := range g.movements {
			g.movement(n)
		}
		for g.chance(3) {
			g.heartbeat()
		}
		for g.chance(4) {
			g.gap()
		}
		g.arrivals()
		return g.h
	})
}

type generator struct {
	t       *rapid.T
	h       History
	ordered bool // messages arrive in the order in which they were published
	made    []Step

	movements int
	places    []schema.Place
	sets      []schema.Set
	letters   string
	modes     []schema.Mode
	onward    bool // movements go on, as a rule, from where others went before
	merging   bool // most have several inputs
}

// narrow makes a history of few places and few electors, whose routes are long, fork, join and come round again.
func (g *generator) narrow() {
	g.places = append([]schema.Place{Places[0]}, subset(g, Places[1:], 3)...)
	g.sets = Sets[:1+g.upTo(1)]
	g.letters = string(subset(g, []rune(Letters), 2))
	g.onward, g.merging = !g.chance(3), g.chance(3)
	if g.chance(2) { // what is derived is derived from what was derived
		g.modes = []schema.Mode{schema.Listed, schema.Whole, schema.Whole}
	}
}

// began is when the n-th movement begins.
func (g *generator) began(n int) schema.Time {
	if g.onward && !g.chance(4) {
		return Moment(n * Moments / g.movements)
	}
	return Moment(g.upTo(Moments - 1))
}

// chance is true once in n times; never is what a smaller history has.
func (g *generator) chance(n int) bool { return rapid.IntRange(1, n).Draw(g.t, "chance") == n }

func (g *generator) upTo(n int) int { return rapid.IntRange(0, n).Draw(g.t, "n") }

func pick[T any](g *generator, from []T) T { return rapid.SampledFrom(from).Draw(g.t, "pick") }

// subset is at least least of them, in their order.
func subset[T any](g *generator, from []T, least int) []T {
	var out []T
	for i, one := range from {
		if len(from)-i <= least-len(out) || rapid.Bool().Draw(g.t, "in") {
			out = append(out, one)
		}
	}
	return out
}

// movement adds a movement with everything that is published of it.
func (g *generator) movement(n int) {
	sidecar := pick(g, sidecars)
	m := g.form(sidecar, g.began(n))
	chunks := g.chunks(&m)
	publish := func(m schema.Movement) { g.add(Step{Sidecar: sidecar, Movement: &m}) }

	if m.Basis == schema.Observed {
		open := m
		open.State, open.Outcome, open.ClosedAt, open.Revision = schema.Open, "", schema.Time{}, 1
		open.Electors.Sets = nil
		for _, s := range m.Electors.Sets {
			open.Electors.Sets = append(open.Electors.Sets, schema.Set{IDSpace: s.IDSpace, KeyID: s.KeyID, Role: s.Role})
		}
		publish(open)
	}
	for _, c := range chunks {
		g.add(Step{Sidecar: sidecar, Chunk: &c})
	}
	if m.Basis == schema.Observed {
		if g.chance(8) {
			return // it stays open
		}
		m.Revision = 2
	}
	publish(m)
	for g.chance(4) {
		publish(g.revise(&m))
	}
}

// form is the closed form of a movement, without its electors.
func (g *generator) form(sidecar string, began schema.Time) schema.Movement {
	m := schema.Movement{
		ID: fmt.Sprintf("01960000-0000-7000-8000-%012x", len(g.h.Steps)), Revision: 1,
		State: schema.Closed, Outcome: schema.Completed, Basis: pick(g, []schema.Basis{schema.Observed, schema.Observed, schema.Declared, schema.Attested}),
		Kind:       pick(g, []schema.Kind{schema.Collect, schema.Export, schema.Share, schema.Merge, schema.Access, schema.Destroy, schema.Destroy, "entrust"}),
		OccurredAt: began, ClosedAt: schema.At(began.Add(time.Minute)), RecordedAt: schema.At(began.Add(time.Minute)),
		Purpose: pick(g, []string{"communicate", "test"}), Fields: subset(g, []string{"email", "name", "phone"}, 0),
		Agreement: pick(g, Agreements),
	}
	if g.chance(8) {
		m.Actor, m.LegalBasis = "a/people/u0412", "consent"
	}
	if g.chance(8) && len(g.made) > 0 { // two sidecars may give the same id, and one may give it twice
		m.ID = pick(g, g.made).Movement.ID
	}
	if g.chance(8) {
		m.Outcome = schema.Failed
	}
	if g.chance(20) {
		m.Exercise = "rehearsal"
	}
	g.ends(&m, sidecar)
	m.Electors.Mode = pick(g, g.modes)
	if m.Electors.Mode == schema.Counted {
		m.Electors.Records = uint64(1 + g.upTo(8))
	}
	return m
}

// ends gives the movement places that its kind allows.
func (g *generator) ends(m *schema.Movement, sidecar string) {
	inputs := 1
	switch {
	case m.Kind == schema.Merge:
		inputs = 2 + g.upTo(1)
	case m.Kind != schema.Destroy && (g.merging || g.chance(6)):
		inputs = 2
	}
	from := slices.Clone(g.places)
	for range inputs {
		at := g.upTo(len(from) - 1)
		in := schema.Input{Place: from[at], Fields: subset(g, m.Fields, 0)}
		if m.Kind == schema.Destroy && !g.chance(3) { // by the owner of the place, as a rule
			own := slices.DeleteFunc(slices.Clone(g.places), func(p schema.Place) bool { return p.Org() != sidecar[:1] })
			if len(own) > 0 {
				in.Place = pick(g, own)
			}
		}
		m.Inputs = append(m.Inputs, in)
		from = slices.Delete(from, at, at+1)
	}
	if m.Kind == schema.Destroy {
		return
	}
	to := slices.Clone(g.places[1:])
	if g.chance(8) {
		to = slices.Clone(g.places)
	}
	if m.Kind == schema.Share {
		others := slices.DeleteFunc(slices.Clone(to), func(p schema.Place) bool {
			return !slices.ContainsFunc(m.Inputs, func(in schema.Input) bool { return in.Place.Org() != p.Org() })
		})
		if to = others; len(to) == 0 { // all are of one organisation
			m.Kind, to = schema.Export, g.places[1:]
		}
	}
	m.Output = pick(g, to)
}

// chunks gives a listed movement its electors. Some of what it announces is never published, and some of what is
// published it does not announce.
func (g *generator) chunks(m *schema.Movement) []Chunk {
	if m.Electors.Mode != schema.Listed {
		return nil
	}
	var out []Chunk
	for i, set := range g.columns() {
		letters := string(subset(g, []rune(g.letters), 1))
		if set.Role != "" {
			letters = string(pick(g, []rune(g.letters)))
		}
		for len(letters) > 0 && !g.chance(20) {
			n := min(1+g.upTo(len(Letters)), len(letters))
			out = append(out, Chunk{m.ID, uint16(i), set.Chunks, set.IDSpace, set.KeyID, set.Role, letters[:n]})
			set.Chunks++
			letters = letters[n:]
		}
		if g.chance(8) {
			set.Unkeyed = uint64(1 + g.upTo(4))
		}
		switch {
		case g.chance(20):
			set.Chunks++
		case g.chance(20) && set.Chunks > 0:
			set.Chunks--
		}
		m.Electors.Sets = append(m.Electors.Sets, set)
	}
	return out
}

// columns is one id column, and seldom more, or seeds.
func (g *generator) columns() []schema.Set {
	sets := []schema.Set{pick(g, g.sets)}
	if g.chance(4) {
		sets = subset(g, g.sets, 1)
	}
	if g.chance(6) {
		seeds := pick(g, sets)
		seeds.Role = pick(g, []schema.SetRole{schema.Seeds, schema.Seeds, schema.NoSeeds, "later"})
		sets = append(slices.Clip(sets), seeds)
	}
	return sets
}

// revise changes a movement as a later revision may: relabelled, retracted, or the same revision with other words.
func (g *generator) revise(m *schema.Movement) schema.Movement {
	if !g.chance(4) {
		m.Revision++
	}
	m.Reason = "entered wrongly"
	if m.Basis != schema.Observed && g.chance(3) {
		m.Outcome = schema.Retracted
		return *m
	}
	switch g.upTo(4) {
	case 0:
		m.Purpose = "relabelled"
	case 1:
		m.OccurredAt = Moment(g.upTo(Moments - 1))
		m.ClosedAt = schema.At(Moment(Moments).Time)
	case 2:
		if m.Outcome != schema.Failed {
			m.Outcome = schema.Failed
		} else {
			m.Outcome = schema.Completed
		}
	case 3:
		other := g.form("a/db1", m.OccurredAt)
		m.Kind, m.Inputs, m.Output = other.Kind, other.Inputs, other.Output
	case 4:
		other := g.form("a/db1", m.OccurredAt)
		if other.Electors.Mode != schema.Listed {
			m.Electors = other.Electors
		}
	}
	return *m
}

func (g *generator) heartbeat() {
	// It is due in 25 days: nobody is silent before then.
	beat := &wire.Heartbeat{At: Moment(g.upTo(Moments)), Interval: 1 << 31, Places: subset(g, Places, 0)}
	if g.chance(2) { // hours, as the movements are apart, or a moment
		beat.ClockKnown = true
		beat.ClockOffset = pick(g, []int64{1, -1000, 3600e6, -3601e6, 5400e6})
	} else if g.chance(2) {
		beat.ClockOffset = 3601e6
	}
	if g.chance(4) { // which says nothing of the clock on the day of the movements
		beat.At = schema.At(beat.At.AddDate(0, 0, pick(g, []int{-2, -1, 1, 3})))
	}
	g.add(Step{Sidecar: pick(g, sidecars), Heartbeat: beat})
}

func (g *generator) gap() {
	from := g.upTo(Moments - 1)
	gap := &wire.Gap{From: Moment(from), To: Moment(from + g.upTo(2)), Records: uint64(g.upTo(9)), Why: "outbox full", Place: pick(g, append([]schema.Place{""}, Places...))}
	if g.chance(2) {
		gap.Place, gap.Instance, gap.FirstSequence, gap.Why = "", "outbox-1", uint64(1+g.upTo(3)), "lost"
		gap.LastSequence = gap.FirstSequence + uint64(g.upTo(3))
	}
	g.add(Step{Sidecar: pick(g, sidecars), Gap: gap})
}

func (g *generator) add(s Step) {
	g.h.Steps = append(g.h.Steps, s)
	if s.Movement != nil {
		g.made = append(g.made, s)
	}
}

// arrivals says when each message arrives, and how often.
func (g *generator) arrivals() {
	for i := range g.h.Steps {
		s := &g.h.Steps[i]
		if g.chance(30) {
			continue // lost
		}
		for {
			at := i
			if !g.ordered || len(s.Arrives) > 0 {
				at = g.upTo(len(g.h.Steps))
			}
			s.Arrives = append(s.Arrives, at)
			if !g.chance(8) {
				break
			}
		}
	}
}

// Modes are the modes of random movements, each as often as it stands here.
var Modes = []schema.Mode{
	schema.Listed, schema.Listed, schema.Listed, schema.Listed, schema.Whole, schema.Whole, schema.Counted,
}
