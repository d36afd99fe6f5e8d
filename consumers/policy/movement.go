package policy

import (
	"slices"
	"time"

	"github.com/rolltrace/rolltrace/schema"
	"github.com/rolltrace/rolltrace/schema/graph"
	"github.com/rolltrace/rolltrace/schema/registry"
)

// An actor is what somebody moved before.
type actor struct {
	movements uint64
	largest   uint64
}

// A person is what somebody had access to before.
type person struct {
	day   string // the last one
	today uint64 // electors on it, so far
	days  []uint64
}

// movement makes the facts about one movement, and then notes what it means for those that come after it.
func (s *survey) movement(m *graph.MovementCount) *subject {
	at := m.OccurredAt.Time
	now := s.registry.At(at)
	one := s.new(OnMovement, m.Org+"/"+m.Sidecar+"/"+m.ID, at)
	one.movement, one.electors = m.MovementRef, electorsOf(m)
	for _, in := range m.Inputs {
		one.places = union(one.places, string(in.Place))
	}
	one.places = union(one.places, string(m.Output))
	for _, p := range one.places {
		one.organisations = union(one.organisations, schema.Place(p).Org())
		if s.named[p]++; s.named[p] == 1 {
			s.first[p] = at
		}
	}
	f := one.facts
	s.itself(f, m, now, one.electors)
	from := inputOrganisations(m)
	to := now.Place(m.Output)
	f.texts("from.organisations", from)
	var jurisdictions, sources, under []string
	for _, in := range m.Inputs {
		there := now.Place(in.Place)
		jurisdictions = union(jurisdictions, there.Jurisdiction)
		if len(there.Sources) > 0 {
			sources = union(sources, there.Sources...)
		} else {
			sources = union(sources, s.origins[string(in.Place)]...)
		}
		under = union(under, s.under[string(in.Place)]...)
	}
	slices.Sort(sources)
	f.texts("from.jurisdictions", jurisdictions)
	f.texts("from.sources", sources)
	toOrganisation := m.Output.Org()
	f.text("to.organisation", toOrganisation)
	f.text("to.kind", kindOf(now, toOrganisation))
	f.text("to.jurisdiction", to.Jurisdiction)
	f.flag("to.person", m.Output.IsPerson())
	crosses := m.Output != "" && !slices.Contains(from, toOrganisation)
	f.flag("crosses", crosses)

	user := toOrganisation
	if m.Kind != schema.Collect || user == "" {
		user = from[0]
	}
	f.text("user.organisation", user)
	f.text("user.kind", kindOf(now, user))
	s.agreed(f, m, now, at)
	f.texts("onward.forbidding", forbidding(now, under, crosses, toOrganisation))
	s.policyOf(f, now, user)
	s.permitted(f, m, now, at, user, sources, under)
	s.history(f, m, one.electors, at)
	s.note(m, sources, under, crosses)
	return one
}

// itself are the facts that the movement states.
func (s *survey) itself(f *facts, m *graph.MovementCount, now *registry.Index, electors uint64) {
	f.text("movement.kind", string(m.Kind))
	f.text("movement.state", string(m.State))
	f.text("movement.outcome", string(m.Outcome))
	f.text("movement.basis", string(m.Basis))
	f.text("movement.mode", string(m.Mode))
	f.at("movement.occurred_at", m.OccurredAt.Time)
	openFor := time.Duration(0)
	if m.State == schema.Open {
		openFor = max(s.asOf.Sub(m.OccurredAt.Time), 0)
	}
	f.time("movement.open_for", openFor)
	inputs := make([]string, len(m.Inputs))
	for i, in := range m.Inputs {
		inputs[i] = string(in.Place)
	}
	f.texts("movement.inputs", inputs)
	f.text("movement.output", string(m.Output))
	f.text("movement.actor", m.Actor)
	f.text("movement.purpose", m.Purpose)
	f.texts("movement.purposes", now.Purposes(m.Purpose))
	f.text("movement.agreement", m.Agreement)
	f.texts("movement.fields", m.Fields)
	f.number("movement.records", m.Records)
	f.number("movement.unkeyed", m.Unkeyed)
	f.number("movement.electors", electors)
	f.number("movement.chunks_missing", s.read.Missing[m.MovementRef])
}

