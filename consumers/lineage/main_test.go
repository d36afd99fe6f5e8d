package lineage_test

import (
	"context"
	"fmt"
	"os"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/rs/zerolog"
	"golang.org/x/sync/errgroup"

	"github.com/rolltrace/rolltrace/consumers"
	"github.com/rolltrace/rolltrace/consumers/deadletter"
	"github.com/rolltrace/rolltrace/consumers/lineage"
	"github.com/rolltrace/rolltrace/consumers/numbering"
	"github.com/rolltrace/rolltrace/deploy/embedded"
	"github.com/rolltrace/rolltrace/schema/graph"
	"github.com/rolltrace/rolltrace/schema/schematest"
)

// childHub and childGraph, in the environment, make the test binary a consumer with its lineage.
const (
	childHub   = "TEST_LINEAGE_HUB"
	childGraph = "TEST_LINEAGE_GRAPH"
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
	log := zerolog.New(os.Stderr).Level(zerolog.WarnLevel)
	reader := graph.NewReader(db)
	c, err := consumers.New(consumers.Config{
		JetStream: js, Reader: reader, Writer: graph.NewWriter(db, graph.WriterConfig{}), Numbering: numbering.New(reader),
		Rejects: deadletter.New(js), Log: log,
	})
	if err != nil {
		return err
	}
	l, err := lineage.New(lineage.Config{Graph: graph.NewLineage(db, graph.WriterConfig{}), Watch: c.Watch, Log: log})
	if err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(context.Background())
	group.Go(func() error { return c.Run(ctx) })
	group.Go(func() error { return l.Run(ctx) })
	return group.Wait()
}
