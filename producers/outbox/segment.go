package outbox

import (
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/nats-io/nats.go/jetstream"
)

const (
	segmentBegin = "OUTBOX_"
	minSegment   = 256 << 10
	maxSegment   = 64 << 20
)

// segmentBytes is the size of a segment: an outbox has some dozens of them, a huge one a thousand. In smaller
// ones the server keeps more in memory: a block of each that was written in the last ten seconds.
func segmentBytes(maxBytes int64) int64 {
	return max(minSegment, min(maxBytes/16, maxSegment), maxBytes/1024)
}

func segmentSubject(number uint64) string { return "frame." + strconv.FormatUint(number, 10) }

func segmentNumber(stream string) (uint64, bool) {
	digits, ok := strings.CutPrefix(stream, segmentBegin)
	if !ok {
		return 0, false
	}
	number, err := strconv.ParseUint(digits, 10, 32)
	return number, err == nil && number > 0
}

// A position is where a frame is in the store: the number of its segment, and its sequence there. Positions
// grow, and none is used again for a frame that somebody may have read.
type position uint64

func at(segment, sequence uint64) position { return position(segment<<32 | sequence) }

func (p position) segment() uint64  { return uint64(p) >> 32 }
func (p position) sequence() uint64 { return uint64(p) & (1<<32 - 1) }

// A segment is one stream of the store. The store is a row of them: frames are written into the newest, and
// the oldest is deleted as a whole when the hub has acknowledged all of it.
type segment struct {
	number uint64
	stream jetstream.Stream
	first  uint64 // sequence, when the engine started
	last   uint64 // sequence
	bytes  int64
}

func (s *segment) end() position { return at(s.number, s.last) }

// segments are the segments of a store, oldest first. The committer changes them while the reader reads.
type segments struct {
	mu  sync.Mutex
	row []*segment
}

func (s *segments) set(row []*segment) {
	slices.SortFunc(row, func(a, b *segment) int { return int(int64(a.number) - int64(b.number)) })
	s.mu.Lock()
	defer s.mu.Unlock()
	s.row = row
}

// all is a copy that the committer does not change.
func (s *segments) all() []*segment {
	s.mu.Lock()
	defer s.mu.Unlock()
	row := make([]*segment, len(s.row))
	for i, one := range s.row {
		c := *one
		row[i] = &c
	}
	return row
}

func (s *segments) oldest() *segment {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.row) == 0 {
		return nil
	}
	return s.row[0]
}

func (s *segments) newest() *segment {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.row) == 0 {
		return nil
	}
	return s.row[len(s.row)-1]
}

func (s *segments) add(one *segment) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.row = append(s.row, one)
}

func (s *segments) remove(one *segment) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.row = slices.DeleteFunc(s.row, func(o *segment) bool { return o.number == one.number })
}

// wrote takes note of a frame in the newest segment.
func (s *segments) wrote(sequence uint64, bytes int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	newest := s.row[len(s.row)-1]
	newest.last = sequence
	newest.bytes += bytes
}

func (s *segments) bytes() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	var sum int64
	for _, one := range s.row {
		sum += one.bytes
	}
	return sum
}
