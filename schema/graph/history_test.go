package graph_test

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/rolltrace/rolltrace/consumers/lineage"
	"github.com/rolltrace/rolltrace/schema"
	"github.com/rolltrace/rolltrace/schema/graph"
	"github.com/rolltrace/rolltrace/schema/schematest"
)

// A message is what a log brings: a revision of a movement, or a chunk of its keys.
type message struct {
	movement *schema.Movement
	chunk    *chunk
}

type chunk struct {
	org, sidecar, id string
	set              uint16
	index            uint32
	space            schema.IDSpace
	role             schema.SetRole
	keys             []schema.Key
}

// A delivery makes batches of messages, in the order in which it gets them, as a consumer would.
type delivery struct {
	sequence  uint64
	spaces    map[schema.IDSpace]uint16
	electors  map[string]uint32 // by space and key
	movements map[string]uint32
}

func newDelivery() *delivery {
	return &delivery{spaces: map[schema.IDSpace]uint16{}, electors: map[string]uint32{}, movements: map[string]uint32{}}
}

func (d *delivery) movement(b *graph.Batch, org, sidecar, id string) uint32 {
	name := org + "/" + sidecar + "/" + id
	n, ok := d.movements[name]
	if !ok {
		n = uint32(len(d.movements))
		d.movements[name] = n
		b.Movements = append(b.Movements, graph.MovementNumber{Number: n, Org: org, Sidecar: sidecar, ID: id, FirstSequence: d.sequence})
	}
	return n
}

func (d *delivery) space(b *graph.Batch, space schema.IDSpace) uint16 {
	n, ok := d.spaces[space]
	if !ok {
		n = uint16(len(d.spaces))
		d.spaces[space] = n
		b.Spaces = append(b.Spaces, graph.Space{Number: n, IDSpace: space, KeyID: schematest.KeyID, FirstSequence: d.sequence})
	}
	return n
}

// stride spreads the few electors of a history over buckets, three in each.
const stride = 1 << graph.BucketBits / 3

func (d *delivery) elector(b *graph.Batch, space schema.IDSpace, key schema.Key) uint32 {
	name := fmt.Sprint(space, key)
	n, ok := d.electors[name]
	if !ok {
		n = uint32(len(d.electors)) * stride
		d.electors[name] = n
		b.Electors = append(b.Electors, graph.Elector{Number: n, Space: d.space(b, space), Key: key, FirstSequence: d.sequence})
	}
	return n
}

// batch makes one batch of the messages. Half of the keys go into bitmaps, and half into rows.
func (d *delivery) batch(messages []message) *graph.Batch {
	b := &graph.Batch{}
	for _, m := range messages {
		d.sequence++
		received := schema.At(schematest.Began.Add(time.Duration(d.sequence) * time.Second))
		if m.movement != nil {
			body, err := json.Marshal(m.movement)
			if err != nil {
				panic(err)
			}
			p := m.movement.Producer
			b.Revisions = append(b.Revisions, graph.Revision{
				Movement: d.movement(b, p.Org, p.Sidecar, m.movement.ID), Record: m.movement, Body: body, BodyHash: sha256.Sum256(body),
				StreamSequence: d.sequence, ReceivedAt: received,
			})
			continue
		}
		c := m.chunk
		n := d.movement(b, c.org, c.sidecar, c.id)
		space := d.space(b, c.space)
		b.Chunks = append(b.Chunks, graph.Chunk{Movement: n, Set: c.set, Index: c.index, Hash: sha256.Sum256([]byte(fmt.Sprint(c.keys))),
			Space: space, Keys: uint32(len(c.keys)), StreamSequence: d.sequence, ReceivedAt: received})
		for i, key := range c.keys {
			number := d.elector(b, c.space, key)
			if c.role != "" {
				b.Seeds = append(b.Seeds, graph.Seed{Number: number, Movement: n, Role: c.role})
			}
			if (i+int(c.index))%2 == 0 {
				b.Rows = append(b.Rows, graph.Row{Movement: n, Space: space, Number: number})
			} else {
				b.Runs = append(b.Runs, graph.Run{Movement: n, Space: space, Bucket: graph.Bucket(number), Starts: []uint32{number}, Lengths: []uint32{1}})
			}
		}
	}
	b.Position = graph.Position{Log: "log", Sequence: d.sequence, LastSequence: d.sequence, WrittenAt: schematest.Began}
	return b
}

// A centre is a migrated database of its own.
type centre struct {
	t       testing.TB
	conn    driver.Conn
	dsn     string
	writer  *graph.Writer
	lineage *lineage.Lineage
	graph   *graph.Graph
}

