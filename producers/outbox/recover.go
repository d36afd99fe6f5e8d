package outbox

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/rolltrace/rolltrace/schema"
	"github.com/rolltrace/rolltrace/schema/wire"
)

func (o *Outbox) startEngine(ctx context.Context) (*engine, error) {
	return startEngine(ctx, o.cfg.Dir, maxInFlight, o.cfg.Log)
}

// recover opens the store and continues where it ends.
func (o *Outbox) recover(ctx context.Context) (err error) {
	c := &o.committer
	public, err := o.publicKey()
	if err != nil {
		return err
	}
	sum := sha256.Sum256([]byte(o.cfg.Org + "/" + o.cfg.Sidecar + "/" + public))
	c.identity = hex.EncodeToString(sum[:8])

	file, h, known, err := openHead(o.cfg.Dir)
	if err != nil {
		return err
	}
	c.head, c.segmentBytes = file, segmentBytes(o.cfg.MaxBytes)
	c.reserve = newReserve(o.cfg.Dir, o.cfg.Reserve)
	defer func() {
		if err != nil {
			if c.engine != nil {
				c.engine.stop()
			}
			file.close() //nolint:errcheck // nothing was written
		}
	}()
	if c.engine, err = o.startEngine(ctx); err != nil {
		return err
	}
	last, err := o.readEnd(ctx, h.Hub.Position)
	if err != nil {
		return err
	}
	_, content, err := c.engine.lastFrame(ctx, hasMessages)
	if err != nil {
		return err
	}
	o.clock.atLeast(h.Clock)
	c.segment = max(c.segment, h.Hub.Position.segment())
	c.hubSynced, c.floor = h.Hub.Position, c.engine.shelf.bytes()
	o.shelf.head, o.shelf.content = h, content
	if newest := c.engine.shelf.newest(); newest != nil {
		o.shelf.position = newest.end()
	}
	o.shelf.behind = o.shelf.position
	if last != nil {
		o.shelf.head.Total = last.total
	}
	o.reader.begin(o.shelf.head.Hub, known != isLost)
	if err := o.recoverUnclosed(ctx, h, last); err != nil {
		return err
	}
	o.shelf.head.Open = len(o.unclosed.row)
	if err := o.continueChain(ctx, h, known, last); err != nil {
		return err
	}
	o.shelf.head.Identity = c.identity
	if err := c.reserve.take(); err != nil {
		o.cfg.Log.Warn().Err(err).Msg("outbox has no reserve on the disk")
	}
	o.shelf.engine = c.engine
	o.showDepth()
	return nil
}

func (o *Outbox) publicKey() (string, error) {
	if o.cfg.Signer == nil {
		return "", fmt.Errorf("signer: want the sidecar's nkey")
	}
	public, err := o.cfg.Signer.PublicKey()
	if err != nil {
		return "", fmt.Errorf("read public key of signer: %w", err)
	}
	return public, nil
}

// readEnd reads where the store ends. What comes next goes into a new segment if that is before a position
// that was used.
func (o *Outbox) readEnd(ctx context.Context, used position) (*frame, error) {
	c := &o.committer
	last, _, err := c.engine.lastFrame(ctx, anyFrame)
	if err != nil {
		return nil, err
	}
	c.segment = max(c.segment, c.engine.used)
	c.expected, c.unacked, c.total, c.rollNext = 0, 0, 0, true
	if newest := c.engine.shelf.newest(); newest != nil {
		c.expected, c.rollNext = newest.last, newest.number < c.segment || newest.end() < used
	}
	if last != nil {
		c.total = last.total
		o.clock.atLeast(last.clock)
	}
	return last, nil
}

// continueChain continues the chain behind the last frame of the store, if that is certainly where it
// ended; otherwise it begins a new instance, so that no place is given twice. The head is what was
// acknowledged.
func (o *Outbox) continueChain(ctx context.Context, h head, known knowledge, last *frame) error {
	ends := last != nil && last.instance == h.Instance
	switch {
	case known == isNew:
		return o.beginInstance("the outbox is new", true)
	case known == isLost:
		return o.mournHead(last)
	case h.Identity != o.committer.identity:
		return o.beginInstance("organisation, sidecar or signer is another", true)
	case ends && (last.last > h.Sequence || last.last == h.Sequence && (h.Hash == "" || h.Hash == wire.FormatHash(last.hash))):
		return o.setChain(h.Instance, last.last, last.hash)
	case !ends && h.Sequence == 0:
		return o.setChain(h.Instance, 0, [32]byte{})
	}
	return o.mourn(ctx, h)
}

