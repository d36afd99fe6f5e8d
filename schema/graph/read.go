package graph

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"iter"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/rolltrace/rolltrace/schema"
)

// A Reader reads back what a consumer needs when it starts. It leaves out every row that a log message
// after the given sequence brought: those will be read, and written, again. It is safe for concurrent use.
type Reader struct{ conn driver.Conn }

// NewReader returns a Reader on conn, whose database is the graph's (see Open and Migrate).
func NewReader(conn driver.Conn) *Reader { return &Reader{conn: conn} }

// ErrCorrupt says that the tables contradict themselves: two keys under one number, or two numbers for
// one key. No consumer writes that; it must not be built upon.
var ErrCorrupt = errors.New("the tables contradict themselves: two log streams were written into one database, or rows were lost; restore it, or migrate an empty database and let the consumer read the log again")

// Positions returns how far each log was read: none for a new database, one as a rule.
func (r *Reader) Positions(ctx context.Context) ([]Position, error) {
	var out []Position
	err := r.each(ctx, "read positions", func(rows driver.Rows) error {
		var p Position
		if err := rows.Scan(&p.Log, &p.Sequence, &p.LastSequence, &p.WrittenAt.Time); err != nil {
			return err
		}
		p.WrittenAt = schema.At(p.WrittenAt.Time)
		out = append(out, p)
		return nil
	}, `SELECT log, max(sequence) AS at, argMax(last_sequence, (sequence, written_at)), argMax(written_at, (sequence, written_at))
		FROM position GROUP BY log ORDER BY log`)
	return out, err
}

// Spaces returns the id spaces that log messages up to the sequence brought, by number.
func (r *Reader) Spaces(ctx context.Context, upTo uint64) ([]Space, error) {
	var out []Space
	err := r.each(ctx, "read id spaces", func(rows driver.Rows) error {
		var s Space
		var idSpace, keyID string
		if err := rows.Scan(&s.Number, &idSpace, &keyID, &s.FirstSequence); err != nil {
			return err
		}
		s.IDSpace, s.KeyID = schema.IDSpace(idSpace), schema.KeyID(keyID)
		if len(out) > 0 && out[len(out)-1].Number == s.Number {
			return ErrCorrupt
		}
		out = append(out, s)
		return nil
	}, `SELECT DISTINCT space, id_space, key_id, first_sequence FROM space WHERE first_sequence <= $1 ORDER BY space, id_space, key_id`, upTo)
	return out, err
}

// An ElectorBlock is electors of one bucket and one space, with the numbers that they have: Keys[i] has
// Numbers[i]. Their order means nothing, and one may be there several times: written twice, and not merged yet.
type ElectorBlock struct {
	Space   uint16
	Numbers []uint32
	Keys    []schema.Key
}

// blockBuckets is how many buckets are asked for at a time: some 13 MB, which is what is held at once.
const blockBuckets = 16

// Electors yields the electors that log messages up to the sequence brought, in order of their buckets. It streams:
// memory does not depend on how many there are. A block is good until the next one. The error, if any, comes last.
func (r *Reader) Electors(ctx context.Context, upTo uint64) iter.Seq2[ElectorBlock, error] {
	return func(yield func(ElectorBlock, error) bool) {
		var count, last uint64
		err := r.each(ctx, "read electors", func(rows driver.Rows) error { return rows.Scan(&count, &last) },
			`SELECT count(), toUInt64(max(number)) FROM elector WHERE first_sequence <= $1`, upTo)
		var block ElectorBlock
		stopped := errors.New("stopped")
		for from := uint64(0); err == nil && count > 0 && from <= last; from += blockBuckets << BucketBits {
			// Arrays travel as strings: clickhouse-go reads an array one boxed element at a time.
			err = r.each(ctx, "read electors", func(rows driver.Rows) error {
				var numbers, keys []byte
				if err := rows.Scan(&block.Space, &count, &numbers, &keys); err != nil {
					return err
				}
				block.fill(int(count), numbers, keys)
				if !yield(block, nil) {
					return stopped
				}
				return nil
			}, `SELECT space, count(), reinterpretAsString(groupArray(number)), reinterpretAsString(groupArray(key))
				FROM elector WHERE intDiv(number, 65536) BETWEEN $2 AND $3 AND first_sequence <= $1
				GROUP BY intDiv(number, 65536), space ORDER BY intDiv(number, 65536), space`,
				upTo, from>>BucketBits, from>>BucketBits+blockBuckets-1)
		}
		if err != nil && !errors.Is(err, stopped) {
			yield(ElectorBlock{}, err)
		}
	}
}

// fill reads n numbers and n keys, little-endian. Zeroes at the end may have been left out.
func (b *ElectorBlock) fill(n int, numbers, keys []byte) {
	numbers = append(numbers, make([]byte, max(4*n-len(numbers), 0))...)
	keys = append(keys, make([]byte, max(8*n-len(keys), 0))...)
	b.Numbers, b.Keys = b.Numbers[:0], b.Keys[:0]
	for i := range n {
		b.Numbers = append(b.Numbers, binary.LittleEndian.Uint32(numbers[4*i:]))
		b.Keys = append(b.Keys, schema.Key(binary.LittleEndian.Uint64(keys[8*i:])))
	}
}

// Movements yields the movement numbers that log messages up to the sequence brought, in number order,
// each once, and then the error, if any.
func (r *Reader) Movements(ctx context.Context, upTo uint64) iter.Seq2[MovementNumber, error] {
	return func(yield func(MovementNumber, error) bool) {
		stopped := errors.New("stopped")
		var last MovementNumber
		first := true
		err := r.each(ctx, "read movement numbers", func(rows driver.Rows) error {
			var m MovementNumber
			if err := rows.Scan(&m.Number, &m.Org, &m.Sidecar, &m.ID, &m.FirstSequence); err != nil {
				return err
			}
			switch {
			case !first && m == last:
				return nil
			case !first && m.Number == last.Number:
				return ErrCorrupt
			}
			first, last = false, m
			if !yield(m, nil) {
				return stopped
			}
			return nil
		}, `SELECT movement, org, sidecar, id, first_sequence FROM movement_number WHERE first_sequence <= $1
			ORDER BY movement, org, sidecar, id`, upTo)
		if err != nil && !errors.Is(err, stopped) {
			yield(MovementNumber{}, err)
		}
	}
}

// each runs a query and hands each row to scan.
func (r *Reader) each(ctx context.Context, doing string, scan func(driver.Rows) error, sql string, args ...any) error {
	return query(ctx, r.conn, doing, scan, sql, args...)
}

func query(ctx context.Context, conn driver.Conn, doing string, scan func(driver.Rows) error, sql string, args ...any) error {
	rows, err := conn.Query(ctx, sql, args...)
	if err != nil {
		return fmt.Errorf("%s: %w", doing, explain(err))
	}
	for rows.Next() {
		if err := scan(rows); err != nil {
			rows.Close()
			return fmt.Errorf("%s: %w", doing, err)
		}
	}
	rows.Close()
	if err := rows.Err(); err != nil {
		return fmt.Errorf("%s: %w", doing, explain(err))
	}
	return nil
}
