package main

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"slices"
	"sync"
	"time"

	"github.com/rolltrace/rolltrace/producers"
	"github.com/rolltrace/rolltrace/producers/delimited"
	"github.com/rolltrace/rolltrace/producers/pseudonym"
	"github.com/rolltrace/rolltrace/schema"
)

// closeTimeout bounds how long the closing of a movement may take that was interrupted: within it the outbox
// waits for room.
const closeTimeout = 45 * time.Second

// A flow is one list on its way through tee, in stages that work at the same time on different blocks: read; keyed;
// recorded; put out when it is durable; taken into the evidence.
type flow struct {
	reader  *delimited.Reader
	columns []*pseudonym.Pseudonymiser // of the id columns
	// open finds the outbox, while the first blocks are read and keyed.
	open     func(context.Context) (*producers.Recorder, error)
	movement schema.Movement
	out      io.Writer
	mac      hash.Hash // nil: the bytes are not hashed
	seeder   *seeder   // nil: nothing is put in

	opened    chan struct{}        // closed when open has returned
	recorder  *producers.Recorder  // nil until then, and when there is none
	recording *producers.Recording // nil before the first block
	written   uint64
}

// A step is a block and what has become of it.
type step struct {
	block   *delimited.Block
	receipt *producers.Receipt
	unkeyed []uint64 // records without an identifier, of each set
	written int
}

// run passes everything on and closes the movement, as completed or, with the error that ended it, as failed. Nothing is
// recorded of a list that could not be begun.
func (f *flow) run(ctx context.Context) error {
	flowing, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var stages sync.WaitGroup
	stage := func(work func() error) {
		stages.Add(1)
		go func() {
			defer stages.Done()
			if err := work(); err != nil {
				cancel(err)
			}
		}()
	}
	// What comes before a fault of the input is recorded and put out; the fault ends the flow after it.
	var inputFault error
	keyed, recorded, put := make(chan *delimited.Block), make(chan step, 2), make(chan step, 2)
	ready := keyed
	if f.seeder != nil {
		ready = make(chan *delimited.Block)
		stage(func() error { defer close(ready); return f.seed(flowing, keyed, ready) })
	}
	f.opened = make(chan struct{})
	stage(func() (err error) {
		defer close(f.opened)
		f.recorder, err = f.open(flowing)
		return err
	})
	stage(func() error {
		if err := f.reader.Run(flowing); flowing.Err() == nil {
			inputFault = err
		}
		return nil
	})
	stage(func() error { defer close(keyed); return f.key(flowing, keyed) })
	stage(func() error { defer close(recorded); return f.record(flowing, ready, recorded) })
	stage(func() error { defer close(put); return f.put(flowing, recorded, put) })
	stage(func() error { f.hash(put); return nil })
	stages.Wait()

	err := inputFault
	if cause := context.Cause(flowing); cause != nil {
		err = cause
	}
	return f.close(ctx, err)
}

// blockKeys are the elector keys of a block, of each id column.
type blockKeys struct {
	of    [][]schema.Key
	seeds [][]schema.Key // of records that were put in
	none  [][]schema.Key // seeds of earlier blocks that are none
}

// sets are the keys by the movement's sets: as teeFlags.movement has them.
func (k *blockKeys) sets(seeded bool) [][]schema.Key {
	if !seeded {
		return k.of
	}
	return slices.Concat(k.of, k.seeds, k.none)
}

// reset forgets the keys, and keeps their memory for the next block.
func (k *blockKeys) reset() {
	for i := range k.of {
		k.of[i], k.seeds[i], k.none[i] = k.of[i][:0], k.seeds[i][:0], k.none[i][:0]
	}
}

// key makes the elector keys of each block.
func (f *flow) key(ctx context.Context, next chan<- *delimited.Block) error {
	for block := range f.reader.Blocks() {
		keysOf(block, f.columns)
		select {
		case next <- block:
		case <-ctx.Done():
			return nil
		}
	}
	return nil
}

