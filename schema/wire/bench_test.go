package wire_test

import (
	"crypto/ed25519"
	"crypto/sha256"
	"testing"
	"time"

	"github.com/rolltrace/rolltrace/schema"
	"github.com/rolltrace/rolltrace/schema/wire"
)

// full is a chunk of 65,536 keys: 512 KiB.
func full() *wire.Chunk {
	c := chunk()
	c.Keys = make([]schema.Key, schema.MaxChunkKeys)
	for i := range c.Keys {
		c.Keys[i] = schema.Key(uint64(i) * 0x9e3779b97f4a7c15)
	}
	return c
}

// against runs the yardstick and the operation in turn, so that both see the same machine, and reports the
// operation's own time and its ratio to the yardstick.
func against(b *testing.B, unit string, size int, yardstick, run func()) {
	b.Helper()
	b.ReportAllocs()
	var limit, own time.Duration
	for b.Loop() {
		begin := time.Now()
		yardstick()
		middle := time.Now()
		run()
		limit, own = limit+middle.Sub(begin), own+time.Since(middle)
	}
	b.ReportMetric(float64(own)/float64(b.N), "ns/op")
	b.ReportMetric(float64(size)*float64(b.N)/1e6/own.Seconds(), "MB/s")
	b.ReportMetric(float64(own)/float64(limit), unit)
}

var sum [32]byte

// hash is one SHA-256 of the same bytes: what nobody who checks a body can do without.
func hash(body []byte) func() { return func() { sum = sha256.Sum256(body) } }

// verify is one verification of a signature over some headers.
func verify(b *testing.B) func() {
	text := make([]byte, 700)
	signature := ed25519.Sign(private, text)
	return func() {
		if !ed25519.Verify(private.Public().(ed25519.PublicKey), text, signature) {
			b.Fatal("the signature is wrong")
		}
	}
}

func BenchmarkDecodeChunk(b *testing.B) {
	m := seal(b, wire.Draft{Chunk: full()})
	against(b, "x-sha256", len(m.Body), hash(m.Body), func() {
		if _, err := wire.Decode(m.Subject, m.Header, m.Body); err != nil {
			b.Fatal(err)
		}
	})
}

func BenchmarkDecodeIntoChunk(b *testing.B) {
	m := seal(b, wire.Draft{Chunk: full()})
	room := make([]schema.Key, schema.MaxChunkKeys)
	against(b, "x-sha256", len(m.Body), hash(m.Body), func() {
		if _, err := wire.DecodeInto(room, m.Subject, m.Header, m.Body); err != nil {
			b.Fatal(err)
		}
	})
}

func BenchmarkSealChunk(b *testing.B) {
	c := full()
	chain := newChain(b)
	against(b, "x-sha256", len(c.Body()), hash(c.Body()), func() {
		fresh := *chunk()
		fresh.Keys = c.Keys
		if _, err := chain.Seal(wire.Draft{Chunk: &fresh}); err != nil {
			b.Fatal(err)
		}
	})
}

func BenchmarkDecodeMovement(b *testing.B) {
	m := seal(b, wire.Draft{Movement: movement(schema.Listed)})
	against(b, "x-ed25519-verify", len(m.Body), verify(b), func() {
		if _, err := wire.Decode(m.Subject, m.Header, m.Body); err != nil {
			b.Fatal(err)
		}
	})
}

func BenchmarkSealMovement(b *testing.B) {
	chain, m := newChain(b), movement(schema.Listed)
	against(b, "x-ed25519-verify", len(seal(b, wire.Draft{Movement: m}).Body), verify(b), func() {
		if _, err := chain.Seal(wire.Draft{Movement: m}); err != nil {
			b.Fatal(err)
		}
	})
}
