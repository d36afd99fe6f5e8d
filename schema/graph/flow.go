package graph

import (
	"context"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/rolltrace/rolltrace/schema"
)

// flows is the graph of places: from where to where movements went, whatever they carried.
type flows struct{ to, from map[string][]string }

func (g *Graph) flows(ctx context.Context, asOf schema.Time) (*flows, error) {
	f := &flows{to: map[string][]string{}, from: map[string][]string{}}
	err := g.ask(ctx, "read the graph of places", func(rows driver.Rows) error {
		var from, to string
		if err := rows.Scan(&from, &to); err != nil {
			return err
		}
		f.to[from] = append(f.to[from], to)
		f.from[to] = append(f.from[to], from)
		return nil
	}, "SELECT DISTINCT from_place, to_place FROM flows_as_of(as_of = $1) WHERE to_place != ''", asOf.String())
	return f, err
}

// downstream returns the places that can be reached from those that start says.
func (f *flows) downstream(start func(string) bool) map[string]bool { return walk(f.to, start) }

// upstream returns the places from which those that start says can be reached.
func (f *flows) upstream(start func(string) bool) map[string]bool { return walk(f.from, start) }

func walk(edges map[string][]string, start func(string) bool) map[string]bool {
	seen := map[string]bool{}
	var next []string
	for place, ends := range edges {
		if start(place) {
			next = append(next, ends...)
		}
	}
	for len(next) > 0 {
		place := next[len(next)-1]
		next = next[:len(next)-1]
		if !seen[place] {
			seen[place] = true
			next = append(next, edges[place]...)
		}
	}
	return seen
}
