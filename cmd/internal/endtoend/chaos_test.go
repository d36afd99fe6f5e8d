package endtoend

import (
	"bytes"
	"flag"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rolltrace/rolltrace/deploy/embedded"
	"github.com/rolltrace/rolltrace/producers/pseudonym"
	"github.com/rolltrace/rolltrace/schema"
	"github.com/rolltrace/rolltrace/schema/graph"
)

var (
	rounds = flag.Int("rounds", 8, "how many tees the chaos test runs, with a kill or two in each")
	seed   = flag.Uint64("seed", 0, "seed of the chaos test; 0 is a new one, which is printed")
)

// recordsPerRound is enough for several chunks, and more than the pipes hold.
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
	struck := make(map[string]int)
	var done []*round
	for i := range *rounds {
		r := h.begin(i)
		// Each kind of process has its turn, and a second one falls at random, in the middle of the list.
		strikes := []string{kinds[i%len(kinds)], kinds[random.IntN(len(kinds))]}
		marks := []int{1 + random.IntN(len(r.text)*9/10), 1 + random.IntN(len(r.text)*9/10)}
		slices.Sort(marks)
		for j, kind := range strikes {
			r.await(marks[j])
			if r.flows() {
				h.strike(t, kind, r)
				struck[kind]++
			}
		}
		r.end(t)
		done = append(done, r)
	}
	t.Logf("killed while data flowed: %v", struck)
	for i, kind := range kinds {
		if want := (*rounds + len(kinds) - 1 - i) / len(kinds); struck[kind] < want {
			t.Errorf("%s was killed %d times while data flowed, want %d at least: this shows too little", kind, struck[kind], want)
		}
	}
	space := h.secret.Space(schema.ElectorID)
	for _, r := range done {
		r.check(t, h, space)
	}
	h.checkNumbers(t)
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
		h.sidecar.mustKill(t)
		h.startSidecar()
	case "consumer":
		h.consumer.mustKill(t)
		h.startConsumer()
	case "hub":
		h.hub.mustKill(t)
		h.startHub()
	case "clickhouse":
		if err := h.clickhouse.Ready(t.Context()); err != nil { // it may be on its way back from the last one
			t.Error(err)
		}
		if err := h.clickhouse.Kill(); err != nil { // its supervisor begins it again
			t.Error(err)
		}
	case "tee":
		r.tee.mustKill(t)
		r.killed = true
	}
}

// mustKill kills a process that is still there: one that ended by itself needed a hand.
func (p *process) mustKill(t *testing.T) {
	t.Helper()
	select {
	case <-p.done:
		t.Errorf("%s had ended by itself: %v\n%s", filepath.Base(p.cmd.Path), p.err, p.said)
	default:
		p.kill()
	}
}

// A round is one list through one tee.
type round struct {
	number int
	place  string
	text   []byte
	tee    *process
	last   chan struct{} // closed when the end of the list may go in
	out    string        // file of what came out
	killed bool

	mu      sync.Mutex
	passed  int // bytes that came out
	ended   bool
	changed *sync.Cond
}

// begin starts a tee, and a list on its way into it: all but its end, for which the list waits.
func (h *house) begin(number int) *round {
	r := &round{number: number, place: fmt.Sprintf("party-a/files/round-%d.csv", number), last: make(chan struct{}),
		out: h.path(fmt.Sprintf("round-%d.csv", number))}
	r.changed = sync.NewCond(&r.mu)
	text := bytes.NewBufferString("name,elector_id\n")
	for i := range recordsPerRound {
		fmt.Fprintf(text, "\"Invented, Person %d\",%s\n", i, r.id(i))
	}
	r.text = text.Bytes()
	in, feed, err := os.Pipe()
	if err != nil {
		h.t.Fatal(err)
	}
	out, put, err := os.Pipe()
	if err != nil {
		h.t.Fatal(err)
	}
	file, err := os.Create(r.out)
	if err != nil {
		h.t.Fatal(err)
	}
	r.tee = h.tee(in, put, r.place)
	in.Close()
	put.Close()
	go func() { // a tee that was killed takes no more
		defer feed.Close()
		most := len(r.text) - 100
		if _, err := feed.Write(r.text[:most]); err == nil {
			<-r.last
			_, _ = feed.Write(r.text[most:])
		}
	}()
	go func() {
		defer out.Close()
		_, _ = io.Copy(io.MultiWriter(file, r), out)
		_ = file.Close()
		r.mu.Lock()
		defer r.mu.Unlock()
		r.ended = true
		r.changed.Broadcast()
	}()
	return r
}

