package outbox_test

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/rolltrace/rolltrace/producers/outbox"
	"github.com/rolltrace/rolltrace/schema/wire"
)

// TestMain is a process that appends, when a test asks for one.
func TestMain(m *testing.M) {
	if dir := os.Getenv("OUTBOX_TEST_APPENDER"); dir != "" {
		appender(dir, os.Getenv("OUTBOX_TEST_BASE"))
		return
	}
	os.Exit(m.Run())
}

// appender appends chunks from several goroutines and says of each when it is durable, until it is killed.
func appender(dir, from string) {
	base, err := strconv.Atoi(from)
	if err != nil {
		fmt.Println("error", err)
		return
	}
	t := &testing.T{}
	ctx := context.Background()
	o, err := outbox.Open(ctx, outbox.Config{Dir: dir, Org: "party-a", Sidecar: "field-db-1", Signer: signer(t), MaxBytes: 256 << 20})
	if err != nil {
		fmt.Println("error", err)
		return
	}
	now, err := o.Now(ctx)
	fmt.Println("time", now.UnixMicro(), err)
	fmt.Println("instance", o.Instance())
	var mu sync.Mutex
	const writers = 4
	for w := range writers {
		go func() {
			for i := base + w; ; i += writers {
				receipt, err := o.Append(ctx, chunk(uint32(i), 1+i%1000))
				if err == nil {
					err = receipt.Wait(ctx)
				}
				mu.Lock()
				if err != nil {
					fmt.Println("error", err)
				} else {
					fmt.Println("durable", i)
				}
				mu.Unlock()
			}
		}()
	}
	select {}
}

// Killed at any moment, any number of times: nothing that was acknowledged is lost, no place is given twice,
// the chain and the clock go on, and nobody has to lend a hand.
func TestKilledWhileAppending(t *testing.T) {
	dir := t.TempDir()
	const rounds = 15
	var clock int64
	var instance string
	var position uint64
	places := map[string][32]byte{} // (instance, sequence) → hash
	durable, seen := map[int]bool{}, map[int]bool{}
	for round := range rounds {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), "OUTBOX_TEST_APPENDER="+dir, fmt.Sprintf("OUTBOX_TEST_BASE=%d", round*20_000))
		out, err := cmd.StdoutPipe()
		must(t, err)
		cmd.Stderr = os.Stderr
		must(t, cmd.Start())
		left := 1 + rand.IntN(400)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			what, value, _ := strings.Cut(lines.Text(), " ")
			switch what {
			case "time":
				var us int64
				fmt.Sscan(value, &us) //nolint:errcheck // 0 fails
				if us <= clock {
					t.Errorf("round %d: the clock went from %d back to %d", round, clock, us)
				}
				clock = us
			case "instance":
				if instance != "" && value != instance {
					t.Errorf("round %d: another instance, although nothing is damaged", round)
				}
				instance = value
			case "durable":
				i, _ := strconv.Atoi(value)
				durable[i] = true
				if left--; left == 0 {
					must(t, cmd.Process.Signal(syscall.SIGKILL))
				}
			default:
				t.Fatalf("round %d: %s", round, lines.Text())
			}
		}
		cmd.Wait() //nolint:errcheck // it was killed

		cfg := config(t, dir)
		o := open(t, cfg)
		if n := int(o.Depth().Messages); n > 0 {
			var records []wire.Record
			records, position = read(t, o, 0, n)
			for _, r := range records {
				place := fmt.Sprint(r.Instance, " ", r.Sequence)
				if before, ok := places[place]; ok && before != r.Hash {
					t.Fatalf("round %d: place %d is given twice", round, r.Sequence)
				}
				places[place] = r.Hash
				if r.Chunk != nil {
					seen[int(r.Chunk.Index)] = true
				} else {
					t.Errorf("round %d: a gap, although nothing is damaged: %+v", round, r.Gap)
				}
			}
			if round%3 == 1 { // the hub took what there was
				must(t, o.Remove(t.Context(), position))
			}
		}
		if made := testutil.ToFloat64(cfg.Metrics.Instances); made != 0 {
			t.Errorf("round %d: a new instance, although nothing is damaged", round)
		}
		now, _ := o.Now(t.Context())
		if now.UnixMicro() <= clock {
			t.Errorf("round %d: the clock went back", round)
		}
		clock = now.UnixMicro()
		closeNow(t, o)
		for i := range durable {
			if !seen[i] {
				t.Fatalf("round %d: chunk %d was acknowledged and is lost", round, i)
			}
		}
	}
	t.Logf("%d kills, %d chunks acknowledged, %d recorded", rounds, len(durable), len(seen))
}
