package main

import (
	"context"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/rolltrace/rolltrace/cmd/internal/boot"
	"github.com/rolltrace/rolltrace/schema/graph"
)

func flowCommand() *cobra.Command {
	var asked graph.FlowQuestion
	reached, byOrg := false, false
	cmd := &cobra.Command{
		Use:   "flow --of PLACE|ORG | --from PLACE|ORG | --to PLACE|ORG | --movement ID",
		Short: "The flow graph of a set of electors: how many of them went from where to where",
		Long: `By which ways electors went, place by place: how many of them over each edge, by how many movements, and since when;
and of the places at either end, how many are held there now, and how many were destroyed.

Whose flow is said by --of: the electors that a place or an organisation holds, or with --reached, that ever reached it.
Which way is said by --from and --to: only along routes that begin, or that end there. Each does for itself, and
--of goes with --from or with --to. With --movement it is the electors of one movement, from there on.`,
		Example: `  rolltrace flow --of lantern-print
  rolltrace flow --from elections-office --by-org
  rolltrace flow --of lantern-print --to party-a/crm/voters
  rolltrace flow --movement 0199b0c2-7f3e-7c1a-9d58-3f1c6f1b2a90`,
		Args: cobra.NoArgs,
	}
	flags := cmd.Flags()
	flags.StringVar(&asked.Of, "of", "", "only of the electors that this place or organisation holds")
	flags.BoolVar(&reached, "reached", false, "with --of: of those that ever reached it")
	flags.StringVar(&asked.From, "from", "", "only along routes that begin at this place or organisation")
	flags.StringVar(&asked.To, "to", "", "only along routes that end at this place or organisation")
	flags.StringVar(&asked.Movement, "movement", "", "of the electors of this movement, from there on: its id, or org/sidecar/id")
	flags.BoolVar(&byOrg, "by-org", false, "organisations only (the JSON has both)")
	flags.IntVar(&asked.Limit, "limit", graph.DefaultLimit, "most edges to list; -1 for all")
	cmd.MarkFlagsMutuallyExclusive("from", "to", "movement")
	cmd.MarkFlagsMutuallyExclusive("of", "movement")
	cmd.MarkFlagsOneRequired("of", "from", "to", "movement")
	newQuestion(cmd, func(ctx context.Context, g *graph.Graph, q *question, _ []string) (*graph.Flow, error) {
		if asked.Limit < -1 || asked.Limit == 0 {
			return nil, boot.Wrongf("--limit %d: want 1 or more, or -1 for all", asked.Limit)
		}
		if reached && asked.Of == "" {
			return nil, boot.Wrongf("--reached: only together with --of")
		}
		if reached {
			asked.What = graph.Reached
		}
		asked.AsOf = q.asOfAt
		return g.Flow(ctx, asked)
	}, func(w io.Writer, f *graph.Flow) error { return writeFlow(w, f, byOrg) }).withAsOf(cmd)
	return cmd
}

func writeFlow(w io.Writer, f *graph.Flow, byOrg bool) error {
	p := &page{w: w}
	heading := "flow"
	switch {
	case f.Movement != nil:
		heading = "flow from movement " + f.Movement.ID + " on"
	case f.What == graph.Reached:
		heading += " of the electors that ever reached " + f.Of
	case f.Of != "":
		heading += " of the electors held at " + f.Of
	}
	for _, end := range [][2]string{{" from ", f.From}, {" to ", f.To}} {
		if end[1] != "" {
			heading += end[0] + end[1]
		}
	}
	if len(f.Electors) > 0 {
		p.line("%s: %s electors", heading, counts(f.Electors))
	}
	edges := newTable(text("from"), text("to"), number("electors"), number("movements"), text("first (UTC)"), text("last (UTC)"), text("kind"), text("basis"))
	edge := func(from, to string, pass graph.FlowPass) {
		edges.row(from, to, counts(pass.Electors), grouped(pass.Movements), moment(pass.FirstAt), moment(pass.LastAt), words(pass.Kinds), words(pass.Bases))
	}
	ends := newTable(text("place"), number("electors"), number("held"), number("destroyed"), text("last destroyed (UTC)"), text("arrived (UTC)"))
	end := func(name string, e graph.FlowEnd) {
		held := counts(e.Held)
		if held == "" && !e.FirstAt.IsZero() {
			held = "0"
		}
		ends.row(name, counts(e.Electors), held, counts(e.Destroyed), moment(e.DestroyedAt), moment(e.FirstAt))
	}
	if byOrg {
		ends.columns[0] = text("organisation")
		for _, e := range f.OrgEdges {
			edge(e.From, e.To, e.FlowPass)
		}
		for _, o := range f.Organisations {
			end(o.Org, o.FlowEnd)
		}
	} else {
		for _, e := range f.Edges {
			edge(string(e.From), string(e.To), e.FlowPass)
		}
		for _, place := range f.Places {
			end(string(place.Place), place.FlowEnd)
		}
	}
	if len(edges.rows) > 0 || len(ends.rows) == 0 {
		p.table("", edges, "none recorded: no movements of these electors")
	}
	if len(ends.rows) > 0 {
		p.line("")
		p.table("", ends, "")
	}
	return p.notes(f.Answer)
}

// words are names with spaces between.
func words[S ~string](names []S) string {
	out := make([]string, len(names))
	for i, name := range names {
		out[i] = string(name)
	}
	return strings.Join(out, " ")
}
