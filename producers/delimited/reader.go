package delimited

import (
	"context"
	"errors"
	"fmt"
	"io"
)

// A Block is a run of whole records: their identifiers, and the bytes that may go on once these
// identifiers and those of all blocks before it are durable.
type Block struct {
	Rows
	// Release are the bytes that may go on, in order and unchanged: those of the records, or of a compressed
	// stream as many as tell nothing of later records. It can be empty.
	Release [][]byte

	slabs []*slab
	home  chan<- *Block
}

// Bytes is how many bytes Release has.
func (b *Block) Bytes() int {
	n := 0
	for _, part := range b.Release {
		n += len(part)
	}
	return n
}

// Free gives the block's memory back to the reader. Nothing of it may be used afterwards.
func (b *Block) Free() {
	for _, s := range b.slabs {
		s.release()
	}
	clear(b.slabs)
	clear(b.Release)
	b.slabs, b.Release = b.slabs[:0], b.Release[:0]
	b.Rows.Reset()
	select {
	case b.home <- b:
	default:
	}
}

func (b *Block) hold(s *slab) {
	if n := len(b.slabs); n > 0 && b.slabs[n-1] == s {
		return
	}
	s.hold()
	b.slabs = append(b.slabs, s)
}

func (b *Block) empty() bool { return b.Records == 0 && len(b.slabs) == 0 }

// Options are a Reader's measures. The zero value of each is its default.
type Options struct {
	// BlockBytes is how long a block's records can be, uncompressed, unless one record is longer. Defaults to
	// 4 MiB.
	BlockBytes int
	// BlockRecords is how many records a block can have. Defaults to 65,536: as many keys as a chunk.
	BlockRecords int
	// Blocks is how many blocks there can be at once: in the hands of the caller, and being filled. No more is
	// read before one is freed. Defaults to 4; at least 2.
	Blocks int
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
}

// headroom is the most room before a slab's head, in bytes: records that two slabs divide are mostly shorter.
const headroom = 64 << 10

// maxRead bounds one read, in bytes, so that the scanner follows closely behind, while the bytes are still in
// the processor's cache.
const maxRead = 256 << 10

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
// The channel has no buffer on purpose: while nobody receives, the block grows up to its limits, and when
// somebody does, it is handed over as it is. So a slow stream is passed on without waiting for a full block,
// and a fast one in large blocks.
func (r *Reader) Blocks() <-chan *Block { return r.blocks }

// Run reads to the end of the stream. Its error is a *SyntaxError, a *ColumnError, one of reading or of the
// compression, or the context's; the blocks before it have been handed out (but for the context's). After an
// error a read that is going on ends in the background.
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
	arrivals := make(chan arrival, 16)
	filled := make(chan struct{})
	go func() {
		defer close(filled)
		r.fill(ctx, arrivals)
	}()
	if err := r.scan(ctx, arrivals); err != nil {
		return err // the source may be in a read, which nothing can end
	}
	<-filled
	return nil
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
		r.source = r.compressed
	}
	return err
}

// fill reads the source into slabs, until its end.
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
		s.refs.Store(2) // the scanner's and this one
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

// scan finds the records in what arrives, and hands them out.
func (r *Reader) scan(ctx context.Context, arrivals <-chan arrival) error {
	var w window
	block := r.newBlock()
	handOut := func() error {
		if block.empty() {
			return nil
		}
		select {
		case r.blocks <- block:
			block = r.newBlock()
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	for {
		// What is complete goes as soon as somebody takes it; until then more can be added to it.
		var out chan<- *Block
		if !block.empty() {
			out = r.blocks
		}
		var a arrival
		select {
		case out <- block:
			block = r.newBlock()
			continue
		case a = <-arrivals:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		if a.slab != w.source {
			if err := handOut(); err != nil {
				return err
			}
		}
		w.add(a)
		final := errors.Is(a.err, io.EOF)
		for full := true; full; {
			n, err := r.scanner.Scan(w.bytes(), final, &block.Rows)
			r.take(block, &w, n, final && err == nil)
			if full = block.Records == block.Limit; full || final || err != nil || a.err != nil {
				if handErr := handOut(); handErr != nil {
					return handErr
				}
			}
			if err != nil {
				return err
			}
		}
		switch {
		case final:
			return nil
		case a.err != nil:
			return fmt.Errorf("read input: %w", a.err)
		}
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
