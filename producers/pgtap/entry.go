package pgtap

import (
	"bytes"
	"encoding/binary"
)

// An entry reads the data of a COPY … FROM STDIN into a configured table, as the client sends it: its messages begin and end
// anywhere. A nil entry reads nothing.
type entry struct {
	rows    rows
	plan    *plan
	keyers  []Keyer
	harvest harvest
	pile    *pile

	carry   []byte // the beginning of a row
	looked  int    // bytes of it in which the row does not end
	quoted  bool   // they end within a quoted value (CSV)
	newline byte   // how rows end; 0 before the first has
	header  bool   // the next row is names; in binary, that the header has been read
	over    bool   // the end of the data has come
	lost    bool   // it cannot be read
}

// newEntry makes the reader of n columns; nil if they have no identifiers, or it cannot be told which are which.
func (s *session) newEntry(read *Reading, how *Copy, n int, inBinary bool) *entry {
	origins, types, ok := read.fit(n)
	if !ok || how == nil {
		return nil
	}
	columns := make([]Column, n)
	for i := range columns {
		columns[i] = Column{Type: types[i], Binary: inBinary}
	}
	p := newPlan(columns, origins)
	if p.mode != listed {
		return nil
	}
	e := &entry{rows: rows{copy: how, binary: inBinary}, plan: p, pile: newPile(p.sets), header: how.Header && !inBinary}
	for _, space := range p.sets {
		e.keyers = append(e.keyers, s.tap.cfg.Keyer(space)) // its own: the session's are the back's
	}
	e.harvest.begin(p)
	return e
}

// take reads a piece of the data.
func (e *entry) take(data []byte) {
	if e == nil || e.over || e.lost {
		return
	}
	whole := data
	if len(e.carry) > 0 {
		e.carry = append(e.carry, data...)
		whole = e.carry
	}
	rest := whole
	for len(rest) > 0 && !e.over && !e.lost {
		n := e.row(rest)
		if n == 0 {
			break
		}
		rest = rest[n:]
	}
	e.harvest.key(e.keyers)
	e.pile.add(e.harvest.keys, e.harvest.unkeyed, e.harvest.records)
	e.harvest.empty()
	if len(rest) > maxCopyRow {
		e.lost = true
	}
	if e.over || e.lost {
		e.carry = nil
		return
	}
	e.carry = append(e.carry[:0], rest...)
}

// row reads one row, and returns how long it is; 0 if it is not all there.
func (e *entry) row(data []byte) int {
	if e.rows.binary {
		return e.tuple(data)
	}
	end := e.end(data)
	if end < 0 {
		return 0
	}
	line := bytes.TrimSuffix(data[:end], []byte{'\r'})
	switch {
	case string(line) == `\.`:
		e.over = true
	case e.header:
		e.header = false
	default:
		e.line(line)
	}
	return end + 1
}

func (e *entry) line(line []byte) {
	if e.rows.copy.CSV {
		e.rows.csv(&e.harvest, e.plan, line)
	} else {
		e.rows.text(&e.harvest, e.plan, line)
	}
	e.harvest.row()
}

// end is where a row's text ends; -1 if it does not.
func (e *entry) end(data []byte) int {
	quote := or(e.rows.copy.Quote, '"')
	escape := or(e.rows.copy.Escape, quote)
	for at := e.looked; at < len(data); at++ {
		c := data[at]
		switch {
		case e.rows.copy.CSV && e.quoted && c == escape && escape != quote:
			if at+1 == len(data) {
				e.looked = at
				return -1
			}
			at++
		case e.rows.copy.CSV && c == quote:
			e.quoted = !e.quoted
		case !e.rows.copy.CSV && c == '\\':
			if at+1 == len(data) {
				e.looked = at
				return -1
			}
			if data[at+1] != '.' {
				at++
			}
		case c == '\r' && e.newline == 0 && !e.quoted:
			if at+1 == len(data) {
				e.looked = at
				return -1
			}
			if e.newline = '\n'; data[at+1] != '\n' {
				e.newline = '\r'
				at--
			}
		case c == '\n' && e.newline != '\r' && !e.quoted, c == '\r' && e.newline == '\r' && !e.quoted:
			e.looked, e.quoted = 0, false
			if e.newline == 0 {
				e.newline = '\n'
			}
			return at
		}
	}
	e.looked = len(data)
	return -1
}

// tuple reads a row of the binary format, or the header.
func (e *entry) tuple(data []byte) int {
	if !e.header {
		if len(data) < 19 {
			return 0
		}
		extension := int(binary.BigEndian.Uint32(data[15:]))
		if string(data[:11]) != binarySignature || extension < 0 || extension > maxCopyRow {
			e.lost = true
			return 0
		}
		if len(data) < 19+extension {
			return 0
		}
		e.header = true
		return 19 + extension
	}
	if len(data) < 2 {
		return 0
	}
	n := int(int16(binary.BigEndian.Uint16(data)))
	if n < 0 {
		e.over = true
		return 2
	}
	at := 2
	for range n {
		if len(data)-at < 4 {
			return 0
		}
		length := int(int32(binary.BigEndian.Uint32(data[at:])))
		if at += 4; length < 0 {
			continue
		}
		if length > maxCopyRow {
			e.lost = true
			return 0
		}
		if len(data)-at < length {
			return 0
		}
		at += length
	}
	if err := e.harvest.take(e.plan, data[:at]); err != nil {
		e.lost = true
	}
	return at
}

// done returns what was read of a COPY of so many rows; nil if it cannot be told who they were: because it could not be read, or not
// all that was sent went into the table.
func (e *entry) done(records uint64) *pile {
	if e == nil {
		return nil
	}
	if !e.lost && !e.over && len(e.carry) > 0 && !e.rows.binary { // the last row need not end
		e.line(bytes.TrimSuffix(e.carry, []byte{'\r'}))
		e.harvest.key(e.keyers)
		e.pile.add(e.harvest.keys, e.harvest.unkeyed, e.harvest.records)
		e.harvest.empty()
	}
	if e.lost || e.pile.fault != nil || e.pile.records != records {
		e.pile.drop()
		return nil
	}
	return e.pile
}
