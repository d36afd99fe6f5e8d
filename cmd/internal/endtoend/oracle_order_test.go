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
	"strings"
	"testing"

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
	for i := range max(2, *histories/40) {
		seed := *historySeed + *histories + i
		p := play(t, fmt.Sprintf("h%d-", i), fmt.Sprintf("history of seed %d", seed), generate.Example(seed))
		for _, ask := range asks {
			p.asks = append(p.asks, randomQuestion(random, ask))
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

// command is the question on the command line of the people's tool.
func (q question) command(prefix string) []string {
	at := prefix + q.At
	elector := []string{"--id-space", "email"} // under one secret only
	if q.Elector != "" {
		elector = append(elector, "--hex", oracle.Keys(prefix, q.Elector)[0].String())
	}
	args := map[string][]string{
		askHolding: {"electors", "--list", "--at", at}, askReached: {"electors", "--list", "--reached", "--at", at},
		askReach: {"reach", at}, askSources: {"sources", at}, askMovements: {"movements", "--from", at},
		askElector: append([]string{"elector"}, elector...), askRoute: append([]string{"route", "--to", at}, elector...),
	}[q.Ask]
	if q.Ask != askMovements && q.AsOf != (schema.Time{}) {
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
	return fmt.Sprintf("%s%s%v", stdout.Bytes(), strings.ReplaceAll(stderr.String(), s.dsn, ""), err)
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
