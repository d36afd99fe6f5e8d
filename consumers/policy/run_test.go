package policy_test

import (
	"context"
	"testing"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/rolltrace/rolltrace/consumers/policy"
	"github.com/rolltrace/rolltrace/schema"
	"github.com/rolltrace/rolltrace/schema/graph"
)

// Run asks by itself when something has come: the alert is what tells. It ends with its context, and what it has published is noted.
func TestRun(t *testing.T) {
	rules, err := policy.Shipped()
	if err != nil {
		t.Fatal(err)
	}
	c := newCentre(t)
	p := c.policy(t, rules)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- p.Run(ctx) }()
	alerts, err := c.log.Alert.CreateConsumer(t.Context(), jetstream.ConsumerConfig{AckPolicy: jetstream.AckNonePolicy})
	if err != nil {
		t.Fatal(err)
	}
	w := &scribe{}
	c.publish(t, append(version(t, w, theRegistry(t), "2026-01-01"),
		step{at: "2026-04-01", kind: schema.Export, from: "party-a/crm/voters", to: "party-a/backup/x", electors: 10, change: purpose("print")}.messages(t, w, 1)...)...)
	want := policy.AlertSubject("unregistered-place")
	for {
		batch, err := alerts.Fetch(1, jetstream.FetchContext(t.Context()))
		if err != nil {
			t.Fatal(err)
		}
		m, ok := <-batch.Messages()
		if ok && m.Subject() == want {
			break
		}
	}
	cancel()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if err := c.policy(t, rules).CatchUp(t.Context()); err != nil { // what was published and not noted any more is now
		t.Fatal(err)
	}
	open := c.open(t)
	if len(open) != 1 || open[0].Status != graph.FindingOpen || open[0].Rule != "unregistered-place" {
		t.Errorf("open: %+v", open)
	}
}
