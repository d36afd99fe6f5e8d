package producers

import (
	"context"
	"errors"

	"github.com/rolltrace/rolltrace/schema"
	"github.com/rolltrace/rolltrace/schema/wire"
)

// What an Outbox can answer, for callers that branch on it. Compare with errors.Is.
var (
	// ErrFull: there was no room, on the disk or within the outbox's limit, for as long as the outbox is
	// told to wait. Nothing was recorded, so nothing may go on.
	ErrFull = errors.New("outbox full")
	// ErrBroken: the outbox could not write, or could not be reached, for as long as it is told to wait,
	// for another reason than room. It is not known whether the drafts were recorded.
	ErrBroken = errors.New("outbox out of order")
	// ErrLocked: another process holds the outbox.
	ErrLocked = errors.New("outbox held by another process")
	// ErrClosed: the outbox was closed before the drafts were durable.
	ErrClosed = errors.New("outbox closed")
)

// An Outbox is a durable, ordered queue of messages on this machine, and the one that gives them their
// place in the chain. It is safe for concurrent use.
type Outbox interface {
	// Append gives the drafts, all or none and in this order, the next places in the chain, and returns
	// without waiting for the disk: any number of Appends may be under way, and what waits together is
	// synced together. They are recorded when the receipt says so. The drafts must not be changed before.
	//
	// Append itself blocks only while too many bytes wait for the disk, and then until the context is done
	// or the outbox's time-out is over (ErrFull, ErrBroken).
	//
	// A draft that is not well formed is refused through the receipt with schema.Faults, and with it all
	// drafts of the call. A heartbeat is left out, without error, while an earlier one still waits for the
	// hub: only the newest matters, and they must not fill the outbox.
	Append(ctx context.Context, drafts ...wire.Draft) (*Receipt, error)

	// Now is the sidecar's clock, in whole microseconds: the time of day, but always later than any time
	// that it gave before, across restarts too. It is what occurred_at of an observed movement is set to.
	Now(ctx context.Context) (schema.Time, error)
}

// A Holder is an outbox that is open in this process, and knows what is open in it.
type Holder interface {
	Outbox

	// Unclosed are the ids of movements that were opened in this outbox and are not closed, whoever writes them.
	Unclosed() []string

	// Fail closes as failed, for the reason, a movement whose writer is gone, with the totals of what is
	// durable of it. A movement that is not open is left as it is.
	Fail(ctx context.Context, id, reason string) error
}

// A Receipt tells when drafts are durable. It is safe for concurrent use.
type Receipt struct {
	done  chan struct{}
	err   error
	parts []*Receipt
}

// NewReceipt returns a receipt and the function that settles it, to be called once: with nil when the
// drafts are durable, else with what became of them. It is for those who implement an Outbox.
func NewReceipt() (*Receipt, func(error)) {
	r := &Receipt{done: make(chan struct{})}
	return r, func(err error) {
		r.err = err
		close(r.done)
	}
}

// Receipts returns a receipt for all of the given ones: it is settled when the last of them is, with the
// first error in their order.
func Receipts(parts ...*Receipt) *Receipt { return &Receipt{parts: parts} }

// Wait returns nil when all drafts of the receipt are durable, and else why they are not: ErrFull,
// ErrBroken, ErrClosed, or schema.Faults. When the context ends first it returns its cause, and the drafts
// may become durable later or not.
func (r *Receipt) Wait(ctx context.Context) error {
	for _, part := range r.parts {
		if err := part.Wait(ctx); err != nil {
			return err
		}
	}
	if r.done == nil {
		return nil
	}
	select {
	case <-r.done:
		return r.err
	default:
	}
	select {
	case <-r.done:
		return r.err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Settled says whether Wait would return at once.
func (r *Receipt) Settled() bool {
	for _, part := range r.parts {
		if !part.Settled() {
			return false
		}
	}
	if r.done == nil {
		return true
	}
	select {
	case <-r.done:
		return true
	default:
		return false
	}
}
