package main

import (
	"bytes"
	"context"
	crand "crypto/rand"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"slices"

	"github.com/rolltrace/rolltrace/producers/delimited"
	"github.com/rolltrace/rolltrace/producers/pseudonym"
	"github.com/rolltrace/rolltrace/schema"
)

const (
	// maxSeeds bounds --seeds: more would stand out, and spoil the list.
	maxSeeds = 1000
	// fewestDonors is how many records there have to be to make a seed of: fewer would show whose values they are.
	fewestDonors = 10
	// neighbours is how many records before and behind a seed its values are taken from: lists go by place, and a seed is
	// to fit in.
	neighbours = 40
	// room is by how much there have to be more identifiers of the list's pattern than records: then one that was invented is
	// hardly anybody's.
	roomForIDs = 1000
	// seedTries bounds how often an identifier is invented anew that the list has.
	seedTries = 1000
)

// A seeder invents records, and puts them between those of a list that flows by. Its memory is bounded: a filter of the keys
// seen, some records, and the block that waits for the one after it.
type seeder struct {
	want    int
	spaces  []schema.IDSpace
	columns []*pseudonym.Pseudonymiser // of the id columns, its own
	size    int64                      // bytes of the list; 0: not known
	random  *rand.Rand

	layout  *delimited.Layout
	begun   bool // the first row of the stream is behind
	bytes   int64
	records int
	made    int
	seen    []keyFilter           // for each id column
	ours    []map[schema.Key]bool // seeds, for each id column
	sample  []donor               // records of the blocks before
}

// A donor is the fields of a record, as they are written.
type donor [][]byte

func newSeeder(want int, secret pseudonym.Secret, sets []schema.Set, in io.Reader) *seeder {
	var seed [32]byte
	_, _ = crand.Read(seed[:]) // ends the process rather than give weak bytes
	s := &seeder{want: want, random: rand.New(rand.NewChaCha8(seed)), size: sizeOf(in)}
	for _, set := range sets {
		s.spaces = append(s.spaces, set.IDSpace)
		s.columns = append(s.columns, secret.Space(set.IDSpace))
		s.seen = append(s.seen, make(keyFilter, filterWords))
		s.ours = append(s.ours, map[schema.Key]bool{})
	}
	return s
}

// sizeOf is how many bytes are still to come, if that is known.
func sizeOf(in io.Reader) int64 {
	file, ok := in.(*os.File)
	if !ok {
		return 0
	}
	info, err := file.Stat()
	if err != nil || !info.Mode().IsRegular() {
		return 0
	}
	at, err := file.Seek(0, io.SeekCurrent)
	if err != nil {
		return 0
	}
	return max(info.Size()-at, 0)
}

// seed puts seeds between the records of the blocks. It holds each block back until the next has come: what is left to be
// put in goes into the last one.
func (f *flow) seed(ctx context.Context, blocks <-chan *delimited.Block, next chan<- *delimited.Block) error {
	var held *delimited.Block
	put := func(block *delimited.Block, last bool) error {
		if err := f.seeder.plant(block, last); err != nil {
			return err
		}
		select {
		case next <- block:
		case <-ctx.Done():
		}
		return nil
	}
	for block := range blocks {
		if f.seeder.layout == nil {
			f.seeder.layout = f.reader.Layout()
		}
		f.seeder.look(block)
		if held != nil {
			if err := put(held, false); err != nil {
				return err
			}
		}
		held = block
	}
	if held == nil || ctx.Err() != nil { // nothing came, or a fault that the reader tells
		return nil
	}
	return put(held, true)
}

// look notes the keys of a block, and finds those that were invented before: they turn out to be somebody's.
func (s *seeder) look(block *delimited.Block) {
	keys := block.Attached.(*blockKeys)
	for i, of := range keys.of {
		for _, key := range of {
			s.seen[i].add(key)
			if len(s.ours[i]) > 0 && s.ours[i][key] {
				keys.none[i] = append(keys.none[i], key)
			}
		}
	}
}

