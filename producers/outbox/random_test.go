package outbox_test

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"runtime/metrics"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/rolltrace/rolltrace/producers/outbox"
	"github.com/rolltrace/rolltrace/schema/wire"
)

var (
	damageRounds = flag.Int("damage-rounds", 32, "how many stores the test of random damage breaks")
	damageSeed   = flag.Uint64("damage-seed", 0, "seed of its first one, the next has one more; 0 is a new one")
)

const (
	randomMessages  = 160
	randomForwarded = 50        // that the hub had of them, in every second store
	randomMemory    = 512 << 20 // bytes of the heap that one round may take: a store has 8 MB
)

// Anything in the folder is broken, in any way: bits flip, files are cut, go, or get other contents, before the
// outbox is opened or while it is. It opens, or says in one line why not; it is read to its end, in bounded
// time and memory; what is read is what was appended, in order; what is not is in a gap; and it goes on.
func TestRandomDamage(t *testing.T) {
	if *damageSeed == 0 {
		*damageSeed = rand.Uint64N(1 << 40)
	}
	stores := []*randomStore{newRandomStore(t, 0), newRandomStore(t, randomForwarded)}
	for round := range *damageRounds {
		seed := *damageSeed + uint64(round)
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			watchMemory(t, seed)
			stores[seed%2].test(t, rand.New(rand.NewPCG(seed, 0)))
		})
	}
}

// watchMemory ends everything, saying where it was, when the heap is larger than it may be. A server that has
// ended stays on the heap until its last timer, for two minutes.
func watchMemory(t *testing.T, seed uint64) {
	runtime.GC()
	limit := heap() + randomMemory
	done := make(chan struct{})
	t.Cleanup(func() { close(done) })
	go func() {
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
			case <-done:
				return
			}
			if h := heap(); h > limit {
				panic(fmt.Sprintf("seed %d: %d bytes on the heap\n%s", seed, h, stacks()))
			}
		}
	}()
}

func heap() uint64 {
	sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}

func stacks() []byte {
	b := make([]byte, 1<<20)
	return b[:runtime.Stack(b, true)]
}

// A randomStore is one in order, in several segments, whose copies are broken.
type randomStore struct {
	dir       string
	instance  string
	forwarded uint64              // sequences that the hub has
	appended  map[uint64][32]byte // the hash of each message by its sequence
}

func newRandomStore(t *testing.T, forwarded int) *randomStore {
	s := &randomStore{dir: t.TempDir(), forwarded: uint64(forwarded), appended: make(map[uint64][32]byte)}
	o := open(t, randomConfig(t, s.dir, zerolog.Nop()))
	s.instance = o.Instance()
	random := rand.New(rand.NewPCG(1, 1))
	var after uint64
	for i := range randomMessages {
		appended(t, o, chunk(uint32(i), 1+random.IntN(1+(i%5)*4000)))
		b, err := o.Read(t.Context(), after)
		must(t, err)
		after = b.Position
		if i < forwarded {
			must(t, o.Remove(t.Context(), b.Position))
		}
		for _, m := range b.Messages {
			r, err := wire.Decode(m.Subject, m.Header, m.Body)
			must(t, err)
			s.appended[r.Sequence] = r.Hash
		}
	}
	closeNow(t, o)
	return s
}

func randomConfig(t testing.TB, dir string, log zerolog.Logger) outbox.Config {
	cfg := config(t, dir)
	cfg.MaxBytes, cfg.Reserve, cfg.Log = 16<<20, outbox.MinReserve, log // segments of 1 MiB
	return cfg
}

func (s *randomStore) test(t *testing.T, random *rand.Rand) {
	dir := filepath.Join(t.TempDir(), "outbox")
	must(t, os.CopyFS(dir, os.DirFS(s.dir)))
	said := &quiet{}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("said:\n%s", said)
		}
	})
	cfg := randomConfig(t, dir, zerolog.New(said).Level(zerolog.InfoLevel))
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var o *outbox.Outbox
	opening := func() bool {
		var err error
		o, err = outbox.Open(ctx, cfg)
		if errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("opening does not end: %v\n%s", err, stacks())
		}
		if err != nil {
			t.Fatalf("opening: %v", err)
		}
		t.Cleanup(func() { closeNow(t, o) })
		return true
	}
	headLost := false
	while := random.IntN(4) == 0
	if while {
		opening()
	}
	for range 1 + random.IntN(3) {
		how, file := breakSomething(t, dir, random)
		t.Logf("%s (open: %t): %s", file, while, how)
		headLost = headLost || file == "head"
	}
	if !while && !opening() {
		return
	}
	// What is appended comes after a lost end is recorded.
	appended(t, o, chunk(randomMessages, 10))
	records := s.drain(t, ctx, o)
	isAppended := func(r wire.Record) bool {
		lost := r.Gap != nil && r.Gap.LastSequence > randomMessages // by what was broken while it is open
		return lost || r.Chunk != nil && r.Chunk.Index == randomMessages
	}
	if !slices.ContainsFunc(records, isAppended) {
		t.Error("what was appended afterwards is not there")
	}
	t.Logf("%d lost", s.account(t, records, headLost))
	// It goes on, and what was said once is not said again.
	appended(t, o, chunk(randomMessages+1, 10))
	if more := s.drain(t, ctx, o); len(more) != 1 || more[0].Chunk == nil || more[0].Chunk.Index != randomMessages+1 {
		t.Errorf("%d messages more, want the one that was appended", len(more))
	}
	closeNow(t, o)
	opening()
	for _, r := range s.drain(t, ctx, o) {
		if !while { // else the damage may be found only now
			t.Errorf("after all was read there is %+v", r.Gap)
		}
	}
	closeNow(t, o)
}

