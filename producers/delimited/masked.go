package delimited

import (
	"bytes"
	"math/bits"
	"slices"
)

const (
	// chunkBytes is how much is marked before its records are gone through: the marks stay in the processor's first cache.
	chunkBytes  = 32 << 10
	chunkGroups = chunkBytes / groupBytes
)

// marks are where the records of a chunk and their fields end. What is within and without quotes is told by whether an odd
// number of quotes is before it, so fields that hold delimiters and line breaks cost no more than others.
type marks struct {
	// groups have, up to where a record is not well formed, only the delimiters outside of quotes. Two more than a chunk
	// has, so that there is always a next one.
	groups [chunkGroups + 2]groupMasks
	// ends are where the line ends are. There is room to write two more than there are.
	ends [chunkBytes + 2]uint16
}

// masked takes complete, well-formed records from pos on, a chunk at a time and without a call for each. It returns where the
// first one begins that it did not take, and whether record should look at that one, byte by byte.
func (s *Scanner) masked(data []byte, pos int, rows *Rows, base int) (next int, exact bool) {
	for pos < len(data) && !rows.full() {
		rest := data[pos:]
		length := min(len(rest), chunkBytes)
		n, whole := s.mark(rest, length)
		if n == 0 {
			return pos, !whole || length < len(rest) // ill formed, or longer than a chunk
		}
		if rows.Limit > 0 {
			if room := rows.Limit - rows.Records; n > room {
				n, whole = room, true
			}
		}
		ends := s.marks.ends[:n]
		if done := s.pick(rest, ends, rows, base+pos); done < n {
			s.pick(rest, ends[:done], rows, base+pos)
			ends, whole = ends[:done], false
		}
		records := 0
		from := 0
		for _, end := range ends {
			if length := int(end) - from; length > 1 || length == 1 && rest[from] != '\r' { // not an empty line
				records++
			}
			from = int(end) + 1
		}
		rows.Records += records
		s.records += uint64(records)
		pos += from
		if !whole {
			return pos, true
		}
	}
	return pos, false
}

// mark marks the chunk that data begins with. It returns how many line ends there are, up to where something is not well
// formed, and whether nothing is.
func (s *Scanner) mark(data []byte, length int) (n int, whole bool) {
	groups := s.marks.groups[:]
	count := length / groupBytes
	classify(groups[:count], data, s.delimiter, s.eol)
	if rest := length % groupBytes; rest > 0 {
		var last [groupBytes]byte
		copy(last[:], data[count*groupBytes:length])
		classify(groups[count:count+1], last[:], s.delimiter, s.eol)
		count++
	}
	groups[count], groups[count+1] = groupMasks{}, groupMasks{}
	var (
		inside    uint64     // all bits, when the group before ended within quotes
		separator uint64 = 1 // the bit 0, when a quote may come first: the byte before ends a field
		closed    uint64     // likewise: the byte before is a closing quote
		ends      = &s.marks.ends
	)
	for i := range groups[:count] {
		m := &groups[i]
		eols := m.eols
		var bad uint64
		if quotes := m.quotes; quotes|inside|closed != 0 {
			within := parity(quotes) ^ inside
			delimiters := m.delimiters &^ within
			m.delimiters = delimiters
			eols &^= within
			opening, closing := quotes&within, quotes&^within
			borders := delimiters | eols | quotes
			// What opens has something before it that ends a field, or is the second of two quotes in one; what closes has
			// something behind it that ends its field, or is the first of two.
			bad = opening &^ (borders<<1 | separator)
			if odd := (closing<<1 | closed) &^ borders; odd != 0 {
				bad |= s.notCRLF(data, i*groupBytes, odd)
			}
			inside, closed, separator = -(within >> 63), closing>>63, borders>>63
			if bad != 0 {
				eols &= bad&-bad - 1
			}
		} else {
			separator = (m.delimiters | eols) >> 63
		}
		// Most groups have two at most: so both are written, whether they are there or not.
		at, found := i*groupBytes, bits.OnesCount64(eols)
		to := ends[n&(chunkBytes-1):][:3]
		to[0] = uint16(at + bits.TrailingZeros64(eols))
		eols &= eols - 1
		to[1] = uint16(at + bits.TrailingZeros64(eols))
		for j := 2; j < found; j++ {
			eols &= eols - 1
			ends[n+j] = uint16(at + bits.TrailingZeros64(eols))
		}
		n += found
		if bad != 0 {
			return n, false
		}
	}
	return n, true
}

