package graph

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/rolltrace/rolltrace/schema"
)

// An AccountingQuestion asks for an account of what a place or an organisation received, passed on and destroyed.
type AccountingQuestion struct {
	At    string      // a place or an organisation
	AsOf  schema.Time // zero: all that is known
	Limit int         // most entries, the earliest. 0: DefaultLimit; negative: all
}

// Accounting is the answer to an AccountingQuestion: every movement into, out of or within the place or organisation,
// summed up where they are alike. Those that are retracted are left out.
type Accounting struct {
	Answer
	At      string  `json:"at"`
	Entries []Entry `json:"entries"` // by first_at
}

// An Entry of an account is movements of one kind, from and to the same, with the same fields, for the same purpose,
// under the same agreement, on the same word, by the same actor: repeated disclosures, summed up.
type Entry struct {
	Direction  string       `json:"direction"` // In, Out or Within the place or organisation asked; "" when none was
	Kind       schema.Kind  `json:"kind"`
	Basis      schema.Basis `json:"basis"`       // attested too for a destroy that was not published by the owner
	Removes    bool         `json:"removes"`     // takes electors away
	From       []string     `json:"from"`        // organisations that they came from, sorted
	To         string       `json:"to"`          // organisation that they went to; for an access the place: it is a person; "" for a destroy
	Fields     []string     `json:"fields"`      // sorted, those of the inputs too; none: not said
	Purpose    string       `json:"purpose"`     // "": not said
	Agreement  string       `json:"agreement"`   // likewise
	LegalBasis string       `json:"legal_basis"` // likewise
	Actor      string       `json:"actor"`       // likewise

	Movements  uint64      `json:"movements"`
	FirstAt    schema.Time `json:"first_at"`   // when the first of them began
	LastAt     schema.Time `json:"last_at"`    // and the last
	Electors   []Count     `json:"electors"`   // each once, whatever the movements; those that are known
	Records    uint64      `json:"records"`    // up to so many records whose electors are not known
	Unfinished uint64      `json:"unfinished"` // movements that are open or failed

	FromPlaces Places `json:"from_places"`
	ToPlaces   Places `json:"to_places"`
}

// Places are places of an Entry.
type Places struct {
	Count uint64         `json:"count"`
	Names []schema.Place `json:"names"` // the first MaxEntryPlaces, sorted
}

// The directions of an Entry.
const (
	In     = "in"
	Out    = "out"
	Within = "within" // from one of its places to another
)

// MaxEntryPlaces is how many places an entry of an account names; the count has them all.
const MaxEntryPlaces = 20

// Accounting answers with an account of disclosures: what a place or an organisation received, from whom, what it
// passed on, to whom, with which fields, for what and under which agreement, and what was destroyed there.
func (g *Graph) Accounting(ctx context.Context, q AccountingQuestion) (*Accounting, error) {
	if err := checkAt(q.At); err != nil {
		return nil, err
	}
	notes := g.newNotes(ctx, q.AsOf)
	defer notes.close()
	moves, err := g.moves(ctx, q.AsOf)
	if err != nil {
		return nil, err
	}
	notes.moves = moves
	limit := bound(q.Limit)
	a := &Accounting{At: q.At, Entries: []Entry{}}
	var of [][]uint32 // movements of each entry
	err = g.ask(ctx, "sum up movements", func(rows driver.Rows) error {
		var row entryRow
		if err := rows.ScanStruct(&row); err != nil {
			return err
		}
		a.Entries = append(a.Entries, row.entry())
		of = append(of, row.Numbers)
		return nil
	}, fmt.Sprintf(entryText, MaxEntryPlaces, limit+1), q.At, q.AsOf.String())
	if err != nil {
		return nil, err
	}
	if len(a.Entries) > limit {
		a.Entries, of = a.Entries[:limit], of[:limit]
		notes.cut(limit, "kinds of movements")
	}
	if err := g.countEntries(ctx, moves, a.Entries, of); err != nil {
		return nil, err
	}
	if len(a.Entries) == 0 {
		if err := notes.checkKnown(ctx, q.At); err != nil {
			return nil, err
		}
		notes.none("movements")
	}
	at := func(p string) bool { return matches(q.At, p) }
	a.Answer, err = notes.answer(func() func(CoverageRow) bool { return newFlows(moves).changesAccount(moves, at) })
	return a, err
}