// drain is what a forwarder reads whose hub takes everything.
func (s *randomStore) drain(t *testing.T, ctx context.Context, o *outbox.Outbox) (records []wire.Record) {
	t.Helper()
	var after uint64
	for o.Depth().Messages > 0 {
		b, err := o.Read(ctx, after)
		if errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("reading does not end, after %d messages, %+v wait\n%s", len(records), o.Depth(), stacks())
		}
		must(t, err)
		after = b.Position
		if len(records) > 10*randomMessages {
			t.Fatalf("reading does not end: the same comes again and again, at %x, %+v wait", b.Position, o.Depth())
		}
		for _, m := range b.Messages {
			r, err := wire.Decode(m.Subject, m.Header, m.Body)
			if err != nil {
				t.Errorf("a message that cannot be decoded: %v", err)
				continue
			}
			records = append(records, r)
		}
		must(t, o.Remove(ctx, b.Position))
	}
	return records
}

// account checks what was read, and that the rest of what the hub had not is in gaps.
func (s *randomStore) account(t *testing.T, records []wire.Record, headLost bool) (lost int) {
	t.Helper()
	told := make(map[uint64]bool)
	last := uint64(0)
	for _, r := range records {
		if g := r.Gap; g != nil && g.Instance == s.instance {
			for q := g.FirstSequence; q <= min(g.LastSequence, randomMessages); q++ {
				if told[q] {
					t.Errorf("sequence %d is lost, and was read or lost before", q)
				}
				told[q] = true
				lost++
			}
		}
		if r.Instance != s.instance || r.Sequence > randomMessages {
			continue
		}
		if told[r.Sequence] {
			t.Errorf("sequence %d is read, and was read or lost before", r.Sequence)
		}
		told[r.Sequence] = true
		if r.Hash != s.appended[r.Sequence] {
			t.Errorf("sequence %d is not what was appended", r.Sequence)
		}
		if r.Sequence <= last {
			t.Errorf("sequence %d comes after %d", r.Sequence, last)
		}
		last = r.Sequence
	}
	from, to := s.forwarded+1, uint64(randomMessages)
	if headLost && slices.ContainsFunc(records, func(r wire.Record) bool { return r.Gap != nil && r.Gap.Instance == "" }) {
		// Nothing says what the hub had, or where the end was, and that is said.
		for from <= to && !told[from] {
			from++
		}
		for to >= from && !told[to] {
			to--
		}
	}
	var silent []uint64
	for q := from; q <= to; q++ {
		if !told[q] {
			silent = append(silent, q)
		}
	}
	if len(silent) > 0 {
		t.Errorf("neither read nor said to be lost: %d", silent)
	}
	return lost
}

// breakSomething breaks one file of the folder, and says how.
func breakSomething(t *testing.T, dir string, random *rand.Rand) (how, file string) {
	var files []string
	must(t, filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err == nil && e.Type().IsRegular() && e.Name() != "lock" {
			files = append(files, path)
		}
		return err
	}))
	if len(files) == 0 {
		return "nothing left", ""
	}
	slices.Sort(files)
	kind := []string{".blk", "", "", "index.db", "meta", "head"}[random.IntN(6)]
	if of := slices.DeleteFunc(slices.Clone(files), func(f string) bool { return !strings.Contains(filepath.Base(f), kind) }); len(of) > 0 {
		files = of
	}
	path := files[random.IntN(len(files))]
	file, err := filepath.Rel(dir, path)
	must(t, err)
	content, err := os.ReadFile(path)
	must(t, err)
	size := len(content)
	if size == 0 {
		must(t, os.Remove(path))
		return "gone", file
	}
	place := func() int {
		if random.IntN(2) == 0 {
			return random.IntN(min(size, 200)) // a header, as a rule
		}
		return random.IntN(size)
	}
	switch random.IntN(8) {
	case 0:
		must(t, os.Remove(path))
		return "gone", file
	case 1:
		folder := filepath.Dir(path)
		if folder != dir {
			must(t, os.RemoveAll(folder))
			return "gone, with its folder", file
		}
		must(t, os.Remove(path))
		return "gone", file
	case 2:
		to := random.IntN(size)
		must(t, os.Truncate(path, int64(to)))
		return fmt.Sprintf("cut from %d to %d", size, to), file
	case 3:
		from := place()
		to := from + random.IntN(size-from)
		for i := from; i < to; i++ {
			content[i] = 0
		}
		must(t, os.WriteFile(path, content, 0o600))
		return fmt.Sprintf("zeroes from %d to %d of %d", from, to, size), file
	case 4:
		more := make([]byte, random.IntN(100_000))
		for i := range more {
			more[i] = byte(random.Uint32())
		}
		must(t, os.WriteFile(path, append(content, more...), 0o600))
		return fmt.Sprintf("%d bytes more", len(more)), file
	default:
		var at []int
		for range 1 + random.IntN(4) {
			p := place()
			content[p] ^= 1 << random.IntN(8)
			at = append(at, p)
		}
		must(t, os.WriteFile(path, content, 0o600))
		return fmt.Sprintf("bits flipped at %d of %d", at, size), file
	}
}

// quiet keeps the end of a log for the message of a failing test.
type quiet struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (q *quiet) Write(b []byte) (int, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.b.Len() > 64<<10 {
		q.b.Next(32 << 10)
	}
	return q.b.Write(b)
}

func (q *quiet) String() string {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.b.String()
}
