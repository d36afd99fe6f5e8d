package graph_test

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/rolltrace/rolltrace/schema"
	"github.com/rolltrace/rolltrace/schema/graph"
	"github.com/rolltrace/rolltrace/schema/schematest"
	"github.com/rolltrace/rolltrace/schema/schematest/roll"
)

// A scaled history is the one of docs/design.md's measures, or a part of it: of each 100 movements one is of the
// whole roll, nine are of one district, and ninety of 1 to 5,000 electors. It is a function of its sizes alone.
//
// The lists of the authority reach five parties, the parties cut them by district and share them with vendors, and
// volunteers and vendors' contractors get small parts, scattered over the roll or out of one district; a few of
// these are merged of two places. Routes have up to five movements.
type scaled struct {
	districts []roll.District
	electors  uint32
	moves     []scaledMove
	sequences map[string]uint64 // by organisation
}

// A scaledMove is a movement with its electors: numbers, or a range.
type scaledMove struct {
	kind     schema.Kind
	from     []schema.Place
	to       schema.Place
	first, n uint32   // the range first … first+n-1, when numbers is nil
	numbers  []uint32 // sorted
}

const (
	fullMovements = 10_000
	parties       = 5
	vendors       = 40
	people        = 400
)

func newScaled(movements int, rollShare float64) *scaled {
	s := &scaled{sequences: map[string]uint64{}}
	starts := []uint32{}
	for _, d := range roll.Districts() {
		d.Electors = max(1, int(float64(d.Electors)*rollShare))
		starts = append(starts, s.electors)
		s.electors += uint32(d.Electors)
		s.districts = append(s.districts, d)
	}
	random := rand.New(rand.NewPCG(2021, 338))
	party := func() string { return fmt.Sprintf("party-%c", 'a'+random.IntN(parties)) }
	crm := func(p string) schema.Place { return schema.Place(p + "/crm/voters") }
	district := func(p string, d int) schema.Place { return schema.Place(fmt.Sprintf("%s/districts/d%03d", p, d)) }
	vendor := func() schema.Place {
		return schema.Place(fmt.Sprintf("vendor-%02d/uploads/list-%d", random.IntN(vendors), random.IntN(5)))
	}
	for i := range movements {
		p := party()
		m := scaledMove{kind: schema.Share}
		d := random.IntN(len(s.districts))
		m.first, m.n = starts[d], uint32(s.districts[d].Electors)
		switch n := i % 100; {
		case n == 0:
			m.kind, m.from, m.to = schema.Collect, []schema.Place{schema.Place(fmt.Sprintf("authority/rolls/%d", 2000+i/400))}, crm(p)
			if i%500 == 300 { // one in five goes on whole
				m.kind, m.from, m.to = schema.Share, []schema.Place{crm(p)}, schema.Place(fmt.Sprintf("vendor-%02d/platform/all", random.IntN(4)))
			}
			m.first, m.n = 0, s.electors
		case n%11 == 1:
			m.from = []schema.Place{crm(p)}
			if m.to = vendor(); random.IntN(3) > 0 {
				m.kind, m.to = schema.Export, district(p, d)
			}
		default:
			var from, size = m.first, m.n
			switch random.IntN(4) {
			case 0:
				m.from, m.to = []schema.Place{district(p, d)}, vendor()
			case 1:
				m.kind, m.from, m.to = schema.Access, []schema.Place{crm(p)}, schema.Place(fmt.Sprintf("%s/people/u%04d", p, random.IntN(people)))
				from, size = 0, s.electors
			case 2:
				m.from, m.to = []schema.Place{vendor()}, schema.Place(fmt.Sprintf("contractor-%02d/inbox/lists", random.IntN(vendors)))
				from, size = 0, s.electors
			default:
				m.kind, m.from, m.to = schema.Merge, []schema.Place{crm(p), vendor()}, schema.Place(fmt.Sprintf("%s/files/list-%03d", p, random.IntN(200)))
				from, size = 0, s.electors
			}
			numbers := make([]uint32, 1+random.IntN(min(5000, int(size))))
			for i := range numbers {
				numbers[i] = from + random.Uint32N(size)
			}
			slices.Sort(numbers)
			m.numbers, m.n = slices.Compact(numbers), 0
		}
		s.moves = append(s.moves, m)
	}
	return s
}

func (m *scaledMove) size() int { return int(m.n) + len(m.numbers) }

// sets are the electors of the movement as a consumer would write them, had they come in one chunk.
func (m *scaledMove) sets(b *graph.Batch, movement uint32) {
	for from := m.first; from < m.first+m.n; {
		to := min(m.first+m.n, (from>>graph.BucketBits+1)<<graph.BucketBits)
		b.Runs = append(b.Runs, graph.Run{Movement: movement, Bucket: graph.Bucket(from), Starts: []uint32{from}, Lengths: []uint32{to - from}})
		from = to
	}
	for numbers := m.numbers; len(numbers) > 0; {
		bucket := graph.Bucket(numbers[0])
		end := slices.IndexFunc(numbers, func(n uint32) bool { return graph.Bucket(n) != bucket })
		if end < 0 {
			end = len(numbers)
		}
		if end < graph.SmallSet {
			for _, n := range numbers[:end] {
				b.Rows = append(b.Rows, graph.Row{Movement: movement, Number: n})
			}
		} else {
			run := graph.Run{Movement: movement, Bucket: bucket, Starts: numbers[:end], Lengths: make([]uint32, end)}
			for i := range run.Lengths {
				run.Lengths[i] = 1
			}
			b.Runs = append(b.Runs, run)
		}
		numbers = numbers[end:]
	}
}

