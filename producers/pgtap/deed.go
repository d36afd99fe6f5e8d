package pgtap

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strconv"

	"github.com/rolltrace/rolltrace/schema"
	form "github.com/rolltrace/rolltrace/schema/wire"
)

// A pending deed is one of a transaction that has not committed yet.
type pending struct {
	deed    Deed
	records uint64
	pile    *pile   // which electors; nil while that is not known
	ask     *Target // the table that says it; nil for none, or when it has been asked
	text    string
	who     Client
}

// deeds notes what a statement that the server has completed has done to places; it counts when the transaction commits.
func (b *back) deeds(ctx context.Context, of item, part *Part, tag string) error {
	read := b.returned
	b.returned = nil
	if b.hidden.active {
		read = b.hidden.end()
	}
	unused := read
	defer func() { unused.drop() }()
	if part.Query == nil || !does(tag) {
		return nil
	}
	reading, err := b.reading(ctx, part)
	if err != nil || reading == nil {
		return err
	}
	entered := b.track.entered()
	for i := range reading.Deeds {
		d := reading.Deeds[i]
		next := pending{deed: d, who: b.whom(of.statement)}
		if of.statement != nil {
			next.text = of.statement.Text
		}
		if !d.Nested {
			next.records = affected(tag)
			if next.records == 0 && d.Verb != Empty {
				continue
			}
		}
		if len(reading.Deeds) == 1 {
			switch {
			case entered != nil && d.Verb == Enter:
				next.pile = entered.done(next.records)
			case read != nil:
				next.pile, unused = read, nil
			case d.Target != nil && !d.Target.Returns:
				next.ask = d.Target
			}
		}
		if d.Verb == Unload { // what has left has left, whatever the transaction does
			if err := b.recordDeed(ctx, next); err != nil {
				return errors.Join(errNotRecorded, err)
			}
			continue
		}
		b.state.add(next)
		b.owes.Store(true)
	}
	return nil
}

// failed notes what a statement that the server has not completed may have done all the same: part of what it was to write on
// the server may be there.
func (b *back) failed(ctx context.Context, of item, body []byte) error {
	b.state.failed()
	b.returned.drop()
	b.returned = nil
	if b.hidden.active {
		b.hidden.end().drop()
	}
	part := b.currentPart(of)
	if part == nil || part.Query == nil || bytes.Contains(body, []byte("\x00C42")) {
		return nil // it was refused
	}
	read, err := b.reading(ctx, part)
	if err != nil || read == nil {
		return nil // the server has said more of it already
	}
	for _, d := range read.Deeds {
		if d.Verb == Unload {
			d.Whole, d.Nested = false, true
			next := pending{deed: d, who: b.whom(of.statement)}
			if err := b.recordDeed(ctx, next); err != nil {
				return errors.Join(errNotRecorded, err)
			}
		}
	}
	return nil
}

// maxDeeds is how many deeds of a transaction are kept apart. Of more, what they were is known, and no longer whose.
const maxDeeds = 4096

// add notes a deed. It is put together with the one before it, if it goes the same way.
func (s *state) add(next pending) {
	if n := len(s.deeds); n > 0 && !slices.ContainsFunc(s.saves, func(saved save) bool { return saved.deeds == n }) {
		last := &s.deeds[n-1]
		if last.alike(next) && last.ask == nil && next.ask == nil && (last.pile == nil) == (next.pile == nil) &&
			(last.pile == nil || slices.Equal(last.pile.sets, next.pile.sets)) && last.deed.Verb != Empty {
			last.records += next.records
			if last.pile != nil && last.pile.take(next.pile) != nil {
				last.pile.drop()
				last.pile = nil
			}
			return
		}
	}
	if len(s.deeds) < maxDeeds {
		s.deeds = append(s.deeds, next)
		return
	}
	for i := range s.deeds {
		if d := &s.deeds[i]; d.alike(next) {
			d.records += next.records
			d.pile.drop()
			next.pile.drop()
			d.pile, d.ask = nil, nil
			return
		}
	}
	next.pile.drop()
	next.pile, next.ask = nil, nil
	s.deeds = append(s.deeds, next)
}

// alike says whether two deeds are recorded as one.
func (p *pending) alike(other pending) bool {
	return p.deed.Verb == other.deed.Verb && p.deed.To == other.deed.To && slices.Equal(p.deed.From, other.deed.From) &&
		slices.Equal(p.deed.Fields, other.deed.Fields) && p.deed.Nested == other.deed.Nested && p.deed.Whole == other.deed.Whole &&
		p.who.Application == other.who.Application
}

// does says whether a statement of this answer may have changed anything.
func does(tag string) bool {
	switch word, _, _ := bytes.Cut([]byte(tag), []byte{' '}); string(word) {
	case "FETCH", "MOVE", "BEGIN", "SET", "SHOW", "DECLARE":
		return false
	}
	return true
}

// affected is the number at the end of the server's answer.
func affected(tag string) uint64 {
	n, err := strconv.ParseUint(tag[bytes.LastIndexByte([]byte(tag), ' ')+1:], 10, 64)
	if err != nil {
		return 0
	}
	return n
}

// commit records deeds of a transaction that has committed: before the client learns of it. Those of which a table has still
// to be asked wait for the end of the request.
func (b *back) commit(ctx context.Context, deeds []pending) error {
	for i, d := range deeds {
		if d.ask != nil {
			b.waiting = append(b.waiting, d)
			continue
		}
		if err := b.recordDeed(ctx, d); err != nil {
			for _, missed := range deeds[i:] {
				b.miss(ctx, missed)
			}
			return errors.Join(errNotRecorded, err)
		}
	}
	return nil
}

