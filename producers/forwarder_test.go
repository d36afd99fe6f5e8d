package producers_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nkeys"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/rs/zerolog"

	"github.com/rolltrace/rolltrace/producers"
	"github.com/rolltrace/rolltrace/producers/outbox"
	"github.com/rolltrace/rolltrace/schema"
	"github.com/rolltrace/rolltrace/schema/stream"
	"github.com/rolltrace/rolltrace/schema/wire"
)

// A hub is a real JetStream server on loopback, which can go away and come back.
type hub struct {
	t      testing.TB
	dir    string
	port   int
	change func(*server.Options)
	server *server.Server
}

func newHub(t testing.TB, change func(*server.Options)) *hub {
	h := &hub{t: t, dir: t.TempDir(), port: server.RANDOM_PORT, change: change}
	h.start()
	t.Cleanup(h.stop)
	return h
}

func (h *hub) start() {
	h.t.Helper()
	opts := &server.Options{
		Host: "127.0.0.1", Port: h.port, JetStream: true, StoreDir: h.dir, SyncAlways: true, NoSigs: true, NoLog: true,
		JetStreamMaxStore: 8 << 30, JetStreamMaxMemory: 1 << 20,
	}
	if h.change != nil {
		h.change(opts)
	}
	s, err := server.NewServer(opts)
	if err != nil {
		h.t.Fatal(err)
	}
	go s.Start()
	if !s.ReadyForConnections(30 * time.Second) {
		h.t.Fatal("hub does not start")
	}
	h.server, h.port = s, opts.Port
}

func (h *hub) stop() {
	h.server.Shutdown()
	h.server.WaitForShutdown()
}

func (h *hub) url() string { return fmt.Sprintf("nats://127.0.0.1:%d", h.port) }

// js is an operator's connection.
func (h *hub) js(opts ...nats.Option) jetstream.JetStream {
	h.t.Helper()
	c, err := nats.Connect(h.url(), opts...)
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(c.Close)
	js, err := jetstream.New(c)
	if err != nil {
		h.t.Fatal(err)
	}
	return js
}

func (h *hub) ensure(opts stream.Options) stream.Log {
	h.t.Helper()
	log, err := stream.Ensure(h.t.Context(), h.js(), opts)
	if err != nil {
		h.t.Fatal(err)
	}
	return log
}

// read reads n records of the log from its beginning.
func (h *hub) read(n int) []wire.Record {
	h.t.Helper()
	ctx, cancel := context.WithTimeout(h.t.Context(), 60*time.Second)
	defer cancel()
	c, err := h.js().OrderedConsumer(ctx, stream.Name, stream.From(1))
	if err != nil {
		h.t.Fatal(err)
	}
	it, err := c.Messages()
	if err != nil {
		h.t.Fatal(err)
	}
	defer it.Stop()
	stop := context.AfterFunc(ctx, it.Stop)
	defer stop()
	var records []wire.Record
	for len(records) < n {
		m, err := it.Next()
		if err != nil {
			h.t.Fatalf("read %d of %d from the log: %v", len(records), n, err)
		}
		r, err := wire.Decode(m.Subject(), m.Headers(), m.Data())
		if err != nil {
			h.t.Fatal(err)
		}
		records = append(records, r)
	}
	return records
}

func (h *hub) messages() uint64 {
	h.t.Helper()
	s, err := h.js().Stream(h.t.Context(), stream.Name)
	if err != nil {
		h.t.Fatal(err)
	}
	return s.CachedInfo().State.Msgs
}

func logger(t testing.TB) zerolog.Logger {
	return zerolog.New(zerolog.NewTestWriter(t)).Level(zerolog.InfoLevel)
}

// said is a log that a test can wait for.
type said struct {
	t     testing.TB
	lines chan string
}

func newSaid(t testing.TB) *said { return &said{t, make(chan string, 1000)} }

func (s *said) Write(b []byte) (int, error) {
	select {
	case s.lines <- string(b):
	default: // nobody waits any more
	}
	return len(b), nil
}

func (s *said) log() zerolog.Logger { return zerolog.New(s).Level(zerolog.InfoLevel) }

func (s *said) await(part string) {
	s.t.Helper()
	for late := time.After(time.Minute); ; {
		select {
		case line := <-s.lines:
			s.t.Log(line)
			if strings.Contains(line, part) {
				return
			}
		case <-late:
			s.t.Fatalf("the log does not say %q", part)
		}
	}
}

func openOutbox(t testing.TB, change func(*outbox.Config)) *outbox.Outbox {
	t.Helper()
	kp, err := nkeys.FromRawSeed(nkeys.PrefixByteUser, []byte("rolltrace hubward tests: 32bytes"))
	if err != nil {
		t.Fatal(err)
	}
	cfg := outbox.Config{Dir: t.TempDir(), Org: "party-a", Sidecar: "field-db-1", Signer: kp, Log: logger(t)}
	if change != nil {
		change(&cfg)
	}
	o, err := outbox.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		if err := o.Close(ctx); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return o
}