// plant puts into a block what is due by then: in the end, everything.
func (s *seeder) plant(block *delimited.Block, last bool) error {
	s.bytes += int64(block.Bytes())
	s.records += block.Records
	due := s.due(last) - s.made
	if due == 0 && s.begun && len(s.sample) >= neighbours {
		return nil
	}
	var rows [][]byte
	var starts []int // of the parts, in rows
	for _, part := range block.Release {
		starts = append(starts, len(rows))
		rows = s.layout.Rows(rows, part)
	}
	first := 0 // a header, or else a record before which nothing is put
	if !s.begun && len(rows) > 0 {
		s.begun, first = true, 1
	}
	if len(rows) > first {
		s.keepSample(rows[first:])
	}
	if due > len(rows)-first && !last {
		due = len(rows) - first
	}
	if due <= 0 {
		return nil
	}
	if len(rows) == first || len(s.sample) < fewestDonors && len(rows)-first < fewestDonors {
		if last {
			return fmt.Errorf("--seeds: the list is too short to hide any: want %d records at least", fewestDonors)
		}
		return nil
	}
	before := make([]int, due) // which rows they are put before
	for i := range before {
		before[i] = first + s.random.IntN(len(rows)-first)
	}
	slices.Sort(before)
	seeds := make([][]byte, due)
	for i, at := range before {
		var err error
		if seeds[i], err = s.invent(rows[first:], at-first, block.Attached.(*blockKeys)); err != nil {
			return err
		}
	}
	s.made += due
	block.Release = between(block.Release, rows, starts, before, seeds)
	return nil
}

// due is how many seeds there should be by now: as large a part of them as of the list. Of a list whose size is not
// known, half of what is left each time that it becomes four times as long.
func (s *seeder) due(last bool) int {
	if last {
		return s.want
	}
	part := 1 - math.Sqrt(seedStretch/(seedStretch+float64(s.bytes)))
	if s.size > 0 {
		part = float64(s.bytes) / float64(s.size)
	}
	return min(int(part*float64(s.want)), s.want)
}

// seedStretch is, in bytes, what part of a list of unknown size is a beginning.
const seedStretch = 4 << 20

// between puts seeds before rows. Bytes of the list stay where they are: only the parts change.
func between(parts [][]byte, rows [][]byte, starts, before []int, seeds [][]byte) [][]byte {
	var out [][]byte
	next := 0
	for p, part := range parts {
		end := len(rows)
		if p+1 < len(parts) {
			end = starts[p+1]
		}
		from, at := 0, 0 // of the part, in bytes
		for row := starts[p]; row < end; row++ {
			for ; next < len(before) && before[next] == row; next++ {
				out = append(out, part[from:at:at], seeds[next])
				from = at
			}
			at += len(rows[row])
		}
		out = append(out, part[from:])
	}
	return slices.DeleteFunc(out, func(part []byte) bool { return len(part) == 0 })
}

// keepSample keeps some records for blocks that have too few of their own.
func (s *seeder) keepSample(rows [][]byte) {
	for len(s.sample) < 2*neighbours && len(rows) > 0 {
		at := s.random.IntN(len(rows))
		fields, _ := s.layout.Fields(nil, bytes.Clone(rows[at]))
		s.sample = append(s.sample, fields)
		rows = rows[at+1:]
	}
}

// invent makes a record that looks like its neighbours: identifiers in their pattern that the list did not have so far,
// every other field from another one of them.
func (s *seeder) invent(rows [][]byte, at int, keys *blockKeys) ([]byte, error) {
	like, end := s.layout.Fields(nil, rows[at])
	if len(end) == 0 { // the last line of the list
		end = []byte("\n")
		if len(rows) > 1 {
			_, end = s.layout.Fields(nil, rows[0])
		}
	}
	donors := s.donors(rows, at, len(like))
	if len(donors) < fewestDonors {
		return nil, fmt.Errorf("--seeds: too few records of %d fields to make any of: want %d", len(like), fewestDonors)
	}
	s.random.Shuffle(len(donors), func(i, j int) { donors[i], donors[j] = donors[j], donors[i] })
	fields := make([][]byte, len(like))
	for c := range fields {
		fields[c] = donors[c%len(donors)][c]
	}
	for i, c := range s.layout.Columns() {
		if c >= len(fields) {
			return nil, errors.New("--seeds: a record without the id column has no room for an identifier")
		}
		id, key, err := s.identifier(i, c, donors)
		if err != nil {
			return nil, err
		}
		fields[c] = id
		s.seen[i].add(key)
		s.ours[i][key] = true
		keys.seeds[i] = append(keys.seeds[i], key)
	}
	return append(bytes.Join(fields, []byte{s.layout.Delimiter()}), end...), nil
}

