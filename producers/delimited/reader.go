package delimited

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"
)

// Options are a Reader's measures. The zero value of each is its default.
type Options struct {
	// BlockBytes is how long a block's records can be, uncompressed, unless one record is longer. Defaults to 4 MiB.
	BlockBytes int
	// BlockRecords is how many records a block can have. Defaults to 65,536: as many keys as a chunk.
	BlockRecords int
	// Blocks is how many blocks there can be at once: in the hands of the caller, and being filled. No more is
	// read before one is freed. Defaults to 4; at least 2.
	Blocks int
	// Plain refuses a stream that is compressed, for whoever is going to change it.
	Plain bool
}

// A Reader runs a Scanner over a stream and hands out Blocks. A compressed stream (gzip with any number of
// members, zstd with any number of frames) is recognised by its first bytes and read inside, while its bytes
// are handed out as they are.
type Reader struct {
	source  io.Reader
	scanner *Scanner
	options Options
	blocks  chan *Block
	free    chan *slab
	idle    chan *Block

	compressed *compressed // nil when the stream is not
	scanned    int64       // bytes of complete records, uncompressed
	window     window
	block      *Block // that fills
}

const (
	// headroom is the most room before a slab's head, in bytes: records that two slabs divide are mostly shorter.
	headroom = 64 << 10
	// maxRead bounds one read, in bytes, so that what was read is scanned while it is in the processor's cache.
	maxRead = 256 << 10
	// lull is how long nothing has to arrive before a block is handed out that could grow.
	lull = 2 * time.Millisecond
)

// NewReader returns a Reader of source, or an error that says what is wrong with the configuration. It does
// not read before Run.
func NewReader(source io.Reader, config Config, options Options) (*Reader, error) {
	scanner, err := NewScanner(config)
	if err != nil {
		return nil, err
	}
	if options.BlockBytes <= 0 {
		options.BlockBytes = 4 << 20
	}
	if options.BlockRecords <= 0 {
		options.BlockRecords = 65_536
	}
	if options.Blocks <= 0 {
		options.Blocks = 4
	}
	options.Blocks = max(options.Blocks, 2)
	return &Reader{
		source: source, scanner: scanner, options: options,
		blocks: make(chan *Block),
		free:   make(chan *slab, options.Blocks),
		idle:   make(chan *Block, options.Blocks),
	}, nil
}

// Blocks is where Run hands out the blocks, in order. It is closed when Run ends. The caller frees each.
//
// The channel has no buffer on purpose. A block grows up to its limits while more arrives; when the stream
// pauses, it is handed over as it is. So a slow stream is passed on at once, and a fast one in large blocks.
func (r *Reader) Blocks() <-chan *Block { return r.blocks }