func (s *survey) agreed(f *facts, m *graph.MovementCount, now *registry.Index, at time.Time) {
	a := now.Agreement(m.Agreement)
	f.flag("agreement.registered", a != nil)
	if a == nil {
		a = &registry.Agreement{}
	}
	f.flag("agreement.active", a.ID != "" && a.Active(at))
	begins, limited := a.Start.Begins()
	f.flag("agreement.started", a.ID != "" && (!limited || !at.Before(begins)))
	f.texts("agreement.parties", a.Parties)
	f.texts("agreement.purposes", a.Purposes)
	f.texts("agreement.fields", a.Fields)
	f.texts("agreement.onward", a.Onward)
}

// forbidding are the agreements of those under which something was received that do not let it go on there.
func forbidding(now *registry.Index, under []string, crosses bool, to string) []string {
	var out []string
	for _, id := range under {
		if a := now.Agreement(id); crosses && a != nil && !slices.Contains(a.Parties, to) && !slices.Contains(a.Onward, to) {
			out = append(out, id)
		}
	}
	return out
}

// policyOf is the policy of an organisation, or of what it is a part of.
func (s *survey) policyOf(f *facts, now *registry.Index, user string) {
	policy := &registry.Policy{}
	for _, id := range now.Family(user) {
		if p := now.Policy(id); p != nil {
			policy = p
			break
		}
	}
	f.flag("policy.registered", policy.Organisation != "")
	f.texts("policy.purposes", policy.Purposes)
	f.texts("policy.fields", policy.Fields)
	f.texts("policy.jurisdictions", policy.Jurisdictions)
}

// permitted says which sources do not permit what was done. Whoever received records under an agreement acts for those who
// agreed too; a person with a role that a source names acts in that role.
func (s *survey) permitted(f *facts, m *graph.MovementCount, now *registry.Index, at time.Time, user string, sources, under []string) {
	who := []string{kindOf(now, user)}
	for _, id := range under {
		if a := now.Agreement(id); a != nil && a.Active(at) {
			for _, party := range a.Parties {
				who = union(who, kindOf(now, party))
			}
		}
	}
	var roles []string
	if p := now.Person(m.Actor); p != nil {
		roles = p.Roles
	}
	jurisdiction := ""
	if o := now.Organisation(user); o != nil {
		jurisdiction = o.Jurisdiction
	}
	purposes := now.Purposes(m.Purpose)
	var forbidding, electionOnly, rules []string
	for _, id := range sources {
		source := now.Source(id)
		if source == nil || len(source.Permits) == 0 || m.Purpose == "" || m.Kind == schema.Destroy {
			continue
		}
		acting := who
		if named := slices.DeleteFunc(slices.Clone(roles), func(role string) bool { return !names(source, role) }); len(named) > 0 {
			acting = named
		}
		ever, then := false, false
		for _, p := range source.Permits {
			if !slices.ContainsFunc(p.To, func(to string) bool { return slices.Contains(acting, to) }) {
				continue
			}
			if len(p.Purposes) == 0 || slices.ContainsFunc(purposes, func(x string) bool { return slices.Contains(p.Purposes, x) }) {
				ever = true
				then = then || !p.DuringElection || now.Election(jurisdiction, at)
			}
		}
		switch {
		case !ever:
			forbidding, rules = append(forbidding, id), union(rules, source.Rule)
		case !then:
			electionOnly, rules = append(electionOnly, id), union(rules, source.Rule)
		}
	}
	f.texts("source.forbidding", forbidding)
	f.texts("source.election_only", electionOnly)
	f.texts("source.rules", rules)
}

