package pgtap

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"strconv"
)

// rows reads the rows of a COPY … TO STDOUT. Postgres sends each in a CopyData of its own; in binary the first
// has the header before it.
type rows struct {
	copy   *Copy // nil: how the rows are written is not known
	binary bool
	first  bool // the next message is the first
	field  []byte
}

const binarySignature = "PGCOPY\n\xff\r\n\x00"

// openCopy begins the result of a COPY.
func (b *back) openCopy(ctx context.Context, body []byte, of item) error {
	b.plan = unseenPlan
	if b.tap.cfg.Catalogue == nil {
		return nil
	}
	if len(body) < 3 {
		return fmt.Errorf("%w: the server sent a COPY that is not well formed", errProtocol)
	}
	inBinary := body[0] == 1
	part := b.currentPart(of)
	p, readable, err := b.copyPlan(ctx, part, int(binary.BigEndian.Uint16(body[1:])), inBinary)
	if err != nil {
		return err
	}
	b.rows = rows{binary: inBinary, first: true, field: b.rows.field[:0]}
	if readable {
		b.rows.copy = part.Copy
	}
	if b.regret.cause != nil { // its rows go to nobody
		p = unseenPlan
	}
	if b.plan = p; b.plan.recordsElectors() {
		b.begin(of)
	}
	return nil
}

// openEntry begins the reading of a COPY from the client.
func (b *back) openEntry(ctx context.Context, body []byte, of item) error {
	var reader *entry
	if part := b.currentPart(of); part != nil && part.Copy != nil && len(body) >= 3 && !part.Unknown {
		read, err := b.reading(ctx, part)
		if err != nil {
			return err
		}
		if read != nil && len(read.Deeds) == 1 && read.Deeds[0].Verb == Enter {
			reader = b.newEntry(read, part.Copy, int(binary.BigEndian.Uint16(body[1:])), body[0] == 1)
		}
	}
	b.track.enter(reader)
	return nil
}

// take reads one CopyData. One that is not complete is too long to be held: a row without an identifier.
func (r *rows) take(b *back, body []byte, complete bool) error {
	first := r.first
	r.first = false
	h := &b.harvest
	if r.binary {
		if first && bytes.HasPrefix(body, []byte(binarySignature)) && len(body) >= 19 {
			extension := int(binary.BigEndian.Uint32(body[15:]))
			if extension < 0 || len(body)-19 < extension {
				return fmt.Errorf("%w: the server sent a COPY whose header is not well formed", errProtocol)
			}
			body = body[19+extension:]
		}
		if len(body) == 0 || len(body) == 2 && binary.BigEndian.Uint16(body) == 0xffff {
			return nil // the header alone, or the trailer
		}
		if !complete || b.plan.mode != listed {
			h.row()
			return nil
		}
		return h.take(b.plan, body)
	}
	if first && r.copy != nil && r.copy.Header {
		return nil
	}
	if len(body) == 0 || complete && body[len(body)-1] != '\n' {
		return fmt.Errorf("%w: the server sent a piece of a row in a COPY", errProtocol)
	}
	if complete && b.plan.mode == listed {
		line := bytes.TrimSuffix(body[:len(body)-1], []byte{'\r'})
		if r.copy.CSV {
			r.csv(h, b.plan, line)
		} else {
			r.text(h, b.plan, line)
		}
	}
	h.row()
	return nil
}

func or(c, otherwise byte) byte {
	if c == 0 {
		return otherwise
	}
	return c
}

// text reads a line of COPY's text format.
func (r *rows) text(h *harvest, p *plan, line []byte) {
	delimiter := or(r.copy.Delimiter, '\t')
	column := 0
	for _, id := range p.ids {
		for ; column < id.column; column++ {
			end := bytes.IndexByte(line, delimiter)
			// A delimiter within a value has a backslash before it.
			for end > 0 && escaped(line[:end]) {
				next := bytes.IndexByte(line[end+1:], delimiter)
				if next < 0 {
					end = -1
					break
				}
				end += 1 + next
			}
			if end < 0 {
				return
			}
			line = line[end+1:]
		}
		end := 0
		for end < len(line) && (line[end] != delimiter || escaped(line[:end])) {
			end++
		}
		value := line[:end]
		if string(value) == r.null(`\N`) {
			continue
		}
		if bytes.IndexByte(value, '\\') >= 0 {
			value = h.unescape(value)
		}
		if len(value) > 0 && len(value) <= maxID {
			h.add(id.set, value)
		}
	}
}

func (r *rows) null(otherwise string) string {
	if r.copy.CSV || r.copy.Null != "" {
		return r.copy.Null
	}
	return otherwise
}

// escaped says whether an odd number of backslashes ends the text.
func escaped(text []byte) bool {
	n := 0
	for n < len(text) && text[len(text)-1-n] == '\\' {
		n++
	}
	return n%2 == 1
}

// unescape reads a value of the text format: \b \f \n \r \t \v, a character's number in octal or hexadecimal digits, and a
// backslash before any character that would mean something else.
func (h *harvest) unescape(value []byte) []byte {
	start := len(h.text)
	for i := 0; i < len(value); i++ {
		c := value[i]
		if c == '\\' && i+1 < len(value) {
			i++
			c = value[i]
			if at := bytes.IndexByte([]byte("bfnrtv"), c); at >= 0 {
				c = "\b\f\n\r\t\v"[at]
			} else if number, digits := numbered(value[i:]); digits > 0 {
				c = number
				i += digits - 1
			}
		}
		h.text = append(h.text, c)
	}
	return h.text[start:len(h.text):len(h.text)]
}

// csv reads a record of COPY's CSV format.
func (r *rows) csv(h *harvest, p *plan, line []byte) {
	delimiter, quote := or(r.copy.Delimiter, ','), or(r.copy.Quote, '"')
	escape := or(r.copy.Escape, quote)
	at, column := 0, 0
	for _, id := range p.ids {
		for ; ; column++ {
			wanted := column == id.column
			start, quoted := len(h.text), false
			for at < len(line) && line[at] != delimiter {
				if line[at] != quote {
					if wanted {
						h.text = append(h.text, line[at])
					}
					at++
					continue
				}
				quoted = true
				for at++; at < len(line); at++ {
					if line[at] == escape && at+1 < len(line) && (line[at+1] == quote || line[at+1] == escape) {
						at++
					} else if line[at] == quote {
						at++
						break
					}
					if wanted {
						h.text = append(h.text, line[at])
					}
				}
			}
			ended := at >= len(line)
			at++ // behind the delimiter
			if wanted {
				value := h.text[start:len(h.text):len(h.text)]
				if (quoted || string(value) != r.null("")) && len(value) > 0 && len(value) <= maxID {
					h.add(id.set, value)
				}
				column++
				break
			}
			if ended {
				return
			}
		}
	}
}

// numbered is the character that octal or hexadecimal digits stand for, and how many they are with the x; 0 for none.
func numbered(text []byte) (c byte, digits int) {
	base, most, from := 8, 3, 0
	if text[0] == 'x' {
		base, most, from = 16, 2, 1
	}
	n := 0
	for n < most && from+n < len(text) {
		if _, err := strconv.ParseUint(string(text[from+n]), base, 8); err != nil {
			break
		}
		n++
	}
	if n == 0 {
		return 0, 0
	}
	number, _ := strconv.ParseUint(string(text[from:from+n]), base, 16)
	return byte(number), from + n
}
