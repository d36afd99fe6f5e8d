package graph

import (
	"encoding/binary"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/rolltrace/rolltrace/schema"
)

func spaces(items []Space) insert {
	return insert{"space", "space, id_space, key_id, first_sequence", len(items), each(items, func(s Space) []any {
		return []any{s.Number, string(s.IDSpace), string(s.KeyID), s.FirstSequence}
	})}
}

func electors(items []Elector) insert {
	return insert{"elector", "number, space, key, first_sequence", len(items), func(block driver.Batch, from, to int) error {
		items := items[from:to]
		return all(
			func() error { return column(block, 0, items, func(e Elector) uint32 { return e.Number }) },
			func() error { return column(block, 1, items, func(e Elector) uint16 { return e.Space }) },
			func() error { return column(block, 2, items, func(e Elector) uint64 { return uint64(e.Key) }) },
			func() error { return column(block, 3, items, func(e Elector) uint64 { return e.FirstSequence }) },
		)
	}}
}

func seeds(items []Seed) insert {
	return insert{"seed", "number, movement, none", len(items), each(items, func(s Seed) []any {
		return []any{s.Number, s.Movement, flag(s.Role == schema.NoSeeds)}
	})}
}

func rows(items []Row) insert {
	return insert{"ingest_row", "movement, space, number", len(items), func(block driver.Batch, from, to int) error {
		items := items[from:to]
		return all(
			func() error { return column(block, 0, items, func(r Row) uint32 { return r.Movement }) },
			func() error { return column(block, 1, items, func(r Row) uint16 { return r.Space }) },
			func() error { return column(block, 2, items, func(r Row) uint32 { return r.Number }) },
		)
	}}
}

// maxRunNumbers bounds the electors of one INSERT of runs: the materialised views spell the runs out, so
// that ClickHouse needs some 16 bytes for each.
const maxRunNumbers = 8 << 20

// runs returns the inserts for the runs: as many as maxRunNumbers asks for.
func runs(items []Run) []insert {
	var inserts []insert
	var numbers uint64
	start := 0
	for i, run := range items {
		var n uint64
		for _, length := range run.Lengths {
			n += uint64(length)
		}
		if numbers += n; numbers > maxRunNumbers && i > start {
			inserts = append(inserts, runsInsert(items[start:i]))
			start, numbers = i, n
		}
	}
	return append(inserts, runsInsert(items[start:]))
}

// runsInsert sends the runs as strings of little-endian numbers: clickhouse-go appends to an array one
// boxed element at a time.
func runsInsert(items []Run) insert {
	return insert{"ingest", "movement, space, bucket, starts, lengths", len(items), func(block driver.Batch, from, to int) error {
		items := items[from:to]
		return all(
			func() error { return column(block, 0, items, func(r Run) uint32 { return r.Movement }) },
			func() error { return column(block, 1, items, func(r Run) uint16 { return r.Space }) },
			func() error { return column(block, 2, items, func(r Run) uint16 { return r.Bucket }) },
			func() error { return column(block, 3, items, func(r Run) []byte { return littleEndian(r.Starts) }) },
			func() error { return column(block, 4, items, func(r Run) []byte { return littleEndian(r.Lengths) }) },
		)
	}}
}

func littleEndian(numbers []uint32) []byte {
	out := make([]byte, 0, 4*len(numbers))
	for _, n := range numbers {
		out = binary.LittleEndian.AppendUint32(out, n)
	}
	return out
}

func chunks(items []Chunk) insert {
	return insert{"chunk", "movement, `set`, chunk, hash, space, keys, stream_sequence, received_at", len(items),
		each(items, func(c Chunk) []any {
			return []any{c.Movement, c.Set, c.Index, c.Hash[:], c.Space, c.Keys, c.StreamSequence, moment(c.ReceivedAt)}
		})}
}
