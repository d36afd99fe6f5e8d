package main

import (
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/rolltrace/rolltrace/cmd/internal/operator"
	"github.com/rolltrace/rolltrace/schema"
	"github.com/rolltrace/rolltrace/schema/document"
	"github.com/rolltrace/rolltrace/schema/registry"
)

func registryCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "registry",
		Short: "Whose places there are, and what was agreed: check, compare and apply the registry's files",
		Long: `The registry says whose places there are and what was agreed about the records in them. It is a folder of YAML files,
best kept under version control (docs/registry.md). Applied, it goes into the log; every version is kept, and
an answer as of a time uses the version that counted then.`,
	}
	cmd.AddCommand(registryValidate(), registryDiff(), registryApply())
	return cmd
}

// loadRegistry reads a folder, and says everything that is wrong with it, one line each.
func loadRegistry(dir string, stderr io.Writer) (*registry.Registry, error) {
	r, err := registry.Load(dir)
	return r, faultsOf(err, stderr, "registry "+dir)
}

// faultsOf prints faults in files, and returns one line about them; other errors it returns.
func faultsOf(err error, stderr io.Writer, what string) error {
	var faults document.Faults
	if !errors.As(err, &faults) {
		return err
	}
	for _, fault := range faults {
		if _, err := fmt.Fprintln(stderr, fault.Error()); err != nil {
			return err
		}
	}
	return fmt.Errorf("%s: %s: mend the lines above; nothing was done", what, counted(len(faults), "fault"))
}

func counted(n int, what string) string {
	if n != 1 {
		what += "s"
	}
	return grouped(n) + " " + what
}

func registryValidate() *cobra.Command {
	return &cobra.Command{
		Use: "validate DIR", Short: "Say whether the registry's files can be applied", Args: cobra.ExactArgs(1),
		Long: `Reads every .yaml file in the folder and below, and tells everything that is wrong, each with file and line: unknown keys,
ids that stand there twice, references to nothing, parents in a circle, agreements that end before they start.
Nothing is sent anywhere.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			r, err := loadRegistry(args[0], cmd.ErrOrStderr())
			if err != nil {
				return err
			}
			if _, err := r.Normal(); err != nil {
				return err
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "valid: %s, %s, %s, %s\n", counted(len(r.Organisations), "organisation"),
				counted(len(r.Systems), "system"), counted(len(r.Datasets), "dataset"), counted(len(r.Agreements), "agreement"))
			return err
		},
	}
}

// A registryAnswer is the JSON of diff and apply.
type registryAnswer struct {
	Changed   bool              `json:"changed"`
	Changes   []registry.Change `json:"changes"`
	Version   uint64            `json:"version"`
	ValidFrom schema.Time       `json:"valid_from"`
}

func (o *asOperator) writeChange(w io.Writer, c operator.Change, applied bool) error {
	if o.json {
		return writeJSON(w, registryAnswer{Changed: c.Changed, Changes: c.Changes, Version: c.Version, ValidFrom: c.ValidFrom})
	}
	p := &page{w: w}
	for _, change := range c.Changes {
		sign := map[string]string{"added": "+", "removed": "-", "changed": "~"}[change.What]
		p.line("%s %s %s", sign, change.Section, change.ID)
		for _, field := range change.Fields {
			p.line("    %s", field)
		}
	}
	switch {
	case !c.Changed:
		p.line("unchanged: version %d, valid from %s", c.Version, moment(c.ValidFrom))
	case applied:
		p.line("applied: version %d, valid from %s", c.Version, moment(c.ValidFrom))
	}
	return p.err
}

func registryDiff() *cobra.Command {
	cmd := &cobra.Command{
		Use: "diff DIR", Short: "Show what applying the registry's files would change", Args: cobra.ExactArgs(1),
		Long: `Compares the files with the version that was applied last. Nothing is changed.`,
	}
	o := newOperator(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if done, err := o.loader.Load(cmd.OutOrStdout()); done || err != nil {
			return err
		}
		r, err := loadRegistry(args[0], cmd.ErrOrStderr())
		if err != nil {
			return err
		}
		publisher, release, err := o.connect(cmd.Context())
		if err != nil {
			return err
		}
		defer release()
		change, _, err := publisher.Diff(cmd.Context(), r)
		if err != nil {
			return err
		}
		return o.writeChange(cmd.OutOrStdout(), change, false)
	}
	return cmd
}

func registryApply() *cobra.Command {
	from := ""
	cmd := &cobra.Command{
		Use: "apply DIR", Short: "Apply the registry's files: all of them, or, when anything is wrong, nothing", Args: cobra.ExactArgs(1),
		Long: `Checks the files as validate does and, when nothing is wrong, publishes them into the log as the next version; when anything
is wrong, nothing. Files that say what the last version says publish nothing. Who applied it, when and why is kept.

A version counts from now on, the first one from ever on, unless --valid-from says otherwise; one that corrects
the past takes the place of what was said of it before.`,
		Example: `  rolltrace registry apply ./registry --why "agreement with the printer signed"
  rolltrace registry apply ./registry --valid-from 2019-01-01 --why "the agreement of 2019 was forgotten"`,
	}
	o := newOperator(cmd)
	o.decides(cmd)
	cmd.Flags().StringVar(&from, "valid-from", "", "from when on it counts: a time, or a date (default now)")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if done, err := o.loader.Load(cmd.OutOrStdout()); done || err != nil {
			return err
		}
		if err := o.check(); err != nil {
			return err
		}
		var validFrom schema.Time
		if from != "" {
			at, err := parseTime("--valid-from", from)
			if err != nil {
				return err
			}
			validFrom = at
		}
		r, err := loadRegistry(args[0], cmd.ErrOrStderr())
		if err != nil {
			return err
		}
		publisher, release, err := o.connect(cmd.Context())
		if err != nil {
			return err
		}
		defer release()
		change, err := publisher.Apply(cmd.Context(), r, validFrom, o.by, o.why)
		if err != nil {
			return fmt.Errorf("apply the registry: %w", err)
		}
		return o.writeChange(cmd.OutOrStdout(), change, true)
	}
	return cmd
}
