package numbering

import (
	"math/rand/v2"
	"slices"
	"syscall"
	"testing"

	"github.com/rolltrace/rolltrace/schema"
)

// roll is how many electors the whole roll has.
const roll = 27_509_496

// BenchmarkNewElectors numbers a whole roll that has never been seen, chunk by chunk, against filling Go's map
// with it in the same run; BenchmarkKnownElectors numbers it again, in another order.
func BenchmarkNewElectors(b *testing.B) {
	keys := randomKeys(roll)
	var own, theirs float64
	for range b.N {
		own += processorSeconds(func() {
			n := New(nil)
			defer n.Close()
			number(b, n, keys)
			b.ReportMetric(float64(n.Bytes())/roll, "B/key")
		})
		theirs += processorSeconds(func() { fillMap(keys) })
	}
	report(b, own, theirs)
}

func BenchmarkKnownElectors(b *testing.B) {
	keys := randomKeys(roll)
	n := New(nil)
	defer n.Close()
	number(b, n, keys)
	m := fillMap(keys)
	rand.New(rand.NewPCG(3, 4)).Shuffle(len(keys), func(i, j int) { keys[i], keys[j] = keys[j], keys[i] })
	b.ResetTimer()
	var own, theirs float64
	for range b.N {
		own += processorSeconds(func() { number(b, n, keys) })
		theirs += processorSeconds(func() {
			var sum uint32
			for _, key := range keys {
				sum += m[key]
			}
			if sum == 1 {
				b.Log(sum)
			}
		})
	}
	report(b, own, theirs)
}

func report(b *testing.B, own, theirs float64) {
	b.ReportMetric(own/float64(b.N), "s/roll")
	b.ReportMetric(theirs/float64(b.N), "map-s/roll")
	b.ReportMetric(own/theirs, "of-map")
}

func number(tb testing.TB, n *Numbering, keys []schema.Key) {
	tb.Helper()
	space, _, err := n.Space(schema.ElectorID, "k-00000001")
	if err != nil {
		tb.Fatal(err)
	}
	for chunk := range slices.Chunk(keys, schema.MaxChunkKeys) {
		if _, err := n.Electors(space, chunk); err != nil {
			tb.Fatal(err)
		}
	}
}

func fillMap(keys []schema.Key) map[schema.Key]uint32 {
	m := make(map[schema.Key]uint32)
	for _, key := range keys {
		if _, ok := m[key]; !ok {
			m[key] = uint32(len(m))
		}
	}
	return m
}

func randomKeys(n int) []schema.Key {
	r := rand.New(rand.NewPCG(1, 2))
	keys := make([]schema.Key, n)
	for i := range keys {
		keys[i] = schema.Key(r.Uint64())
	}
	return keys
}

// processorSeconds leaves out the time that others had the processors.
func processorSeconds(work func()) float64 {
	used := func() float64 {
		var u syscall.Rusage
		if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
			panic(err)
		}
		return float64(u.Utime.Nano()+u.Stime.Nano()) / 1e9
	}
	before := used()
	work()
	return used() - before
}
