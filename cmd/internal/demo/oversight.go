package demo

import (
	"context"
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/rolltrace/rolltrace/cmd/internal/operator"
	"github.com/rolltrace/rolltrace/consumers/policy"
	"github.com/rolltrace/rolltrace/schema"
	"github.com/rolltrace/rolltrace/schema/graph"
	"github.com/rolltrace/rolltrace/schema/registry"
)

// What belongs to a scenario's oversight, in its folder and in the data folder.
const (
	RegistryFolder = "registry"     // who is who, and what was agreed: rolltrace registry apply
	FindingsFile   = "findings.txt" // what the rules find, and nothing else
)

// Expected are the findings that a case raises, and no others, sorted: "rule: place, place …", as Said says them.
func Expected(name string) ([]string, error) {
	content, err := scenarios.ReadFile(path.Join("scenario", name, FindingsFile))
	if err != nil {
		return nil, err
	}
	var out []string
	for line := range strings.Lines(string(content)) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			out = append(out, line)
		}
	}
	slices.Sort(out)
	return out, nil
}

// Said is a finding without what depends on the size that is played.
func Said(f graph.Finding) string { return f.Rule + ": " + strings.Join(f.Places, ", ") }

// register applies the scenario's registry, as "rolltrace registry apply" does.
func (s *stage) register(ctx context.Context) error {
	r, err := registry.Load(s.path(RegistryFolder))
	if err != nil {
		return err
	}
	signer, err := operator.Signer("", s.path(CentreFolder))
	if err != nil {
		return err
	}
	_, err = operator.New(s.centre.Hub, signer, "").Apply(ctx, r, schema.Time{}, "demo", "the case's own registry")
	return err
}

// rules asks the shipped rules what stands out, as "rolltrace findings --as-of" does.
func (s *stage) rules(ctx context.Context) error {
	rules, err := policy.Shipped()
	if err != nil {
		return err
	}
	conn, err := graph.Open(s.centre.Reader)
	if err != nil {
		return err
	}
	defer conn.Close()
	result, err := policy.Evaluate(ctx, graph.New(conn, graph.Config{}), rules, schema.At(time.Now()))
	if err != nil {
		return err
	}
	if len(result.Stopped) > 0 {
		return fmt.Errorf("ask the rules: %s", strings.Join(result.Stopped, "; "))
	}
	s.report.Findings = result.Findings
	return nil
}
