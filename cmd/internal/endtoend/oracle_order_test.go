package endtoend

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/rolltrace/rolltrace/cmd/internal/report"
	"github.com/rolltrace/rolltrace/schema"
	"github.com/rolltrace/rolltrace/schema/graph"
	"github.com/rolltrace/rolltrace/schema/schematest/oracle"
	"github.com/rolltrace/rolltrace/schema/wire"
)

// The same histories in two logs, in two orders and not the same number of times, are answered with the same
// bytes, whatever is asked; by the people's tool too.
func TestOrderFree(t *testing.T) {
	random := rand.New(rand.NewPCG(uint64(*historySeed), 2))
	generate := oracle.Histories(*historySize)
	var one, other []wire.Message
	var all []*played
	for i := range max(2, *histories/60) {
		seed := *historySeed + *histories + i
		p := play(t, fmt.Sprintf("h%d-", i), fmt.Sprintf("history of seed %d", seed), generate.Example(seed))
		for _, ask := range slices.Concat(asks(), []string{askOverview, askCoverage, askReport, askReportMovement, askReportElector}) {
			p.asks = append(p.asks, randomQuestion(random, ask, p.history))
		}
		all = append(all, p)
		for _, m := range p.pending {
			one, other = append(one, m), append(other, m)
			if random.IntN(4) == 0 {
				again := m
				again.Header = maps.Clone(m.Header)
				delete(again.Header, wire.HeaderMessageID)
				other = append(other, again)
			}
		}
	}
	random.Shuffle(len(other), func(i, j int) { other[i], other[j] = other[j], other[i] })
	first, second := newStage(t), newStage(t)
	first.deliver(one)
	second.deliver(other[:len(other)/2])
	second.deliver(other[len(other)/2:])

	each(all, func(p *played) {
		for _, q := range p.asks {
			if a, b := first.answer(q, p.prefix), second.answer(q, p.prefix); a != b {
				t.Errorf("%s: %s: %s", p.name, q, difference(b, a))
			}
		}
	})
	bin, err := programs()
	if err != nil {
		t.Fatal(err)
	}
	for _, q := range all[0].asks {
		if q.command(all[0].prefix) == nil { // the tool does not ask it
			continue
		}
		variants := [][]string{nil}
		if q.Ask == askRoute {
			variants = [][]string{nil, {"--shortest"}, {"--all"}}
		}
		for _, flags := range variants {
			args := append(q.command(all[0].prefix), flags...)
			if a, b := first.run(bin, args), second.run(bin, args); a != b {
				t.Errorf("%s: rolltrace %s: %s", all[0].name, strings.Join(args, " "), difference(b, a))
			}
		}
	}
}

// answer is the answer to a question as JSON, or the error.
func (s *stage) answer(q question, prefix string) string {
	var answer any
	var err error
	ctx, at := context.Background(), prefix+q.At
	elector := graph.ElectorQuestion{IDSpace: q.IDSpace, KeyID: q.KeyID, AsOf: q.AsOf}
	if q.Elector != "" {
		elector.Key = oracle.Keys(prefix, q.Elector)[0]
	}
	switch q.Ask {
	case askHolding, askReached:
		answer, err = s.graph.Electors(ctx, graph.ElectorsQuestion{At: at, What: q.Ask, AsOf: q.AsOf, List: true})
	case askReach:
		answer, err = s.graph.Reach(ctx, graph.ReachQuestion{At: at, AsOf: q.AsOf})
	case askSources:
		answer, err = s.graph.Sources(ctx, graph.ReachQuestion{At: at, AsOf: q.AsOf})
	case askElector:
		answer, err = s.graph.Elector(ctx, elector)
	case askRoute:
		answer, err = s.graph.Route(ctx, graph.RouteQuestion{ElectorQuestion: elector, To: at, Which: graph.All})
	case askMovements:
		answer, err = s.graph.Movements(ctx, graph.MovementQuestion{From: at, Until: q.AsOf})
	case askCopies:
		answer, err = s.graph.Copies(ctx, graph.CopiesQuestion{At: at, AsOf: q.AsOf})
	case askFields:
		answer, err = s.graph.Fields(ctx, graph.FieldsQuestion{At: at, AsOf: q.AsOf, Lists: []string{prefix + "b"}})
	case askFlowOf, askFlowFrom, askFlowTo, askFlowMovement:
		answer, err = s.graph.Flow(ctx, q.flowQuestion(prefix))
	case askMatch:
		set := oracle.Sets[q.Movement%len(oracle.Sets)]
		keys := slices.Sorted(slices.Values(oracle.Keys(prefix, oracle.Letters)))
		answer, err = s.graph.Match(ctx, graph.MatchQuestion{IDSpace: set.IDSpace, KeyID: set.KeyID, AsOf: q.AsOf, Records: 9,
			Keys: func(yield func([]schema.Key, error) bool) { yield(keys, nil) }})
	case askAccounting:
		answer, err = s.graph.Accounting(ctx, graph.AccountingQuestion{At: at, AsOf: q.AsOf})
	case askOverview:
		answer, err = s.graph.Overview(ctx, graph.OverviewQuestion{AsOf: q.AsOf, Expand: []string{at}})
	case askCoverage:
		answer, err = s.graph.Coverage(ctx, q.AsOf)
	case askReport:
		return document(report.OfPlace(ctx, s.graph, at, q.AsOf, schema.Time{}))
	case askReportMovement:
		return document(report.OfMovement(ctx, s.graph, report.MovementQuestion{Movement: q.flowQuestion(prefix).Movement, AsOf: q.AsOf, Keys: true}, schema.Time{}))
	case askReportElector:
		dossier, err := s.graph.Elector(ctx, elector)
		if err != nil {
			return err.Error()
		}
		return document(report.OfElector(dossier, schema.Time{}), nil)
	case askLeft:
		answer, err = s.graph.Left(ctx, oracle.Agreements[0], schema.Place(at).Org(), oracle.Agreements[:1], oracle.Moment(oracle.Moments))
	default:
		err = fmt.Errorf("nothing is asked by %s", q)
	}
	if err != nil {
		return err.Error()
	}
	text, err := json.MarshalIndent(answer, "", "  ")
	if err != nil {
		return err.Error()
	}
	return string(text)
}

