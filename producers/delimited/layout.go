package delimited

// A Layout parts complete records, as they are written, into their fields. It is safe for concurrent use.
type Layout struct {
	scanner Scanner // its rules only
	columns []int
}

// Layout is how the records of the stream are written. It is known when the first block has been handed out.
func (r *Reader) Layout() *Layout {
	s := r.scanner
	l := &Layout{scanner: Scanner{config: s.config, delimiter: s.delimiter, eol: s.eol, lenient: true, maxRecord: s.maxRecord}, columns: make([]int, len(s.wanted))}
	for _, w := range s.wanted {
		l.columns[w.id] = w.column
	}
	return l
}

// Header says whether the first row of the stream is its header.
func (l *Layout) Header() bool { return !l.scanner.config.NoHeader }

// Columns are the numbers of the id columns, from 0, in the order of Config.Columns.
func (l *Layout) Columns() []int { return l.columns }

// Delimiter stands between fields.
func (l *Layout) Delimiter() byte { return l.scanner.delimiter }

// Rows appends the rows of text, which is complete records, to dst: each with its line end, if it has one. Empty lines
// are part of the row after them.
func (l *Layout) Rows(dst [][]byte, text []byte) [][]byte {
	for begin := 0; begin < len(text); {
		from := begin
		for from < len(text) && (text[from] == l.scanner.eol || text[from] == '\r') {
			from++
		}
		if from == len(text) {
			break // empty lines at the end
		}
		r := record{scanner: &l.scanner, data: text[from:], final: true}
		for r.next() {
		}
		dst = append(dst, text[begin:from+r.at])
		begin = from + r.at
	}
	return dst
}

// Fields appends the fields of a row to dst, as they are written: with the quotes around them, and without the line end. It
// returns the line end too.
func (l *Layout) Fields(dst [][]byte, row []byte) (fields [][]byte, end []byte) {
	for len(row) > 0 && (row[0] == l.scanner.eol || row[0] == '\r') {
		row = row[1:]
	}
	r := record{scanner: &l.scanner, data: row, final: true}
	to := 0
	for from := 0; r.next(); from = r.at {
		to = r.to
		if r.from == from+1 { // the quote before it
			to++
		}
		dst = append(dst, row[from:to])
	}
	return dst, row[to:]
}
