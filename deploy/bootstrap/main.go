// Command bootstrap writes the secrets of a centre: certificates, nkeys, passwords, and the hub's users.
//
//	go run ./deploy/bootstrap --sidecar party-a/field-db-1 [--sidecar ORG/NAME=PUBLICKEY] [--host NAME] [--dir DIR]
//
// Promise: it makes what is missing and never replaces a secret; called again it lets a further sidecar in.
// It prints where things are, never what is in them.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/rolltrace/rolltrace/deploy"
)

func main() {
	err := run(context.Background(), os.Args[1:], os.Stdout, os.Stderr)
	switch {
	case err == nil:
	case errors.Is(err, errUsage):
		os.Exit(2)
	default:
		fmt.Fprintln(os.Stderr, "bootstrap:", err)
		os.Exit(1)
	}
}

// errUsage was already said, by the flag set.
var errUsage = errors.New("wrong usage")

func run(_ context.Context, args []string, stdout, stderr io.Writer) error {
	var s deploy.Secrets
	fs := flag.NewFlagSet("bootstrap", flag.ContinueOnError)
	fs.SetOutput(stderr)
	fs.StringVar(&s.Dir, "dir", filepath.Join("deploy", "secrets"), "folder of the secrets")
	fs.Func("sidecar", "let a sidecar in: ORG/NAME, or ORG/NAME=PUBLICKEY when its key was made on its own machine (repeatable)", func(v string) error {
		sc, err := deploy.ParseSidecar(v)
		s.Sidecars = append(s.Sidecars, sc)
		return err
	})
	fs.Func("host", "a further name or address under which sidecars reach the hub, for its certificate (repeatable)", func(v string) error {
		s.Hosts = append(s.Hosts, v)
		return nil
	})
	if err := fs.Parse(args); err != nil {
		return errUsage
	}
	if fs.NArg() > 0 {
		fmt.Fprintf(stderr, "bootstrap: %q: no arguments wanted, only flags\n", fs.Arg(0))
		return errUsage
	}
	if err := s.Write(); err != nil {
		return err
	}
	_, err := fmt.Fprintf(stdout, "secrets are complete in %s; keep the folder out of version control, and a copy of it elsewhere\n", s.Dir)
	return err
}