func (s *scaled) message(b *graph.Batch, i int) {
	m := &s.moves[i]
	n := uint32(i)
	record := schematest.NewSample(i, m.kind).Movement
	record.Inputs, record.Output = nil, m.to
	for _, from := range m.from {
		record.Inputs = append(record.Inputs, schema.Input{Place: from, Fields: record.Fields})
	}
	record.Producer.Org = record.Owner()
	s.sequences[record.Producer.Org] += 2
	record.Producer.Sequence = s.sequences[record.Producer.Org]
	record.Electors = schema.Electors{Mode: schema.Listed, Records: uint64(m.size()), Sets: []schema.Set{{
		IDSpace: schema.ElectorID, KeyID: schematest.KeyID, Keys: uint64(m.size()), Chunks: 1, Digest: fmt.Sprintf("sha256:%064x", i)}}}
	body, err := json.Marshal(record)
	if err != nil {
		panic(err)
	}
	sequence := uint64(2*i + 1)
	p := record.Producer
	b.Movements = append(b.Movements, graph.MovementNumber{Number: n, Org: p.Org, Sidecar: p.Sidecar, ID: record.ID, FirstSequence: sequence})
	b.Revisions = append(b.Revisions, graph.Revision{Movement: n, Record: record, Body: body, BodyHash: sha256.Sum256(body),
		MessageID: fmt.Sprintf("%s/%s/%s/2/%x", p.Org, p.Sidecar, record.ID, sha256.Sum256(body)), StreamSequence: sequence, ReceivedAt: record.RecordedAt})
	b.Chunks = append(b.Chunks, graph.Chunk{Movement: n, Hash: sha256.Sum256(body), Keys: uint32(m.size()), StreamSequence: sequence + 1, ReceivedAt: record.RecordedAt})
	for i, kind := range []string{"movement", "electors"} {
		b.Messages = append(b.Messages, graph.Message{Org: p.Org, Sidecar: p.Sidecar, Instance: p.Instance, Sequence: p.Sequence + uint64(i) - 1, Type: kind,
			Hash: sha256.Sum256(append(body, byte(i))), MessageID: fmt.Sprintf("%s/%s/%s/%d", p.Org, p.Sidecar, record.ID, i), StreamSequence: sequence + uint64(i), ReceivedAt: record.RecordedAt})
	}
	b.Position = graph.Position{Log: "log", Sequence: sequence + 1, LastSequence: sequence + 1, WrittenAt: schematest.Began}
}

// scaledKey is the key of an elector by its number, in SQL: random, but for the order that the keys of a chunk have.
const scaledKey = "bitShiftLeft(toUInt64(number % 65536), 48) + bitShiftRight(sipHash64(toUInt64(number)), 16)"

// write writes the history. Keys, and all whole rolls but the first, are made by ClickHouse: as the same rows that
// the Writer would make it write.
func (s *scaled) write(t testing.TB, c *centre) {
	c.write(&graph.Batch{Spaces: []graph.Space{{Number: 0, IDSpace: schema.ElectorID, KeyID: schematest.KeyID, FirstSequence: 1}}})
	c.exec(fmt.Sprintf("INSERT INTO elector (number, space, key, first_sequence) SELECT toUInt32(number), 0, %s, 1 FROM numbers(%d)", scaledKey, s.electors))
	first := -1
	var copies []uint32
	for start := 0; start < len(s.moves); start += 500 {
		b := &graph.Batch{}
		for i := start; i < min(start+500, len(s.moves)); i++ {
			s.message(b, i)
			if m := &s.moves[i]; m.n == s.electors && first >= 0 {
				copies = append(copies, uint32(i))
			} else {
				m.sets(b, uint32(i))
				if m.n == s.electors {
					first = i
				}
			}
		}
		c.write(b)
	}
	for part := range slices.Chunk(copies, 10) {
		for _, insert := range []string{
			"listed (movement, space, bucket, electors) SELECT arrayJoin(%s) AS movement, s.space, s.bucket, s.electors FROM listed AS s WHERE s.movement = %d",
			"listed_by_elector SELECT bitShiftLeft(toUInt64(s.bucket), 17) AS slot, arrayJoin(%s) AS movement, s.space, s.electors FROM listed AS s WHERE s.movement = %d",
		} {
			c.exec(fmt.Sprintf("INSERT INTO "+insert, sqlArray(part), first))
		}
	}
	for _, table := range []string{"elector", "movement_number", "movement_revision", "chunk", "message", "listed", "listed_by_elector"} {
		c.exec("OPTIMIZE TABLE " + table + " FINAL")
	}
}

func sqlArray(numbers []uint32) string {
	text, _ := json.Marshal(numbers)
	return "arrayMap(n -> toUInt32(n), " + string(text) + ")"
}
