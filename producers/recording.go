package producers

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/rolltrace/rolltrace/schema"
	"github.com/rolltrace/rolltrace/schema/wire"
)

// ErrEnded is the error of a Recording that was closed.
var ErrEnded = errors.New("movement is closed")

// A Recording is one open movement. It is safe for concurrent use, though keys keep their flow order only
// if one goroutine adds them.
//
// Once a chunk could not be recorded the recording has failed: Add, Commit and Flush return that error from
// then on, and nothing more may flow. Close is still to be called, and closes the movement as failed.
type Recording struct {
	cfg      RecorderConfig
	movement schema.Movement

	mu      sync.Mutex
	tally   *Tally
	filling [][]schema.Key // the chunk that fills, for each set
	next    []uint32       // the index of that chunk
	pending []pendingChunk // appended, not known to be durable; oldest first
	failed  error
	ended   bool
}

type pendingChunk struct {
	chunk   *wire.Chunk
	receipt *Receipt
}

func newRecording(cfg RecorderConfig, m schema.Movement) *Recording {
	return &Recording{
		cfg: cfg, movement: m, tally: NewTally(m.Electors),
		filling: make([][]schema.Key, len(m.Electors.Sets)), next: make([]uint32, len(m.Electors.Sets)),
	}
}

// Movement is the movement as it was opened.
func (r *Recording) Movement() schema.Movement { return r.movement }

// Add takes keys of a set, in flow order; set is the index into the movement's Electors.Sets. The keys are
// copied. They are durable after the next Flush, or when the receipt of the next Commit says so: no sooner
// may the bytes that they came from go on. Add waits only when MaxPending chunks wait for the disk.
func (r *Recording) Add(ctx context.Context, set int, keys []schema.Key) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.usable(); err != nil {
		return err
	}
	if set < 0 || set >= len(r.filling) {
		return fmt.Errorf("add keys: set %d: the movement has %d", set, len(r.filling))
	}
	for len(keys) > 0 {
		if r.filling[set] == nil {
			r.filling[set] = make([]schema.Key, 0, min(r.cfg.ChunkKeys, max(len(keys), 64)))
		}
		n := min(len(keys), r.cfg.ChunkKeys-len(r.filling[set]))
		r.filling[set] = append(r.filling[set], keys[:n]...)
		keys = keys[n:]
		if len(r.filling[set]) == r.cfg.ChunkKeys {
			if err := r.cut(ctx, set); err != nil {
				return err
			}
		}
	}
	return nil
}

// Count adds rows that were seen, and of them, for each set, those without an id in its column. Counts
// become durable when the movement is closed: killed before, it stays open and is shown as incomplete.
func (r *Recording) Count(records uint64, unkeyed ...uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.tally.Count(records, unkeyed...)
}

// Commit hands everything added so far to the outbox, cutting chunks short, and returns without waiting for
// the disk: the receipt covers every key added before. So the next block can be read while this one syncs.
func (r *Recording) Commit(ctx context.Context) (*Receipt, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.usable(); err != nil {
		return nil, err
	}
	if err := r.cutAll(ctx); err != nil {
		return nil, err
	}
	receipts := make([]*Receipt, len(r.pending))
	for i, p := range r.pending {
		receipts[i] = p.receipt
	}
	return Receipts(receipts...), nil
}

// Flush returns when every key added before is durable in the outbox. The error is what Receipt.Wait
// returns; then nothing more may go on, save when the context ended, after which Flush may be called again.
func (r *Recording) Flush(ctx context.Context) error {
	receipt, err := r.Commit(ctx)
	if err != nil {
		return err
	}
	if err := receipt.Wait(ctx); err != nil {
		return fmt.Errorf("record keys: %w", err)
	}
	return nil
}

