package endtoend

import (
	"context"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/rs/zerolog"

	"github.com/rolltrace/rolltrace/producers"
	"github.com/rolltrace/rolltrace/producers/outbox"
	"github.com/rolltrace/rolltrace/schema/schematest"
	"github.com/rolltrace/rolltrace/schema/stream"
	"github.com/rolltrace/rolltrace/schema/wire"
)

// The hub is killed while groups of small messages come to it: whatever it had done of one, every message of the
// outbox is in the log afterwards, and the consumer reads it to its end.
func TestHubKilledWhileGroupsArrive(t *testing.T) {
	h := newHouse(t)
	h.sidecar.kill() // the recorder is in this process
	box, err := outbox.Open(t.Context(), outbox.Config{Dir: h.path("small"), Org: "party-a", Sidecar: "small-db-1", Signer: schematest.Identity(7)})
	if err != nil {
		t.Fatal(err)
	}
	conn, err := nats.Connect(h.natsURL(), producers.HubOptions("party-a", "small-db-1", zerolog.Nop())...)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	js, err := jetstream.New(conn)
	if err != nil {
		t.Fatal(err)
	}
	log, err := stream.Ensure(t.Context(), js, stream.Options{})
	if err != nil {
		t.Fatal(err)
	}
	forwarder, err := producers.NewForwarder(producers.ForwarderConfig{Source: box, Conn: conn})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- forwarder.Run(ctx) }()
	const kills, movements = 6, 300
	for range kills {
		recorded := make(chan struct{})
		go func() {
			defer close(recorded)
			record(t, box, movements)
		}()
		for d := box.Depth(); d.Messages < 50; d = box.Depth() { // some are on their way
			select {
			case <-recorded:
			case <-time.After(time.Millisecond): // an outbox tells nobody what waits in it: it has to be asked
				continue
			}
			break
		}
		h.hub.kill()
		h.startHub()
		<-recorded
	}
	if err := forwarder.Drained(t.Context()); err != nil {
		t.Fatal(err)
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if err := box.Close(context.Background()); err != nil {
		t.Error(err)
	}

	last := lastOf(t, log)
	seen, groups := map[uint64]bool{}, map[string]bool{}
	for sequence := range last {
		m, err := log.Stream.GetMsg(t.Context(), sequence+1)
		if err != nil {
			t.Fatal(err)
		}
		r, err := wire.Decode(m.Subject, m.Header, m.Data)
		if err != nil {
			t.Fatal(err)
		}
		if r.Sidecar == "small-db-1" {
			seen[r.Sequence] = true
			groups[m.Header.Get("Nats-Batch-Id")] = true
		}
	}
	const messages = kills * movements * 3
	for sequence := range uint64(messages) {
		if !seen[sequence+1] {
			t.Fatalf("message %d of the outbox is not in the log; %d of %d are", sequence+1, len(seen), messages)
		}
	}
	if len(seen) != messages || len(groups) < kills {
		t.Errorf("%d messages in %d groups, want %d in more", len(seen), len(groups), messages)
	}
	h.await(t, log.ID, last)
}
