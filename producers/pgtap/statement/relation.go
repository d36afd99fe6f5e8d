package statement

import (
	"slices"

	"github.com/rolltrace/rolltrace/producers/pgtap"
	"github.com/rolltrace/rolltrace/schema"
)

// A Column is one of a table, a view or a result.
type Column struct {
	Name string
	// Type is the OID of its type; 0 when it is not known.
	Type uint32
	// Origin is where its values come from, and Also are further places that they come from.
	Origin pgtap.Origin
	Also   []schema.Place
	// Several says that it stands for any number of columns of a table that holds no electors.
	Several bool
	// Generated says that Postgres calculates it: COPY leaves it out.
	Generated bool
	// neutral says that it is a constant: in a UNION it says nothing against the other branch.
	neutral bool
}

// A Relation is a table or a view, as far as its rows are electors'.
type Relation struct {
	Columns []Column
	// Reads are the places that its rows come from; none for a table that is not configured.
	Reads []schema.Place
	// Opaque says that its rows are not one for each row of a configured table: how many electors they tell of is not known.
	Opaque bool
	// Carries says that values of many electors are put together in one row.
	Carries bool
	// Table says that it is a configured table, and Entire that it is all that its place holds: no partition, and no other
	// table beside it.
	Table, Entire bool
}

// A Function is what is known of one that is not Postgres' own.
type Function struct {
	Reads     []schema.Place // that its body may read
	Aggregate bool
}

// Names is what the names in a statement stand for.
type Names interface {
	// Relation is the table or view of a name; a schema of "" is looked up as the session does. nil for one whose rows
	// are not known to be electors'.
	Relation(schemaName, name string) *Relation
	// Function is likewise; nil for one that reads no configured table.
	Function(schemaName, name string) *Function
	// Place is where a table's rows are, configured or not; beside is a place of the same database.
	Place(schemaName, name string, beside schema.Place) schema.Place
	// All are the places of all configured tables.
	All() []schema.Place
}

// unknownColumns are those of a table that holds no electors.
var unknownColumns = []Column{{Several: true}}

// merge is a column whose values come from either of two.
func merge(a, b Column) Column {
	switch {
	case b.neutral:
		return a
	case a.neutral:
		b.Name = a.Name
		return b
	}
	if b.Origin.Place != "" && b.Origin.Place != a.Origin.Place {
		if a.Origin.Place == "" {
			a.Origin.Place = b.Origin.Place
		} else {
			a.Also = slices.Concat(a.Also, []schema.Place{b.Origin.Place})
		}
	}
	a.Also = slices.Concat(a.Also, b.Also)
	switch {
	case a.Origin.Space == "":
		a.Origin.Space, a.Type = b.Origin.Space, b.Type
	case b.Origin.Space != "" && b.Origin.Space != a.Origin.Space:
		a.Origin.Space = "" // whose they are cannot be told any more
	}
	if a.Origin.Field == "" {
		a.Origin.Field = b.Origin.Field
	}
	a.Several = a.Several || b.Several
	return a
}

// spread makes a result's columns fit a number: one Several stands for as many as are missing. ok is false when it
// cannot be told which is which.
func spread(columns []Column, n int) (all []Column, ok bool) {
	several := slices.IndexFunc(columns, func(c Column) bool { return c.Several })
	if several < 0 {
		return columns, len(columns) == n
	}
	rest := n - (len(columns) - 1)
	if rest < 0 || slices.ContainsFunc(columns[several+1:], func(c Column) bool { return c.Several }) {
		return nil, false
	}
	return slices.Concat(columns[:several], make([]Column, rest), columns[several+1:]), true
}
