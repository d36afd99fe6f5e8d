package delimited

import (
	"bytes"
	"fmt"
)

// Rows are what a Scanner found.
type Rows struct {
	// Limit is how many records a Scan adds up to; 0 is no limit.
	Limit int
	// Records is how many records there were, without the header.
	Records int

	text      []byte   // all that was scanned
	scanned   int      // bytes of it that complete records have
	ids       [][]span // of each id column
	unescaped []byte   // identifiers that had quotes in them
}

// A span is where an identifier is: its offset, and in the low bits its length. A third of a slice, and nothing that the
// garbage collector follows.
type span uint64

const (
	lengthBits      = 16
	inUnescaped     = 1 << 63 // not in the text
	maxLength       = 1<<lengthBits - 1
	_           int = maxLength - MaxID // does not compile when an identifier does not fit
)

// Len is how many identifiers there are in the id column with this index in the Config's Columns. A record whose
// column is empty, or not there, has none: it is unkeyed.
func (r *Rows) Len(column int) int {
	if column >= len(r.ids) {
		return 0
	}
	return len(r.ids[column])
}

// Read puts identifiers of an id column into dst, in order, beginning with the one at index from, and returns how many
// they are. They point into the bytes that were scanned.
func (r *Rows) Read(dst [][]byte, column, from int) int {
	if column >= len(r.ids) || from >= len(r.ids[column]) {
		return 0
	}
	spans := r.ids[column][from:]
	n := min(len(dst), len(spans))
	for i, s := range spans[:n] {
		length, at := int(s&maxLength), int(s&^inUnescaped>>lengthBits)
		if s&inUnescaped != 0 {
			dst[i] = r.unescaped[at : at+length : at+length]
		} else {
			dst[i] = r.text[at : at+length : at+length]
		}
	}
	return n
}

// Reset empties the rows and keeps their limit and their memory.
func (r *Rows) Reset() {
	r.Records, r.text, r.scanned = 0, nil, 0
	for i := range r.ids {
		r.ids[i] = r.ids[i][:0]
	}
	r.unescaped = r.unescaped[:0]
}

// extend makes data, which follows what was scanned, part of the text.
func (r *Rows) extend(data []byte, columns int) {
	for len(r.ids) < columns {
		r.ids = append(r.ids, nil)
	}
	if r.scanned == 0 {
		r.text = data
		return
	}
	r.text = r.text[:r.scanned+len(data)]
}

// full says whether the limit is reached.
func (r *Rows) full() bool { return r.Limit > 0 && r.Records >= r.Limit }

func (r *Rows) add(column, at, length int) {
	r.ids[column] = append(r.ids[column], span(at)<<lengthBits|span(length))
}

// addUnescaped adds an identifier that has quotes in it, each written twice.
func (r *Rows) addUnescaped(column int, value []byte) {
	at := len(r.unescaped)
	r.unescaped = appendUnescaped(r.unescaped, value)
	r.ids[column] = append(r.ids[column], span(at)<<lengthBits|span(len(r.unescaped)-at)|inUnescaped)
}

// A SyntaxError is text that cannot be read without guessing.
type SyntaxError struct {
	Record uint64 // from 1, without the header; 0 is the header
	Reason string
}

func (e *SyntaxError) Error() string {
	if e.Record == 0 {
		return "header: " + e.Reason
	}
	return fmt.Sprintf("record %d: %s", e.Record, e.Reason)
}

// A Scanner finds the identifiers in delimited text. It is not safe for concurrent use.
type Scanner struct {
	config    Config
	delimiter byte
	eol       byte
	lenient   bool // quotes that are not well formed are characters
	maxRecord int

	begun   bool // byte order mark, line ends and header are behind
	wanted  []wanted
	records uint64
	retry   int     // how long the data has to be before a record that was cut off is looked at again
	found   []field // of one record, by id column
	marks   marks
}

// retryFrom is the length in bytes from which a record that was cut off is looked at again only when twice
// as much of it has come, so that a huge one in many pieces is not read from its beginning for each.
const retryFrom = 64 << 10

// A field is where the value of one is in its record, without the quotes around it. An empty one is none.
type field struct {
	from, to int
	escaped  bool // it has quotes in it, written twice
}

// A wanted column: where it is, and which of Config.Columns it is.
type wanted struct{ column, id int }

