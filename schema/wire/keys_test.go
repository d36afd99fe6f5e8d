package wire

import (
	"bytes"
	"slices"
	"testing"

	"github.com/rolltrace/rolltrace/schema"
)

// Keys are the same on machines of either byte order.
func TestKeysInEitherByteOrder(t *testing.T) {
	defer func(was bool) { little = was }(little)
	if !little {
		t.Log("this machine is big-endian: only the portable way is tried")
	}
	keys := []schema.Key{0, 1, 0x0123456789abcdef, 1 << 63, 1<<64 - 1}
	want := []byte("ab" +
		"\x00\x00\x00\x00\x00\x00\x00\x00" + "\x01\x00\x00\x00\x00\x00\x00\x00" + "\xef\xcd\xab\x89\x67\x45\x23\x01" +
		"\x00\x00\x00\x00\x00\x00\x00\x80" + "\xff\xff\xff\xff\xff\xff\xff\xff")
	for _, little = range []bool{false, little} {
		body := AppendKeys([]byte("ab"), keys)
		if !bytes.Equal(body, want) {
			t.Fatalf("body is %x, want %x", body, want)
		}
		for shift := range 3 { // at any alignment
			moved := append(bytes.Repeat([]byte{9}, shift), want...)[2+shift:]
			got, err := ParseKeys([]schema.Key{7}, moved)
			if err != nil || !slices.Equal(got, append([]schema.Key{7}, keys...)) {
				t.Errorf("keys are %v, %v", got, err)
			}
			clear(moved)
			if !slices.Equal(got[1:], keys) {
				t.Error("the keys change with the body")
			}
		}
		if got := AppendKeys(nil, nil); len(got) != 0 {
			t.Errorf("no keys are %x", got)
		}
		for _, bad := range []int{0, 1, 7, 9, 8*schema.MaxChunkKeys + 8} {
			if _, err := ParseKeys(nil, make([]byte, bad)); err == nil {
				t.Errorf("%d bytes are keys", bad)
			}
		}
	}
}
