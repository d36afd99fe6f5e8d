package consumers_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/rolltrace/rolltrace/consumers"
	"github.com/rolltrace/rolltrace/deploy/embedded"
	"github.com/rolltrace/rolltrace/schema/schematest"
	"github.com/rolltrace/rolltrace/schema/stream"
	"github.com/rolltrace/rolltrace/schema/wire"
)

// beats publishes n heartbeats.
func (c *centre) beats(t testing.TB, n int) {
	t.Helper()
	s := newSidecar(t, "party-a", "field-db-1", 1)
	for range n {
		c.publish(t, s, wire.Draft{Heartbeat: &wire.Heartbeat{At: schematest.Began, Interval: 1000}})
	}
}

// replace deletes the log and makes another one under the same name, with settings changed.
func (c *centre) replace(t testing.TB, change func(*jetstream.StreamConfig)) {
	t.Helper()
	cfg := c.log.Stream.CachedInfo().Config
	if err := c.js.DeleteStream(t.Context(), stream.Name); err != nil {
		t.Fatal(err)
	}
	change(&cfg)
	var err error
	if c.log.Stream, err = c.js.CreateStream(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
}

// sameID keeps the identity, as a backup does.
func sameID(*jetstream.StreamConfig) {}

func otherID(cfg *jetstream.StreamConfig) {
	cfg.Metadata = map[string]string{stream.IDKey: "0f0e0d0c-0000-4000-8000-000000000000"}
}

func from(first uint64) func(*jetstream.StreamConfig) {
	return func(cfg *jetstream.StreamConfig) { cfg.FirstSeq = first }
}

// What a consumer that starts finds at the hub in place of the log that it has read 5 messages of.
func TestStartOnALogThatDoesNotFit(t *testing.T) {
	for _, tc := range []struct {
		name   string
		change func(*testing.T, *centre)
		want   error
		says   []string
	}{
		{"gone", func(t *testing.T, c *centre) {
			if err := c.js.DeleteStream(t.Context(), stream.Name); err != nil {
				t.Fatal(err)
			}
		}, consumers.ErrLogGone, []string{"ROLLTRACE", "backup"}},
		{"replaced", func(t *testing.T, c *centre) { c.replace(t, otherID); c.beats(t, 9) }, consumers.ErrOtherLog, []string{"0f0e0d0c", "empty database"}},
		{"empty", func(t *testing.T, c *centre) { c.replace(t, sameID) }, consumers.ErrLogBehind, []string{"message 0", "up to 5"}},
		{"behind", func(t *testing.T, c *centre) { c.replace(t, sameID); c.beats(t, 4) }, consumers.ErrLogBehind, []string{"message 4", "up to 5"}},
		{"rewritten", func(t *testing.T, c *centre) { c.replace(t, sameID); c.beats(t, 9) }, consumers.ErrLogRewritten, []string{"message 5"}},
		{"lost", func(t *testing.T, c *centre) { c.replace(t, from(8)); c.beats(t, 2) }, consumers.ErrLogLost, []string{"6 to 7", "--accept-lost 7"}},
		{"lost, and nothing after", func(t *testing.T, c *centre) { c.replace(t, from(8)) }, consumers.ErrLogLost, []string{"6 to 7"}},
		{"drops messages", func(t *testing.T, c *centre) {
			cfg := c.log.Stream.CachedInfo().Config
			cfg.Discard = jetstream.DiscardOld
			if _, err := c.js.UpdateStream(t.Context(), cfg); err != nil {
				t.Fatal(err)
			}
		}, stream.ErrRefused, []string{"ROLLTRACE", "discard"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			c := newCentre(t)
			c.beats(t, 5)
			c.read(t, nil)
			tc.change(t, c)
			before := contents(t, c.dsn)
			err := c.start(t, nil).fault(t)
			if !errors.Is(err, tc.want) || !consumers.IsPermanent(err) {
				t.Errorf("stopped with %v, want %v", err, tc.want)
			}
			for _, text := range tc.says {
				if !strings.Contains(err.Error(), text) {
					t.Errorf("%q is not in: %v", text, err)
				}
			}
			same(t, "after a refused log", contents(t, c.dsn), before)
		})
	}
}

// The same while the consumer reads.
func TestLogThatStopsToFit(t *testing.T) {
	for _, tc := range []struct {
		name   string
		change func(*testing.T, *centre)
		want   []error
	}{
		{"gone", func(t *testing.T, c *centre) {
			if err := c.js.DeleteStream(t.Context(), stream.Name); err != nil {
				t.Fatal(err)
			}
		}, []error{consumers.ErrLogGone}},
		// Which of the two depends on whether the consumer looks in between.
		{"replaced", func(t *testing.T, c *centre) { c.replace(t, otherID); c.beats(t, 9) }, []error{consumers.ErrOtherLog, consumers.ErrLogGone}},
		{"rewritten", func(t *testing.T, c *centre) { c.replace(t, sameID); c.beats(t, 9) }, []error{consumers.ErrLogRewritten, consumers.ErrLogGone, consumers.ErrLogBehind}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			c := newCentre(t)
			r := c.start(t, nil)
			c.beats(t, 5)
			r.reaches(t, 5)
			before := contents(t, c.dsn)
			tc.change(t, c)
			err := r.fault(t)
			fits := false
			for _, want := range tc.want {
				fits = fits || errors.Is(err, want)
			}
			if !fits {
				t.Errorf("stopped with %v, want one of %v", err, tc.want)
			}
			same(t, "after the log was refused", contents(t, c.dsn), before)
		})
	}
}

