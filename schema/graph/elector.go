package graph

import (
	"context"
	"fmt"
	"slices"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/rolltrace/rolltrace/schema"
)

// An ElectorQuestion asks for one elector. IDSpace and KeyID may be empty: then any will do, as long as the
// key is known in one only.
type ElectorQuestion struct {
	Key     schema.Key
	IDSpace schema.IDSpace
	KeyID   schema.KeyID
	AsOf    schema.Time // zero: all that is known
}

// A Dossier is everything known of one elector.
type Dossier struct {
	Answer
	Elector       ElectorKey `json:"elector"`
	Organisations []OrgStay  `json:"organisations"` // by first entry
	Places        []Stay     `json:"places"`        // by first entry
	Movements     []Movement `json:"movements"`     // that carried it, in order; retracted ones are shown, and count for nothing
}

// A Stay is an elector at a place.
type Stay struct {
	Org         string       `json:"org"`
	Place       schema.Place `json:"place"`
	Holding     bool         `json:"holding"`      // entered, and not destroyed since
	Entries     int          `json:"entries"`      // movements that brought it there
	FirstEntry  schema.Time  `json:"first_entry"`  // when the first of them began
	LastEntry   schema.Time  `json:"last_entry"`   // when the last of them began
	DestroyedAt schema.Time  `json:"destroyed_at"` // when it was last destroyed there on the word of the owner, or ""
	Route       []Step       `json:"route"`        // the earliest one there
}

// An OrgStay is an elector at an organisation: at any of its places.
type OrgStay struct {
	Org        string      `json:"org"`
	Holding    bool        `json:"holding"`
	FirstEntry schema.Time `json:"first_entry"`
	LastEntry  schema.Time `json:"last_entry"`
}

// A Step is one movement of a route.
type Step struct {
	MovementRef
	OccurredAt schema.Time    `json:"occurred_at"`
	Kind       schema.Kind    `json:"kind"`
	Basis      schema.Basis   `json:"basis"`
	State      schema.State   `json:"state"`
	Outcome    schema.Outcome `json:"outcome"`
	Inputs     []schema.Place `json:"inputs"` // all of them
	From       schema.Place   `json:"from"`   // the one that the elector came by, or "" where there are several and none is known to have had it
	To         schema.Place   `json:"to"`
	Actor      string         `json:"actor"`
	Purpose    string         `json:"purpose"`
	Agreement  string         `json:"agreement"`
	Fields     []string       `json:"fields"`
}

// Elector answers with the dossier of one elector.
func (g *Graph) Elector(ctx context.Context, q ElectorQuestion) (*Dossier, error) {
	notes := g.newNotes(ctx, q.AsOf)
	defer notes.close()
	notes.readMoves(ctx)
	d, err := g.dossier(ctx, q)
	if err != nil {
		return nil, err
	}
	d.Places = stays(d.Movements)
	d.Organisations = organisations(d.Places)
	if len(d.Places) == 0 {
		notes.none("movements of this elector")
	}
	been := map[string]bool{}
	for _, s := range d.Places {
		been[string(s.Place)] = true
	}
	d.Answer, err = notes.answer(func() func(CoverageRow) bool {
		further := newFlows(notes.moves).downstream(func(p string) bool { return been[p] })
		return func(row CoverageRow) bool {
			switch row.Code {
			case CodeAttested:
				return slices.ContainsFunc(row.Inputs, func(p string) bool { return been[p] })
			case CodeCounted: // of what the inputs held, which the elector must have reached
				return slices.ContainsFunc(row.Inputs, func(p string) bool { return been[p] || further[p] })
			}
			return true
		}
	})
	return d, err
}

// dossier reads the movements of the elector; the rest of a Dossier is made from them.
func (g *Graph) dossier(ctx context.Context, q ElectorQuestion) (*Dossier, error) {
	d := &Dossier{Movements: []Movement{}}
	spaces := map[ElectorKey]bool{}
	err := g.ask(ctx, "read dossier", func(rows driver.Rows) error {
		var row struct {
			Key     string `ch:"key"`
			IDSpace string `ch:"id_space"`
			KeyID   string `ch:"key_id"`
			movementRow
		}
		if err := rows.ScanStruct(&row); err != nil {
			return err
		}
		d.Elector = ElectorKey{schema.IDSpace(row.IDSpace), schema.KeyID(row.KeyID), row.Key}
		spaces[d.Elector] = true
		d.Movements = append(d.Movements, row.movement())
		return nil
	}, `SELECT * FROM dossier_as_of(key = $1, as_of = $2) WHERE ($3 = '' OR id_space = $3) AND ($4 = '' OR key_id = $4)
		ORDER BY occurred_at, org, sidecar, id`, q.Key.String(), q.AsOf.String(), string(q.IDSpace), string(q.KeyID))
	if err != nil {
		return nil, err
	}
	if len(spaces) > 1 {
		return nil, fmt.Errorf("%w: the key is known in %d id spaces: say in which", ErrMalformed, len(spaces))
	}
	if len(spaces) == 0 {
		return d, g.findElector(ctx, q, d)
	}
	return d, nil
}

