package outbox

import (
	"bytes"
	"encoding/binary"
	"errors"
	"slices"

	"github.com/rolltrace/rolltrace/schema/wire"
)

// frameBytes is how many bytes of messages one frame takes, unless a single call appended more: four full
// chunks. Smaller ones sync more often, which takes long on a slow disk.
const frameBytes = 2<<20 + 128<<10

// A frame is one message of the store: the run of sealed messages that one sync made durable. The first of a
// segment has none, and says where the chain is; its last sequence is one less than its first.
//
//	"RTF1", first and last sequence, hash of the last message, clock, total (all 64 bits little-endian),
//	instance; then for each message subject, headers (as a block of name, value, name, value, …) and body,
//	each preceded by its length as a varint; in a frame without messages, which movements are open, up to the end
type frame struct {
	instance    string
	first, last uint64   // sequences
	hash        [32]byte // of the last message: the end of the chain
	clock       int64    // the latest time given, in microseconds
	total       uint64   // bytes of all frames of the outbox up to and with this one
	messages    []wire.Message
	open        []byte // of a frame without messages: the movements that are open there; see unclosed.go
}

var frameMagic = []byte("RTF1")

const (
	frameFixed   = 4 + 8 + 8 + 32 + 8 + 8
	frameTotalAt = frameFixed - 8
)

var errFrame = errors.New("frame is damaged")

// encode appends the frame to b and sets its total from that of the frame before.
func (f *frame) encode(b []byte, before uint64) []byte {
	size := frameFixed + binary.MaxVarintLen64 + len(f.instance) + len(f.open)
	for _, m := range f.messages {
		size += m.Size() + 3*binary.MaxVarintLen64
	}
	b = slices.Grow(b, size)
	b = append(b, frameMagic...)
	b = binary.LittleEndian.AppendUint64(b, f.first)
	b = binary.LittleEndian.AppendUint64(b, f.last)
	b = append(b, f.hash[:]...)
	b = binary.LittleEndian.AppendUint64(b, uint64(f.clock))
	b = binary.LittleEndian.AppendUint64(b, 0)
	b = appendString(b, f.instance)
	for _, m := range f.messages {
		b = appendString(b, m.Subject)
		block := 0
		for name, values := range m.Header {
			for _, v := range values {
				block += stringSize(name) + stringSize(v)
			}
		}
		b = binary.AppendUvarint(b, uint64(block))
		for name, values := range m.Header {
			for _, v := range values {
				b = appendString(b, name)
				b = appendString(b, v)
			}
		}
		b = binary.AppendUvarint(b, uint64(len(m.Body)))
		b = append(b, m.Body...)
	}
	b = append(b, f.open...)
	f.total = before + uint64(len(b))
	binary.LittleEndian.PutUint64(b[frameTotalAt:], f.total)
	return b
}

func appendString(b []byte, s string) []byte {
	b = binary.AppendUvarint(b, uint64(len(s)))
	return append(b, s...)
}

func stringSize(s string) int {
	n := 1
	for l := len(s); l >= 0x80; l >>= 7 {
		n++
	}
	return n + len(s)
}

// decodeFrame reads a frame. Its bodies are parts of b.
func decodeFrame(b []byte) (*frame, error) {
	if len(b) < frameFixed || !bytes.Equal(b[:4], frameMagic) {
		return nil, errFrame
	}
	f := &frame{
		first: binary.LittleEndian.Uint64(b[4:]), last: binary.LittleEndian.Uint64(b[12:]),
		hash:  [32]byte(b[20:52]),
		clock: int64(binary.LittleEndian.Uint64(b[52:])), total: binary.LittleEndian.Uint64(b[60:]),
	}
	r := reading{b: b[frameFixed:]}
	f.instance = string(r.part())
	count := f.last - f.first + 1
	if f.first == 0 || f.first > f.last+1 || count > uint64(len(b)) {
		return nil, errFrame
	}
	f.messages = make([]wire.Message, 0, count)
	for range count {
		m := wire.Message{Subject: string(r.part())}
		m.Header = readHeader(string(r.part()), &r)
		m.Body = r.part()
		if r.damaged {
			return nil, errFrame
		}
		f.messages = append(f.messages, m)
	}
	switch {
	case count == 0:
		f.open = r.b
	case len(r.b) != 0:
		return nil, errFrame
	}
	return f, nil
}

// readHeader reads a block of headers; its names and values are parts of one string.
func readHeader(block string, r *reading) map[string][]string {
	parts := make([]string, 0, 32)
	for len(block) > 0 {
		n, used := binary.Uvarint([]byte(block[:min(len(block), binary.MaxVarintLen64)]))
		if used <= 0 || n > uint64(len(block)-used) {
			r.damaged = true
			return nil
		}
		parts = append(parts, block[used:used+int(n)])
		block = block[used+int(n):]
	}
	if len(parts)%2 != 0 {
		r.damaged = true
		return nil
	}
	header := make(map[string][]string, len(parts)/2)
	for i := 0; i < len(parts); i += 2 {
		if values, ok := header[parts[i]]; ok {
			header[parts[i]] = append(values, parts[i+1])
			continue
		}
		header[parts[i]] = parts[i+1 : i+2 : i+2]
	}
	return header
}

type reading struct {
	b       []byte
	damaged bool
}

func (r *reading) part() []byte {
	n, used := binary.Uvarint(r.b)
	if used <= 0 || n > uint64(len(r.b)-used) {
		r.damaged, r.b = true, nil
		return nil
	}
	part := r.b[used : used+int(n) : used+int(n)]
	r.b = r.b[used+int(n):]
	return part
}
