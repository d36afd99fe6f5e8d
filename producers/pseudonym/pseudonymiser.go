package pseudonym

import (
	"crypto/cipher"
	"encoding/binary"
	"math/bits"

	"github.com/rolltrace/rolltrace/schema"
)

const blockSize = 16

// lanes is how many blocks Keys prepares before it encrypts them. A block that was just put together from
// two words cannot be loaded as one before the stores have left the pipeline, which takes longer than
// the encryption itself.
const lanes = 32 // a multiple of eight

// A Pseudonymiser makes the elector keys of one id space under one secret. It allocates nothing once its
// scratch has grown to the longest identifier. It is not safe for concurrent use: give each goroutine a
// Clone.
type Pseudonymiser struct {
	block  cipher.Block
	keys   *schedule // for blocks side by side; nil: one by one
	rule   rule
	k1, k2 pair // CMAC's subkeys, for a full last block and for a padded one
	// The blocks are here and not on the stack because cipher.Block is an interface: its arguments would
	// escape.
	in      [blockSize]byte
	lane    [lanes * blockSize]byte
	scratch []byte
}

// A pair is a block as two little-endian words: in registers it is put together and padded without a
// store that the next load would have to wait for.
type pair struct{ low, high uint64 }

func newPseudonymiser(block cipher.Block, r rule) *Pseudonymiser {
	p := &Pseudonymiser{block: block, rule: r, scratch: make([]byte, 0, 64)}
	l := p.encrypt(pair{})
	p.k1 = double(l)
	p.k2 = double(p.k1)
	return p
}

// Clone returns a pseudonymiser that makes the same keys, for another goroutine.
func (p *Pseudonymiser) Clone() *Pseudonymiser {
	return &Pseudonymiser{block: p.block, keys: p.keys, rule: p.rule, k1: p.k1, k2: p.k2, scratch: make([]byte, 0, 64)}
}

// Key returns the elector key of an identifier, of any length. ok is false when nothing that can identify
// anybody is left of it after normalising: the record is unkeyed.
func (p *Pseudonymiser) Key(identifier []byte) (key schema.Key, ok bool) {
	b, ok := p.lastBlock(identifier)
	if !ok {
		return 0, false
	}
	return schema.Key(bits.ReverseBytes64(p.encrypt(b).low)), true
}

// Keys appends the elector keys of the identifiers to dst, in their order, leaving out the unkeyed ones: they
// are as many as dst grew less than len(identifiers). It is the fast way for many.
func (p *Pseudonymiser) Keys(dst []schema.Key, identifiers [][]byte) []schema.Key {
	for len(identifiers) > 0 {
		group := identifiers[:min(lanes, len(identifiers))]
		identifiers = identifiers[len(group):]
		end := 0
		for _, identifier := range group {
			lane := p.lane[end : end+blockSize]
			// The shortest way, for most identifiers; lastBlock has the others.
			if n := uint(len(identifier)); p.rule == compact && n-8 < 8 {
				low, tail := binary.LittleEndian.Uint64(identifier), binary.LittleEndian.Uint64(identifier[n-8:])
				if unkept(low)|unkept(tail) == 0 {
					binary.LittleEndian.PutUint64(lane[:8], low^p.k2.low)
					binary.LittleEndian.PutUint64(lane[8:], (tail>>8|0x80<<56)>>(8*(15-n)&63)^p.k2.high)
					end += blockSize
					continue
				}
			}
			if b, ok := p.lastBlock(identifier); ok {
				binary.LittleEndian.PutUint64(lane[:8], b.low)
				binary.LittleEndian.PutUint64(lane[8:], b.high)
				end += blockSize
			}
		}
		if !p.keys.encrypt(&p.lane, end) {
			for at := 0; at < end; at += blockSize {
				lane := p.lane[at : at+blockSize]
				p.block.Encrypt(lane, lane)
			}
		}
		for at := 0; at < end; at += blockSize {
			dst = append(dst, schema.Key(binary.BigEndian.Uint64(p.lane[at:])))
		}
	}
	return dst
}

// Normalise appends the normalised identifier to dst: for tests and for showing what a rule does. It adds
// nothing when the identifier identifies nobody.
func (p *Pseudonymiser) Normalise(dst, identifier []byte) []byte {
	return p.rule.append(dst, identifier)
}

