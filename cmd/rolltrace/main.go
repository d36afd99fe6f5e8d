package main

import (
	"context"
	"errors"
	"io"
	"os"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/rolltrace/rolltrace/cmd/internal/boot"
	"github.com/rolltrace/rolltrace/deploy/embedded"
)

func main() {
	embedded.Child() // the engine of an embedded ClickHouse is this program again
	os.Exit(boot.Main("rolltrace", run))
}

func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) error {
	err := boot.Command(commands)(ctx, args, stdin, stdout, stderr)
	if errors.Is(err, syscall.EPIPE) {
		return nil // "rolltrace … | head": the reader has what it wanted
	}
	return err
}

// commands is the tree of commands.
func commands() *cobra.Command {
	root := &cobra.Command{
		Use:   "rolltrace",
		Short: "Which systems and vendors has an elector's record reached, how, and is it still there?",
		Long: `Rolltrace answers one question for every elector on the roll: which systems and vendors has this person's
record reached, how did it get there, and is it still there?

Begin with "rolltrace demo": it plays a true case with invented people through the real programs, and ends
with questions that you can ask of what it leaves. "rolltrace up" starts a centre on this machine; sidecars
(rolltrace-sidecar) report to it.

Exit codes: 0 done, 1 a fault (one line on stderr), 2 wrong usage.`,
	}
	root.AddGroup(
		&cobra.Group{ID: "question", Title: "Questions:"},
		&cobra.Group{ID: "centre", Title: "The centre:"},
	)
	add := func(group string, subs ...*cobra.Command) {
		for _, sub := range subs {
			sub.GroupID = group
			root.AddCommand(sub)
		}
	}
	add("question", electorCommand(), electorsCommand(), reachCommand(), sourcesCommand(), routeCommand(), flowCommand(), copiesCommand(), fieldsCommand(), matchCommand(), movementsCommand(), findingsCommand(), reportCommand())
	add("centre", upCommand(), demoCommand(), registryCommand(), policyCommand(), exerciseCommand(), migrateCommand(), keyCommand(), rejectedCommand())
	root.AddCommand(versionCommand())
	for _, name := range []string{"tee", "emit", "run"} {
		root.AddCommand(ofSidecar(name))
	}
	return root
}

// ofSidecar is a command of rolltrace-sidecar: whoever looks for it here is told.
func ofSidecar(name string) *cobra.Command {
	return &cobra.Command{
		Use: name, Hidden: true, DisableFlagParsing: true,
		RunE: func(*cobra.Command, []string) error {
			return boot.Wrongf("%s is a command of the sidecar: rolltrace-sidecar %[1]s", name)
		},
	}
}

func versionCommand() *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "Print the version", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := io.WriteString(cmd.OutOrStdout(), "rolltrace "+boot.Build()+"\n")
			return err
		},
	}
}
