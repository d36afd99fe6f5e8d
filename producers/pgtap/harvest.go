package pgtap

import (
	"encoding/binary"
	"fmt"

	"github.com/rolltrace/rolltrace/schema"
)

// A harvest is what was read of a result and is not recorded yet.
type harvest struct {
	keys    [][]schema.Key // of each set of the plan
	unkeyed []uint64       // likewise: rows without an identifier
	records uint64

	ids  [][][]byte // identifiers that are not keys yet; they point into the buffer, or into text
	text []byte     // of identifiers that came in binary
	seen []bool     // sets that the row has an identifier of
}

// begin empties the harvest for a plan.
func (h *harvest) begin(p *plan) {
	n := len(p.sets)
	for len(h.keys) < n {
		h.keys, h.ids = append(h.keys, nil), append(h.ids, nil)
		h.unkeyed, h.seen = append(h.unkeyed, 0), append(h.seen, false)
	}
	h.keys, h.ids, h.unkeyed, h.seen = h.keys[:n], h.ids[:n], h.unkeyed[:n], h.seen[:n]
	h.empty()
}

// empty forgets what has been recorded.
func (h *harvest) empty() {
	for i := range h.keys {
		h.keys[i], h.ids[i], h.unkeyed[i] = h.keys[i][:0], h.ids[i][:0], 0
	}
	h.text, h.records = h.text[:0], 0
}

func (h *harvest) add(set int, id []byte) {
	h.ids[set] = append(h.ids[set], id)
	h.seen[set] = true
}

// row ends a row: a set that it has no identifier of is unkeyed.
func (h *harvest) row() {
	h.records++
	for i, seen := range h.seen {
		if !seen {
			h.unkeyed[i]++
		}
		h.seen[i] = false
	}
}

// take reads the identifiers of a DataRow.
func (h *harvest) take(p *plan, body []byte) error {
	if p.mode != listed {
		h.records++
		return nil
	}
	if len(body) < 2 {
		return fmt.Errorf("%w: the server sent a row without columns", errProtocol)
	}
	columns := int(binary.BigEndian.Uint16(body))
	at, column := 2, 0
	for _, id := range p.ids {
		for ; ; column++ {
			if column >= columns || at+4 > len(body) {
				return fmt.Errorf("%w: the server sent a row that is shorter than its description", errProtocol)
			}
			length := int(int32(binary.BigEndian.Uint32(body[at:])))
			at += 4
			if length < 0 {
				if column == id.column {
					column++
					break
				}
				continue
			}
			if length > len(body)-at {
				return fmt.Errorf("%w: the server sent a row that is shorter than its description", errProtocol)
			}
			value := body[at : at+length : at+length]
			at += length
			if column == id.column {
				h.value(id, value)
				column++
				break
			}
		}
	}
	h.row()
	return nil
}

// value adds an identifier, in text as it is.
func (h *harvest) value(id idColumn, value []byte) {
	if len(value) > maxID {
		return
	}
	if id.value == asText {
		if len(value) > 0 {
			h.add(id.set, value)
		}
		return
	}
	start := len(h.text)
	text, ok := id.value.decode(h.text, value)
	if ok {
		h.text = text
		h.add(id.set, text[start:len(text):len(text)])
	}
}

// key makes keys of the identifiers, while their bytes are there.
func (h *harvest) key(keyers []Keyer) {
	for i, ids := range h.ids {
		if len(ids) == 0 {
			continue
		}
		before := len(h.keys[i])
		h.keys[i] = keyers[i].Keys(h.keys[i], ids)
		h.unkeyed[i] += uint64(len(ids) - (len(h.keys[i]) - before))
		h.ids[i] = ids[:0]
	}
	h.text = h.text[:0]
}
