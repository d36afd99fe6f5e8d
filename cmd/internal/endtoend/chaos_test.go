package endtoend

import (
	"bytes"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/rolltrace/rolltrace/producers/pseudonym"
	"github.com/rolltrace/rolltrace/schema"
)

var (
	rounds = flag.Int("rounds", 8, "how many tees the chaos test runs, with a kill or two in each")
	seed   = flag.Uint64("seed", 0, "seed of the chaos test; 0 is a new one, which is printed")
)

// recordsPerRound is enough for several blocks and chunks in each round.
const recordsPerRound = 120_000

// Whatever is killed, and whenever: every elector in the bytes that tee had put out is in the answers, each
// once, and nobody but those who went in. Everything but tee is begun again as it was, and no more is done.
func TestKilledAtAnyMomentNothingIsLostOrCountedTwice(t *testing.T) {
	if *seed == 0 {
		*seed = uint64(time.Now().UnixNano())
	}
	t.Logf("seed %d", *seed)
	random := rand.New(rand.NewPCG(*seed, 1))
	h := newHouse(t)
	kinds := []string{"sidecar", "tee", "consumer", "hub", "clickhouse"}
	var done []*round
	for i := range *rounds {
		r := h.begin(i)
		// Each kind of process has its turn, and a second one falls at random.
		first, second := random.IntN(recordsPerRound), random.IntN(recordsPerRound)
		r.feed(min(first, second), func() { h.strike(t, kinds[i%len(kinds)], r) })
		r.feed(max(first, second), func() { h.strike(t, kinds[random.IntN(len(kinds))], r) })
		r.feed(recordsPerRound, nil)
		r.end(t)
		done = append(done, r)
	}
	space := h.secret.Space(schema.ElectorID)
	for _, r := range done {
		r.check(t, h, space)
	}
	for name, p := range map[string]*process{"sidecar": h.sidecar, "consumer": h.consumer, "hub": h.hub} {
		if err := p.stop(); err != nil {
			t.Errorf("%s: %v\n%s", name, err, p.said)
		}
	}
}

// strike kills a process with SIGKILL, and begins it again, as a supervisor does.
func (h *house) strike(t *testing.T, kind string, r *round) {
	t.Logf("round %d: kill -9 of %s", r.number, kind)
	switch kind {
	case "sidecar":
		h.sidecar.kill()
		h.startSidecar()
	case "consumer":
		h.consumer.kill()
		h.startConsumer()
	case "hub":
		h.hub.kill()
		h.startHub()
	case "clickhouse":
		if err := h.clickhouse.Ready(t.Context()); err != nil { // it may be on its way back from the last one
			t.Error(err)
		}
		if err := h.clickhouse.Kill(); err != nil { // its supervisor begins it again
			t.Error(err)
		}
	case "tee":
		r.tee.kill()
		r.killed = true
	}
}

// A round is one list through one tee.
type round struct {
	number int
	place  string
	tee    *process
	in     io.WriteCloser
	out    *os.File
	fed    int
	killed bool
}

func (h *house) begin(number int) *round {
	r := &round{number: number, place: fmt.Sprintf("party-a/files/round-%d.csv", number)}
	reader, writer, err := os.Pipe()
	if err != nil {
		h.t.Fatal(err)
	}
	r.in = writer
	if r.out, err = os.Create(h.path(fmt.Sprintf("round-%d.csv", number))); err != nil {
		h.t.Fatal(err)
	}
	r.tee = h.tee(reader, r.out, r.place)
	reader.Close()
	_, _ = io.WriteString(writer, "name,elector_id\n")
	return r
}

func (r *round) id(i int) string { return fmt.Sprintf("R%d-%07d", r.number, i) }

// feed gives tee the records up to this one, and then does something while they are on their way. A tee
// that was killed takes no more.
func (r *round) feed(upTo int, then func()) {
	var lines bytes.Buffer
	for ; r.fed < upTo; r.fed++ {
		fmt.Fprintf(&lines, "\"Invented, Person %d\",%s\n", r.fed, r.id(r.fed))
	}
	_, _ = r.in.Write(lines.Bytes())
	if then != nil {
		then()
	}
}

func (r *round) end(t *testing.T) {
	r.in.Close()
	select {
	case <-r.tee.done:
	case <-time.After(3 * time.Minute):
		r.tee.kill()
		t.Errorf("round %d: tee did not end:\n%s", r.number, r.tee.said)
	}
	if r.tee.err != nil && !r.killed {
		t.Errorf("round %d: tee: %v\n%s", r.number, r.tee.err, r.tee.said)
	}
	r.out.Close()
}

// released is the identifiers in the bytes that tee put out: of a record that was cut short too, if its
// identifier is whole.
func (r *round) released(t *testing.T) []string {
	content, err := os.ReadFile(r.out.Name())
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for line := range strings.Lines(string(content)) {
		if at := strings.LastIndex(line, ",R"); at >= 0 {
			if id := strings.TrimSuffix(line[at+1:], "\n"); len(id) == len(r.id(0)) {
				ids = append(ids, id)
			}
		}
	}
	return ids
}

func (r *round) check(t *testing.T, h *house, space *pseudonym.Pseudonymiser) {
	key := func(id string) string {
		k, _ := space.Key([]byte(id))
		return k.String()
	}
	released := r.released(t)
	if !r.killed && len(released) != recordsPerRound {
		t.Errorf("round %d: tee put out %d records of %d, and ended well", r.number, len(released), recordsPerRound)
	}
	given := make(map[string]bool, r.fed)
	for i := range r.fed {
		given[key(r.id(i))] = true
	}
	var missing int
	var keys []string
	var err error
	arrived := func() bool {
		var complete bool
		keys, complete, err = h.held(r.place)
		if err != nil {
			if len(released) == 0 && strings.Contains(err.Error(), r.place) {
				return true // tee was killed before anything went out: nobody needs to know the place
			}
			return false // ClickHouse may be on its way back, or the movement on its way there
		}
		seen := make(map[string]int, len(keys))
		for _, k := range keys {
			seen[k]++
		}
		missing = 0
		for _, id := range released {
			if seen[key(id)] == 0 {
				missing++
			}
		}
		return missing == 0 && (r.killed || complete || len(keys) == recordsPerRound)
	}
	deadline := time.Now().Add(2 * time.Minute)
	for !arrived() {
		if time.Now().After(deadline) {
			t.Fatalf("round %d: %d of %d electors that were put out are not in the answer of %d (%v)\nconsumer:\n%s\nsidecar:\n%s",
				r.number, missing, len(released), len(keys), err, h.consumer.said, h.sidecar.said)
		}
		<-time.After(200 * time.Millisecond) // ClickHouse tells nobody of an insert: it has to be asked
	}
	seen := make(map[string]bool, len(keys))
	for _, k := range keys {
		if seen[k] {
			t.Errorf("round %d: key %s is there twice", r.number, k)
		}
		seen[k] = true
		if !given[k] {
			t.Errorf("round %d: key %s is there, and was in no list", r.number, k)
		}
	}
	t.Logf("round %d: %d records put out, %d electors in the answer", r.number, len(released), len(keys))
}
