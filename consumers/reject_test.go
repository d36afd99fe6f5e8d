package consumers_test

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"

	"github.com/rolltrace/rolltrace/consumers"
	"github.com/rolltrace/rolltrace/consumers/deadletter"
	"github.com/rolltrace/rolltrace/schema"
	"github.com/rolltrace/rolltrace/schema/schematest"
	"github.com/rolltrace/rolltrace/schema/stream"
	"github.com/rolltrace/rolltrace/schema/wire"
)

// A bad is a message that is to be rejected, and how.
type bad struct {
	wire.Message
	code wire.Code
}

// badMessages are garbage on every subject of the log, and good messages that were tampered with.
func badMessages(t testing.TB) []bad {
	t.Helper()
	var out []bad
	add := func(code wire.Code, m wire.Message) { out = append(out, bad{m, code}) }
	for _, typ := range []wire.Type{wire.TypeMovement, wire.TypeElectors, wire.TypeHeartbeat, wire.TypeGap} {
		subject := typ.Subject("party-a", "field-db-1")
		for _, body := range []string{"", "garbage\r\n\x00\xff", "{}", "null", strings.Repeat("8 bytes.", 65536)} {
			add(wire.BadHeader, wire.Message{Subject: subject, Body: []byte(body)})
			add(wire.BadHeader, wire.Message{Subject: subject, Body: []byte(body), Header: map[string][]string{"x": {"y", "z"}}})
		}
		add(wire.Oversize, wire.Message{Subject: subject, Body: bytes.Repeat([]byte{7}, 600<<10)})
		add(wire.BadSubject, wire.Message{Subject: subject + ".more"})
		add(wire.BadSubject, wire.Message{Subject: strings.ReplaceAll(subject, "party-a", "Party A"[:5])})
		add(wire.FutureVersion, wire.Message{Subject: strings.Replace(subject, ".v1.", ".v2.", 1), Body: []byte("a body that nobody knows")})
	}
	add(wire.FutureVersion, wire.Message{Subject: "rolltrace.v1.links.party-a.x", Body: []byte("{}")})
	add(wire.FutureVersion, wire.Message{Subject: "rolltrace.v1.question.party-a.x", Body: []byte("{}")})
	add(wire.FutureVersion, wire.Message{Subject: "rolltrace.v1.electors.1.party-a.field-db-1", Body: []byte("{}")})

	// Headers that mean something to the hub, and such as the rejected stream uses itself.
	add(wire.BadHeader, wire.Message{Subject: wire.TypeGap.Subject("party-a", "field-db-1"), Header: map[string][]string{
		"Nats-Msg-Id": {"rejected/mine/1"}, "nats-expected-stream": {"ELSEWHERE"}, "rolltrace-rejected-code": {"mine"}, "rolltrace-rejected-subject": {"mine"},
		"rolltrace-rejected-kept-x": {"mine"},
	}})

	s := newSidecar(t, "party-a", "field-db-1", 9)
	sample := schematest.NewSample(500, schema.Export).List(schema.ElectorID, schematest.KeyID, schematest.Keys(0, 100), 100)
	tamper := func(code wire.Code, d wire.Draft, change func(*wire.Message)) {
		m := s.seal(t, d)
		m.Header = maps.Clone(m.Header)
		m.Body = slices.Clone(m.Body)
		change(&m)
		add(code, m)
	}
	for _, d := range sample.Drafts() {
		tamper(wire.BadSignature, d, func(m *wire.Message) { m.Body[len(m.Body)/2] ^= 1 })
		tamper(wire.BadSignature, d, func(m *wire.Message) { m.Header["rolltrace-signature"] = []string{strings.Repeat("A", 86)} })
		tamper(wire.SubjectMismatch, d, func(m *wire.Message) { m.Subject = strings.Replace(m.Subject, "party-a", "party-b", 1) })
		tamper(wire.FutureVersion, d, func(m *wire.Message) { m.Header["ce-type"] = []string{"rolltrace.v7.movement"} })
	}
	return out
}

