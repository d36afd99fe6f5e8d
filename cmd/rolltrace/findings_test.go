package main

import (
	"context"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/rs/zerolog"

	"github.com/rolltrace/rolltrace/cmd/internal/consumer"
	"github.com/rolltrace/rolltrace/cmd/internal/demo"
	"github.com/rolltrace/rolltrace/consumers/policy"
	"github.com/rolltrace/rolltrace/deploy/embedded"
	"github.com/rolltrace/rolltrace/schema"
	"github.com/rolltrace/rolltrace/schema/graph"
	"github.com/rolltrace/rolltrace/schema/schematest"
	"github.com/rolltrace/rolltrace/schema/stream"
)

// Every case raises the findings that stand in its folder and no others, as it is told, and when its messages arrive in another
// order at another centre.
func TestFindingsOfCases(t *testing.T) {
	for _, name := range demo.Scenarios() {
		t.Run(name, func(t *testing.T) {
			want, err := demo.Expected(name)
			if err != nil || len(want) == 0 {
				t.Fatalf("%d findings are expected: %v", len(want), err)
			}
			size := []string{"--scale", "0.0002"}
			if name == demo.ChristmasCards {
				size = []string{"--districts", "1"}
			}
			data := filepath.Join(t.TempDir(), "d")
			report := play(t, append([]string{name, "--data", data}, size...)...)
			same(t, "as it is told", report.Findings, want)
			same(t, "in another order", elsewhere(t, filepath.Join(data, demo.CentreFolder, "nats"), schema.At(time.Now())), want)
		})
	}
}

func same(t *testing.T, what string, have []graph.Finding, want []string) {
	t.Helper()
	var said []string
	for _, f := range have {
		said = append(said, demo.Said(f))
	}
	slices.Sort(said)
	if slices.Equal(said, want) {
		return
	}
	for _, s := range said {
		if !slices.Contains(want, s) {
			t.Errorf("%s: found, and not expected: %s", what, s)
		}
	}
	for _, s := range want {
		if !slices.Contains(said, s) {
			t.Errorf("%s: expected, and not found: %s", what, s)
		}
	}
	if !t.Failed() {
		t.Errorf("%s: %d findings, want %d: one of them twice", what, len(said), len(want))
	}
}

// elsewhere brings the messages of a log, in a random order, into another centre, and asks the rules there.
func elsewhere(t *testing.T, log string, asOf schema.Time) []graph.Finding {
	t.Helper()
	ctx := t.Context()
	old, err := embedded.StartNATS(ctx, embedded.NATSConfig{Dir: log, Listen: "127.0.0.1:0", Log: zerolog.Nop()})
	if err != nil {
		t.Fatal(err)
	}
	defer old.Stop()
	told, err := stream.Open(ctx, schematest.JetStream(t, old))
	if err != nil {
		t.Fatal(err)
	}
	var messages []*nats.Msg
	for n := uint64(1); n <= told.Stream.CachedInfo().State.LastSeq; n++ {
		raw, err := told.Stream.GetMsg(ctx, n)
		if err != nil {
			t.Fatal(err)
		}
		messages = append(messages, &nats.Msg{Subject: raw.Subject, Header: raw.Header, Data: raw.Data})
	}
	random := rand.New(rand.NewPCG(1, 2))
	random.Shuffle(len(messages), func(i, j int) { messages[i], messages[j] = messages[j], messages[i] })

	js := schematest.JetStream(t, schematest.NATS(t))
	dsn := schematest.ClickHouse(t)
	if err := graph.Migrate(ctx, graph.Options{DSN: dsn}); err != nil {
		t.Fatal(err)
	}
	fresh, err := stream.Ensure(ctx, js, stream.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range messages {
		if _, err := js.PublishMsg(ctx, m, jetstream.WithExpectStream(stream.Name)); err != nil {
			t.Fatal(err)
		}
	}
	c, err := consumer.New(consumer.Options{Hub: js, ClickHouse: dsn, Log: zerolog.Nop()})
	if err != nil {
		t.Fatal(err)
	}
	running, stop := context.WithCancel(ctx)
	done := make(chan error, 1)
	go func() { done <- c.Run(running) }()
	defer func() {
		stop()
		if err := <-done; err != nil {
			t.Errorf("the consumer stopped with %v", err)
		}
	}()
	conn, err := graph.Open(dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	questions := graph.New(conn, graph.Config{})
	info, err := fresh.Stream.Info(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for look := time.NewTicker(20 * time.Millisecond); ; <-look.C {
		logs, err := questions.Progress(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if len(logs) == 1 && logs[0].Derived >= info.State.LastSeq {
			look.Stop()
			break
		}
	}
	rules, err := policy.Shipped()
	if err != nil {
		t.Fatal(err)
	}
	result, err := policy.Evaluate(ctx, questions, rules, asOf)
	if err != nil {
		t.Fatal(err)
	}
	return result.Findings
}