func connect(t testing.TB, url string, opts ...nats.Option) *nats.Conn {
	t.Helper()
	c, err := nats.Connect(url, append(producers.HubOptions("party-a", "field-db-1", logger(t)), opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// forward runs a forwarder until the test ends, or stop is called.
func forward(t testing.TB, cfg producers.ForwarderConfig) (f *producers.Forwarder, stop func()) {
	t.Helper()
	if cfg.Log.GetLevel() != zerolog.InfoLevel { // none was given
		cfg.Log = logger(t)
	}
	f, err := producers.NewForwarder(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- f.Run(ctx) }()
	var once sync.Once
	stop = func() {
		once.Do(func() {
			cancel()
			if err := <-ended; err != nil {
				t.Errorf("forwarder: %v", err)
			}
		})
	}
	t.Cleanup(stop)
	return f, stop
}

func drained(t testing.TB, f *producers.Forwarder) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	if err := f.Drained(ctx); err != nil {
		t.Fatalf("wait for the hub to have everything: %v", err)
	}
}

func chunkOf(index uint32, n int) wire.Draft {
	keys := make([]schema.Key, n)
	for i := range keys {
		keys[i] = schema.Key(uint64(index)<<32 | uint64(i))
	}
	return wire.Draft{Chunk: &wire.Chunk{
		Movement: "0199b0c2-7f3e-7c1a-9d58-3f1c6f1b2a90", Index: index, IDSpace: schema.ElectorID, KeyID: "k-5f2a9c01", Keys: keys,
	}}
}

func appendChunks(t testing.TB, o producers.Outbox, from, n int) {
	t.Helper()
	var receipts []*producers.Receipt
	for i := range n {
		r, err := o.Append(t.Context(), chunkOf(uint32(from+i), 50))
		if err != nil {
			t.Fatal(err)
		}
		receipts = append(receipts, r)
	}
	if err := producers.Receipts(receipts...).Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// checkOnce checks that the log has each sequence from 1 to n, in order.
func checkOnce(t testing.TB, records []wire.Record) {
	t.Helper()
	for i, r := range records {
		if r.Sequence != uint64(i+1) {
			t.Fatalf("message %d of the log has sequence %d", i, r.Sequence)
		}
		if i > 0 && r.Previous != records[i-1].Hash {
			t.Fatalf("message %d of the log does not follow the one before", i)
		}
	}
}

func TestForwardedInOrderAndRemoved(t *testing.T) {
	h := newHub(t, nil)
	h.ensure(stream.Options{})
	o := openOutbox(t, nil)
	metrics := producers.NewForwarderMetrics(nil)
	f, _ := forward(t, producers.ForwarderConfig{Source: o, Conn: connect(t, h.url()), Metrics: metrics})
	appendChunks(t, o, 0, 1000)
	drained(t, f)
	checkOnce(t, h.read(1000))
	if n := h.messages(); n != 1000 {
		t.Errorf("%d messages in the log, want 1000", n)
	}
	if n := testutil.ToFloat64(metrics.Forwarded); n != 1000 {
		t.Errorf("%v counted, want 1000", n)
	}
}

func TestHubIsAwayThenThere(t *testing.T) {
	h := newHub(t, nil)
	h.ensure(stream.Options{})
	h.stop()
	o := openOutbox(t, nil)
	f, _ := forward(t, producers.ForwarderConfig{Source: o, Conn: connect(t, h.url())})
	appendChunks(t, o, 0, 100)
	h.start()
	drained(t, f)
	// And once more, in the middle.
	for round := 1; round <= 5; round++ {
		appended := make(chan struct{})
		go func() {
			defer close(appended)
			appendChunks(t, o, round*100, 100)
		}()
		h.stop()
		h.start()
		<-appended
	}
	drained(t, f)
	seen := map[uint64]bool{}
	for _, r := range h.read(int(h.messages())) {
		seen[r.Sequence] = true
	}
	if len(seen) != 600 {
		t.Errorf("%d different messages at the hub, want 600", len(seen))
	}
}

func TestHubRefusesForAWhile(t *testing.T) {
	for name, c := range map[string]struct {
		refuse func(t *testing.T, h *hub)
		relent func(t *testing.T, h *hub)
		reason string
	}{
		"no stream": {
			refuse: func(*testing.T, *hub) {},
			relent: func(_ *testing.T, h *hub) { h.ensure(stream.Options{}) },
			reason: "no_stream",
		},
		"full": {
			refuse: func(_ *testing.T, h *hub) { h.ensure(stream.Options{MaxBytes: 20_000}) },
			relent: func(t *testing.T, h *hub) {
				s, err := h.js().Stream(t.Context(), stream.Name)
				if err != nil {
					t.Fatal(err)
				}
				cfg := s.CachedInfo().Config
				cfg.MaxBytes = -1
				if _, err := h.js().UpdateStream(t.Context(), cfg); err != nil {
					t.Fatal(err)
				}
			},
			reason: "refused",
		},
		"another stream has the subjects": {
			refuse: func(t *testing.T, h *hub) {
				if _, err := h.js().CreateStream(t.Context(), jetstream.StreamConfig{Name: "OTHER", Subjects: []string{"rolltrace.>"}}); err != nil {
					t.Fatal(err)
				}
			},
			relent: func(t *testing.T, h *hub) {
				if err := h.js().DeleteStream(t.Context(), "OTHER"); err != nil {
					t.Fatal(err)
				}
				h.ensure(stream.Options{})
			},
			reason: "other",
		},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHub(t, nil)
			c.refuse(t, h)
			o := openOutbox(t, nil)
			appendChunks(t, o, 0, 200)
			metrics, said := producers.NewForwarderMetrics(nil), newSaid(t)
			f, _ := forward(t, producers.ForwarderConfig{Source: o, Conn: connect(t, h.url()), Metrics: metrics, Log: said.log()})
			said.await(`"reason":"` + c.reason + `"`)
			if testutil.ToFloat64(metrics.Retries.WithLabelValues(c.reason)) == 0 {
				t.Error("the refusal is not counted")
			}
			if o.Depth().Messages == 0 {
				t.Fatal("refused messages were removed")
			}
			c.relent(t, h)
			drained(t, f)
			seen := map[uint64]bool{}
			for _, r := range h.read(int(h.messages())) {
				seen[r.Sequence] = true
			}
			if len(seen) != 200 {
				t.Errorf("%d different messages at the hub, want 200", len(seen))
			}
		})
	}
}

// A user that may not publish is just not answered by the hub.
func TestHubWithoutPermission(t *testing.T) {
	allowed := &server.User{Username: "field-db-1", Password: "invented"}
	operator := &server.User{Username: "operator", Password: "invented"}
	h := newHub(t, func(o *server.Options) {
		allowed.Permissions = &server.Permissions{Publish: &server.SubjectPermission{Deny: []string{"rolltrace.>"}}}
		o.Users = []*server.User{allowed, operator}
	})
	js := h.js(nats.UserInfo("operator", "invented"))
	if _, err := stream.Ensure(t.Context(), js, stream.Options{}); err != nil {
		t.Fatal(err)
	}
	o := openOutbox(t, nil)
	appendChunks(t, o, 0, 3)
	said := newSaid(t)
	f, _ := forward(t, producers.ForwarderConfig{
		Source: o, Conn: connect(t, h.url(), nats.UserInfo("field-db-1", "invented")), AckTimeout: 50 * time.Millisecond, Log: said.log(),
	})
	said.await("ermissions")
	if d := o.Depth(); d.Messages != 3 {
		t.Fatalf("depth %+v: messages were removed", d)
	}
	h.stop()
	permissions, err := stream.SidecarPermissions("party-a", "field-db-1")
	if err != nil {
		t.Fatal(err)
	}
	h.change = func(o *server.Options) {
		allowed.Permissions = &server.Permissions{
			Publish:   &server.SubjectPermission{Allow: permissions.Publish},
			Subscribe: &server.SubjectPermission{Allow: permissions.Subscribe},
		}
		o.Users = []*server.User{allowed, operator}
	}
	h.start()
	drained(t, f)
}

func TestForwarderEndsWithItsOutbox(t *testing.T) {
	h := newHub(t, nil)
	o := openOutbox(t, nil)
	f, err := producers.NewForwarder(producers.ForwarderConfig{Source: o, Conn: connect(t, h.url())})
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- f.Run(context.Background()) }()
	if err := o.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; err != nil {
		t.Errorf("forwarder: %v", err)
	}
}

