package delimited

// A Block is a run of whole records: their identifiers, and the bytes that may go on once these
// identifiers and those of all blocks before it are durable.
type Block struct {
	Rows
	// Release are the bytes that may go on, in order and unchanged: those of the records, or of a compressed
	// stream as many as tell nothing of later records. It can be empty.
	Release [][]byte
	// Attached is the caller's: what it makes of the block. It stays with the block's memory, from one use to the next.
	Attached any

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
