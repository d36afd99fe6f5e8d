package delimited

import (
	"fmt"
	"strings"

	"github.com/rolltrace/rolltrace/schema"
)

// Limits, in bytes.
const (
	// MaxRecord is the longest record. A longer one is an error: most likely a quote was never closed, and
	// the rest of the file hides in one field.
	MaxRecord = 8 << 20
	// MaxID is the longest identifier, as written. A longer one is an error, for the same reason.
	MaxID = 4 << 10
)

// maxColumns is how many id columns there can be: one for each bit of a word.
const maxColumns = 64

// A Format is a dialect of delimited text.
type Format string

const (
	// CSV is RFC 4180: comma, fields quoted with ", a quote within written twice. A quote within a field
	// that does not begin with one is a character like others. Lines end in LF, CRLF, or (when there is no
	// LF in the first 64 KiB) CR. Empty lines are no records. It is the default.
	CSV Format = "csv"
	// TSV is tab-separated. Fields that are well quoted as in CSV are read so (Excel and Python write them); a
	// quote that is not is a character like others (PostgreSQL's COPY writes those).
	TSV Format = "tsv"
)

// Config says how a text is written, and where its identifiers are.
type Config struct {
	// Format is the dialect. Defaults to CSV.
	Format Format
	// Delimiter stands between fields: one ASCII byte, neither quote nor line break. Defaults to the format's.
	Delimiter byte
	// NoHeader says that the first record is one like others. Defaults to a header.
	NoHeader bool
	// Columns are the id columns: each the name that the header gives it or, when it gives none of that name,
	// its number from 1. None: records are counted only, and quotes that are not well formed are taken as
	// characters instead of ending in an error.
	Columns []string
}

func (c Config) check() (Config, error) {
	switch c.Format {
	case "":
		c.Format = CSV
	case CSV, TSV:
	default:
		return c, fmt.Errorf("format %q: want csv or tsv", string(c.Format))
	}
	if c.Delimiter == 0 {
		c.Delimiter = ','
		if c.Format == TSV {
			c.Delimiter = '\t'
		}
	}
	if c.Delimiter >= 0x80 || c.Delimiter == '"' || c.Delimiter == '\n' || c.Delimiter == '\r' {
		return c, fmt.Errorf("delimiter %q: want one ASCII character, neither quote nor line break", string(rune(c.Delimiter)))
	}
	if len(c.Columns) > maxColumns {
		return c, fmt.Errorf("%d id columns: want at most %d", len(c.Columns), maxColumns)
	}
	seen := map[string]bool{}
	for _, column := range c.Columns {
		if column == "" {
			return c, fmt.Errorf("id column: want a name of the header, or a number from 1")
		}
		if seen[column] {
			return c, fmt.Errorf("id column %q is given twice", column)
		}
		seen[column] = true
		if _, isNumber := columnNumber(column); c.NoHeader && !isNumber {
			return c, fmt.Errorf("id column %q: without a header want its number, from 1", column)
		}
	}
	return c, nil
}

// An IDColumn is an id column and what its identifiers are.
type IDColumn struct {
	Space  schema.IDSpace
	Column string
}

// ParseIDColumn reads "[SPACE=]COLUMN", for example "elector_id", "3" or "email=E-mail". The id space
// defaults to elector-id. A column whose name has a "=" is written with its space before it.
func ParseIDColumn(s string) (IDColumn, error) {
	space, column, given := strings.Cut(s, "=")
	if !given {
		space, column = string(schema.ElectorID), s
	}
	if column == "" {
		return IDColumn{}, fmt.Errorf("id column %q: want [SPACE=]COLUMN, for example elector_id or email=2", s)
	}
	if !schema.IDSpace(space).Valid() {
		return IDColumn{}, fmt.Errorf("id column %q: id space %q: want 1 to 32 of a-z 0-9 -, beginning with a letter", s, space)
	}
	return IDColumn{Space: schema.IDSpace(space), Column: column}, nil
}

// columnNumber reads a column's number from 1.
func columnNumber(s string) (number int, ok bool) {
	if s == "" || len(s) > 5 || s[0] == '0' {
		return 0, false
	}
	for _, c := range []byte(s) {
		if c < '0' || c > '9' {
			return 0, false
		}
		number = number*10 + int(c-'0')
	}
	return number, true
}
