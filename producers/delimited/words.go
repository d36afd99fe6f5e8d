package delimited

import (
	"bytes"
	"encoding/binary"
	"math/bits"
)

// Eight bytes at a time: a word has a byte in each of its lanes, the first one lowest, and a mask has the top
// bit of the lanes that it means.

const (
	ones    = 0x0101010101010101
	lowBits = 0x7f7f7f7f7f7f7f7f
	topBits = 0x8080808080808080
)

// equal sets the top bit of each byte of w that is the byte repeated in pattern.
func equal(w, pattern uint64) uint64 {
	x := w ^ pattern
	return ^((x&lowBits + lowBits) | x | lowBits)
}

// indexNear is bytes.IndexByte for what is near, as the end of an identifier is.
func indexNear(b []byte, c byte) int {
	if len(b) >= 16 {
		pattern := uint64(c) * ones
		if m := equal(binary.LittleEndian.Uint64(b), pattern); m != 0 {
			return bits.TrailingZeros64(m) / 8
		}
		if m := equal(binary.LittleEndian.Uint64(b[8:]), pattern); m != 0 {
			return 8 + bits.TrailingZeros64(m)/8
		}
	}
	return bytes.IndexByte(b, c)
}

// indexNth is the index of the n-th c (from 1) in b, or -1. Fields are short: eight bytes at a time beat a
// call for each.
func indexNth(b []byte, c byte, n int) int {
	pattern := uint64(c) * ones
	i := 0
	for ; i+8 <= len(b); i += 8 {
		m := equal(binary.LittleEndian.Uint64(b[i:]), pattern)
		count := bits.OnesCount64(m)
		if count < n {
			n -= count
			continue
		}
		for ; n > 1; n-- {
			m &= m - 1
		}
		return i + bits.TrailingZeros64(m)/8
	}
	for ; i < len(b); i++ {
		if b[i] == c {
			if n--; n == 0 {
				return i
			}
		}
	}
	return -1
}

// indexEither is the index of the first a or c in b, or -1.
func indexEither(b []byte, a, c byte) int {
	pa, pc := uint64(a)*ones, uint64(c)*ones
	i := 0
	for ; i+8 <= len(b); i += 8 {
		w := binary.LittleEndian.Uint64(b[i:])
		if m := equal(w, pa) | equal(w, pc); m != 0 {
			return i + bits.TrailingZeros64(m)/8
		}
	}
	for ; i < len(b); i++ {
		if b[i] == a || b[i] == c {
			return i
		}
	}
	return -1
}

// parity sets, in each lane, whether an odd number of marked lanes are up to and with it.
func parity(mask uint64) uint64 {
	mask ^= mask << 8
	mask ^= mask << 16
	return mask ^ mask<<32
}

// wellQuoted finds the identifiers of a record that may have quotes, all of them well formed: what is within quotes is
// told by whether an odd number of them is before it. It returns how long the record is with its line end, or 0 when a
// quote is not well formed or the end is not in sight: then quoted finds out what there is.
func (s *Scanner) wellQuoted(data []byte) (n int) {
	var (
		quotes, delimiters, eols = uint64('"') * ones, uint64(s.delimiter) * ones, uint64(s.eol) * ones

		carry    uint64        // all lanes, when the last word ended within quotes
		mayOpen  uint64 = 0x80 // a quote in the first lane may begin a field
		closed   uint64        // the last word ended with a closing quote
		closedCR uint64        // and with a CR after it
		w        = fieldWalk{s: s, data: data}
	)
	clear(s.found)
	w.seek(0)
	for i := 0; i+8 <= len(data); i += 8 {
		word := binary.LittleEndian.Uint64(data[i:])
		quote, delimiter, eol := equal(word, quotes), equal(word, delimiters), equal(word, eols)
		inside := parity(quote) ^ carry
		delimiter &^= inside
		end := eol &^ inside
		upTo := end ^ (end - 1) // the lanes up to the line end, or all

		// What opens has something before it that ends a field, or is the second of two quotes in one; what
		// closes, something behind it that ends its field, or is the first of two.
		separator := delimiter | end | quote
		opening, closing := quote&inside, quote&^inside
		afterClosing := closing<<8 | closed
		odd := afterClosing &^ separator
		if wrong := opening &^ (separator<<8 | mayOpen); (wrong|odd)&upTo != 0 || closedCR != 0 {
			cr := odd & equal(word, '\r'*ones)
			afterCR := cr<<8 | closedCR
			if (wrong|odd&^cr|afterCR&^end)&upTo != 0 || s.eol == '\r' {
				return 0
			}
			closedCR = cr >> 63 << 7
		}
		if w.wants {
			seen := w.seen + bits.OnesCount64(delimiter&upTo)
			if seen >= w.target {
				w.take(i, delimiter&upTo)
			}
			w.seen = seen
		}
		if end != 0 {
			at := i + bits.TrailingZeros64(end)/8
			w.finish(at)
			return at + 1
		}
		carry = -(inside >> 63) & topBits
		mayOpen, closed = separator>>63<<7, closing>>63<<7
	}
	return 0
}

// A fieldWalk notes where the id columns of a record are, from where its delimiters are.
type fieldWalk struct {
	s    *Scanner
	data []byte

	next   int  // of s.wanted
	wants  bool // there is a next
	seen   int  // delimiters so far
	target int  // the delimiter to wait for, from 1
	within bool // and it ends the column, instead of beginning it
	from   int  // where the column begins
}

// seek waits for the next id column. at is where the field after the delimiters seen so far begins.
func (w *fieldWalk) seek(at int) {
	if w.wants = w.next < len(w.s.wanted); !w.wants {
		return
	}
	column := w.s.wanted[w.next].column
	if w.within = w.target == column; w.within {
		w.from = at
		w.target = column + 1
		return
	}
	w.target = column
}

// take goes through the delimiters of the word at i.
func (w *fieldWalk) take(i int, delimiters uint64) {
	seen := w.seen
	for ; w.wants && delimiters != 0; delimiters &= delimiters - 1 {
		if seen++; seen < w.target {
			continue
		}
		at := i + bits.TrailingZeros64(delimiters)/8
		if !w.within {
			w.from, w.within, w.target = at+1, true, w.target+1
			continue
		}
		w.found(at)
		w.next++
		w.seek(at + 1)
	}
}

// finish takes the last field, which ends at the line end.
func (w *fieldWalk) finish(at int) {
	if !w.wants || !w.within {
		return
	}
	if at > w.from && w.data[at-1] == '\r' {
		at--
	}
	w.found(at)
}

// found notes the field that ends at at.
func (w *fieldWalk) found(at int) {
	f := field{from: w.from, to: at}
	if f.to > f.from && w.data[f.from] == '"' {
		f.from++
		f.to--
		f.escaped = bytes.IndexByte(w.data[f.from:f.to], '"') >= 0
	}
	w.s.found[w.s.wanted[w.next].id] = f
}