// miss records that a deed of a transaction that has committed could not be recorded.
func (b *back) miss(ctx context.Context, d pending) {
	d.pile.drop()
	now, err := b.tap.cfg.Outbox.Now(ctx)
	if err != nil {
		return
	}
	gap := &form.Gap{Place: d.deed.To, From: now, To: now, Records: d.records, Why: "outbox full or out of order"}
	if gap.Place == "" {
		gap.Place = d.deed.From[0]
	}
	if _, err := b.tap.cfg.Outbox.Append(ctx, form.Draft{Gap: gap}); err != nil {
		b.log.Error().Err(err).Msg("a committed change could not be recorded, and neither could that")
	}
}

// recordDeed records a deed, and returns when it is durable or, of a small one, when it is on its way: then settle waits for it.
func (b *back) recordDeed(ctx context.Context, d pending) error {
	defer d.pile.drop() // d is changed below, the pile is not
	route := b.tap.route(d.who)
	p := &plan{mode: counted, text: d.text, fields: d.deed.Fields}
	for _, place := range d.deed.From[:min(len(d.deed.From), schema.MaxInputs)] {
		p.inputs = append(p.inputs, schema.Input{Place: place})
	}
	if !d.turn(b, p, &route) {
		return nil
	}
	f := flow{route: route, user: b.recordedBy.User, host: b.recordedBy.Host}
	if d.pile != nil && d.pile.fault != nil {
		d.pile = nil
	}
	if d.deed.Verb == Destroy || d.deed.Verb == Empty {
		b.tap.ledger.part(d.deed.From[0])
	}
	whole := d.pile == nil && (d.deed.Verb == Empty || d.deed.Whole)
	// One that takes electors away, or everything, is a movement of its own: its moment decides what it does.
	if whole || d.pile != nil && (d.deed.Verb == Destroy || !d.pile.small()) {
		return b.recordAlone(ctx, f, p, d, whole)
	}
	h := &harvest{records: d.records}
	if d.pile != nil {
		p.mode, p.sets = listed, d.pile.sets
		h.keys, h.unkeyed, h.records = d.pile.keys, d.pile.unkeyed, d.pile.records
	}
	p.name = p.sign()
	for _, field := range p.fields {
		p.name += "," + field
	}
	f.plan = p.name
	if batch := b.tap.ledger.add(f, p, b.recorder, h); batch != nil {
		b.batches = append(b.batches, batch)
		d.pile = nil
		b.recorded = append(b.recorded, d)
	}
	return nil
}

// turn makes the route one of a deed, and says whether anything is to be recorded.
func (d *pending) turn(b *back, p *plan, route *Route) bool {
	client := route.Output
	route.Output = d.deed.To
	switch d.deed.Verb {
	case Enter:
		if d.deed.OnServer {
			client = b.tap.unmapped(d.deed.To)
		}
		if client == d.deed.To {
			return false
		}
		p.inputs = []schema.Input{{Place: client, Fields: d.deed.Fields}}
		if route.Kind = route.Entry; route.Kind == "" {
			route.Kind = schema.Collect
		}
		if route.Kind == schema.Merge {
			p.inputs = append(p.inputs, schema.Input{Place: d.deed.To})
		}
	case Duplicate, Unload:
		if d.deed.Verb == Unload {
			route.Output = b.tap.unmapped(d.deed.From[0])
		}
		route.Kind = schema.Export
		for _, in := range p.inputs {
			if in.Place == route.Output {
				return false // it was there
			}
			if in.Place.Org() != route.Output.Org() {
				route.Kind = schema.Share
			}
		}
	case Destroy, Empty:
		route.Kind, route.Output = schema.Destroy, ""
	}
	return true
}

func (b *back) recordAlone(ctx context.Context, f flow, p *plan, d pending, whole bool) (err error) {
	if d.pile != nil {
		p.sets = d.pile.sets
	}
	m := f.movement(p, b.tap.cfg.KeyID)
	if whole {
		m.Electors.Mode = schema.Whole
	}
	recording, err := b.recorder.Begin(ctx, m)
	b.tap.ledger.settled(err)
	if err != nil {
		return err
	}
	b.tap.metrics.Movements.Inc()
	outcome := schema.Failed
	defer func() { b.tap.ledger.end(recording, outcome, schema.Evidence{Statement: d.text}) }()
	if d.pile == nil {
		recording.Count(d.records)
	} else {
		for i := range d.pile.sets {
			if err := d.pile.each(i, func(keys []schema.Key) error {
				b.tap.metrics.Electors.Add(float64(len(keys)))
				return recording.Add(ctx, i, keys)
			}); err != nil {
				return err
			}
		}
		recording.Count(d.pile.records, d.pile.unkeyed...)
	}
	err = recording.Flush(ctx)
	if b.tap.ledger.settled(err); err == nil {
		outcome = schema.Completed
	}
	return err
}

// call records what a FunctionCall's result may tell, before it goes on.
func (b *back) call(ctx context.Context, of item) error {
	catalogue := b.tap.cfg.Catalogue
	if catalogue == nil {
		return nil
	}
	places, err := catalogue.Function(ctx, b.who.Database, of.function)
	if err != nil {
		return errors.Join(errUntraced, err)
	}
	p := newOpaquePlan(places)
	if !p.recordsElectors() {
		return nil
	}
	b.wrote.now = true // for all that is known
	b.plan = p
	b.begin(of)
	b.plan = nil
	if batch := b.tap.ledger.add(b.flow, p, b.recorder, &b.harvest); batch != nil {
		b.batches = append(b.batches, batch)
	}
	return nil
}
