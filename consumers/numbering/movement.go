package numbering

import (
	"fmt"

	"github.com/google/uuid"
)

// movements numbers movements. Go's map is good enough: there are far fewer of them than electors, and they
// come one by one.
type movements struct {
	sidecars map[sidecarName]uint32
	numbers  map[movementName]uint32
}

type sidecarName struct{ org, sidecar string }

type movementName struct {
	id      uuid.UUID
	sidecar uint32
}

func newMovements() movements {
	return movements{sidecars: make(map[sidecarName]uint32), numbers: make(map[movementName]uint32)}
}

// number returns the number of a movement, giving it the next one if it has none.
func (m *movements) number(org, sidecar, id string) (number uint32, first bool, err error) {
	parsed, err := uuid.Parse(id)
	if err != nil {
		return 0, false, fmt.Errorf("number movement: id: want a UUID")
	}
	name := movementName{id: parsed}
	from := sidecarName{org, sidecar}
	known := false
	if name.sidecar, known = m.sidecars[from]; !known {
		name.sidecar = uint32(len(m.sidecars))
	}
	if number, ok := m.numbers[name]; ok {
		return number, false, nil
	}
	if uint64(len(m.numbers)) >= maxNumbers {
		return 0, false, ErrExhausted
	}
	m.sidecars[from] = name.sidecar
	number = uint32(len(m.numbers))
	m.numbers[name] = number
	return number, true, nil
}
