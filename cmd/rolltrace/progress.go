package main

import (
	"fmt"
	"io"
	"time"
	"unicode/utf8"

	"github.com/rolltrace/rolltrace/cmd/internal/demo"
	"github.com/rolltrace/rolltrace/cmd/internal/logging"
)

// progressEvery is how often the line on a terminal changes at most.
const progressEvery = 100 * time.Millisecond

// A stepUI tells people how far a demo is: a line for each step that is over on out, and on a terminal,
// meanwhile, one line that changes.
type stepUI struct {
	out      io.Writer // lines of steps; nil writes none
	terminal io.Writer // nil when there is none
	title    string
	drawn    time.Time
	width    int // of what stands on the terminal's line
}

// newStepUI writes steps to out unless quiet, and progress to stderr if that is a terminal.
func newStepUI(out, stderr io.Writer) *stepUI {
	ui := &stepUI{out: out}
	if logging.Terminal(stderr) {
		ui.terminal = stderr
	}
	return ui
}

func (ui *stepUI) Begin(title string) {
	ui.title, ui.drawn = title, time.Time{}
	ui.draw("")
}

func (ui *stepUI) Bytes(at, of int64) {
	ui.draw(fmt.Sprintf("%d %% of %s MB", percent(at, of), grouped(of/1e6)))
}

func (ui *stepUI) Positions(at, of uint64) {
	ui.draw(fmt.Sprintf("message %s of %s", grouped(at), grouped(of)))
}

func (ui *stepUI) Done(step demo.Step) {
	ui.clear()
	if ui.out == nil {
		return
	}
	records := ""
	if step.Records > 0 {
		records = grouped(step.Records) + " records"
	}
	fmt.Fprintf(ui.out, "%8.2f s  %20s  %s\n", step.Seconds, records, step.Title)
}

func (ui *stepUI) draw(detail string) {
	if ui.terminal == nil || time.Since(ui.drawn) < progressEvery {
		return
	}
	ui.drawn = time.Now()
	line := ui.title + " …"
	if detail != "" {
		line += " " + detail
	}
	ui.clear()
	ui.width = utf8.RuneCountInString(line)
	fmt.Fprint(ui.terminal, line)
}

func (ui *stepUI) clear() {
	if ui.terminal != nil && ui.width > 0 {
		fmt.Fprintf(ui.terminal, "\r%*s\r", ui.width, "")
		ui.width = 0
	}
}

func percent(at, of int64) int64 {
	if of == 0 {
		return 100
	}
	return at * 100 / of
}
