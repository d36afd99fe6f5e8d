package oracle

import (
	"bytes"
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/rolltrace/rolltrace/schema"
	"github.com/rolltrace/rolltrace/schema/wire"
)

// A Ref names a movement.
type Ref struct{ Org, Sidecar, ID string }

// An Elector is an elector key, with what it is a key of.
type Elector struct {
	IDSpace schema.IDSpace
	KeyID   schema.KeyID
	Key     schema.Key
}

// A Set is a set of electors.
type Set map[Elector]bool

func (s Set) add(other Set) { maps.Copy(s, other) }

func (s Set) remove(other Set) {
	for e := range other {
		delete(s, e)
	}
}

// A Model is everything that was delivered. It is a set: adding a message twice, or in another order, makes no
// difference.
type Model struct {
	movements map[Ref]*recorded
	outboxes  map[outbox]*chain
	called    map[schema.SetRole]Set // what chunks said of electors: that they are seeds, that they are none
	seeded    bool                   // seeds are electors like others
}

// recorded is everything delivered of one movement: its revisions may be missing, and so may its chunks.
type recorded struct {
	revisions map[revision]*schema.Movement
	chunks    map[chunk]Set // of two with one number, both count
}

type revision struct {
	number uint32
	hash   [32]byte // SHA-256 of the body
}

func (r revision) compare(other revision) int {
	return cmp.Or(cmp.Compare(r.number, other.number), bytes.Compare(r.hash[:], other.hash[:]))
}

type chunk struct {
	set   uint16
	index uint32
}

type outbox struct{ org, sidecar, instance string }

type chain struct {
	arrived  map[uint64]bool
	reported []wire.Gap
	beats    []beat
}

// A beat is a heartbeat.
type beat struct {
	*wire.Heartbeat
	sequence uint64
}

// New returns a model of nothing.
func New() *Model {
	return &Model{movements: map[Ref]*recorded{}, outboxes: map[outbox]*chain{}, called: map[schema.SetRole]Set{}}
}

// Add delivers one message of the log.
func (m *Model) Add(r *wire.Record) {
	box := outbox{r.Org, r.Sidecar, r.Instance}
	if m.outboxes[box] == nil {
		m.outboxes[box] = &chain{arrived: map[uint64]bool{}}
	}
	known := m.outboxes[box].arrived[r.Sequence]
	m.outboxes[box].arrived[r.Sequence] = true
	switch {
	case r.Movement != nil:
		m.recorded(Ref{r.Org, r.Sidecar, r.Movement.ID}).revisions[revision{r.Movement.Revision, r.BodyHash}] = r.Movement
	case r.Chunk != nil:
		chunks := m.recorded(Ref{r.Org, r.Sidecar, r.Chunk.Movement}).chunks
		id := chunk{r.Chunk.Set, r.Chunk.Index}
		if chunks[id] == nil {
			chunks[id] = Set{}
		}
		if m.called[r.Chunk.Role] == nil {
			m.called[r.Chunk.Role] = Set{}
		}
		for _, key := range r.Chunk.Keys {
			e := Elector{r.Chunk.IDSpace, r.Chunk.KeyID, key}
			chunks[id][e] = true
			m.called[r.Chunk.Role][e] = true
		}
	case r.Heartbeat != nil && !known:
		m.outboxes[box].beats = append(m.outboxes[box].beats, beat{r.Heartbeat, r.Sequence})
	case r.Gap != nil && !known:
		m.outboxes[box].reported = append(m.outboxes[box].reported, *r.Gap)
	}
}

func (m *Model) recorded(ref Ref) *recorded {
	if m.movements[ref] == nil {
		m.movements[ref] = &recorded{map[revision]*schema.Movement{}, map[chunk]Set{}}
	}
	return m.movements[ref]
}

// Seed says whether an elector is an invented entry: some chunk says so, and none says that it is none.
func (m *Model) Seed(e Elector) bool {
	return m.called[schema.Seeds][e] && !m.called[schema.NoSeeds][e]
}

// WithSeeds is the same model, with seeds as electors like others: for questions about a seed.
func (m *Model) WithSeeds() *Model {
	seeded := *m
	seeded.seeded = true
	return &seeded
}

// A Movement is a movement in its current form: the greatest (revision, SHA-256 of the body).
type Movement struct {
	Ref
	schema.Movement
	Revisions int // how many there are
	Missing   int // chunks that its current form announces, and that are not here
	S         Set // its electors, S(m)

	// From is where each of its electors came from: see attribute. Of those in unclear it is not known.
	shift time.Duration // to its place in the order, see Shifted

	From    map[Elector][]schema.Place
	unclear Set
}

// Counts says whether the movement says anything about electors: one that is retracted does not.
func (m *Movement) Counts() bool { return m.Outcome != schema.Retracted }

// Adds says whether the movement brings electors to its output.
func (m *Movement) Adds() bool { return m.Counts() && m.Output != "" }

func (m *Movement) inputs() []schema.Place {
	var places []schema.Place
	for _, in := range m.Inputs {
		places = append(places, in.Place)
	}
	return places
}

// before orders movements: by occurred_at, then organisation, sidecar, id.
func (m *Movement) before(other *Movement) int {
	return cmp.Or(m.OccurredAt.Add(m.shift).Compare(other.OccurredAt.Add(other.shift)), cmp.Compare(m.Ref.Org, other.Ref.Org),
		cmp.Compare(m.Ref.Sidecar, other.Ref.Sidecar), cmp.Compare(m.Ref.ID, other.Ref.ID))
}

// current is every movement of which a revision is here, in its current form and in order.
func (m *Model) current(shift func(*Movement) time.Duration) []*Movement {
	var out []*Movement
	for ref, r := range m.movements {
		if len(r.revisions) == 0 {
			continue
		}
		last := slices.MaxFunc(slices.Collect(maps.Keys(r.revisions)), revision.compare)
		form := r.revisions[last]
		movement := &Movement{Ref: ref, Movement: *form, Revisions: len(r.revisions), S: Set{}, From: map[Elector][]schema.Place{}, unclear: Set{}}
		if form.Electors.Mode == schema.Listed {
			for _, keys := range r.chunks {
				movement.S.add(keys)
			}
			if !m.seeded {
				maps.DeleteFunc(movement.S, func(e Elector, _ bool) bool { return m.Seed(e) })
			}
		}
		if form.State == schema.Closed {
			for i, set := range form.Electors.Sets {
				for index := range set.Chunks {
					if r.chunks[chunk{uint16(i), index}] == nil {
						movement.Missing++
					}
				}
			}
		}
		movement.shift = shift(movement)
		out = append(out, movement)
	}
	slices.SortFunc(out, (*Movement).before)
	return out
}

// Orphans are the movements of which only chunks are here, with how many.
func (m *Model) Orphans() map[Ref]int {
	out := map[Ref]int{}
	for ref, r := range m.movements {
		if len(r.revisions) == 0 {
			out[ref] = len(r.chunks)
		}
	}
	return out
}

// Knows says whether an elector was ever in a chunk.
func (m *Model) Knows(e Elector) bool {
	for _, r := range m.movements {
		for _, keys := range r.chunks {
			if keys[e] {
				return true
			}
		}
	}
	return false
}

// asRecorded is the order that the movements have.
func asRecorded(*Movement) time.Duration { return 0 }
