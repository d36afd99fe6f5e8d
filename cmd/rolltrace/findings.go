package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/rolltrace/rolltrace/cmd/internal/boot"
	"github.com/rolltrace/rolltrace/consumers/policy"
	"github.com/rolltrace/rolltrace/schema"
	"github.com/rolltrace/rolltrace/schema/graph"
	"github.com/rolltrace/rolltrace/schema/wire"
)

func findingsCommand() *cobra.Command {
	open, rule, rules := false, "", ""
	var asOf schema.Time
	cmd := &cobra.Command{
		Use:   "findings",
		Short: "What stands out: what the rules found in what moved, what was agreed and what went before",
		Long: `What the rules found. The consumer asks them whenever something has come, and keeps what they found, with its history (the view
finding_history). As of a time, they are asked anew: about what is known today of the time until then, by the registry
of that time.

A finding is open until somebody decides about it (ack, suppress), or late news or another registry resolve it.
"rolltrace policy list" tells the rules.`,
		Example: `  rolltrace findings --open
  rolltrace findings --rule destruction-overdue --as-of 2026-04-01
  rolltrace findings ack 0123… --by u0412 --why "the printer was called"`,
		Args: cobra.NoArgs,
	}
	newQuestion(cmd, func(ctx context.Context, g *graph.Graph, q *question, _ []string) (*policy.Answer, error) {
		set, err := policy.Load(rules)
		if err != nil {
			return nil, faultsOf(err, cmd.ErrOrStderr(), "rules")
		}
		if rule != "" && !slices.ContainsFunc(set.All(), func(r *policy.Rule) bool { return r.ID == rule }) {
			return nil, boot.Wrongf("--rule %q: no such rule: \"rolltrace policy list\" tells them", rule)
		}
		asOf = q.asOfAt
		a, err := policy.Ask(ctx, g, set, asOf)
		if err != nil {
			return nil, err
		}
		a.Findings = slices.DeleteFunc(a.Findings, func(f graph.StoredFinding) bool {
			return rule != "" && f.Rule != rule || open && f.Status != graph.FindingOpen
		})
		return a, nil
	}, func(w io.Writer, a *policy.Answer) error {
		if err := writeFindings(w, a); err != nil || !asOf.IsZero() || a.AsOf.IsZero() {
			return err
		}
		if ago := time.Since(a.AsOf.Time); ago > fresh {
			_, err := fmt.Fprintf(w, "note: that was %s ago: what has come since then the rules have not seen\n", ago.Round(time.Second))
			return err
		}
		return nil
	}).withAsOf(cmd)
	flags := cmd.Flags()
	flags.BoolVar(&open, "open", false, "only those that are open: neither resolved nor decided about")
	flags.StringVar(&rule, "rule", "", "only those of this rule")
	flags.StringVar(&rules, "rules", "", "folder of rules of your own, beside the shipped ones, for --as-of")
	cmd.AddCommand(rulingCommand("ack", wire.Acknowledge, "acknowledged", "Say that a finding is seen to"),
		rulingCommand("suppress", wire.Suppress, "suppressed", "Take a finding off the open ones: it is kept, with who and why"),
		rulingCommand("reopen", wire.Reopen, "reopened", "Take back what was decided about a finding"))
	return cmd
}

// fresh is how old findings can be without a word about it.
const fresh = 30 * time.Second

func writeFindings(w io.Writer, a *policy.Answer) error {
	p := &page{w: w}
	t := newTable(text("since (UTC)"), text("severity"), text("rule"), text("status"), text("what was found"), text("finding"))
	for _, f := range a.Findings {
		status := f.Status
		if f.RuledBy != "" {
			status += " by " + f.RuledBy
		}
		t.row(moment(f.Since), f.Severity, f.Rule, status, f.Text, f.ID)
	}
	p.table("", t, "no findings")
	p.line("")
	for _, s := range a.Stopped {
		p.line("note: %s", s)
	}
	if a.AsOf.IsZero() {
		p.line("The rules have not been asked yet: the consumer asks them.")
	} else {
		p.line("The rules were asked about %s, on everything up to message %s of the log.", moment(a.AsOf), grouped(a.Position))
	}
	return p.err
}

// rulingCommand publishes what somebody decides about findings.
func rulingCommand(name, ruling, decided, short string) *cobra.Command {
	cmd := &cobra.Command{
		Use: name + " FINDING…", Short: short, Args: cobra.MinimumNArgs(1),
		Long: short + `. Who decided, when and why goes into the log and is kept for ever: a finding is never deleted.`,
	}
	o := newOperator(cmd)
	o.decides(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if done, err := o.loader.Load(cmd.OutOrStdout()); done || err != nil {
			return err
		}
		if err := o.check(); err != nil {
			return err
		}
		if strings.TrimSpace(o.why) == "" {
			return boot.Wrongf("--why: want a reason")
		}
		for _, id := range args {
			if !wire.ValidFinding(id) {
				return boot.Wrongf("finding %q: want the 32 hex digits of \"rolltrace findings\"", id)
			}
		}
		publisher, release, err := o.connect(cmd.Context())
		if err != nil {
			return err
		}
		defer release()
		for _, id := range args {
			if _, err := publisher.Rule(cmd.Context(), id, ruling, o.by, o.why); err != nil {
				return fmt.Errorf("publish what was decided: %w", err)
			}
			if _, err := fmt.Fprintf(cmd.OutOrStdout(), "%s: %s by %s\n", id, decided, o.by); err != nil {
				return err
			}
		}
		return nil
	}
	return cmd
}
