package outbox_test

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sort"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/rolltrace/rolltrace/producers/outbox"
	"github.com/rolltrace/rolltrace/schema"
	"github.com/rolltrace/rolltrace/schema/wire"
)

// drain reads and removes everything, as a forwarder does whose hub takes all.
func drain(t testing.TB, o *outbox.Outbox) []wire.Record {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var records []wire.Record
	var after uint64
	for o.Depth().Messages > 0 {
		b, err := o.Read(ctx, after)
		if err != nil {
			t.Fatalf("read after %d messages: %v", len(records), err)
		}
		after = b.Position
		for _, m := range b.Messages {
			r, err := wire.Decode(m.Subject, m.Header, m.Body)
			if err != nil {
				t.Fatal(err)
			}
			records = append(records, r)
		}
		if err := o.Remove(ctx, b.Position); err != nil {
			t.Fatal(err)
		}
	}
	return records
}

// account checks that every sequence from 1 to last of the instance was read once or is in a recorded gap,
// and returns how many are lost.
func account(t testing.TB, records []wire.Record, instance string, last uint64) (lost uint64) {
	t.Helper()
	told := map[uint64]string{}
	tell := func(sequence uint64, what string) {
		if before, twice := told[sequence]; twice {
			t.Errorf("sequence %d is %s and %s", sequence, before, what)
		}
		told[sequence] = what
	}
	for _, r := range records {
		if r.Instance == instance {
			tell(r.Sequence, "read")
		}
		if g := r.Gap; g != nil && g.Instance == instance {
			for s := g.FirstSequence; s <= g.LastSequence; s++ {
				tell(s, "lost")
				lost++
			}
		}
	}
	for s := uint64(1); s <= last; s++ {
		if told[s] == "" {
			t.Errorf("sequence %d is neither read nor in a gap", s)
		}
	}
	return lost
}

// blocks are the files of the store, oldest first.
func blocks(t testing.TB, dir string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "jetstream", "*", "streams", "OUTBOX_*", "msgs", "*.blk"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no blocks in %s (%v)", dir, err)
	}
	sort.Slice(files, func(i, j int) bool {
		return len(files[i]) < len(files[j]) || len(files[i]) == len(files[j]) && files[i] < files[j]
	})
	return files
}

func size(t testing.TB, file string) int64 {
	t.Helper()
	info, err := os.Stat(file)
	if err != nil {
		t.Fatal(err)
	}
	return info.Size()
}

func truncate(t testing.TB, file string, to int64) {
	t.Helper()
	if err := os.Truncate(file, to); err != nil {
		t.Fatal(err)
	}
}