func TestWhatIsNotUnderstood(t *testing.T) {
	c := newCentre(t)
	bads := badMessages(t)
	good := sampleMessages(t)
	rejections := map[uint64]bad{}
	codes := map[wire.Code]int{}
	for i, b := range bads {
		rejections[send(t, c.js, b.Message)] = b
		codes[b.code]++
		if i < len(good) {
			send(t, c.js, good[i]) // and the consumer goes on
		}
	}
	r := c.start(t, nil)
	r.reaches(t, c.last(t))
	defer r.stop(t)

	queue := deadletter.New(c.js)
	listed := 0
	for e, err := range queue.List(t.Context(), deadletter.Filter{}) {
		if err != nil {
			t.Fatal(err)
		}
		b, ok := rejections[e.Sequence]
		if !ok && slices.ContainsFunc(good, func(m wire.Message) bool { return m.Subject == e.Subject && string(m.Body) == "not understood" }) {
			continue // the sample that is rejected too
		}
		if !ok || e.Code != b.code || e.Subject != b.Subject || e.Log != c.log.ID || e.Bytes != uint64(len(b.Body)) || e.Parked != (b.code == wire.FutureVersion) {
			t.Errorf("message %d is kept as %+v; it was rejected as %s", e.Sequence, e, b.code)
		}
		if e.Reason == "" || e.ReceivedAt.IsZero() || e.RejectedAt.IsZero() {
			t.Errorf("message %d: %+v", e.Sequence, e)
		}
		if len(b.Body) > 8 && len(b.Body) < 100 && strings.Contains(e.Reason, string(b.Body)) {
			t.Errorf("message %d: the reason shows the message: %s", e.Sequence, e.Reason)
		}
		listed++
	}
	if listed != len(bads) {
		t.Errorf("%d messages are kept, want %d", listed, len(bads))
	}
	conn := open(t, c.dsn)
	for code, n := range codes {
		var rows, parked uint64
		if err := conn.QueryRow(t.Context(), "SELECT count(), sum(parked) FROM rejected FINAL WHERE code = $1", string(code)).Scan(&rows, &parked); err != nil {
			t.Fatal(err)
		}
		extra := 0
		if code == wire.BadHeader && len(bads) >= len(good) {
			extra = 1 // the sample
		}
		if int(rows) != n+extra || (code == wire.FutureVersion) != (parked > 0) {
			t.Errorf("%s: %d rows, %d of them parked, want %d", code, rows, parked, n+extra)
		}
		if counted := r.metric(t, "rejected_total", string(code)); int(counted) != n+extra {
			t.Errorf("%s: %v counted, want %d", code, counted, n+extra)
		}
	}
}

// What is kept is the whole message, and replaying puts it back as it was.
func TestRejectedMessagesAreReplayedAsTheyCame(t *testing.T) {
	c := newCentre(t)
	bads := badMessages(t)
	first := map[uint64]bad{}
	for _, b := range bads {
		first[send(t, c.js, b.Message)] = b
	}
	r := c.start(t, nil)
	r.reaches(t, c.last(t))

	queue := deadletter.New(c.js)
	order := []uint64{}
	n, err := queue.Replay(t.Context(), deadletter.Filter{}, func(e deadletter.Entry) { order = append(order, e.Sequence) })
	if err != nil || n != len(bads) || len(order) != n || !slices.IsSorted(order) {
		t.Fatalf("%d replayed in the order %v, want %d: %v", n, order, len(bads), err)
	}
	for i, sequence := range order {
		raw, err := c.log.Stream.GetMsg(t.Context(), uint64(len(bads)+i+1))
		if err != nil {
			t.Fatal(err)
		}
		b := first[sequence]
		want := nats.Header{}
		for name, values := range b.Header {
			if !strings.HasPrefix(strings.ToLower(name), "nats-") { // for the hub, which must not take it for the one that it has
				want[name] = values
			}
		}
		if raw.Subject != b.Subject || !bytes.Equal(raw.Data, b.Body) || !maps.EqualFunc(raw.Header, want, slices.Equal) {
			t.Errorf("message %d came back as %s, %d bytes, %v; want %s, %d bytes, %v", sequence, raw.Subject, len(raw.Data), raw.Header, b.Subject, len(b.Body), want)
		}
	}
	// Nothing was mended: each is rejected anew, under its new sequence, and nothing else.
	r.reaches(t, uint64(2*len(bads)))
	r.stop(t)
	kept := 0
	for e, err := range queue.List(t.Context(), deadletter.Filter{}) {
		if err != nil {
			t.Fatal(err)
		}
		if e.Sequence <= uint64(len(bads)) {
			t.Errorf("message %d is kept still, after it was replayed", e.Sequence)
		}
		kept++
	}
	if kept != len(bads) {
		t.Errorf("%d are kept, want %d", kept, len(bads))
	}
}