// mourn begins a new instance because the store has lost the end of another, which the head knows, and has
// that recorded first of all. The head stays as it is until the record is durable: killed before that, the
// loss is found again.
func (o *Outbox) mourn(ctx context.Context, h head) error {
	lost := wire.Gap{Why: "messages lost from the end of the outbox", Instance: h.Instance, FirstSequence: 1, LastSequence: h.Sequence}
	lost.From, lost.To = span(h.Hub.Clock)
	last, _, err := o.committer.engine.lastFrame(ctx, of(h.Instance))
	if err != nil {
		return err
	}
	if last != nil {
		lost.FirstSequence = last.last + 1
		lost.From, lost.To = span(last.clock)
	}
	if h.Hub.Instance == h.Instance {
		lost.FirstSequence = max(lost.FirstSequence, h.Hub.Sequence+1)
	}
	if err := o.beginInstance("the store has lost its end", false); err != nil {
		return err
	}
	if lost.FirstSequence <= lost.LastSequence && o.committer.tailOf != h.Instance {
		o.committer.tailOf = h.Instance
		o.cfg.Log.Error().Str("instance", lost.Instance).Uint64("first_sequence", lost.FirstSequence).
			Uint64("last_sequence", lost.LastSequence).Msg("messages are lost from the end of the outbox; the gap is recorded")
		o.shelf.loseTail(hole{lost.Instance, lost.FirstSequence, lost.LastSequence})
		o.pushGap("tail", lost, nil)
	}
	return nil
}

// mournHead begins a new instance because nothing says where the store ended, so that more may be lost than
// its frames tell. As with mourn, it is found again until the record is durable.
func (o *Outbox) mournHead(last *frame) error {
	if err := o.beginInstance("its state file is gone", false); err != nil {
		return err
	}
	lost := wire.Gap{Why: "state file of the outbox lost: messages may be missing"}
	lost.From, lost.To = span(0)
	o.committer.tailOf = o.committer.instance
	if last != nil {
		lost.From, lost.To = span(last.clock)
		o.committer.tailOf = last.instance
	}
	o.cfg.Log.Error().Msg("the state file of the outbox is gone or damaged: messages may be lost from its end; the gap is recorded")
	o.pushGap("state", lost, nil)
	return nil
}

// span is the time from one that was given by the clock (0: not known) until now.
func span(us int64) (from, to schema.Time) {
	to = schema.At(time.Now())
	from = to
	if us > 0 && us < to.UnixMicro() {
		from = schema.At(time.UnixMicro(us))
	}
	return from, to
}

// pushGap has a gap recorded before anything else that waits.
func (o *Outbox) pushGap(kind string, g wire.Gap, settle func(error)) {
	drafts := []wire.Draft{{Gap: &g}}
	o.queue.pushFront([]*entry{{drafts: drafts, class: kept, size: sizeOf(drafts), settle: func(err error) {
		if err == nil {
			o.cfg.Metrics.Gaps.WithLabelValues(kind).Inc()
		}
		if settle != nil {
			settle(err)
		}
	}}})
}

// beginInstance starts a chain of its own. With store it is kept at once.
func (o *Outbox) beginInstance(why string, store bool) error {
	id, err := uuid.NewV7()
	if err != nil {
		return fmt.Errorf("make an instance: %w", err)
	}
	if err := o.setChain(id.String(), 0, [32]byte{}); err != nil {
		return err
	}
	o.committer.rollNext = true // positions of what may be lost are not used again
	o.cfg.Metrics.Instances.Inc()
	o.cfg.Log.Info().Str("instance", id.String()).Str("why", why).Msg("outbox begins a new instance")
	if !store {
		return nil
	}
	o.shelf.mu.Lock()
	h := &o.shelf.head
	h.Identity, h.Instance, h.Sequence, h.Hash = o.committer.identity, id.String(), 0, ""
	o.shelf.mu.Unlock()
	o.writeHead(o.shelf.snapshot())
	return o.committer.head.sync()
}

func (o *Outbox) setChain(instance string, sequence uint64, hash [32]byte) error {
	chain, err := wire.NewChain(wire.ChainConfig{
		Signer: o.cfg.Signer, Org: o.cfg.Org, Sidecar: o.cfg.Sidecar, Version: o.cfg.Version,
		Instance: instance, LastSequence: sequence, LastHash: hash,
	})
	if err != nil {
		return err
	}
	o.committer.chain, o.committer.instance = chain, instance
	return nil
}