// names says whether a source has a permit for the role.
func names(source *registry.Source, role string) bool {
	return slices.ContainsFunc(source.Permits, func(p registry.Permit) bool { return slices.Contains(p.To, role) })
}

// history are the facts about what went before.
func (s *survey) history(f *facts, m *graph.MovementCount, electors uint64, at time.Time) {
	f.share("history.share_of_roll", s.share(m))
	by := s.actorOf(m)
	f.number("history.actor_movements", by.movements)
	f.number("history.actor_largest", by.largest)
	by.movements++
	by.largest = max(by.largest, electors)

	who, p := "", &person{}
	if m.Kind == schema.Access {
		if who = m.Actor; m.Output.IsPerson() {
			who = string(m.Output)
		}
		if who != "" {
			p = s.access(who, electors, at.Format(time.DateOnly))
		}
	}
	f.text("history.person", who)
	f.number("history.person_days", uint64(len(p.days)))
	f.number("history.person_day", p.today)
	f.number("history.person_usual", median(p.days))
	f.number("history.used_after_destruction", s.read.Used[m.MovementRef].Electors)
	var said []string
	for _, in := range m.Inputs {
		if m.Output != "" && s.said[string(in.Place)] {
			said = union(said, string(in.Place))
		}
	}
	f.texts("history.attested_before", said)
}

func (s *survey) actorOf(m *graph.MovementCount) *actor {
	name := m.Actor
	if name == "" {
		name = m.Org + " " + m.RecordedBy.User
	}
	if s.actors[name] == nil {
		s.actors[name] = &actor{}
	}
	return s.actors[name]
}

func (s *survey) access(who string, electors uint64, day string) *person {
	p := s.people[who]
	if p == nil {
		p = &person{day: day}
		s.people[who] = p
	}
	if p.day != day {
		at, _ := slices.BinarySearch(p.days, p.today)
		p.days = slices.Insert(p.days, at, p.today)
		p.day, p.today = day, 0
	}
	p.today += electors
	return p
}

// median of a list in order; 0 when it is empty.
func median(sorted []uint64) uint64 {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[len(sorted)/2]
}

// share is the part of all electors that are known that the movement carried.
func (s *survey) share(m *graph.MovementCount) float64 {
	share, most := 0.0, uint64(0)
	for _, c := range m.Electors { // of the id space that electorsOf counts
		if known := s.known[graph.Count{IDSpace: c.IDSpace, KeyID: c.KeyID}]; known > 0 && c.Electors > most {
			share, most = float64(c.Electors)/float64(known), c.Electors
		}
	}
	if m.Mode == schema.Counted {
		for _, known := range s.known {
			if known > 0 {
				share = max(share, float64(m.Records)/float64(known))
			}
		}
	}
	return min(share, 1)
}

// note keeps what the movements that come after have to know.
func (s *survey) note(m *graph.MovementCount, sources, under []string, crosses bool) {
	if m.Output == "" {
		for _, in := range m.Inputs {
			if place := string(in.Place); !m.Removes {
				s.said[place] = true
			} else if m.Mode == schema.Whole {
				delete(s.origins, place)
				delete(s.under, place)
			}
		}
		return
	}
	to := string(m.Output)
	s.origins[to] = union(s.origins[to], sources...)
	if crosses {
		under = nil // what it was received under before binds whoever passed it on
		if m.Agreement != "" {
			under = []string{m.Agreement}
		}
	}
	s.under[to] = union(s.under[to], under...)
}

// electorsOf is how many electors a movement carried: those of the id space with the most, because one person may be in several.
func electorsOf(m *graph.MovementCount) uint64 {
	n := uint64(0)
	for _, c := range m.Electors {
		n = max(n, c.Electors)
	}
	return n
}

func kindOf(now *registry.Index, organisation string) string {
	if o := now.Organisation(organisation); o != nil {
		return o.Kind
	}
	return ""
}