// Write takes note of what came out.
func (r *round) Write(b []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.passed += len(b)
	r.changed.Broadcast()
	return len(b), nil
}

// await waits until so many bytes have come out, or nothing more does.
func (r *round) await(passed int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for r.passed < passed && !r.ended {
		r.changed.Wait()
	}
}

// flows says that tee is in the middle of its list.
func (r *round) flows() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return !r.ended
}

func (r *round) id(i int) string { return fmt.Sprintf("R%d-%07d", r.number, i) }

func (r *round) end(t *testing.T) {
	close(r.last)
	select {
	case <-r.tee.done:
	case <-time.After(3 * time.Minute):
		r.tee.kill()
		t.Errorf("round %d: tee did not end:\n%s", r.number, r.tee.said)
	}
	if r.tee.err != nil && !r.killed {
		t.Errorf("round %d: tee: %v\n%s", r.number, r.tee.err, r.tee.said)
	}
	r.await(math.MaxInt)
}

// released is the identifiers in the bytes that tee put out: of a record that was cut short too, if its
// identifier is whole.
func (r *round) released(t *testing.T) []string {
	content, err := os.ReadFile(r.out)
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

// lossy are the notes that must not be left when nothing is lost.
var lossy = []string{graph.CodeGap, graph.CodeHole, graph.CodeChunksMissing, graph.CodeUnknownMovement, graph.CodeRejected, graph.CodeParked}

// checkNumbers checks that no elector has two numbers, no number two electors, and no list two movements.
func (h *house) checkNumbers(t *testing.T) {
	conn, err := graph.Open(h.clickhouse.DSN(embedded.Owner))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	var rows, electors, numbers uint64
	if err := conn.QueryRow(t.Context(), "SELECT count(), uniqExact(space, key), uniqExact(number) FROM elector FINAL").Scan(&rows, &electors, &numbers); err != nil {
		t.Fatal(err)
	}
	if rows == 0 || electors != rows || numbers != rows {
		t.Errorf("%d rows of %d electors with %d numbers", rows, electors, numbers)
	}
	var movements, places uint64
	if err := conn.QueryRow(t.Context(), "SELECT count(), uniqExact(output) FROM movements").Scan(&movements, &places); err != nil {
		t.Fatal(err)
	}
	if movements != places || movements > uint64(*rounds) {
		t.Errorf("%d movements to %d places in %d rounds", movements, places, *rounds)
	}
	t.Logf("%d electors, %d movements", electors, movements)
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
	given := make(map[string]bool, recordsPerRound)
	for i := range recordsPerRound {
		given[key(r.id(i))] = true
	}
	var missing int
	var keys, notes []string
	var err error
	arrived := func() bool {
		var complete bool
		keys, notes, complete, err = h.held(r.place)
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
		if slices.ContainsFunc(notes, func(code string) bool { return slices.Contains(lossy, code) }) {
			return false // not all of it is there yet
		}
		return missing == 0 && (r.killed || complete || len(keys) == recordsPerRound)
	}
	deadline := time.Now().Add(2 * time.Minute)
	for !arrived() {
		if time.Now().After(deadline) {
			t.Fatalf("round %d: %d of %d electors that were put out are not in the answer of %d (notes %v, %v)\nconsumer:\n%s\nsidecar:\n%s",
				r.number, missing, len(released), len(keys), notes, err, h.consumer.said, h.sidecar.said)
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
	if counted, err := h.count(r.place); err != nil && len(keys) > 0 || counted != uint64(len(keys)) {
		t.Errorf("round %d: %d electors are counted, %d are listed (%v)", r.number, counted, len(keys), err)
	}
	t.Logf("round %d: %d records put out, %d electors in the answer", r.number, len(released), len(keys))
}
