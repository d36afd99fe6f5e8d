package lineage

import (
	"bytes"
	"cmp"
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/rolltrace/rolltrace/schema"
)

// A movement is one that counts: not retracted. All of them are in memory: some 170 bytes
// each, with what points to them.
type movement struct {
	number  uint32
	mode    schema.Mode
	removes bool
	keys    uint64 // announced
	at      int64  // microseconds
	from    *sidecar
	id      uuid.UUID
	inputs  []*place
	output  *place // nil for a destroy
}

// A sidecar is there once for all of its movements.
type sidecar struct{ org, name string }

// enters says whether the movement brings electors to its output.
func (m *movement) enters() bool { return m.output != nil && m.mode != schema.Counted }

// destroys says whether the movement takes electors away from its input.
func (m *movement) destroys() bool { return m.removes && m.mode != schema.Counted }

// whole says whether its electors are derived.
func (m *movement) whole() bool { return m.mode == schema.Whole }

// compare is the order of movements: (occurred_at, org, sidecar, id).
func compare(a, b *movement) int {
	if a.at != b.at {
		return cmp.Compare(a.at, b.at)
	}
	if a.from != b.from {
		return cmp.Or(strings.Compare(a.from.org, b.from.org), strings.Compare(a.from.name, b.from.name))
	}
	return bytes.Compare(a.id[:], b.id[:]) // as their texts compare
}

// equal says whether two forms of a movement mean the same to every derivation.
func equal(a, b *movement) bool {
	if a == nil || b == nil {
		return a == b
	}
	return compare(a, b) == 0 && a.mode == b.mode && a.removes == b.removes && a.output == b.output && slices.Equal(a.inputs, b.inputs)
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
