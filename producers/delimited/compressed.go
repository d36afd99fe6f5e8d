package delimited

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

const (
	// ahead is how many bytes more than a decoder has given somebody else may make of the same compressed
	// bytes: what it decoded and has not given yet, and a zstd block (at most 128 KiB) whose literals can be
	// read before it is complete.
	ahead = 256 << 10
	// maxHeld bounds the compressed bytes that wait for the records in them, in bytes.
	maxHeld = 32 << 20
	// maxWindow is the largest zstd window that is read, in bytes: what zstd writes up to level 21.
	maxWindow = 64 << 20
)

// The first bytes of compressed streams.
var (
	magicGzip = []byte{0x1f, 0x8b}
	magicZstd = []byte{0x28, 0xb5, 0x2f, 0xfd}
	magicSkip = []byte{0x50, 0x2a, 0x4d, 0x18} // a zstd frame to be skipped; the low half of its first byte is free
	unread    = []struct {
		kind  string
		magic []byte
	}{
		{"zip", []byte("PK\x03\x04")},
		{"xz", []byte("\xfd7zXZ\x00")},
		{"bzip2", []byte("BZh11A")}, // its fourth byte is a level, made 1 before it is compared
		{"lz4", []byte("\x04\x22\x4d\x18")},
		{"7z", []byte("7z\xbc\xaf\x27\x1c")},
	}
)

// normalMagic makes the free parts of magic numbers what the list above has for them.
func normalMagic(first []byte) []byte {
	first = bytes.Clone(first)
	if len(first) > 0 && first[0]>>4 == 5 && (len(first) == 1 || first[1] == 0x2a) {
		first[0] = magicSkip[0]
	}
	if len(first) > 3 && bytes.HasPrefix(first, []byte("BZh")) && '1' <= first[3] && first[3] <= '9' {
		first[3] = '1'
	}
	return first
}

// readMagic reads as many bytes as it takes to know a compression: one, mostly.
func readMagic(source io.Reader) (first []byte, err error) {
	var buffer [6]byte
	for idle := 0; len(first) < len(buffer); {
		n, err := source.Read(buffer[len(first) : len(first)+1])
		first = buffer[:len(first)+n]
		if errors.Is(err, io.EOF) {
			return first, nil
		}
		if err != nil {
			return first, err
		}
		if idle++; n > 0 {
			idle = 0
		} else if idle == 100 {
			return first, io.ErrNoProgress
		}
		if n > 0 && !mayBeMagic(first) {
			break
		}
	}
	return first, nil
}

func mayBeMagic(first []byte) bool {
	first = normalMagic(first)
	begins := func(magic []byte) bool { return len(first) < len(magic) && bytes.HasPrefix(magic, first) }
	for _, u := range unread {
		if begins(u.magic) {
			return true
		}
	}
	return begins(magicGzip) || begins(magicZstd) || begins(magicSkip)
}

// prefixed is a stream whose first bytes were read already.
type prefixed struct {
	first []byte
	rest  io.Reader
}

func (p *prefixed) Read(b []byte) (int, error) {
	if len(p.first) > 0 {
		n := copy(b, p.first)
		p.first = p.first[n:]
		return n, nil
	}
	return p.rest.Read(b)
}

// decompress returns the uncompressed stream of source, or nil when it is not compressed.
func decompress(first []byte, source io.Reader) (*compressed, error) {
	first = normalMagic(first)
	c := &compressed{source: source, free: make(chan *slab, 8)}
	switch {
	case bytes.HasPrefix(first, magicGzip):
		c.kind, c.decoder = "gzip", &members{in: bufio.NewReaderSize(c.input(), 32<<10)}
	case bytes.HasPrefix(first, magicZstd) || bytes.HasPrefix(first, magicSkip):
		decoder, err := zstd.NewReader(c.input(), zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(maxWindow))
		if err != nil {
			return nil, fmt.Errorf("read zstd: %w", err)
		}
		c.kind, c.decoder = "zstd", decoder
	default:
		for _, u := range unread {
			if bytes.HasPrefix(first, u.magic) {
				return nil, fmt.Errorf("the input is %s, which is not read: want plain text, gzip or zstd", u.kind)
			}
		}
		return nil, nil
	}
	return c, nil
}

// compressed reads a compressed stream inside, and keeps its bytes until the records in them are behind.
type compressed struct {
	kind    string
	source  io.Reader
	decoder io.Reader
	free    chan *slab

	// Of the goroutine that reads.
	given int64 // uncompressed bytes
	asked int   // by the Read that is going on
	in    *slab // that the source fills
	end   int   // how far it is filled
	at    int   // how far the decoder has read in it
	kept  int   // how far it is in pieces
	fault error // of the source, or of keeping: decoders replace errors by their own

	mu   sync.Mutex
	held []piece // in order
	size int     // bytes in held
}

