package statement

import (
	"slices"
	"strings"

	"github.com/rolltrace/rolltrace/producers/pgtap"
	"github.com/rolltrace/rolltrace/schema"
)

// A reading is one statement being read: what was met in it, wherever.
type reading struct {
	names Names
	reads []schema.Place
	deeds []pgtap.Deed
	depth int
}

func (r *reading) touch(places []schema.Place) {
	for _, p := range places {
		if !slices.Contains(r.reads, p) {
			r.reads = append(r.reads, p)
		}
	}
}

// A scope is what names stand for at a place in a statement.
type scope struct {
	parent *scope
	ctes   map[string]*Relation
	items  []item
	merged []Column // of JOIN … USING
	star   []Column
	// of the items
	opaque, carries bool
	reads           []schema.Place
}

// An item is one of FROM.
type item struct {
	name    string
	columns []Column
}

func (s *scope) cte(name string) *Relation {
	for ; s != nil; s = s.parent {
		if rel, ok := s.ctes[name]; ok {
			return rel
		}
	}
	return nil
}

// column is what a reference stands for. The zero Column is none that matters.
func (s *scope) column(path []string) Column {
	name := path[len(path)-1]
	for ; s != nil; s = s.parent {
		if len(path) == 1 {
			if c, ok := named(s.merged, name); ok {
				return c
			}
		}
		for _, i := range s.items {
			if len(path) == 1 || i.name == path[len(path)-2] {
				if c, ok := named(i.columns, name); ok {
					return c
				}
			}
		}
	}
	return Column{}
}

func named(columns []Column, name string) (Column, bool) {
	for _, c := range columns {
		if c.Name == name && !c.Several {
			return c, true
		}
	}
	return Column{}, false
}

// maxNesting is how deep queries may be nested in each other.
const maxNesting = 64

// query reads a SELECT, VALUES or set operation, or what has RETURNING.
func (r *reading) query(kind string, n node, outer *scope) *Relation {
	r.depth++
	defer func() { r.depth-- }()
	if n == nil || r.depth > maxNesting {
		r.touch(r.names.All())
		return &Relation{Columns: unknownColumns, Reads: r.names.All(), Opaque: true, Carries: true}
	}
	inner := &scope{parent: outer, ctes: map[string]*Relation{}}
	if with, ok := n["withClause"].(node); ok {
		r.with(with, inner)
	}
	switch kind {
	case "SelectStmt":
		if op := text(n, "op"); op != "" && op != "SETOP_NONE" {
			return r.union(n, op, inner)
		}
		return r.selected(n, inner)
	case "InsertStmt", "UpdateStmt", "DeleteStmt", "MergeStmt":
		return r.change(kind, n, inner)
	}
	r.touch(r.names.All())
	return &Relation{Columns: unknownColumns, Reads: r.names.All(), Opaque: true}
}

func (r *reading) with(with node, s *scope) {
	for _, c := range list(with, "ctes") {
		c := as(c, "CommonTableExpr")
		name, renamed := text(c, "ctename"), names(list(c, "aliascolnames"))
		kind, q := open(c["ctequery"])
		if flag(with, "recursive") && kind == "SelectStmt" && text(q, "op") != "" && text(q, "op") != "SETOP_NONE" {
			// What the first branch gives the second works on.
			left, _ := q["larg"].(node)
			first := r.query("SelectStmt", left, s)
			s.ctes[name] = rename(first, renamed)
		}
		s.ctes[name] = rename(r.query(kind, q, s), renamed)
	}
}

// rename gives a relation's columns other names.
func rename(rel *Relation, to []string) *Relation {
	if len(to) == 0 {
		return rel
	}
	renamed := *rel
	renamed.Columns = slices.Clone(rel.Columns)
	for i, name := range to {
		if i >= len(renamed.Columns) || renamed.Columns[i].Several {
			// Which is which is not known: any of them may be any.
			for ; i < len(renamed.Columns); i++ {
				renamed.Columns[i].Name = ""
			}
			break
		}
		renamed.Columns[i].Name = name
	}
	return &renamed
}

