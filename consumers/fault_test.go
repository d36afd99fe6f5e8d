package consumers_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rolltrace/rolltrace/consumers"
	"github.com/rolltrace/rolltrace/deploy/embedded"
	"github.com/rolltrace/rolltrace/schema"
	"github.com/rolltrace/rolltrace/schema/graph"
	"github.com/rolltrace/rolltrace/schema/schematest"
	"github.com/rolltrace/rolltrace/schema/wire"
)

// What one sidecar says changes nothing of another's: same id, chunks of it, a destroy at its place.
func TestASidecarSpeaksForItselfOnly(t *testing.T) {
	c := newCentre(t)
	owner, other := newSidecar(t, "party-a", "field-db-1", 1), newSidecar(t, "party-b", "crm", 2)
	sample := schematest.NewSample(1, schema.Collect).List(schema.ElectorID, schematest.KeyID, schematest.Keys(0, 100), 50)
	c.publish(t, owner, sample.Drafts()...)
	false1 := schematest.NewSample(1, schema.Collect).List(schema.ElectorID, schematest.KeyID, schematest.Keys(1000, 100), 100)
	false1.Movement.Revision = 9
	c.publish(t, other, false1.Drafts()...)
	destroy := schematest.NewSample(2, schema.Destroy)
	destroy.Movement.Inputs = []schema.Input{{Place: schematest.Voters}}
	c.publish(t, other, wire.Draft{Movement: destroy.Movement})
	own := schematest.NewSample(3, schema.Destroy)
	own.Movement.Inputs = []schema.Input{{Place: schematest.Voters}}
	c.publish(t, owner, wire.Draft{Movement: own.Movement})
	c.read(t, nil)
	c.isModelled(t)
	conn := open(t, c.dsn)
	var electors, revision uint64
	if err := conn.QueryRow(t.Context(), `SELECT bitmapCardinality(groupBitmapMergeState(electors)), (SELECT toUInt64(max(revision)) FROM movement_revision WHERE org = 'party-a' AND id = $1)
		FROM listed WHERE movement = (SELECT any(movement) FROM movement_number WHERE org = 'party-a' AND id = $1)`, sample.Movement.ID).Scan(&electors, &revision); err != nil {
		t.Fatal(err)
	}
	if electors != 100 || revision != uint64(sample.Movement.Revision) {
		t.Errorf("the owner's movement has %d electors and revision %d, want 100 and %d", electors, revision, sample.Movement.Revision)
	}
	for id, want := range map[string]string{destroy.Movement.ID: "attested 0", own.Movement.ID: "observed 1"} {
		var have string
		if err := conn.QueryRow(t.Context(), "SELECT concat(effective_basis, ' ', toString(removes)) FROM movement_revision WHERE id = $1", id).Scan(&have); err != nil || have != want {
			t.Errorf("the destroy is %q, want %q: %v", have, want, err)
		}
	}
}

// Whatever order the messages of a movement come in, its sets are the same.
func TestAnyOrderOfAMovementsMessages(t *testing.T) {
	sample := schematest.NewSample(1, schema.Export).List(schema.ElectorID, schematest.KeyID, schematest.Keys(0, 300), 100)
	drafts := sample.Drafts() // open, three chunks, closed
	for name, order := range map[string][]int{
		"closed before its chunks": {4, 3, 2, 1}, "chunks without their movement": {1, 2, 3}, "closed, then opened": {4, 0, 1, 2, 3},
	} {
		t.Run(name, func(t *testing.T) {
			c := newCentre(t)
			s := newSidecar(t, "party-a", "field-db-1", 1)
			for _, i := range order {
				c.publish(t, s, drafts[i])
			}
			c.read(t, nil)
			c.isModelled(t)
			var electors, rejected uint64
			if err := open(t, c.dsn).QueryRow(t.Context(), "SELECT bitmapCardinality(groupBitmapMergeState(electors)), (SELECT count() FROM rejected) FROM listed_by_elector").Scan(&electors, &rejected); err != nil || electors != 300 || rejected != 0 {
				t.Errorf("%d electors, %d rejected: %v", electors, rejected, err)
			}
		})
	}
}