func flip(t testing.TB, file string, at int64) {
	t.Helper()
	f, err := os.OpenFile(file, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	b := make([]byte, 1)
	if _, err := f.ReadAt(b, at); err != nil {
		t.Fatal(err)
	}
	b[0] ^= 0x10
	if _, err := f.WriteAt(b, at); err != nil {
		t.Fatal(err)
	}
}

// stores are what opening can find: closed in order, and as kill -9 leaves it.
var stores = map[string]func(t testing.TB, o *outbox.Outbox, dir string) string{
	"closed": func(t testing.TB, o *outbox.Outbox, dir string) string {
		closeNow(t, o)
		return dir
	},
	"killed": func(t testing.TB, o *outbox.Outbox, dir string) string {
		left := filepath.Join(t.TempDir(), "left")
		if err := os.CopyFS(left, os.DirFS(dir)); err != nil {
			t.Fatal(err)
		}
		closeNow(t, o)
		return left
	},
}

// fill appends n large chunks, one frame each, which take several blocks.
func fill(t testing.TB, o *outbox.Outbox, n int) {
	t.Helper()
	for i := range n {
		appended(t, o, chunk(uint32(i), schema.MaxChunkKeys))
	}
}

func TestStoreHasLostItsEnd(t *testing.T) {
	const n = 40
	for how, damage := range map[string]func(t *testing.T, dir string){
		"cut by a few bytes": func(t *testing.T, dir string) {
			last := blocks(t, dir)[len(blocks(t, dir))-1]
			truncate(t, last, size(t, last)-100)
		},
		"cut by half a block": func(t *testing.T, dir string) {
			last := blocks(t, dir)[len(blocks(t, dir))-1]
			truncate(t, last, size(t, last)/2)
		},
		"last block empty": func(t *testing.T, dir string) { truncate(t, blocks(t, dir)[len(blocks(t, dir))-1], 0) },
		"last block gone": func(t *testing.T, dir string) {
			if err := os.Remove(blocks(t, dir)[len(blocks(t, dir))-1]); err != nil {
				t.Fatal(err)
			}
		},
		"bit flipped in the last frame": func(t *testing.T, dir string) {
			last := blocks(t, dir)[len(blocks(t, dir))-1]
			flip(t, last, size(t, last)-1000)
		},
		"store gone": func(t *testing.T, dir string) {
			if err := os.RemoveAll(filepath.Join(dir, "jetstream")); err != nil {
				t.Fatal(err)
			}
		},
	} {
		for left, leave := range stores {
			t.Run(how+", "+left, func(t *testing.T) {
				t.Parallel()
				dir := t.TempDir()
				o := open(t, config(t, dir))
				before := o.Instance()
				fill(t, o, n)
				dir = leave(t, o, dir)
				damage(t, dir)
				cfg := config(t, dir)
				o = open(t, cfg)
				appended(t, o, chunk(2000, 10))
				if o.Instance() == before {
					t.Error("the instance goes on although its end is lost")
				}
				records := drain(t, o)
				if lost := account(t, records, before, n); lost == 0 {
					t.Error("nothing is said to be lost")
				}
				checkChain(t, records)
				// All is well afterwards.
				closeNow(t, o)
				cfg = config(t, dir)
				open(t, cfg)
				if made := testutil.ToFloat64(cfg.Metrics.Instances); made != 0 {
					t.Errorf("another instance at the next opening")
				}
			})
		}
	}
}

// The first loss was recorded, and the record is lost in turn: then that is said, of the instance that had it.
func TestEndIsLostAgain(t *testing.T) {
	dir := t.TempDir()
	var instances []string
	for range 3 {
		o := open(t, config(t, dir))
		appended(t, o, chunk(0, 10))
		instances = append(instances, o.Instance())
		closeNow(t, o)
		last := blocks(t, dir)[len(blocks(t, dir))-1]
		truncate(t, last, size(t, last)-100)
	}
	o := open(t, config(t, dir))
	appended(t, o, chunk(1, 1))
	if lost := account(t, drain(t, o), instances[2], 2); lost != 2 {
		t.Errorf("%d messages of the last instance are said to be lost, want 2", lost)
	}
}

// What the hub has is not lost, even if the store loses it.
func TestForwardedEndIsNotLost(t *testing.T) {
	dir := t.TempDir()
	o := open(t, config(t, dir))
	before := o.Instance()
	fill(t, o, 5)
	_, position := read(t, o, 0, 5)
	if err := o.Remove(t.Context(), position); err != nil {
		t.Fatal(err)
	}
	closeNow(t, o)
	if err := os.RemoveAll(filepath.Join(dir, "jetstream")); err != nil {
		t.Fatal(err)
	}
	o = open(t, config(t, dir))
	appended(t, o, chunk(9, 1))
	records := drain(t, o)
	if len(records) != 1 || records[0].Chunk == nil || records[0].Sequence != 1 || records[0].Instance == before {
		t.Errorf("%d messages, the first %+v; want the new one, of a new instance", len(records), records[0])
	}
}

func TestStoreHasHoles(t *testing.T) {
	const n = 40
	for how, damage := range map[string]func(t *testing.T, dir string){
		"bit in a record's length":   func(t *testing.T, dir string) { flip(t, blocks(t, dir)[1], 1) },
		"bit in a record's sequence": func(t *testing.T, dir string) { flip(t, blocks(t, dir)[1], 6) },
		"bit in a body":              func(t *testing.T, dir string) { flip(t, blocks(t, dir)[1], size(t, blocks(t, dir)[1])/2) },
		"bits in two blocks": func(t *testing.T, dir string) {
			flip(t, blocks(t, dir)[0], 300_000)
			flip(t, blocks(t, dir)[1], 900_000)
		},
		"first block gone": func(t *testing.T, dir string) {
			if err := os.Remove(blocks(t, dir)[0]); err != nil {
				t.Fatal(err)
			}
		},
		"block cut": func(t *testing.T, dir string) { truncate(t, blocks(t, dir)[1], size(t, blocks(t, dir)[1])/3) },
		"block gone": func(t *testing.T, dir string) {
			if err := os.Remove(blocks(t, dir)[1]); err != nil {
				t.Fatal(err)
			}
		},
		"every byte of a block": func(t *testing.T, dir string) {
			if err := os.WriteFile(blocks(t, dir)[1], []byte(strings.Repeat("garbage", 1<<20)), 0o600); err != nil {
				t.Fatal(err)
			}
		},
	} {
		for left, leave := range stores {
			t.Run(how+", "+left, func(t *testing.T) {
				t.Parallel()
				dir := t.TempDir()
				o := open(t, config(t, dir))
				before := o.Instance()
				fill(t, o, n)
				dir = leave(t, o, dir)
				damage(t, dir)
				cfg := config(t, dir)
				o = open(t, cfg)
				if o.Instance() != before {
					t.Error("another instance, although the end is there")
				}
				records := drain(t, o)
				lost := account(t, records, before, n)
				if lost == 0 || lost == n {
					t.Errorf("%d messages are said to be lost, want some", lost)
				}
				t.Logf("%d of %d lost", lost, n)
				if gaps := testutil.ToFloat64(cfg.Metrics.Gaps.WithLabelValues("hole")); gaps == 0 {
					t.Error("no gap is counted")
				}
			})
		}
	}
}

// A bit that flips under a running outbox, in what it has forgotten.
func TestHoleWhileRunning(t *testing.T) {
	dir := t.TempDir()
	o := open(t, config(t, dir))
	fill(t, o, 40)
	closeNow(t, o)
	cfg := config(t, dir)
	o = open(t, cfg)
	records, position := read(t, o, 0, 3)
	runtime.GC() // the server keeps what it has read for as long as nobody needs the memory
	flip(t, blocks(t, dir)[1], 1_000_000)
	rest := drainFrom(t, o, position)
	if lost := account(t, append(records, rest...), o.Instance(), 40); lost == 0 {
		t.Error("nothing is said to be lost")
	}
}

// Bits anywhere, many small frames and some large ones, before opening and under a running outbox.
func TestRandomBits(t *testing.T) {
	dir := t.TempDir()
	cfg := config(t, dir)
	cfg.MaxBytes = 32 << 20 // several segments
	o := open(t, cfg)
	instance := o.Instance()
	const n = 400
	for i := range n {
		appended(t, o, chunk(uint32(i), 1+(i%20)*(i%20)*60))
	}
	closeNow(t, o)
	for round := range 24 {
		seed := rand.Uint64()
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			random := rand.New(rand.NewPCG(seed, 0))
			damaged := filepath.Join(t.TempDir(), "outbox")
			must(t, os.CopyFS(damaged, os.DirFS(dir)))
			files := blocks(t, damaged)
			damage := func() {
				for range 1 + random.IntN(3) {
					file := files[random.IntN(len(files)-1)] // not the end, which is another test
					at := random.Int64N(size(t, file))
					if random.IntN(2) == 0 {
						at = at % 200 // a header, as a rule
					}
					flip(t, file, at)
				}
			}
			cfg := config(t, damaged)
			cfg.MaxBytes = 32 << 20
			if round%2 == 0 {
				damage()
			}
			o := open(t, cfg)
			if round%2 == 1 {
				damage()
			}
			lost := account(t, drain(t, o), instance, n)
			t.Logf("%d of %d lost", lost, n)
		})
	}
}

