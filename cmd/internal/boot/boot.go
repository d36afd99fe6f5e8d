package boot

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
)

// Exit codes of every Rolltrace program.
const (
	Done  = 0
	Fault = 1 // something failed: one line on stderr says what, where, and what to do
	Usage = 2 // the command line or the configuration cannot be meant
)

// A Func is a whole program. It returns when everything that it started has ended; stdout carries
// answers only, stderr logs, progress and (from Main) the one line of an error.
type Func func(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) error

// Main runs the program with the process's arguments and streams and returns the exit code.
//
// The context is cancelled by the first SIGINT or SIGTERM; a second one ends the process by the signal's
// default action, for when cleaning up hangs. A closed stdout is an error of Write (EPIPE) and no signal,
// so that a program can still close what it opened.
func Main(name string, run Func) int {
	ctx, stop := signals(context.Background())
	defer stop()
	return Exit(ctx, name, os.Stderr, run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// signals is a context that ends at SIGINT or SIGTERM. After the first signal the default action is
// restored. SIGPIPE is taken, not ignored: an ignored signal would be inherited by child processes.
func signals(parent context.Context) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(parent)
	stops := make(chan os.Signal, 1)
	signal.Notify(stops, os.Interrupt, syscall.SIGTERM)
	pipe := make(chan os.Signal, 1)
	signal.Notify(pipe, syscall.SIGPIPE)
	go func() {
		select {
		case s := <-stops:
			signal.Stop(stops) // before anybody can know of the first one
			cancel(Interrupted{s})
		case <-ctx.Done():
		}
	}()
	return ctx, func() {
		cancel(context.Canceled)
		signal.Stop(stops)
		signal.Stop(pipe)
	}
}

// Interrupted is the cause of a context that a signal ended.
type Interrupted struct{ Signal os.Signal }

func (i Interrupted) Error() string { return "interrupted (" + i.Signal.String() + ")" }

// Exit writes the one line for err, if there is one, and returns the exit code. A program that was
// interrupted and returned only "context canceled" says so in those words.
func Exit(ctx context.Context, name string, stderr io.Writer, err error) int {
	if err == nil {
		return Done
	}
	var usage *usageError
	text := Line(err)
	var interrupted Interrupted
	if errors.Is(err, context.Canceled) && errors.As(context.Cause(ctx), &interrupted) {
		text = interrupted.Error()
	}
	if !errors.As(err, &usage) {
		fmt.Fprintf(stderr, "%s: %s\n", name, text)
		return Fault
	}
	if usage.help != "" {
		text += " (" + usage.help + " explains)"
	}
	fmt.Fprintf(stderr, "%s: %s\n", name, text)
	return Usage
}

// Line is an error's text on one line: line breaks, which libraries bring along, become "; ".
func Line(err error) string {
	lines := strings.FieldsFunc(err.Error(), func(r rune) bool { return r == '\n' || r == '\r' })
	for i := range lines {
		lines[i] = strings.TrimSpace(lines[i])
	}
	return strings.Join(lines, "; ")
}

type usageError struct {
	err  error
	help string // the command that explains, or ""
}

func (u *usageError) Error() string { return u.err.Error() }
func (u *usageError) Unwrap() error { return u.err }

// Wrong marks err as wrong usage: exit code 2. Wrong(nil) is nil.
func Wrong(err error) error {
	if err == nil {
		return nil
	}
	return &usageError{err: err}
}

// Wrongf is Wrong of a formatted error.
func Wrongf(format string, args ...any) error { return Wrong(fmt.Errorf(format, args...)) }

// IsWrong says whether err is wrong usage.
func IsWrong(err error) bool {
	var usage *usageError
	return errors.As(err, &usage)
}
