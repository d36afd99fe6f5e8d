package oracle

import (
	"slices"

	"github.com/rolltrace/rolltrace/schema"
)

// Size is how much there is to a history: steps first, then arrivals out of order.
func (h History) Size() int {
	size := 0
	for i, s := range h.Steps {
		size += 1000
		for _, at := range s.Arrives {
			size += 10
			if at != i {
				size++
			}
		}
		switch {
		case s.Chunk != nil:
			size += len(s.Chunk.Electors)
		case s.Movement != nil:
			size += 100*len(s.Movement.Electors.Sets) + 50*len(s.Movement.Inputs)
		}
	}
	return size
}

// Coarser are smaller histories that lack some of its movements: half of them, a quarter, down to one.
func (h History) Coarser() []History {
	var refs []Ref
	for _, s := range h.Steps {
		if ref := s.ref(); !slices.Contains(refs, ref) {
			refs = append(refs, ref)
		}
	}
	var out []History
	for n := len(refs) / 2; n > 0; n /= 2 {
		for from := 0; from < len(refs); from += n {
			gone := refs[from:min(from+n, len(refs))]
			out = append(out, h.without(func(_ int, s Step) bool { return slices.Contains(gone, s.ref()) }))
		}
	}
	return out
}

// Finer are the histories that are a little smaller: without one of the messages, with fewer electors in a chunk, or
// with the messages in the order in which they were published.
func (h History) Finer() []History {
	var out []History
	for i, s := range h.Steps {
		out = append(out, h.without(func(j int, _ Step) bool { return j == i }))
		if s.Chunk != nil && len(s.Chunk.Electors) > 1 {
			for _, letter := range s.Chunk.Electors {
				out = append(out, h.with(i, func(s *Step) {
					c := *s.Chunk
					c.Electors = string(letter)
					s.Chunk = &c
				}))
			}
		}
		if len(s.Arrives) > 1 {
			out = append(out, h.with(i, func(s *Step) { s.Arrives = s.Arrives[:1] }))
		}
		if s.Movement != nil && len(s.Movement.Inputs) > 1 && s.Movement.Kind != schema.Merge {
			out = append(out, h.with(i, func(s *Step) {
				m := *s.Movement
				m.Inputs = m.Inputs[:1]
				s.Movement = &m
			}))
		}
	}
	ordered := History{Steps: slices.Clone(h.Steps)}
	for i, s := range ordered.Steps {
		if len(s.Arrives) > 0 {
			ordered.Steps[i].Arrives = []int{i}
		}
	}
	out = append(out, ordered)
	return slices.DeleteFunc(out, func(smaller History) bool { return len(smaller.Steps) == 0 || smaller.Size() >= h.Size() })
}

// ref is the movement that a step is of.
func (s Step) ref() Ref {
	switch {
	case s.Movement != nil:
		return Ref{Org: s.Sidecar, ID: s.Movement.ID}
	case s.Chunk != nil:
		return Ref{Org: s.Sidecar, ID: s.Chunk.Movement}
	}
	return Ref{}
}

func (h History) without(drop func(int, Step) bool) History {
	var out History
	for i, s := range h.Steps {
		if !drop(i, s) {
			out.Steps = append(out.Steps, s)
		}
	}
	return out
}

func (h History) with(i int, change func(*Step)) History {
	out := History{Steps: slices.Clone(h.Steps)}
	change(&out.Steps[i])
	return out
}