func newCentre(t testing.TB) *centre {
	t.Helper()
	dsn := schematest.ClickHouse(t)
	if err := graph.Migrate(t.Context(), graph.Options{DSN: dsn}); err != nil {
		t.Fatal(err)
	}
	return centreAt(t, dsn)
}

func centreAt(t testing.TB, dsn string) *centre {
	t.Helper()
	conn, err := graph.Open(dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	derives, err := lineage.New(lineage.Config{Graph: graph.NewLineage(conn, graph.WriterConfig{})})
	if err != nil {
		t.Fatal(err)
	}
	return &centre{t: t, conn: conn, dsn: dsn, writer: graph.NewWriter(conn, graph.WriterConfig{}), lineage: derives,
		graph: graph.New(conn, graph.Config{Clock: func() time.Time { return schematest.Began.Time }})}
}

func (c *centre) exec(sql string) {
	c.t.Helper()
	if err := c.conn.Exec(c.t.Context(), sql); err != nil {
		c.t.Fatalf("%s: %v", sql, err)
	}
}

func (c *centre) write(b *graph.Batch) {
	c.t.Helper()
	if err := c.writer.Write(c.t.Context(), b); err != nil {
		c.t.Fatal(err)
	}
	if err := c.lineage.CatchUp(c.t.Context()); err != nil {
		c.t.Fatal(err)
	}
}

// deliver writes messages in their order, in batches of size.
func (c *centre) deliver(messages []message, size int) {
	c.t.Helper()
	d := newDelivery()
	for part := range slices.Chunk(messages, size) {
		c.write(d.batch(part))
	}
}

// texts is the first column of a query's rows.
func (c *centre) texts(sql string) []string {
	c.t.Helper()
	rows, err := c.conn.Query(c.t.Context(), sql)
	if err != nil {
		c.t.Fatalf("%s: %v", sql, err)
	}
	defer rows.Close()
	var out []string
	for rows.Next() {
		var s string
		if err := rows.Scan(&s); err != nil {
			c.t.Fatalf("%s: %v", sql, err)
		}
		out = append(out, s)
	}
	if err := rows.Err(); err != nil {
		c.t.Fatalf("%s: %v", sql, err)
	}
	return out
}

// A step is one movement of a worked history, in short.
type step struct {
	kind     schema.Kind
	from     string // places, with spaces between
	to       string
	electors string // letters: "abc"; in capitals: chunks that were announced and never came
	change   func(*schema.Movement)
}

// hour is the time of the n-th step.
func hour(n int) schema.Time {
	return schema.At(schematest.Began.Add(time.Duration(n) * time.Hour))
}

func keyOf(letter rune) schema.Key { return schematest.Keys(int(letter-'a'), 1)[0] }

// messages of the n-th step: the movement open, its chunks of two keys, and the movement closed.
func (s step) messages(t testing.TB, n int) []message {
	t.Helper()
	sample := schematest.NewSample(n, s.kind)
	m := sample.Movement
	m.Inputs, m.Output = nil, schema.Place(s.to)
	for from := range strings.FieldsSeq(s.from) {
		m.Inputs = append(m.Inputs, schema.Input{Place: schema.Place(from), Fields: []string{"name"}})
	}
	m.Producer.Org = m.Owner()
	m.OccurredAt, m.ClosedAt, m.RecordedAt = hour(n), hour(n), hour(n)
	var keys []schema.Key
	missing := 0
	for _, letter := range s.electors {
		if letter >= 'A' && letter <= 'Z' {
			missing++
			letter += 'a' - 'A'
		}
		keys = append(keys, keyOf(letter))
	}
	if len(keys) > 0 {
		sample = sample.List(schema.ElectorID, schematest.KeyID, keys, 2)
		m = sample.Movement
	}
	if s.change != nil {
		s.change(m)
	}
	if err := m.Validate(); err != nil {
		t.Fatalf("step %d: %v", n, err)
	}
	var out []message
	for _, c := range sample.Chunks {
		if int(c.Index) >= (len(keys)-missing+1)/2 {
			continue
		}
		out = append(out, message{chunk: &chunk{org: m.Producer.Org, sidecar: m.Producer.Sidecar, id: m.ID,
			set: c.Set, index: c.Index, space: c.IDSpace, keys: c.Keys}})
	}
	if m.Basis == schema.Observed && m.State == schema.Closed {
		open := *m
		open.Revision, open.State, open.Outcome, open.Reason, open.ClosedAt = 1, schema.Open, "", "", schema.Time{}
		out = append([]message{{movement: &open}}, out...)
	}
	return append(out, message{movement: m})
}
