package report

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"slices"
	"strings"
	"sync"

	"github.com/rolltrace/rolltrace/schema"
	"github.com/rolltrace/rolltrace/schema/graph"
)

// A view is a report as the page has it.
type view struct {
	Kicker   string // what kind of document it is
	Title    string
	Subject  []fact
	Lead     []string // what it says, in a few sentences
	Figures  []figure
	Sections []section
	Notes    []note
	Complete bool
	About    []string
	Keep     string // who may see it
	MadeAt   schema.Time
	AsOf     schema.Time
}

type fact struct {
	Label, Value string
	Code         bool // in letters of one width
}

type figure struct {
	Numbers []string
	Label   string
}

// A section has a picture or a table, or says what there is instead.
type section struct {
	ID      string
	Heading string
	Text    string
	None    string // instead of a table without rows
	Picture *drawing
	Columns []column
	Rows    [][]cell
	More    string // what was left out
}

type column struct {
	Title  string
	Number bool
}

// A cell is lines of text, and smaller ones under them.
type cell struct {
	Text   string
	More   []string
	At     schema.Time // a time instead of a text
	Small  []string
	State  string // held, gone, said: a mark before the text
	Number bool
	Code   bool
}

type note struct {
	Text  string
	Small []string
}

// Short says whether a section fits on a sheet of paper, so that it need not be divided.
func (s section) Short() bool { return len(s.Rows) <= 8 }

// Landscape says whether the page is to be printed across: a picture would be too small otherwise.
func (v *view) Landscape() bool {
	return slices.ContainsFunc(v.Sections, func(s section) bool { return s.Picture != nil && s.Picture.Width > 820 })
}

// maxRows is how many rows a table on the page has: the JSON has them all.
const maxRows = 250

// rows sets the rows of a section, as many as a page holds.
func (s *section) rows(n int, row func(i int) []cell) {
	for i := range min(n, maxRows) {
		s.Rows = append(s.Rows, row(i))
	}
	if n > maxRows {
		s.More = fmt.Sprintf("The first %s of %s rows are here; the JSON document beside this page has them all.", grouped(maxRows), grouped(uint64(n)))
	}
}

//go:embed page.html
var pageText string

var pageTemplate = sync.OnceValue(func() *template.Template {
	return template.Must(template.New("page").Funcs(template.FuncMap{
		"day":      func(t schema.Time) string { return t.Format("2006-01-02") },
		"minute":   func(t schema.Time) string { return t.Format("15:04") },
		"instant":  func(t schema.Time) string { return t.String() },
		"datetime": func(t schema.Time) string { return t.Format("2 January 2006, 15:04 UTC") },
	}).Parse(pageText))
})

// WriteHTML writes the page.
func (r *Report) WriteHTML(w io.Writer) error { return pageTemplate().Execute(w, r.view) }

// grouped writes a number in groups of three.
func grouped[N ~int | ~uint64](n N) string {
	digits := fmt.Sprint(uint64(n))
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}

// plural writes a number of things.
func plural[N ~int | ~uint64](n N, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return grouped(n) + " " + many
}

// numbers writes numbers of electors, which are never added up: those of different id spaces, or under different secrets,
// may be the same people.
func numbers(all []graph.Count) []string {
	if len(all) == 0 {
		return []string{"0"}
	}
	if len(all) == 1 {
		return []string{grouped(all[0].Electors)}
	}
	spaces := map[schema.IDSpace]int{}
	for _, c := range all {
		spaces[c.IDSpace]++
	}
	var out []string
	for _, c := range all {
		text := grouped(c.Electors) + " " + string(c.IDSpace)
		if spaces[c.IDSpace] > 1 {
			text += " (" + shorten(string(c.KeyID), 9) + ")"
		}
		out = append(out, text)
	}
	return out
}

// numberCell is a cell of them.
func numberCell(all []graph.Count) cell {
	lines := numbers(all)
	return cell{Text: lines[0], More: lines[1:], Number: true}
}

// electors writes numbers of electors with the word.
func electors(all []graph.Count) string {
	switch {
	case len(all) == 1 && all[0].Electors == 1:
		return "1 elector"
	case len(all) < 2:
		return numbers(all)[0] + " electors"
	}
	return "electors (" + list(numbers(all)) + ", who can be the same people)"
}

// size is for comparing only.
func size(all []graph.Count) (n uint64) {
	for _, c := range all {
		n += c.Electors
	}
	return n
}

