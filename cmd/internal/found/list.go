package found

import (
	"context"
	"fmt"
	"io"
	"iter"
	"slices"

	"github.com/rolltrace/rolltrace/producers/delimited"
	"github.com/rolltrace/rolltrace/producers/pseudonym"
	"github.com/rolltrace/rolltrace/schema"
)

// roomForKeys is how many keys are in memory at once: 32 MiB.
const roomForKeys = 4 << 20

// A List is the elector keys of a found list.
type List struct {
	Records uint64 // rows
	Unkeyed uint64 // of these, rows without an identifier

	keys  []schema.Key // not in a run yet
	room  int          // how many there can be
	spill *spill       // nil while all keys are in memory
}

// Read reads a list (CSV, TSV; plain, gzip or zstd) that has one id column. The list is to be closed. Its errors are those
// of delimited.Reader, or of the temporary file.
func Read(ctx context.Context, in io.Reader, config delimited.Config, keys *pseudonym.Pseudonymiser) (*List, error) {
	return read(ctx, in, config, keys, roomForKeys)
}

func read(ctx context.Context, in io.Reader, config delimited.Config, keys *pseudonym.Pseudonymiser, room int) (*List, error) {
	reader, err := delimited.NewReader(in, config, delimited.Options{})
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	ran := make(chan error, 1)
	go func() { ran <- reader.Run(ctx) }()
	l := &List{room: room}
	var ids [256][]byte
	for block := range reader.Blocks() {
		records, keyed := uint64(block.Records), uint64(0)
		for n, from := block.Read(ids[:], 0, 0), 0; n > 0; n = block.Read(ids[:], 0, from) {
			before := len(l.keys)
			l.keys = keys.Keys(l.keys, ids[:n])
			keyed += uint64(len(l.keys) - before)
			from += n
		}
		block.Free()
		l.Records += records
		l.Unkeyed += records - keyed
		if len(l.keys) >= l.room {
			if err := l.makeRoom(); err != nil {
				cancel(err) // and Run ends, with it
			}
		}
	}
	if err := <-ran; err != nil {
		l.Close()
		return nil, err
	}
	return l, nil
}

// makeRoom sorts what is in memory, and puts it into the file unless most of it was there several times.
func (l *List) makeRoom() error {
	l.sort()
	if len(l.keys) < l.room/2 {
		return nil
	}
	if l.spill == nil {
		var err error
		if l.spill, err = newSpill(); err != nil {
			return err
		}
	}
	if err := l.spill.add(l.keys); err != nil {
		return err
	}
	l.keys = l.keys[:0]
	return nil
}

func (l *List) sort() {
	slices.Sort(l.keys)
	l.keys = slices.Compact(l.keys)
}

// Batches yields the keys in rising order, each once, size at a time, and then the error, if any. A batch is good until
// the next one.
func (l *List) Batches(size int) iter.Seq2[[]schema.Key, error] {
	l.sort()
	return func(yield func([]schema.Key, error) bool) {
		if l.spill == nil {
			for batch := range slices.Chunk(l.keys, size) {
				if !yield(batch, nil) {
					return
				}
			}
			return
		}
		batch := make([]schema.Key, 0, size)
		for key, err := range l.spill.merged(l.keys) {
			if err != nil {
				yield(nil, fmt.Errorf("read the keys of the list back: %w", err))
				return
			}
			if len(batch) > 0 && batch[len(batch)-1] == key {
				continue
			}
			if len(batch) == size {
				last := batch[size-1]
				if !yield(batch, nil) {
					return
				}
				batch = batch[:0]
				if key == last {
					continue
				}
			}
			batch = append(batch, key)
		}
		if len(batch) > 0 {
			yield(batch, nil)
		}
	}
}

// Close removes what the list has on disk.
func (l *List) Close() {
	if l.spill != nil {
		l.spill.close()
	}
}
