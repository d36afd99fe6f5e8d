package policy_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/rolltrace/rolltrace/consumers/policy"
	"github.com/rolltrace/rolltrace/schema/graph"
	"github.com/rolltrace/rolltrace/schema/schematest"
	"github.com/rolltrace/rolltrace/schema/stream"
)

// A receiver is a webhook's other end: it fails as often as it is told to, and keeps what it took.
type receiver struct {
	mu    sync.Mutex
	fails int
	took  []map[string]any
	news  chan struct{}
	fault string
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.fails > 0 {
		r.fails--
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	var n struct {
		Version, Status string
		Alerts          []map[string]any
		CommonLabels    map[string]string
	}
	if err := json.NewDecoder(q.Body).Decode(&n); err != nil || n.Version != "4" || q.Header.Get("Authorization") != "Bearer a-token" || len(n.Alerts) > 64 || n.CommonLabels["source"] != "rolltrace" {
		r.fault = "not what Alertmanager sends"
	}
	r.took = append(r.took, n.Alerts...)
	select {
	case r.news <- struct{}{}:
	default:
	}
}

// names waits until n alerts were taken.
func (r *receiver) names(t *testing.T, n int) []string {
	t.Helper()
	for {
		r.mu.Lock()
		took, fault := slices.Clone(r.took), r.fault
		r.mu.Unlock()
		if fault != "" {
			t.Fatal(fault)
		}
		if len(took) >= n {
			var names []string
			for _, a := range took {
				labels := a["labels"].(map[string]any)
				names = append(names, labels["alertname"].(string)+" "+a["status"].(string))
			}
			return names
		}
		<-r.news
	}
}

// Alerts reach the receiver at least once and in order, through its failures and a restart; those of suppressed findings do not.
func TestWebhook(t *testing.T) {
	js := schematest.JetStream(t, schematest.NATS(t))
	if _, err := stream.Ensure(t.Context(), js, stream.Options{}); err != nil {
		t.Fatal(err)
	}
	alert := func(rule, state, ruling string) {
		body, err := json.Marshal(struct {
			graph.FindingEvent
			Ruling string `json:"ruling"`
		}{graph.FindingEvent{Finding: graph.Finding{ID: strings.Repeat("0a", 16), Rule: rule, Severity: "low"}, State: state, NotedAt: day("2026-04-01")}, ruling})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := js.Publish(t.Context(), policy.AlertSubject(rule), body); err != nil {
			t.Fatal(err)
		}
	}
	r := &receiver{fails: 3, news: make(chan struct{}, 1)}
	server := httptest.NewServer(r)
	defer server.Close()
	run := func() (stop func()) {
		w, err := policy.NewWebhook(policy.WebhookConfig{JetStream: js, URL: server.URL, Bearer: "a-token", Retry: time.Millisecond})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan error, 1)
		go func() { done <- w.Run(ctx) }()
		return func() {
			cancel()
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
	}
	alert("rule-a", graph.FindingOpen, "")
	alert("rule-b", graph.FindingOpen, "suppress")
	alert("rule-c", graph.FindingOpen, "acknowledge")
	if _, err := js.Publish(t.Context(), policy.AlertSubject("rule-x"), []byte("no alert")); err != nil {
		t.Fatal(err)
	}
	stop := run()
	if have := r.names(t, 2); !slices.Equal(have, []string{"rule-a firing", "rule-c firing"}) {
		t.Errorf("taken: %q", have)
	}
	settled(t, js)
	stop()
	alert("rule-a", graph.FindingResolved, "")
	defer run()()
	if have := r.names(t, 3); !slices.Equal(have, []string{"rule-a firing", "rule-c firing", "rule-a resolved"}) {
		t.Errorf("taken: %q", have)
	}
}

// settled waits until the hub knows that everything was taken.
func settled(t *testing.T, js jetstream.JetStream) {
	t.Helper()
	for look := time.NewTicker(5 * time.Millisecond); ; <-look.C {
		c, err := js.Consumer(t.Context(), stream.AlertName, "webhook")
		if err != nil {
			t.Fatal(err)
		}
		if info := c.CachedInfo(); info.NumPending == 0 && info.NumAckPending == 0 {
			look.Stop()
			return
		}
	}
}
