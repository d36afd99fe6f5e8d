package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/rolltrace/rolltrace/producers/delimited"
	"github.com/rolltrace/rolltrace/schema"
	"github.com/rolltrace/rolltrace/schema/wire"
)

// A line is a movement as emit reads it: the outside form of a movement, with its electors listed by identifier.
type line struct {
	schema.Movement
	IDs     *idList  `json:"ids"`
	IDsFrom *idsFrom `json:"ids_from"`
}

// idList is identifiers by id space: ["…"] are elector ids, {"email": ["…"]} are what it says.
type idList struct {
	spaces []schema.IDSpace // in order
	ids    [][][]byte
}

// idsFrom is a file that lists electors.
type idsFrom struct {
	File      string   `json:"file"`
	ID        idColumn `json:"id"`
	Format    string   `json:"format"`
	Delimiter string   `json:"delimiter"`
	NoHeader  bool     `json:"no_header"`
}

// idColumn is "[SPACE=]COLUMN", or a list of these.
type idColumn []string

func (c *idColumn) UnmarshalJSON(b []byte) error {
	var one string
	if json.Unmarshal(b, &one) == nil {
		*c = idColumn{one}
		return nil
	}
	var several []string
	if json.Unmarshal(b, &several) != nil {
		return fieldError("ids_from.id: want [SPACE=]COLUMN, or a list of these")
	}
	*c = several
	return nil
}

// A fieldError is a fault of a line in words that hold nothing of its values.
type fieldError string

func (e fieldError) Error() string { return string(e) }

func (l *idList) UnmarshalJSON(b []byte) error {
	const want = fieldError(`ids: want a list of identifiers, or {"ID-SPACE": a list of identifiers, …}`)
	add := func(space schema.IDSpace, raw []json.RawMessage) error {
		if !space.Valid() {
			return fieldError("ids: id space: want 1 to 32 of a-z 0-9 -, beginning with a letter")
		}
		ids := make([][]byte, len(raw))
		for i, value := range raw {
			var text string
			switch {
			case json.Unmarshal(value, &text) == nil && value[0] == '"':
				ids[i] = []byte(text)
			case bytes.IndexByte([]byte("-0123456789"), value[0]) >= 0:
				ids[i] = value // a number, as it is written
			case bytes.Equal(value, []byte("null")):
				ids[i] = nil // unkeyed
			default:
				return want
			}
		}
		l.spaces, l.ids = append(l.spaces, space), append(l.ids, ids)
		return nil
	}
	var list []json.RawMessage
	if json.Unmarshal(b, &list) == nil {
		return add(schema.ElectorID, list)
	}
	var bySpace map[schema.IDSpace][]json.RawMessage
	if json.Unmarshal(b, &bySpace) != nil {
		return want
	}
	spaces := make([]schema.IDSpace, 0, len(bySpace))
	for space := range bySpace {
		spaces = append(spaces, space)
	}
	slices.Sort(spaces)
	for _, space := range spaces {
		if err := add(space, bySpace[space]); err != nil {
			return err
		}
	}
	return nil
}

// parseLine reads a line. Its errors say which field is wrong and never what is in it.
func parseLine(text []byte) (*line, error) {
	l := &line{}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	err := decoder.Decode(l)
	if err == nil && len(bytes.TrimSpace(text[decoder.InputOffset():])) > 0 {
		return nil, errors.New("more than one JSON value")
	}
	var known fieldError
	var wrongType *json.UnmarshalTypeError
	switch {
	case err == nil:
		return l, nil
	case errors.As(err, &known):
		return nil, known
	case errors.As(err, &wrongType) && wrongType.Field != "":
		return nil, fmt.Errorf("%s: want %s", strings.TrimPrefix(wrongType.Field, "Movement."), jsonType(wrongType.Type.Kind().String()))
	case errors.As(err, &wrongType):
		return nil, errors.New("want a JSON object")
	case strings.HasPrefix(err.Error(), "json: unknown field "):
		return nil, fmt.Errorf("unknown field %s", unknownField(strings.TrimPrefix(err.Error(), "json: unknown field ")))
	case strings.HasPrefix(err.Error(), "time"):
		return nil, errors.New("a time is not in RFC 3339, for example 2026-04-01T12:00:00Z, or a date")
	}
	at := int64(len(text))
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) {
		at = syntax.Offset
	}
	return nil, fmt.Errorf("not JSON, at byte %d", at)
}

// unknownField is a field's name, unless it may be a value that stands where a name should.
func unknownField(quoted string) string {
	for _, c := range []byte(strings.Trim(quoted, `"`)) {
		if (c < 'a' || c > 'z') && c != '_' {
			return "(its name is not shown, because it is none of lower-case letters)"
		}
	}
	return quoted
}

func jsonType(kind string) string {
	switch {
	case kind == "string":
		return "a string"
	case strings.HasPrefix(kind, "uint"), strings.HasPrefix(kind, "int"):
		return "a whole number, 0 or more"
	case kind == "bool":
		return "true or false"
	case kind == "slice":
		return "a list"
	}
	return "an object"
}

// places finds the faults of the places, from which the organisation may follow.
func (l *line) places() error {
	if len(l.Inputs) == 0 {
		return schema.Faults{{Field: "inputs", Limit: `one or more: [{"place": "ORG/SYSTEM/DATASET"}]`}}
	}
	for i, in := range l.Inputs {
		if _, err := schema.ParsePlace(string(in.Place)); err != nil {
			return placeFault(fmt.Sprintf("inputs[%d].place", i), err)
		}
	}
	if l.Kind != schema.Destroy {
		if _, err := schema.ParsePlace(string(l.Output)); err != nil {
			return placeFault("output", err)
		}
	}
	return nil
}