// ClickHouse is killed while it is being written to, again and again, and comes back by itself.
func TestClickHouseIsKilled(t *testing.T) {
	server := schematest.ClickHouseServer(t, embedded.ClickHouseConfig{})
	hub := schematest.NATS(t)
	c := &centre{hub: hub, js: schematest.JetStream(t, hub), dsn: newGraph(t, server.DSN(embedded.Owner))}
	c.log = ensure(t, c.js)
	c.publishSamples(t)
	r := c.start(t, oneByOne)
	const times = 3
	for i := range uint64(times) {
		r.reaches(t, (i+1)*c.last(t)/(times+1))
		if err := server.Kill(); err != nil {
			t.Fatal(err)
		}
	}
	r.reaches(t, c.last(t))
	r.stop(t)
	if r.metric(t, "retries_total", "clickhouse") < 1 {
		t.Error("no try was counted")
	}
	c.isModelled(t)
	alone := &centre{hub: hub, js: c.js, log: c.log, dsn: newGraph(t, schematest.ClickHouse(t))}
	alone.read(t, nil)
	same(t, "after ClickHouse was killed", contents(t, c.dsn), contents(t, alone.dsn))
}

// While ClickHouse is away the consumer takes in what it has room for, and no more; then it goes on.
func TestIntakeStopsWhileClickHouseIsAway(t *testing.T) {
	c := newCentre(t)
	sample := schematest.NewSample(1, schema.Collect).List(schema.ElectorID, schematest.KeyID, schematest.Keys(0, 200_000), 10_000)
	const room, batch = 400_000, 300_000
	away := c.behindProxy(t)
	r := c.start(t, func(cfg *consumers.Config) { cfg.IntakeBytes, cfg.BatchBytes = room, batch })
	r.await(t, "reading", func(s consumers.Status) bool { return s.Ready })
	away.begin()
	c.publish(t, newSidecar(t, "party-a", "field-db-1", 1), sample.Drafts()...)
	r.await(t, "ClickHouse is found to be away", func(s consumers.Status) bool { return slices.Contains(s.Faults, "clickhouse") })
	// Two batches, each one chunk over its limit at most, of 10,000 new electors of 24 bytes.
	if n := r.metric(t, "electors_numbered_total"); n > 2*(batch+240_000)/24 {
		t.Errorf("%v electors were numbered while nothing was written", n)
	}
	away.end()
	r.reaches(t, c.last(t))
	r.stop(t)
	c.isModelled(t)
}

// A fault that trying again does not mend stops the consumer, with a line that says so, and the position stays.
func TestRowsThatClickHouseRefusesForGood(t *testing.T) {
	for name, tc := range map[string]struct{ statement, says string }{
		"a table is not there":     {"DROP TABLE gap", "rolltrace migrate"},
		"a column is not there":    {"ALTER TABLE heartbeat DROP COLUMN interval_ms", "interval_ms"},
		"a column of another type": {"ALTER TABLE message MODIFY COLUMN message_id UInt64", "message"},
	} {
		t.Run(name, func(t *testing.T) {
			c := newCentre(t)
			c.exec(t, tc.statement)
			c.publishSamples(t)
			r := c.start(t, nil)
			err := r.fault(t)
			if !consumers.IsPermanent(err) || !strings.Contains(err.Error(), tc.says) {
				t.Errorf("stopped with %v; want %q in it", err, tc.says)
			}
			if p := r.Status().Position; p >= c.last(t) {
				t.Errorf("the position is %d", p)
			}
		})
	}
}

// Numbers that the graph has lost are not given again.
func TestGraphThatLostNumbers(t *testing.T) {
	c := newCentre(t)
	c.publishSamples(t)
	c.read(t, nil)
	c.exec(t, "ALTER TABLE elector DELETE WHERE number = 17 SETTINGS mutations_sync = 1")
	if err := c.start(t, nil).fault(t); !errors.Is(err, graph.ErrCorrupt) || !consumers.IsPermanent(err) {
		t.Errorf("stopped with %v", err)
	}
}

