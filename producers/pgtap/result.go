package pgtap

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
)

// ended makes keys of what was read, before the bytes move. It is always false.
func (b *back) ended() bool {
	if b.plan.recordsElectors() {
		b.harvest.key(b.keyers)
	}
	return false
}

// endLarge ends a large result when everything up to its end has gone.
func (b *back) endLarge(ctx context.Context) error {
	err := b.piece(ctx)
	large := b.large
	if b.large = nil; large == nil {
		return err // withdrawn
	}
	err = large.end(err)
	b.torn = large.torn
	return err
}

// openPortal begins the result of an Execute: its rows come without a word before them.
func (b *back) openPortal(ctx context.Context) error {
	of := b.track.now()
	if of.kind == 'E' && of.returns != nil && b.hidden.described != nil {
		b.hidden.begin(b.session, b.hidden.described)
		return nil
	}
	if of.kind != 'E' || b.described == nil {
		return fmt.Errorf("%w: the server sent rows that it has not described", errProtocol)
	}
	return b.open(ctx, b.described, of)
}

var unseenPlan = &plan{}

// unbind takes channel binding out of the SASL mechanisms that the server offers over TLS to a client without it, whose
// libraries would refuse an offer that cannot be meant for them. It returns the message's length.
func (b *back) unbind(at, total int) int {
	message := b.in.data[at : at+total]
	const sasl, plus = 10, "SCRAM-SHA-256-PLUS\x00"
	if total < headerSize+4 || binary.BigEndian.Uint32(message[headerSize:]) != sasl {
		return total
	}
	mechanism := bytes.Index(message, []byte(plus))
	if mechanism < 0 {
		return total
	}
	from := at + mechanism
	copy(b.in.data[from:], b.in.data[from+len(plus):b.in.to])
	b.in.to -= len(plus)
	total -= len(plus)
	binary.BigEndian.PutUint32(b.in.data[at+1:], uint32(total-1))
	return total
}

// trace finds out what is recorded of a result with these columns.
func (b *back) trace(ctx context.Context, body []byte, complete bool) (*plan, error) {
	catalogue := b.tap.cfg.Catalogue
	if catalogue == nil {
		return unseenPlan, nil
	}
	if !complete {
		return nil, fmt.Errorf("%w: the server sent a description of more than %d bytes", errProtocol, maxControl)
	}
	generation := catalogue.Generation()
	if b.last.plan != nil && b.last.generation == generation && bytes.Equal(b.last.body, body) {
		return b.last.plan, nil
	}
	var ok bool
	if b.columns, ok = parseColumns(body, b.columns[:0]); !ok {
		return nil, fmt.Errorf("%w: the server sent a description that is not well formed", errProtocol)
	}
	var err error
	if b.origins, err = catalogue.Trace(ctx, b.who.Database, b.columns, b.origins[:0]); err != nil {
		return nil, fmt.Errorf("%w: %w", errUntraced, err)
	}
	p := newPlan(b.columns, b.origins)
	if b.tap.cfg.Analyst != nil {
		p.describe(b.columns, b.origins)
	}
	if len(body) <= 8<<10 {
		b.last.body, b.last.generation, b.last.plan = append(b.last.body[:0], body...), generation, p
	}
	return p, nil
}

// open begins a result.
func (b *back) open(ctx context.Context, p *plan, of item) (err error) {
	if part := b.currentPart(of); part != nil {
		if p, err = b.refine(ctx, p, part); err != nil {
			return err
		}
	}
	if b.plan = p; b.plan.recordsElectors() {
		if b.regret.cause != nil { // its rows go to nobody
			b.plan = unseenPlan
			return nil
		}
		b.begin(of)
	}
	return nil
}

// begin makes ready for rows that are recorded.
func (b *back) begin(of item) {
	b.harvest.begin(b.plan)
	b.keyers = b.keyers[:0]
	for _, space := range b.plan.sets {
		b.keyers = append(b.keyers, b.keyer(space))
	}
	if b.plan.text = ""; of.statement != nil {
		b.plan.text = of.statement.Text
	}
	who := b.whom(of.statement)
	b.flow = flow{plan: b.plan.name, route: b.tap.route(who), user: b.recordedBy.User, host: b.recordedBy.Host}
	if beside := b.plan.beside; beside != nil {
		f := b.flow
		f.plan = beside.name
		if batch := b.tap.ledger.add(f, beside, b.recorder, &harvest{}); batch != nil {
			b.batches = append(b.batches, batch)
		}
	}
}

// close ends a statement and its result. The electors of a small one go into the window.
func (b *back) close(ctx context.Context, r reply, kind byte, body []byte) error {
	p := b.plan
	b.plan = nil
	if err := b.closeResult(p, kind); err != nil {
		return err
	}
	switch kind {
	case 'C':
		tag, _, _ := bytes.Cut(body, []byte{0})
		if err := b.completed(ctx, r.item, string(tag)); err != nil {
			return err
		}
	case 'E':
		if err := b.failed(ctx, r.item, body); err != nil {
			return err
		}
	}
	if r.item.kind == 'Q' {
		b.part++
	}
	return nil
}

// completed takes note of what the statement has done.
func (b *back) completed(ctx context.Context, of item, tag string) error {
	part := b.currentPart(of)
	if part == nil {
		return nil
	}
	if alters(tag) {
		b.changed = true
	}
	own := part
	if of.statement != nil && of.kind == 'Q' && b.part < len(of.statement.Parts) {
		own = &of.statement.Parts[b.part]
	}
	b.wrote.now = b.wrote.now || !own.Reads && !part.Reads
	if own.Unknown {
		own = nil
	}
	if err := b.commit(ctx, b.state.done(own, tag)); err != nil {
		return err
	}
	b.announce()
	return b.deeds(ctx, of, part, tag)
}

// announce says that names stand for something else when that has been committed.
func (b *back) announce() {
	if b.changed && !b.state.altered && b.tap.cfg.Catalogue != nil {
		b.changed = false
		b.tap.cfg.Catalogue.Changed(b.who.Database)
	}
}

// closeResult ends a result.
func (b *back) closeResult(p *plan, kind byte) error {
	if !p.recordsElectors() || b.large != nil {
		if b.large != nil {
			b.harvest.key(b.keyers)
			b.gather(p)
			b.large.interrupted = kind == 'E'
		}
		return nil
	}
	if err := b.unhold(); err != nil {
		return err
	}
	if b.harvest.records == 0 {
		return nil
	}
	b.harvest.key(b.keyers)
	b.tap.metrics.Rows.Add(float64(b.harvest.records))
	if p.mode == opaque {
		b.harvest.records = 0
	}
	b.gather(p)
	if batch := b.tap.ledger.add(b.flow, p, b.recorder, &b.harvest); batch != nil {
		b.batches = append(b.batches, batch)
	}
	b.harvest.empty()
	return nil
}
