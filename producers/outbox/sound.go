package outbox

import (
	"bufio"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// JetStream trusts the lengths and sequences of the records in a block that it has once accepted: one flipped
// bit there, and nats-server 2.15.2 fills its index with holes up to a random sequence until memory ends.
// When it starts without its state files it checks every record, and cuts a block at the first bad one. So
// the state files are removed before each start, and what is read from the disk later is looked at before.

// soundFor is how long a segment that was looked at is read without looking again.
const soundFor = 5 * time.Second

var errUnsound = errors.New("records of the store do not follow each other")

// forgetStates removes the state files of all segments, so that the server checks every record.
func forgetStates(dir string) error {
	files, err := filepath.Glob(filepath.Join(dir, "jetstream", "*", "streams", segmentBegin+"*", "msgs", "index.db"))
	for _, file := range files {
		err = errors.Join(err, os.Remove(file))
	}
	return err
}

// look says whether the records of a segment follow each other up to the sequence. Only the reader calls it.
func (e *engine) look(s *segment, to uint64) error {
	if time.Since(e.looked[s.number]) < soundFor {
		return nil
	}
	blocks, err := filepath.Glob(filepath.Join(e.dir, "jetstream", "*", "streams", segmentBegin+strconv.FormatUint(s.number, 10), "msgs", "*.blk"))
	if err != nil {
		return err
	}
	slices.SortFunc(blocks, func(a, b string) int { return blockNumber(a) - blockNumber(b) })
	for _, block := range blocks {
		last, err := follow(block, to)
		if err != nil || last >= to {
			if err != nil {
				return err
			}
			break
		}
	}
	e.looked[s.number] = time.Now()
	return nil
}

func blockNumber(path string) int {
	n, err := strconv.Atoi(strings.TrimSuffix(filepath.Base(path), ".blk"))
	if err != nil {
		return 0
	}
	return n
}

// A record of a block: length (the highest bit says that there are headers), sequence (the two highest bits
// mark removed ones), time, length of the subject; then subject, headers, message and checksum.
const (
	recordHeader   = 4 + 8 + 8 + 2
	recordChecksum = 8
	recordMarks    = 3 << 62
)

// follow goes from record to record until the sequence, or the end, and returns the last sequence.
func follow(block string, to uint64) (last uint64, err error) {
	file, err := os.Open(block)
	if errors.Is(err, os.ErrNotExist) {
		return 0, nil // lost, and the server knows
	}
	if err != nil {
		return 0, err
	}
	defer file.Close()
	r := bufio.NewReaderSize(file, 64<<10)
	var header [recordHeader]byte
	for {
		if _, err := io.ReadFull(r, header[:]); err == io.EOF {
			return last, nil
		} else if err != nil {
			return last, errUnsound
		}
		length := binary.LittleEndian.Uint32(header[:]) &^ (1 << 31)
		sequence := binary.LittleEndian.Uint64(header[4:]) &^ recordMarks
		subject := binary.LittleEndian.Uint16(header[20:])
		if length < recordHeader+recordChecksum+uint32(subject) || sequence > to || sequence == 0 {
			return last, errUnsound
		}
		if n := int(length) - recordHeader; n > maxPayload+1<<20 {
			return last, errUnsound
		} else if _, err := r.Discard(n); err != nil {
			return last, errUnsound
		}
		if last = max(last, sequence); last >= to {
			return last, nil
		}
	}
}
