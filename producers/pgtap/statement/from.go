package statement

import (
	"slices"
)

// from adds one of FROM to the scope.
func (r *reading) from(n any, s *scope) {
	items, star, merged := r.item(n, s)
	s.items = append(s.items, items...)
	s.star = append(s.star, star...)
	s.merged = append(s.merged, merged...)
}

func (r *reading) item(n any, s *scope) (items []item, star, merged []Column) {
	kind, f := open(n)
	switch kind {
	case "RangeVar":
		rel := r.relation(f, s)
		return s.take(rel, f, text(f, "relname"))
	case "RangeSubselect":
		outer := s
		if !flag(f, "lateral") {
			outer = s.outside()
		}
		kind, q := open(f["subquery"])
		return s.take(r.query(kind, q, outer), f, "")
	case "JoinExpr":
		return r.join(f, s)
	case "RangeTableSample":
		return r.item(f["relation"], s)
	}
	// Functions and the like: their columns are not known, what they read is.
	rel := &Relation{Columns: unknownColumns}
	before := len(r.reads)
	r.expression(n, s, rel)
	if len(r.reads) > before {
		rel.Opaque = true
	}
	if len(rel.Reads) > 0 {
		rel.Opaque, rel.Carries = true, true
	}
	return s.take(rel, f, functionName(f))
}

// outside is the scope without what is beside in FROM.
func (s *scope) outside() *scope { return &scope{parent: s.parent, ctes: s.ctes} }

func functionName(f node) string {
	for _, l := range list(f, "functions") {
		for _, e := range list(as(l, "List"), "items") {
			if call := as(e, "FuncCall"); call != nil {
				path := names(list(call, "funcname"))
				return path[len(path)-1]
			}
		}
	}
	return ""
}

// take makes a relation an item of FROM, under its alias.
func (s *scope) take(rel *Relation, f node, name string) ([]item, []Column, []Column) {
	if alias, ok := f["alias"].(node); ok {
		name = text(alias, "aliasname")
		rel = rename(rel, names(list(alias, "colnames")))
	}
	s.reads = append(s.reads, rel.Reads...)
	s.opaque = s.opaque || rel.Opaque
	s.carries = s.carries || rel.Carries
	return []item{{name, rel.Columns}}, rel.Columns, nil
}

// relation is what a RangeVar stands for.
func (r *reading) relation(f node, s *scope) *Relation {
	name, schemaName := text(f, "relname"), text(f, "schemaname")
	if schemaName == "" {
		if rel := s.cte(name); rel != nil {
			return rel
		}
	}
	rel := r.names.Relation(schemaName, name)
	if rel == nil {
		return &Relation{Columns: unknownColumns}
	}
	r.touch(rel.Reads)
	return rel
}

func (r *reading) join(f node, s *scope) (items []item, star, merged []Column) {
	li, ls, lm := r.item(f["larg"], s)
	beside := &scope{parent: s, items: li, merged: lm} // what is LATERAL sees the left side
	ri, rs, rm := r.item(f["rarg"], beside)
	s.reads, s.opaque, s.carries = append(s.reads, beside.reads...), s.opaque || beside.opaque, s.carries || beside.carries
	items, merged = append(li, ri...), append(lm, rm...)
	using := names(list(f, "usingClause"))
	switch {
	case flag(f, "isNatural"):
		// Which columns they share is not known when one of them is unknown: then only names find them.
		for _, c := range ls {
			if other, ok := named(rs, c.Name); ok && c.Name != "" {
				merged = append([]Column{merge(c, other)}, merged...)
			}
		}
		star = slices.Concat(ls, rs)
		for i := range star {
			star[i].Several = true
		}
	case len(using) > 0:
		var shared []Column
		for _, name := range using {
			l, _ := named(slices.Concat(lm, ls), name)
			o, _ := named(slices.Concat(rm, rs), name)
			c := merge(l, o)
			c.Name = name
			shared = append(shared, c)
		}
		merged = append(slices.Clone(shared), merged...)
		rest := func(columns []Column) []Column {
			return slices.DeleteFunc(slices.Clone(columns), func(c Column) bool { return !c.Several && slices.Contains(using, c.Name) })
		}
		star = slices.Concat(shared, rest(ls), rest(rs))
	default:
		star = slices.Concat(ls, rs)
	}
	// The condition sees both sides.
	r.expression(f["quals"], &scope{parent: s, items: items, merged: merged}, nil)
	if alias, ok := f["alias"].(node); ok {
		rel := rename(&Relation{Columns: star}, names(list(alias, "colnames")))
		return []item{{text(alias, "aliasname"), rel.Columns}}, rel.Columns, nil
	}
	return items, star, merged
}
