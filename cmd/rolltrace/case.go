package main

import (
	"io"
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
func writeOpening(w io.Writer, name string) error {
	scenario, err := demo.FindScenario(name)
	if err != nil {
		return err
	}
	p := &page{w: w}
	p.line("%s\n\n%s\n", scenario.Title, strings.TrimSpace(scenario.Story))
	t := newTable(text("  organisation"), text("stands for"))
	var names []string
	for name := range scenario.Organisations {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		t.row("  "+name, scenario.Organisations[name])
	}
	p.table("", t, "")
	p.line("")
	return p.err
}

// writeCase tells people how a case ends: its questions, each with what was typed to ask it.
func writeCase(w io.Writer, r *demo.Report) error {
	p := &page{w: w}
	after := ""
	for _, q := range r.Questions {
		if q.After != after {
			after = q.After
			heading := "In the end:"
			if after != "" {
				heading = "After the step “" + after + "”:"
			}
			p.line("\n%s", heading)
		}
		p.line("\n%s\n", strings.TrimSpace(q.Ask))
		for line := range strings.Lines(q.Say) {
			p.line("  %s", strings.TrimRight(line, "\n"))
		}
		for _, part := range q.Parts {
			p.line("\n  $ %s", part.Command)
			if len(part.Rows) == 0 {
				continue
			}
			var columns []column
			for i, title := range part.Titles {
				columns = append(columns, column{title: title, number: isNumber(part.Rows[0][i])})
			}
			columns[0].title = "    " + columns[0].title
			t := newTable(columns...)
			for _, row := range part.Rows {
				cells := slices.Clone(row)
				cells[0] = "    " + cells[0]
				t.row(cells...)
			}
			p.table("", t, "")
		}
		for _, note := range q.Notes {
			p.line("  note: %s", note)
		}
	}
	p.line("\n%s people, in %.1f s. Everything is in %s", grouped(r.People), r.Seconds, r.Data)
	return p.goOn(r, nil)
}

func isNumber(cell string) bool { return cell != "" && strings.Trim(cell, "0123456789,") == "" }
