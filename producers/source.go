package producers

import (
	"context"

	"github.com/rolltrace/rolltrace/schema/wire"
)

// A Source is the far end of an outbox: where messages leave it for the hub. One reader at a time.
type Source interface {
	// Read returns the first batch after the position (0: from the oldest), and waits until there is one.
	// It returns only what is durable. Whatever is missing between the position and the batch has been
	// appended to the outbox as a gap, durably, before Read returns. The error is the context's cause, or
	// ErrClosed.
	Read(ctx context.Context, after uint64) (Batch, error)

	// Remove says that the hub has acknowledged everything up to and including the position. The outbox
	// gives it up when it sees fit, and reads on behind it after a restart.
	Remove(ctx context.Context, position uint64) error

	// Depth is what waits for the hub.
	Depth() Depth
}

// A Batch is a run of messages of an outbox, in the order of the chain. Its messages must not be changed.
type Batch struct {
	Position uint64 // of the batch in the outbox; positions grow, and have holes
	Messages []wire.Message
	Bytes    int // about what they take on the way
}

// Depth is what waits in an outbox for the hub.
type Depth struct {
	Messages uint64
	Bytes    uint64 // in the outbox's store
}
