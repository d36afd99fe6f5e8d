package wire

import (
	"encoding/binary"
	"fmt"
	"slices"
	"unsafe"

	"github.com/rolltrace/rolltrace/schema"
)

// keySize is the size of one key in a chunk's body, in bytes.
const keySize = int(unsafe.Sizeof(schema.Key(0)))

// little says whether this machine holds numbers as a chunk's body does. Then keys are copied as they
// are, which takes a tenth of the time: on the way of every key, as long as a third of its SHA-256.
var little = binary.NativeEndian.Uint16([]byte{1, 0}) == 1

// AppendKeys appends the keys in the form of a chunk's body: little-endian 64-bit numbers.
func AppendKeys(dst []byte, keys []schema.Key) []byte {
	if len(keys) == 0 {
		return dst
	}
	if little {
		return append(dst, asBytes(keys)...)
	}
	dst = slices.Grow(dst, keySize*len(keys))
	for _, k := range keys {
		dst = binary.LittleEndian.AppendUint64(dst, uint64(k))
	}
	return dst
}

// ParseKeys appends the keys of a chunk's body to dst. It refuses a body that is not 1 to
// schema.MaxChunkKeys whole keys. The keys are copies: body may be used again.
func ParseKeys(dst []schema.Key, body []byte) ([]schema.Key, error) {
	if len(body) == 0 || len(body)%keySize != 0 || len(body) > schema.MaxChunkKeys*keySize {
		return dst, fmt.Errorf("body: want 1 to %d whole keys of %d bytes", schema.MaxChunkKeys, keySize)
	}
	n := len(body) / keySize
	dst = slices.Grow(dst, n)
	keys := dst[len(dst) : len(dst)+n]
	if little {
		copy(asBytes(keys), body)
	} else {
		for i := range keys {
			keys[i] = schema.Key(binary.LittleEndian.Uint64(body[i*keySize:]))
		}
	}
	return dst[:len(dst)+n], nil
}

// asBytes shows keys, of which there is at least one, as the memory that they are in.
func asBytes(keys []schema.Key) []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(&keys[0])), keySize*len(keys))
}
