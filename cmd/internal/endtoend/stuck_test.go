package endtoend

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"github.com/rolltrace/rolltrace/schema"
	"github.com/rolltrace/rolltrace/schema/graph"
	"github.com/rolltrace/rolltrace/schema/schematest/oracle"
)

// Derivations that cannot be stored are said by /readyz, and by the notes of answers; and go on when they can be.
func TestStuckLineage(t *testing.T) {
	s := newStage(t)
	execute := func(sql string) {
		t.Helper()
		if err := s.conn.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	ready := func() (code int, faults []string) {
		t.Helper()
		answer := httptest.NewRecorder()
		s.consumer.Handler().ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "/readyz", nil))
		var said struct {
			Faults []string `json:"faults"`
		}
		if err := json.Unmarshal(answer.Body.Bytes(), &said); err != nil {
			t.Fatal(err)
		}
		return answer.Code, said.Faults
	}
	await := func(what string, so func() bool) {
		t.Helper()
		for !so() {
			select {
			case <-time.After(10 * time.Millisecond): // it has to be asked
			case <-s.ended:
				t.Fatalf("%s: the consumer ended: %v", what, s.err)
			}
		}
	}
	if code, faults := ready(); code != http.StatusOK || len(faults) > 0 {
		t.Errorf("at first: %d %q", code, faults)
	}
	execute("ALTER TABLE derived ADD CONSTRAINT never CHECK 0")
	var h oracle.History
	for n, m := range []*schema.Movement{
		{Kind: schema.Collect, Inputs: []schema.Input{{Place: "office/rolls/2026"}}, Output: "a/crm/voters",
			Electors: schema.Electors{Mode: schema.Listed, Sets: []schema.Set{{IDSpace: schema.ElectorID, KeyID: "k-00000001", Chunks: 1}}}},
		{Kind: schema.Export, Inputs: []schema.Input{{Place: "a/crm/voters"}}, Output: "a/files/cards.csv", Electors: schema.Electors{Mode: schema.Whole}},
	} {
		m.ID, m.Revision, m.State, m.Outcome, m.Basis = "01960000-0000-7000-8000-00000000000"+string(rune('0'+n)), 1, schema.Closed, schema.Completed, schema.Declared
		m.OccurredAt, m.ClosedAt, m.RecordedAt = oracle.Moment(n), oracle.Moment(n), oracle.Moment(n)
		if n == 0 {
			h.Steps = append(h.Steps, oracle.Step{Sidecar: "a/db1", Arrives: []int{0},
				Chunk: &oracle.Chunk{Movement: m.ID, IDSpace: schema.ElectorID, KeyID: "k-00000001", Electors: "ab"}})
		}
		h.Steps = append(h.Steps, oracle.Step{Sidecar: "a/db1", Movement: m, Arrives: []int{0}})
	}
	messages, err := h.Play("")
	if err != nil {
		t.Fatal(err)
	}
	last := s.send(messages)
	s.await(func(_ string, position uint64) bool { return position >= last })
	await("stuck", func() bool {
		code, faults := ready()
		return code == http.StatusServiceUnavailable && slices.Equal(faults, []string{"lineage"})
	})
	cards := func() *graph.Electors {
		t.Helper()
		a, err := s.graph.Electors(t.Context(), graph.ElectorsQuestion{At: "a/files/cards.csv"})
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	said := func(n graph.Note) bool { return n.Code == graph.CodeUnderived && n.Count == last }
	if a := cards(); a.Complete || !slices.ContainsFunc(a.Notes, said) || len(a.Electors) != 0 {
		t.Errorf("while nothing can be derived: complete %v, %+v, electors %v", a.Complete, a.Notes, a.Electors)
	}
	execute("ALTER TABLE derived DROP CONSTRAINT never")
	await("going on", func() bool {
		code, faults := ready()
		return code == http.StatusOK && len(faults) == 0
	})
	if a := cards(); !a.Complete || len(a.Electors) != 1 || a.Electors[0].Electors != 2 {
		t.Errorf("afterwards: complete %v, %+v, electors %v", a.Complete, a.Notes, a.Electors)
	}
}