// A consumer of this version reads what one of an older version had parked.
func TestParkedMessagesAfterAnUpgrade(t *testing.T) {
	c := newCentre(t)
	r := c.start(t, nil)
	s := newSidecar(t, "party-a", "field-db-1", 1)
	m := s.seal(t, wire.Draft{Movement: schematest.NewSample(1, schema.Collect).Movement})
	original := send(t, c.js, m)
	r.reaches(t, original)
	r.stop(t)
	// As the older version would have kept it.
	queue := deadletter.New(c.js)
	parked := consumers.Rejection{Log: c.log.ID, Sequence: original, ReceivedAt: schematest.Began, Message: m, Code: wire.FutureVersion, Reason: "of a later version", Parked: true}
	other := parked
	other.Sequence, other.Code, other.Parked = 77, wire.BadBody, false
	if err := queue.Put(t.Context(), []consumers.Rejection{parked, parked, other}); err != nil {
		t.Fatal(err)
	}
	for _, f := range []deadletter.Filter{{Sequences: []uint64{5}}, {Codes: []wire.Code{wire.Oversize}}} {
		if n, err := queue.Replay(t.Context(), f, nil); n != 0 || err != nil {
			t.Errorf("%+v: %d replayed, %v", f, n, err)
		}
	}
	if n, err := queue.Replay(t.Context(), deadletter.Filter{Parked: true}, nil); n != 1 || err != nil {
		t.Fatalf("%d replayed: %v", n, err)
	}
	if n, err := queue.Replay(t.Context(), deadletter.Filter{Parked: true}, nil); n != 0 || err != nil {
		t.Errorf("replayed again: %d, %v", n, err)
	}
	if last := c.last(t); last != original+1 {
		t.Fatalf("the log ends at %d: the hub took the replay for the message that it has", last)
	}
	c.read(t, nil)
	c.isModelled(t)
	var revisions, distinct uint64
	if err := open(t, c.dsn).QueryRow(t.Context(), "SELECT uniqExact(stream_sequence), uniqExact(movement, revision, body_hash) FROM movement_revision").Scan(&revisions, &distinct); err != nil || revisions != 2 || distinct != 1 {
		t.Errorf("%d messages of %d revisions: %v", revisions, distinct, err)
	}
	left := 0
	for e, err := range queue.List(t.Context(), deadletter.Filter{}) {
		if err != nil || e.Sequence != 77 {
			t.Errorf("%+v is kept: %v", e, err)
		}
		left++
	}
	if left != 1 {
		t.Errorf("%d are kept, want the one that was not meant", left)
	}
}

