package producers_test

import (
	"context"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/rolltrace/rolltrace/producers"
	"github.com/rolltrace/rolltrace/schema/stream"
)

// groups are how many messages of the log came in each group; "" is alone.
func (h *hub) groups() map[string]int {
	h.t.Helper()
	log, err := stream.Open(h.t.Context(), h.js())
	if err != nil {
		h.t.Fatal(err)
	}
	groups := map[string]int{}
	for sequence := range log.Stream.CachedInfo().State.LastSeq {
		m, err := log.Stream.GetMsg(h.t.Context(), sequence+1)
		if err != nil {
			h.t.Fatal(err)
		}
		groups[m.Header.Get("Nats-Batch-Id")]++
	}
	return groups
}

// What waits goes in groups, so that the hub syncs a few times and not for each message.
func TestSmallMessagesGoTogether(t *testing.T) {
	h := newHub(t, nil)
	h.ensure(stream.Options{})
	o := openOutbox(t, nil)
	appendChunks(t, o, 0, 1000)
	f, _ := forward(t, producers.ForwarderConfig{Source: o, Conn: connect(t, h.url())})
	drained(t, f)
	checkOnce(t, h.read(1000))
	groups := h.groups()
	alone := groups[""]
	delete(groups, "")
	if len(groups) == 0 || alone > 100 {
		t.Errorf("%d of 1000 messages came alone, the others in %d groups", alone, len(groups))
	}
}

// Whole chunks would be written twice.
func TestLargeMessagesGoAlone(t *testing.T) {
	h := newHub(t, nil)
	h.ensure(stream.Options{})
	o := openOutbox(t, nil)
	for i := range 20 {
		if _, err := o.Append(t.Context(), chunkOf(uint32(i), 20_000)); err != nil {
			t.Fatal(err)
		}
	}
	f, _ := forward(t, producers.ForwarderConfig{Source: o, Conn: connect(t, h.url())})
	appendChunks(t, o, 20, 1)
	drained(t, f)
	checkOnce(t, h.read(21))
	if groups := h.groups(); len(groups) != 1 {
		t.Errorf("groups of large messages: %v", groups)
	}
}

// A log that was made without groups takes the same messages.
func TestHubThatTakesNoGroups(t *testing.T) {
	h := newHub(t, nil)
	log := h.ensure(stream.Options{})
	cfg := log.Stream.CachedInfo().Config
	cfg.AllowAtomicPublish = false
	if _, err := h.js().UpdateStream(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	o := openOutbox(t, nil)
	appendChunks(t, o, 0, 500)
	metrics := producers.NewForwarderMetrics(nil)
	f, _ := forward(t, producers.ForwarderConfig{Source: o, Conn: connect(t, h.url()), Metrics: metrics})
	drained(t, f)
	appendChunks(t, o, 500, 500)
	drained(t, f)
	checkOnce(t, h.read(1000))
	if n := h.messages(); n != 1000 {
		t.Errorf("%d messages in the log, want 1000", n)
	}
	if n := testutil.ToFloat64(metrics.Retries.WithLabelValues("group")); n != 1 {
		t.Errorf("groups were refused %v times: want it learnt from the first", n)
	}
}

// keeping is an outbox that removes nothing: its process is killed after the hub's acknowledgement and before that.
type keeping struct{ producers.Source }

func (keeping) Remove(context.Context, uint64) error { return nil }

// The hub has the messages already, and takes no group with any of them.
func TestGroupsOfWhatTheHubHas(t *testing.T) {
	h := newHub(t, nil)
	h.ensure(stream.Options{})
	o := openOutbox(t, nil)
	appendChunks(t, o, 0, 300)
	_, kill := forward(t, producers.ForwarderConfig{Source: keeping{o}, Conn: connect(t, h.url())})
	h.read(300)
	kill()
	appendChunks(t, o, 300, 300)
	metrics := producers.NewForwarderMetrics(nil)
	f, _ := forward(t, producers.ForwarderConfig{Source: o, Conn: connect(t, h.url()), Metrics: metrics})
	drained(t, f)
	checkOnce(t, h.read(600))
	if n := h.messages(); n != 600 {
		t.Errorf("%d messages in the log, want 600", n)
	}
	if n := testutil.ToFloat64(metrics.Duplicates); n != 300 {
		t.Errorf("the hub had %v of them before, want 300", n)
	}
	if n := testutil.ToFloat64(metrics.Retries.WithLabelValues("group")); n == 0 {
		t.Error("no group was refused: the test shows nothing")
	}
}

// A group that one message has no room for leaves nothing behind, and is not lost.
func TestGroupThatDoesNotFit(t *testing.T) {
	h := newHub(t, nil)
	log := h.ensure(stream.Options{MaxBytes: 100_000})
	o := openOutbox(t, nil)
	appendChunks(t, o, 0, 400)
	said := newSaid(t)
	f, _ := forward(t, producers.ForwarderConfig{Source: o, Conn: connect(t, h.url()), Log: said.log()})
	said.await(`"reason":"refused"`)
	cfg := log.Stream.CachedInfo().Config
	cfg.MaxBytes = -1
	if _, err := h.js().UpdateStream(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	drained(t, f)
	seen := map[uint64]bool{}
	for _, r := range h.read(int(h.messages())) {
		seen[r.Sequence] = true
	}
	if len(seen) != 400 {
		t.Errorf("%d different messages at the hub, want 400", len(seen))
	}
}
