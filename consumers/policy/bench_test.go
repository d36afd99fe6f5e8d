package policy_test

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rolltrace/rolltrace/consumers/lineage"
	"github.com/rolltrace/rolltrace/consumers/policy"
	"github.com/rolltrace/rolltrace/schema"
	"github.com/rolltrace/rolltrace/schema/graph"
	"github.com/rolltrace/rolltrace/schema/schematest"
)

const (
	benchMovements = 10_000
	benchRules     = 30
)

// BenchmarkEvaluate asks 30 rules about 10,000 movements with a registry, everything read from ClickHouse: movements/s.
func BenchmarkEvaluate(b *testing.B) {
	g := history(b, benchMovements)
	rules := many(b, benchRules)
	at := schema.At(later)
	b.ResetTimer()
	found := 0
	for b.Loop() {
		r, err := policy.Evaluate(b.Context(), g, rules, at)
		if err != nil {
			b.Fatal(err)
		}
		if r.Movements != benchMovements || len(r.Stopped) > 0 {
			b.Fatalf("%d movements, stopped %q", r.Movements, r.Stopped)
		}
		if found == 0 {
			found = len(r.Findings)
		}
		if len(r.Findings) != found || found == 0 {
			b.Fatalf("%d findings, and %d before", len(r.Findings), found)
		}
	}
	b.ReportMetric(float64(benchMovements)*float64(b.N)/b.Elapsed().Seconds(), "movements/s")
	b.ReportMetric(float64(found), "findings")
}

// many are the shipped rules, and copies of them until there are n.
func many(t testing.TB, n int) *policy.Rules {
	t.Helper()
	files, err := filepath.Glob("rule/*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for i := len(files); i < n; i++ {
		text, err := os.ReadFile(files[i%len(files)])
		if err != nil {
			t.Fatal(err)
		}
		copied := filepath.Join(dir, fmt.Sprintf("%d.yaml", i))
		if err := os.WriteFile(copied, []byte(strings.Replace(string(text), "id: ", fmt.Sprintf("id: copy-%d-", i), 1)), 0o600); err != nil {
			t.Fatal(err)
		}
		files = append(files, copied)
	}
	rules, err := policy.Read(files...)
	if err != nil {
		t.Fatal(err)
	}
	return rules
}

// history is a graph of n movements: one of the whole roll (50,000) in a hundred, and destructions, shares and accesses of a
// thousand and fewer.
func history(t testing.TB, n int) *graph.Graph {
	t.Helper()
	dsn := schematest.ClickHouse(t)
	if err := graph.Migrate(t.Context(), graph.Options{DSN: dsn}); err != nil {
		t.Fatal(err)
	}
	conn, err := graph.Open(dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	content, err := theRegistry(t).Normal()
	if err != nil {
		t.Fatal(err)
	}
	const roll = 50_000
	b := &graph.Batch{
		Spaces:     []graph.Space{{Number: 0, IDSpace: schema.ElectorID, KeyID: schematest.KeyID, FirstSequence: 1}},
		Registries: []graph.Registry{{Hash: sha256.Sum256(content), Version: 1, Instance: "r", AppliedAt: day("2026-01-01"), ValidFrom: day("1900-01-01"), By: "u0001", Content: content, StreamSequence: 1, ReceivedAt: day("2026-01-01")}},
		Position:   graph.Position{Log: "log", Sequence: uint64(n) + 1, LastSequence: uint64(n) + 1, WrittenAt: day("2026-01-01")},
	}
	for i, key := range schematest.Keys(0, roll) {
		b.Electors = append(b.Electors, graph.Elector{Number: uint32(i), Key: key, FirstSequence: 1})
	}
	kinds := []struct {
		kind     schema.Kind
		from, to string
	}{
		{schema.Export, "party-a/crm/voters", "party-a/files/f%d"}, {schema.Share, "party-a/files/f%d", "acme-mail/uploads/u%d"},
		{schema.Access, "party-a/crm/voters", "party-a/people/u%d"}, {schema.Share, "acme-mail/uploads/u%d", "vendor-b/db/x%d"},
		{schema.Export, "party-a/crm/voters", "party-a/backup/b%d"}, {schema.Destroy, "party-a/files/f%d", ""},
	}
	for i := range n {
		k := kinds[i%len(kinds)]
		electors := 1 + i*37%1000
		if i%100 == 0 {
			k, electors = struct {
				kind     schema.Kind
				from, to string
			}{schema.Collect, "elections-office/lists/2026", "party-a/crm/voters"}, roll
		}
		place := func(p string) schema.Place {
			return schema.Place(strings.ReplaceAll(p, "%d", fmt.Sprint(i/len(kinds)%500)))
		}
		sample := schematest.NewSample(i, k.kind)
		m := sample.Movement
		m.OccurredAt = schema.At(day("2026-04-01").Add(time.Duration(i) * time.Minute))
		m.ClosedAt, m.RecordedAt, m.Actor = m.OccurredAt, m.OccurredAt, fmt.Sprintf("party-a/people/u%04d", i%40)
		m.Inputs, m.Output = []schema.Input{{Place: place(k.from), Fields: []string{"name"}}}, place(k.to)
		m.Producer.Org = m.Owner()
		m.Electors = schema.Electors{Mode: schema.Listed, Records: uint64(electors), Sets: []schema.Set{{IDSpace: schema.ElectorID, KeyID: schematest.KeyID, Keys: uint64(electors), Chunks: 1, Digest: "sha256:" + strings.Repeat("0", 64)}}}
		body, err := json.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		number, sequence := uint32(i), uint64(i)+2
		b.Movements = append(b.Movements, graph.MovementNumber{Number: number, Org: m.Producer.Org, Sidecar: m.Producer.Sidecar, ID: m.ID, FirstSequence: sequence})
		b.Revisions = append(b.Revisions, graph.Revision{Movement: number, Record: m, Body: body, BodyHash: sha256.Sum256(body), StreamSequence: sequence, ReceivedAt: m.OccurredAt})
		b.Chunks = append(b.Chunks, graph.Chunk{Movement: number, Keys: uint32(electors), StreamSequence: sequence, ReceivedAt: m.OccurredAt})
		b.Runs = append(b.Runs, graph.Run{Movement: number, Starts: []uint32{uint32(i * 13 % (roll - electors + 1))}, Lengths: []uint32{uint32(electors)}})
	}
	if err := graph.NewWriter(conn, graph.WriterConfig{}).Write(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	derives, err := lineage.New(lineage.Config{Graph: graph.NewLineage(conn, graph.WriterConfig{})})
	if err != nil {
		t.Fatal(err)
	}
	if err := derives.CatchUp(t.Context()); err != nil {
		t.Fatal(err)
	}
	return graph.New(conn, graph.Config{})
}
