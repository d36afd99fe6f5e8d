package outbox_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/rolltrace/rolltrace/producers"
	"github.com/rolltrace/rolltrace/producers/outbox"
	"github.com/rolltrace/rolltrace/schema/stream"
	"github.com/rolltrace/rolltrace/schema/wire"
)

// hub is a real JetStream server on loopback with the log in it.
func hub(t testing.TB) (*nats.Conn, jetstream.Stream) {
	t.Helper()
	s, err := server.NewServer(&server.Options{
		Host: "127.0.0.1", Port: server.RANDOM_PORT, JetStream: true, StoreDir: t.TempDir(), NoSigs: true, NoLog: true,
		JetStreamMaxStore: 1 << 30, JetStreamMaxMemory: 1 << 20,
	})
	must(t, err)
	go s.Start()
	if !s.ReadyForConnections(30 * time.Second) {
		t.Fatal("hub does not start")
	}
	t.Cleanup(func() {
		s.Shutdown()
		s.WaitForShutdown()
	})
	conn, err := nats.Connect(s.ClientURL(), producers.HubOptions("party-a", "field-db-1", config(t, "").Log)...)
	must(t, err)
	t.Cleanup(conn.Close)
	js, err := jetstream.New(conn)
	must(t, err)
	log, err := stream.Ensure(t.Context(), js, stream.Options{})
	must(t, err)
	return conn, log.Stream
}

// adopt runs an adopter until the test ends.
func adopt(t testing.TB, cfg outbox.Config, conn *nats.Conn) {
	t.Helper()
	a, err := outbox.NewAdopter(outbox.AdopterConfig{Outbox: cfg, Hub: conn, Interval: 10 * time.Millisecond, Log: cfg.Log})
	must(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- a.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		must(t, <-ended)
	})
}

// log reads n messages at the hub.
func log(t testing.TB, s jetstream.Stream, n int) []wire.Record {
	t.Helper()
	c, err := s.OrderedConsumer(t.Context(), jetstream.OrderedConsumerConfig{})
	must(t, err)
	it, err := c.Messages()
	must(t, err)
	defer it.Stop()
	late := time.AfterFunc(time.Minute, it.Stop)
	defer late.Stop()
	var records []wire.Record
	for len(records) < n {
		m, err := it.Next()
		must(t, err)
		r, err := wire.Decode(m.Subject(), m.Headers(), m.Data())
		must(t, err)
		records = append(records, r)
	}
	return records
}

func TestOutboxesBesideAreAdopted(t *testing.T) {
	cfg := config(t, t.TempDir())
	open(t, cfg) // held, and nobody listens
	conn, s := hub(t)
	instances := map[string]int{}
	var dirs []string
	for n := 1; n <= 3; n++ {
		o, err := outbox.OpenBeside(t.Context(), cfg)
		must(t, err)
		for i := range 10 * n {
			appended(t, o, chunk(uint32(i), 10))
		}
		instances[o.Instance()] = 10 * n
		dirs = append(dirs, o.Dir())
		closeNow(t, o)
	}
	held, err := outbox.OpenBeside(t.Context(), cfg)
	must(t, err)
	t.Cleanup(func() { closeNow(t, held) })
	appended(t, held, chunk(0, 1))

	adopt(t, cfg, conn)
	records := log(t, s, 60)
	checkChain(t, records)
	for _, r := range records {
		instances[r.Instance]--
	}
	for instance, left := range instances {
		if left != 0 {
			t.Errorf("instance %s: %d too few", instance, left)
		}
	}
	for _, dir := range dirs {
		awaitGone(t, dir)
	}
	if _, err := os.Stat(held.Dir()); err != nil {
		t.Errorf("an outbox that is held: %v", err)
	}
	// When its holder is done it is adopted too.
	closeNow(t, held)
	awaitGone(t, held.Dir())
	log(t, s, 61)
}

// awaitGone waits until a folder is not there any more.
func awaitGone(t testing.TB, dir string) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for late := time.After(time.Minute); ; {
		if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
			return
		}
		select {
		case <-tick.C:
		case <-late:
			t.Fatalf("%s is not taken away", dir)
		}
	}
}

// What was damaged beside is told like everything else, and a folder that was never begun goes away.
func TestDamagedOutboxBesideIsAdopted(t *testing.T) {
	cfg := config(t, t.TempDir())
	open(t, cfg)
	conn, s := hub(t)
	o, err := outbox.OpenBeside(t.Context(), cfg)
	must(t, err)
	fill(t, o, 40)
	instance, dir := o.Instance(), o.Dir()
	closeNow(t, o)
	flip(t, blocks(t, dir)[0], 1_000_000)
	unborn := filepath.Join(cfg.Dir, "beside", ".new-1")
	must(t, os.MkdirAll(unborn, 0o700))
	adopt(t, cfg, conn)
	awaitGone(t, dir)
	awaitGone(t, unborn)
	info, err := s.Info(t.Context())
	must(t, err)
	if lost := account(t, log(t, s, int(info.State.Msgs)), instance, 40); lost == 0 || lost == 40 {
		t.Errorf("%d of 40 are lost", lost)
	}
}

func TestNothingIsRemovedWhileTheHubIsAway(t *testing.T) {
	cfg := config(t, t.TempDir())
	open(t, cfg)
	o, err := outbox.OpenBeside(t.Context(), cfg)
	must(t, err)
	appended(t, o, chunk(0, 1))
	dir := o.Dir()
	closeNow(t, o)
	// A hub without the log refuses; then it has one.
	conn, s := hub(t)
	js, err := jetstream.New(conn)
	must(t, err)
	must(t, js.DeleteStream(t.Context(), s.CachedInfo().Config.Name))
	adopt(t, cfg, conn)
	if _, err := os.Stat(dir); err != nil {
		t.Fatal(err)
	}
	log2, err := stream.Ensure(t.Context(), js, stream.Options{})
	must(t, err)
	awaitGone(t, dir)
	log(t, log2.Stream, 1)
}