// keysOf makes the elector keys of a block, and attaches them to it.
func keysOf(b *delimited.Block, columns []*pseudonym.Pseudonymiser) *blockKeys {
	keys, ok := b.Attached.(*blockKeys)
	if !ok {
		n := len(columns)
		keys = &blockKeys{of: make([][]schema.Key, n), seeds: make([][]schema.Key, n), none: make([][]schema.Key, n)}
		b.Attached = keys
	}
	var ids [256][]byte
	for i, p := range columns {
		read := 0
		for n := b.Read(ids[:], i, read); n > 0; n = b.Read(ids[:], i, read) {
			keys.of[i] = p.Keys(keys.of[i], ids[:n])
			read += n
		}
	}
	return keys
}

// record hands the keys of each block to the outbox, without waiting for the disk.
func (f *flow) record(ctx context.Context, blocks <-chan *delimited.Block, next chan<- step) error {
	for block := range blocks {
		if f.recording == nil {
			if <-f.opened; f.recorder == nil {
				return nil // and that ends the flow
			}
			if err := f.begin(ctx); err != nil {
				return err
			}
		}
		var unkeyed []uint64
		if keys, ok := block.Attached.(*blockKeys); ok {
			unkeyed = make([]uint64, len(keys.of))
			for i, of := range keys.sets(f.seeder != nil) {
				if err := f.recording.Add(ctx, i, of); err != nil {
					return err
				}
			}
			for i, of := range keys.of {
				unkeyed[i] = uint64(block.Records - len(of))
			}
			keys.reset()
		}
		receipt, err := f.recording.Commit(ctx)
		if err != nil {
			return err
		}
		select {
		case next <- step{block: block, receipt: receipt, unkeyed: unkeyed}:
		case <-ctx.Done():
			return nil
		}
	}
	return nil
}

// begin opens the movement. It is not interrupted half-way: an opening that became durable would stay open.
func (f *flow) begin(ctx context.Context) (err error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTimeout)
	defer cancel()
	f.recording, err = f.recorder.Begin(ctx, f.movement)
	return err
}

// put lets each block go when its keys are durable.
func (f *flow) put(ctx context.Context, steps <-chan step, next chan<- step) error {
	for s := range steps {
		if err := s.receipt.Wait(ctx); err != nil {
			return err
		}
		if ctx.Err() != nil {
			return nil
		}
		f.recording.Count(uint64(s.block.Records), s.unkeyed...) // what never goes is not counted
		for _, part := range s.block.Release {
			n, err := f.out.Write(part)
			f.written += uint64(n)
			s.written += n
			if err != nil {
				next <- s
				return fmt.Errorf("write output: %w", err)
			}
		}
		next <- s
	}
	return nil
}

// hash takes what was put out into the evidence, and gives the block back.
func (f *flow) hash(steps <-chan step) {
	for s := range steps {
		for _, part := range s.block.Release {
			n := min(len(part), s.written)
			s.written -= n
			if f.mac != nil {
				_, _ = f.mac.Write(part[:n])
			}
		}
		s.block.Free()
	}
}

// close ends the movement. A flow that was never begun because its input was empty is a movement of nobody; one that
// failed before its first byte is none.
func (f *flow) close(ctx context.Context, fault error) error {
	if f.recording == nil {
		if fault != nil {
			return fault
		}
		if err := f.begin(ctx); err != nil {
			return err
		}
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTimeout)
	defer cancel()
	outcome := schema.Completed
	if fault != nil {
		outcome = schema.Failed
	}
	evidence := schema.Evidence{Bytes: f.written}
	if f.mac != nil {
		evidence.MAC = "hmac-sha256:" + hex.EncodeToString(f.mac.Sum(nil))
	}
	err := f.recording.Close(ctx, outcome, evidence)
	if fault == nil {
		return err
	}
	if err != nil && !errors.Is(err, fault) && !errors.Is(fault, err) {
		return fmt.Errorf("%w; and the movement could not be closed: %w", fault, err)
	}
	return fault
}
