package lineage

import (
	"github.com/rolltrace/rolltrace/schema/graph"
)

// A state is the graph of movements and places up to some message of the log.
type state struct {
	movements map[uint32]*movement // those that count
	places    map[string]*place
	sidecars  map[sidecar]*sidecar
}

func newState() *state {
	return &state{movements: map[uint32]*movement{}, places: map[string]*place{}, sidecars: map[sidecar]*sidecar{}}
}

func (s *state) place(name string) *place {
	p, ok := s.places[name]
	if !ok {
		p = &place{}
		s.places[name] = p
	}
	return p
}

// movement is the form that the outline describes; nil when it is no part of any answer.
func (s *state) movement(o graph.Outline) *movement {
	if o.Void {
		return nil
	}
	m := &movement{number: o.Movement, mode: o.Mode, removes: o.Removes, keys: o.Keys, at: o.OccurredAt, id: o.ID,
		from: s.sidecar(sidecar{o.Org, o.Sidecar}), inputs: make([]*place, len(o.Inputs))}
	for i, name := range o.Inputs {
		m.inputs[i] = s.place(name)
	}
	if o.Output != "" {
		m.output = s.place(o.Output)
	}
	return m
}

func (s *state) sidecar(name sidecar) *sidecar {
	known, ok := s.sidecars[name]
	if !ok {
		known = &name
		s.sidecars[name] = known
	}
	return known
}

// A change is a movement before and after some messages of the log; nil where it does not count.
type change struct{ was, is *movement }

// apply brings an outline in, and says whether it changed anything.
func (s *state) apply(o graph.Outline) (change, bool) {
	was, is := s.movements[o.Movement], s.movement(o)
	if equal(was, is) {
		return change{}, false
	}
	if was != nil {
		was.remove()
		delete(s.movements, o.Movement)
	}
	if is != nil {
		is.insert()
		s.movements[o.Movement] = is
	}
	return change{was, is}, true
}

// chunks returns the changes that are the arrival of further electors of listed movements.
func (s *state) chunks(movements []uint32) []change {
	var changes []change
	for _, number := range movements {
		if m := s.movements[number]; m != nil && !m.whole() {
			changes = append(changes, change{m, m})
		}
	}
	return changes
}