// Run reads to the end of the stream. Its error is a *SyntaxError, a *ColumnError, one of reading or of the
// compression, or the context's; the blocks before it have been handed out (but for the context's). When it returns before
// the end, a read that is going on ends in the background.
func (r *Reader) Run(ctx context.Context) error {
	defer close(r.blocks)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	// Reading the first bytes can take as long as any read.
	opened := make(chan error, 1)
	go func() { opened <- r.open() }()
	select {
	case err := <-opened:
		if err != nil {
			return err
		}
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	size := r.options.BlockBytes
	for range r.options.Blocks {
		head := min(headroom, size)
		r.free <- &slab{data: make([]byte, head+size), head: head, free: r.free}
	}
	r.block = r.newBlock()
	arrivals := make(chan arrival, 4)
	filled := make(chan struct{})
	go func() {
		defer close(filled)
		r.fill(ctx, arrivals)
	}()
	pause := time.NewTimer(lull)
	defer pause.Stop()
	for {
		a, err := r.next(ctx, arrivals, pause)
		if err != nil {
			return err
		}
		ended, err := r.scan(ctx, a)
		if err != nil {
			return err
		}
		if ended {
			<-filled
			return nil
		}
	}
}

// next waits for the next arrival. What is complete goes meanwhile, if there is a lull and somebody takes it.
func (r *Reader) next(ctx context.Context, arrivals <-chan arrival, pause *time.Timer) (arrival, error) {
	pause.Reset(lull)
	var out chan<- *Block
	for {
		select {
		case a := <-arrivals:
			return a, nil
		case <-pause.C:
			if !r.block.empty() {
				out = r.blocks
			}
		case out <- r.block:
			r.block, out = r.newBlock(), nil
		case <-ctx.Done():
			return arrival{}, context.Cause(ctx)
		}
	}
}

// fill reads the stream into slabs, until its end.
func (r *Reader) fill(ctx context.Context, arrivals chan<- arrival) {
	if r.compressed != nil {
		defer r.compressed.close()
	}
	for idle := 0; ; {
		var s *slab
		select {
		case s = <-r.free:
		case <-ctx.Done():
			return
		}
		s.refs.Store(2) // the window's and this one
		for end := s.head; end < len(s.data); {
			n, err := r.source.Read(s.data[end:min(len(s.data), end+maxRead)])
			if idle++; n > 0 {
				idle = 0
			}
			if end += n; n == 0 && err == nil {
				if idle < 100 {
					continue
				}
				err = io.ErrNoProgress
			}
			select {
			case arrivals <- arrival{s, end, err}:
			case <-ctx.Done():
				return
			}
			if err != nil {
				return
			}
		}
		s.release()
	}
}

// open finds out whether the stream is compressed.
func (r *Reader) open() error {
	first, err := readMagic(r.source)
	if err != nil {
		return fmt.Errorf("read input: %w", err)
	}
	r.source = &prefixed{first: first, rest: r.source}
	r.compressed, err = decompress(first, r.source)
	if r.compressed != nil {
		if r.options.Plain {
			r.compressed.close()
			return errors.New("the list is compressed: give it as plain text")
		}
		r.source = r.compressed
	}
	return err
}

// scan finds the records in what arrived. It says whether that was the end.
func (r *Reader) scan(ctx context.Context, a arrival) (ended bool, err error) {
	w := &r.window
	if a.slab != w.source || w.slab != w.source { // the window is about to move
		if err := r.handOut(ctx); err != nil {
			return true, err
		}
	}
	w.add(a)
	final := errors.Is(a.err, io.EOF)
	for full := true; full; {
		full, err = r.grow(w, final)
		if full || err != nil || a.err != nil {
			if handErr := r.handOut(ctx); handErr != nil {
				return true, handErr
			}
		}
		if err != nil {
			return true, err
		}
	}
	switch {
	case final:
		return true, nil
	case a.err != nil:
		return true, fmt.Errorf("read input: %w", a.err)
	}
	return false, nil
}

// grow adds records to the block, up to its limit. It says whether that is reached.
func (r *Reader) grow(w *window, final bool) (full bool, err error) {
	n, err := r.scanner.Scan(w.bytes(), final, &r.block.Rows)
	r.take(r.block, w, n, final && err == nil)
	return r.block.Records == r.block.Limit, err
}

// handOut hands out the block that fills, if there is anything in it, when somebody takes it.
func (r *Reader) handOut(ctx context.Context) error {
	if r.block.empty() {
		return nil
	}
	select {
	case r.blocks <- r.block:
		r.block = r.newBlock()
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// take adds the next n bytes of the window to the block: complete records.
func (r *Reader) take(block *Block, w *window, n int, whole bool) {
	from := w.start
	w.start += n
	r.scanned += int64(n)
	if r.compressed != nil {
		if n > 0 {
			block.hold(w.slab)
		}
		r.compressed.release(block, r.scanned, whole && w.start == w.end)
		return
	}
	if n == 0 {
		return
	}
	if last := len(block.Release) - 1; last >= 0 && len(block.slabs) > 0 && block.slabs[len(block.slabs)-1] == w.slab {
		before := block.Release[last]
		block.Release[last] = w.slab.data[from-len(before) : w.start : w.start]
	} else {
		block.Release = append(block.Release, w.slab.data[from:w.start:w.start])
	}
	block.hold(w.slab)
}

func (r *Reader) newBlock() *Block {
	select {
	case b := <-r.idle:
		return b
	default:
		b := &Block{home: r.idle}
		b.Limit = r.options.BlockRecords
		return b
	}
}
