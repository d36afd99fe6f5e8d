package delimited

import (
	"bytes"
	"fmt"
	"math/bits"
)

// A walk goes through well-formed records, 64 bytes at a time: what is within and without quotes is told by whether an odd
// number of quotes is before it, so fields that hold delimiters and line breaks cost no more than others. Whatever is not well
// formed it leaves to record, which looks at one byte after the other.
type walk struct {
	s    *Scanner
	data []byte
	rows *Rows
	base int // of data in the text of the rows

	start  int  // of the record
	quotes bool // it has some

	next    int    // of s.wanted, in this record
	wants   bool   // there is a next
	seen    int    // delimiters so far
	target  int    // the delimiter to wait for, from 1: the one before the wanted field, or the one that ends it
	from    int    // where the wanted field begins, or -1
	emitted uint64 // id columns whose identifier was added, bit by bit
}

// masked takes complete records from pos on. It returns where the first one begins that it did not take, and whether record
// should look at that.
func (s *Scanner) masked(data []byte, pos int, rows *Rows, base int) (next int, exact bool, err error) {
	w := walk{s: s, data: data, rows: rows, base: base}
	w.begin(pos, false)
	var (
		inside    uint64     // all bits, when the group before ended within quotes
		separator uint64 = 1 // the bit 0, when a quote may come first: the byte before ends a field
		closed    uint64     // likewise: the byte before is a closing quote
		masks     = s.masks[:0]
		valid     = ^uint64(0) // the bits of the group that are data
	)
	for at := pos; at < len(data); at += groupBytes {
		if len(masks) == 0 {
			if n := min((len(data)-at)/groupBytes, len(s.masks)); n > 0 {
				masks = s.masks[:n]
				classify(masks, data[at:], s.delimiter, s.eol)
			} else {
				var last [groupBytes]byte
				valid = 1<<copy(last[:], data[at:]) - 1
				masks = s.masks[:1]
				classify(masks, last[:], s.delimiter, s.eol)
			}
		}
		delimiters, quotes, eols := masks[0].delimiters&valid, masks[0].quotes&valid, masks[0].eols&valid
		masks = masks[1:]
		var bad uint64
		if quotes|inside|closed != 0 {
			w.quotes = w.quotes || quotes != 0
			within := parity(quotes) ^ inside
			delimiters &^= within
			eols &^= within
			opening, closing := quotes&within, quotes&^within
			ends := delimiters | eols | quotes
			// What opens has something before it that ends a field, or is the second of two quotes in one; what closes has
			// something behind it that ends its field, or is the first of two.
			bad = opening &^ (ends<<1 | separator)
			odd := (closing<<1 | closed) &^ ends & valid
			for ; odd != 0; odd &= odd - 1 {
				if i := bits.TrailingZeros64(odd); !s.isCRLF(data[at+i:]) {
					bad |= 1 << i
				}
			}
			inside, closed, separator = -(within >> 63), closing>>63, ends>>63
		} else {
			separator = (delimiters | eols) >> 63
		}
		if bad != 0 {
			eols &= bad&-bad - 1
		}
		for eols != 0 {
			end := bits.TrailingZeros64(eols)
			upTo := eols ^ (eols - 1)
			if w.wants {
				if err := w.fields(at, delimiters&upTo); err != nil {
					return w.start, false, err
				}
			}
			if err := w.end(at + end); err != nil {
				return w.start, false, err
			}
			delimiters &^= upTo
			eols &= eols - 1
			w.begin(at+end+1, quotes&^upTo != 0)
			if rows.full() {
				return w.start, false, nil
			}
		}
		if bad != 0 {
			w.undo()
			return w.start, true, nil
		}
		if w.wants && delimiters != 0 {
			if err := w.fields(at, delimiters); err != nil {
				return w.start, false, err
			}
		}
	}
	w.undo()
	return w.start, false, nil
}

// isCRLF says whether b begins with a line end of two bytes.
func (s *Scanner) isCRLF(b []byte) bool {
	return s.eol == '\n' && len(b) > 1 && b[0] == '\r' && b[1] == '\n'
}

// begin begins a record.
func (w *walk) begin(at int, quotes bool) {
	w.start, w.quotes = at, quotes
	w.next, w.seen, w.from, w.emitted = 0, 0, -1, 0
	if w.wants = len(w.s.wanted) > 0; w.wants {
		if w.target = w.s.wanted[0].column; w.target == 0 {
			w.from, w.target = at, 1
		}
	}
}

// fields goes through delimiters of the record in the group at at, to the wanted fields.
func (w *walk) fields(at int, delimiters uint64) error {
	for w.wants {
		if n := bits.OnesCount64(delimiters); w.seen+n < w.target {
			w.seen += n
			return nil
		}
		for ; w.seen+1 < w.target; w.seen++ {
			delimiters &= delimiters - 1
		}
		w.seen++
		here := at + bits.TrailingZeros64(delimiters)
		delimiters &= delimiters - 1
		if w.from < 0 {
			w.from, w.target = here+1, w.target+1
			continue
		}
		if err := w.emit(here); err != nil {
			return err
		}
		w.next++
		if w.wants = w.next < len(w.s.wanted); !w.wants {
			return nil
		}
		w.from, w.target = -1, w.s.wanted[w.next].column
		if w.target == w.seen { // the next field
			w.from, w.target = here+1, w.target+1
		}
	}
	return nil
}

// end ends the record at its line end.
func (w *walk) end(at int) error {
	if at > w.start && w.data[at-1] == '\r' {
		at--
	}
	if at == w.start {
		return nil // an empty line
	}
	if at-w.start > w.s.maxRecord {
		w.undo()
		return w.s.fault(fmt.Sprintf("longer than %d bytes", w.s.maxRecord))
	}
	if w.wants && w.from >= 0 {
		if err := w.emit(at); err != nil {
			return err
		}
	}
	w.rows.Records++
	w.s.records++
	return nil
}

// emit adds the wanted field, which ends at to.
func (w *walk) emit(to int) error {
	from, escaped := w.from, false
	if w.quotes && to > from && w.data[from] == '"' {
		from++
		to--
		escaped = bytes.IndexByte(w.data[from:to], '"') >= 0
	}
	id := w.s.wanted[w.next].id
	switch {
	case to == from:
		return nil
	case to-from > MaxID:
		w.undo()
		return w.s.tooLong()
	case escaped:
		w.rows.addUnescaped(id, w.data[from:to])
	default:
		w.rows.add(id, w.base+from, to-from)
	}
	w.emitted |= 1 << id
	return nil
}

// undo takes back what was added of a record that is not complete.
func (w *walk) undo() {
	for ; w.emitted != 0; w.emitted &= w.emitted - 1 {
		ids := &w.rows.ids[bits.TrailingZeros64(w.emitted)]
		*ids = (*ids)[:len(*ids)-1]
	}
}
