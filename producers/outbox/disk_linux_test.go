package outbox_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/rs/zerolog"

	"github.com/rolltrace/rolltrace/producers"
	"github.com/rolltrace/rolltrace/producers/outbox"
	"github.com/rolltrace/rolltrace/schema/schematest"
	"github.com/rolltrace/rolltrace/schema/wire"
)

// said is a log that a test can wait for.
type said chan string

func (s said) Write(b []byte) (int, error) {
	select {
	case s <- string(b):
	default: // nobody waits any more
	}
	return len(b), nil
}

func (s said) await(t testing.TB, part string) {
	t.Helper()
	for late := time.After(time.Minute); ; {
		select {
		case line := <-s:
			t.Log(line)
			if strings.Contains(line, part) {
				return
			}
		case <-late:
			t.Fatalf("the log does not say %q", part)
		}
	}
}

func TestDiskIsFullAndThenNot(t *testing.T) {
	schematest.OnSmallDisk(t, "size=48m", func(t *testing.T, disk string) {
		cfg := config(t, filepath.Join(disk, "outbox"))
		cfg.BlockTimeout, cfg.Reserve = 200*time.Millisecond, 1<<20
		o := open(t, cfg)
		for i := range 10 {
			appended(t, o, chunk(uint32(i), 10_000))
		}
		lighten := schematest.Ballast(t, disk, 0)
		err := tryAppend(t, o, chunk(10, 10_000))
		if !errors.Is(err, producers.ErrFull) || !strings.Contains(err.Error(), "disk") {
			t.Errorf("append on a full disk: %v, want ErrFull that says it is the disk", err)
		}
		// Closings go into the room that was kept back on the disk.
		for range 20 {
			appended(t, o, movement(t, "closed"))
		}
		if _, err := os.Stat(filepath.Join(cfg.Dir, "reserve")); err == nil {
			t.Error("the reserve is not given up")
		}
		lighten()
		for i := range 10 {
			appended(t, o, chunk(uint32(20+i), 10_000))
		}
		closeNow(t, o)
		if _, err := os.Stat(filepath.Join(cfg.Dir, "reserve")); err != nil {
			t.Errorf("the reserve is not made again: %v", err)
		}
		o = open(t, cfg)
		records := drain(t, o)
		if len(records) != 40 {
			t.Errorf("%d messages, want 40", len(records))
		}
		checkChain(t, records)
		closeNow(t, o)
	})
}

// The store cannot make files any more, and no reading of the disk's free bytes foretells it: the write
// fails, and the embedded server would answer nothing for ever.
func TestWriteFaultAndThenNot(t *testing.T) {
	schematest.OnSmallDisk(t, "size=64m,nr_inodes=100", func(t *testing.T, disk string) {
		cfg := config(t, filepath.Join(disk, "outbox"))
		said := make(said, 1000)
		cfg.BlockTimeout, cfg.Log = time.Minute, zerolog.New(said)
		o := open(t, cfg)
		appended(t, o, chunk(0, 60_000))
		var files []string
		for i := 0; ; i++ {
			path := filepath.Join(disk, fmt.Sprint("file", i))
			f, err := os.Create(path)
			if err != nil {
				break
			}
			must(t, f.Close())
			files = append(files, path)
		}
		// Enough for several blocks, so that new files are wanted.
		var receipts []*producers.Receipt
		for i := range 40 {
			receipt, err := o.Append(t.Context(), chunk(uint32(1+i), 60_000))
			if err != nil {
				break // the queue is full
			}
			receipts = append(receipts, receipt)
			if i >= 25 {
				break
			}
		}
		said.await(t, "does not start")
		if receipts[len(receipts)-1].Settled() {
			t.Error("settled although the store cannot make a file")
		}
		for _, path := range files {
			must(t, os.Remove(path))
		}
		if err := producers.Receipts(receipts...).Wait(t.Context()); err != nil {
			t.Fatal(err)
		}
		if faults := testutil.ToFloat64(cfg.Metrics.Faults); faults == 0 {
			t.Error("no fault is counted")
		}
		before := o.Instance()
		records := drain(t, o)
		if lost := account(t, records, before, uint64(len(receipts)+1)); lost != 0 {
			t.Errorf("%d lost", lost)
		}
		if made := testutil.ToFloat64(cfg.Metrics.Instances); made != 1 {
			t.Errorf("%v instances, want 1", made)
		}
		closeNow(t, o)
	})
}