// lastBlock normalises an identifier and takes it through CMAC up to the last block, whose encryption is
// the tag.
func (p *Pseudonymiser) lastBlock(identifier []byte) (b pair, ok bool) {
	// Most identifiers are a few bytes, and normal already: then they are one block, in two registers.
	switch n := uint(len(identifier)); {
	case p.rule != compact:
	case n-8 < 8: // the tail overlaps what is low, and its shift leaves room for the padding
		tail := binary.LittleEndian.Uint64(identifier[n-8:])
		b := pair{binary.LittleEndian.Uint64(identifier), (tail>>8 | 0x80<<56) >> (8 * (15 - n))}
		if unkept(b.low)|unkept(tail) == 0 {
			return b.xor(p.k2), true
		}
	case n == blockSize:
		b := loadFull(identifier)
		if unkept(b.low)|unkept(b.high) == 0 {
			return b.xor(p.k1), true
		}
	case n-1 < 7:
		b := loadPartial(identifier)
		const filler = 0x3030303030303030 // for the check, which would take zeros for characters to drop
		if unkept(b.low|filler<<(8*n)) == 0 {
			return p.finish(b, int(n)), true
		}
	}
	p.scratch = p.rule.append(p.scratch[:0], identifier)
	if len(p.scratch) == 0 {
		return pair{}, false
	}
	return p.chain(p.scratch), true
}

// chain takes a message of at least one byte through AES-CMAC up to the last block.
func (p *Pseudonymiser) chain(message []byte) pair {
	var chain pair
	for len(message) > blockSize {
		chain = p.encrypt(chain.xor(loadFull(message)))
		message = message[blockSize:]
	}
	return p.finish(chain.xor(loadPartial(message)), len(message))
}

// finish pads the last block, of which n bytes are message, and adds the subkey.
func (p *Pseudonymiser) finish(b pair, n int) pair {
	switch {
	case n == blockSize:
		return b.xor(p.k1)
	case n >= 8:
		b.high ^= 0x80 << (8 * uint(n-8))
	default:
		b.low ^= 0x80 << (8 * uint(n))
	}
	return b.xor(p.k2)
}

func (p *Pseudonymiser) encrypt(b pair) pair {
	binary.LittleEndian.PutUint64(p.in[:8], b.low)
	binary.LittleEndian.PutUint64(p.in[8:], b.high)
	p.block.Encrypt(p.in[:], p.in[:])
	return loadFull(p.in[:])
}

func (a pair) xor(b pair) pair { return pair{a.low ^ b.low, a.high ^ b.high} }

// double multiplies by x in GF(2^128), as SP 800-38B section 6.1 does for the subkeys.
func double(v pair) pair {
	high, low := bits.ReverseBytes64(v.low), bits.ReverseBytes64(v.high)
	carry := high >> 63
	return pair{bits.ReverseBytes64(high<<1 | low>>63), bits.ReverseBytes64(low<<1 ^ carry*0x87)}
}

func loadFull(b []byte) pair {
	return pair{binary.LittleEndian.Uint64(b[:8]), binary.LittleEndian.Uint64(b[8:16])}
}

// loadPartial loads 1 to 16 bytes, zeros after them.
func loadPartial(b []byte) pair {
	switch n := len(b); {
	case n > 8:
		return pair{binary.LittleEndian.Uint64(b), binary.LittleEndian.Uint64(b[n-8:]) >> (8 * uint(blockSize-n))}
	case n == 8:
		return pair{low: binary.LittleEndian.Uint64(b)}
	case n >= 4:
		// The two halves overlap, and agree where they do.
		low, high := binary.LittleEndian.Uint32(b), binary.LittleEndian.Uint32(b[n-4:])
		return pair{low: uint64(low) | uint64(high)<<(8*uint(n-4))}
	default:
		var low uint64
		for i, c := range b {
			low |= uint64(c) << (8 * uint(i))
		}
		return pair{low: low}
	}
}

const (
	ones    = 0x0101010101010101
	topBits = 0x8080808080808080
)

// unkept has a top bit set if the compact rule may change one of the eight bytes. It leaves alone what is from "0" to "_":
// digits, capitals and some signs; the few others that it would leave alone take the longer way.
func unkept(w uint64) uint64 {
	// Without a byte from 0x80 on no sum carries into the next byte; with one the result is not 0 anyway.
	return (w | (w + (0x80-0x60)*ones) | ^(w + (0x80-0x30)*ones)) & topBits
}