// placeFault is a place's faults under the name of the field that it stands in.
func placeFault(field string, err error) error {
	var faults schema.Faults
	if !errors.As(err, &faults) {
		return err
	}
	named := make(schema.Faults, len(faults))
	for i, f := range faults {
		named[i] = schema.Fault{Field: field + strings.TrimPrefix(f.Field, "place"), Limit: f.Limit}
	}
	return named
}

// maxAhead is how far ahead of this machine's clock a movement may be: another clock and time zone, and no more. A movement of the
// future would be part of every answer about now.
const maxAhead = 24 * time.Hour

// declare makes the line's movement what it says by leaving things out, and finds its faults. The sets of its electors
// are known afterwards, but for what is in them.
func (l *line) declare(org string) error {
	m := &l.Movement
	var faults schema.Faults
	want := func(ok bool, field, limit string) {
		if !ok {
			faults = append(faults, schema.Fault{Field: field, Limit: limit})
		}
	}
	want(m.State == "" || m.State == schema.Closed, "state", "closed, or nothing: a declared movement is over")
	want(m.Basis != schema.Observed, "basis", "declared or attested: only a recorder observes")
	want(m.Kind.Known(), "kind", "collect, export, merge, share, access or destroy")
	want(!m.OccurredAt.IsZero(), "occurred_at", "when it happened, in RFC 3339")
	latest := time.Now().Add(maxAhead)
	want(!m.OccurredAt.After(latest), "occurred_at", "what has happened: no later than a day from now")
	want(!m.ClosedAt.After(latest), "closed_at", "no later than a day from now")
	if m.Basis == "" {
		m.Basis = schema.Attested
		owns := func(in schema.Input) bool { return in.Place.Org() == org }
		if m.Owner() == org || slices.ContainsFunc(m.Inputs, owns) {
			m.Basis = schema.Declared
		}
	}
	m.State = schema.Closed
	if m.Outcome == "" {
		m.Outcome = schema.Completed
	}
	if m.Revision == 0 {
		m.Revision = 1
	}
	want(m.Revision == 1 || m.ID != "", "id", "that of the movement whose later revision this is")
	if m.ClosedAt.IsZero() {
		m.ClosedAt = m.OccurredAt
	}
	if len(m.Inputs) == 1 && m.Inputs[0].Fields == nil {
		m.Inputs[0].Fields = m.Fields
	}
	for _, in := range m.Inputs {
		for _, field := range in.Fields {
			if len(m.Inputs) == 1 && !slices.Contains(m.Fields, field) {
				m.Fields = append(m.Fields, field)
			}
		}
	}
	m.RecordedAt, m.Producer = schema.Time{}, schema.Producer{}
	faults = append(faults, l.electors()...)
	if len(faults) > 0 {
		return faults
	}
	return l.check()
}

// electors finds out how the electors are given.
func (l *line) electors() schema.Faults {
	m := &l.Movement
	fault := func(field, limit string) schema.Faults { return schema.Faults{{Field: field, Limit: limit}} }
	listed := l.IDs != nil || l.IDsFrom != nil
	given := m.Electors
	m.Electors.Sets = nil
	switch {
	case l.IDs != nil && l.IDsFrom != nil:
		return fault("ids, ids_from", "one of them")
	case listed && given.Mode != "" && given.Mode != schema.Listed:
		return fault("electors.mode", "listed, or nothing, with ids or ids_from")
	case listed:
		m.Electors.Mode = schema.Listed
	case given.Mode == schema.Listed || len(given.Sets) > 0:
		return fault("ids, ids_from", "one of them: keys cannot be given, they are made here")
	case given.Mode == "" && given.Records > 0:
		m.Electors.Mode = schema.Counted
	case given.Mode == "":
		return fault("electors", "ids, ids_from, a mode (whole or counted), or a number of records")
	}
	if l.IDs != nil {
		for _, space := range l.IDs.spaces {
			m.Electors.Sets = append(m.Electors.Sets, schema.Set{IDSpace: space})
		}
	}
	if l.IDsFrom != nil {
		columns, _, err := l.IDsFrom.scan()
		if err != nil {
			return fault("ids_from", err.Error())
		}
		for _, c := range columns {
			m.Electors.Sets = append(m.Electors.Sets, schema.Set{IDSpace: c.Space})
		}
	}
	return nil
}

// scan is how the file of ids_from is read.
func (f *idsFrom) scan() ([]delimited.IDColumn, delimited.Config, error) {
	if f.File == "" || len(f.ID) == 0 {
		return nil, delimited.Config{}, errors.New(`{"file": PATH, "id": "[SPACE=]COLUMN"}`)
	}
	t := teeFlags{ids: f.ID, format: f.Format, delimiter: f.Delimiter, noHeader: f.NoHeader}
	return t.scan()
}

// check finds the faults that show before the electors are read.
func (l *line) check() error {
	probe := l.Movement
	if probe.ID == "" {
		probe.ID = "00000000-0000-7000-8000-000000000000"
	}
	probe.RecordedAt = probe.OccurredAt
	probe.Electors.Sets = make([]schema.Set, len(l.Electors.Sets))
	var none wire.SetDigest
	for i, s := range l.Electors.Sets {
		probe.Electors.Sets[i] = schema.Set{IDSpace: s.IDSpace, KeyID: "k-00000000", Digest: none.String()}
	}
	return wire.Draft{Movement: &probe}.Validate()
}
