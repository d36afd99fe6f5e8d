package consumers

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/rolltrace/rolltrace/schema"
	"github.com/rolltrace/rolltrace/schema/graph"
	"github.com/rolltrace/rolltrace/schema/wire"
)

// A collector numbers entries in the order of the log and gathers batches of them.
type collector struct {
	log       string // its identity
	numbering Numbering
	trusted   *trusted
	limit     int           // bytes of a batch
	linger    time.Duration // at least
	took      *atomic.Int64 // nanoseconds that the last write took
	metrics   *Metrics
	release   func(*decoded) // gives back what the entry took
	spare     chan *batch    // batches that were written
}

// longestLinger bounds how long a batch waits for more because the last write took long.
const longestLinger = 500 * time.Millisecond

// run gathers what comes and hands a batch on when it is full, or has waited for twice as long as the last write took, and
// somebody is there to take it: it grows while the one before it is being written, and that long again, so that many
// small messages, whose rows cost ClickHouse less than its parts do, keep it busy half of the time. A full one stops the
// intake. When in ends, what is left is handed on.
func (c *collector) run(ctx context.Context, in <-chan *decoded, out chan<- *batch) error {
	defer close(out)
	b := c.fresh()
	linger := time.NewTimer(c.linger)
	linger.Stop()
	defer linger.Stop()
	ripe := false // it has waited for more long enough
	for {
		taker, source := out, in
		if b.empty() || !ripe {
			taker = nil
		}
		if b.bytes >= c.limit {
			taker, source = out, nil
		}
		select {
		case m, ok := <-source:
			if !ok {
				return c.last(ctx, b, out)
			}
			if b.empty() {
				linger.Reset(max(c.linger, min(2*time.Duration(c.took.Load()), longestLinger)))
			}
			if err := c.take(ctx, b, m); err != nil {
				return err
			}
		case taker <- b:
			b, ripe = c.fresh(), false
			linger.Stop()
		case <-linger.C:
			ripe = true
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (c *collector) last(ctx context.Context, b *batch, out chan<- *batch) error {
	if b.empty() {
		return nil
	}
	select {
	case out <- b:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (c *collector) fresh() *batch {
	select {
	case b := <-c.spare:
		b.reset()
		return b
	default:
		return new(batch)
	}
}

func (c *collector) take(ctx context.Context, b *batch, m *decoded) error {
	select {
	case <-m.done:
	case <-ctx.Done():
		return ctx.Err()
	}
	err := c.add(b, m)
	c.release(m)
	if err != nil {
		return fmt.Errorf("message %d of the log: %w", m.sequence, err)
	}
	return nil
}

func (c *collector) add(b *batch, m *decoded) error {
	if m.reject == nil {
		m.reject = c.trusted.refuse(&m.record)
	}
	if m.reject == nil {
		err := c.content(b, m)
		switch {
		case errors.Is(err, ErrTooManySpaces):
			m.reject = &wire.Reject{Code: TooManySpaces, Reason: "id_space, key_id: want one of those in use, " + err.Error(), Org: m.record.Org, Sidecar: m.record.Sidecar}
		case err != nil && !errors.As(err, &m.reject):
			return err
		}
	}
	if m.reject != nil {
		c.reject(b, m)
	} else {
		c.chain(b, m)
	}
	b.messages++
	b.to, b.received = m.sequence, m.received
	return nil
}

func (c *collector) content(b *batch, m *decoded) error {
	switch r := &m.record; {
	case r.Chunk != nil:
		return c.chunk(b, m)
	case r.Movement != nil:
		return c.movement(b, m)
	case r.Heartbeat != nil:
		c.heartbeat(b, m)
	case r.Gap != nil:
		c.gap(b, m)
	case r.Registry != nil:
		return c.registry(b, m)
	case r.Ruling != nil:
		c.ruling(b, m)
	}
	return nil
}

func (c *collector) chunk(b *batch, m *decoded) error {
	r, chunk := &m.record, m.record.Chunk
	space, first, err := c.numbering.Space(chunk.IDSpace, chunk.KeyID)
	if err != nil {
		return err // nothing was numbered yet
	}
	if first {
		b.Spaces = append(b.Spaces, graph.Space{Number: space, IDSpace: chunk.IDSpace, KeyID: chunk.KeyID, FirstSequence: m.sequence})
		b.bytes += otherBytes
	}
	movement, err := c.number(b, m, chunk.Movement)
	if err != nil {
		return err
	}
	numbered, err := c.numbering.Electors(space, chunk.Keys)
	if err != nil {
		return err
	}
	for i, key := range numbered.New {
		b.Electors = append(b.Electors, graph.Elector{Number: numbered.First + uint32(i), Space: space, Key: key, FirstSequence: m.sequence})
	}
	b.addSet(movement, space, numbered)
	if chunk.Role == schema.Seeds || chunk.Role == schema.NoSeeds {
		b.addSeeds(movement, chunk.Role, numbered)
	}
	b.Chunks = append(b.Chunks, graph.Chunk{
		Movement: movement, Set: chunk.Set, Index: chunk.Index, Hash: r.BodyHash, Space: space, Keys: uint32(len(chunk.Keys)),
		StreamSequence: m.sequence, ReceivedAt: m.received,
	})
	b.bytes += len(numbered.New)*electorBytes + chunkBytes
	c.metrics.numbered.Add(float64(len(numbered.New)))
	c.metrics.known.Set(float64(c.numbering.Known()))
	return nil
}

func (c *collector) movement(b *batch, m *decoded) error {
	r := &m.record
	number, err := c.number(b, m, r.Movement.ID)
	if err != nil {
		return err
	}
	b.Revisions = append(b.Revisions, graph.Revision{
		Movement: number, Record: r.Movement, Body: m.message.Body, BodyHash: r.BodyHash, MessageID: r.MessageID,
		StreamSequence: m.sequence, ReceivedAt: m.received,
	})
	b.bytes += revisionBytes + 2*len(m.message.Body)
	return nil
}

// number is the movement's number; its first appearance is noted.
func (c *collector) number(b *batch, m *decoded, id string) (uint32, error) {
	org, sidecar := m.record.Org, m.record.Sidecar
	number, first, err := c.numbering.Movement(org, sidecar, id)
	if err != nil {
		return 0, err
	}
	if first {
		b.Movements = append(b.Movements, graph.MovementNumber{Number: number, Org: org, Sidecar: sidecar, ID: id, FirstSequence: m.sequence})
		b.bytes += otherBytes
	}
	return number, nil
}

func (c *collector) heartbeat(b *batch, m *decoded) {
	r, h := &m.record, m.record.Heartbeat
	hash, _ := wire.ParseHash(h.LastHash) // decoding has seen its form; "" is zero
	if !h.ClockKnown {
		h.ClockOffset = 0
	}
	b.Beats = append(b.Beats, graph.Heartbeat{
		Org: r.Org, Sidecar: r.Sidecar, Instance: r.Instance, Sequence: r.Sequence,
		At: h.At, IntervalMS: uint64(h.Interval), Places: h.Places, Config: h.Config, LastSequence: h.LastSequence, LastHash: hash,
		OutboxMessages: h.OutboxMessages, OutboxBytes: h.OutboxBytes, ClockOffsetUS: h.ClockOffset, Version: r.Version,
		StreamSequence: m.sequence, ReceivedAt: m.received,
	})
	b.bytes += otherBytes + 2*len(m.message.Body)
}

func (c *collector) gap(b *batch, m *decoded) {
	r, g := &m.record, m.record.Gap
	b.Gaps = append(b.Gaps, graph.Gap{
		Org: r.Org, Sidecar: r.Sidecar, Instance: r.Instance, Sequence: r.Sequence,
		Place: g.Place, From: g.From, To: g.To, Records: g.Records, Bytes: g.Bytes, Why: g.Why,
		HoleInstance: g.Instance, FirstSequence: g.FirstSequence, LastSequence: g.LastSequence, Version: r.Version,
		StreamSequence: m.sequence, ReceivedAt: m.received,
	})
	b.bytes += otherBytes
}

// chain notes the message's link in the chain of its outbox.
func (c *collector) chain(b *batch, m *decoded) {
	r := &m.record
	b.Messages = append(b.Messages, graph.Message{
		Org: r.Org, Sidecar: r.Sidecar, Instance: r.Instance, Sequence: r.Sequence, Type: string(r.Type), Hash: r.Hash,
		Previous: r.Previous, Signer: r.Signer, MessageID: r.MessageID, StreamSequence: m.sequence, ReceivedAt: m.received,
	})
	b.bytes += messageBytes
	c.trusted.saw(r)
	c.metrics.messages.WithLabelValues(string(r.Type)).Inc()
}

func (c *collector) reject(b *batch, m *decoded) {
	b.rejections = append(b.rejections, Rejection{
		Log: c.log, Sequence: m.sequence, ReceivedAt: m.received, Message: m.message,
		Code: m.reject.Code, Reason: m.reject.Reason, Parked: m.reject.Parked, Org: m.reject.Org, Sidecar: m.reject.Sidecar,
	})
	b.Rejected = append(b.Rejected, b.rejections[len(b.rejections)-1].row())
	b.bytes += otherBytes + m.message.Size()
	c.metrics.rejected.WithLabelValues(string(m.reject.Code)).Inc()
}
