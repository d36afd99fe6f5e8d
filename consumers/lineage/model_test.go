package lineage_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rolltrace/rolltrace/consumers/lineage"
	"github.com/rolltrace/rolltrace/schema"
	"github.com/rolltrace/rolltrace/schema/schematest"
	"github.com/rolltrace/rolltrace/schema/wire"
)

// A model is section 3.1 of the design, worked out with maps and no care for speed, from the messages that
// were delivered.
type model struct {
	current map[string]*schema.Movement // by org and id
	listed  map[string]map[schema.Key]bool
}

func newModel() *model {
	return &model{map[string]*schema.Movement{}, map[string]map[schema.Key]bool{}}
}

func name(org, id string) string { return org + " " + id }

func (m *model) deliver(org string, d wire.Draft) {
	if c := d.Chunk; c != nil {
		set := m.listed[name(org, c.Movement)]
		if set == nil {
			set = map[schema.Key]bool{}
			m.listed[name(org, c.Movement)] = set
		}
		for _, key := range c.Keys {
			set[key] = true
		}
		return
	}
	n := name(org, d.Movement.ID)
	if old := m.current[n]; old == nil || old.Revision < d.Movement.Revision {
		m.current[n] = d.Movement
	}
}

// sets are S of the whole movements, and what is kept after each destroy that counts.
func (m *model) sets() map[string][]schema.Key {
	var order []*schema.Movement
	for _, movement := range m.current {
		if movement.Outcome != schema.Retracted {
			order = append(order, movement)
		}
	}
	slices.SortFunc(order, func(a, b *schema.Movement) int {
		if c := a.OccurredAt.Compare(b.OccurredAt.Time); c != 0 {
			return c
		}
		return strings.Compare(a.Producer.Org+" "+a.Producer.Sidecar+" "+a.ID, b.Producer.Org+" "+b.Producer.Sidecar+" "+b.ID)
	})
	out := map[string][]schema.Key{}
	holding := map[schema.Place]map[schema.Key]bool{}
	for _, movement := range order {
		n := name(movement.Producer.Org, movement.ID)
		s := map[schema.Key]bool{}
		switch movement.Electors.Mode {
		case schema.Listed:
			s = m.listed[n]
		case schema.Whole:
			for _, in := range movement.Inputs {
				maps.Copy(s, holding[in.Place])
			}
			out["S "+n] = sorted(s)
		}
		at := movement.Output
		if movement.Kind == schema.Destroy {
			at = movement.Inputs[0].Place
		}
		if holding[at] == nil {
			holding[at] = map[schema.Key]bool{}
		}
		switch {
		case movement.Electors.Mode == schema.Counted:
		case movement.Kind != schema.Destroy:
			maps.Copy(holding[at], s)
		case movement.Removes():
			for key := range s {
				delete(holding[at], key)
			}
			out["kept "+n] = sorted(holding[at])
		}
	}
	return out
}

func sorted(set map[schema.Key]bool) []schema.Key {
	return append([]schema.Key{}, slices.Sorted(maps.Keys(set))...)
}

// A delivery is one message of an organisation.
type delivery struct {
	org   string
	draft wire.Draft
}

// history makes a random history of n movements between a few places of its own, with cycles and ties, of every
// mode, on every basis, with later revisions of every sort.
func history(random *rand.Rand, number, n int) []delivery {
	orgs := make([]string, 3)
	for i := range orgs {
		orgs[i] = fmt.Sprintf("h%d-%c", number, 'a'+i)
	}
	place := func() schema.Place {
		return schema.Place(orgs[random.IntN(len(orgs))] + "/crm/" + string(rune('p'+random.IntN(2))))
	}
	var out []delivery
	for i := range n {
		sample := schematest.NewSample(number*1000+i, schema.Export)
		m := sample.Movement
		moment := func() schema.Time {
			return schema.At(schematest.Began.Add(time.Duration(random.IntN(n)) * time.Second)) // ties
		}
		form := func(m *schema.Movement) {
			m.OccurredAt = moment()
			m.ClosedAt, m.RecordedAt = m.OccurredAt, m.OccurredAt
			m.Kind, m.Inputs, m.Output = schema.Access, nil, place()
			m.Electors = schema.Electors{Mode: schema.Whole}
			inputs := 1 + random.IntN(2)
			if random.IntN(4) == 0 {
				m.Kind, m.Output, inputs = schema.Destroy, "", 1
			}
			for len(m.Inputs) < inputs {
				if p := place(); !slices.ContainsFunc(m.Inputs, func(in schema.Input) bool { return in.Place == p }) {
					m.Inputs = append(m.Inputs, schema.Input{Place: p})
				}
			}
			m.Outcome = schema.Completed
			switch random.IntN(10) {
			case 0:
				m.Outcome = schema.Failed
			case 1:
				m.Electors.Mode = schema.Counted
			}
		}
		form(m)
		m.Producer.Org = m.Owner()
		if random.IntN(8) == 0 {
			m.Producer.Org = orgs[random.IntN(len(orgs))] // a destroy on another's word removes nothing
		}
		m.Basis, m.Revision = schema.Declared, 1
		if m.Electors.Mode == schema.Whole && random.IntN(2) == 0 {
			keys := make([]schema.Key, 0, 6)
			for _, k := range random.Perm(8)[:1+random.IntN(5)] {
				keys = append(keys, schematest.Keys(number*100+k, 1)[0])
			}
			sample = sample.List(schema.ElectorID, schematest.KeyID, keys, 2)
			m = sample.Movement
			for _, chunk := range sample.Chunks {
				chunk.Producer = m.Producer
			}
		}
		sample.Movement = m
		for _, d := range sample.Drafts() {
			out = append(out, delivery{m.Producer.Org, d})
		}
		later := *m
		later.Revision++
		switch random.IntN(8) {
		case 0:
			later.Outcome, later.Reason = schema.Retracted, "entered twice"
		case 1: // relabelled: another time, other places, another mode
			form(&later)
			later.Reason = "as the paper says"
		case 2:
			later.Purpose = "communicate" // nothing that matters here
		default:
			continue
		}
		out = append(out, delivery{m.Producer.Org, wire.Draft{Movement: &later}})
		if random.IntN(2) == 0 { // and back again
			again := *m
			again.Revision = later.Revision + 1
			out = append(out, delivery{m.Producer.Org, wire.Draft{Movement: &again}})
		}
	}
	random.Shuffle(len(out), func(i, j int) { out[i], out[j] = out[j], out[i] })
	return out
}

// Random histories in random order: after every stretch of them, what is published is what the design says of
// the messages so far.
func TestRandomHistories(t *testing.T) {
	c := newCentre(t)
	r := c.consume(t)
	l := c.lineage(t, nil)
	defer lineage.ManyTerms(256)
	for seed := range 10 {
		lineage.ManyTerms(256 * (seed % 2)) // 0: wherever it can be done
		random := rand.New(rand.NewPCG(uint64(seed), 1))
		m := newModel()
		chains := map[string]*wire.Chain{}
		for stretch := range slices.Chunk(history(random, seed, 5+random.IntN(60)), 1+random.IntN(40)) {
			for _, d := range stretch {
				m.deliver(d.org, d.draft)
				c.publish(t, chains, d.org, d.draft)
			}
			c.reads(t, r)
			if err := l.CatchUp(t.Context()); err != nil {
				t.Fatal(err)
			}
			same(t, fmt.Sprintf("history %d", seed), c.derived(t), m.sets())
			if random.IntN(3) == 0 {
				l = c.lineage(t, nil) // a restart
			}
		}
	}
}
