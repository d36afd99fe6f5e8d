package consumers_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/rs/zerolog"

	"github.com/rolltrace/rolltrace/consumers"
	"github.com/rolltrace/rolltrace/consumers/deadletter"
	"github.com/rolltrace/rolltrace/consumers/numbering"
	"github.com/rolltrace/rolltrace/deploy/embedded"
	"github.com/rolltrace/rolltrace/schema/graph"
	"github.com/rolltrace/rolltrace/schema/schematest"
)

// childHub and childGraph, in the environment, make the test binary a consumer.
const (
	childHub   = "TEST_CONSUMER_HUB"
	childGraph = "TEST_CONSUMER_GRAPH"
)

func TestMain(m *testing.M) {
	embedded.Child()
	if os.Getenv(childHub) != "" {
		if err := child(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	schematest.Main(m)
}

func child() error {
	conn, err := nats.Connect(os.Getenv(childHub))
	if err != nil {
		return err
	}
	js, err := jetstream.New(conn)
	if err != nil {
		return err
	}
	db, err := graph.Open(os.Getenv(childGraph))
	if err != nil {
		return err
	}
	reader := graph.NewReader(db)
	c, err := consumers.New(consumers.Config{
		JetStream: js, Reader: reader, Writer: graph.NewWriter(db, graph.WriterConfig{}), Numbering: numbering.New(reader),
		Rejects: deadletter.New(js), BatchBytes: 200_000, Log: zerolog.New(os.Stderr).Level(zerolog.WarnLevel),
	})
	if err != nil {
		return err
	}
	return c.Run(context.Background())
}

// kill -9 of the consumer while it writes, again and again, with messages coming. Nothing is lost, nothing is there
// twice, and nobody has to do anything but start it again.
func TestConsumerIsKilled(t *testing.T) {
	c := newCentre(t)
	messages := sampleMessages(t)
	const kills = 12
	for i := range kills {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), childHub+"="+c.hub.URL(), childGraph+"="+c.dsn)
		cmd.Stderr = os.Stderr
		before := position(t, c.dsn)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		for _, m := range messages[i*len(messages)/kills : (i+1)*len(messages)/kills] {
			send(t, c.js, m)
		}
		ended := make(chan error, 1)
		go func() { ended <- cmd.Wait() }()
		for i%3 > 0 && position(t, c.dsn) == before { // until it has written something; the others are killed as they start
			if len(ended) > 0 {
				t.Fatalf("the consumer ended by itself: %v", <-ended)
			}
		}
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		<-ended
	}
	c.read(t, nil)
	c.isModelled(t)
	alone := c.another(t)
	alone.read(t, nil)
	same(t, "after the consumer was killed", contents(t, c.dsn), contents(t, alone.dsn))
}

// position is the one in the graph.
func position(t testing.TB, dsn string) uint64 {
	t.Helper()
	conn, err := graph.Open(dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	positions, err := graph.NewReader(conn).Positions(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range positions {
		return p.Sequence
	}
	return 0
}
