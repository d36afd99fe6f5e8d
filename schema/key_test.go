package schema

import (
	"strings"
	"testing"
)

func TestKeyRoundTrip(t *testing.T) {
	for _, k := range []Key{0, 1, 0x0123456789abcdef, 1 << 63, 1<<64 - 1} {
		s := k.String()
		got, err := ParseKey(s)
		if err != nil || got != k || len(s) != 16 || s != strings.ToLower(s) {
			t.Errorf("%d is %s, parses to %d, %v", uint64(k), s, uint64(got), err)
		}
	}
	for _, s := range []string{"", "0", strings.Repeat("0", 15), strings.Repeat("0", 17), "0x00000000000000", "-000000000000001", "+000000000000001", "00000000_0000001", "000000000000000g"} {
		if k, err := ParseKey(s); err == nil || strings.Contains(err.Error(), s) && s != "" && s != "0" {
			t.Errorf("%q: %d, %v", s, k, err)
		}
	}
}

func TestIDSpacesAndKeyIDs(t *testing.T) {
	for s, want := range map[IDSpace]bool{
		ElectorID: true, "email": true, "a": true, IDSpace(strings.Repeat("a", 32)): true,
		"": false, "Email": false, "1a": false, "a_b": false, "a\n": false, IDSpace(strings.Repeat("a", 33)): false,
	} {
		if s.Valid() != want {
			t.Errorf("id space %q: %v", s, !want)
		}
	}
	for k, want := range map[KeyID]bool{
		"k-5f2a9c01": true, KeyID("k-" + strings.Repeat("0", 32)): true,
		"": false, "k-": false, "k-5f2a9c0": false, "k-5F2A9C01": false, "5f2a9c01": false, "k-5f2a9c01\n": false, KeyID("k-" + strings.Repeat("0", 33)): false,
	} {
		if k.Valid() != want {
			t.Errorf("key id %q: %v", k, !want)
		}
	}
}