// entryText sums up the movements of one place or organisation, in ClickHouse, because they can be very many.
const entryText = `
	WITH
		toString(m.output) = $1 OR startsWith(toString(m.output), concat($1, '/')) AS comes,
		arrayExists(i -> i = $1 OR startsWith(i, concat($1, '/')), m.inputs) AS goes
	SELECT
		if(comes, if(goes, 'within', 'in'), 'out') AS direction, toString(m.kind) AS kind, toString(m.basis) AS basis, toBool(m.removes) AS removes,
		arraySort(arrayDistinct(arrayMap(i -> splitByChar('/', i)[1], m.inputs))) AS from_orgs,
		if(kind = 'access', toString(m.output), splitByChar('/', toString(m.output))[1]) AS to,
		arraySort(arrayDistinct(arrayConcat(arrayMap(f -> toString(f), m.fields), arrayMap(f -> toString(f), arrayFlatten(m.input_fields))))) AS all_fields,
		m.purpose AS purpose, m.agreement AS agreement, toString(m.legal_basis) AS legal_basis, m.actor AS actor,
		count() AS movements, min(m.occurred_at) AS first_at, max(m.occurred_at) AS last_at,
		sum(if(m.mode = 'counted', m.records, arrayMax(arrayPushBack(m.set_unkeyed, 0)))) AS records,
		countIf(m.state = 'open' OR m.outcome = 'failed') AS unfinished,
		uniqExactArray(m.inputs) AS inputs_count, arraySlice(arraySort(groupUniqArrayArray(m.inputs)), 1, %[1]d) AS inputs_names,
		uniqExactIf(m.output, m.output != '') AS outputs_count,
		arraySlice(arraySort(groupUniqArrayIf(toString(m.output), m.output != '')), 1, %[1]d) AS outputs_names,
		groupArray(m.movement) AS numbers
	FROM internal_movement AS m
	WHERE m.outcome != 'retracted' AND ($2 = '' OR m.occurred_at <= parseDateTime64BestEffort(if($2 = '', '2299-12-31', $2), 6, 'UTC'))
		AND (comes OR goes)
	GROUP BY direction, kind, basis, removes, from_orgs, to, all_fields, purpose, agreement, legal_basis, actor
	ORDER BY first_at, kind, from_orgs, to, all_fields, purpose, agreement, legal_basis, actor, basis, removes, direction
	LIMIT %[2]d`

type entryRow struct {
	Direction    string    `ch:"direction"`
	Kind         string    `ch:"kind"`
	Basis        string    `ch:"basis"`
	Removes      bool      `ch:"removes"`
	From         []string  `ch:"from_orgs"`
	To           string    `ch:"to"`
	Fields       []string  `ch:"all_fields"`
	Purpose      string    `ch:"purpose"`
	Agreement    string    `ch:"agreement"`
	LegalBasis   string    `ch:"legal_basis"`
	Actor        string    `ch:"actor"`
	Movements    uint64    `ch:"movements"`
	FirstAt      time.Time `ch:"first_at"`
	LastAt       time.Time `ch:"last_at"`
	Records      uint64    `ch:"records"`
	Unfinished   uint64    `ch:"unfinished"`
	InputsCount  uint64    `ch:"inputs_count"`
	Inputs       []string  `ch:"inputs_names"`
	OutputsCount uint64    `ch:"outputs_count"`
	Outputs      []string  `ch:"outputs_names"`
	Numbers      []uint32  `ch:"numbers"`
}

