package main

import (
	"errors"
	"os"

	"github.com/spf13/cobra"

	"github.com/rolltrace/rolltrace/producers/pseudonym"
)

func keyCommand() *cobra.Command {
	key := &cobra.Command{Use: "key", Short: "Make the secret under which identifiers become elector keys"}
	key.AddCommand(&cobra.Command{
		Use:   "new",
		Short: "Write a new key file to stdout",
		Long: `Writes a new key file to stdout:

    (umask 077; rolltrace key new > key.json)

Everybody who shares this file makes the same elector keys of the same identifiers: the sidecars of one
party, and whoever may look a person up. Whoever has it and a roll can tell whose keys they are, so it never
goes to the centre, into a log or into a repository. Keep a copy in a safe place: without it nobody can be
looked up any more.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			out := cmd.OutOrStdout()
			if f, ok := out.(*os.File); ok {
				if err := private(f); err != nil {
					return err
				}
			}
			_, err := out.Write(pseudonym.NewSecret().KeyFile())
			return err
		},
	})
	return key
}

// private takes other people's rights away from the file that a secret is about to be written to.
// Terminals and pipes are left as they are.
func private(f *os.File) error {
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() || info.Mode().Perm()&0o077 == 0 {
		return nil
	}
	if err := f.Chmod(0o600); err != nil {
		return errors.New("write key file: other people could read it, and its mode cannot be changed: make it with umask 077")
	}
	return nil
}