// donors are the records around one, and, if they are few, those of the sample, with as many fields.
func (s *seeder) donors(rows [][]byte, at, width int) []donor {
	var out []donor
	for _, row := range rows[max(at-neighbours, 0):min(at+neighbours, len(rows))] {
		if fields, _ := s.layout.Fields(nil, row); len(fields) == width {
			out = append(out, fields)
		}
	}
	for _, d := range s.sample {
		if len(out) < 2*fewestDonors && len(d) == width {
			out = append(out, d)
		}
	}
	return out
}

// identifier invents an identifier for an id column.
func (s *seeder) identifier(i, column int, donors []donor) (written []byte, key schema.Key, err error) {
	var ids [][]byte
	for _, d := range donors {
		if len(d[column]) > 0 {
			ids = append(ids, d[column])
		}
	}
	if len(ids) == 0 {
		return nil, 0, errors.New("--seeds: no identifiers to invent one like")
	}
	for range seedTries {
		var possible float64
		if s.spaces[i] == "email" {
			written, possible = s.address(ids)
		} else {
			written, possible = s.alike(ids)
		}
		if possible < roomForIDs*float64(s.records) {
			continue // of another length, perhaps
		}
		key, ok := s.columns[i].Key(bytes.Trim(written, `"`))
		if ok && !s.seen[i].has(key) {
			return written, key, nil
		}
	}
	return nil, 0, fmt.Errorf("--seeds: the identifiers leave no room to invent any: want at least %d times as many in their pattern as there are records", roomForIDs)
}

// alike is an identifier like others of one length: at each place a character that one of them has there. It says how many
// there can be.
func (s *seeder) alike(ids [][]byte) (written []byte, possible float64) {
	like := ids[s.random.IntN(len(ids))]
	written, possible = bytes.Clone(like), 1
	for at, c := range like {
		if !letterOrDigit(c) {
			continue
		}
		var choice []byte
		for _, id := range ids {
			if len(id) == len(like) && letterOrDigit(id[at]) && !slices.Contains(choice, id[at]) {
				choice = append(choice, id[at])
			}
		}
		written[at] = choice[s.random.IntN(len(choice))]
		possible *= float64(len(choice))
	}
	return written, possible
}

// address is an e-mail address like others: of one the name and a number, of another the rest.
func (s *seeder) address(ids [][]byte) (written []byte, possible float64) {
	name, _, ok := bytes.Cut(ids[s.random.IntN(len(ids))], []byte("@"))
	_, domain, also := bytes.Cut(ids[s.random.IntN(len(ids))], []byte("@"))
	if !ok || !also {
		return ids[0], 0
	}
	return fmt.Appendf(nil, "%s%d@%s", bytes.TrimRight(name, "0123456789"), 10+s.random.IntN(990), domain), math.Inf(1)
}

func letterOrDigit(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}

// A keyFilter says of a key that was added that it has it, and seldom of another.
type keyFilter []uint64

// filterBits is how many bits of a key it looks at: 8 MiB, of which the keys of a national roll fill a third.
const (
	filterBits  = 26
	filterWords = 1 << (filterBits - 6)
)

func (f keyFilter) add(key schema.Key) {
	at := key >> (64 - filterBits)
	f[at/64] |= 1 << (at % 64)
}

func (f keyFilter) has(key schema.Key) bool {
	at := key >> (64 - filterBits)
	return f[at/64]&(1<<(at%64)) != 0
}