func TestHeartbeatsTellHowFarItIs(t *testing.T) {
	h := newHub(t, nil)
	h.ensure(stream.Options{})
	o := openOutbox(t, nil)
	conn := connect(t, h.url())
	beats, err := producers.NewHeartbeats(producers.HeartbeatConfig{
		Outbox: o, Interval: 20 * time.Millisecond, Places: []schema.Place{"party-a/crm/voters"}, Hub: conn,
	})
	if err != nil {
		t.Fatal(err)
	}
	appendChunks(t, o, 0, 3)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- beats.Run(ctx) }()
	forward(t, producers.ForwarderConfig{Source: o, Conn: conn})
	records := h.read(6)
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	checkOnce(t, records)
	known := false
	for i, r := range records[3:] {
		b := r.Heartbeat
		if b == nil {
			t.Fatalf("message %d is no heartbeat", i+3)
		}
		if b.LastSequence != r.Sequence-1 || b.LastHash != wire.FormatHash(r.Previous) || b.Interval != 20 || len(b.Places) != 1 {
			t.Errorf("heartbeat %+v", b)
		}
		if b.ClockKnown {
			known = true
			if b.ClockOffset < -5_000_000 || b.ClockOffset > 5_000_000 {
				t.Errorf("clock offset %d µs on one machine", b.ClockOffset)
			}
		}
	}
	if !known {
		t.Error("no heartbeat knows the clock's offset")
	}
	if _, err := producers.NewHeartbeats(producers.HeartbeatConfig{Outbox: o, Places: []schema.Place{"no place"}}); err == nil {
		t.Error("a place that is none is accepted")
	}
	var faults schema.Faults
	if !errors.As(err, &faults) && err != nil {
		t.Error(err)
	}
}