func TestMetricsAndHealth(t *testing.T) {
	c := newCentre(t)
	messages := sampleMessages(t)
	types := map[string]float64{}
	for _, m := range messages {
		send(t, c.js, m)
		if string(m.Body) != "not understood" {
			types[strings.Split(m.Subject, ".")[2]]++
		}
	}
	now := time.Now()
	away := c.behindProxy(t)
	r := c.start(t, func(cfg *consumers.Config) { cfg.Clock = func() time.Time { return now } })
	health := func(what func(http.ResponseWriter, *http.Request)) int {
		w := httptest.NewRecorder()
		what(w, httptest.NewRequest(http.MethodGet, "/", nil))
		if !strings.Contains(w.Body.String(), `"doing"`) {
			t.Errorf("health says %s", w.Body)
		}
		return w.Code
	}
	r.reaches(t, c.last(t))
	if code := health(r.Readyz); code != http.StatusOK {
		t.Errorf("/readyz: %d", code)
	}
	for typ, n := range types {
		if have := r.metric(t, "messages_total", typ); have != n {
			t.Errorf("%v %s messages counted, want %v", have, typ, n)
		}
	}
	model := modelOf(t, c)
	for name, want := range map[string]float64{
		"electors_numbered_total": float64(len(model.numbers)), "electors_known": float64(len(model.numbers)), "rejected_total": 1,
		"position": float64(len(messages)), "log_last_sequence": float64(len(messages)), "lag_messages": 0, "lag_seconds": 0,
		"retries_total": 0, "reconnects_total": 0, "flush_seconds": r.metric(t, "flushes_total"),
	} {
		r.measured(t, name, want)
	}
	if r.metric(t, "flushes_total") < 1 || r.metric(t, "rows_total", "position") != r.metric(t, "flushes_total") {
		t.Errorf("%v batches, %v positions", r.metric(t, "flushes_total"), r.metric(t, "rows_total", "position"))
	}
	for kind, want := range map[string]float64{
		"space": float64(len(model.spaces)), "elector": float64(len(model.numbers)), "movement_number": float64(len(model.movements)),
		"movement_revision": types["movement"], "chunk": types["electors"], "heartbeat": types["heartbeat"], "gap": types["gap"],
		"message": float64(len(messages) - 1), "rejected": 1,
	} {
		if have := r.metric(t, "rows_total", kind); have != want {
			t.Errorf("%v rows of %s, want %v", have, kind, want)
		}
	}
	if r.metric(t, "rows_total", "run") < 1 || r.metric(t, "rows_total", "row") < 1 {
		t.Error("runs and rows are not counted")
	}
	// Behind, with ClickHouse away.
	now = now.Add(time.Hour)
	away.begin()
	c.beats(t, 3)
	r.await(t, "ClickHouse is found to be away", func(s consumers.Status) bool { return slices.Contains(s.Faults, "clickhouse") })
	if code := health(r.Readyz); code != http.StatusServiceUnavailable {
		t.Errorf("/readyz without ClickHouse: %d", code)
	}
	if code := health(r.Healthz); code != http.StatusOK {
		t.Errorf("/healthz without ClickHouse: %d", code)
	}
	r.await(t, "the log's end is seen", func(s consumers.Status) bool { return s.Last == c.last(t) })
	r.measured(t, "lag_messages", 3)
	if lag := r.metric(t, "lag_seconds"); lag < 3500 || lag > 3700 {
		t.Errorf("lag of %v seconds, want about an hour", lag)
	}
	away.end()
	r.reaches(t, c.last(t))
	r.stop(t)
	if code := health(r.Healthz); code != http.StatusServiceUnavailable {
		t.Errorf("/healthz of a consumer that stopped: %d", code)
	}
}
