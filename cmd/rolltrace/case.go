package main

import (
	"io"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/rolltrace/rolltrace/cmd/internal/demo"
)

// writeScenarios lists the cases that can be played.
func writeScenarios(w io.Writer) error {
	t := newTable(text("scenario"), text("case"))
	for _, name := range demo.Scenarios() {
		scenario, err := demo.FindScenario(name)
		if err != nil {
			return err
		}
		t.row(name, scenario.Title)
	}
	return t.write(w)
}

// writeOpening tells, before a case is played, what is publicly known of it, and who stands for whom.
func writeOpening(w io.Writer, name string, scale float64) error {
	scenario, err := demo.FindScenario(name)
	if err != nil {
		return err
	}
	if scale == 0 {
		scale = scenario.Scale
	}
	p := &page{w: w}
	p.line("%s\n\n%s\n", scenario.Title, strings.TrimSpace(scenario.Story))
	t := newTable(text("  organisation"), text("stands for"))
	for _, name := range slices.Sorted(maps.Keys(scenario.Organisations)) {
		t.row("  "+name, scenario.Organisations[name])
	}
	p.table("", t, "")
	p.line("\n%s in the data folder says of each step where it can be read, and what is invented.\n", demo.ScenarioFile)
	if scale < 1 {
		p.line("It is played at %g of its full size (--scale): where the text says 1,000,000, the tables say %s.\n", scale, grouped(int64(1e6*scale)))
	}
	return p.err
}

// writeCase tells people how a case ends: its questions, each with what was typed to ask it.
func writeCase(w io.Writer, r *demo.Report) error {
	p := &page{w: w}
	after := ""
	for i, q := range r.Questions {
		switch {
		case i > 0 && q.After == after:
		case q.After != "":
			p.line("\nWhat is known after the step “%s”:", q.After)
		default:
			p.line("\nWhat is known in the end:")
		}
		after = q.After
		p.line("\n%d. %s\n", i+1, strings.TrimSpace(q.Ask))
		for _, line := range wrapped(q.Say, 110) {
			p.line("   %s", line)
		}
		for _, part := range q.Parts {
			p.line("\n   $ %s", part.Command)
			for _, t := range part.Tables {
				p.part(t)
			}
		}
		var said []string
		for _, note := range q.Notes {
			said = append(said, "note: "+note)
		}
		if numbers := numbersOf(q); numbers != "" {
			said = append(said, "counted again by "+demo.RecountFile+": "+numbers)
		}
		for i, text := range said {
			if i == 0 {
				p.line("")
			}
			p.line("   %s", strings.Join(wrapped(text, 110), "\n     "))
		}
	}
	p.findings(r)
	p.line("\n%s people, %g of the full size, in %.1f s. Everything is in %s", grouped(r.People), r.Scale, r.Seconds, r.Data)
	return p.goOn(r, nil)
}

// wrapped cuts a text between words into lines of so many letters at most.
func wrapped(text string, width int) []string {
	var lines []string
	line := ""
	for _, word := range strings.Fields(text) {
		if line != "" && utf8.RuneCountInString(line)+1+utf8.RuneCountInString(word) > width {
			lines, line = append(lines, line), ""
		}
		line = strings.TrimSpace(line + " " + word)
	}
	return append(lines, line)
}

// numbersOf are the numbers of a question that its files give too.
func numbersOf(q demo.Asked) string {
	if q.After != "" {
		return ""
	}
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(q.Numbers)) {
		parts = append(parts, name+" "+grouped(q.Numbers[name]))
	}
	return strings.Join(parts, ", ")
}

// part prints a table of a command.
func (p *page) part(part demo.Table) {
	p.line("")
	if len(part.Rows) == 0 {
		p.line("     none recorded")
		return
	}
	var columns []column
	for i, title := range part.Titles {
		columns = append(columns, column{title: title, number: isNumber(part.Rows[0][i])})
	}
	columns[0].title = "     " + columns[0].title
	t := newTable(columns...)
	for _, row := range part.Rows {
		t.row(append([]string{"     " + cell(row[0])}, row[1:]...)...)
	}
	p.table("", t, "")
}

func isNumber(cell string) bool { return cell != "" && strings.Trim(cell, "0123456789,") == "" }
