package pgtap

import (
	"context"
	"errors"
	"sync/atomic"

	"github.com/rolltrace/rolltrace/producers"
	"github.com/rolltrace/rolltrace/schema"
)

// An export is a large result: a movement of its own. While the keys of some of its rows are on their way to the disk, the
// next rows are read; a goroutine lets each piece go when its keys are durable.
type export struct {
	*session
	recording *producers.Recording
	steps     chan step
	written   chan struct{} // closed when the goroutine has ended
	failed    atomic.Pointer[error]
	waiting   atomic.Int32 // pieces on their way
	bytes     uint64
	// interrupted says that the server ended the result with an error.
	interrupted bool
	torn        bool // what has gone ends within a message; to be read when written is closed
	text        string
	opaque      bool // its rows are not electors' one by one
}

// A step is a piece of a result, and the receipt of the keys in it; nil if it has none.
type step struct {
	piece   buffer
	receipt *producers.Receipt
	torn    bool // it ends within a message
}

// errNotRecorded is what ends a result whose electors could not be recorded.
var errNotRecorded = errors.New("electors could not be recorded")

// newExport opens the movement and returns when that is durable.
func (s *session) newExport(ctx context.Context, f flow, p *plan, recorder *producers.Recorder) (*export, error) {
	recording, err := recorder.Begin(ctx, f.movement(p, s.tap.cfg.KeyID))
	s.tap.ledger.settled(err)
	if err != nil {
		return nil, errors.Join(errNotRecorded, err)
	}
	s.tap.metrics.Movements.Inc()
	e := &export{session: s, recording: recording, steps: make(chan step, 2), written: make(chan struct{}), text: p.text, opaque: p.mode == opaque}
	go e.write(ctx)
	return e, nil
}

// take records what was read of a piece, and hands the piece over.
func (e *export) take(ctx context.Context, piece buffer, h *harvest, torn bool) error {
	next := step{piece: piece, torn: torn}
	err := e.fault()
	if err == nil && h.records > 0 {
		next.receipt, err = e.record(ctx, h)
	}
	if err != nil {
		piece.free()
		return err
	}
	e.waiting.Add(1)
	e.steps <- next
	return nil
}

func (e *export) record(ctx context.Context, h *harvest) (*producers.Receipt, error) {
	for i, keys := range h.keys {
		if err := e.recording.Add(ctx, i, keys); err != nil {
			return nil, errors.Join(errNotRecorded, err)
		}
		e.tap.metrics.Electors.Add(float64(len(keys)))
	}
	if !e.opaque {
		e.recording.Count(h.records, h.unkeyed...)
	}
	receipt, err := e.recording.Commit(ctx)
	if err != nil {
		return nil, errors.Join(errNotRecorded, err)
	}
	return receipt, nil
}

// write lets the pieces go, until one cannot: then it lets go of nothing any more.
func (e *export) write(ctx context.Context) {
	defer close(e.written)
	for s := range e.steps {
		if e.failed.Load() == nil {
			if err := e.put(ctx, s); err != nil {
				e.failed.Store(&err)
			}
		}
		s.piece.free()
		e.waiting.Add(-1)
	}
}

func (e *export) put(ctx context.Context, s step) error {
	if s.receipt != nil {
		err := s.receipt.Wait(ctx)
		if e.tap.ledger.settled(err); err != nil {
			return errors.Join(errNotRecorded, err)
		}
	}
	n, err := e.client.Write(s.piece.data[s.piece.from:s.piece.to])
	e.bytes += uint64(n)
	e.torn = s.torn
	if err != nil {
		e.torn = true
		return clientError{err}
	}
	return nil
}

func (e *export) fault() error {
	if err := e.failed.Load(); err != nil {
		return *err
	}
	return nil
}

// end waits until everything has gone, and closes the movement in the background.
func (e *export) end(fault error) error {
	close(e.steps)
	<-e.written
	if fault == nil {
		fault = e.fault()
	}
	outcome := schema.Completed
	if fault != nil || e.interrupted {
		outcome = schema.Failed
	}
	e.tap.ledger.end(e.recording, outcome, schema.Evidence{Bytes: e.bytes, Statement: e.text})
	return fault
}