// Close ends the movement: it records what is left and then the closing (revision 2) with totals, outcome
// and evidence, and returns when both are durable. A completed movement of which a chunk could not be
// recorded is closed as failed, with what was recorded, and Close returns why. The closing may use the room
// that the outbox keeps back. Only the first call does anything; later ones return ErrEnded.
//
// To close what was interrupted, give it a context that has not ended.
func (r *Recording) Close(ctx context.Context, outcome schema.Outcome, evidence schema.Evidence) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.ended {
		return ErrEnded
	}
	r.ended = true
	if r.failed == nil {
		_ = r.cutAll(ctx) // kept in r.failed
	}
	if r.failed != nil || outcome != schema.Completed {
		_ = r.settle(ctx) // also kept there: a failed movement has the totals of what was recorded
	}
	if r.failed != nil {
		outcome = schema.Failed
	}
	// The closing of a completed movement goes without waiting for the last chunks, so that one sync serves all of
	// them.
	closing, err := r.closing(ctx, 2, outcome, "", evidence)
	if err == nil {
		err = r.record(ctx, closing)
	}
	if settled := r.settle(ctx); settled != nil && outcome == schema.Completed {
		// They did not make it: say so, with the totals of what did.
		closing, again := r.closing(ctx, 3, schema.Failed, "closed before its last keys could be recorded", evidence)
		if again == nil {
			again = r.record(ctx, closing)
		}
		err = errors.Join(err, again)
	}
	if r.failed != nil {
		err = r.failed
	}
	if err != nil {
		return fmt.Errorf("close movement: %w", err)
	}
	return nil
}

func (r *Recording) closing(ctx context.Context, revision uint32, outcome schema.Outcome, reason string, evidence schema.Evidence) (*schema.Movement, error) {
	now, err := r.cfg.Outbox.Now(ctx)
	if err != nil {
		return nil, err
	}
	m := r.movement
	m.Revision, m.State, m.Outcome, m.Reason = revision, schema.Closed, outcome, reason
	m.ClosedAt, m.RecordedAt = now, now
	if now.Before(m.OccurredAt.Time) {
		m.ClosedAt = m.OccurredAt
	}
	m.Electors, m.Evidence = r.tally.Electors(), evidence
	return &m, nil
}

func (r *Recording) record(ctx context.Context, m *schema.Movement) error {
	receipt, err := r.cfg.Outbox.Append(ctx, wire.Draft{Movement: m})
	if err != nil {
		return err
	}
	return receipt.Wait(ctx)
}

func (r *Recording) usable() error {
	if r.ended {
		return ErrEnded
	}
	if r.failed != nil {
		return r.failed
	}
	return r.reap()
}

// fail keeps the first error: a chunk is missing for good.
func (r *Recording) fail(err error) error {
	if r.failed == nil {
		r.failed = fmt.Errorf("record keys: %w", err)
	}
	return r.failed
}

func (r *Recording) cutAll(ctx context.Context) error {
	for set := range r.filling {
		if err := r.cut(ctx, set); err != nil {
			return err
		}
	}
	return nil
}

// cut appends the chunk that fills, if there is anything in it.
func (r *Recording) cut(ctx context.Context, set int) error {
	keys := r.filling[set]
	if len(keys) == 0 {
		return nil
	}
	for len(r.pending) >= r.cfg.MaxPending {
		if err := r.settleOldest(ctx); err != nil {
			return err
		}
	}
	of := r.movement.Electors.Sets[set]
	chunk := &wire.Chunk{
		Movement: r.movement.ID, Set: uint16(set), Index: r.next[set], IDSpace: of.IDSpace, KeyID: of.KeyID, Role: of.Role, Keys: keys,
	}
	// Encoded and hashed here, while nobody else has it: the tally reads the hash while the outbox seals.
	chunk.BodyHash()
	receipt, err := r.cfg.Outbox.Append(ctx, wire.Draft{Chunk: chunk})
	if err != nil {
		if ctx.Err() != nil {
			return err // the keys are still here: a later Flush can take them
		}
		return r.fail(err)
	}
	r.tally.Chunk(chunk)
	r.filling[set], r.next[set] = nil, r.next[set]+1
	r.pending = append(r.pending, pendingChunk{chunk, receipt})
	return nil
}

// reap drops the chunks that are known to be durable, and finds out if one could not be recorded.
func (r *Recording) reap() error {
	for len(r.pending) > 0 && r.pending[0].receipt.Settled() {
		if err := r.settleOldest(context.Background()); err != nil {
			return err
		}
	}
	return nil
}

// settle waits for all chunks that were appended, and returns the first error.
func (r *Recording) settle(ctx context.Context) error {
	var first error
	for len(r.pending) > 0 {
		n := len(r.pending)
		if err := r.settleOldest(ctx); err != nil && first == nil {
			first = err
		}
		if len(r.pending) == n {
			break // the context ended
		}
	}
	return first
}

func (r *Recording) settleOldest(ctx context.Context) error {
	oldest := r.pending[0]
	err := oldest.receipt.Wait(ctx)
	if err != nil && !oldest.receipt.Settled() {
		return err
	}
	r.pending = r.pending[1:]
	if err != nil {
		r.tally.Lost(oldest.chunk)
		return r.fail(err)
	}
	return nil
}
