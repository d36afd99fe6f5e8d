package pgtap

import (
	"context"
	"strings"
)

// Which electors are in a table that a statement has made, the table itself is asked, in the client's own session and transaction,
// between its requests: with messages whose answers go to nobody.

const (
	askName = "rolltrace_ask"
	savePut = "SAVEPOINT " + askName
	// It takes back nothing but an error of the question.
	saveBack = "ROLLBACK TO SAVEPOINT " + askName
	saveEnd  = "RELEASE SAVEPOINT " + askName
)

// An asking is the deed whose table is being asked.
type asking struct {
	of *pending // nil while none is
}

// unasked is a deed whose table has still to be asked; nil for none.
func (b *back) unasked() *pending {
	for _, deeds := range [][]pending{b.state.deeds, b.waiting} {
		for i := range deeds {
			if deeds[i].ask != nil {
				return &deeds[i]
			}
		}
	}
	return nil
}

// ask asks the server, when a request has ended in a transaction of this status, and says whether it does. The client's
// ReadyForQuery waits for the answer.
func (b *back) ask(ctx context.Context, status byte) (bool, error) {
	for {
		d := b.unasked()
		if d == nil {
			return false, nil
		}
		target := d.ask
		if status == 'E' {
			d.ask = nil
			continue
		}
		var message []byte
		var items []item
		say := func(sql string, kinds string) {
			message = question(message, sql)
			for _, kind := range []byte(kinds) {
				i := item{kind: kind, flags: swallow | ours}
				if kind == 'D' {
					i.flags |= ofPortal
				}
				if kind == 'E' || kind == 'D' {
					i.returns = &returns{targets: []*Target{target}}
				}
				items = append(items, i)
			}
		}
		if status == 'T' {
			say(savePut, "CCPBECCS")
		}
		say(selection(target), "CCPBDECCS")
		if status == 'T' {
			say(saveBack, "CCPBECCS")
			say(saveEnd, "CCPBECCS")
		}
		items[len(items)-1].flags = ours // its answer is the client's
		asked, err := b.track.ask(items, func() error {
			b.toServer.Lock()
			defer b.toServer.Unlock()
			_, err := b.server.Write(message)
			return err
		})
		if err != nil {
			return false, serverError{err}
		}
		d.ask = nil // asked once
		if asked {
			b.asking = asking{of: d}
			return true, nil
		}
	}
}

// question is a statement in the extended protocol, whose result nobody may ask for in parts. What the client has
// prepared without a name stays.
func question(dst []byte, sql string) []byte {
	dst = forget(dst) // what is left of a question that the server refused
	dst = own(dst, 'P', askName+"\x00"+sql+"\x00\x00\x00")
	dst = own(dst, 'B', askName+"\x00"+askName+"\x00\x00\x00\x00\x00\x00\x00")
	if strings.HasPrefix(sql, "SELECT") {
		dst = own(dst, 'D', "P"+askName+"\x00")
	}
	dst = own(dst, 'E', askName+"\x00\x00\x00\x00\x00")
	return own(forget(dst), 'S', "")
}

func forget(dst []byte) []byte {
	return own(own(dst, 'C', "P"+askName+"\x00"), 'C', "S"+askName+"\x00")
}

// selection is what reads a target's identifiers.
func selection(t *Target) string {
	var columns []string
	for _, id := range t.IDs {
		columns = append(columns, quoted(id.Column))
	}
	table := quoted(t.Name)
	if t.Schema != "" {
		table = quoted(t.Schema) + "." + table
	}
	return "SELECT " + strings.Join(columns, ", ") + " FROM " + table
}

func quoted(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

// answered takes note of an answer to the tap's own question. It says that the answer is the client's ReadyForQuery.
func (b *back) answered(r reply, kind byte, body []byte) (done bool) {
	switch kind {
	case 'T':
		if p := b.hidden.conceal(r.item.returns.target(0), body); p != nil {
			b.hidden.described = p
		}
	case 'E':
		if b.hidden.active {
			b.hidden.end().drop()
		}
	case 'C':
		if b.hidden.active {
			b.asking.of.pile = b.hidden.end()
		}
	case 'Z':
		if r.item.flags&swallow != 0 {
			return false
		}
		if d := b.asking.of; d == nil {
			return true
		} else if d.pile != nil && !d.deed.Nested && d.pile.records != d.records {
			d.pile.drop() // somebody has changed the table since
			d.pile = nil
		} else if d.pile != nil {
			d.records = d.pile.records
		}
		b.asking = asking{}
		return true
	}
	return false
}

// ready takes note of the end of a request. held says that the client does not hear of it yet.
func (b *back) ready(ctx context.Context, body []byte) (held bool, err error) {
	b.plan, b.described, b.part = nil, nil, 0
	if len(body) != 1 {
		return false, nil
	}
	status := body[0]
	b.wrote.last, b.wrote.now = b.wrote.now, false
	b.status.Store(uint32(status))
	committed := b.state.ready(status)
	for _, d := range committed {
		if d.ask != nil {
			b.waiting = append(b.waiting, committed...)
			committed = nil
			break
		}
	}
	if err := b.commit(ctx, committed); err != nil {
		return false, err
	}
	if path, before := b.state.now[settingPath], b.path.Load(); before == nil || *before != path {
		b.path.Store(&path)
	}
	if held, err = b.ask(ctx, status); held || err != nil {
		return held, err
	}
	waiting := b.waiting
	b.waiting = nil
	if err := b.commit(ctx, waiting); err != nil {
		return false, err
	}
	if len(b.state.deeds) == 0 {
		b.owes.Store(false)
	}
	if !b.state.altered {
		b.track.settle()
	}
	b.announce()
	if b.tap.draining() {
		b.look()
	}
	return false, nil
}
