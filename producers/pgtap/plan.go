package pgtap

import (
	"encoding/binary"
	"slices"
	"strings"

	"github.com/rolltrace/rolltrace/schema"
)

// A mode is what is recorded of a result.
type mode uint8

const (
	unseen  mode = iota // nothing: it has no electors
	listed              // the keys of its identifiers
	counted             // how many rows it has
	opaque              // that there was one: how many electors it tells of is not known
)

// A plan is what is recorded of a result, and how its rows are read.
type plan struct {
	mode   mode
	ids    []idColumn // in the order of the columns
	sets   []schema.IDSpace
	inputs []schema.Input
	fields []string
	text   string // of the statement, without constants
	name   string // equal for plans whose results can be one movement

	// What the server has said of the result, for what the statement says of it.
	columns     []Column
	origins     []Origin
	expressions bool  // there are columns that are no table's
	beside      *plan // what is recorded besides, before the first row; nil for nothing
}

// An idColumn is a column of identifiers in a result.
type idColumn struct {
	column int
	set    int // of plan.sets
	value  decoding
}

// newPlan makes the plan of a result from the origins of its columns.
func newPlan(columns []Column, origins []Origin) *plan {
	p := &plan{}
	fieldsOf := map[schema.Place][]string{}
	var places []schema.Place
	for i, o := range origins {
		if o.Place == "" {
			continue
		}
		if _, ok := fieldsOf[o.Place]; !ok {
			places = append(places, o.Place)
			fieldsOf[o.Place] = nil
		}
		if o.Field != "" && !slices.Contains(fieldsOf[o.Place], o.Field) && len(fieldsOf[o.Place]) < schema.MaxFields {
			fieldsOf[o.Place] = append(fieldsOf[o.Place], o.Field)
		}
		if o.Space == "" {
			continue
		}
		set := slices.Index(p.sets, o.Space)
		if set < 0 {
			if len(p.sets) == schema.MaxSets {
				continue
			}
			set = len(p.sets)
			p.sets = append(p.sets, o.Space)
		}
		p.ids = append(p.ids, idColumn{column: i, set: set, value: decodingOf(columns[i])})
	}
	if len(places) == 0 {
		return p
	}
	slices.Sort(places)
	places = places[:min(len(places), schema.MaxInputs)]
	for _, place := range places {
		fields := fieldsOf[place]
		slices.Sort(fields)
		p.inputs = append(p.inputs, schema.Input{Place: place, Fields: fields})
		p.fields = append(p.fields, fields...)
	}
	slices.Sort(p.fields)
	p.fields = slices.Compact(p.fields)
	p.fields = p.fields[:min(len(p.fields), schema.MaxFields)]
	p.mode = counted
	if len(p.ids) > 0 {
		p.mode = listed
	}
	p.name = p.sign()
	return p
}

// describe keeps what the server has said.
func (p *plan) describe(columns []Column, origins []Origin) {
	p.columns, p.origins = slices.Clone(columns), slices.Clone(origins)
	p.expressions = slices.ContainsFunc(columns, func(c Column) bool { return c.Table == 0 })
}

// newOpaquePlan is that of a result that may be made of any of the places.
func newOpaquePlan(places []schema.Place) *plan {
	p := &plan{}
	if len(places) == 0 {
		return p
	}
	p.mode = opaque
	places = slices.Compact(slices.Sorted(slices.Values(places)))
	for _, place := range places[:min(len(places), schema.MaxInputs)] {
		p.inputs = append(p.inputs, schema.Input{Place: place})
	}
	p.name = p.sign()
	return p
}

func (p *plan) sign() string {
	var name strings.Builder
	name.WriteByte('0' + byte(p.mode))
	for _, in := range p.inputs {
		name.WriteByte('|')
		name.WriteString(string(in.Place))
		for _, f := range in.Fields {
			name.WriteByte(',')
			name.WriteString(f)
		}
	}
	for _, s := range p.sets {
		name.WriteByte(';')
		name.WriteString(string(s))
	}
	return name.String()
}

// recordsElectors says whether anything is recorded.
func (p *plan) recordsElectors() bool { return p != nil && p.mode != unseen }

// parseColumns reads the body of a RowDescription.
func parseColumns(body []byte, dst []Column) ([]Column, bool) {
	if len(body) < 2 {
		return nil, false
	}
	n := int(binary.BigEndian.Uint16(body))
	body = body[2:]
	for range n {
		end := slices.Index(body, 0)
		if end < 0 || len(body) < end+1+18 {
			return nil, false
		}
		at := body[end+1:]
		dst = append(dst, Column{
			Table: binary.BigEndian.Uint32(at), Number: int16(binary.BigEndian.Uint16(at[4:])),
			Type: binary.BigEndian.Uint32(at[6:]), Binary: binary.BigEndian.Uint16(at[16:]) == 1,
		})
		body = at[18:]
	}
	return dst, len(body) == 0
}
