package graph

import (
	"context"
	"fmt"
	"slices"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/RoaringBitmap/roaring/v2"
)

// fewRows is how many rows of listed are read as they are. Most sets are small, and have few; and a statement that
// unites them takes ClickHouse longer to plan than these take to be read.
const fewRows = 64

// A listedRow is a row of listed. One of bits and numbers is empty, as a rule; numbers are in order.
type listedRow struct {
	movement      uint32
	space, bucket uint16
	bits          *roaring.Bitmap
	numbers       []uint32
}

// readFew reads listed sets, if they are no more than fewRows rows; ok says whether they are.
func (g *Graph) readFew(ctx context.Context, sets []setRef) (out []listedRow, ok bool, err error) {
	if len(sets) > fewRows || slices.ContainsFunc(sets, func(s setRef) bool { return s.form != listed }) {
		return nil, false, nil
	}
	err = g.ask(ctx, "read the electors of movements", func(rows driver.Rows) error {
		var r listedRow
		var state, text []byte // an array would be read one boxed element at a time
		var count uint64
		if err := rows.Scan(&r.movement, &r.space, &r.bucket, &state, &count, &text); err != nil {
			return err
		}
		var err error
		r.bits, err = decodeBitmap(state)
		r.numbers = sortedNumbers(int(count), text)
		out = append(out, r)
		return err
	}, fmt.Sprintf("SELECT movement, space, bucket, toString(electors), length(numbers), reinterpret(numbers, 'String') FROM listed WHERE %s LIMIT %d",
		listedCondition(sets), fewRows+1))
	return out, err == nil && len(out) <= fewRows, err
}

// countRows says how many electors there are in rows, by space. Seeds are none.
func countRows(rows []listedRow, seeds *roaring.Bitmap) map[uint16]uint64 {
	bits, numbers := map[uint16][]*roaring.Bitmap{}, map[uint16][][]uint32{}
	for _, r := range rows {
		bits[r.space] = append(bits[r.space], r.bits)
		numbers[r.space] = append(numbers[r.space], r.numbers)
	}
	out := map[uint16]uint64{}
	for space := range bits {
		united := roaring.FastOr(bits[space]...)
		united.AndNot(seeds)
		n := united.GetCardinality()
		for _, number := range unite(numbers[space]) {
			if !united.Contains(number) && !seeds.Contains(number) {
				n++
			}
		}
		if n > 0 {
			out[space] = n
		}
	}
	return out
}

// unite is the union of lists that are in order, in order.
func unite(lists [][]uint32) []uint32 {
	switch len(lists) {
	case 0:
		return nil
	case 1:
		return lists[0]
	}
	half := len(lists) / 2
	x, y := unite(lists[:half]), unite(lists[half:])
	out := make([]uint32, 0, len(x)+len(y))
	for len(x) > 0 && len(y) > 0 {
		switch {
		case x[0] < y[0]:
			out, x = append(out, x[0]), x[1:]
		case x[0] > y[0]:
			out, y = append(out, y[0]), y[1:]
		default:
			out, x, y = append(out, x[0]), x[1:], y[1:]
		}
	}
	return append(append(out, x...), y...)
}
