package main

import (
	"io"
	"maps"
	"slices"
	"strings"

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
		for line := range strings.Lines(q.Say) {
			p.line("   %s", strings.TrimRight(line, "\n"))
		}
		command := ""
		for _, part := range q.Parts {
			if part.Command != command {
				p.line("\n   $ %s", part.Command)
			}
			command = part.Command
			p.part(part)
		}
		var said []string
		for _, note := range q.Notes {
			said = append(said, "note: "+note)
		}
		if numbers := numbersOf(q); numbers != "" {
			said = append(said, "counted again by "+demo.RecountFile+": "+numbers)
		}
		if len(said) > 0 {
			p.line("\n   %s", strings.Join(said, "\n   "))
		}
	}
	p.line("\n%s people, %g of the full size, in %.1f s. Everything is in %s", grouped(r.People), r.Scale, r.Seconds, r.Data)
	return p.goOn(r, nil)
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

// part prints the table of a command.
func (p *page) part(part demo.Part) {
	switch {
	case len(part.Titles) == 0:
		return
	case len(part.Rows) == 0:
		p.line("\n     none recorded")
		return
	}
	p.line("")
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