func (r *reading) union(n node, op string, s *scope) *Relation {
	left, _ := n["larg"].(node)
	right, _ := n["rarg"].(node)
	a, b := r.query("SelectStmt", left, s), r.query("SelectStmt", right, s)
	r.expressions(n, s, "sortClause", "limitCount", "limitOffset")
	out := &Relation{Columns: slices.Clone(a.Columns), Reads: slices.Concat(a.Reads, b.Reads), Opaque: a.Opaque || b.Opaque, Carries: a.Carries || b.Carries}
	if !flag(n, "all") && len(out.Reads) > 0 {
		out.Opaque = true
	}
	if op == "SETOP_EXCEPT" {
		return out
	}
	other := b.Columns
	if fitted, ok := spread(other, len(a.Columns)); ok {
		other = fitted
	} else if fitted, ok := spread(out.Columns, len(other)); ok {
		out.Columns = slices.Clone(fitted)
	} else {
		for i := range out.Columns {
			out.Columns[i].Several = true
		}
		return out
	}
	for i := range out.Columns {
		out.Columns[i] = merge(out.Columns[i], other[i])
	}
	return out
}

func (r *reading) selected(n node, s *scope) *Relation {
	for _, f := range list(n, "fromClause") {
		r.from(f, s)
	}
	out := &Relation{Reads: s.reads, Opaque: s.opaque, Carries: s.carries}
	for _, row := range list(n, "valuesLists") {
		var columns []Column
		for _, e := range list(as(row, "List"), "items") {
			columns = append(columns, r.expression(e, s, out))
		}
		if out.Columns == nil {
			out.Columns = columns
			continue
		}
		for i := range min(len(columns), len(out.Columns)) {
			out.Columns[i] = merge(out.Columns[i], columns[i])
		}
	}
	for i := range out.Columns {
		out.Columns[i].Name = "column" + string(rune('1'+i%9)) // more of them nobody names
	}
	r.expressions(n, s, "whereClause", "groupClause", "havingClause", "windowClause", "sortClause", "limitCount", "limitOffset", "distinctClause")
	out.Columns = append(out.Columns, r.targets(list(n, "targetList"), s, out)...)
	grouped := len(list(n, "groupClause")) > 0 || len(list(n, "distinctClause")) > 0 || n["havingClause"] != nil
	if len(out.Reads) > 0 && (grouped || r.aggregates(n["targetList"]) > 0) {
		out.Opaque = true
		out.Carries = out.Carries || r.aggregates(n["targetList"]) > 1
	}
	return out
}

// targets are the columns that a list of targets gives.
func (r *reading) targets(list []any, s *scope, out *Relation) []Column {
	var columns []Column
	for _, t := range list {
		t := as(t, "ResTarget")
		kind, val := open(t["val"])
		if kind == "ColumnRef" {
			if path := names(fieldsOf(val)); len(path) > 0 && path[len(path)-1] == "*" {
				columns = append(columns, s.all(path[:len(path)-1])...)
				continue
			}
		}
		if kind == "A_Indirection" && slices.Contains(names(listOf(val, "indirection")), "*") { // (x).*
			r.expression(t["val"], s, out)
			columns = append(columns, unknownColumns...)
			continue
		}
		c := r.expression(t["val"], s, out)
		if name := text(t, "name"); name != "" {
			c.Name = name
		}
		columns = append(columns, c)
	}
	return columns
}

func listOf(n node, field string) []any { return list(n, field) }

func fieldsOf(n node) []any { return list(n, "fields") }

// all are the columns that a star stands for.
func (s *scope) all(path []string) []Column {
	if len(path) == 0 {
		return s.star
	}
	for ; s != nil; s = s.parent {
		for _, i := range s.items {
			if i.name == path[len(path)-1] {
				return i.columns
			}
		}
	}
	return unknownColumns
}

func unique(places []schema.Place) []schema.Place {
	return slices.Compact(slices.Sorted(slices.Values(places)))
}

// expressions reads parts of a statement that give no columns.
func (r *reading) expressions(n node, s *scope, fields ...string) {
	for _, f := range fields {
		if n[f] != nil {
			r.expression(n[f], s, nil)
		}
	}
}

// expression is the column that an expression gives. What it reads is noted, in out too if it has a place in the result.
func (r *reading) expression(n any, s *scope, out *Relation) Column {
	found := r.trace(n, s, out)
	return found
}

// origin without the identifier: the values tell of electors, and are no identifiers.
func unidentified(c Column) Column {
	return Column{Origin: pgtap.Origin{Place: c.Origin.Place, Field: c.Origin.Field}, Also: c.Also}
}

func lower(path []string) string { return strings.ToLower(path[len(path)-1]) }
