package boot_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"syscall"
	"testing"

	"github.com/spf13/cobra"

	"github.com/rolltrace/rolltrace/cmd/internal/boot"
)

func tree() *cobra.Command {
	root := &cobra.Command{Use: "prog", Short: "a program"}
	key := &cobra.Command{Use: "key", Short: "keys"}
	key.AddCommand(&cobra.Command{Use: "new", Args: cobra.NoArgs, RunE: func(cmd *cobra.Command, _ []string) error {
		_, err := fmt.Fprintln(cmd.OutOrStdout(), "made")
		return err
	}})
	ask := &cobra.Command{Use: "ask ID", Args: cobra.ExactArgs(1), RunE: func(_ *cobra.Command, args []string) error {
		switch args[0] {
		case "wrong":
			return boot.Wrongf("id %q: want another", args[0])
		case "lines":
			return errors.New("ask:\n  first\nsecond")
		}
		return errors.New("ask: nobody is there")
	}}
	ask.Flags().Int("n", 0, "a number")
	ask.Flags().StringArray("item", nil, "several")
	ask.Flags().String("must", "", "required")
	_ = ask.MarkFlagRequired("must")
	ask.Flags().Bool("east", false, "that way")
	ask.Flags().Bool("west", false, "the other way")
	ask.MarkFlagsMutuallyExclusive("east", "west")
	walk := &cobra.Command{Use: "go", Args: cobra.NoArgs, RunE: func(*cobra.Command, []string) error { return nil }}
	walk.Flags().Bool("here", false, "here")
	walk.Flags().Bool("there", false, "there")
	walk.MarkFlagsOneRequired("here", "there")
	root.AddCommand(key, ask, walk)
	return root
}

func TestExitCodesAndTheOneLine(t *testing.T) {
	cases := []struct {
		args   []string
		code   int
		stdout string
		stderr string
	}{
		{[]string{"key", "new"}, 0, "made", ""},
		{[]string{"--help"}, 0, "a program", ""},
		{[]string{}, 0, "a program", ""},
		{[]string{"key", "nwe"}, 2, "", `prog: unknown command "nwe", did you mean new? ("prog key --help" explains)`},
		{[]string{"aks"}, 2, "", `prog: unknown command "aks", did you mean ask? ("prog --help" explains)`},
		{[]string{"ask", "--must=x"}, 2, "", `prog: want "prog ask ID [flags]": arguments given: 0 ("prog ask --help" explains)`},
		{[]string{"ask", "4F7K2M9Q", "x", "--must=x"}, 2, "", `prog: want "prog ask ID [flags]": arguments given: 2 ("prog ask --help" explains)`},
		{[]string{"key", "new", "4F7K2M9Q"}, 2, "", `prog: want "prog key new [flags]": arguments given: 1 ("prog key new --help" explains)`},
		{[]string{"--version"}, 0, "prog " + boot.Build(), ""},
		{[]string{"ask", "x"}, 2, "", `prog: want --must: required ("prog ask --help" explains)`},
		{[]string{"ask", "x", "--must=x", "--east", "--west"}, 2, "", `prog: --east, --west: want only one of these ("prog ask --help" explains)`},
		{[]string{"go"}, 2, "", `prog: want one of --here, --there ("prog go --help" explains)`},
		{[]string{"ask", "x", "--must=x", "--nn"}, 2, "", `prog: unknown flag: --nn ("prog ask --help" explains)`},
		{[]string{"ask", "x", "--must=x", "--n=y"}, 2, "", `prog: invalid argument "y" for "--n" flag`},
		{[]string{"ask", "x", "--must=x", "--must=y"}, 2, "", `prog: --must: given more than once ("prog ask --help" explains)`},
		{[]string{"ask", "x", "--must=x", "--item=1", "--item=2"}, 1, "", `prog: ask: nobody is there`},
		{[]string{"ask", "wrong", "--must=x"}, 2, "", `prog: id "wrong": want another`},
		{[]string{"ask", "x", "--must=x"}, 1, "", `prog: ask: nobody is there`},
		{[]string{"ask", "lines", "--must=x"}, 1, "", `prog: ask:; first; second`},
	}
	for _, c := range cases {
		t.Run(strings.Join(c.args, " "), func(t *testing.T) {
			var stdout, stderr bytes.Buffer
			ctx := context.Background()
			err := boot.Command(tree)(ctx, c.args, strings.NewReader(""), &stdout, &stderr)
			if code := boot.Exit(ctx, "prog", &stderr, err); code != c.code {
				t.Errorf("exit code %d, want %d", code, c.code)
			}
			if !strings.Contains(stdout.String(), c.stdout) || c.stdout == "" && stdout.Len() > 0 {
				t.Errorf("stdout %q, want %q", &stdout, c.stdout)
			}
			said := stderr.String()
			if c.stderr == "" && said != "" || !strings.HasPrefix(said, c.stderr) || strings.Count(said, "\n") > 1 {
				t.Errorf("stderr %q, want the one line %q", said, c.stderr)
			}
		})
	}
}

func TestAnInterruptedProgramSaysSo(t *testing.T) {
	ctx, cancel := context.WithCancelCause(context.Background())
	cancel(boot.Interrupted{Signal: syscall.SIGTERM})
	var stderr bytes.Buffer
	if code := boot.Exit(ctx, "prog", &stderr, fmt.Errorf("read: %w", ctx.Err())); code != boot.Fault {
		t.Errorf("exit code %d", code)
	}
	if stderr.String() != "prog: interrupted (terminated)\n" {
		t.Errorf("stderr %q", &stderr)
	}
}