// A piece is compressed bytes that may go on when so many uncompressed bytes are in complete records.
type piece struct {
	slab       *slab
	start, end int
	after      int64
}

// minPiece is the least that a piece grows to in bytes, when the source gives less at a time.
const minPiece = 4 << 10

// Read gives uncompressed bytes.
func (c *compressed) Read(b []byte) (int, error) {
	c.asked = len(b)
	n, err := c.decoder.Read(b)
	c.given += int64(n)
	if errors.Is(err, io.EOF) {
		if keepErr := c.keep(); keepErr != nil {
			err = keepErr
		}
	}
	switch {
	case c.fault != nil:
		err = c.fault
	case err != nil && !errors.Is(err, io.EOF):
		err = fmt.Errorf("%s: %w", c.kind, err)
	}
	return n, err
}

// input is what the decoder reads: the source, by way of slabs that are kept.
func (c *compressed) input() io.Reader { return inputFunc(c.next) }

type inputFunc func([]byte) (int, error)

func (f inputFunc) Read(b []byte) (int, error) { return f(b) }

func (c *compressed) next(b []byte) (int, error) {
	for c.in == nil || c.at == c.end {
		if c.fault = c.keep(); c.fault != nil {
			return 0, c.fault
		}
		if c.in == nil || c.end == len(c.in.data) {
			c.renew()
		}
		n, err := c.source.Read(c.in.data[c.end:])
		c.end += n
		if n == 0 && err != nil {
			if !errors.Is(err, io.EOF) {
				c.fault = err
			}
			return 0, err
		}
	}
	n := copy(b, c.in.data[c.at:c.end])
	c.at += n
	return n, nil
}

// keep makes a piece of what the decoder has read since the last one. It is called when the decoder asks for more:
// what it can make of the bytes before, it has given, or gives with this Read, or is within ahead.
func (c *compressed) keep() error {
	if c.in == nil || c.kept == c.at {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	after := c.given + int64(c.asked) + ahead
	c.size += c.at - c.kept
	if last := len(c.held) - 1; last >= 0 && c.held[last].slab == c.in && c.held[last].end-c.held[last].start < minPiece {
		c.held[last].end, c.held[last].after = c.at, after
	} else {
		c.in.hold()
		c.held = append(c.held, piece{slab: c.in, start: c.kept, end: c.at, after: after})
	}
	c.kept = c.at
	if c.size > maxHeld {
		return fmt.Errorf("more than %d compressed bytes without a record in them", maxHeld)
	}
	return nil
}

// renew takes another slab.
func (c *compressed) renew() {
	if c.in != nil {
		c.in.release()
	}
	select {
	case c.in = <-c.free:
	default:
		c.in = &slab{data: make([]byte, maxRead), free: c.free}
	}
	c.in.refs.Store(1)
	c.end, c.at, c.kept = 0, 0, 0
}

// release moves to the block the pieces that may go on after so many uncompressed bytes are in complete records:
// all of them when that is the whole stream.
func (c *compressed) release(block *Block, scanned int64, whole bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := 0
	for n < len(c.held) && (whole || c.held[n].after <= scanned) {
		p := c.held[n]
		block.Release = append(block.Release, p.slab.data[p.start:p.end:p.end])
		block.slabs = append(block.slabs, p.slab) // the reference goes with it
		c.size -= p.end - p.start
		n++
	}
	c.held = append(c.held[:0], c.held[n:]...)
}

func (c *compressed) close() {
	if decoder, ok := c.decoder.(*zstd.Decoder); ok {
		decoder.Close()
	}
}

// members reads gzip members one after another, and zeros behind the last one, as tapes and some tools leave
// them. Anything else behind is an error: it would go on unread.
type members struct {
	in     *bufio.Reader
	member *gzip.Reader
}

func (m *members) Read(b []byte) (int, error) {
	for {
		if m.member == nil {
			member, err := gzip.NewReader(m.in)
			if err != nil {
				return 0, unexpected(err)
			}
			m.member = member
			m.member.Multistream(false)
		}
		n, err := m.member.Read(b)
		if !errors.Is(err, io.EOF) {
			return n, err
		}
		if n > 0 {
			return n, nil
		}
		if more, err := m.more(); err != nil || !more {
			if err == nil {
				err = io.EOF
			}
			return 0, err
		}
		if err := m.member.Reset(m.in); err != nil {
			return 0, unexpected(err)
		}
		m.member.Multistream(false)
	}
}

// more says whether another member comes.
func (m *members) more() (bool, error) {
	for {
		c, err := m.in.ReadByte()
		if errors.Is(err, io.EOF) {
			return false, nil
		}
		if err != nil {
			return false, err
		}
		if c == 0 {
			continue
		}
		if c != magicGzip[0] {
			return false, errors.New("after the compressed data come bytes that are not gzip")
		}
		return true, m.in.UnreadByte()
	}
}

// unexpected says of a header that was cut that the stream was: its end is no end.
func unexpected(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
