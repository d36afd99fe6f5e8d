package endtoend

import (
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rolltrace/rolltrace/schema"
	"github.com/rolltrace/rolltrace/schema/schematest/oracle"
	"github.com/rolltrace/rolltrace/schema/wire"
)

var (
	histories   = flag.Int("histories", 500, "how many random histories the oracle judges")
	historySize = flag.Int("history-size", 10, "most movements of a random history")
	historySeed = flag.Int("history-seed", 1, "seed of the first random history; each later one has the next")
	thorough    = flag.Bool("thorough", false, "ask every question of every random history")
	shrinkTime  = flag.Duration("shrink-time", time.Minute, "how long histories with a fault are made smaller, all together")
	historyFile = flag.String("history", "", "JSON file of one history to judge instead, as a failing test leaves it")
)

// A played history is one that was delivered under a prefix of its own.
type played struct {
	name    string // of its test case
	prefix  string
	history oracle.History
	model   *oracle.Model
	pending []wire.Message
	asks    []question
	search  bool // for places that there is more to say of

	mu     sync.Mutex
	worlds map[schema.Time]*oracle.World // of the model as it is
	faults []fault
	tell   *played // who is told of faults instead
}

// A fault is an answer that is not the oracle's.
type fault struct {
	question
	text string // without the prefix
}

func play(t testing.TB, prefix, name string, h oracle.History, asks ...question) *played {
	t.Helper()
	messages, err := h.Play(prefix)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return &played{name: name, prefix: prefix, history: h, model: oracle.New(), pending: messages, asks: asks}
}

// some takes up to n of the messages that are still to come, for the model too.
func (p *played) some(t testing.TB, n int) []wire.Message {
	n = min(n, len(p.pending))
	out := p.pending[:n]
	p.worlds = map[schema.Time]*oracle.World{}
	p.pending = p.pending[n:]
	for _, m := range out {
		r, err := wire.Decode(m.Subject, m.Header, m.Body)
		if err != nil {
			t.Fatalf("%s: %v", p.name, err)
		}
		p.model.Add(&r)
	}
	return out
}