// A disk that runs full and empty again while many append: whatever was acknowledged is there, in one chain.
func TestDiskComesAndGoes(t *testing.T) {
	schematest.OnSmallDisk(t, "size=80m", func(t *testing.T, disk string) {
		cfg := config(t, filepath.Join(disk, "outbox"))
		cfg.BlockTimeout, cfg.Reserve = 100*time.Millisecond, 1<<20
		o := open(t, cfg)
		var mu sync.Mutex
		acknowledged := map[uint32]bool{}
		refused, done := make(chan struct{}, 1000), make(chan struct{})
		var wg sync.WaitGroup
		for w := range 4 {
			wg.Add(1)
			go func() {
				defer wg.Done()
				for i := uint32(w); ; i += 4 {
					select {
					case <-done:
						return
					default:
					}
					err := tryAppend(t, o, chunk(i, 5_000))
					mu.Lock()
					if err == nil {
						acknowledged[i] = true
					} else if !errors.Is(err, producers.ErrFull) && !errors.Is(err, producers.ErrBroken) {
						t.Error(err)
					}
					mu.Unlock()
					if err != nil {
						select {
						case refused <- struct{}{}:
						default:
						}
					}
				}
			}()
		}
		seen := map[uint32]bool{}
		sequences := map[string][32]byte{}
		var after uint64
		for range 6 {
			lighten := schematest.Ballast(t, disk, 0)
			<-refused
			lighten()
			// The hub takes what is there, so that there is room for the next round.
			for n := int(o.Depth().Messages); n > 0; {
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				b, err := o.Read(ctx, after)
				cancel()
				must(t, err)
				after, n = b.Position, n-len(b.Messages)
				for _, m := range b.Messages {
					r, err := wire.Decode(m.Subject, m.Header, m.Body)
					must(t, err)
					place := fmt.Sprint(r.Instance, r.Sequence)
					if before, ok := sequences[place]; ok && before != r.Hash {
						t.Errorf("place %d is given twice", r.Sequence)
					}
					sequences[place] = r.Hash
					if r.Chunk == nil {
						t.Errorf("a gap, although nothing is lost: %+v", r.Gap)
						continue
					}
					seen[r.Chunk.Index] = true
				}
				must(t, o.Remove(t.Context(), b.Position))
			}
		}
		close(done)
		wg.Wait()
		for _, r := range drain(t, o) {
			seen[r.Chunk.Index] = true
		}
		for i := range acknowledged {
			if !seen[i] {
				t.Errorf("chunk %d was acknowledged and is lost", i)
			}
		}
		t.Logf("%d acknowledged, %d recorded, %v faults, %v refused", len(acknowledged), len(seen),
			testutil.ToFloat64(cfg.Metrics.Faults), testutil.ToFloat64(cfg.Metrics.Refused))
		closeNow(t, o)
	})
}

func TestNoRoomForTheOutboxItself(t *testing.T) {
	schematest.OnSmallDisk(t, "size=2m,nr_inodes=5", func(t *testing.T, disk string) {
		dir := filepath.Join(disk, "outbox")
		_, err := outbox.Open(t.Context(), config(t, dir))
		if err == nil || strings.Contains(err.Error(), "\n") || !strings.Contains(err.Error(), dir) {
			t.Errorf("opening: %v, want one line that names the folder", err)
		}
		t.Log(err)
	})
}
