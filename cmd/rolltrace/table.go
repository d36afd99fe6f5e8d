package main

import (
	"bufio"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/rolltrace/rolltrace/schema"
)

// A table is an answer for people. Columns are as wide as they need to be: nothing is ever cut, so that
// what is piped on is whole.
type table struct {
	columns []column
	rows    [][]string
}

type column struct {
	title  string
	number bool // to the right
}

// text and number are columns.
func text(title string) column   { return column{title: title} }
func number(title string) column { return column{title: title, number: true} }

func newTable(columns ...column) *table { return &table{columns: columns} }

// row adds one row; cells that are "" show as "–".
func (t *table) row(cells ...string) { t.rows = append(t.rows, cells) }

// write prints title line and rows, two spaces between columns.
func (t *table) write(w io.Writer) error {
	widths := make([]int, len(t.columns))
	titles := make([]string, len(t.columns))
	for i, c := range t.columns {
		titles[i] = c.title
		widths[i] = utf8.RuneCountInString(c.title)
		for _, row := range t.rows {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell(row[i])))
		}
	}
	out := bufio.NewWriter(w)
	t.line(out, widths, titles)
	for _, row := range t.rows {
		shown := make([]string, len(row))
		for i := range row {
			shown[i] = cell(row[i])
		}
		t.line(out, widths, shown)
	}
	return out.Flush()
}

func (t *table) line(out *bufio.Writer, widths []int, cells []string) {
	var line strings.Builder
	for i, c := range cells {
		pad := strings.Repeat(" ", widths[i]-utf8.RuneCountInString(c))
		if t.columns[i].number {
			line.WriteString(pad + c)
		} else {
			line.WriteString(c + pad)
		}
		line.WriteString("  ")
	}
	_, _ = out.WriteString(strings.TrimRight(line.String(), " ") + "\n") // Flush has the error
}

func cell(s string) string {
	if s == "" {
		return "–"
	}
	return s
}

// grouped writes a number in groups of three: 27,509,496.
func grouped[N ~int | ~int64 | ~uint16 | ~uint32 | ~uint64](n N) string {
	digits := strconv.FormatInt(int64(n), 10)
	sign := ""
	if strings.HasPrefix(digits, "-") {
		sign, digits = "-", digits[1:]
	}
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return sign + digits
}

// moment writes a time for people: UTC (the column's title says so), to the second.
func moment(t schema.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.Format("2006-01-02 15:04:05")
}
