package pgtap

import (
	"bytes"
	"context"
	"fmt"
)

// A fate is what becomes of a message of the server that is not a row.
type fate uint8

const (
	goesOn      fate = iota
	isSwallowed      // it answers the tap, not the client
	isNoData         // it goes on as NoData: what it describes is the tap's alone
)

// control takes note of a message that is not a row, and says what becomes of it. edits are what an error's position
// has to be freed of.
func (b *back) control(ctx context.Context, kind byte, body []byte, complete bool) (becomes fate, edits []Edit, err error) {
	switch kind {
	case 'S':
		b.parameter(body)
		return goesOn, nil, nil
	case 'c': // CopyDone: CommandComplete follows
		return goesOn, nil, nil
	case 'K':
		key := append([]byte(nil), body...)
		b.key.Store(&key)
		if b.replicates {
			if err := b.beginWhole(ctx); err != nil {
				return goesOn, nil, err
			}
		}
	}
	r := b.track.answer(kind)
	if r.unexpected {
		return goesOn, nil, fmt.Errorf("%w: the server sent a message of type %q that nobody asked for", errProtocol, kind)
	}
	if r.item.flags&ours != 0 {
		if !b.answered(r, kind, body) {
			return isSwallowed, nil, nil
		}
	}
	switch kind {
	case 'T', 'n':
		if becomes, err = b.describe(ctx, kind, r.item, body, complete); err != nil {
			return goesOn, nil, err
		}
	case '2': // BindComplete: another portal
		b.described, b.hidden.described = nil, nil
		b.plan = nil
	case 'H':
		if b.replicates { // a backup, or what is recorded as whole anyway
			b.plan = unseenPlan
		} else if err := b.openCopy(ctx, body, r.item); err != nil {
			return goesOn, nil, err
		}
	case 'G':
		b.plan = unseenPlan
		if err := b.openEntry(ctx, body, r.item); err != nil {
			return goesOn, nil, err
		}
	case 'W':
		b.plan = unseenPlan
		b.track.enter(nil)
	case 'V':
		if err := b.call(ctx, r.item); err != nil {
			return goesOn, nil, err
		}
	case 'C', 'I', 's', 'E':
		if err := b.close(ctx, r, kind, body); err != nil {
			return goesOn, nil, err
		}
		if kind == 'E' && r.item.returns != nil {
			return goesOn, r.item.returns.edits, nil
		}
	case 'Z':
		held, err := b.ready(ctx, body)
		if held {
			becomes = isSwallowed
		}
		return becomes, nil, err
	}
	if r.item.flags&swallow != 0 && kind != 'E' {
		becomes = isSwallowed
	}
	return becomes, nil, nil
}

// describe takes note of a description.
func (b *back) describe(ctx context.Context, kind byte, of item, body []byte, complete bool) (fate, error) {
	n := 0
	if of.kind == 'Q' {
		n = b.part
	}
	if target := of.returns.target(n); kind == 'T' && target != nil && complete {
		if p := b.hidden.conceal(target, body); p != nil {
			if of.kind == 'Q' {
				b.hidden.begin(b.session, p)
				return isSwallowed, nil
			}
			if of.flags&ofPortal != 0 {
				b.hidden.described = p
			}
			return isNoData, nil
		}
	}
	p := unseenPlan
	if kind == 'T' {
		var err error
		if p, err = b.trace(ctx, body, complete); err != nil {
			return goesOn, err
		}
	}
	switch {
	case of.kind == 'Q':
		return goesOn, b.open(ctx, p, of)
	case of.flags&ofPortal != 0:
		b.described = p
	}
	return goesOn, nil
}

// parameter takes note of what the server says of the session.
func (b *back) parameter(body []byte) {
	name, rest, _ := bytes.Cut(body, []byte{0})
	if string(name) != "application_name" {
		return
	}
	value, _, _ := bytes.Cut(rest, []byte{0})
	b.who.Application = string(value)
}
