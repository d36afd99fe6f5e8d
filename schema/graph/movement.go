package graph

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/rolltrace/rolltrace/schema"
)

// A MovementRef names a movement.
type MovementRef struct {
	Org     string `json:"org"`
	Sidecar string `json:"sidecar"`
	ID      string `json:"id"`
}

// A Movement of an answer is a movement in its current form.
type Movement struct {
	MovementRef
	OccurredAt schema.Time       `json:"occurred_at"`
	ClosedAt   schema.Time       `json:"closed_at"` // "" while open
	RecordedAt schema.Time       `json:"recorded_at"`
	Revision   uint32            `json:"revision"`
	Revisions  uint64            `json:"revisions"` // how many revisions are kept
	Kind       schema.Kind       `json:"kind"`
	State      schema.State      `json:"state"`
	Outcome    schema.Outcome    `json:"outcome"` // "" while open
	Reason     string            `json:"reason"`
	Basis      schema.Basis      `json:"basis"`           // attested too when a destroy was not published by the owner
	Published  schema.Basis      `json:"published_basis"` // as it was published
	Removes    bool              `json:"removes"`         // takes electors away from its input
	Inputs     []schema.Input    `json:"inputs"`
	Output     schema.Place      `json:"output"` // "" for a destroy
	Actor      string            `json:"actor"`
	RecordedBy schema.RecordedBy `json:"recorded_by"`
	Purpose    string            `json:"purpose"`
	Agreement  string            `json:"agreement"`
	LegalBasis string            `json:"legal_basis"`
	Fields     []string          `json:"fields"`
	Mode       schema.Mode       `json:"mode"`
	Records    uint64            `json:"records"` // rows seen
	Keys       uint64            `json:"keys"`    // keys announced, repeated ones included
	Seeds      uint64            `json:"seeds"`   // invented entries that were put into the copy
	Unkeyed    uint64            `json:"unkeyed"` // rows without an identifier
	Evidence   schema.Evidence   `json:"evidence"`
}

// A MovementCount is a movement and how many electors it carried.
type MovementCount struct {
	Movement
	Electors []Count `json:"electors"` // none when its mode is counted
}

// A MovementQuestion asks for movements. Empty fields do not restrict.
type MovementQuestion struct {
	Kind         schema.Kind
	From, To     string      // a place or an organisation: among the inputs, the output
	Since, Until schema.Time // occurred_at ≥ Since, occurred_at ≤ Until; Until is the answer's AsOf too
	Limit        int         // 0: DefaultLimit; negative: none
}

// Movements is the answer to a MovementQuestion.
type Movements struct {
	Answer
	Movements []MovementCount `json:"movements"` // in order: (occurred_at, org, sidecar, id)
}

// Movements lists movements in their current form, with the electors that they carried. What is not known of
// a movement of the list is said by its own state, outcome and mode; the notes are about what may be missing.
func (g *Graph) Movements(ctx context.Context, q MovementQuestion) (*Movements, error) {
	notes := g.newNotes(ctx, q.Until)
	defer notes.close()
	where := []string{"1"}
	var args []any
	add := func(condition string, arg any) {
		args = append(args, arg)
		where = append(where, strings.ReplaceAll(condition, "?", fmt.Sprintf("$%d", len(args))))
	}
	if q.Kind != "" {
		if err := g.checkKind(ctx, q.Kind); err != nil {
			return nil, err
		}
		add("kind = ?", string(q.Kind))
	}
	for _, end := range []struct{ at, condition string }{
		{q.From, "arrayExists(p -> p = ? OR startsWith(p, concat(?, '/')), inputs)"},
		{q.To, "(output = ? OR output_org = ?)"},
	} {
		if end.at == "" {
			continue
		}
		if err := checkAt(end.at); err != nil {
			return nil, err
		}
		if err := notes.checkKnown(ctx, end.at); err != nil {
			return nil, err
		}
		add(end.condition, end.at)
	}
	if !q.Since.IsZero() {
		add("occurred_at >= parseDateTime64BestEffort(?, 6, 'UTC')", q.Since.String())
	}
	if !q.Until.IsZero() {
		add("occurred_at <= parseDateTime64BestEffort(?, 6, 'UTC')", q.Until.String())
	}
	limit := bound(q.Limit)
	a := &Movements{Movements: []MovementCount{}}
	var numbers []uint32
	err := g.ask(ctx, "list movements", func(rows driver.Rows) error {
		var row movementRow
		if err := rows.ScanStruct(&row); err != nil {
			return err
		}
		a.Movements = append(a.Movements, MovementCount{Movement: row.movement(), Electors: []Count{}})
		numbers = append(numbers, row.Number)
		return nil
	}, fmt.Sprintf("SELECT * FROM internal_listing WHERE %s ORDER BY occurred_at, org, sidecar, id LIMIT %d",
		strings.Join(where, " AND "), limit+1), args...)
	if err != nil {
		return nil, err
	}
	if len(a.Movements) > limit {
		a.Movements, numbers = a.Movements[:limit], numbers[:limit]
		notes.cut(limit, "movements")
	}
	if err := g.countElectors(ctx, a.Movements, numbers); err != nil {
		return nil, err
	}
	if len(a.Movements) == 0 {
		notes.none("movements")
	}
	for _, m := range a.Movements {
		ends := move{output: string(m.Output)}
		for _, in := range m.Inputs {
			ends.inputs = append(ends.inputs, string(in.Place))
		}
		notes.moves = append(notes.moves, ends)
	}
	a.Answer, err = notes.answer(only(func(row CoverageRow) bool {
		at := func(asked string) bool { return asked != "" && matches(asked, row.Output) }
		return row.unrecorded() && (q.From == "" && q.To == "" || at(q.From) || at(q.To))
	}))
	return a, err
}

