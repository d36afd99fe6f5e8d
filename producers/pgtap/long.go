package pgtap

import (
	"encoding/binary"
	"fmt"
)

// A longRow reads a DataRow that is too long to be held as a whole, as its bytes come. Its identifiers are looked for in
// their order; when the last one is known the rest goes on unseen. Bytes before an identifier go on first only when
// there are more of them than the hold has room for: the row is never complete at the client before its keys are durable.
type longRow struct {
	active  bool
	rest    int // bytes of the body that were not looked at
	columns int // -1 before their number was read
	column  int // the next one
	id      int // of plan.ids: the next one
	skip    int // bytes of a value that is none
}

func (l *longRow) begin(b *back, body int) {
	*l = longRow{active: true, rest: body, columns: -1}
	if b.plan.mode != listed {
		l.id = len(b.plan.ids)
	}
}

// walk looks at what there is. more says that the row is behind it.
func (l *longRow) walk(b *back) (more bool, err error) {
	short := fmt.Errorf("%w: the server sent a row that is shorter than its description", errProtocol)
	take := func(n int) []byte {
		at := b.in.from + b.scanned
		if n > l.rest || b.in.to-at < n {
			return nil
		}
		return b.in.data[at : at+n : at+n]
	}
	advance := func(n int) {
		b.scanned += n
		l.rest -= n
	}
	// So much is held at once: what is before it goes on.
	flood := func() {
		b.harvest.key(b.keyers)
		if b.scanned >= exportCut {
			b.clear = b.scanned
		}
	}
	for l.id < len(b.plan.ids) {
		if l.skip > 0 {
			n := min(l.skip, b.in.to-b.in.from-b.scanned)
			if l.skip > l.rest {
				return false, short
			}
			advance(n)
			if l.skip -= n; l.skip > 0 {
				flood()
				return false, nil
			}
		}
		if l.columns < 0 {
			head := take(2)
			if head == nil {
				return false, nil
			}
			l.columns = int(binary.BigEndian.Uint16(head))
			advance(2)
		}
		if l.column >= l.columns || l.rest < 4 {
			return false, short
		}
		head := take(4)
		if head == nil {
			flood()
			return false, nil
		}
		length := int(int32(binary.BigEndian.Uint32(head)))
		if wanted := b.plan.ids[l.id]; wanted.column == l.column {
			if length >= 0 && length <= maxID {
				if l.rest < 4+length {
					return false, short
				}
				value := take(4 + length)
				if value == nil {
					flood()
					return false, nil
				}
				b.harvest.value(wanted, value[4:])
				advance(4 + length)
				l.column++
				l.id++
				continue
			}
			l.id++
		}
		advance(4)
		l.column++
		l.skip = max(length, 0)
	}
	b.harvest.row()
	b.passing = l.rest
	l.active = false
	b.clear = b.scanned
	b.harvest.key(b.keyers)
	return true, nil
}
