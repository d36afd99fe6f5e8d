package graph

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/rolltrace/rolltrace/schema"
)

// A missing is an error that names what is like the thing which does not exist.
type missing struct {
	asked string
	why   error
	near  []string
}

func (m *missing) Error() string {
	text := fmt.Sprintf("%q: %s", m.asked, m.why)
	if len(m.near) > 0 {
		text += ": did you mean " + strings.Join(m.near, ", or ") + "?"
	}
	return text
}

func (m *missing) Unwrap() error { return m.why }

// checkKnown returns ErrUnknownPlace, with the nearest names, unless a movement names at, whenever, or a sidecar covers
// it. If the first such movement began after the time asked for, a note says so.
func (n *notes) checkKnown(ctx context.Context, at string) error {
	var known bool
	var first *time.Time
	g := n.g
	err := g.conn.QueryRow(ctx, "SELECT count() > 0, min(first_at) FROM places WHERE place = $1 OR org = $1", at).Scan(&known, &first)
	if err != nil {
		return fmt.Errorf("look up place: %w", explain(err))
	}
	if known {
		n.later("movement that names "+at, atOrZero(first))
		return nil
	}
	unknown := &missing{asked: at, why: ErrUnknownPlace}
	err = g.ask(ctx, "look up place", func(rows driver.Rows) error {
		var name string
		if err := rows.Scan(&name); err != nil {
			return err
		}
		unknown.near = append(unknown.near, name)
		return nil
	}, `SELECT name FROM (SELECT DISTINCT arrayJoin([place, org]) AS name FROM places)
		WHERE (position(name, '/') > 0) = (position($1, '/') > 0) AND levenshteinDistanceUTF8(name, $1) <= greatest(2, intDiv(length($1), 5))
		ORDER BY levenshteinDistanceUTF8(name, $1), name LIMIT 2`, at)
	if err != nil {
		return err
	}
	return unknown
}

// checkKind refuses a kind that neither this version knows nor any movement has: a later version may bring others.
func (g *Graph) checkKind(ctx context.Context, kind schema.Kind) error {
	if kind.Known() {
		return nil
	}
	kinds := []string{string(schema.Collect), string(schema.Export), string(schema.Merge), string(schema.Share), string(schema.Access), string(schema.Destroy)}
	err := g.ask(ctx, "look up kind", func(rows driver.Rows) error {
		var name string
		if err := rows.Scan(&name); err != nil {
			return err
		}
		if !slices.Contains(kinds, name) {
			kinds = append(kinds, name)
		}
		return nil
	}, "SELECT DISTINCT kind FROM movements ORDER BY kind")
	if err != nil || slices.Contains(kinds, string(kind)) {
		return err
	}
	return fmt.Errorf("%w: kind %q: want one of %s", ErrMalformed, kind, strings.Join(kinds, ", "))
}