func (g *Graph) countElectors(ctx context.Context, movements []MovementCount, numbers []uint32) error {
	index := make(map[uint32]*MovementCount, len(numbers))
	known := make([]uint32, 0, len(numbers))
	for i, n := range numbers {
		if movements[i].Mode != schema.Counted {
			index[n] = &movements[i]
			known = append(known, n)
		}
	}
	if len(known) == 0 {
		return nil
	}
	return g.ask(withMovements(ctx, known), "count the electors of movements", func(rows driver.Rows) error {
		var n uint32
		var mode, idSpace, keyID string
		var electors uint64
		if err := rows.Scan(&n, &mode, &idSpace, &keyID, &electors); err != nil {
			return err
		}
		if string(index[n].Mode) != mode { // it was of another one
			return nil
		}
		index[n].Electors = append(index[n].Electors, Count{schema.IDSpace(idSpace), schema.KeyID(keyID), electors})
		return nil
	}, "SELECT movement, mode, id_space, key_id, electors FROM internal_count WHERE "+amongMovements+" ORDER BY movement, id_space, key_id")
}

// movementRow is a row of the view movements, or of internal_listing.
type movementRow struct {
	Number            uint32     `ch:"movement"`
	OccurredAt        time.Time  `ch:"occurred_at"`
	Org               string     `ch:"org"`
	Sidecar           string     `ch:"sidecar"`
	ID                string     `ch:"id"`
	Kind              string     `ch:"kind"`
	State             string     `ch:"state"`
	Outcome           string     `ch:"outcome"`
	Reason            string     `ch:"reason"`
	Basis             string     `ch:"basis"`
	PublishedBasis    string     `ch:"published_basis"`
	Removes           bool       `ch:"removes"`
	Inputs            []string   `ch:"inputs"`
	InputFields       [][]string `ch:"input_fields"`
	InputOrgs         []string   `ch:"input_orgs"`
	Output            string     `ch:"output"`
	OutputOrg         string     `ch:"output_org"`
	Actor             string     `ch:"actor"`
	RecordedByUser    string     `ch:"recorded_by_user"`
	RecordedByHost    string     `ch:"recorded_by_host"`
	Purpose           string     `ch:"purpose"`
	Agreement         string     `ch:"agreement"`
	LegalBasis        string     `ch:"legal_basis"`
	Fields            []string   `ch:"fields"`
	Mode              string     `ch:"mode"`
	Records           uint64     `ch:"records"`
	Keys              uint64     `ch:"keys"`
	Seeds             uint64     `ch:"seeds"`
	Unkeyed           uint64     `ch:"unkeyed"`
	EvidenceMAC       string     `ch:"evidence_mac"`
	EvidenceBytes     uint64     `ch:"evidence_bytes"`
	EvidenceStatement string     `ch:"evidence_statement"`
	EvidenceDocument  string     `ch:"evidence_document"`
	ClosedAt          *time.Time `ch:"closed_at"`
	RecordedAt        time.Time  `ch:"recorded_at"`
	ReceivedAt        time.Time  `ch:"received_at"`
	Revision          uint32     `ch:"revision"`
	Revisions         uint64     `ch:"revisions"`
}

func (r *movementRow) movement() Movement {
	m := Movement{
		MovementRef: MovementRef{r.Org, r.Sidecar, r.ID},
		OccurredAt:  at(r.OccurredAt), ClosedAt: atOrZero(r.ClosedAt), RecordedAt: at(r.RecordedAt),
		Revision: r.Revision, Revisions: r.Revisions,
		Kind: schema.Kind(r.Kind), State: schema.State(r.State), Outcome: schema.Outcome(r.Outcome), Reason: r.Reason,
		Basis: schema.Basis(r.Basis), Published: schema.Basis(r.PublishedBasis), Removes: r.Removes,
		Inputs: make([]schema.Input, len(r.Inputs)), Output: schema.Place(r.Output),
		Actor: r.Actor, RecordedBy: schema.RecordedBy{User: r.RecordedByUser, Host: r.RecordedByHost},
		Purpose: r.Purpose, Agreement: r.Agreement, LegalBasis: r.LegalBasis, Fields: append([]string{}, r.Fields...),
		Mode: schema.Mode(r.Mode), Records: r.Records, Keys: r.Keys, Seeds: r.Seeds, Unkeyed: r.Unkeyed,
		Evidence: schema.Evidence{MAC: r.EvidenceMAC, Bytes: r.EvidenceBytes, Statement: r.EvidenceStatement, Document: r.EvidenceDocument},
	}
	for i, place := range r.Inputs {
		m.Inputs[i] = schema.Input{Place: schema.Place(place), Fields: append([]string{}, r.InputFields[i]...)}
	}
	return m
}
