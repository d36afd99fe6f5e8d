package delimited

import (
	"encoding/binary"
	"math/bits"
)

// groupBytes is how many bytes are looked at together.
const groupBytes = 64

// groupMasks say, bit by bit, which of a group's bytes are one of the characters that divide a text.
type groupMasks struct{ delimiters, quotes, eols uint64 }

const (
	ones    = 0x0101010101010101
	lowBits = 0x7f7f7f7f7f7f7f7f
)

// equal sets the top bit of each byte of w that is the byte repeated in pattern.
func equal(w, pattern uint64) uint64 {
	x := w ^ pattern
	return ^((x&lowBits + lowBits) | x | lowBits)
}

// gather makes the top bits of eight bytes one byte.
func gather(m uint64) uint64 { return m >> 7 * 0x0102040810204080 >> 56 }

// classifyWords marks the characters in the groups of src, as many as dst has, eight bytes at a time.
func classifyWords(dst []groupMasks, src []byte, delimiter, eol byte) {
	delimiters, quotes, eols := uint64(delimiter)*ones, uint64('"')*ones, uint64(eol)*ones
	for i := range dst {
		var m groupMasks
		for shift := uint(0); shift < 64; shift += 8 {
			w := binary.LittleEndian.Uint64(src)
			m.delimiters |= gather(equal(w, delimiters)) << shift
			m.quotes |= gather(equal(w, quotes)) << shift
			m.eols |= gather(equal(w, eols)) << shift
			src = src[8:]
		}
		dst[i] = m
	}
}

// parity sets each bit for which an odd number of bits are set up to and with it.
func parity(mask uint64) uint64 {
	mask ^= mask << 1
	mask ^= mask << 2
	mask ^= mask << 4
	mask ^= mask << 8
	mask ^= mask << 16
	return mask ^ mask<<32
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
