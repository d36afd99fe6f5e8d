package graph

import (
	"context"
	"fmt"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/rolltrace/rolltrace/schema"
)

// What an ElectorsQuestion asks for.
const (
	Holding = "holding" // entered, and not destroyed since
	Reached = "reached" // ever entered
)

// An ElectorsQuestion asks for the electors at a place or an organisation.
type ElectorsQuestion struct {
	At   string      // a place or an organisation
	What string      // Holding or Reached; "" means Holding
	AsOf schema.Time // zero: all that is known
	List bool        // which electors, beside how many
	// Limit is how many electors are listed. 0: DefaultLimit; negative: all, which may not fit into memory.
	Limit int
}

// Electors is the answer to an ElectorsQuestion.
type Electors struct {
	Answer
	At       string       `json:"at"`
	What     string       `json:"what"`     // "holding" or "reached"
	Electors []Count      `json:"electors"` // each elector once, whatever the places; by id space and secret
	Places   []PlaceCount `json:"places"`   // place by place, by name
	Keys     []ElectorKey `json:"keys"`     // by id space, secret and key; null when not asked for
}

// A PlaceCount is how many electors are at a place.
type PlaceCount struct {
	Org      string       `json:"org"`
	Place    schema.Place `json:"place"`
	Electors []Count      `json:"electors"`
}

// Electors says how many electors a place or an organisation holds, or how many reached it, and which.
func (g *Graph) Electors(ctx context.Context, q ElectorsQuestion) (*Electors, error) {
	if err := checkAt(q.At); err != nil {
		return nil, err
	}
	what := q.What
	if what == "" {
		what = Holding
	}
	if what != Holding && what != Reached {
		return nil, fmt.Errorf("%w: electors %q: want %s or %s", ErrMalformed, what, Holding, Reached)
	}
	a := &Electors{At: q.At, What: what, Electors: []Count{}, Places: []PlaceCount{}}
	if err := g.electorCounts(ctx, q, a); err != nil {
		return nil, err
	}
	notes := g.newNotes(q.AsOf)
	if len(a.Electors) == 0 {
		if err := g.checkKnown(ctx, q.At); err != nil {
			return nil, err
		}
		notes.none("electors")
	}
	if q.List {
		if err := g.electorKeys(ctx, q, a, notes); err != nil {
			return nil, err
		}
	}
	var err error
	a.Answer, err = notes.answer(ctx, func(ctx context.Context, rows []CoverageRow) (func(CoverageRow) bool, error) {
		into, err := g.into(ctx, q, rows)
		return func(row CoverageRow) bool {
			if row.Kind != schema.Destroy {
				return into(row.Output)
			}
			// A destroy takes nothing from what was reached, and on another's word nothing at all.
			return what == Holding && (into(row.Inputs[0]) && row.Code != CodeAttested || matches(q.At, row.Inputs[0]))
		}, err
	})
	return a, err
}

// electorCounts reads the counts: of the organisation, or of the place alone, and of each place.
func (g *Graph) electorCounts(ctx context.Context, q ElectorsQuestion, a *Electors) error {
	return g.ask(ctx, "count electors", func(rows driver.Rows) error {
		var org, place, idSpace, keyID string
		var electors uint64
		if err := rows.Scan(&org, &place, &idSpace, &keyID, &electors); err != nil {
			return err
		}
		count := Count{schema.IDSpace(idSpace), schema.KeyID(keyID), electors}
		if place == "" {
			a.Electors = append(a.Electors, count)
			return nil
		}
		if n := len(a.Places); n == 0 || string(a.Places[n-1].Place) != place {
			a.Places = append(a.Places, PlaceCount{Org: org, Place: schema.Place(place)})
		}
		last := &a.Places[len(a.Places)-1]
		last.Electors = append(last.Electors, count)
		return nil
	}, fmt.Sprintf(`SELECT org, place, id_space, key_id, %[1]s AS n FROM electors_as_of(at = $1, as_of = $2) WHERE n > 0
		ORDER BY org, place, id_space, key_id`, a.What), q.At, q.AsOf.String())
}

func (g *Graph) electorKeys(ctx context.Context, q ElectorsQuestion, a *Electors, notes *notes) error {
	view := "held_electors_as_of"
	if a.What == Reached {
		view = "reached_electors_as_of"
	}
	limit := bound(q.Limit)
	a.Keys = []ElectorKey{}
	err := g.ask(ctx, "list electors", func(rows driver.Rows) error {
		var idSpace, keyID, key string
		if err := rows.Scan(&idSpace, &keyID, &key); err != nil {
			return err
		}
		a.Keys = append(a.Keys, ElectorKey{schema.IDSpace(idSpace), schema.KeyID(keyID), key})
		return nil
	}, fmt.Sprintf(`SELECT DISTINCT id_space, key_id, key FROM %s(at = $1, as_of = $2) ORDER BY id_space, key_id, key LIMIT %d`, view, limit+1),
		q.At, q.AsOf.String())
	if err != nil {
		return err
	}
	if len(a.Keys) > limit {
		a.Keys = a.Keys[:limit]
		notes.cut(limit, "electors")
	}
	return nil
}

// into says which movements into a place could change what is at the place asked: those into itself, and those
// into whatever was carried on there whole.
func (g *Graph) into(ctx context.Context, q ElectorsQuestion, rows []CoverageRow) (func(place string) bool, error) {
	wholes := map[string][]string{}
	if len(rows) > 0 {
		err := g.ask(ctx, "read whole movements", func(rows driver.Rows) error {
			var from, to string
			err := rows.Scan(&from, &to)
			wholes[to] = append(wholes[to], from)
			return err
		}, "SELECT DISTINCT from_place, to_place FROM flows_as_of(as_of = $1) WHERE mode = 'whole' AND to_place != ''", q.AsOf.String())
		if err != nil {
			return nil, err
		}
	}
	carried := walk(wholes, func(p string) bool { return matches(q.At, p) })
	return func(place string) bool { return place != "" && (matches(q.At, place) || carried[place]) }, nil
}
