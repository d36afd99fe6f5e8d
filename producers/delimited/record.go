package delimited

import "bytes"

// A record walks through the fields of one record that may have quotes: next, until it is false; then
// either complete (at is behind the line end), or err, or neither: the record goes on behind the data.
type record struct {
	scanner *Scanner
	data    []byte
	final   bool

	field      // the value
	column int // its number, from 0
	at     int // where the next field begins

	begun, ended, complete bool
	err                    error
}

func (r *record) value() []byte { return r.data[r.from:r.to] }

// next takes the next field.
func (r *record) next() bool {
	if r.ended {
		return false
	}
	if r.begun {
		r.column++
	}
	r.begun = true
	r.escaped = false
	end := -1
	if r.at < len(r.data) && r.data[r.at] == '"' {
		end = r.quoted()
		if end < 0 && r.ended {
			return false
		}
	}
	if end < 0 {
		if end = r.plain(); end < 0 {
			return false
		}
	}
	r.close(end)
	return true
}

// quoted finds the end of a field that begins with a quote: where the delimiter or line end is that follows
// it. -1 means that the field is not well quoted, and is read as it stands; or, when the record ended
// with it, that it goes on behind the data or is an error.
func (r *record) quoted() int {
	s := r.scanner
	for q := r.at + 1; ; {
		i := bytes.IndexByte(r.data[q:], '"')
		if i < 0 {
			if !r.final && len(r.data) <= s.maxRecord {
				r.ended = true
				return -1
			}
			return r.malformed("a quote that is never closed")
		}
		q += i + 1
		if q == len(r.data) {
			if !r.final {
				r.ended = true
				return -1
			}
			r.from, r.to = r.at+1, q-1
			return q
		}
		switch c := r.data[q]; {
		case c == '"':
			r.escaped = true
			q++
			continue
		case c == s.delimiter || c == s.eol:
			r.from, r.to = r.at+1, q-1
			return q
		case c == '\r':
			if q+1 == len(r.data) && !r.final {
				r.ended = true
				return -1
			}
			if q+1 == len(r.data) || r.data[q+1] == s.eol {
				r.from, r.to = r.at+1, q-1
				return q
			}
		}
		return r.malformed("a quoted field with text after its closing quote")
	}
}

func (r *record) malformed(reason string) int {
	if r.scanner.lenient {
		r.escaped = false
		return -1
	}
	r.ended = true
	r.err = r.scanner.fault(reason)
	return -1
}

// plain finds the end of a field as it stands: where its delimiter or line end is.
func (r *record) plain() int {
	s := r.scanner
	end := indexEither(r.data[r.at:], s.delimiter, s.eol)
	if end < 0 {
		if !r.final {
			r.ended = true
			return -1
		}
		end = len(r.data)
	} else {
		end += r.at
	}
	r.from, r.to = r.at, end
	if r.to > r.from && r.data[r.to-1] == '\r' && (end == len(r.data) || r.data[end] == s.eol) {
		r.to--
	}
	return end
}

// close goes behind what ends a field.
func (r *record) close(end int) {
	s := r.scanner
	if end < len(r.data) && r.data[end] == s.delimiter {
		r.at = end + 1
		return
	}
	if end < len(r.data) && r.data[end] == '\r' && s.eol != '\r' {
		end++
	}
	r.at = min(end+1, len(r.data))
	r.ended, r.complete = true, true
}
