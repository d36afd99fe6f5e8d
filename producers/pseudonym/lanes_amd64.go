package pseudonym

import (
	"encoding/binary"
	"math/bits"

	"golang.org/x/sys/cpu"
)

// A schedule is the round keys of AES-256.
type schedule [60]uint32

//go:noescape
func encryptEights(keys *schedule, blocks *byte, eights int)

func subWord(w uint32) uint32

// expand makes the round keys of a subkey (FIPS 197, section 5.2), or none when the processor has no instructions for AES.
func expand(subkey []byte) *schedule {
	if !cpu.X86.HasAES || len(subkey) != subkeySize {
		return nil
	}
	var s schedule
	for i := range 8 {
		s[i] = binary.LittleEndian.Uint32(subkey[4*i:])
	}
	for i := 8; i < len(s); i++ {
		t := s[i-1]
		switch i % 8 {
		case 0:
			t = subWord(bits.RotateLeft32(t, -8)) ^ 1<<(i/8-1)
		case 4:
			t = subWord(t)
		}
		s[i] = s[i-8] ^ t
	}
	return &s
}

// encrypt encrypts the blocks in lane up to end, each for itself, and says whether it did. What is behind them, up to a
// multiple of eight blocks, is lost.
func (s *schedule) encrypt(lane *[lanes * blockSize]byte, end int) bool {
	if s == nil {
		return false
	}
	const eight = 8 * blockSize
	encryptEights(s, &lane[0], (end+eight-1)/eight)
	return true
}
