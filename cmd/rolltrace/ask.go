package main

import (
	"context"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/rolltrace/rolltrace/cmd/internal/boot"
	"github.com/rolltrace/rolltrace/cmd/internal/report"
	"github.com/rolltrace/rolltrace/schema"
	"github.com/rolltrace/rolltrace/schema/graph"
)

func electorCommand() *cobra.Command {
	var names electorFlags
	var to reportFlags
	cmd := &cobra.Command{
		Use:   "elector ID",
		Short: "The dossier of one elector: every place reached, how, and whether the record is still there",
		Long: `Everything that is known of one elector: every place and organisation that the record reached, when, by which
movements, and whether it is still held there. With --report it becomes a document to hand over, an accounting of
disclosures. ` + reportHelp + `
` + electorHelp,
		Example: `  rolltrace elector 7KQ42MXR --key key.json
  rolltrace elector 7KQ42MXR --key key.json --report account.html
  rolltrace elector - --key key.json < identifier.txt
  rolltrace elector --hex 9f86d081884c7d65 --as-of 2026-04-01`,
		Args: cobra.MaximumNArgs(1),
	}
	newQuestion(cmd, func(ctx context.Context, g *graph.Graph, q *question, args []string) (*graph.Dossier, error) {
		asked, err := names.elector(first(args), cmd.InOrStdin(), q.cfg.Key)
		if err != nil {
			return nil, err
		}
		if to.path != "" {
			if err := to.check(); err != nil {
				return nil, err
			}
		} else if to.force {
			return nil, boot.Wrongf("--force: only together with --report")
		}
		asked.AsOf = q.asOfAt
		return g.Elector(ctx, asked)
	}, func(w io.Writer, d *graph.Dossier) error {
		if to.path != "" {
			return to.write(w, report.OfElector(d, schema.At(time.Now())))
		}
		return writeDossier(w, d)
	}).withAsOf(cmd)
	names.bind(cmd)
	cmd.Flags().StringVar(&to.path, "report", "", "make a report: the file of its page, which ends with .html, or a folder")
	cmd.Flags().BoolVar(&to.force, "force", false, "with --report: write over files that are there")
	cmd.MarkFlagsMutuallyExclusive("json", "report")
	return cmd
}

func electorsCommand() *cobra.Command {
	var asked graph.ElectorsQuestion
	reached := false
	cmd := &cobra.Command{
		Use:   "electors --at PLACE|ORG",
		Short: "How many electors, or which, a place or an organisation holds, or ever reached it",
		Example: `  rolltrace electors --at lantern-print
  rolltrace electors --at party-a/files/card-list.csv --reached
  rolltrace electors --at lantern-print --list --json --limit -1`,
		Args: cobra.NoArgs,
	}
	flags := cmd.Flags()
	flags.StringVar(&asked.At, "at", "", "place (org/system/dataset) or organisation")
	flags.BoolVar(&reached, "reached", false, "those that ever entered, destroyed since or not; otherwise those that are held")
	flags.BoolVar(&asked.List, "list", false, "which electors, as elector keys")
	flags.IntVar(&asked.Limit, "limit", graph.DefaultLimit, "most electors to list; -1 for all")
	_ = cmd.MarkFlagRequired("at")
	newQuestion(cmd, func(ctx context.Context, g *graph.Graph, q *question, _ []string) (*graph.Electors, error) {
		asked.What, asked.AsOf = graph.Holding, q.asOfAt
		if reached {
			asked.What = graph.Reached
		}
		if asked.Limit < -1 || asked.Limit == 0 {
			return nil, boot.Wrongf("--limit %d: want 1 or more, or -1 for all", asked.Limit)
		}
		return g.Electors(ctx, asked)
	}, writeElectors).withAsOf(cmd)
	return cmd
}

func reachCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "reach PLACE|ORG",
		Short:   "Downstream: every place and organisation that electors went on to from there",
		Example: "  rolltrace reach party-a/crm/voters",
		Args:    cobra.ExactArgs(1),
	}
	newQuestion(cmd, func(ctx context.Context, g *graph.Graph, q *question, args []string) (*graph.Reach, error) {
		return g.Reach(ctx, graph.ReachQuestion{At: args[0], AsOf: q.asOfAt})
	}, writeReach("reached from")).withAsOf(cmd)
	return cmd
}

func sourcesCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "sources PLACE|ORG",
		Short:   "Upstream: every place and organisation that the electors there came from",
		Example: "  rolltrace sources lantern-print",
		Args:    cobra.ExactArgs(1),
	}
	newQuestion(cmd, func(ctx context.Context, g *graph.Graph, q *question, args []string) (*graph.Reach, error) {
		return g.Sources(ctx, graph.ReachQuestion{At: args[0], AsOf: q.asOfAt})
	}, writeReach("sources of")).withAsOf(cmd)
	return cmd
}