// document is a report as JSON, or the error.
func document(r *report.Report, err error) string {
	if err != nil {
		return err.Error()
	}
	var text bytes.Buffer
	if err := r.WriteJSON(&text); err != nil {
		return err.Error()
	}
	return text.String()
}

// flowQuestion is one of the questions about flows, all of which name places.
func (q question) flowQuestion(prefix string) graph.FlowQuestion {
	out := graph.FlowQuestion{AsOf: q.AsOf}
	switch q.Ask {
	case askFlowOf:
		out.Of = prefix + q.At
	case askFlowFrom:
		out.From = prefix + q.At
	case askFlowTo:
		out.Of, out.What, out.To = prefix+"b", graph.Reached, prefix+q.At
	case askFlowMovement, askReportMovement:
		out.Movement = fmt.Sprintf("%sb/db1/01960000-0000-7000-8000-%012x", prefix, q.Movement%20)
	}
	return out
}

// command is the question on the command line of the people's tool. It has none for a found list: the tool makes keys of
// identifiers, and electors of histories have no identifiers; what it prints is the answer that is compared here.
func (q question) command(prefix string) []string {
	at := prefix + q.At
	elector := []string{"--id-space", "email"} // under one secret only
	if q.Elector != "" {
		elector = append(elector, "--hex", oracle.Keys(prefix, q.Elector)[0].String())
	}
	args := map[string][]string{
		askHolding: {"electors", "--list", "--at", at}, askReached: {"electors", "--list", "--reached", "--at", at},
		askReach: {"reach", at}, askSources: {"sources", at}, askMovements: {"movements", "--from", at},
		askCopies: {"copies", at}, askFields: {"fields", at, "--list-source", prefix + "b"}, askFlowOf: {"flow", "--of", at},
		askFlowFrom: {"flow", "--from", at}, askFlowTo: {"flow", "--of", prefix + "b", "--reached", "--to", at},
		askFlowMovement: {"flow", "--movement", q.flowQuestion(prefix).Movement},
		askReport:       {"report", "--at", at}, askReportMovement: {"report", "--keys", "--movement", q.flowQuestion(prefix).Movement},
		askElector: append([]string{"elector"}, elector...), askRoute: append([]string{"route", "--to", at}, elector...),
	}[q.Ask]
	if args == nil {
		return nil
	}
	if q.AsOf != (schema.Time{}) {
		args = append(args, "--as-of", q.AsOf.String())
	}
	return append(args, "--json")
}

// run is what the tool prints, with its error.
func (s *stage) run(bin string, args []string) string {
	cmd := exec.Command(filepath.Join(bin, "rolltrace"), append(args, "--clickhouse", s.dsn)...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	made := regexp.MustCompile(`(?m)^ *"made_at": .*$`) // a report says when it was made
	return fmt.Sprintf("%s%s%v", made.ReplaceAll(stdout.Bytes(), nil), strings.ReplaceAll(stderr.String(), s.dsn, ""), err)
}

// difference is the first line in which two texts differ.
func difference(have, want string) string {
	theirs := strings.Split(want, "\n")
	for i, line := range strings.Split(have, "\n") {
		if i >= len(theirs) || line != theirs[i] {
			return fmt.Sprintf("line %d: have %s, want %s", i+1, line, strings.Join(theirs[min(i, len(theirs)):min(i+1, len(theirs))], ""))
		}
	}
	return "the end is missing"
}