// list writes names as people do.
func list(names []string) string {
	switch len(names) {
	case 0:
		return ""
	case 1:
		return names[0]
	}
	return strings.Join(names[:len(names)-1], ", ") + " and " + names[len(names)-1]
}

// categories writes names of fields, which have underscores.
func categories(fields []string) string {
	out := make([]string, len(fields))
	for i, f := range fields {
		out[i] = strings.ReplaceAll(f, "_", " ")
	}
	return strings.Join(out, ", ")
}

// notSaid is what stands where a movement does not say.
const notSaid = "not said"

func orNotSaid(s string) string {
	if s == "" {
		return notSaid
	}
	return s
}

// date is a day in a sentence.
func date(t schema.Time) string { return t.Format("2 January 2006") }

// notes are those of an answer, as the page has them.
func notes(a graph.Answer) []note {
	var out []note
	for _, n := range a.Notes {
		at := note{Text: n.Text}
		few := func(what string, names []string) {
			const few = 6
			if len(names) == 0 {
				return
			}
			more := ""
			if len(names) > few {
				more = fmt.Sprintf(" and %s more", grouped(len(names)-few))
				names = names[:few]
			}
			at.Small = append(at.Small, what+": "+strings.Join(names, ", ")+more)
		}
		few("places", n.Places)
		few("sidecars", n.Sidecars)
		var movements []string
		for _, m := range n.Movements {
			movements = append(movements, m.ID)
		}
		few("movements", movements)
		out = append(out, at)
	}
	return out
}

// entryTable is an account, as a table. Without electors it is of one elector.
func entryTable(s section, all []graph.Entry, counted bool) section {
	s.Columns = []column{{Title: "When (UTC)"}, {Title: "From"}, {Title: "To"}, {Title: "What"}, {Title: "Why"}, {Title: "On whose word"}}
	if counted {
		s.Columns = append(s.Columns, column{"Electors", true})
	}
	s.rows(len(all), func(i int) []cell {
		e := all[i]
		when := cell{At: e.FirstAt}
		if e.Movements > 1 {
			when.Small = []string{"to " + e.LastAt.Format("2006-01-02 15:04"), plural(e.Movements, "time", "times")}
		}
		say := orNotSaid
		if e.Kind == schema.Destroy { // it hands out nothing
			say = func(s string) string { return s }
		}
		what := cell{Text: say(categories(e.Fields))}
		if e.Unfinished > 0 {
			what.Small = append(what.Small, plural(e.Unfinished, "movement", "movements")+" not completed")
		}
		why := cell{Text: say(e.Purpose)}
		for _, text := range []string{e.Agreement, e.LegalBasis} {
			if text != "" {
				why.Small = append(why.Small, text)
			}
		}
		word := cell{Text: string(e.Basis), Small: []string{string(e.Kind)}}
		if e.Actor != "" {
			word.Small = append(word.Small, "by "+e.Actor)
		}
		row := []cell{when, placesCell(e.From, e.FromPlaces), toCell(e), what, why, word}
		if counted {
			number := numberCell(e.Electors)
			if e.Records > 0 {
				number.Small = []string{"and up to " + plural(e.Records, "record", "records") + " of electors not known"}
				if len(e.Electors) == 0 {
					number.Text = "not known"
				}
			}
			row = append(row, number)
		}
		return row
	})
	return s
}

func toCell(e graph.Entry) cell {
	if e.To == "" {
		switch {
		case e.Removes:
			return cell{Text: "destroyed", State: "gone"}
		case e.Basis == schema.Attested:
			return cell{Text: "said to be destroyed", State: "said"}
		}
		return cell{Text: "destroyed, not completed", State: "said"}
	}
	return placesCell([]string{e.To}, e.ToPlaces)
}

// placesCell is organisations, and which of their places.
func placesCell(orgs []string, places graph.Places) cell {
	c := cell{Text: strings.Join(orgs, ", ")}
	const few = 3
	for i, p := range places.Names {
		if i == few {
			break
		}
		name := string(p)
		if len(orgs) == 1 {
			name = strings.TrimPrefix(name, orgs[0]+"/")
		}
		if name != c.Text {
			c.Small = append(c.Small, name)
		}
	}
	if places.Count > few {
		c.Small = append(c.Small, "and "+plural(places.Count-few, "place", "places")+" more")
	}
	return c
}