func routeCommand() *cobra.Command {
	var names electorFlags
	var asked graph.RouteQuestion
	shortest, all := false, false
	id := ""
	cmd := &cobra.Command{
		Use:   "route --elector ID --to PLACE|ORG",
		Short: "How one elector came to a place or an organisation: the earliest route, the shortest, or all",
		Long: `The route by which one elector came to a place, or to a place of an organisation: movement by movement, from
where the record had no earlier entry. It is the earliest one, unless another is asked for.
` + electorHelp,
		Example: `  rolltrace route --elector 7KQ42MXR --key key.json --to lantern-print
  rolltrace route --elector 7KQ42MXR --key key.json --to lantern-print --all --limit 20`,
		Args: cobra.NoArgs,
	}
	flags := cmd.Flags()
	flags.StringVar(&id, "elector", "", "identifier, or - for one on stdin")
	flags.StringVar(&asked.To, "to", "", "place (org/system/dataset) or organisation")
	flags.BoolVar(&shortest, "shortest", false, "the route of the fewest movements")
	flags.BoolVar(&all, "all", false, "every route")
	flags.IntVar(&asked.Limit, "limit", graph.DefaultLimit, "most routes to list with --all; -1 for no limit")
	_ = cmd.MarkFlagRequired("to")
	cmd.MarkFlagsMutuallyExclusive("shortest", "all")
	newQuestion(cmd, func(ctx context.Context, g *graph.Graph, q *question, _ []string) (_ *graph.Route, err error) {
		if asked.Limit < -1 || asked.Limit == 0 {
			return nil, boot.Wrongf("--limit %d: want 1 or more, or -1 for no limit", asked.Limit)
		}
		if !all && cmd.Flags().Changed("limit") {
			return nil, boot.Wrongf("--limit: only together with --all")
		}
		if asked.ElectorQuestion, err = names.elector(id, cmd.InOrStdin(), q.cfg.Key); err != nil {
			return nil, err
		}
		asked.AsOf, asked.Which = q.asOfAt, graph.Earliest
		if shortest {
			asked.Which = graph.Shortest
		} else if all {
			asked.Which = graph.All
		}
		return g.Route(ctx, asked)
	}, writeRoute).withAsOf(cmd)
	names.bind(cmd)
	return cmd
}

func copiesCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "copies PLACE|ORG",
		Short: "What is left elsewhere of what was destroyed there, and what was used after its destruction",
		Long: `Which copies are left of the electors that were destroyed at a place, or at the places of an organisation, and have
not come back: where they went on from there and have not been destroyed since, since when, and by which route. And
the movements that took electors out of there after they had been destroyed.`,
		Example: "  rolltrace copies party-a/exports/cards.csv",
		Args:    cobra.ExactArgs(1),
	}
	newQuestion(cmd, func(ctx context.Context, g *graph.Graph, q *question, args []string) (*graph.Copies, error) {
		return g.Copies(ctx, graph.CopiesQuestion{At: args[0], AsOf: q.asOfAt})
	}, writeCopies).withAsOf(cmd)
	return cmd
}

func fieldsCommand() *cobra.Command {
	var names electorFlags
	var asked graph.FieldsQuestion
	id := ""
	cmd := &cobra.Command{
		Use:   "fields PLACE|ORG",
		Short: "Which categories of fields reached a place or an organisation, and where they can have come from",
		Long: `Which categories of fields (name, civic_address, phone …) reached a place or an organisation, of how many electors or of
one, and whether they can have come from the list of electors, along the recorded routes. Which places and
organisations have the list you say with --list-source. Without it they are the authorities' places whose source in the
registry is list-of-electors; if there are none, every origin is unknown.
` + electorHelp,
		Example: "  rolltrace fields lantern-print --list-source elections-office",
		Args:    cobra.ExactArgs(1),
	}
	flags := cmd.Flags()
	flags.StringVar(&id, "elector", "", "identifier of one elector, or - for one on stdin; none: all electors")
	flags.StringSliceVar(&asked.Lists, "list-source", nil, "places and organisations, with commas between, whose records are the list of electors (default those that the registry names)")
	newQuestion(cmd, func(ctx context.Context, g *graph.Graph, q *question, args []string) (*graph.Fields, error) {
		asked.At, asked.AsOf = args[0], q.asOfAt
		if cmd.Flags().Changed("elector") || cmd.Flags().Changed("hex") {
			elector, err := names.elector(id, cmd.InOrStdin(), q.cfg.Key)
			if err != nil {
				return nil, err
			}
			asked.Elector = &elector
		}
		return g.Fields(ctx, asked)
	}, writeFields).withAsOf(cmd)
	names.bind(cmd)
	return cmd
}

func movementsCommand() *cobra.Command {
	var asked graph.MovementQuestion
	kind, since := "", ""
	cmd := &cobra.Command{
		Use:   "movements",
		Short: "The movements that are recorded, in order",
		Example: `  rolltrace movements --kind share --from party-a
  rolltrace movements --to lantern-print --since 2026-04-01`,
		Args: cobra.NoArgs,
	}
	flags := cmd.Flags()
	flags.StringVar(&kind, "kind", "", "only of this kind: collect, export, merge, share, access, destroy")
	flags.StringVar(&asked.From, "from", "", "only from this place or organisation")
	flags.StringVar(&asked.To, "to", "", "only to this place or organisation")
	flags.StringVar(&since, "since", "", "only those that began then or later: a time, or a date")
	flags.IntVar(&asked.Limit, "limit", graph.DefaultLimit, "most movements to list; -1 for all")
	newQuestion(cmd, func(ctx context.Context, g *graph.Graph, q *question, _ []string) (*graph.Movements, error) {
		asked.Kind, asked.Until = schema.Kind(kind), q.asOfAt
		if since != "" {
			at, err := parseTime("--since", since)
			if err != nil {
				return nil, err
			}
			if asked.Since = at; !asked.Until.IsZero() && at.After(asked.Until.Time) {
				return nil, boot.Wrongf("--since %s: want a time before --as-of", since)
			}
		}
		if asked.Limit < -1 || asked.Limit == 0 {
			return nil, boot.Wrongf("--limit %d: want 1 or more, or -1 for all", asked.Limit)
		}
		return g.Movements(ctx, asked)
	}, writeMovements).withAsOf(cmd)
	return cmd
}

func first(args []string) string {
	if len(args) == 0 {
		return ""
	}
	return args[0]
}
