package pseudonym

import (
	"crypto/aes"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"time"

	"github.com/rolltrace/rolltrace/schema"
)

// SecretSize is the length of a secret in bytes.
const SecretSize = 32

// What subkeys are derived for: the info of HKDF-Expand. They are part of the published derivation.
const (
	infoKeyID    = "rolltrace-key-1 key-id"
	infoSpace    = "rolltrace-key-1 id-space "
	infoEvidence = "rolltrace-key-1 evidence"
)

// Lengths of what is derived, in bytes.
const (
	keyIDSize    = 16 // two secrets never share one: 128 bits, as many as the PRF has
	subkeySize   = 32 // AES-256
	evidenceSize = 32
)

// A Secret is what elector keys are made under. The zero Secret is none. It prints as its key id, whatever
// the verb.
type Secret struct {
	bytes   [SecretSize]byte
	created time.Time
}

// NewSecret makes a secret from the operating system's random source.
func NewSecret() Secret {
	s := Secret{created: time.Now().UTC().Truncate(time.Second)}
	// rand.Read ends the process rather than give weak bytes.
	_, _ = rand.Read(s.bytes[:])
	return s
}

// IsZero says whether there is no secret.
func (s Secret) IsZero() bool { return s.bytes == [SecretSize]byte{} }

// KeyID names the secret. It is derived from it one way, so that it gives nothing away and cannot be
// chosen.
func (s Secret) KeyID() schema.KeyID {
	return schema.KeyID("k-" + hex.EncodeToString(s.derive(infoKeyID, keyIDSize)))
}

// Space returns the pseudonymiser of an id space. The caller has checked the id space.
func (s Secret) Space(space schema.IDSpace) *Pseudonymiser {
	subkey := s.derive(infoSpace+string(space), subkeySize)
	block, err := aes.NewCipher(subkey)
	if err != nil {
		panic("pseudonym: " + err.Error()) // only for a key length that AES does not have
	}
	p := newPseudonymiser(block, ruleOf(space))
	p.keys = expand(subkey)
	return p
}

// EvidenceMAC returns the keyed hash (HMAC-SHA-256) for the bytes of a movement: evidence.mac. A plain
// hash of a small file could be guessed by whoever holds the roll.
func (s Secret) EvidenceMAC() hash.Hash {
	return hmac.New(sha256.New, s.derive(infoEvidence, evidenceSize))
}

// Format prints the key id for every verb, so that no way of printing shows the secret.
func (s Secret) Format(f fmt.State, _ rune) {
	if s.IsZero() {
		_, _ = io.WriteString(f, "secret(none)")
		return
	}
	_, _ = io.WriteString(f, "secret("+string(s.KeyID())+")")
}

func (s Secret) derive(info string, size int) []byte {
	key, err := hkdf.Expand(sha256.New, s.bytes[:], info, size)
	if err != nil {
		panic("pseudonym: " + err.Error()) // only for more than 255 hashes of output
	}
	return key
}
