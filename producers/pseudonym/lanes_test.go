package pseudonym

import (
	"bytes"
	"crypto/aes"
	"crypto/rand"
	"testing"
)

// What is encrypted side by side must be what crypto/aes makes of each block, for any number of blocks.
func TestLanesAreAES(t *testing.T) {
	subkey := make([]byte, subkeySize)
	for range 200 {
		_, _ = rand.Read(subkey)
		keys := expand(subkey)
		if keys == nil {
			return // no such instructions here: there is one way only
		}
		reference, err := aes.NewCipher(subkey)
		if err != nil {
			t.Fatal(err)
		}
		for end := 0; end <= lanes*blockSize; end += blockSize {
			var lane [lanes * blockSize]byte
			_, _ = rand.Read(lane[:])
			want := lane
			for at := 0; at < end; at += blockSize {
				reference.Encrypt(want[at:at+blockSize], want[at:at+blockSize])
			}
			if keys.encrypt(&lane, end); !bytes.Equal(lane[:end], want[:end]) {
				t.Fatalf("subkey %x: %d blocks: not those of crypto/aes", subkey, end/blockSize)
			}
		}
	}
}