// Copies of one rejection, from two consumers beyond the hub's duplicate window, are one.
func TestCopiesOfARejection(t *testing.T) {
	c := newCentre(t)
	cfg := c.log.Rejected.CachedInfo().Config
	cfg.Duplicates = 0
	if err := c.js.DeleteStream(t.Context(), stream.RejectedName); err != nil {
		t.Fatal(err)
	}
	cfg.Duplicates = 100_000_000 // the least that the hub takes
	if _, err := c.js.CreateStream(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	queue := deadletter.New(c.js)
	for sequence := range uint64(200) { // the window is over before the second round
		for range 2 {
			rejection := consumers.Rejection{Log: c.log.ID, Sequence: sequence, Message: wire.Message{Subject: "rolltrace.v1.gap.a.b"}, Code: wire.BadHeader, Reason: "reason"}
			if err := queue.Put(t.Context(), []consumers.Rejection{rejection}); err != nil {
				t.Fatal(err)
			}
		}
	}
	for sequence := range uint64(200) {
		rejection := consumers.Rejection{Log: c.log.ID, Sequence: sequence, Message: wire.Message{Subject: "rolltrace.v1.gap.a.b"}, Code: wire.BadHeader, Reason: "reason"}
		if err := queue.Put(t.Context(), []consumers.Rejection{rejection}); err != nil {
			t.Fatal(err)
		}
	}
	n := 0
	for _, err := range queue.List(t.Context(), deadletter.Filter{}) {
		if err != nil {
			t.Fatal(err)
		}
		n++
	}
	if n != 200 {
		t.Errorf("%d rejections listed, want 200", n)
	}
	if n, err := queue.Replay(t.Context(), deadletter.Filter{}, nil); n != 200 || err != nil {
		t.Errorf("%d replayed, %v", n, err)
	}
	if c.last(t) != 200 {
		t.Errorf("the log has %d messages, want 200", c.last(t))
	}
	info, err := c.js.Stream(t.Context(), stream.RejectedName)
	if err != nil || info.CachedInfo().State.Msgs != 0 {
		t.Errorf("copies are left: %+v, %v", info.CachedInfo().State, err)
	}
}

// The largest message that the hub takes, and one whose headers alone are that large: they are kept without what does
// not fit, which is in the log, and come back whole.
func TestRejectionsTooLargeToKeepWhole(t *testing.T) {
	c := newCentre(t)
	subject := wire.TypeGap.Subject("party-a", "field-db-1")
	size := int(c.js.Conn().MaxPayload())
	large := []wire.Message{
		{Subject: subject, Header: map[string][]string{"x": {"y"}}, Body: bytes.Repeat([]byte{1}, size-40)},
		{Subject: subject, Header: map[string][]string{"x": {strings.Repeat("y", 64<<10-100)}}, Body: []byte("small")},
	}
	for _, m := range large {
		send(t, c.js, m)
	}
	r := c.start(t, nil)
	r.reaches(t, 2)
	queue := deadletter.New(c.js)
	if n, err := queue.Replay(t.Context(), deadletter.Filter{}, nil); n != 2 || err != nil {
		t.Fatalf("%d replayed, %v", n, err)
	}
	for i, m := range large {
		raw, err := c.log.Stream.GetMsg(t.Context(), uint64(i+3))
		if err != nil || !bytes.Equal(raw.Data, m.Body) || fmt.Sprint(raw.Header) != fmt.Sprint(nats.Header(m.Header)) {
			t.Errorf("message %d came back otherwise: %v", i+1, err)
		}
	}
	r.reaches(t, 4)
	r.stop(t)
}

// The position does not pass a rejected message before the rejected stream has it.
func TestRejectedStreamThatIsFull(t *testing.T) {
	c := newCentre(t)
	cfg := c.log.Rejected.CachedInfo().Config
	cfg.MaxBytes = 1
	if _, err := c.js.UpdateStream(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	c.beats(t, 3)
	r := c.start(t, nil)
	r.reaches(t, 3)
	sequence := send(t, c.js, wire.Message{Subject: wire.TypeGap.Subject("a", "b"), Body: []byte("garbage")})
	r.await(t, "the rejected stream refuses", func(s consumers.Status) bool { return slices.Contains(s.Faults, "rejected") })
	if s := r.Status(); s.Position >= sequence || s.Ready {
		t.Errorf("it is %+v while a rejected message is nowhere", s)
	}
	cfg.MaxBytes = -1
	if _, err := c.js.UpdateStream(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	r.reaches(t, sequence)
	r.await(t, "ready", func(s consumers.Status) bool { return s.Ready })
	if r.metric(t, "retries_total", "rejected") < 1 {
		t.Error("no try was counted")
	}
	r.stop(t)
}
