package found

import (
	"bufio"
	"container/heap"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"

	"github.com/rolltrace/rolltrace/schema"
)

// A spill is runs of sorted keys in a temporary file.
type spill struct {
	file *os.File
	runs []int64 // where each ends
}

func newSpill() (*spill, error) {
	file, err := os.CreateTemp("", "rolltrace-found-")
	if err != nil {
		return nil, fmt.Errorf("make room for the keys of the list: %w", err)
	}
	_ = os.Remove(file.Name()) // it goes with the process; where the system keeps open files, close does it
	return &spill{file: file}, nil
}

// add writes a run.
func (s *spill) add(keys []schema.Key) error {
	out := bufio.NewWriterSize(s.file, 1<<20)
	var word [8]byte
	for _, k := range keys {
		binary.LittleEndian.PutUint64(word[:], uint64(k))
		_, _ = out.Write(word[:]) // Flush has the error
	}
	if err := out.Flush(); err != nil {
		return fmt.Errorf("make room for the keys of the list: %w", err)
	}
	end := int64(len(keys)) * 8
	if n := len(s.runs); n > 0 {
		end += s.runs[n-1]
	}
	s.runs = append(s.runs, end)
	return nil
}

// merged yields the keys of all runs, and of more, which are sorted too, in rising order.
func (s *spill) merged(more []schema.Key) iter.Seq2[schema.Key, error] {
	return func(yield func(schema.Key, error) bool) {
		var from int64
		var runs runHeap
		begin := func(next func() (schema.Key, error)) error {
			key, err := next()
			if err == nil {
				runs = append(runs, run{key, next})
			} else if errors.Is(err, io.EOF) {
				err = nil
			}
			return err
		}
		for _, end := range s.runs {
			in := bufio.NewReaderSize(io.NewSectionReader(s.file, from, end-from), 64<<10)
			from = end
			if err := begin(func() (schema.Key, error) {
				var word [8]byte
				_, err := io.ReadFull(in, word[:])
				return schema.Key(binary.LittleEndian.Uint64(word[:])), err
			}); err != nil {
				yield(0, err)
				return
			}
		}
		_ = begin(func() (schema.Key, error) {
			if len(more) == 0 {
				return 0, io.EOF
			}
			key := more[0]
			more = more[1:]
			return key, nil
		})
		heap.Init(&runs)
		for len(runs) > 0 {
			first := &runs[0]
			if !yield(first.key, nil) {
				return
			}
			key, err := first.next()
			switch {
			case err == nil:
				first.key = key
				heap.Fix(&runs, 0)
			case errors.Is(err, io.EOF):
				heap.Pop(&runs)
			default:
				yield(0, err)
				return
			}
		}
	}
}

func (s *spill) close() {
	_ = s.file.Close()
	_ = os.Remove(s.file.Name())
}

// A run is what is left of one.
type run struct {
	key  schema.Key
	next func() (schema.Key, error)
}

type runHeap []run

func (h runHeap) Len() int           { return len(h) }
func (h runHeap) Less(i, j int) bool { return h[i].key < h[j].key }
func (h runHeap) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *runHeap) Push(x any)        { *h = append(*h, x.(run)) }
func (h *runHeap) Pop() any {
	last := (*h)[len(*h)-1]
	*h = (*h)[:len(*h)-1]
	return last
}
