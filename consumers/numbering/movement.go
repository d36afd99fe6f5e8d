package numbering

import (
	"encoding/binary"
	"errors"
	"unsafe"

	"github.com/google/uuid"
)

// movements numbers movements: a table from a hash of the name to the number, and the names by number, which tell
// two names with one hash apart.
type movements struct {
	mix      mixer
	sidecars map[sidecarName]uint32
	index    *table
	names    []namePage
	count    uint64
}

type sidecarName struct{ org, sidecar string }

// A movementName takes 20 bytes.
type movementName struct {
	id      uuid.UUID
	sidecar uint32
}

const pageNames = pageBytes / 20

type namePage struct {
	names *[pageNames]movementName
	page  *page // that they stand in, or nil
}

func newNamePage() namePage {
	if p := pages.take(); p != nil {
		return namePage{(*[pageNames]movementName)(unsafe.Pointer(p)), p}
	}
	return namePage{names: new([pageNames]movementName)}
}

func newMovements(mix mixer) movements {
	return movements{mix: mix, sidecars: make(map[sidecarName]uint32), index: newTable(mix)}
}

func (m *movements) free() {
	if m.index != nil {
		m.index.free()
	}
	for _, p := range m.names {
		if p.page != nil {
			pages.give(p.page)
		}
	}
	*m = movements{}
}

// number returns the number of a movement, giving it the next one if it has none.
func (m *movements) number(org, sidecar, id string) (number uint32, first bool, err error) {
	parsed, err := uuid.Parse(id)
	if err != nil {
		return 0, false, errors.New("number a movement: id: want a UUID")
	}
	from, known := m.sidecars[sidecarName{org, sidecar}]
	if !known {
		from = uint32(len(m.sidecars))
	}
	name := movementName{parsed, from}
	hash := m.hash(name)
	for {
		s := m.index.segment(hash)
		found := s.find(hash, s.home(hash))
		if found == 0 {
			break
		}
		if *m.name(found - 1) == name {
			return found - 1, false, nil
		}
		hash = m.mix.mix(hash) // another movement has this one
	}
	if m.count >= maxNumbers {
		return 0, false, ErrExhausted
	}
	number = uint32(m.count)
	m.sidecars[sidecarName{org, sidecar}] = from
	*m.name(number) = name
	m.index.insert(hash, number)
	m.count++
	return number, true, nil
}

func (m *movements) hash(n movementName) uint64 {
	hash := m.mix.mix(uint64(n.sidecar))
	hash = m.mix.mix(hash ^ binary.LittleEndian.Uint64(n.id[8:]))
	return m.mix.mix(hash ^ binary.LittleEndian.Uint64(n.id[:8]))
}

// name is where the name of a number is kept.
func (m *movements) name(number uint32) *movementName {
	i := int(number / pageNames)
	if i == len(m.names) {
		m.names = append(m.names, newNamePage())
	}
	return &m.names[i].names[number%pageNames]
}
