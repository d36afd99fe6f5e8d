package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/rolltrace/rolltrace/cmd/internal/boot"
	"github.com/rolltrace/rolltrace/cmd/internal/report"
	"github.com/rolltrace/rolltrace/schema"
	"github.com/rolltrace/rolltrace/schema/graph"
)

// reportFlags are where a report goes.
type reportFlags struct {
	path  string
	force bool
}

const reportHelp = `A report is a page that needs no network, for screen and paper (NAME.html), and beside it the same for
programs (NAME.json, docs/json.md). Files are made for their owner only. Those that are there already stay, unless --force is given.`

// check finds a wrong path before anything is asked.
func (f *reportFlags) check() error {
	_, _, err := report.Paths(f.path, "report")
	return boot.Wrong(err)
}

func (f *reportFlags) write(w io.Writer, r *report.Report) error {
	page, document, err := report.Paths(f.path, r.Name)
	if err != nil {
		return boot.Wrong(err)
	}
	if err := r.Write(page, document, f.force); err != nil {
		return err
	}
	_, err = fmt.Fprintf(w, "%s\n%s\n", page, document)
	return err
}

func reportCommand() *cobra.Command {
	var to reportFlags
	var asked report.MovementQuestion
	at := ""
	cmd := &cobra.Command{
		Use:   "report --at PLACE|ORG | --movement ID",
		Short: "A printable report: the account of a place or an organisation, or what became of a movement",
		Long: `With --at, the account of a place or an organisation: what it received, from whom and by which routes, what it passed
on, to whom, with which fields, for what and under which agreement, what was destroyed there, and which copies of
that are left. With --movement, what left by one movement, whose, and where it is now, as after a breach.
(For one elector: rolltrace elector ID --report.)

` + reportHelp,
		Example: `  rolltrace report --at lantern-print
  rolltrace report --at party-a/crm/voters --as-of 2026-04-01 --out april.html
  rolltrace report --movement 0199b0c2-7f3e-7c1a-9d58-3f1c6f1b2a90 --keys`,
		Args: cobra.NoArgs,
	}
	flags := cmd.Flags()
	flags.StringVar(&at, "at", "", "place (org/system/dataset) or organisation")
	flags.StringVar(&asked.Movement, "movement", "", "movement: its id, or org/sidecar/id")
	flags.BoolVar(&asked.Keys, "keys", false, "with --movement: the elector keys too, in the JSON document")
	flags.IntVar(&asked.Limit, "limit", graph.DefaultLimit, "with --keys: most of them; -1 for all")
	flags.StringVar(&to.path, "out", ".", "file of the page, which ends with .html, or a folder")
	flags.BoolVar(&to.force, "force", false, "write over files that are there")
	cmd.MarkFlagsMutuallyExclusive("at", "movement")
	cmd.MarkFlagsOneRequired("at", "movement")
	newQuestion(cmd, func(ctx context.Context, g *graph.Graph, q *question, _ []string) (made, error) {
		if err := to.check(); err != nil {
			return made{}, err
		}
		switch {
		case asked.Limit < -1 || asked.Limit == 0:
			return made{}, boot.Wrongf("--limit %d: want 1 or more, or -1 for all", asked.Limit)
		case cmd.Flags().Changed("limit") && !asked.Keys:
			return made{}, boot.Wrongf("--limit: only together with --keys")
		case asked.Keys && asked.Movement == "":
			return made{}, boot.Wrongf("--keys: only together with --movement")
		case at == "" && asked.Movement == "":
			return made{}, boot.Wrongf("want a place or an organisation with --at, or a movement with --movement")
		}
		if at != "" {
			r, err := report.OfPlace(ctx, g, at, q.asOfAt, schema.At(time.Now()))
			return made{r}, err
		}
		asked.AsOf = q.asOfAt
		r, err := report.OfMovement(ctx, g, asked, schema.At(time.Now()))
		if errors.Is(err, report.ErrDestroy) {
			err = boot.Wrong(err)
		}
		return made{r}, err
	}, func(w io.Writer, m made) error { return to.write(w, m.Report) }).withAsOf(cmd)
	cmd.MarkFlagsMutuallyExclusive("json", "out")
	return cmd
}

// made is a report that was made; as JSON it is its document.
type made struct{ *report.Report }

// MarshalJSON is the document.
func (m made) MarshalJSON() ([]byte, error) {
	var text bytes.Buffer
	err := m.WriteJSON(&text)
	return text.Bytes(), err
}
