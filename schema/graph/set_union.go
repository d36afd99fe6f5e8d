package graph

import (
	"context"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/RoaringBitmap/roaring/v2"
)

// A unionCount is how many electors are in unions of sets, by space: in those of each place, and in all.
type unionCount struct {
	of  map[uint32]map[uint16]uint64
	all map[uint16]uint64 // when it was asked for
}

// eachAlone, instead of the number of places, asks for no union of all of them.
const eachAlone = 0

// countUnions unites sets of electors: those of each place, and those of all of so many places. Seeds are none. ClickHouse unites the bitmaps, and leaves out what
// lies scattered and is in the bitmaps of its place anyway; what is left of that is counted here, because a bitmap takes
// twenty times as long to take scattered numbers up as they take to be read.
func (g *Graph) countUnions(ctx context.Context, sets []setRef, of []uint32, places int, seeds *roaring.Bitmap) (*unionCount, error) {
	out := &unionCount{of: map[uint32]map[uint16]uint64{}, all: map[uint16]uint64{}}
	if places == 1 {
		if few, ok, err := g.readFew(ctx, sets); err != nil {
			return nil, err
		} else if ok {
			out.all = countRows(few, seeds)
			out.of[0] = out.all
			return out, nil
		}
	}
	bits, numbers := map[uint16]*roaring.Bitmap{}, map[uint16][]uint32{} // of all places, when there are several
	parameters := setParameters(sets)
	if places != 1 {
		movements := make([]uint32, len(sets))
		for i, s := range sets {
			movements[i] = s.movement
		}
		parameters["among"], parameters["of"] = fmt.Sprintf("%x", littleEndian(movements)), fmt.Sprintf("%x", littleEndian(of))
	}
	if !seeds.IsEmpty() {
		parameters["seeds"] = fmt.Sprintf("%x", littleEndian(seeds.ToArray()))
	}
	var seen numberSet
	err := g.ask(clickhouse.Context(ctx, clickhouse.WithParameters(parameters)), "count electors", func(rows driver.Rows) error {
		var place uint32
		var space uint16
		var n, count uint64
		var state, text []byte
		if err := rows.Scan(&place, &space, &n, &state, &count, &text); err != nil {
			return err
		}
		if places > 1 && int(place) == places { // which stands for all of them
			united, err := decodeBitmap(state)
			bits[space] = united
			return err
		}
		scattered := electorSet{numbers: littleEndianNumbers(int(count), text)}.andNot(seeds).numbers
		if n += seen.count(scattered); n == 0 {
			return nil
		}
		if out.of[place] == nil {
			out.of[place] = map[uint16]uint64{}
		}
		out.of[place][space] = n
		switch {
		case places > 1:
			numbers[space] = append(numbers[space], scattered...)
		case places == 1:
			out.all[space] = n
		}
		return nil
	}, countText(sets, places, !seeds.IsEmpty()))
	for space, united := range bits {
		seen = numberSet{words: united.ToDense()}
		if n := united.GetCardinality() + seen.count(numbers[space]); n > 0 {
			out.all[space] = n
		}
	}
	return out, err
}

// fromSets reads sets, of parameters that setParameters made: electors, bucket by bucket, and numbers.
func fromSets(sets []setRef) string {
	isListed := func(s setRef) bool { return s.form == listed }
	var from []string
	if slices.ContainsFunc(sets, isListed) {
		from = append(from, "SELECT movement, space, electors, numbers FROM listed WHERE "+listedCondition(sets))
	}
	if slices.ContainsFunc(sets, func(s setRef) bool { return !isListed(s) }) {
		from = append(from, "SELECT movement, space, electors, []::Array(UInt32) AS numbers FROM derived WHERE "+derivedCondition)
	}
	return strings.Join(from, " UNION ALL ")
}

// countText is the statement for sets of so many places: place by place, and not bucket by bucket, because places are
// many, and a bitmap knows its own.
func countText(sets []setRef, places int, seeded bool) string {
	bits := "groupBitmapMergeState(electors)"
	if seeded {
		bits = "bitmapAndnot(" + bits + ", bitmapBuild(reinterpret(unhex({seeds:String}), 'Array(UInt32)')))"
	}
	place := "toUInt32(0)"
	if places != 1 {
		place = "transform(movement, reinterpret(unhex({among:String}), 'Array(UInt32)'), reinterpret(unhex({of:String}), 'Array(UInt32)'), toUInt32(0))"
	}
	text := fmt.Sprintf(`SELECT %s AS place, space, %s AS bits, groupArrayArray(numbers) AS few FROM (%s) GROUP BY place, space`,
		place, bits, fromSets(sets))
	text = `SELECT place, space, bits, if(bitmapCardinality(bits) = 0, few, arrayFilter(n -> NOT bitmapContains(bits, n), few)) AS rest FROM (` + text + `)`
	state := "''"
	if places > 1 {
		text = fmt.Sprintf(`SELECT at AS place, space, groupBitmapMergeState(b) AS bits, groupArrayArray(r) AS rest FROM
			(SELECT arrayJoin([place, toUInt32(%[1]d)]) AS at, space, bits AS b, if(at = %[1]d, [], rest) AS r FROM (%[2]s)) GROUP BY at, space`, places, text)
		state = fmt.Sprintf("if(place = %d, toString(bits), '')", places)
	}
	return `SELECT place, space, bitmapCardinality(bits), ` + state + `, toUInt64(length(rest)), reinterpret(rest, 'String') FROM (` + text + `)`
}

// littleEndianNumbers reads count numbers. Zeroes at the end may have been left out.
func littleEndianNumbers(count int, text []byte) []uint32 {
	text = append(text, make([]byte, max(4*count-len(text), 0))...)
	numbers := make([]uint32, count)
	for i := range numbers {
		numbers[i] = binary.LittleEndian.Uint32(text[4*i:])
	}
	return numbers
}

// A numberSet has a bit for each number.
type numberSet struct{ words []uint64 }

// count says how many different numbers there are that are not in the set, which it leaves without them.
func (s *numberSet) count(numbers []uint32) uint64 {
	if len(numbers) == 0 {
		return 0
	}
	if need := int(slices.Max(numbers)>>6) + 1; len(s.words) < need {
		s.words = append(s.words, make([]uint64, need-len(s.words))...)
	}
	var n uint64
	fresh := numbers[:0:0]
	for _, number := range numbers {
		if bit := uint64(1) << (number & 63); s.words[number>>6]&bit == 0 {
			s.words[number>>6] |= bit
			n++
			fresh = append(fresh, number)
		}
	}
	for _, number := range fresh {
		s.words[number>>6] &^= 1 << (number & 63)
	}
	return n
}