func (r *entryRow) entry() Entry {
	places := func(count uint64, names []string) Places {
		out := Places{count, []schema.Place{}}
		for _, name := range names {
			out.Names = append(out.Names, schema.Place(name))
		}
		return out
	}
	return Entry{Direction: r.Direction, Kind: schema.Kind(r.Kind), Basis: schema.Basis(r.Basis), Removes: r.Removes, From: append([]string{}, r.From...), To: r.To,
		Fields: append([]string{}, r.Fields...), Purpose: r.Purpose, Agreement: r.Agreement, LegalBasis: r.LegalBasis, Actor: r.Actor,
		Movements: r.Movements, FirstAt: at(r.FirstAt), LastAt: at(r.LastAt), Electors: []Count{}, Records: r.Records, Unfinished: r.Unfinished,
		FromPlaces: places(r.InputsCount, r.Inputs), ToPlaces: places(r.OutputsCount, r.Outputs)}
}

// countEntries counts the electors of each entry, each once.
func (g *Graph) countEntries(ctx context.Context, moves []move, entries []Entry, of [][]uint32) error {
	byNumber := make(map[uint32]*move, len(moves))
	for i := range moves {
		byNumber[moves[i].number] = &moves[i]
	}
	var sets []setRef
	var places []uint32 // an entry is to the query what a place is
	for i, numbers := range of {
		for _, n := range numbers {
			if m := byNumber[n]; m != nil && m.carries() {
				sets, places = append(sets, m.set()), append(places, uint32(i))
			}
		}
	}
	if len(sets) == 0 {
		return nil
	}
	err := g.countSets(ctx, eachAlone, sets, places, func(i uint32, _ uint16, count Count) {
		entries[i].Electors = append(entries[i].Electors, count)
	})
	for _, e := range entries {
		slices.SortFunc(e.Electors, compareCounts)
	}
	return err
}

// ElectorsOf lists the electors of a movement ("id", or "org/sidecar/id") as keys, by id space, secret and key: so many
// at most (0: DefaultLimit; negative: all, which may not fit into memory), and whether there are more. One that is retracted
// counts for nothing: none.
func (g *Graph) ElectorsOf(ctx context.Context, movement string, limit int) (keys []ElectorKey, cut bool, err error) {
	_, number, err := g.findMovement(ctx, movement)
	if err != nil {
		return nil, false, err
	}
	moves, err := g.moves(ctx, schema.Time{})
	if err != nil {
		return nil, false, err
	}
	keys = []ElectorKey{}
	i := slices.IndexFunc(moves, func(m move) bool { return m.number == number })
	if i < 0 || !moves[i].carries() {
		return keys, false, nil
	}
	limit = bound(limit)
	set := []setRef{moves[i].set()}
	ctx = clickhouse.Context(ctx, clickhouse.WithParameters(setParameters(set)))
	err = g.ask(ctx, "list electors", func(rows driver.Rows) error {
		var idSpace, keyID, key string
		err := rows.Scan(&idSpace, &keyID, &key)
		keys = append(keys, ElectorKey{schema.IDSpace(idSpace), schema.KeyID(keyID), key})
		return err
	}, fmt.Sprintf(`SELECT DISTINCT s.id_space AS id_space, s.key_id AS key_id, leftPad(lower(hex(e.key)), 16, '0') AS key
		FROM internal_number AS e INNER JOIN internal_space AS s ON s.space = e.space
		WHERE e.number NOT IN (SELECT number FROM internal_seed) AND e.number IN
		(
			SELECT arrayJoin(arrayConcat(bitmapToArray(electors), numbers)) FROM (%s)
		)
		ORDER BY id_space, key_id, key LIMIT %d`, fromSets(set), limit+1))
	if len(keys) > limit {
		return keys[:limit], true, err
	}
	return keys, false, err
}