func drainFrom(t testing.TB, o *outbox.Outbox, position uint64) []wire.Record {
	t.Helper()
	if err := o.Remove(t.Context(), position); err != nil {
		t.Fatal(err)
	}
	return drain(t, o)
}

// A hole is recorded once, however often the hub makes the forwarder begin again.
func TestHoleIsRecordedOnce(t *testing.T) {
	dir := t.TempDir()
	o := open(t, config(t, dir))
	fill(t, o, 40)
	closeNow(t, o)
	flip(t, blocks(t, dir)[1], 1_000_000)
	cfg := config(t, dir)
	o = open(t, cfg)
	for range 3 {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		var after uint64
		for n := 0; n < 30; {
			b, err := o.Read(ctx, after)
			if err != nil {
				t.Fatal(err)
			}
			after, n = b.Position, n+len(b.Messages)
		}
		cancel()
	}
	if lost := account(t, drain(t, o), o.Instance(), 40); lost == 0 {
		t.Error("nothing is said to be lost")
	}
}

func TestStateFileIsDamagedOrGone(t *testing.T) {
	for how, damage := range map[string]func(t *testing.T, path string){
		"gone":    func(t *testing.T, path string) { must(t, os.Remove(path)) },
		"empty":   func(t *testing.T, path string) { truncate(t, path, 0) },
		"garbage": func(t *testing.T, path string) { must(t, os.WriteFile(path, []byte("garbage"), 0o600)) },
		"both slots": func(t *testing.T, path string) {
			flip(t, path, 30)
			flip(t, path, 1024+30)
		},
	} {
		t.Run(how, func(t *testing.T) {
			dir := t.TempDir()
			o := open(t, config(t, dir))
			before := o.Instance()
			fill(t, o, 5)
			closeNow(t, o)
			damage(t, filepath.Join(dir, "head"))
			o = open(t, config(t, dir))
			if o.Instance() == before {
				t.Error("the instance goes on although nothing says where it ended")
			}
			appended(t, o, chunk(9, 1))
			records := drain(t, o)
			if len(records) != 7 || records[5].Gap == nil || records[5].Gap.Instance != "" {
				t.Errorf("%d messages, want 7: nothing is lost, and a gap says that nothing tells so", len(records))
			}
			checkChain(t, records)
		})
	}
	t.Run("one slot", func(t *testing.T) {
		// What was written last may be torn; the slot before it is there, and is only older.
		dir := t.TempDir()
		o := open(t, config(t, dir))
		before := o.Instance()
		fill(t, o, 5)
		closeNow(t, o)
		flip(t, filepath.Join(dir, "head"), newestSlot(t, dir)+30)
		o = open(t, config(t, dir))
		if o.Instance() != before {
			t.Error("another instance, although the store says where it ended")
		}
		appended(t, o, chunk(9, 1))
		if lost := account(t, drain(t, o), before, 6); lost != 0 {
			t.Errorf("%d messages are said to be lost", lost)
		}
	})
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func newestSlot(t testing.TB, dir string) int64 {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, "head"))
	must(t, err)
	serials := map[int64]uint64{}
	for at := int64(0); at < 2048; at += 1024 {
		var serial uint64
		if _, err := fmt.Sscanf(string(b[at+9:at+60]), `{"serial":%d`, &serial); err == nil {
			serials[at] = serial
		}
	}
	slots := slices.SortedFunc(maps.Keys(serials), func(a, b int64) int { return int(serials[a]) - int(serials[b]) })
	return slots[len(slots)-1]
}

func TestAnotherSidecarInTheSameFolder(t *testing.T) {
	dir := t.TempDir()
	o := open(t, config(t, dir))
	before := o.Instance()
	appended(t, o, chunk(0, 1))
	closeNow(t, o)
	cfg := config(t, dir)
	cfg.Sidecar = "field-db-2"
	o = open(t, cfg)
	if o.Instance() == before {
		t.Error("another sidecar goes on with the chain")
	}
	if o.Depth().Messages == 0 {
		t.Error("what waits is not counted")
	}
	appended(t, o, chunk(1, 1))
	records := drain(t, o)
	if len(records) != 2 || records[0].Sidecar != "field-db-1" || records[1].Sidecar != "field-db-2" || records[1].Sequence != 1 {
		t.Errorf("%d messages", len(records))
	}
}
