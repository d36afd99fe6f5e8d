package policy

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/rolltrace/rolltrace/schema"
	"github.com/rolltrace/rolltrace/schema/graph"
	"github.com/rolltrace/rolltrace/schema/registry"
)

// A subject is one thing that rules look at, with its facts.
type subject struct {
	on            string
	id            string
	since         schema.Time
	movement      graph.MovementRef
	places        []string
	organisations []string
	electors      uint64
	facts         *facts
}

// An obligation is that an organisation had to destroy what it received under an agreement.
type obligation struct {
	agreement, organisation string
	destroyBy               time.Time
}

// A survey makes subjects of what was read.
type survey struct {
	read     *graph.Oversight
	registry *registry.History
	asOf     time.Time
	subjects []*subject

	named   map[string]int       // places, and how many movements name them
	first   map[string]time.Time // when each was first named
	origins map[string][]string  // sources of what entered a place
	under   map[string][]string  // agreements under which its organisation received what entered a place
	said    map[string]bool      // places that somebody else said were destroyed
	actors  map[string]*actor
	people  map[string]*person
	known   map[graph.Count]uint64 // all electors, by id space and secret
}

func newSurvey(read *graph.Oversight) *survey {
	s := &survey{
		read: read, registry: registry.NewHistory(read.Registry), asOf: read.AsOf.Time,
		named: map[string]int{}, first: map[string]time.Time{}, origins: map[string][]string{}, under: map[string][]string{}, said: map[string]bool{},
		actors: map[string]*actor{}, people: map[string]*person{}, known: map[graph.Count]uint64{},
	}
	for _, c := range read.Known {
		s.known[graph.Count{IDSpace: c.IDSpace, KeyID: c.KeyID}] = c.Electors
	}
	for i := range read.Movements { // they are in order: each sees what went before
		s.subjects = append(s.subjects, s.movement(&read.Movements[i]))
	}
	s.places()
	s.recording()
	return s
}

func (s *survey) new(on, id string, since time.Time) *subject {
	f := newFacts(on)
	f.at("as_of", s.asOf)
	return &subject{on: on, id: id, since: schema.At(since), facts: f}
}

// obligations are those of agreements whose records should have been destroyed by now, as the registry has them now.
func (s *survey) obligations() []obligation {
	now := s.registry.At(s.asOf)
	var out []obligation
	for _, m := range s.read.Movements {
		a := now.Agreement(m.Agreement)
		if a == nil || m.Output == "" || slices.Contains(inputOrganisations(&m), m.Output.Org()) {
			continue
		}
		by, ok := a.DestroyBy.Ends()
		if o := (obligation{a.ID, m.Output.Org(), by}); ok && !by.After(s.asOf) && !slices.Contains(out, o) {
			out = append(out, o)
		}
	}
	slices.SortFunc(out, func(a, b obligation) int {
		return cmp.Or(strings.Compare(a.agreement, b.agreement), strings.Compare(a.organisation, b.organisation))
	})
	return out
}

// holding is what is left of an obligation at a place.
func (s *survey) holding(o obligation, left graph.Left) {
	one := s.new(OnHolding, o.agreement+" "+left.Place, o.destroyBy)
	one.places, one.organisations, one.electors = []string{left.Place}, []string{o.organisation}, left.Electors
	f := one.facts
	f.text("holding.place", left.Place)
	f.text("holding.organisation", o.organisation)
	f.text("holding.agreement", o.agreement)
	f.number("holding.electors", left.Electors)
	f.at("holding.destroy_by", o.destroyBy)
	f.time("holding.overdue", s.asOf.Sub(o.destroyBy))
	s.subjects = append(s.subjects, one)
}

func (s *survey) places() {
	now := s.registry.At(s.asOf)
	for _, sidecar := range s.read.Sidecars {
		for _, p := range sidecar.Places {
			if _, known := s.first[p]; !known {
				s.named[p], s.first[p] = 0, sidecar.LastHeard.Time
			}
		}
	}
	for p, movements := range s.named {
		place := schema.Place(p)
		one := s.new(OnPlace, p, s.first[p])
		one.places, one.organisations = []string{p}, []string{place.Org()}
		f := one.facts
		f.text("place.name", p)
		f.text("place.organisation", place.Org())
		f.flag("place.registered", now.Place(place).Registered)
		f.flag("place.organisation_registered", now.Organisation(place.Org()) != nil)
		f.number("place.movements", uint64(movements))
		s.subjects = append(s.subjects, one)
	}
}

// recording is what is known of the recording itself.
func (s *survey) recording() {
	for _, x := range s.read.Sidecars {
		interval := time.Duration(x.IntervalMS) * time.Millisecond
		one := s.new(OnSidecar, x.Org+"/"+x.Sidecar, x.LastHeard.Add(interval))
		one.places, one.organisations = x.Places, []string{x.Org}
		f := one.facts
		f.text("sidecar.organisation", x.Org)
		f.text("sidecar.name", x.Sidecar)
		f.texts("sidecar.places", x.Places)
		f.time("sidecar.interval", interval)
		f.time("sidecar.silence", max(s.asOf.Sub(x.LastHeard.Time), 0))
		f.at("sidecar.last_heard", x.LastHeard.Time)
		f.number("sidecar.outbox_messages", x.OutboxMessages)
		s.subjects = append(s.subjects, one)
	}
	for _, g := range s.read.Gaps {
		if g.From.After(s.asOf) {
			continue
		}
		one := s.new(OnGap, strings.Join([]string{g.Org, g.Sidecar, g.Place, g.From.String(), g.To.String(), g.Why, g.HoleInstance}, " "), g.From.Time)
		one.organisations = []string{g.Org}
		if g.Place != "" {
			one.places = []string{g.Place}
		}
		f := one.facts
		f.text("gap.organisation", g.Org)
		f.text("gap.sidecar", g.Sidecar)
		f.text("gap.place", g.Place)
		f.text("gap.why", g.Why)
		f.number("gap.records", g.Records)
		f.flag("gap.hole", g.HoleInstance != "")
		s.subjects = append(s.subjects, one)
	}
	type outbox struct{ org, sidecar, instance string }
	missing, unreported := map[outbox]uint64{}, map[outbox]uint64{}
	for _, h := range s.read.Holes {
		o := outbox{h.Org, h.Sidecar, h.Instance}
		missing[o] += h.Missing
		if !h.Reported {
			unreported[o] += h.Missing
		}
	}
	for o, n := range missing {
		one := s.new(OnHole, o.org+"/"+o.sidecar+" "+o.instance, time.Time{})
		one.organisations = []string{o.org}
		f := one.facts
		f.text("hole.organisation", o.org)
		f.text("hole.sidecar", o.sidecar)
		f.text("hole.instance", o.instance)
		f.number("hole.missing", n)
		f.number("hole.unreported", unreported[o])
		s.subjects = append(s.subjects, one)
	}
}

func inputOrganisations(m *graph.MovementCount) []string {
	var out []string
	for _, in := range m.Inputs {
		out = union(out, in.Place.Org())
	}
	return out
}

// union adds what is not there yet, and leaves the list that it was given as it is.
func union(list []string, more ...string) []string {
	list = list[:len(list):len(list)]
	for _, s := range more {
		if s != "" && !slices.Contains(list, s) {
			list = append(list, s)
		}
	}
	return list
}
