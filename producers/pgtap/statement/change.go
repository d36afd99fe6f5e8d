package statement

import (
	"slices"

	"github.com/rolltrace/rolltrace/producers/pgtap"
)

// change reads INSERT, UPDATE, DELETE and MERGE; the relation is what they return.
func (r *reading) change(kind string, n node, s *scope) *Relation {
	target, _ := n["relation"].(node)
	name, schemaName := text(target, "relname"), text(target, "schemaname")
	rel := r.names.Relation(schemaName, name)
	if rel == nil {
		rel = &Relation{Columns: unknownColumns}
	}
	d := &changing{kind: kind, statement: n, target: rel, schema: schemaName, name: name, alias: aliasOf(target, name)}
	if kind == "InsertStmt" {
		if k, q := open(n["selectStmt"]); k != "" {
			d.source = r.query(k, q, s)
		}
	}
	before := len(r.reads)
	_, star, _ := s.take(rel, target, name)
	s.items = append(s.items, item{d.alias, star})
	s.star = append(s.star, star...)
	for _, f := range slices.Concat(list(n, "fromClause"), list(n, "usingClause")) {
		r.from(f, s)
	}
	if kind == "MergeStmt" && n["sourceRelation"] != nil {
		r.from(n["sourceRelation"], s)
	}
	r.expressions(n, s, "whereClause", "targetList", "onConflictClause", "joinCondition", "mergeWhenClauses")
	r.deed(d)
	returning := list(n, "returningList")
	if len(returning) == 0 {
		r.reads = r.reads[:before] // no rows come back
		return &Relation{}
	}
	r.touch(s.reads)
	out := &Relation{Reads: s.reads, Opaque: s.opaque, Carries: s.carries}
	out.Columns = r.targets(returning, s, out)
	return out
}

func aliasOf(target node, name string) string {
	if alias, ok := target["alias"].(node); ok {
		return text(alias, "aliasname")
	}
	return name
}

// changing is a change that is being read.
type changing struct {
	kind                string
	statement           node
	target, source      *Relation // source is that of an INSERT
	schema, name, alias string
}

// deed notes what a change does to places.
func (r *reading) deed(c *changing) {
	d := pgtap.Deed{Nested: r.depth > 1}
	known := len(c.target.Reads) > 0
	switch {
	case c.kind == "InsertStmt" && c.source != nil && len(c.source.Reads) > 0:
		d.Verb, d.From, d.Fields = pgtap.Duplicate, unique(c.source.Reads), fieldsIn(c.source.Columns)
		d.To = r.names.Place(c.schema, c.name, c.source.Reads[0])
		d.Nested = d.Nested || c.source.Opaque
		_, q := open(c.statement["selectStmt"])
		d.Whole = r.everything(q, c.source)
	case c.kind == "InsertStmt" && known:
		d.Verb, d.To, d.Fields = pgtap.Enter, c.target.Reads[0], fieldsIn(c.columns())
	case c.kind == "DeleteStmt" && known:
		d.Verb, d.From = pgtap.Destroy, c.target.Reads[:1]
	case c.kind == "MergeStmt" && known:
		d.Verb, d.To, d.Nested = pgtap.Enter, c.target.Reads[0], true
	default:
		return
	}
	if c.kind != "MergeStmt" && r.depth == 1 && len(list(c.statement, "returningList")) == 0 {
		d.Target = c.told()
	}
	r.deeds = append(r.deeds, d)
}

// columns are those that an INSERT names, or all.
func (c *changing) columns() []Column {
	cols := list(c.statement, "cols")
	if len(cols) == 0 {
		return c.target.Columns
	}
	var chosen []Column
	for _, t := range cols {
		column, _ := named(c.target.Columns, text(as(t, "ResTarget"), "name"))
		chosen = append(chosen, column)
	}
	return chosen
}

// told is the target of a change that can be made to return its identifiers; nil if there are none.
func (c *changing) told() *pgtap.Target {
	t := &pgtap.Target{Schema: c.schema, Name: c.name, Alias: c.alias, Returns: true}
	if c.target.Table {
		t.IDs = identifiers(c.target.Columns)
	}
	if len(t.IDs) == 0 && c.source != nil {
		cols := list(c.statement, "cols")
		for i, column := range c.source.Columns {
			if column.Several {
				break // where the others go is not known
			}
			if column.Origin.Space == "" {
				continue
			}
			id := pgtap.TargetID{Position: i, Space: column.Origin.Space}
			if len(cols) > 0 {
				if i >= len(cols) {
					break
				}
				id.Column = text(as(cols[i], "ResTarget"), "name")
			}
			t.IDs = append(t.IDs, id)
		}
	}
	if len(t.IDs) == 0 {
		return nil
	}
	return t
}

