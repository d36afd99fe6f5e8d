package delimited

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"unicode"
)

// endsWindow is how far the scanner looks for an LF before it takes CR for the line end, in bytes.
const endsWindow = 64 << 10

// A ColumnError is an id column that cannot be found. It names the columns that are there, unless the
// first line may be a row: values are never shown.
type ColumnError struct {
	Column string
	Reason string
	Have   []string // nil when the first line may be a row
	Width  int      // how many columns there are
}

func (e *ColumnError) Error() string {
	if e.Have == nil {
		return fmt.Sprintf("id column %q: %s", e.Column, e.Reason)
	}
	quoted := make([]string, len(e.Have))
	for i, name := range e.Have {
		quoted[i] = fmt.Sprintf("%q", name)
	}
	return fmt.Sprintf("id column %q: %s; the columns are %s", e.Column, e.Reason, strings.Join(quoted, ", "))
}

// begin takes what stands before the first record of electors: byte order mark, and header. It leaves
// s.begun false when it has to see more.
func (s *Scanner) begin(data []byte, final bool) (n int, err error) {
	if len(data) < 3 && !final {
		return 0, nil
	}
	if bytes.HasPrefix(data, []byte{0xff, 0xfe}) || bytes.HasPrefix(data, []byte{0xfe, 0xff}) {
		return 0, s.fault("the text is UTF-16: convert it to UTF-8 first")
	}
	bom := 0
	if bytes.HasPrefix(data, []byte("\xef\xbb\xbf")) {
		bom = 3
	}
	window := data[:min(len(data), endsWindow)]
	s.eol = '\n'
	if bytes.IndexByte(window, '\n') < 0 {
		if len(data) < endsWindow && !final {
			return 0, nil
		}
		if bytes.IndexByte(window, '\r') >= 0 {
			s.eol = '\r'
		}
	}
	at := bom
	for at < len(data) && (data[at] == s.eol || data[at] == '\r' && (at+1 == len(data) || data[at+1] == s.eol)) {
		at++ // an empty line
	}
	if at == len(data) {
		if final && !s.config.NoHeader && len(s.config.Columns) > 0 {
			return 0, &ColumnError{Column: s.config.Columns[0], Reason: "the input is empty: want at least the header (or --no-header, and the column's number)"}
		}
		if final {
			s.begun = true // nothing at all: there is nobody in it
			return at, nil
		}
		return 0, nil
	}
	var fields []string
	r := record{scanner: s, data: data[at:], final: final}
	for r.next() {
		value := r.value()
		if r.escaped {
			value = appendUnescaped(nil, value)
		}
		fields = append(fields, string(value))
	}
	if r.err != nil || !r.complete {
		return 0, r.err
	}
	if err := s.resolve(fields); err != nil {
		return 0, err
	}
	s.begun = true
	if s.config.NoHeader {
		return bom, nil
	}
	return at + r.at, nil
}

// resolve finds the id columns in the first record.
func (s *Scanner) resolve(first []string) error {
	names := make([]string, len(first))
	for i, name := range first {
		names[i] = strings.TrimSpace(name)
	}
	s.wanted = nil
	for id, column := range s.config.Columns {
		at, err := s.find(column, names)
		if err != nil {
			return err
		}
		for _, w := range s.wanted {
			if w.column == at {
				return fmt.Errorf("id columns %q and %q are the same column", s.config.Columns[w.id], column)
			}
		}
		s.wanted = append(s.wanted, wanted{column: at, id: id})
	}
	slices.SortFunc(s.wanted, func(a, b wanted) int { return a.column - b.column })
	return nil
}

func (s *Scanner) find(column string, names []string) (at int, err error) {
	fault := &ColumnError{Column: column, Width: len(names)}
	number, isNumber := columnNumber(column)
	if !s.config.NoHeader {
		if at := slices.Index(names, column); at >= 0 {
			if again := slices.Index(names[at+1:], column); again >= 0 {
				fault.Reason = fmt.Sprintf("columns %d and %d have this name: give the number", at+1, at+again+2)
				return 0, fault
			}
			return at, nil
		}
		if !isNumber {
			fault.Reason = "not in the header"
			if likeHeader(names) {
				fault.Have = names
			} else {
				fault.Reason = fmt.Sprintf("not in the first line, whose %d columns are not shown because it may be a row: "+
					"without a header use --no-header and the column's number", len(names))
			}
			return 0, fault
		}
	}
	if number > len(names) {
		fault.Reason = fmt.Sprintf("there are %d columns", len(names))
		if !s.config.NoHeader && likeHeader(names) {
			fault.Have = names
		}
		return 0, fault
	}
	return number - 1, nil
}

// headerWords are what the names of columns are made of, in lists of people.
var headerWords = map[string]bool{
	"id": true, "elector": true, "electors": true, "voter": true, "crm": true, "name": true, "mail": true, "email": true,
	"phone": true, "address": true, "postal": true, "postcode": true, "zip": true, "province": true, "district": true,
	"poll": true, "polling": true, "birth": true, "birthdate": true, "dob": true, "number": true, "code": true, "column": true,
}

// likeHeader says whether a first line can be shown in an error: only if at least half of its columns have a word in
// their names that columns have and people do not. A row is never to be shown, and a name looks like a name.
func likeHeader(names []string) bool {
	known := 0
	for _, name := range names {
		words := strings.FieldsFunc(strings.ToLower(name), func(c rune) bool { return !unicode.IsLetter(c) })
		if slices.ContainsFunc(words, func(word string) bool { return headerWords[word] }) {
			known++
		}
		if len(name) > 64 || strings.ContainsFunc(name, unicode.IsControl) || strings.ContainsAny(name, "@0123456789") {
			return false
		}
	}
	return 2*known >= len(names)
}