// NewScanner returns a Scanner, or an error that says what is wrong with the configuration.
func NewScanner(config Config) (*Scanner, error) {
	config, err := config.check()
	if err != nil {
		return nil, err
	}
	return &Scanner{
		config:    config,
		delimiter: config.Delimiter,
		lenient:   config.Format == TSV || len(config.Columns) == 0,
		maxRecord: MaxRecord,
		found:     make([]field, len(config.Columns)),
	}, nil
}

// Scan finds the identifiers of the complete records in data, which begins where a record begins, adds
// them to rows, and returns how many bytes the complete records have. Call it again with the rest and what
// comes after it, at the same place in memory or else with rows that were reset, as when these have reached their
// limit. final says that nothing comes after
// data: then all of it is scanned. An error is a *SyntaxError or a *ColumnError, and n and rows stand
// before the record at fault.
func (s *Scanner) Scan(data []byte, final bool, rows *Rows) (n int, err error) {
	if len(data) < s.retry && !final {
		return 0, nil
	}
	s.retry = 0
	rows.extend(data, len(s.config.Columns))
	defer func() { rows.scanned += n }()
	if !s.begun {
		if n, err = s.begin(data, final); err != nil {
			return 0, err
		}
	}
	if s.begun {
		var more int
		more, err = s.scan(data[n:], final, rows, rows.scanned+n)
		n += more
	}
	if n == 0 && err == nil && !final {
		if len(data) > s.maxRecord {
			return 0, s.fault(fmt.Sprintf("longer than %d bytes: a quote that is never closed?", s.maxRecord))
		}
		if len(data) >= retryFrom {
			s.retry = min(2*len(data), s.maxRecord+1)
		}
	}
	return n, err
}

// scan takes complete records. base is where data is in the text of the rows.
func (s *Scanner) scan(data []byte, final bool, rows *Rows, base int) (pos int, err error) {
	for pos < len(data) && !rows.full() {
		var exact bool
		pos, exact = s.masked(data, pos, rows, base)
		if pos == len(data) || rows.full() {
			return pos, nil
		}
		if !exact {
			if !final {
				return pos, nil
			}
			if rest := data[pos:]; len(rest) == 1 && rest[0] == '\r' {
				return len(data), nil // an empty line, as the others
			}
		}
		n, err := s.quoted(data[pos:], final)
		if err == nil && n > 0 {
			err = s.emit(data[pos:pos+n], rows, base+pos)
		}
		if n == 0 || err != nil {
			return pos, err
		}
		rows.Records++
		s.records++
		pos += n
	}
	return pos, nil
}

// quoted finds the identifiers of a record that may have quotes, well formed or not. It returns how long the record is with
// its line end, or 0 when it goes on behind the data.
func (s *Scanner) quoted(data []byte, final bool) (n int, err error) {
	next := 0 // of s.wanted
	clear(s.found)
	r := record{scanner: s, data: data, final: final}
	for r.next() {
		if next < len(s.wanted) && r.column == s.wanted[next].column {
			s.found[s.wanted[next].id] = r.field
			next++
		}
	}
	if r.err != nil || !r.complete {
		return 0, r.err
	}
	return r.at, nil
}

// emit adds what was found in a record to the rows. base is where the record is in their text.
func (s *Scanner) emit(data []byte, rows *Rows, base int) error {
	if len(data) > s.maxRecord {
		return s.fault(fmt.Sprintf("longer than %d bytes", s.maxRecord))
	}
	for _, f := range s.found {
		if f.to-f.from > MaxID {
			return s.tooLong()
		}
	}
	for id, f := range s.found {
		switch {
		case f.to == f.from:
		case f.escaped:
			rows.addUnescaped(id, data[f.from:f.to])
		default:
			rows.add(id, base+f.from, f.to-f.from)
		}
	}
	return nil
}

func (s *Scanner) fault(reason string) error {
	if !s.begun {
		return &SyntaxError{Reason: reason}
	}
	return &SyntaxError{Record: s.records + 1, Reason: reason}
}

func (s *Scanner) tooLong() error {
	return s.fault(fmt.Sprintf("an identifier longer than %d bytes: a quote that is never closed?", MaxID))
}

// appendUnescaped appends the value of a quoted field: each quote within it is written twice.
func appendUnescaped(dst, value []byte) []byte {
	for {
		i := bytes.IndexByte(value, '"')
		if i < 0 {
			return append(dst, value...)
		}
		dst = append(dst, value[:i+1]...)
		value = value[i+2:]
	}
}
