package consumers_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/rolltrace/rolltrace/consumers"
	"github.com/rolltrace/rolltrace/schema/schematest"
)

// oneByOne makes every message a batch.
func oneByOne(cfg *consumers.Config) { cfg.BatchBytes, cfg.Linger = 1, time.Nanosecond }

// another is a second graph for the same log.
func (c *centre) another(t testing.TB) *centre {
	t.Helper()
	other := *c
	other.dsn = newGraph(t, schematest.ClickHouse(t))
	return &other
}

// read brings the log into the graph with one consumer.
func (c *centre) read(t testing.TB, change func(*consumers.Config)) {
	t.Helper()
	r := c.start(t, change)
	r.reaches(t, c.last(t))
	r.stop(t)
}

func (c *centre) exec(t testing.TB, statement string, args ...any) {
	t.Helper()
	if err := open(t, c.dsn).Exec(t.Context(), statement, args...); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}

// A consumer that is stopped and started after each message writes what one that reads all at once does.
func TestRestartAfterEveryMessage(t *testing.T) {
	stepwise := newCentre(t)
	for _, m := range sampleMessages(t) {
		sequence := send(t, stepwise.js, m)
		r := stepwise.start(t, oneByOne)
		r.reaches(t, sequence)
		r.stop(t)
	}
	atOnce := stepwise.another(t)
	atOnce.read(t, nil)
	atOnce.isModelled(t)
	same(t, "stopped after every message", contents(t, stepwise.dsn), contents(t, atOnce.dsn))
}

// Rows of messages after the position are there already, as after a consumer that was killed before it stored
// the position: they are recomputed, and nothing changes.
func TestRestartFromEveryPosition(t *testing.T) {
	c := newCentre(t)
	for _, m := range sampleMessages(t) {
		send(t, c.js, m)
	}
	c.read(t, nil)
	c.isModelled(t)
	want := contents(t, c.dsn)
	for position := range c.last(t) {
		c.exec(t, "TRUNCATE TABLE position")
		if position > 0 {
			c.exec(t, "INSERT INTO position (log, sequence, last_sequence, written_at) VALUES ($1, $2, $2, now64(6))", c.log.ID, position)
		}
		r := c.start(t, func(cfg *consumers.Config) {
			oneByOne(cfg)
			cfg.StopTimeout = 1 // what is under way then is cut off
		})
		r.reaches(t, position+1)
		r.stop(t)
	}
	c.read(t, nil)
	same(t, "read again from every position", contents(t, c.dsn), want)
}

// Two consumers on one log, while messages come, and batches of one message, so that they overtake each other.
func TestTwoConsumersAtOnce(t *testing.T) {
	c := newCentre(t)
	first, second := c.start(t, oneByOne), c.start(t, func(cfg *consumers.Config) { cfg.Linger = time.Nanosecond })
	c.publishSamples(t)
	for range 3 {
		third := c.start(t, oneByOne)
		third.reaches(t, 1)
		third.stop(t)
	}
	for _, r := range []*running{first, second} {
		r.reaches(t, c.last(t))
		r.stop(t)
	}
	c.isModelled(t)
	alone := c.another(t)
	alone.read(t, nil)
	same(t, "two at once", contents(t, c.dsn), contents(t, alone.dsn))
}

// The same everything twice changes no answer: sets, numbers and movements are what they were.
func TestEverythingTwice(t *testing.T) {
	c := newCentre(t)
	messages := sampleMessages(t)
	for range 2 {
		for _, m := range messages {
			delete(m.Header, "Nats-Msg-Id") // the hub's duplicate window is an optimisation
			send(t, c.js, m)
		}
	}
	c.read(t, nil)
	c.isModelled(t)
	conn := open(t, c.dsn)
	for table, want := range map[string]string{
		"elector": "number, space, key", "movement_revision": "movement, revision, body_hash", "chunk": "movement, set, chunk, hash",
		"message": "org, sidecar, instance, sequence",
	} {
		var rows, distinct uint64
		query := fmt.Sprintf("SELECT uniqExact(stream_sequence), uniqExact((%s)) FROM %s", want, table)
		if table == "elector" {
			query = fmt.Sprintf("SELECT uniqExact(number), uniqExact((%s)) FROM %s WHERE first_sequence <= %d", want, table, len(messages))
		}
		if err := conn.QueryRow(t.Context(), query).Scan(&rows, &distinct); err != nil {
			t.Fatal(err)
		}
		if table == "elector" && rows != distinct || table != "elector" && rows != 2*distinct {
			t.Errorf("%s: %d rows for %d things", table, rows, distinct)
		}
	}
}