func identifiers(columns []Column) (ids []pgtap.TargetID) {
	for _, c := range columns {
		if c.Origin.Space != "" && c.Name != "" {
			ids = append(ids, pgtap.TargetID{Column: c.Name, Space: c.Origin.Space})
		}
	}
	return ids
}

// fieldsIn are the field categories of columns.
func fieldsIn(columns []Column) []string {
	var fields []string
	for _, c := range columns {
		if c.Origin.Field != "" {
			fields = append(fields, c.Origin.Field)
		}
	}
	slices.Sort(fields)
	return slices.Compact(fields)
}

// everything says whether a query takes every row that the places of its tables hold.
func (r *reading) everything(q node, rel *Relation) bool {
	if q == nil || rel.Opaque || rel.Carries || q["withClause"] != nil || q["valuesLists"] != nil {
		return false
	}
	if op := text(q, "op"); op != "" && op != "SETOP_NONE" {
		return false
	}
	for _, limit := range []string{"whereClause", "limitCount", "limitOffset", "distinctClause", "groupClause", "havingClause"} {
		if q[limit] != nil {
			return false
		}
	}
	from := list(q, "fromClause")
	if len(from) != 1 {
		return false
	}
	return r.entire(as(from[0], "RangeVar"))
}

// entire says whether a RangeVar is all that a place holds.
func (r *reading) entire(f node) bool {
	if f == nil || !flag(f, "inh") {
		return false
	}
	rel := r.names.Relation(text(f, "schemaname"), text(f, "relname"))
	return rel != nil && rel.Table && rel.Entire
}

// into is a query whose rows go to a new table: none come back.
func (r *reading) into(q node, rel *Relation, into node) *Relation {
	target, _ := into["rel"].(node)
	if len(rel.Reads) > 0 && !flag(into, "skipData") {
		made := rename(&Relation{Columns: rel.Columns, Reads: rel.Reads, Opaque: rel.Opaque}, names(list(into, "colNames")))
		r.copied(made, text(target, "schemaname"), text(target, "relname"), rel.Opaque)
		r.deeds[len(r.deeds)-1].Whole = r.everything(q, rel)
	}
	r.reads = nil
	return &Relation{}
}

// copied notes that a table was made of a relation.
func (r *reading) copied(rel *Relation, schemaName, name string, nested bool) {
	from := unique(rel.Reads)
	d := pgtap.Deed{
		Verb: pgtap.Duplicate, From: from, To: r.names.Place(schemaName, name, from[0]), Fields: fieldsIn(rel.Columns), Nested: nested,
	}
	if ids := identifiers(rel.Columns); len(ids) > 0 {
		d.Target = &pgtap.Target{Schema: schemaName, Name: name, IDs: ids}
	}
	r.deeds = append(r.deeds, d)
}

// copy reads a COPY: the relation is what goes out to the client, or of a COPY from it the columns that come in.
func (r *reading) copy(f node) *Relation {
	onServer := text(f, "filename") != "" || flag(f, "is_program")
	if kind, q := open(f["query"]); kind != "" {
		rel := r.query(kind, q, nil)
		if onServer {
			return r.unload(rel, kind == "SelectStmt" && r.everything(q, rel))
		}
		return rel
	}
	target, _ := f["relation"].(node)
	rel := r.names.Relation(text(target, "schemaname"), text(target, "relname"))
	if rel == nil {
		return &Relation{}
	}
	out := *rel
	out.Columns = slices.DeleteFunc(slices.Clone(rel.Columns), func(c Column) bool { return c.Generated })
	if chosen := names(list(f, "attlist")); len(chosen) > 0 {
		out.Columns = nil
		for _, name := range chosen {
			c, _ := named(rel.Columns, name)
			out.Columns = append(out.Columns, c)
		}
	}
	if flag(f, "is_from") {
		if len(rel.Reads) == 0 {
			return &Relation{}
		}
		r.deeds = append(r.deeds, pgtap.Deed{Verb: pgtap.Enter, To: rel.Reads[0], Fields: fieldsIn(out.Columns), OnServer: onServer})
		return &Relation{Columns: out.Columns}
	}
	r.touch(rel.Reads)
	if onServer {
		return r.unload(&out, r.entire(target))
	}
	return &out
}

// unload notes that rows go to a file or a program on the server: none come back.
func (r *reading) unload(rel *Relation, whole bool) *Relation {
	if from := unique(r.reads); len(from) > 0 {
		r.deeds = append(r.deeds, pgtap.Deed{Verb: pgtap.Unload, From: from, Fields: fieldsIn(rel.Columns), Nested: rel.Opaque, Whole: whole})
	}
	r.reads = nil
	return &Relation{}
}
