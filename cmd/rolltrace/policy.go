package main

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"github.com/rolltrace/rolltrace/consumers/policy"
	"github.com/rolltrace/rolltrace/schema"
	"github.com/rolltrace/rolltrace/schema/graph"
)

func policyCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "policy",
		Short: "The rules: list them, and try one on what is recorded",
	}
	cmd.AddCommand(policyList(), policyTest())
	return cmd
}

// ruleAnswer is a rule in the JSON of `rolltrace policy list`.
type ruleAnswer struct {
	ID       string `json:"id"`
	Title    string `json:"title"`
	Severity string `json:"severity"`
	On       string `json:"on"`
	Means    string `json:"means"`
	Why      string `json:"why"`
	When     string `json:"when"`
	Text     string `json:"text"`
}

func policyList() *cobra.Command {
	rules, asJSON := "", false
	cmd := &cobra.Command{
		Use: "list", Short: "List the rules", Args: cobra.NoArgs,
		Long: `Lists the rules that are shipped, and those of a folder of your own. Each has a page in docs/rules.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			set, err := policy.Load(rules)
			if err != nil {
				return faultsOf(err, cmd.ErrOrStderr(), "rules")
			}
			if asJSON {
				list := []ruleAnswer{}
				for _, r := range set.All() {
					list = append(list, ruleAnswer{r.ID, r.Title, r.Severity, r.On, r.Means, r.Why, r.When.Value, r.Text.Value})
				}
				return writeJSON(cmd.OutOrStdout(), list)
			}
			t := newTable(text("rule"), text("severity"), text("looks at"), text("what it looks for"))
			for _, r := range set.All() {
				t.row(r.ID, r.Severity, r.On, r.Title)
			}
			return t.write(cmd.OutOrStdout())
		},
	}
	cmd.Flags().StringVar(&rules, "rules", "", "folder of rules of your own, beside the shipped ones")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func policyTest() *cobra.Command {
	cmd := &cobra.Command{
		Use: "test FILE…", Short: "Say what rules would have found in everything that is recorded", Args: cobra.MinimumNArgs(1),
		Long: `Asks the rules of these files, and no others, about everything that is recorded, as of now or of a time. Nothing is kept, and
nobody is alerted. A file with a fault (an expression that does not compile, or could take too long) is refused with
its line.`,
		Example: "  rolltrace policy test rules/bulk-movement.yaml --as-of 2026-04-01",
	}
	newQuestion(cmd, func(ctx context.Context, g *graph.Graph, q *question, args []string) (*policy.Answer, error) {
		set, err := policy.Read(args...)
		if err != nil {
			return nil, faultsOf(err, cmd.ErrOrStderr(), "rules")
		}
		asOf := q.asOfAt
		if asOf.IsZero() {
			asOf = schema.At(time.Now())
		}
		return policy.Ask(ctx, g, set, asOf)
	}, writeFindings).withAsOf(cmd)
	return cmd
}