// Messages in the middle of the log are gone: a block of the hub's disk was bad, say.
func TestHolesInTheLog(t *testing.T) {
	c := newCentre(t)
	c.replace(t, func(cfg *jetstream.StreamConfig) { cfg.DenyDelete, cfg.DenyPurge = false, false })
	c.beats(t, 10)
	for _, sequence := range []uint64{4, 5, 8} {
		if err := c.log.Stream.DeleteMsg(t.Context(), sequence); err != nil {
			t.Fatal(err)
		}
	}
	for _, tc := range []struct{ accept, from, to uint64 }{{0, 4, 5}, {4, 4, 5}, {5, 8, 8}} {
		r := c.start(t, func(cfg *consumers.Config) { cfg.AcceptLost = tc.accept })
		err := r.fault(t)
		if !errors.Is(err, consumers.ErrLogLost) || !strings.Contains(err.Error(), fmt.Sprintf("messages %d to %d ", tc.from, tc.to)) {
			t.Fatalf("accepting %d: %v", tc.accept, err)
		}
		again := c.start(t, func(cfg *consumers.Config) { cfg.AcceptLost = tc.accept })
		if err := again.fault(t); !errors.Is(err, consumers.ErrLogLost) {
			t.Fatalf("accepting %d, again: %v", tc.accept, err)
		}
	}
	r := c.start(t, func(cfg *consumers.Config) { cfg.AcceptLost = 8 })
	r.reaches(t, 10)
	r.stop(t)
	var messages uint64
	if err := open(t, c.dsn).QueryRow(t.Context(), "SELECT uniqExact(stream_sequence) FROM message").Scan(&messages); err != nil || messages != 7 {
		t.Errorf("%d messages of 7 that are there: %v", messages, err)
	}
}

// A log whose beginning is gone is not read into an empty graph as if it were whole.
func TestLogWithoutItsBeginning(t *testing.T) {
	c := newCentre(t)
	c.replace(t, from(501))
	c.beats(t, 3)
	if err := c.start(t, nil).fault(t); !errors.Is(err, consumers.ErrLogLost) || !strings.Contains(err.Error(), "--accept-lost 500") {
		t.Fatalf("stopped with %v", err)
	}
	r := c.start(t, func(cfg *consumers.Config) { cfg.AcceptLost = 500 })
	r.reaches(t, 503)
	r.stop(t)
	c.read(t, nil) // and from then on without the flag
}

// The first consumer of all makes the log, a later one never does.
func TestOnlyAnEmptyGraphGetsANewLog(t *testing.T) {
	hub := schematest.NATS(t)
	c := &centre{hub: hub, js: schematest.JetStream(t, hub), dsn: newGraph(t, schematest.ClickHouse(t))}
	r := c.start(t, nil)
	r.await(t, "reading", func(s consumers.Status) bool { return s.Ready })
	c.log = ensure(t, c.js)
	if r.Status().Log != c.log.ID {
		t.Errorf("it reads log %s, not %s", r.Status().Log, c.log.ID)
	}
	c.beats(t, 1)
	r.reaches(t, 1)
	r.stop(t)
	if err := c.js.DeleteStream(t.Context(), stream.Name); err != nil {
		t.Fatal(err)
	}
	if err := c.start(t, nil).fault(t); !errors.Is(err, consumers.ErrLogGone) {
		t.Errorf("stopped with %v", err)
	}
	if _, err := c.js.Stream(t.Context(), stream.Name); !errors.Is(err, jetstream.ErrStreamNotFound) {
		t.Errorf("there is a log again: %v", err)
	}
}

// Two logs in one graph would share numbers.
func TestTwoLogsInOneGraph(t *testing.T) {
	c := newCentre(t)
	c.exec(t, "INSERT INTO position (log, sequence, last_sequence, written_at) VALUES ('one', 1, 1, now64(6)), ('two', 1, 1, now64(6))")
	if err := c.start(t, nil).fault(t); !errors.Is(err, consumers.ErrOtherLog) {
		t.Errorf("stopped with %v", err)
	}
}

// The hub goes and comes back, on the same port and with the same disk.
func TestHubRestarts(t *testing.T) {
	c := newCentre(t)
	dir, address := c.hub.Dir(), strings.TrimPrefix(c.hub.URL(), "nats://")
	r := c.start(t, nil)
	messages := sampleMessages(t)
	const times = 4
	for i := range times {
		for _, m := range messages[i*len(messages)/times : (i+1)*len(messages)/times] {
			send(t, c.js, m)
		}
		if i%2 == 0 {
			r.reaches(t, c.last(t)) // all of it, or whatever it has by then
		}
		c.hub.Stop()
		c.hub = schematest.NATSServer(t, embedded.NATSConfig{Dir: dir, Listen: address})
		c.log = ensure(t, schematest.JetStream(t, c.hub))
	}
	r.reaches(t, c.last(t))
	r.stop(t)
	c.isModelled(t)
	if n := r.metric(t, "reconnects_total"); n < 1 {
		t.Errorf("%v reconnects counted", n)
	}
}
