package numbering

import (
	"slices"
	"testing"

	"github.com/rolltrace/rolltrace/schema"
	"github.com/rolltrace/rolltrace/schema/graph"
	"github.com/rolltrace/rolltrace/schema/schematest"
)

func TestMain(m *testing.M) { schematest.Main(m) }

// What a real graph gives back: several buckets and spaces, keys that end in zeroes, rows written twice, and rows of
// messages after the position, which are left out.
func TestLoadFromClickHouse(t *testing.T) {
	dsn := schematest.ClickHouse(t)
	if err := graph.Migrate(t.Context(), graph.Options{DSN: dsn}); err != nil {
		t.Fatal(err)
	}
	conn, err := graph.Open(dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	keys := append(schematest.Keys(0, 2_000_000), 0, 1<<56, 1<<63, ^schema.Key(0))
	b := &graph.Batch{Spaces: []graph.Space{
		{Number: 0, IDSpace: "elector-id", KeyID: "k-00000001", FirstSequence: 1}, {Number: 1, IDSpace: "email", KeyID: "k-00000001", FirstSequence: 1},
		{Number: 2, IDSpace: "phone", KeyID: "k-00000001", FirstSequence: 8},
	}}
	for i, key := range keys {
		b.Electors = append(b.Electors, graph.Elector{Number: uint32(i), Space: uint16(i % 2), Key: key, FirstSequence: 1 + uint64(i%7)})
	}
	b.Movements = []graph.MovementNumber{{Number: 0, Org: "a", Sidecar: "x", ID: schematest.MovementID(1), FirstSequence: 3}, {Number: 1, Org: "b", Sidecar: "x", ID: schematest.MovementID(1), FirstSequence: 8}}
	late := &graph.Batch{Electors: []graph.Elector{{Number: uint32(len(keys)), Space: 2, Key: 5, FirstSequence: 8}}}
	writer := graph.NewWriter(conn, graph.WriterConfig{})
	for _, batch := range []*graph.Batch{b, late, {Electors: b.Electors[:100_000]}} {
		if err := writer.Write(t.Context(), batch); err != nil {
			t.Fatal(err)
		}
	}
	n := New(graph.NewReader(conn))
	defer n.Close()
	if err := n.Load(t.Context(), 7); err != nil {
		t.Fatal(err)
	}
	if n.Known() != uint64(len(keys)) {
		t.Errorf("%d electors loaded, want %d", n.Known(), len(keys))
	}
	for from := 0; from < len(keys); from += 2 * schema.MaxChunkKeys {
		for at := range 2 {
			var want []uint32
			var chunk []schema.Key
			for i := from + at; i < min(from+2*schema.MaxChunkKeys, len(keys)); i += 2 {
				want, chunk = append(want, uint32(i)), append(chunk, keys[i])
			}
			numbered, err := n.Electors(uint16(at), chunk)
			if err != nil || !slices.Equal(numbered.Known, want) || len(numbered.New) != 0 {
				t.Fatalf("keys %d of space %d: %d of %d known with their numbers: %v", from, at, len(numbered.Known), len(want), err)
			}
		}
	}
	if number, first, err := n.Space("phone", "k-00000001"); number != 2 || !first || err != nil {
		t.Errorf("a space of a later message: %d, %v, %v", number, first, err)
	}
	if number, first, err := n.Movement("b", "x", schematest.MovementID(1)); number != 1 || !first || err != nil {
		t.Errorf("a movement of a later message: %d, %v, %v", number, first, err)
	}
	if number, first, err := n.Movement("a", "x", schematest.MovementID(1)); number != 0 || first || err != nil {
		t.Errorf("a movement: %d, %v, %v", number, first, err)
	}
}
