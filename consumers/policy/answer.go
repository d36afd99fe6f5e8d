package policy

import (
	"context"

	"github.com/rolltrace/rolltrace/schema"
	"github.com/rolltrace/rolltrace/schema/graph"
	"github.com/rolltrace/rolltrace/schema/wire"
)

// An Answer is what the rules found, as of a time.
type Answer struct {
	AsOf     schema.Time           `json:"as_of"`    // time that the rules were asked about
	Position uint64                `json:"position"` // log message up to which everything was taken into account
	Stopped  []string              `json:"stopped"`  // rules that took too long: what they would have found is not known
	Findings []graph.StoredFinding `json:"findings"`
}

// Ask answers with what the consumer found last, or, as of a time, asks the rules anew: about what is known today of the
// time until then, and with what had been decided by then.
func Ask(ctx context.Context, g *graph.Graph, rules *Rules, asOf schema.Time) (*Answer, error) {
	a := &Answer{Stopped: []string{}, Findings: []graph.StoredFinding{}}
	if asOf.IsZero() {
		found, position, err := g.Findings(ctx)
		a.AsOf, a.Position = position.AsOf, position.Position
		a.Findings = append(a.Findings, found...)
		return a, err
	}
	result, err := Evaluate(ctx, g, rules, asOf)
	if err != nil {
		return nil, err
	}
	rulings, err := g.Rulings(ctx, asOf)
	if err != nil {
		return nil, err
	}
	a.AsOf, a.Position, a.Stopped = result.AsOf, result.Position, append(a.Stopped, result.Stopped...)
	for _, f := range result.Findings {
		r := rulings[f.ID]
		status := map[string]string{wire.Acknowledge: "acknowledged", wire.Suppress: "suppressed"}[r.What]
		if status == "" {
			status = graph.FindingOpen
		}
		a.Findings = append(a.Findings, graph.StoredFinding{Finding: f, Status: status, RuledAt: r.At, RuledBy: r.By, RuledWhy: r.Why})
	}
	return a, nil
}
