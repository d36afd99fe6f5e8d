package lineage

import (
	"slices"

	"github.com/rolltrace/rolltrace/schema"
	"github.com/rolltrace/rolltrace/schema/graph"
)

// A movement is one that counts: not retracted, and of no exercise.
type movement struct {
	graph.Outline
	inputs []*place
	output *place // nil for a destroy
}

// enters says whether the movement brings electors to its output.
func (m *movement) enters() bool { return m.output != nil && m.Mode != schema.Counted }

// destroys says whether the movement takes electors away from its input.
func (m *movement) destroys() bool { return m.Removes && m.Mode != schema.Counted }

// whole says whether its electors are derived.
func (m *movement) whole() bool { return m.Mode == schema.Whole }

func compare(a, b *movement) int { return a.Compare(&b.Outline) }

// equal says whether two forms of a movement mean the same to every derivation.
func equal(a, b *movement) bool {
	if a == nil || b == nil {
		return a == b
	}
	return compare(a, b) == 0 && a.Mode == b.Mode && a.Removes == b.Removes && a.output == b.output && slices.Equal(a.inputs, b.inputs)
}

// A place knows the movements at it, each list in their order.
type place struct {
	entries  []*movement // into it
	wholes   []*movement // out of it, or destroying there, whose electors are what it held
	destroys []*movement // that take electors away from it
}

// lists calls do for each list that the movement belongs in.
func (m *movement) lists(do func(*[]*movement)) {
	if m.enters() {
		do(&m.output.entries)
	}
	if m.whole() {
		for _, p := range m.inputs {
			do(&p.wholes)
		}
	}
	if m.destroys() {
		do(&m.inputs[0].destroys)
	}
}

func (m *movement) insert() {
	m.lists(func(list *[]*movement) {
		i, _ := slices.BinarySearchFunc(*list, m, compare)
		*list = slices.Insert(*list, i, m)
	})
}

func (m *movement) remove() {
	m.lists(func(list *[]*movement) {
		if i, found := slices.BinarySearchFunc(*list, m, compare); found {
			*list = slices.Delete(*list, i, i+1)
		}
	})
}

// after is where in the list the movements after m begin.
func after(list []*movement, m *movement) int {
	i, found := slices.BinarySearchFunc(list, m, compare)
	if found {
		i++
	}
	return i
}

// before is where in the list the movements before m end.
func before(list []*movement, m *movement) int {
	i, _ := slices.BinarySearchFunc(list, m, compare)
	return i
}
