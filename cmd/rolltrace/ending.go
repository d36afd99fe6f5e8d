package main

import (
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/rolltrace/rolltrace/cmd/internal/demo"
)

// writeReport tells people how the case ends.
func writeReport(w io.Writer, r *demo.Report) error {
	p := &page{w: w}
	a := r.Answers
	p.line("")
	p.line("How many addresses on the card list came from the list of electors?")
	p.line("")
	p.line("  %s of %s.", grouped(a.FromListOfElectors), grouped(a.Cards))
	p.line("  %s people had given theirs when they signed up, %s were written down at the door.", grouped(a.GivenByThemselves), grouped(a.FromDoorsteps))
	p.line("  It is known because the sidecar saw every record as it flowed: into the party's database, out of it, into")
	p.line("  the merged list. An address counts as from the list of electors when its elector has a route from there.")
	p.line("")
	p.line("Who pulled them?")
	p.line("")
	pulls := newTable(text("  actor"), number("addresses"), text("when (UTC)"), text("basis"), text("recorded by"), text("movement"))
	for _, m := range a.PulledBy {
		pulls.row("  "+m.Actor, grouped(m.Electors), moment(m.OccurredAt), string(m.Basis), m.RecordedBy.User+" on "+m.RecordedBy.Host, m.Movement)
	}
	p.table("", pulls, "  none recorded")
	p.line("")
	p.line("How did one of them, elector %s, get to the printer?", a.RouteOf)
	p.line("")
	route := newTable(text("  kind"), text("from"), text("to"), text("actor"), text("basis"), text("when (UTC)"))
	for _, hop := range a.Route {
		route.row("  "+string(hop.Kind), string(hop.From), string(hop.To), hop.Actor, string(hop.Basis), moment(hop.OccurredAt))
	}
	p.table("", route, "  none recorded")
	p.line("")
	p.line("Which copies are left?")
	p.line("")
	copies := newTable(text("  place"), number("electors"), text(""))
	for _, c := range a.CopiesLeft {
		copies.row("  "+string(c.Place), grouped(c.Electors), "still there")
	}
	for _, place := range a.Destroyed {
		copies.row("  "+string(place), "0", "destroyed")
	}
	p.table("", copies, "  none recorded")
	p.line("")
	for _, note := range a.Notes {
		p.line("  note: %s", note)
	}
	if len(a.Notes) == 0 {
		p.line("Nothing is known that could change these answers: no movement is open, failed or without its electors, no")
		p.line("sidecar reported a gap or is silent, no message is missing.")
	}
	return p.further(r)
}

// further says how to go on from christmas-cards.
func (p *page) further(r *demo.Report) error {
	districts := "districts"
	if r.Districts == 1 {
		districts = "district"
	}
	p.findings(r)
	p.line("")
	p.line("%s electors in %s %s, in %.1f s. Everything is in %s", grouped(r.Electors), grouped(r.Districts), districts, r.Seconds, r.Data)
	key := " --key " + at(r, demo.KeyFile)
	return p.goOn(r, []string{
		"route --elector " + r.Answers.RouteOf + " --to lantern-print" + key,
		"elector " + r.Answers.RouteOf + key,
		"reach elections-office",
		"sources lantern-print",
		"movements --from party-a",
	})
}

// at is a file of a demo's data folder as a shell takes it.
func at(r *demo.Report, name string) string { return quoted(filepath.Join(r.Data, name)) }

// findings tells what the rules found.
func (p *page) findings(r *demo.Report) {
	p.line("")
	p.line("What stands out, by the case's own registry (%s)?", at(r, demo.RegistryFolder))
	p.line("")
	t := newTable(text("  since (UTC)"), text("severity"), text("rule"), text("what was found"))
	for _, f := range r.Findings {
		t.row("  "+moment(f.Since), f.Severity, f.Rule, f.Text)
	}
	p.table("", t, "  nothing")
}

// goOn says how to count again, and how to ask further.
func (p *page) goOn(r *demo.Report, questions []string) error {
	p.line("")
	p.line("  sh %s   counts the numbers again, with sort and comm", at(r, demo.RecountFile))
	p.line("")
	p.line("To ask further, start the centre again, and in another terminal:")
	p.line("")
	centre := at(r, demo.CentreFolder)
	program := quoted(os.Args[0]) // as it was called: it need not be on the PATH
	p.line("  %s up --data %s", program, centre)
	if len(questions) == 0 { // those that were asked can be typed as they stand
		p.line("  export ROLLTRACE_DATA=%s ROLLTRACE_KEY=%s", centre, at(r, demo.KeyFile))
	}
	for _, question := range questions {
		p.line("  %s %s --data %s", program, question, centre)
	}
	return p.err
}

// quoted is a path as a shell takes it.
func quoted(path string) string {
	if strings.Trim(path, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._-+") == "" {
		return path
	}
	return "'" + strings.ReplaceAll(path, "'", `'\''`) + "'"
}
