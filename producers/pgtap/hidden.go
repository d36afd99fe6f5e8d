package pgtap

import (
	"bytes"
	"encoding/binary"
	"fmt"
)

// A hidden result is one that the tap has asked for, and not the client: the identifiers of what a statement has changed. Its
// rows go to nobody.
type hidden struct {
	active    bool
	plan      *plan
	described *plan // of the portal that was described last, if its rows will be hidden
	keyers    []Keyer
	harvest   harvest
	pile      *pile // what was read; nil while nothing is
	drop      int   // bytes of a row that is too long
	last      struct {
		body   []byte
		target *Target
		plan   *plan
	}
}

// conceal is the plan of a hidden result with these columns; nil if it is not the one that was asked for.
func (h *hidden) conceal(target *Target, body []byte) *plan {
	if h.last.target == target && bytes.Equal(h.last.body, body) {
		return h.last.plan
	}
	columns, ok := parseColumns(body, nil)
	if !ok || len(columns) != len(target.IDs) {
		return nil
	}
	origins := make([]Origin, len(columns))
	for i, id := range target.IDs {
		origins[i] = Origin{Place: "x/y/z", Space: id.Space} // the place is the deed's
	}
	p := newPlan(columns, origins)
	h.last.body, h.last.target, h.last.plan = append(h.last.body[:0], body...), target, p
	return p
}

// begin makes ready for its rows.
func (h *hidden) begin(s *session, p *plan) {
	h.active, h.plan = true, p
	h.harvest.begin(p)
	h.keyers = h.keyers[:0]
	for _, space := range p.sets {
		h.keyers = append(h.keyers, s.keyer(space))
	}
	h.pile = newPile(p.sets)
}

// end returns what was read.
func (h *hidden) end() *pile {
	read := h.pile
	h.active, h.pile = false, nil
	return read
}

// hide reads the rows from a position on, and takes them away. more says that another message comes behind them.
func (b *back) hide(at int) (more bool, err error) {
	h := &b.hidden
	end := at
	defer func() { b.remove(at, end) }()
	if h.drop > 0 {
		n := min(h.drop, b.in.to-at)
		h.drop -= n
		end += n
		if h.drop > 0 {
			return false, nil
		}
	}
	for ; b.in.to-end >= headerSize && b.in.data[end] == 'D'; more = true {
		length := int(binary.BigEndian.Uint32(b.in.data[end+1:]))
		if length < 4 || length > maxMessage {
			return false, fmt.Errorf("%w: the server sent a message of %d bytes", errProtocol, length)
		}
		if have := b.in.to - end; have < 1+length {
			if length > maxCopyRow {
				h.harvest.row()
				h.drop = 1 + length - have
				end = b.in.to
			}
			break
		}
		if err := h.harvest.take(h.plan, b.in.data[end+headerSize:end+1+length]); err != nil {
			return false, err
		}
		end += 1 + length
	}
	h.harvest.key(h.keyers)
	h.pile.add(h.harvest.keys, h.harvest.unkeyed, h.harvest.records)
	h.harvest.empty()
	return b.in.to-end >= headerSize && b.in.data[end] != 'D', nil
}

// remove takes away bytes that were read, before all that was not looked at.
func (b *back) remove(from, to int) {
	if from < to {
		b.in.to = from + copy(b.in.data[from:], b.in.data[to:b.in.to])
	}
}

// gather keeps the electors that came back of rows which the statement has changed.
func (b *back) gather(p *plan) {
	if p == nil || p.mode != listed || b.refined.to != p || len(b.refined.by.Deeds) == 0 || b.harvest.records == 0 {
		return
	}
	if b.returned == nil {
		b.returned = newPile(p.sets)
	}
	b.returned.add(b.harvest.keys, b.harvest.unkeyed, b.harvest.records)
}

var noData = []byte{'n', 0, 0, 0, 4}

// shift takes what was put into a statement's text out of an error's position, and returns the message's new length.
func (b *back) shift(at, total int, edits []Edit) int {
	fields := b.in.data[at+headerSize : at+total]
	for i := 0; i < len(fields) && fields[i] != 0; {
		end := bytes.IndexByte(fields[i:], 0)
		if end < 0 {
			return total
		}
		if fields[i] != 'P' {
			i += end + 1
			continue
		}
		position := 0
		for _, c := range fields[i+1 : i+end] {
			position = 10*position + int(c-'0')
		}
		before := position
		for n := len(edits) - 1; n >= 0; n-- {
			put := edits[n].At
			for _, earlier := range edits[:n] {
				put += earlier.Length
			}
			if before > put {
				position -= min(edits[n].Length, before-put)
			}
		}
		text := fmt.Append(nil, position)
		from := at + headerSize + i + 1
		b.remove(from+copy(b.in.data[from:], text), from+end-1)
		total -= end - 1 - len(text)
		binary.BigEndian.PutUint32(b.in.data[at+1:], uint32(total-1))
		return total
	}
	return total
}
