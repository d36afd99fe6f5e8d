package endtoend

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rolltrace/rolltrace/schema/graph"
)

// teeList passes a list of n invented people to the place, and wants it to end well, or not.
func (h *house) teeList(place, prefix string, n int) string {
	h.t.Helper()
	text := bytes.NewBufferString("name,elector_id\n")
	for i := range n {
		fmt.Fprintf(text, "\"Invented, Person %d\",%s-%07d\n", i, prefix, i)
	}
	var out bytes.Buffer
	p := h.tee(bytes.NewReader(text.Bytes()), &out, place)
	<-p.done
	if p.err != nil || !bytes.Equal(out.Bytes(), text.Bytes()) {
		h.t.Fatalf("tee: %v, %d of %d bytes\n%s", p.err, out.Len(), text.Len(), p.said)
	}
	return p.said.String()
}

// until asks again and again until the answer about a place is what is wanted.
func (h *house) until(what, place string, enough func(keys, notes []string) bool) {
	h.t.Helper()
	for deadline := time.Now().Add(2 * time.Minute); ; {
		keys, notes, _, err := h.held(place)
		if err == nil && enough(keys, notes) {
			return
		}
		if time.Now().After(deadline) {
			h.t.Fatalf("%s: %d electors, notes %v, %v\nconsumer:\n%s\nsidecar:\n%s", what, len(keys), notes, err, h.consumer.said, h.sidecar.said)
		}
		<-time.After(100 * time.Millisecond) // ClickHouse tells nobody of an insert: it has to be asked
	}
}

// The hub is away for the whole of a tee, with and without a sidecar that runs: it ends well, and is in the graph when
// the hub is back.
func TestHubIsAwayForTheWholeOfATee(t *testing.T) {
	h := newHouse(t)
	<-h.started
	h.hub.kill()
	h.teeList("party-a/files/through.csv", "T", 2000)
	if err := h.sidecar.stop(); err != nil {
		t.Fatalf("%v\n%s", err, h.sidecar.said)
	}
	if said := h.teeList("party-a/files/alone.csv", "A", 3000); !strings.Contains(said, "the record is safe in outbox") {
		t.Errorf("said %q, want that the hub has not got it yet", said)
	}
	h.startHub()
	h.startSidecar()
	for place, n := range map[string]int{"party-a/files/through.csv": 2000, "party-a/files/alone.csv": 3000} {
		h.until(place, place, func(keys, notes []string) bool {
			return len(keys) == n && !slices.ContainsFunc(notes, func(code string) bool { return slices.Contains(lossy, code) })
		})
	}
}

// The outbox's store is damaged while the hub is away: the sidecar starts, what is left comes to the graph, and every
// answer says that something is missing. Opened twice, the second one says who has it.
func TestDamagedOutboxIsNotedInAnswers(t *testing.T) {
	for how, damage := range map[string]func(t *testing.T, outbox string){
		"truncated": func(t *testing.T, outbox string) {
			block := newestBlock(t, outbox)
			info, err := os.Stat(block)
			if err == nil {
				err = os.Truncate(block, info.Size()/2)
			}
			if err != nil {
				t.Fatal(err)
			}
		},
		"a bit flipped": func(t *testing.T, outbox string) {
			block := newestBlock(t, outbox)
			content, err := os.ReadFile(block)
			if err == nil {
				content[len(content)/2] ^= 4
				err = os.WriteFile(block, content, 0o600)
			}
			if err != nil {
				t.Fatal(err)
			}
		},
		"its state file is gone": func(t *testing.T, outbox string) {
			if err := os.Remove(filepath.Join(outbox, "head")); err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run(how, func(t *testing.T) {
			h := newHouse(t)
			<-h.started
			h.teeList("party-a/files/before.csv", "B", 1000)
			h.until("before", "party-a/files/before.csv", func(keys, notes []string) bool {
				return len(keys) == 1000 && !slices.Contains(notes, graph.CodeGap)
			})
			h.hub.kill()
			h.teeList("party-a/files/away.csv", "C", 50_000)
			if err := h.sidecar.stop(); err != nil {
				t.Fatal(err)
			}
			damage(t, h.path("outbox"))
			h.startHub()
			h.startSidecar()
			h.until("damaged", "party-a/files/before.csv", func(keys, notes []string) bool {
				return len(keys) == 1000 && slices.Contains(notes, graph.CodeGap)
			})
			h.teeList("party-a/files/after.csv", "D", 2000)
			h.until("afterwards", "party-a/files/after.csv", func(keys, notes []string) bool { return len(keys) == 2000 })

			<-h.started
			second := start(t, h.command("rolltrace-sidecar", "run", "--config", h.path("sidecar.yaml")), nil)
			<-second.done
			if said := second.said.String(); second.err == nil || strings.Count(said, "\n") != 0 || !strings.Contains(said, "held by another sidecar") {
				t.Errorf("a second sidecar on the outbox: %v, said %q", second.err, said)
			}
		})
	}
}

// newestBlock is the file of the outbox that was written last.
func newestBlock(t *testing.T, outbox string) string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(outbox, "jetstream", "*", "streams", "OUTBOX_*", "msgs", "*.blk"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no blocks: %v", err)
	}
	return slices.MaxFunc(files, func(a, b string) int {
		x, errA := os.Stat(a)
		y, errB := os.Stat(b)
		if errA != nil || errB != nil {
			t.Fatal(errA, errB)
		}
		return x.ModTime().Compare(y.ModTime())
	})
}
