package pgtap

import (
	"context"
	"fmt"
	"slices"

	"github.com/rolltrace/rolltrace/schema"
)

// unknownPart is a statement of which nothing is known.
var unknownPart = &Part{Unknown: true}

// currentPart is what the statement that the server answers does; nil if nobody reads statements.
func (b *back) currentPart(of item) *Part {
	if b.tap.cfg.Analyst == nil || b.tap.cfg.Catalogue == nil || b.replicates {
		return nil
	}
	n := b.part
	if of.kind != 'Q' {
		n = 0
	}
	if of.statement == nil || n >= len(of.statement.Parts) {
		return unknownPart
	}
	p := &of.statement.Parts[n]
	if b.state.altered && p.Query != nil && !p.Nameless {
		return unknownPart
	}
	if p.Use != "" {
		if body := b.state.bodies[p.Use]; body != nil {
			return body
		}
		return unknownPart
	}
	return p
}

// reading is what a statement does with configured tables; nil if that cannot be told.
func (b *back) reading(ctx context.Context, p *Part) (*Reading, error) {
	switch {
	case p.Unknown:
		return nil, nil
	case p.Query == nil:
		return &Reading{Gap: -1}, nil
	}
	read, err := b.tap.cfg.Catalogue.Read(ctx, Session{Database: b.who.Database, User: b.who.User, Path: b.state.now[settingPath]}, p.Query)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errUntraced, err)
	}
	return read, nil
}

// refine adds to a plan what the statement says of columns that have no table.
func (b *back) refine(ctx context.Context, p *plan, part *Part) (*plan, error) {
	read, err := b.reading(ctx, part)
	switch {
	case err != nil:
		return nil, err
	case read == nil:
		if p.mode == listed || !p.expressions {
			return p, nil
		}
		return p.besides(newOpaquePlan(b.tap.cfg.Catalogue.Places(b.who.Database))), nil
	case len(read.Reads) == 0:
		return p, nil
	}
	if b.refined.from == p && b.refined.by == read {
		return b.refined.to, nil
	}
	to := p.refine(read)
	b.refined.from, b.refined.by, b.refined.to = p, read, to
	return to, nil
}

// refine is the plan of a result of which the reading is known.
func (p *plan) refine(read *Reading) *plan {
	origins := slices.Clone(p.origins)
	if traced, _, ok := read.fit(len(p.columns)); ok {
		for i, c := range p.columns {
			if c.Table == 0 && origins[i].Place == "" {
				origins[i] = traced[i]
			}
		}
	}
	to := newPlan(p.columns, origins)
	to.columns, to.origins, to.expressions = p.columns, p.origins, p.expressions
	switch {
	case to.mode == listed:
		to.alsoFrom(read.Also)
		if read.Carries {
			to.beside = newOpaquePlan(read.Reads)
		}
	case read.Opaque || read.Carries:
		return to.besides(newOpaquePlan(read.Reads))
	default:
		to.mode = counted
		to.alsoFrom(read.Reads)
	}
	to.name = to.sign()
	return to
}

// besides is another plan for a result, with the fields that are known.
func (p *plan) besides(other *plan) *plan {
	if other.mode == unseen {
		return p
	}
	for i, in := range other.inputs {
		for _, known := range p.inputs {
			if known.Place == in.Place {
				other.inputs[i] = known
			}
		}
	}
	other.fields, other.name = p.fields, other.sign()
	return other
}

// alsoFrom adds places to the inputs.
func (p *plan) alsoFrom(places []schema.Place) {
	for _, place := range places {
		if len(p.inputs) < schema.MaxInputs && !slices.ContainsFunc(p.inputs, func(in schema.Input) bool { return in.Place == place }) {
			p.inputs = append(p.inputs, schema.Input{Place: place})
		}
	}
	slices.SortFunc(p.inputs, func(a, b schema.Input) int {
		switch {
		case a.Place < b.Place:
			return -1
		case a.Place > b.Place:
			return 1
		}
		return 0
	})
	p.name = p.sign()
}

// fit gives each of n columns its origin and type. ok is false when it cannot be told which is which.
func (r *Reading) fit(n int) (origins []Origin, types []uint32, ok bool) {
	gap := n - len(r.Origins)
	switch {
	case r.Vague || gap < 0 || r.Gap < 0 && gap != 0:
		return nil, nil, false
	case gap == 0:
		return r.Origins, r.Types, true
	}
	return slices.Concat(r.Origins[:r.Gap], make([]Origin, gap), r.Origins[r.Gap:]),
		slices.Concat(r.Types[:r.Gap], make([]uint32, gap), r.Types[r.Gap:]), true
}

// copyPlan is what is recorded of a COPY of n columns. readable says that its rows can be read.
func (b *back) copyPlan(ctx context.Context, part *Part, n int, binary bool) (p *plan, readable bool, err error) {
	var read *Reading
	if part != nil {
		if read, err = b.reading(ctx, part); err != nil {
			return nil, false, err
		}
	}
	if read == nil {
		p = newOpaquePlan(b.tap.cfg.Catalogue.Places(b.who.Database))
		if p.mode == opaque {
			p.mode = counted
			p.name = p.sign()
		}
		return p, false, nil
	}
	if len(read.Reads) == 0 {
		return unseenPlan, false, nil
	}
	p = &plan{columns: make([]Column, n), origins: make([]Origin, n)}
	if _, types, ok := read.fit(n); ok {
		for i := range p.columns {
			p.columns[i] = Column{Type: types[i], Binary: binary}
		}
	}
	p = p.refine(read)
	return p, part.Copy != nil, nil
}