func (p *played) fault(q question, format string, args ...any) {
	if p.tell != nil {
		p = p.tell
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.faults = append(p.faults, fault{q, strings.ReplaceAll(fmt.Sprintf(format, args...), p.prefix, "")})
}

// said is the first faults, for people.
func (p *played) said() string {
	var out []string
	for _, f := range p.faults[:min(len(p.faults), 12)] {
		out = append(out, f.question.String()+": "+f.text)
	}
	return strings.Join(out, "\n")
}

// Every question, as of random moments, is answered as the oracle answers it, whatever the history and the order
// in which it arrived.
func TestOracle(t *testing.T) {
	var all []*played
	files := []string{*historyFile}
	if *historyFile == "" {
		var err error
		if files, err = filepath.Glob("testdata/history/*.json"); err != nil || len(files) == 0 {
			t.Fatalf("%d test cases: %v", len(files), err)
		}
		generate := oracle.Histories(*historySize)
		for i := range *histories {
			seed := *historySeed + i
			random := rand.New(rand.NewPCG(uint64(seed), 1))
			h := generate.Example(seed)
			all = append(all, play(t, fmt.Sprintf("h%d-", i), fmt.Sprintf("history of seed %d", seed), h, randomQuestions(random, i, h)...))
			all[i].search = random.IntN(4) > 0
		}
	}
	for i, file := range files { // those that were once answered wrongly
		c := readTestCase(t, file)
		all = append(all, play(t, fmt.Sprintf("f%d-", i), file, c.History, c.Question))
	}
	stages := (len(all) + together - 1) / together
	for some := range slices.Chunk(all, (len(all)+stages-1)/stages) {
		newStage(t).judge(some, aboutEverything)
		judged(t, some)
	}
}

// together is how many histories share a log at most: the more do, the longer each question takes, and the fewer questions
// about everything have to be asked.
const together = 300

func readTestCase(t *testing.T, file string) testCase {
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var c testCase
	if err := json.Unmarshal(text, &c); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	return c
}

// A testCase is a history and a question that was not answered as the oracle does.
type testCase struct {
	Question question       `json:"question"`
	History  oracle.History `json:"history"`
}

// text is the test case as JSON, a line for each message, without what is empty.
func (c testCase) text(t *testing.T) []byte {
	line := func(v any) []byte {
		text, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		var fields map[string]any
		if err := json.Unmarshal(text, &fields); err != nil {
			t.Fatal(err)
		}
		text, err = json.Marshal(dropEmpty(fields))
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	out := fmt.Appendf(nil, "{\"question\": %s,\n\"history\": {\"steps\": [", line(c.Question))
	for i, s := range c.History.Steps {
		if i > 0 {
			out = append(out, ',')
		}
		out = append(out, '\n')
		out = append(out, line(s)...)
	}
	return append(out, "]}}\n"...)
}

func dropEmpty(v map[string]any) map[string]any {
	for name, field := range v {
		switch f := field.(type) {
		case string:
			if f == "" {
				delete(v, name)
			}
		case float64:
			if f == 0 {
				delete(v, name)
			}
		case map[string]any:
			if len(dropEmpty(f)) == 0 {
				delete(v, name)
			}
		case []any:
			for _, item := range f {
				if fields, ok := item.(map[string]any); ok {
					dropEmpty(fields)
				}
			}
		}
	}
	return v
}

// shrunk is how many kinds of questions get a smaller history: they are often wrong for one reason.
const shrunk = 3

// judged fails the test for the histories with faults. The first few are made smaller, and printed as test cases.
func judged(t *testing.T, all []*played) {
	bad := map[string][]*played{} // by what was asked
	for _, p := range all {
		asked := map[string]bool{}
		for _, f := range p.faults {
			if !asked[f.Ask] {
				asked[f.Ask] = true
				bad[f.Ask] = append(bad[f.Ask], p)
			}
		}
	}
	if len(bad) == 0 {
		return
	}
	folder, err := os.MkdirTemp("", "rolltrace-history-")
	if err != nil {
		t.Fatal(err)
	}
	until := time.Now().Add(*shrinkTime)
	told := 0
	for _, p := range all {
		if len(p.faults) > 0 && told < 10 {
			t.Logf("%s:\n%s", p.name, p.said())
			told++
		}
	}
	for i, ask := range slices.Sorted(maps.Keys(bad)) {
		if i == shrunk {
			t.Errorf("%d kinds of questions more", len(bad)-i)
			break
		}
		smallest := slices.MinFunc(bad[ask], func(x, y *played) int { return x.history.Size() - y.history.Size() })
		f := smallest.faults[slices.IndexFunc(smallest.faults, func(f fault) bool { return f.Ask == ask })]
		small := smallest
		if *historyFile == "" && *shrinkTime > 0 {
			small = shrink(t, smallest, f.question, until)
		}
		text := testCase{f.question, small.history}.text(t)
		path := filepath.Join(folder, ask+".json")
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		t.Errorf("%s: %d of %d histories are not answered as the oracle does. The %s, made smaller (go test ./cmd/internal/endtoend -run TestOracle -history %s):\n%s\n%s",
			ask, len(bad[ask]), len(all), small.name, path, small.said(), text)
	}
}

// shrink looks for a smaller history with a fault in the answer to the same question: all that are a step smaller
// are judged at once, and the smallest that is at fault is made smaller in turn, while there is time.
func shrink(t *testing.T, p *played, q question, until time.Time) *played {
	s := newStage(t)
	coarse := true
	for round := 0; time.Now().Before(until); round++ {
		smaller := p.history.Finer()
		if coarse {
			smaller = p.history.Coarser()
		}
		var next []*played
		for i, h := range smaller {
			candidate := play(t, fmt.Sprintf("s%dx%d-", round, i), p.name, h)
			if !q.everything() {
				candidate.asks = []question{q}
			}
			next = append(next, candidate)
		}
		s.judge(next, func(bool) []question {
			if q.everything() {
				return []question{q}
			}
			return nil
		})
		found := false
		for _, candidate := range next {
			if len(candidate.faults) > 0 && (!found || candidate.history.Size() < p.history.Size()) {
				p, found = candidate, true
			}
		}
		if !found && !coarse {
			break
		}
		coarse = coarse && found
	}
	return p
}
