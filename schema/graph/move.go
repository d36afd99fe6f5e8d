package graph

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/rolltrace/rolltrace/schema"
)

// A move is what it takes to follow electors: a movement in its current form, in short.
type move struct {
	number        uint32
	at            time.Time
	kind          schema.Kind
	mode          schema.Mode
	basis         schema.Basis
	removes       bool
	inputs        []string
	output        string // "" for a destroy
	carried, kept uint64 // generations of its derived sets: what it carried, what its place held after it; 0: none yet
}

// carries says whether electors of m are known.
func (m *move) carries() bool {
	return m.mode == schema.Listed || m.mode == schema.Whole && m.carried > 0
}

// set is what m carried, if carries says so.
func (m *move) set() setRef {
	if m.mode == schema.Whole {
		return setRef{m.number, whole, m.carried}
	}
	return setRef{m.number, listed, 0}
}

// moves returns every movement as of a time (zero: all), in order: (occurred_at, org, sidecar, id). Those that are
// retracted are left out. What is derived is of one moment: a cascade counts whole or not at all.
func (g *Graph) moves(ctx context.Context, asOf schema.Time) ([]move, error) {
	text, err := rendering{parameters: parameters{asOf: true}, values: &values{asOf: asOf.String()}}.execute("current")
	if err != nil {
		return nil, err
	}
	var out []move
	err = g.ask(ctx, "read movements", func(rows driver.Rows) error {
		var m move
		var kind, mode, basis string
		var removes uint8
		err := rows.Scan(&m.number, &m.at, &kind, &mode, &basis, &removes, &m.inputs, &m.output, &m.carried, &m.kept)
		m.kind, m.mode, m.basis, m.removes = schema.Kind(kind), schema.Mode(mode), schema.Basis(basis), removes == 1
		out = append(out, m)
		return err
	}, "SELECT m.movement, m.occurred_at, m.kind, m.mode, m.basis, m.removes, m.inputs, m.output, h.carried, h.kept FROM ("+text+`) AS m
		LEFT JOIN internal_head AS h ON h.movement = m.movement ORDER BY m.occurred_at, m.org, m.sidecar, m.id`)
	return out, err
}

// A setRef names a set of electors of a movement: in a form, and, if it is derived, of a generation.
type setRef struct {
	movement   uint32
	form       setForm
	generation uint64
}

// A setForm is the form of a set; those that are derived as derived has it.
type setForm uint8

const (
	listed setForm = iota
	whole
	kept
)

// setParameters are sets as parameters of a query, because its text is bounded: for listedCondition and derivedCondition.
func setParameters(sets []setRef) clickhouse.Parameters {
	var inListed, movements []uint32
	var forms, generations []byte
	for _, s := range sets {
		if s.form == listed {
			inListed = append(inListed, s.movement)
			continue
		}
		movements = append(movements, s.movement)
		forms = append(forms, byte(s.form))
		generations = append(generations, littleEndian([]uint32{uint32(s.generation), uint32(s.generation >> 32)})...)
	}
	return clickhouse.Parameters{
		"listed":      fmt.Sprintf("%x", littleEndian(inListed)),
		"movements":   fmt.Sprintf("%x", littleEndian(movements)),
		"forms":       fmt.Sprintf("%x", forms),
		"generations": fmt.Sprintf("%x", generations),
	}
}

// derivedCondition says which rows of derived are of the sets.
const derivedCondition = amongMovements + ` AND (movement, toUInt8(form), generation) IN (SELECT (arrayJoin(arrayZip(reinterpret(unhex({movements:String}), 'Array(UInt32)'),
		reinterpret(unhex({forms:String}), 'Array(UInt8)'), reinterpret(unhex({generations:String}), 'Array(UInt64)'))) AS s).1, s.2, s.3)`

// listedCondition says which rows of listed are of the sets. A subquery takes ClickHouse half a millisecond, and a
// movement in the text a microsecond.
func listedCondition(sets []setRef) string {
	var text []byte
	n := 0
	for _, s := range sets {
		if s.form != listed {
			continue
		}
		if n++; n > 500 {
			return "movement IN (SELECT arrayJoin(reinterpret(unhex({listed:String}), 'Array(UInt32)')))"
		}
		if n > 1 {
			text = append(text, ',')
		}
		text = strconv.AppendUint(text, uint64(s.movement), 10)
	}
	return "movement IN (" + string(text) + ")"
}

// amongMovements is the condition that a movement is one of those of withMovements.
const amongMovements = "movement IN (SELECT arrayJoin(reinterpret(unhex({movements:String}), 'Array(UInt32)')))"

// withMovements makes movements a parameter of queries, whose text is bounded. Such a query takes no arguments.
func withMovements(ctx context.Context, movements []uint32) context.Context {
	return clickhouse.Context(ctx, clickhouse.WithParameters(clickhouse.Parameters{"movements": fmt.Sprintf("%x", littleEndian(movements))}))
}
