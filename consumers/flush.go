package consumers

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/rolltrace/rolltrace/schema"
	"github.com/rolltrace/rolltrace/schema/graph"
)

// A flusher writes batches, one after another: first what was rejected to the rejected stream, then the rows, then
// the position.
type flusher struct {
	cfg     *Config
	tail    *tail
	spare   chan<- *batch
	toHub   retry
	toGraph retry
	toDead  retry
	state   *state
	took    *atomic.Int64 // nanoseconds that the last write took

	// stopping ends when Run's context does: from then on a try that fails is the last one.
	stopping context.Context
}

// run writes every batch, until in ends (nil). An error is permanent. After stopping, a batch that cannot be written
// is left: its position was not stored, so the next consumer reads it again.
func (f *flusher) run(ctx context.Context, in <-chan *batch) error {
	for b := range in {
		if err := f.flush(ctx, b); err != nil {
			if f.stopping.Err() != nil && !IsPermanent(err) {
				f.cfg.Log.Warn().Err(err).Int("messages", b.messages).Msg("stopped before the last messages were written: they will be read again")
				return nil
			}
			return err
		}
		select {
		case f.spare <- b:
		default:
		}
	}
	return nil
}

func (f *flusher) flush(ctx context.Context, b *batch) error {
	began := time.Now()
	// Only now, after all of it was read: had the log been replaced meanwhile, some of it would be another log's.
	err := f.insist(ctx, &f.toHub, "look at the log", func(ctx context.Context) error {
		_, err := f.tail.open(ctx)
		return err
	})
	if err == nil && len(b.rejections) > 0 {
		err = f.insist(ctx, &f.toDead, "put rejected messages", func(ctx context.Context) error {
			return f.cfg.Rejects.Put(ctx, b.rejections)
		})
	}
	if err == nil {
		err = f.insist(ctx, &f.toGraph, "write to ClickHouse", func(ctx context.Context) error {
			b.Position = graph.Position{Log: f.tail.id, Sequence: b.to, LastSequence: max(f.tail.last.Load(), b.to), WrittenAt: schema.At(f.cfg.Clock())}
			return f.cfg.Writer.Write(ctx, &b.Batch)
		})
	}
	if err != nil {
		return err
	}
	took := time.Since(began)
	f.took.Store(int64(took))
	f.count(b, took)
	return nil
}

// insist tries until it works, or until the first failure once everything stops.
func (f *flusher) insist(ctx context.Context, r *retry, what string, do func(context.Context) error) error {
	var failed error
	ctx, giveUp := context.WithCancel(ctx)
	defer giveUp()
	err := r.until(ctx, what, func(ctx context.Context) error {
		err := do(ctx)
		if failed = err; err != nil && f.stopping.Err() != nil {
			giveUp()
		}
		return err
	})
	if err != nil && failed != nil {
		return failed
	}
	return err
}

func (f *flusher) count(b *batch, took time.Duration) {
	m := f.cfg.Metrics
	m.flushes.Inc()
	m.flushTime.Observe(took.Seconds())
	total := 0
	for kind, rows := range map[string]int{
		"space": len(b.Spaces), "elector": len(b.Electors), "movement_number": len(b.Movements), "movement_revision": len(b.Revisions),
		"chunk": len(b.Chunks), "run": len(b.Runs), "row": len(b.Rows), "message": len(b.Messages), "heartbeat": len(b.Beats),
		"gap": len(b.Gaps), "rejected": len(b.Rejected), "registry": len(b.Registries), "ruling": len(b.Rulings), "position": 1,
	} {
		m.rows.WithLabelValues(kind).Add(float64(rows))
		total += rows
	}
	f.state.wrote(b.to, b.received)
	f.cfg.Log.Debug().Uint64("position", b.to).Int("messages", b.messages).Int("rows", total).
		Int64("took_ms", took.Milliseconds()).Msg("wrote a batch")
}
