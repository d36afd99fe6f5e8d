package numbering

import (
	"crypto/rand"
	"encoding/binary"
)

// A mixer maps keys to keys, one to one, so that nobody who chooses keys without knowing its secret can
// choose them to meet in the table: a xor and three multiplications with secret odd numbers, each folded. With two,
// one process in twenty was slow for keys that differ in their highest bits alone.
// The secret is new in every process: it never shows in a number.
type mixer struct{ xor, first, second, third uint64 }

func newMixer() mixer {
	var secret [32]byte
	rand.Read(secret[:]) // never fails: crypto/rand ends the process instead
	return mixer{
		binary.LittleEndian.Uint64(secret[0:]),
		binary.LittleEndian.Uint64(secret[8:]) | 1,
		binary.LittleEndian.Uint64(secret[16:]) | 1,
		binary.LittleEndian.Uint64(secret[24:]) | 1,
	}
}

func (m mixer) mix(key uint64) uint64 {
	key ^= m.xor
	key *= m.first
	key ^= key >> 32
	key *= m.second
	key ^= key >> 29
	key *= m.third
	key ^= key >> 32
	return key
}
