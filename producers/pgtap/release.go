package pgtap

import (
	"context"
	"errors"
	"time"
)

// let lets go what may.
func (b *back) let(ctx context.Context) error {
	if b.large != nil {
		if b.clear < exportCut && b.large.waiting.Load() > 0 {
			return b.hold() // meanwhile more comes: few large commits are better than many small ones
		}
		return b.piece(ctx)
	}
	if b.regret.cause != nil {
		_ = b.settle(ctx) // whoever else is in its batches may wait for us to lead
		return b.mute(ctx, false)
	}
	if err := b.settle(ctx); err != nil {
		return b.regretting(ctx, err)
	}
	if b.plan.recordsElectors() && (b.harvest.records > 0 || b.long.active) {
		if err := b.release(b.rowsAt); err != nil {
			return err
		}
		if b.in.to-b.in.from >= holdBytes {
			return b.enlarge(ctx)
		}
		return b.hold()
	}
	return b.release(b.clear)
}

// hold keeps what is clear until more comes, but not for long.
func (b *back) hold() error {
	if b.holding {
		return nil
	}
	b.holding = true
	return b.server.SetReadDeadline(time.Now().Add(holdTime))
}

// settle waits until what was read of results that have ended is durable.
func (b *back) settle(ctx context.Context) error {
	var first error
	if len(b.batches) == 0 {
		return nil
	}
	began := time.Now()
	for _, batch := range b.batches {
		if err := batch.wait(ctx); err != nil && first == nil {
			first = errors.Join(errNotRecorded, err)
		}
	}
	b.tap.metrics.Latency.Observe(time.Since(began).Seconds())
	clear(b.batches)
	b.batches = b.batches[:0]
	for _, d := range b.recorded {
		if first != nil {
			b.miss(ctx, d)
		}
	}
	b.recorded = b.recorded[:0]
	return first
}

// release writes bytes that are clear to the client.
func (b *back) release(n int) error {
	if n == 0 {
		return nil
	}
	_, err := b.client.Write(b.in.data[b.in.from : b.in.from+n])
	b.in.from += n
	b.scanned -= n
	b.clear -= n
	b.rowsAt = max(b.rowsAt-n, 0)
	b.torn = b.clear == 0 && b.scanned == 0 && b.passing > 0
	if err != nil {
		b.torn = true
		return clientError{err}
	}
	return nil
}

// enlarge makes the result that comes a large one.
func (b *back) enlarge(ctx context.Context) error {
	if err := b.unhold(); err != nil {
		return err
	}
	if err := b.settle(ctx); err != nil {
		if b.ended(); b.answers() {
			return err
		}
		return b.refuse(ctx, err)
	}
	large, err := b.newExport(ctx, b.flow, b.plan, b.recorder)
	if err != nil {
		return b.refuse(ctx, err)
	}
	b.large = large
	return b.piece(ctx)
}

// unhold ends the holding of rows.
func (b *back) unhold() error {
	if !b.holding {
		return nil
	}
	b.holding = false
	return b.server.SetReadDeadline(time.Time{})
}

// piece hands what is clear to the large result.
func (b *back) piece(ctx context.Context) error {
	if b.clear == 0 {
		return b.withdraw(ctx, b.large.fault())
	}
	if err := b.unhold(); err != nil {
		return err
	}
	piece := b.in
	rest := piece.data[piece.from+b.clear : piece.to]
	b.in = buffer{size: exportSize}
	b.in.take(max(exportSize, sizeFor(len(rest))))
	b.in.to = copy(b.in.data, rest)
	piece.to = piece.from + b.clear
	b.scanned -= b.clear
	b.clear = 0
	b.harvest.key(b.keyers)
	if b.plan != nil { // else it has ended
		b.gather(b.plan)
	}
	err := b.large.take(ctx, piece, &b.harvest, b.passing > 0 || b.long.active)
	b.harvest.empty()
	return b.withdraw(ctx, err)
}

// withdraw ends a large result that cannot go on, unless all is well.
func (b *back) withdraw(ctx context.Context, err error) error {
	if err == nil || !errors.Is(err, errNotRecorded) {
		return err
	}
	err = b.large.end(err)
	b.torn = b.large.torn
	b.large = nil
	return b.refuse(ctx, err)
}

func sizeFor(n int) int {
	size := bufferSize
	for size < 2*n {
		size *= 2
	}
	return size
}

// pass counts bytes as looked at, and clear.
func (b *back) pass(n int) {
	b.scanned += n
	b.clear = b.scanned
}
