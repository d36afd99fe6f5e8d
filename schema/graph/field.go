package graph

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/RoaringBitmap/roaring/v2"

	"github.com/rolltrace/rolltrace/schema"
)

// Where a field category can have come from.
const (
	OriginList        = "list"          // the list of electors only
	OriginListOrOther = "list_or_other" // the list of electors, or another source
	OriginNotList     = "not_list"      // not the list of electors
	OriginUnknown     = "unknown"
)

// A FieldsQuestion asks which categories of fields reached a place or an organisation, and where they come from.
type FieldsQuestion struct {
	At      string           // a place or an organisation
	Elector *ElectorQuestion // of this elector only (its AsOf is not used); nil: of all
	// Lists are places and organisations whose records are the list of electors. None: those that the registry names, see
	// ListOfElectors; and where it names none, every origin is unknown.
	Lists []string
	AsOf  schema.Time // zero: all that is known
}

// Who says which places have the list of electors.
const (
	ListsAsked      = "question"
	ListsRegistered = "registry"
)

// ListOfElectors is the source that the registry's places of an authority have the list of electors by.
const ListOfElectors = "list-of-electors"

// Fields is the answer to a FieldsQuestion.
type Fields struct {
	Answer
	At        string       `json:"at"`
	Lists     []string     `json:"lists"`      // whose records are the list of electors, sorted
	ListsFrom string       `json:"lists_from"` // ListsAsked or ListsRegistered; "": nobody says
	Fields    []FieldCount `json:"fields"`     // by name
	NotSaid   []Count      `json:"not_said"`   // electors that came by a movement that does not say with which fields
	Electors  []Count      `json:"electors"`   // all that reached the place, each once
}

// A FieldCount is a category of fields, and how many electors it reached a place of.
type FieldCount struct {
	Field    string        `json:"field"`
	Electors []Count       `json:"electors"` // each once
	Origins  []OriginCount `json:"origins"`  // the same electors, by where the field can have come from
}

// An OriginCount is how many electors have a field from somewhere.
type OriginCount struct {
	Origin   string  `json:"origin"` // OriginList, OriginListOrOther, OriginNotList or OriginUnknown, in this order
	Electors []Count `json:"electors"`
}

// Fields answers which field categories reached a place or an organisation, of how many electors, and where they can
// have come from. The rules are in docs/design.md, "Fields and origins".
func (g *Graph) Fields(ctx context.Context, q FieldsQuestion) (*Fields, error) {
	for _, at := range append([]string{q.At}, q.Lists...) {
		if err := checkAt(at); err != nil {
			return nil, err
		}
	}
	notes := g.newNotes(ctx, q.AsOf)
	defer notes.close()
	moves, err := g.moves(ctx, q.AsOf)
	if err != nil {
		return nil, err
	}
	notes.moves = moves
	from := ListsAsked
	if len(q.Lists) == 0 {
		if q.Lists, err = g.registeredLists(ctx, q.AsOf); err != nil {
			return nil, err
		}
		if from = ListsRegistered; len(q.Lists) == 0 {
			from = ""
		}
	}
	spaces, err := g.spaces(ctx)
	if err != nil {
		return nil, err
	}
	var one *numbered
	if q.Elector != nil {
		found, err := g.findElector(ctx, *q.Elector)
		if err != nil {
			return nil, err
		}
		if len(found) > 1 {
			return nil, fmt.Errorf("%w: the key is known in %d id spaces: say in which", ErrMalformed, len(found))
		}
		one = &found[0]
	}
	start := func(place string) bool { return matches(q.At, place) }
	tally := newFieldTally()
	if err := g.followFields(ctx, newFieldWalk(moves, start, q.Lists), one, tally); err != nil {
		return nil, err
	}
	a := tally.answer(spaces)
	a.At, a.Lists, a.ListsFrom = q.At, append([]string{}, q.Lists...), from
	slices.Sort(a.Lists)
	check := q.Lists // a list that is misspelt would make its electors another source's
	if len(a.Electors) == 0 {
		check = append([]string{q.At}, check...)
		notes.none("electors")
	}
	for _, at := range check {
		if err := notes.checkKnown(ctx, at); err != nil {
			return nil, err
		}
	}
	notes.originUnknown(tally.unclear)
	a.Answer, err = notes.answer(func() func(CoverageRow) bool { return newFlows(moves).changesSources(start) })
	return a, err
}

// registeredLists are the recorded places that have the list of electors, as the registry of the time has it: places of an
// authority, whose records come from it. What others have of it, they have from there.
func (g *Graph) registeredLists(ctx context.Context, asOf schema.Time) (out []string, err error) {
	err = g.ask(ctx, "read the registry's sources", func(rows driver.Rows) error {
		var place string
		err := rows.Scan(&place)
		out = append(out, place)
		return err
	}, "SELECT place FROM registered_places_as_of(as_of = $1) WHERE recorded AND kind = 'authority' AND has(sources, $2) ORDER BY place", asOf.String(), ListOfElectors)
	return out, err
}

// said is which field categories a movement says that it carried: of itself, and of each input.
type said struct {
	fields []string
	inputs [][]string
}

// fieldsSaid reads what movements say of fields.
func (g *Graph) fieldsSaid(ctx context.Context, numbers []uint32) (map[uint32]*said, error) {
	out := map[uint32]*said{}
	err := g.ask(withMovements(ctx, numbers), "read the fields of movements", func(rows driver.Rows) error {
		var number uint32
		var s said
		if err := rows.Scan(&number, &s.fields, &s.inputs); err != nil {
			return err
		}
		for _, in := range s.inputs { // what an input gave, travelled
			s.fields = append(s.fields, in...)
		}
		slices.Sort(s.fields)
		s.fields = slices.Compact(s.fields)
		out[number] = &s
		return nil
	}, "SELECT movement, fields, input_fields FROM internal_listing WHERE "+amongMovements)
	return out, err
}

// A fieldTally counts electors by field and origin.
type fieldTally struct {
	electors map[uint16]uint64                       // by space
	fields   map[string]map[string]map[uint16]uint64 // by field, and by origin ("": any)
	unclear  []string                                // places where it is not known by which input some of them came
}

func newFieldTally() *fieldTally {
	return &fieldTally{electors: map[uint16]uint64{}, fields: map[string]map[string]map[uint16]uint64{}}
}

func (t *fieldTally) add(space uint16, field, origin string, electors *roaring.Bitmap) {
	if electors.IsEmpty() {
		return
	}
	if t.fields[field] == nil {
		t.fields[field] = map[string]map[uint16]uint64{}
	}
	if t.fields[field][origin] == nil {
		t.fields[field][origin] = map[uint16]uint64{}
	}
	t.fields[field][origin][space] += electors.GetCardinality()
}

func (t *fieldTally) answer(spaces map[uint16]Count) *Fields {
	a := &Fields{Fields: []FieldCount{}, NotSaid: countsOf(t.fields[notSaid][""], spaces), Electors: countsOf(t.electors, spaces)}
	for field, origins := range t.fields {
		if field == notSaid {
			continue
		}
		f := FieldCount{Field: field, Electors: countsOf(origins[""], spaces), Origins: []OriginCount{}}
		for _, origin := range []string{OriginList, OriginListOrOther, OriginNotList, OriginUnknown} {
			if counts := countsOf(origins[origin], spaces); len(counts) > 0 {
				f.Origins = append(f.Origins, OriginCount{origin, counts})
			}
		}
		a.Fields = append(a.Fields, f)
	}
	slices.SortFunc(a.Fields, func(x, y FieldCount) int { return cmp.Compare(x.Field, y.Field) })
	return a
}
