package schema

import (
	"fmt"
	"regexp"
	"strconv"
)

// A Key is an elector key: the 64-bit keyed pseudonym of an identifier, the only form in which
// identifiers leave a sidecar's machine.
type Key uint64

// String is the hex form of the key: 16 lower-case digits, the form in which answers show it.
func (k Key) String() string { return fmt.Sprintf("%016x", uint64(k)) }

// ParseKey reads the hex form of a key.
func ParseKey(s string) (Key, error) {
	n, err := strconv.ParseUint(s, 16, 64)
	if err != nil || len(s) != 16 {
		return 0, fmt.Errorf("elector key: want 16 hex digits, have %d characters", len(s))
	}
	return Key(n), nil
}

// An IDSpace says what an identifier is: "elector-id", "crm-id", "email", "phone", … Keys of different
// spaces are different keys.
type IDSpace string

// ElectorID is the id space of the identifiers that a list of electors carries, and the default.
const ElectorID IDSpace = "elector-id"

// A KeyID names the secret under which keys were made ("k-5f2a9c01"). It is derived from the secret, so
// that two secrets can never share one.
type KeyID string

var (
	idSpacePattern = regexp.MustCompile(`^[a-z][a-z0-9-]{0,31}$`)
	keyIDPattern   = regexp.MustCompile(`^k-[0-9a-f]{8,32}$`)
)

const (
	idSpaceLimit = "1 to 32 of a-z 0-9 -, beginning with a letter"
	keyIDLimit   = "k- and 8 to 32 hex digits"
)

// Valid says whether the id space is well formed.
func (s IDSpace) Valid() bool { return idSpacePattern.MatchString(string(s)) }

// Valid says whether the key id is well formed.
func (k KeyID) Valid() bool { return keyIDPattern.MatchString(string(k)) }