// notCRLF are those of the bits at which no line end of two bytes begins.
func (s *Scanner) notCRLF(data []byte, at int, of uint64) (not uint64) {
	for ; of != 0; of &= of - 1 {
		i := bits.TrailingZeros64(of)
		if b := data[at+i:]; s.eol != '\n' || len(b) < 2 || b[0] != '\r' || b[1] != '\n' {
			not |= 1 << i
		}
	}
	return not
}

// pick adds the identifiers of the records that end at ends. When one is too long, it adds none at all, and returns which
// record that is. base is where data is in the text of the rows.
func (s *Scanner) pick(data []byte, ends []uint16, rows *Rows, base int) (done int) {
	var before [maxColumns]int
	unescaped := len(rows.unescaped)
	for i, of := range rows.ids {
		before[i] = len(of)
	}
	done = len(ends)
	for _, w := range s.wanted {
		done = min(done, s.pickColumn(w, data, ends, rows, base))
	}
	if done < len(ends) {
		for i := range rows.ids {
			rows.ids[i] = rows.ids[i][:before[i]]
		}
		rows.unescaped = rows.unescaped[:unescaped]
	}
	return done
}

func (s *Scanner) pickColumn(w wanted, data []byte, ends []uint16, rows *Rows, base int) (done int) {
	spans := slices.Grow(rows.ids[w.id], len(ends))
	n := len(spans)
	spans = spans[:n+len(ends)]
	defer func() { rows.ids[w.id] = spans[:n] }()
	groups := &s.marks.groups
	next := 0
	for i, end := range ends {
		from, to := next, int(end)
		next = to + 1
		if to > from && data[to-1] == '\r' {
			to--
		}
		// The delimiters of the record's first 64 bytes, and what is behind it.
		first := groups[from/groupBytes%chunkGroups].delimiters >> (from % groupBytes)
		first |= groups[from/groupBytes%chunkGroups+1].delimiters << 1 << (groupBytes - 1 - from%groupBytes)
		near, at := first, from
		if w.column > 0 {
			for skip := w.column; skip > 1; skip-- {
				near &= near - 1
			}
			before := from + bits.TrailingZeros64(near)
			if near == 0 && before < to {
				before = s.delimiterFrom(from, w.column, to)
			}
			if before >= to {
				continue // the record has fewer fields
			}
			at = before + 1
			near &= near - 1
		}
		stop := from + bits.TrailingZeros64(near)
		if near == 0 && stop < to {
			stop = s.delimiterFrom(at, 1, to)
		}
		stop = min(stop, to)
		if stop == at {
			continue
		}
		if stop-at > MaxID+2 {
			return i
		}
		if data[at] == '"' {
			at, stop = at+1, stop-1
			if bytes.IndexByte(data[at:stop], '"') >= 0 {
				from := len(rows.unescaped)
				rows.unescaped = appendUnescaped(rows.unescaped, data[at:stop])
				spans[n] = span(from)<<lengthBits | span(len(rows.unescaped)-from) | inUnescaped
				n++
				continue
			}
			if stop == at {
				continue
			}
		}
		if stop-at > MaxID {
			return i
		}
		spans[n] = span(base+at)<<lengthBits | span(stop-at)
		n++
	}
	return len(ends)
}

// delimiterFrom is where the nth delimiter is from at on, or to if it is not before that.
func (s *Scanner) delimiterFrom(at, nth, to int) int {
	groups := s.marks.groups[:]
	for g, mask := at/groupBytes, ^uint64(0)<<(at%groupBytes); g*groupBytes < to; g, mask = g+1, ^uint64(0) {
		delimiters := groups[g].delimiters & mask
		n := bits.OnesCount64(delimiters)
		if nth > n {
			nth -= n
			continue
		}
		for ; nth > 1; nth-- {
			delimiters &= delimiters - 1
		}
		return min(to, g*groupBytes+bits.TrailingZeros64(delimiters))
	}
	return to
}
