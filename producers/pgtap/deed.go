package pgtap

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strconv"

	"github.com/rolltrace/rolltrace/schema"
)

// deeds notes what a statement that the server has completed has done to places; it counts when the transaction commits.
func (b *back) deeds(ctx context.Context, of item, part *Part, tag string) error {
	if part.Query == nil || !does(tag) {
		return nil
	}
	read, err := b.reading(ctx, part)
	if err != nil || read == nil {
		return err
	}
	for i, d := range read.Deeds {
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
		if i == 0 && len(read.Deeds) == 1 && b.returned.sets != nil {
			next.sets, next.keys, next.unkeyed = b.returned.sets, b.returned.keys, b.returned.unkeyed
		}
		if len(b.state.deeds) < maxNames {
			b.state.deeds = append(b.state.deeds, next)
		} else { // so many are summed up: what they were is known, and no longer whose
			b.state.sumUp(next)
		}
	}
	return nil
}

// sumUp adds to a deed of the same kind.
func (s *state) sumUp(p pending) {
	for i, d := range s.deeds {
		if d.deed.Verb == p.deed.Verb && d.deed.To == p.deed.To && slices.Equal(d.deed.From, p.deed.From) {
			s.deeds[i].records += p.records
			s.deeds[i].sets, s.deeds[i].keys, s.deeds[i].unkeyed = nil, nil, nil
			return
		}
	}
	s.deeds = append(s.deeds, p)
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

// keep keeps what came back of the rows that a statement has changed.
func (b *back) keep(p *plan) {
	b.returned.sets = nil
	if p == nil || p.mode != listed || b.large != nil || b.refined.to != p || len(b.refined.by.Deeds) == 0 {
		return
	}
	b.returned.sets = p.sets
	b.returned.keys, b.returned.unkeyed = nil, slices.Clone(b.harvest.unkeyed)
	for _, keys := range b.harvest.keys {
		b.returned.keys = append(b.returned.keys, slices.Clone(keys))
	}
}

// commit records deeds of a transaction that has committed: before the client learns of it.
func (b *back) commit(ctx context.Context, deeds []pending) error {
	for _, d := range deeds {
		if err := b.recordDeed(ctx, d); err != nil {
			return errors.Join(errNotRecorded, err)
		}
	}
	return nil
}

func (b *back) recordDeed(ctx context.Context, d pending) error {
	route := b.tap.route(d.who)
	client := route.Output
	p := &plan{mode: counted, text: d.text}
	for _, place := range d.deed.From[:min(len(d.deed.From), schema.MaxInputs)] {
		p.inputs = append(p.inputs, schema.Input{Place: place})
	}
	route.Output = d.deed.To
	switch d.deed.Verb {
	case Enter:
		if client == d.deed.To {
			return nil
		}
		p.inputs = []schema.Input{{Place: client}}
		if route.Kind = route.Entry; route.Kind == "" {
			route.Kind = schema.Collect
		}
		if route.Kind == schema.Merge {
			p.inputs = append(p.inputs, schema.Input{Place: d.deed.To})
		}
	case Duplicate:
		route.Kind = schema.Export
		for _, in := range p.inputs {
			if in.Place == d.deed.To {
				return nil // it was there
			}
			if in.Place.Org() != d.deed.To.Org() {
				route.Kind = schema.Share
			}
		}
	case Destroy, Empty:
		route.Kind, route.Output = schema.Destroy, ""
	}
	f := flow{route: route, user: b.recordedBy.User, host: b.recordedBy.Host}
	// One that names electors, or takes all away, is a movement of its own: its moment decides what it does.
	if d.sets != nil || d.deed.Verb == Empty {
		return b.recordAlone(ctx, f, p, d)
	}
	p.name = p.sign()
	f.plan = p.name
	if batch := b.tap.ledger.add(f, p, b.recorder, &harvest{records: d.records}); batch != nil {
		b.batches = append(b.batches, batch)
	}
	return nil
}

func (b *back) recordAlone(ctx context.Context, f flow, p *plan, d pending) error {
	p.sets = d.sets
	m := f.movement(p, b.tap.cfg.KeyID)
	if d.deed.Verb == Empty {
		m.Electors.Mode = schema.Whole
	}
	recording, err := b.recorder.Begin(ctx, m)
	if err != nil {
		return err
	}
	b.tap.metrics.Movements.Inc()
	for i, keys := range d.keys {
		if err := recording.Add(ctx, i, keys); err != nil {
			return err
		}
	}
	recording.Count(d.records, d.unkeyed...)
	if err := recording.Flush(ctx); err != nil {
		return err
	}
	b.tap.ledger.end(recording, schema.Completed, schema.Evidence{Statement: d.text})
	return nil
}
