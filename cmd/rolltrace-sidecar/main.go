package main

import (
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/rolltrace/rolltrace/cmd/internal/boot"
)

func main() { os.Exit(boot.Main("rolltrace-sidecar", boot.Command(commands))) }

func commands() *cobra.Command {
	root := &cobra.Command{
		Use:   "rolltrace-sidecar",
		Short: "Record which elector records leave this machine",
		Long: `Runs beside a database and records which elector records leave it, where to, and for what: as keyed pseudonyms, which
nobody can turn back without the key file. The record is synced to the disk before the data goes on, and is brought to the
hub from there, at once or when it is back.

Begin with "rolltrace key new > key.json", then send a list through tee.

Exit codes: 0 done, 1 a fault (one line on stderr), 2 wrong usage.`,
	}
	root.AddCommand(runCommand(), teeCommand(), emitCommand())
	root.AddCommand(&cobra.Command{
		Use: "version", Short: "Print the version", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := io.WriteString(cmd.OutOrStdout(), "rolltrace-sidecar "+boot.Build()+"\n")
			return err
		},
	})
	return root
}
