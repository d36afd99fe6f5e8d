package policy

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"

	"github.com/google/cel-go/common/types"
	"golang.org/x/sync/errgroup"

	"github.com/rolltrace/rolltrace/schema"
	"github.com/rolltrace/rolltrace/schema/graph"
)

// A Result is what the rules found.
type Result struct {
	AsOf     schema.Time
	Log      string
	Position uint64 // of the log
	Findings []graph.Finding
	// Stopped are rules that took too long on a subject, or could not be worked out there, with file and line, each once.
	// What they would have found there is not known.
	Stopped   []string
	Movements int
	Registry  string // digest of its versions
}

// Evaluate asks every rule about everything, as of a time. Findings are in the order of time, rule and subject.
func Evaluate(ctx context.Context, g *graph.Graph, rules *Rules, asOf schema.Time) (*Result, error) {
	read, err := g.Oversight(ctx, asOf)
	if err != nil {
		return nil, err
	}
	s := newSurvey(read)
	owed := s.obligations()
	over := map[string][]string{} // agreements that bind nobody to keep, by organisation
	for _, o := range owed {
		over[o.organisation] = append(over[o.organisation], o.agreement)
	}
	for _, o := range owed {
		left, err := g.Left(ctx, o.agreement, o.organisation, over[o.organisation], asOf)
		if err != nil {
			return nil, err
		}
		for _, l := range left {
			s.holding(o, l)
		}
	}
	r, err := rules.apply(ctx, s.subjects)
	if err != nil {
		return nil, err
	}
	r.AsOf, r.Log, r.Position, r.Movements, r.Registry = asOf, read.Log, read.Position, len(read.Movements), digestOf(read)
	return r, nil
}

func digestOf(read *graph.Oversight) string {
	var hashes []string
	for _, v := range read.Registry {
		hashes = append(hashes, hex.EncodeToString(v.Hash[:]))
	}
	slices.Sort(hashes)
	sum := sha256.Sum256([]byte(strings.Join(hashes, "\n")))
	return hex.EncodeToString(sum[:])
}

// part of the subjects that one goroutine takes at a time.
const portion = 256

// apply asks every rule about every subject of its kind.
func (rs *Rules) apply(ctx context.Context, subjects []*subject) (*Result, error) {
	byKind := map[string][]*Rule{}
	for _, r := range rs.list {
		byKind[r.On] = append(byKind[r.On], r)
	}
	parts := slices.Collect(slices.Chunk(subjects, portion))
	found, stopped := make([][]graph.Finding, len(parts)), make([][]string, len(parts))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(runtime.GOMAXPROCS(0))
	for i, part := range parts {
		group.Go(func() error {
			for _, s := range part {
				for _, r := range byKind[s.on] {
					finding, ok, err := r.ask(s)
					if err != nil {
						stopped[i] = append(stopped[i], err.Error())
					} else if ok {
						found[i] = append(found[i], finding)
					}
				}
			}
			return ctx.Err()
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	r := &Result{Findings: slices.Concat(found...), Stopped: slices.Concat(stopped...)}
	if r.Findings == nil {
		r.Findings = []graph.Finding{}
	}
	slices.SortFunc(r.Findings, func(a, b graph.Finding) int {
		if c := a.Since.Compare(b.Since.Time); c != 0 {
			return c
		}
		if c := strings.Compare(a.Rule, b.Rule); c != 0 {
			return c
		}
		return strings.Compare(a.Subject, b.Subject)
	})
	slices.Sort(r.Stopped)
	r.Stopped = slices.Compact(r.Stopped)
	return r, nil
}

// ask is what a rule finds about a subject.
func (r *Rule) ask(s *subject) (graph.Finding, bool, error) {
	value, err := r.when.eval(s.facts)
	if err != nil || value != types.True {
		return graph.Finding{}, false, about(r, err)
	}
	text, err := write(r.text, s.facts)
	if err != nil {
		return graph.Finding{}, false, about(r, err)
	}
	return graph.Finding{
		ID: FindingID(r.ID, s.on, s.id), Rule: r.ID, Severity: r.Severity, Title: r.Title, Text: text, On: s.on, Subject: s.id, Since: s.since,
		Movement: s.movement, Places: orEmpty(s.places), Organisations: orEmpty(s.organisations), Electors: s.electors,
	}, true, nil
}

func about(r *Rule, err error) error {
	if err == nil {
		return nil
	}
	if errors.Is(err, ErrStopped) {
		return fmt.Errorf("rule %s: %w", r.ID, err)
	}
	return fmt.Errorf("rule %s cannot be worked out: %w", r.ID, err)
}

// FindingID is the id of what a rule finds about a subject: the same every time.
func FindingID(rule, on, subject string) string {
	sum := sha256.Sum256([]byte(rule + "\x00" + on + "\x00" + subject))
	return hex.EncodeToString(sum[:16])
}

func orEmpty(list []string) []string {
	if list == nil {
		return []string{}
	}
	return list
}