// findElector tells an elector without movements so far from one that nobody has seen.
func (g *Graph) findElector(ctx context.Context, q ElectorQuestion, d *Dossier) error {
	found := 0
	err := g.ask(ctx, "look up elector", func(rows driver.Rows) error {
		var idSpace, keyID string
		if err := rows.Scan(&idSpace, &keyID); err != nil {
			return err
		}
		d.Elector = ElectorKey{schema.IDSpace(idSpace), schema.KeyID(keyID), q.Key.String()}
		found++
		return nil
	}, `SELECT k.id_space, k.key_id FROM internal_elector AS e INNER JOIN internal_space AS k ON k.space = e.space
		WHERE e.key = $1 AND ($2 = '' OR k.id_space = $2) AND ($3 = '' OR k.key_id = $3) ORDER BY k.id_space, k.key_id`,
		uint64(q.Key), string(q.IDSpace), string(q.KeyID))
	if err == nil && found == 0 {
		err = ErrUnknownElector
	}
	return err
}

// stays folds movements, in order, into the places where they brought the elector.
func stays(movements []Movement) []Stay {
	index := map[schema.Place]int{}
	out := []Stay{}
	for i, m := range movements {
		if m.Outcome == schema.Retracted {
			continue
		}
		if m.Removes {
			if at, ok := index[m.Inputs[0].Place]; ok {
				out[at].Holding, out[at].DestroyedAt = false, m.OccurredAt
			}
			continue
		}
		if m.Output == "" {
			continue
		}
		at, ok := index[m.Output]
		if !ok {
			at = len(out)
			index[m.Output] = at
			out = append(out, Stay{Org: m.Output.Org(), Place: m.Output, FirstEntry: m.OccurredAt, Route: route(movements, i)})
		}
		out[at].Holding, out[at].LastEntry = true, m.OccurredAt
		out[at].Entries++
	}
	return out
}

func organisations(stays []Stay) []OrgStay {
	index := map[string]int{}
	out := []OrgStay{}
	for _, s := range stays {
		at, ok := index[s.Org]
		if !ok {
			at = len(out)
			index[s.Org] = at
			out = append(out, OrgStay{Org: s.Org, FirstEntry: s.FirstEntry})
		}
		out[at].Holding = out[at].Holding || s.Holding
		if s.LastEntry.After(out[at].LastEntry.Time) {
			out[at].LastEntry = s.LastEntry
		}
	}
	return out
}

// route is the earliest route that ends with movements[last]: before each movement stands the earliest one
// that brought the elector to one of its inputs, until there is none. The view route does the same in SQL.
func route(movements []Movement, last int) []Step {
	var steps []Step
	for i := last; i >= 0; {
		m := &movements[i]
		before := slices.IndexFunc(movements[:i], func(p Movement) bool {
			return p.Outcome != schema.Retracted && p.Output != "" &&
				slices.ContainsFunc(m.Inputs, func(in schema.Input) bool { return in.Place == p.Output })
		})
		step := Step{MovementRef: m.MovementRef, OccurredAt: m.OccurredAt, Kind: m.Kind, Basis: m.Basis, State: m.State, Outcome: m.Outcome,
			To: m.Output, Actor: m.Actor, Purpose: m.Purpose, Agreement: m.Agreement, Fields: m.Fields}
		for _, in := range m.Inputs {
			step.Inputs = append(step.Inputs, in.Place)
		}
		switch {
		case before >= 0:
			step.From = movements[before].Output
		case len(m.Inputs) == 1:
			step.From = m.Inputs[0].Place
		}
		steps = append(steps, step)
		i = before
	}
	slices.Reverse(steps)
	return steps
}

// A RouteQuestion asks how one elector came to a place or an organisation.
type RouteQuestion struct {
	ElectorQuestion
	To string // a place or an organisation
}

// A Route is the answer to a RouteQuestion.
type Route struct {
	Answer
	Elector ElectorKey `json:"elector"`
	To      string     `json:"to"`
	Steps   []Step     `json:"steps"` // the earliest route, in order; none: the elector is not recorded to have reached it
}

// Route answers with the earliest route of an elector to a place, or to the first place of an organisation
// that it reached: the first movement that brought it there, and before each movement the earliest one that
// brought it to one of its inputs. It begins where the elector has no earlier entry.
func (g *Graph) Route(ctx context.Context, q RouteQuestion) (*Route, error) {
	if err := checkAt(q.To); err != nil {
		return nil, err
	}
	notes := g.newNotes(ctx, q.AsOf)
	defer notes.close()
	notes.readMoves(ctx)
	d, err := g.dossier(ctx, q.ElectorQuestion)
	if err != nil {
		return nil, err
	}
	a := &Route{Elector: d.Elector, To: q.To, Steps: []Step{}}
	last := slices.IndexFunc(d.Movements, func(m Movement) bool {
		return m.Outcome != schema.Retracted && m.Output != "" && matches(q.To, string(m.Output))
	})
	if last >= 0 {
		a.Steps = route(d.Movements, last)
	} else {
		if err := g.checkKnown(ctx, q.To); err != nil {
			return nil, err
		}
		notes.none("movements that brought this elector there")
	}
	a.Answer, err = notes.answer(func() func(CoverageRow) bool {
		upstream := newFlows(notes.moves).upstream(func(p string) bool { return matches(q.To, p) })
		return func(row CoverageRow) bool {
			return row.Code != CodeAttested && (upstream[row.Output] || matches(q.To, row.Output))
		}
	})
	return a, err
}
