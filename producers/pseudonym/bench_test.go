package pseudonym

import (
	"crypto/aes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"hash"
	"testing"
	"time"

	"github.com/rolltrace/rolltrace/schema"
)

// The rival PRF. It lives here only: BenchmarkPRF says which of the two production uses.
type hmacPRF struct {
	mac hash.Hash
	sum [sha256.Size]byte
	in  []byte
}

func (p *hmacPRF) Key(identifier []byte) (schema.Key, bool) {
	p.in = appendCompact(p.in[:0], identifier)
	p.mac.Reset()
	p.mac.Write(p.in)
	return schema.Key(binary.BigEndian.Uint64(p.mac.Sum(p.sum[:0]))), len(p.in) > 0
}

// BenchmarkPRF times both PRFs, each against the primitive beneath it, interleaved in one run: "x_aes" is
// the time of a key over that of one raw AES-256 block, "x_sha256" over that of one SHA-256 of the same
// bytes, "hmac/cmac" how much faster the one in use is.
func BenchmarkPRF(b *testing.B) {
	for _, length := range []int{9, 16, 24, 40} {
		b.Run(fmt.Sprintf("bytes=%d", length), func(b *testing.B) {
			ids := make([][]byte, 1024)
			for i := range ids {
				ids[i] = fmt.Appendf(nil, "%0*d", length, i*7919)
			}
			cmac := testSecret(1).Space(schema.ElectorID)
			rival := &hmacPRF{mac: hmac.New(sha256.New, make([]byte, 32))}
			block, err := aes.NewCipher(make([]byte, 32))
			if err != nil {
				b.Fatal(err)
			}
			var buffer [16]byte
			keys := make([]schema.Key, 0, len(ids))
			each := func(do func(id []byte)) func() {
				return func() {
					for _, id := range ids {
						do(id)
					}
				}
			}
			work := []func(){
				func() { keys = cmac.Keys(keys[:0], ids) },
				each(func(id []byte) { rival.Key(id) }),
				each(func([]byte) { block.Encrypt(buffer[:], buffer[:]) }),
				each(func(id []byte) { sha256.Sum256(id) }),
				each(func(id []byte) { cmac.Key(id) }),
			}
			spent := make([]time.Duration, len(work))
			rounds := 0
			for b.Loop() {
				rounds++
				for w, do := range work {
					start := time.Now()
					do()
					spent[w] += time.Since(start)
				}
			}
			ns := func(w int) float64 { return float64(spent[w].Nanoseconds()) / float64(rounds*len(ids)) }
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(ns(0), "cmac_ns/id")
			b.ReportMetric(ns(1), "hmac_ns/id")
			b.ReportMetric(ns(4), "one_by_one_ns/id")
			b.ReportMetric(ns(0)/ns(2), "x_aes")
			b.ReportMetric(ns(1)/ns(3), "x_sha256")
			b.ReportMetric(ns(1)/ns(0), "hmac/cmac")
		})
	}
}
