package stream_test

import (
	"context"
	"errors"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/rolltrace/rolltrace/schema/stream"
	"github.com/rolltrace/rolltrace/schema/wire"
)

// start runs a real server inside the test, on loopback.
func start(t *testing.T, change func(*server.Options)) *server.Server {
	t.Helper()
	opts := &server.Options{
		Host: "127.0.0.1", Port: server.RANDOM_PORT, JetStream: true, StoreDir: t.TempDir(), SyncAlways: true,
		NoSigs: true, NoLog: true,
	}
	if change != nil {
		change(opts)
	}
	s, err := server.NewServer(opts)
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	t.Cleanup(func() {
		s.Shutdown()
		s.WaitForShutdown()
	})
	if !s.ReadyForConnections(30 * time.Second) {
		t.Fatal("the server does not take connections")
	}
	return s
}

func connect(t *testing.T, s *server.Server, opts ...nats.Option) jetstream.JetStream {
	t.Helper()
	nc, err := nats.Connect(s.ClientURL(), opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	return js
}

func settings(t *testing.T, js jetstream.JetStream) []jetstream.StreamInfo {
	t.Helper()
	var all []jetstream.StreamInfo
	for info := range js.ListStreams(t.Context()).Info() {
		info.TimeStamp = time.Time{}
		all = append(all, *info)
	}
	return all
}

func TestEnsure(t *testing.T) {
	js := connect(t, start(t, nil))
	if _, err := stream.Open(t.Context(), js); !errors.Is(err, stream.ErrNoLog) {
		t.Fatalf("open without a log: %v, want ErrNoLog", err)
	}
	if len(settings(t, js)) != 0 {
		t.Fatal("open made a stream")
	}
	log, err := stream.Ensure(t.Context(), js, stream.Options{MaxBytes: 1 << 30, Duplicates: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	cfg := log.Stream.CachedInfo().Config
	if log.ID == "" || cfg.Metadata[stream.IDKey] != log.ID || cfg.MaxBytes != 1<<30 || cfg.Duplicates != time.Minute {
		t.Errorf("the log is %+v", cfg)
	}
	before := settings(t, js)
	if len(before) != 3 {
		t.Fatalf("%d streams, want 3", len(before))
	}
	again, err := stream.Ensure(t.Context(), js, stream.Options{MaxBytes: 7 << 20, Duplicates: time.Hour})
	if err != nil || again.ID != log.ID {
		t.Fatalf("ensure again: %s, %v, want %s", again.ID, err, log.ID)
	}
	opened, err := stream.Open(t.Context(), js)
	if err != nil || opened.ID != log.ID || opened.Rejected == nil || opened.Alert == nil {
		t.Fatalf("open: %+v, %v", opened, err)
	}
	if after := settings(t, js); !reflect.DeepEqual(before, after) {
		t.Errorf("a second ensure changed %+v to %+v", before, after)
	}
}

// The log of an earlier version gets the subjects that came since, and keeps what it has; nothing is made.
func TestExtend(t *testing.T) {
	js := connect(t, start(t, nil))
	if err := stream.Extend(t.Context(), js); err != nil {
		t.Fatal(err)
	}
	if _, err := stream.Open(t.Context(), js); !errors.Is(err, stream.ErrNoLog) {
		t.Fatalf("where there was no log: %v", err)
	}
	made, err := stream.Ensure(t.Context(), js, stream.Options{})
	if err != nil {
		t.Fatal(err)
	}
	old := made.Stream.CachedInfo().Config
	old.Subjects = []string{"rolltrace.*.movement.>", "rolltrace.*.electors.>"}
	if _, err := js.UpdateStream(t.Context(), old); err != nil {
		t.Fatal(err)
	}
	if _, err := js.Publish(t.Context(), "rolltrace.v1.movement.a.b", []byte("kept")); err != nil {
		t.Fatal(err)
	}
	if _, err := stream.Open(t.Context(), js); !errors.Is(err, stream.ErrRefused) {
		t.Fatalf("without the subjects: %v", err)
	}
	if err := stream.Extend(t.Context(), js); err != nil {
		t.Fatal(err)
	}
	log, err := stream.Open(t.Context(), js)
	if err != nil || log.ID != made.ID || log.Stream.CachedInfo().State.Msgs != 1 {
		t.Errorf("extended: %+v, %v", log.Stream.CachedInfo(), err)
	}
}

func TestEnsureAtOnce(t *testing.T) {
	s := start(t, nil)
	const callers = 8
	ids := make([]string, callers)
	var begin, done sync.WaitGroup
	begin.Add(1)
	for i := range callers {
		js := connect(t, s)
		done.Go(func() {
			begin.Wait()
			log, err := stream.Ensure(t.Context(), js, stream.Options{})
			if err != nil {
				t.Errorf("caller %d: %v", i, err)
			}
			ids[i] = log.ID
		})
	}
	begin.Done()
	done.Wait()
	for _, id := range ids {
		if id == "" || id != ids[0] {
			t.Fatalf("identities differ: %v", ids)
		}
	}
}

func TestAnotherLogHasAnotherIdentity(t *testing.T) {
	js := connect(t, start(t, nil))
	first, err := stream.Ensure(t.Context(), js, stream.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := js.DeleteStream(t.Context(), stream.Name); err != nil {
		t.Fatal(err)
	}
	second, err := stream.Ensure(t.Context(), js, stream.Options{})
	if err != nil || second.ID == first.ID {
		t.Fatalf("after the log was replaced: %s, %v; it was %s", second.ID, err, first.ID)
	}
}

func TestEnsureRefuses(t *testing.T) {
	js := connect(t, start(t, nil))
	if _, err := stream.Ensure(t.Context(), js, stream.Options{}); err != nil {
		t.Fatal(err)
	}
	made, err := js.Stream(t.Context(), stream.Name)
	if err != nil {
		t.Fatal(err)
	}
	good := made.CachedInfo().Config
	good.Metadata = map[string]string{stream.IDKey: "an-identity"}
	for _, tc := range []struct {
		setting string
		change  func(*jetstream.StreamConfig)
	}{
		{"storage", func(c *jetstream.StreamConfig) { c.Storage = jetstream.MemoryStorage }},
		{"retention", func(c *jetstream.StreamConfig) { c.Retention = jetstream.WorkQueuePolicy }},
		{"retention", func(c *jetstream.StreamConfig) { c.Retention = jetstream.InterestPolicy }},
		{"discard", func(c *jetstream.StreamConfig) { c.Discard = jetstream.DiscardOld }},
		{"max_age", func(c *jetstream.StreamConfig) { c.MaxAge = time.Hour }},
		{"max_msgs", func(c *jetstream.StreamConfig) { c.MaxMsgs = 1000000 }},
		{"max_msgs_per_subject", func(c *jetstream.StreamConfig) { c.MaxMsgsPerSubject = 1 }},
		{"max_msg_size", func(c *jetstream.StreamConfig) { c.MaxMsgSize = 1 << 16 }},
		{"no_ack", func(c *jetstream.StreamConfig) { c.NoAck = true }},
		{"persist_mode", func(c *jetstream.StreamConfig) {
			c.PersistMode, c.AllowAtomicPublish = jetstream.AsyncPersistMode, false
		}},
		{"allow_rollup_hdrs", func(c *jetstream.StreamConfig) { c.AllowRollup, c.DenyPurge = true, false }},
		{"allow_msg_ttl", func(c *jetstream.StreamConfig) { c.AllowMsgTTL = true }},
		{"subject_transform", func(c *jetstream.StreamConfig) {
			c.SubjectTransform = &jetstream.SubjectTransformConfig{Source: "rolltrace.v1.gap.>", Destination: "elsewhere.>"}
		}},
		{"subjects", func(c *jetstream.StreamConfig) { c.Subjects = c.Subjects[1:] }},
		{"identity", func(c *jetstream.StreamConfig) { c.Metadata = nil }},
	} {
		if err := js.DeleteStream(t.Context(), stream.Name); err != nil {
			t.Fatal(err)
		}
		cfg := good
		tc.change(&cfg)
		if _, err := js.CreateStream(t.Context(), cfg); err != nil {
			t.Fatalf("%s: make the stream: %v", tc.setting, err)
		}
		_, err := stream.Ensure(t.Context(), js, stream.Options{})
		if !errors.Is(err, stream.ErrRefused) || !strings.Contains(err.Error(), stream.Name) || !strings.Contains(err.Error(), tc.setting) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: error is %v", tc.setting, err)
		}
		info, err := js.Stream(t.Context(), stream.Name)
		if err != nil {
			t.Fatalf("%s: the stream that was refused is gone: %v", tc.setting, err)
		}
		if info.CachedInfo().Config.Storage != cfg.Storage || info.CachedInfo().Config.Discard != cfg.Discard {
			t.Errorf("%s: the stream that was refused was changed", tc.setting)
		}
	}
}

func TestOperatorsChoicesAreAccepted(t *testing.T) {
	js := connect(t, start(t, nil))
	log, err := stream.Ensure(t.Context(), js, stream.Options{})
	if err != nil {
		t.Fatal(err)
	}
	cfg := log.Stream.CachedInfo().Config
	cfg.MaxBytes, cfg.Duplicates, cfg.Subjects = 1<<30, time.Second, append(cfg.Subjects, "rolltrace.v1.more.>")
	cfg.MaxMsgSize = wire.MaxMessage
	if _, err := js.UpdateStream(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	again, err := stream.Ensure(t.Context(), js, stream.Options{})
	if err != nil || again.ID != log.ID {
		t.Errorf("after the operator's change: %v", err)
	}
}

func TestOptionsAreChecked(t *testing.T) {
	js := connect(t, start(t, nil))
	for _, opt := range []stream.Options{{Replicas: 2}, {MaxBytes: -1}, {Duplicates: time.Millisecond}} {
		if _, err := stream.Ensure(t.Context(), js, opt); err == nil {
			t.Errorf("%+v: accepted", opt)
		}
	}
	if len(settings(t, js)) != 0 {
		t.Error("refused options made a stream")
	}
}

func TestServersThatCannotKeepTheLog(t *testing.T) {
	small := connect(t, start(t, func(o *server.Options) { o.MaxPayload = 64 << 10 }))
	if _, err := stream.Ensure(t.Context(), small, stream.Options{}); !errors.Is(err, stream.ErrRefused) || !strings.Contains(err.Error(), "max_payload") {
		t.Errorf("small max_payload: %v", err)
	}
	plain := connect(t, start(t, func(o *server.Options) { o.JetStream = false }))
	_, err := stream.Ensure(t.Context(), plain, stream.Options{})
	if err == nil || errors.Is(err, stream.ErrRefused) || !strings.Contains(err.Error(), "jetstream {") {
		t.Errorf("no JetStream: %v", err)
	}
}

// A full log refuses, and what it has stays.
func TestFullLogRefuses(t *testing.T) {
	js := connect(t, start(t, nil))
	log, err := stream.Ensure(t.Context(), js, stream.Options{MaxBytes: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	var stored uint64
	for i := 0; ; i++ {
		if i > 100 {
			t.Fatal("the log never refused")
		}
		_, err := js.Publish(t.Context(), "rolltrace.v1.electors.0.party-a.field-db-1", make([]byte, 100<<10))
		if err != nil {
			break
		}
		stored++
	}
	info, err := log.Stream.Info(t.Context())
	if err != nil || info.State.Msgs != stored || info.State.FirstSeq != 1 {
		t.Errorf("the log has %d messages from %d, %v; acknowledged were %d", info.State.Msgs, info.State.FirstSeq, err, stored)
	}
	if err := log.Stream.DeleteMsg(t.Context(), 1); err == nil {
		t.Error("a message of the log could be deleted")
	}
	if err := log.Stream.Purge(t.Context()); err == nil {
		t.Error("the log could be purged")
	}
}

// What was published in any version, once or twice, is read in order from any position on.
func TestFrom(t *testing.T) {
	js := connect(t, start(t, nil))
	if _, err := stream.Ensure(t.Context(), js, stream.Options{}); err != nil {
		t.Fatal(err)
	}
	subjects := []string{
		"rolltrace.v1.movement.party-a.one", "rolltrace.v1.electors.0.party-a.one", "rolltrace.v2.movement.party-a.one",
		"rolltrace.v1.heartbeat.party-a.one", "rolltrace.v1.gap.party-a.one", "rolltrace.v1.links.party-a.one", "rolltrace.v1.question.party-a.one",
	}
	for _, s := range subjects {
		if _, err := js.Publish(t.Context(), s, []byte("x")); err != nil {
			t.Fatalf("%s: %v", s, err)
		}
	}
	if _, err := js.Publish(t.Context(), "rolltrace.v1.nothing.party-a.one", nil); err == nil {
		t.Error("a subject of no type was stored")
	}
	for _, from := range []uint64{0, 1, 4} {
		c, err := js.OrderedConsumer(t.Context(), stream.Name, stream.From(from))
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range subjects[max(from, 1)-1:] {
			m, err := c.Next(jetstream.FetchMaxWait(10 * time.Second))
			if err != nil || m.Subject() != want {
				t.Fatalf("from %d: %v, %v, want %s", from, m, err, want)
			}
		}
	}
}

// A real server enforces the permissions: its own messages and acknowledgements, and nothing else.
func TestSidecarPermissions(t *testing.T) {
	own, err := stream.SidecarPermissions("party-a", "field-db-1")
	if err != nil {
		t.Fatal(err)
	}
	s := start(t, func(o *server.Options) {
		o.Users = []*server.User{
			{Username: "centre", Password: "c"},
			{Username: "sidecar", Password: "s", Permissions: &server.Permissions{
				Publish: &server.SubjectPermission{Allow: own.Publish}, Subscribe: &server.SubjectPermission{Allow: own.Subscribe},
			}},
		}
	})
	centre := connect(t, s, nats.UserInfo("centre", "c"))
	if _, err := stream.Ensure(t.Context(), centre, stream.Options{}); err != nil {
		t.Fatal(err)
	}
	denied := make(chan error, 16)
	js := connect(t, s, nats.UserInfo("sidecar", "s"), nats.CustomInboxPrefix(stream.InboxPrefix("party-a", "field-db-1")),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) { denied <- err }))
	for _, typ := range []wire.Type{wire.TypeMovement, wire.TypeElectors, wire.TypeHeartbeat, wire.TypeGap} {
		if _, err := js.Publish(t.Context(), typ.Subject("party-a", "field-db-1"), []byte("x")); err != nil {
			t.Errorf("publish own %s: %v", typ, err)
		}
	}
	nc := js.Conn()
	for _, subject := range []string{
		wire.TypeMovement.Subject("party-a", "field-db-2"), wire.TypeMovement.Subject("party-b", "field-db-1"),
		"rolltrace.v1.rejected.bad-body", "rolltrace.v1.alert.x", "rolltrace.v1.links.party-a.field-db-1", "$JS.API.STREAM.DELETE." + stream.Name,
	} {
		if err := nc.Publish(subject, []byte("x")); err != nil {
			t.Fatal(err)
		}
		if err := nc.Flush(); err != nil {
			t.Fatal(err)
		}
		wait(t, denied, subject)
	}
	for _, subject := range []string{"rolltrace.>", "_INBOX.>", ">", stream.InboxPrefix("party-a", "field-db-2") + ".>"} {
		if _, err := nc.SubscribeSync(subject); err != nil {
			t.Fatal(err)
		}
		if err := nc.Flush(); err != nil {
			t.Fatal(err)
		}
		wait(t, denied, subject)
	}
	if _, err := stream.SidecarPermissions("party-a", "*"); err == nil {
		t.Error("a wildcard became a sidecar")
	}
}

func wait(t *testing.T, denied <-chan error, subject string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	select {
	case err := <-denied:
		if !errors.Is(err, nats.ErrPermissionViolation) {
			t.Errorf("%s: %v", subject, err)
		}
	case <-ctx.Done():
		t.Errorf("%s: was not denied", subject)
	}
}
