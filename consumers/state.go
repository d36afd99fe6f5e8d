package consumers

import (
	"encoding/json"
	"net/http"
	"sync"

	"github.com/rolltrace/rolltrace/schema"
)

// Status is how a consumer is doing.
type Status struct {
	Ready    bool        `json:"ready"`       // it reads the log, and what it writes is taken
	Doing    string      `json:"doing"`       // "starting", "loading", "reading", "stopped"
	Faults   []string    `json:"faults"`      // what does not work now: "hub", "clickhouse", "rejected"; cmd/internal/consumer adds "lineage"
	Log      string      `json:"log"`         // identity of the log, or "" while it is not known
	Position uint64      `json:"position"`    // everything up to this sequence is in the graph
	Last     uint64      `json:"last"`        // last sequence of the log, as it was a moment ago
	Received schema.Time `json:"received_at"` // when the hub received that message
}

type state struct {
	mu     sync.Mutex
	status Status
	bad    map[string]int // how many parts have trouble with it
	change chan struct{}  // closed and replaced at each change
}

func newState() *state {
	return &state{status: Status{Doing: "starting"}, bad: make(map[string]int), change: make(chan struct{})}
}

func (s *state) update(change func(*Status)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(&s.status)
	close(s.change)
	s.change = make(chan struct{})
}

func (s *state) doing(what string) { s.update(func(status *Status) { status.Doing = what }) }

func (s *state) wrote(to uint64, received schema.Time) {
	s.update(func(status *Status) {
		status.Position, status.Received, status.Last = to, received, max(status.Last, to)
	})
}

func (s *state) sawLast(last uint64) {
	s.update(func(status *Status) { status.Last = max(status.Last, last) })
}

func (s *state) healthy(of string, ok bool) {
	s.update(func(*Status) {
		if ok {
			s.bad[of]--
		} else {
			s.bad[of]++
		}
	})
}

func (s *state) get() (Status, <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	status := s.status
	status.Faults = []string{}
	for _, of := range []string{ofHub, ofGraph, ofRejects} {
		if s.bad[of] > 0 {
			status.Faults = append(status.Faults, of)
		}
	}
	status.Ready = status.Doing == "reading" && len(status.Faults) == 0
	return status, s.change
}

// Status is how the consumer is doing now.
func (c *Consumer) Status() Status {
	status, _ := c.state.get()
	return status
}

// Watch is Status, and a channel that is closed when it changes.
func (c *Consumer) Watch() (Status, <-chan struct{}) { return c.state.get() }

// Healthz answers 200 while the process is of use, whatever is away: restarting it would not help. 503 says
// that Run has returned.
func (c *Consumer) Healthz(w http.ResponseWriter, _ *http.Request) {
	status := c.Status()
	respond(w, status, status.Doing != "stopped")
}

// Readyz answers 200 while the log is read and what is written is taken, 503 otherwise; the body says which does not
// work.
func (c *Consumer) Readyz(w http.ResponseWriter, _ *http.Request) {
	status := c.Status()
	respond(w, status, status.Ready)
}

func respond(w http.ResponseWriter, status Status, ok bool) {
	w.Header().Set("Content-Type", "application/json")
	if !ok {
		w.WriteHeader(http.StatusServiceUnavailable)
	}
	_ = json.NewEncoder(w).Encode(status) // whoever asked has gone
}
