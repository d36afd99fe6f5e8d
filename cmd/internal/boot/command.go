package boot

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// Command makes a Func of a tree of commands. Whatever fails before a command's RunE has begun (an
// unknown command or flag, a flag's value, the arguments) is wrong usage; what RunE returns is a fault
// unless it was marked with Wrong. Errors and usage are printed by Main alone, help on stdout; --version prints
// the name and Build.
//
// build is called once for each run, so that no value of a flag outlives it.
func Command(build func() *cobra.Command) Func {
	return func(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) error {
		root := build()
		began := false
		prepare(root, &began)
		root.Version = Build()
		root.SetVersionTemplate("{{.Name}} {{.Version}}\n")
		root.SilenceErrors, root.SilenceUsage = true, true
		root.CompletionOptions.HiddenDefaultCmd = true
		root.SetArgs(args)
		root.SetIn(stdin)
		root.SetOut(stdout)
		root.SetErr(stderr)
		cmd, err := root.ExecuteContextC(ctx)
		if err == nil || began && !IsWrong(err) {
			return err
		}
		var value *pflag.InvalidValueError
		if errors.As(err, &value) && errors.Is(err, errTwice) {
			err = fmt.Errorf("--%s: %w", value.GetFlag().Name, errTwice) // without the value, which may be an identifier
		}
		var usage *usageError
		if !errors.As(err, &usage) {
			usage = &usageError{err: err}
		}
		// Configuration faults name file and line: the help has nothing to add to those.
		if !began {
			usage.help = fmt.Sprintf("%q", cmd.CommandPath()+" --help")
		}
		return usage
	}
}

// A once is a flag's value that is refused when it is given again: the last one would win without a word.
type once struct {
	pflag.Value
	given bool
}

var errTwice = errors.New("given more than once")

func (o *once) Set(text string) error {
	if o.given {
		return errTwice
	}
	o.given = true
	return o.Value.Set(text)
}

// onlyOnce lets each flag be given once, but those that take a list, and those that say of themselves that the last one wins.
func onlyOnce(flag *pflag.Flag) {
	_, list := flag.Value.(pflag.SliceValue)
	_, wins := flag.Value.(interface{ LastWins() })
	if !list && !wins {
		flag.Value = &once{Value: flag.Value}
	}
}

// How cobra marks flags that have to be given, of which one has to be given, and of which one can be.
const (
	required   = cobra.BashCompOneRequiredFlag
	oneOf      = "cobra_annotation_one_required"
	exclusives = "cobra_annotation_mutually_exclusive"
)

// checkFlags says in our words, before cobra does in its own, which flags are missing, and which do not go together.
func checkFlags(cmd *cobra.Command) (err error) {
	named := func(flags []string) string { return "--" + strings.Join(flags, ", --") }
	given := func(flags []string) (out []string) {
		for _, name := range flags {
			if cmd.Flags().Changed(name) {
				out = append(out, name)
			}
		}
		return out
	}
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		if err != nil {
			return
		}
		if slices.Contains(f.Annotations[required], "true") && !f.Changed {
			err = fmt.Errorf("want --%s: %s", f.Name, f.Usage)
			return
		}
		for _, group := range f.Annotations[oneOf] {
			if flags := strings.Fields(group); len(given(flags)) == 0 {
				err = fmt.Errorf("want one of %s", named(flags))
				return
			}
		}
		for _, group := range f.Annotations[exclusives] {
			if both := given(strings.Fields(group)); len(both) > 1 {
				err = fmt.Errorf("%s: want only one of these", named(both))
				return
			}
		}
	})
	return err
}

// prepare notes when a command begins, and gives commands that only group others an error for a name
// that they do not know: cobra would print help and succeed.
func prepare(cmd *cobra.Command, began *bool) {
	if cmd.PreRunE == nil && cmd.PreRun == nil {
		cmd.PreRunE = func(cmd *cobra.Command, _ []string) error { return checkFlags(cmd) }
	}
	if run := cmd.RunE; run != nil {
		cmd.RunE = func(cmd *cobra.Command, args []string) error {
			*began = true
			return run(cmd, args)
		}
	}
	cmd.Flags().VisitAll(onlyOnce)
	cmd.SuggestionsMinimumDistance = 2
	if cmd.HasSubCommands() && cmd.Run == nil && cmd.RunE == nil {
		cmd.Args = func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return nil
			}
			text := fmt.Sprintf("unknown command %q", args[0])
			if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
				text += ", did you mean " + strings.Join(near, " or ") + "?"
			}
			return errors.New(text)
		}
		cmd.RunE = func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
	} else if check := cmd.Args; check != nil && !cmd.HasSubCommands() {
		cmd.Args = func(cmd *cobra.Command, args []string) error {
			if check(cmd, args) == nil {
				return nil
			}
			return fmt.Errorf("want %q: arguments given: %d", cmd.UseLine(), len(args)) // not which: one may be an identifier
		}
	}
	for _, sub := range cmd.Commands() {
		prepare(sub, began)
	}
}
