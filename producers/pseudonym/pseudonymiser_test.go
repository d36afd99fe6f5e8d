package pseudonym

import (
	"bytes"
	"crypto/aes"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math/bits"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/rolltrace/rolltrace/schema"
	"github.com/tink-crypto/tink-go/v2/prf/subtle"
	"pgregory.net/rapid"
)

// The examples of NIST SP 800-38B (appendix D, and the updated examples of 2016): AES-128 and AES-256.
func TestCMACIsNISTs(t *testing.T) {
	const message = "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e5130c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710"
	for _, example := range []struct {
		key  string
		bits int
		tag  string
	}{
		{"2b7e151628aed2a6abf7158809cf4f3c", 128, "070a16b46b4d4144f79bdd9dd04a287c"},
		{"2b7e151628aed2a6abf7158809cf4f3c", 320, "dfa66747de9ae63030ca32611497c827"},
		{"2b7e151628aed2a6abf7158809cf4f3c", 512, "51f0bebf7e3b9d92fc49741779363cfe"},
		{"603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4", 128, "28a7023f452e8f82bd4bf28d8c37c35c"},
		{"603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4", 320, "aaf3d8f1de5640c232f5b169b9c911e6"},
		{"603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4", 512, "e1992190549f6ed5696a2c056c315410"},
	} {
		p := withKey(t, unhex(t, example.key), trimmed)
		got := cmacOf(p, unhex(t, message)[:example.bits/8])
		if got.String() != example.tag[:16] {
			t.Errorf("AES-%d, %d bits: have %s, want %s", len(example.key)*4, example.bits, got, example.tag[:16])
		}
	}
}

func TestCMACIsTinks(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		key := rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(t, "key")
		message := rapid.SliceOfN(rapid.Byte(), 1, 200).Draw(t, "message")
		tink, err := subtle.NewAESCMACPRF(key)
		if err != nil {
			t.Fatal(err)
		}
		tag, err := tink.ComputePRF(message, 8)
		if err != nil {
			t.Fatal(err)
		}
		p := withKey(t, key, trimmed)
		if got, want := cmacOf(p, message), schema.Key(binary.BigEndian.Uint64(tag)); got != want {
			t.Fatalf("%d bytes: have %s, tink has %s", len(message), got, want)
		}
	})
}

// The short way through one block must give what the long way gives.
func TestShortIdentifiersTakeTheSameKey(t *testing.T) {
	alphabet := rapid.SampledFrom([]byte("abzAZ019-- \t\x00.é_\xc2\xa0\xff"))
	p := withKey(t, bytes.Repeat([]byte{7}, 32), compact)
	rapid.Check(t, func(t *rapid.T) {
		identifier := rapid.SliceOfN(alphabet, 0, 40).Draw(t, "identifier")
		key, ok := p.Key(identifier)
		normal := appendCompact(nil, identifier)
		if ok != (len(normal) > 0) {
			t.Fatalf("%q normalised to %q: keyed is %v", identifier, normal, ok)
		}
		if ok && key != cmacOf(p, normal) {
			t.Fatalf("%q: short way %s, long way %s", identifier, key, cmacOf(p, normal))
		}
	})
}

// Many at once must give what one by one gives, without the unkeyed ones.
func TestKeysAreKeyOfEach(t *testing.T) {
	for space := range rules {
		p := testSecret(3).Space(space)
		rapid.Check(t, func(t *rapid.T) {
			identifiers := rapid.SliceOfN(rapid.SliceOfN(rapid.SampledFrom([]byte("aZ09-@ +é")), 0, 40), 0, 100).Draw(t, "identifiers")
			var want []schema.Key
			for _, id := range identifiers {
				if key, ok := p.Key(id); ok {
					want = append(want, key)
				}
			}
			oneByOne := p.Clone()
			oneByOne.keys = nil // as where the processor has no instructions for AES
			for _, way := range []*Pseudonymiser{p, oneByOne} {
				if got := way.Keys(nil, identifiers); !slices.Equal(got, want) {
					t.Fatalf("%s: have %v, want %v", space, got, want)
				}
			}
		})
	}
}

func TestKeyAllocatesNothing(t *testing.T) {
	for _, space := range []schema.IDSpace{schema.ElectorID, "email", "phone", "crm-id", "loyalty-card"} {
		p := testSecret(1).Space(space)
		identifier := []byte("ada.example+1613-555-0100@example.org")
		p.Key(identifier)
		if n := testing.AllocsPerRun(100, func() { p.Key(identifier) }); n != 0 {
			t.Errorf("%s: %v allocations an identifier", space, n)
		}
		many, keys := [][]byte{identifier, identifier, identifier}, make([]schema.Key, 0, 3)
		if n := testing.AllocsPerRun(100, func() { p.Keys(keys[:0], many) }); n != 0 {
			t.Errorf("%s: %v allocations for three identifiers", space, n)
		}
	}
}

func TestSpacesAndSecretsDoNotMix(t *testing.T) {
	seen := map[schema.Key]string{}
	for secret := byte(1); secret <= 3; secret++ {
		for _, space := range []schema.IDSpace{schema.ElectorID, "crm-id", "e", "el"} {
			key, ok := testSecret(secret).Space(space).Key([]byte("12345678"))
			if !ok {
				t.Fatalf("%s: not keyed", space)
			}
			where := fmt.Sprintf("secret %d, %s", secret, space)
			if other, taken := seen[key]; taken {
				t.Errorf("%s and %s share key %s", where, other, key)
			}
			seen[key] = where
		}
	}
}

func TestCloneMakesTheSameKeys(t *testing.T) {
	p := testSecret(1).Space("email")
	c := p.Clone()
	id := []byte("someone.with.a.long.name@mail.example.org")
	a, _ := p.Key(id)
	if b, ok := c.Key(id); !ok || a != b {
		t.Errorf("clone makes %s, its original %s", b, a)
	}
}

func FuzzKey(f *testing.F) {
	for _, id := range []string{"", "A-1", strings.Repeat("x", 17), "a@b", "+1 613 555 0100 x1", "+44 (0)20", "\xff\xfe", " é"} {
		f.Add([]byte(id))
	}
	secret := testSecret(9)
	f.Fuzz(func(t *testing.T, identifier []byte) {
		for space := range rules {
			p := secret.Space(space)
			normal := p.Normalise(nil, identifier)
			key, ok := p.Key(identifier)
			if ok != (len(normal) > 0) {
				t.Fatalf("%s: keyed is %v for %d normalised bytes", space, ok, len(normal))
			}
			// Normalising twice is normalising once: else a file that was cleaned by the rules would lose its electors.
			again, _ := p.Key(normal)
			if space != "phone" && utf8.Valid(identifier) && ok && again != key {
				t.Fatalf("%s: %q normalises to %q, and that to %q", space, identifier, normal, p.Normalise(nil, normal))
			}
		}
	})
}

// cmacOf is the tag of a message as it is, cut to its first eight bytes.
func cmacOf(p *Pseudonymiser, message []byte) schema.Key {
	return schema.Key(bits.ReverseBytes64(p.encrypt(p.chain(message)).low))
}

func withKey(t interface{ Fatal(...any) }, key []byte, r rule) *Pseudonymiser {
	block, err := aes.NewCipher(key)
	if err != nil {
		t.Fatal(err)
	}
	return newPseudonymiser(block, r)
}

func unhex(t *testing.T, s string) []byte {
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// testSecret is a secret for tests: 32 times the same byte.
func testSecret(b byte) Secret {
	var s Secret
	copy(s.bytes[:], bytes.Repeat([]byte{b}, SecretSize))
	return s
}
