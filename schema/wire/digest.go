package wire

import (
	"crypto/sha256"
	"encoding"
	"encoding/hex"
	"hash"
)

// FormatHash is the text form of a hash: "sha256:" and 64 hex digits.
func FormatHash(h [32]byte) string { return "sha256:" + hex.EncodeToString(h[:]) }

// ParseHash reads the text form of a hash; ok is false if s is none.
func ParseHash(s string) (h [32]byte, ok bool) {
	if !validHash(s) {
		return h, false
	}
	_, err := hex.Decode(h[:], []byte(s[len("sha256:"):]))
	return h, err == nil
}

// A SetDigest makes the digest of a set: the SHA-256 of the SHA-256s of its chunks' bodies, in the order
// of their index. The zero value is ready. It is not safe for concurrent use.
type SetDigest struct{ sum hash.Hash }

// Add takes the next chunk's BodyHash.
func (d *SetDigest) Add(bodyHash [32]byte) {
	if d.sum == nil {
		d.sum = sha256.New()
	}
	d.sum.Write(bodyHash[:]) //nolint:errcheck // a hash never fails
}

// String is the digest so far: "sha256:" and 64 hex digits. More can be added afterwards.
func (d *SetDigest) String() string {
	if d.sum == nil {
		return FormatHash(sha256.Sum256(nil))
	}
	return FormatHash([32]byte(d.sum.Sum(nil)))
}

// MarshalText is how far the digest has come, so that another process can go on with it.
func (d *SetDigest) MarshalText() ([]byte, error) {
	if d.sum == nil {
		return nil, nil
	}
	state, err := d.sum.(encoding.BinaryMarshaler).MarshalBinary()
	return hex.AppendEncode(nil, state), err
}

// UnmarshalText goes on where MarshalText was called.
func (d *SetDigest) UnmarshalText(text []byte) error {
	d.sum = nil
	if len(text) == 0 {
		return nil
	}
	state, err := hex.AppendDecode(nil, text)
	if err != nil {
		return err
	}
	sum := sha256.New()
	if err := sum.(encoding.BinaryUnmarshaler).UnmarshalBinary(state); err != nil {
		return err
	}
	d.sum = sum
	return nil
}
