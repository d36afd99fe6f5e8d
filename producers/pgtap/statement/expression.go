package statement

import (
	"maps"
	"slices"
	"strings"

	"github.com/rolltrace/rolltrace/schema"
)

// trace is the column that an expression gives.
func (r *reading) trace(n any, s *scope, out *Relation) Column {
	switch v := n.(type) {
	case []any:
		var any Column
		for _, e := range v {
			any = blend(any, r.trace(e, s, out))
		}
		return any
	case node:
		if kind, f := open(n); kind != "" && f != nil && strings.ToLower(kind[:1]) != kind[:1] {
			return r.node(kind, f, s, out)
		}
		var any Column
		for _, name := range sorted(v) {
			any = blend(any, r.trace(v[name], s, out))
		}
		return any
	}
	return Column{neutral: true}
}

// blend is what a calculation makes of two columns.
func blend(a, b Column) Column {
	if a.Origin.Place == "" {
		a, b = b, a
	}
	c := unidentified(a)
	if b.Origin.Place != "" && b.Origin.Place != c.Origin.Place {
		c.Also = append(slices.Clone(c.Also), b.Origin.Place)
	}
	return c
}

func sorted(n node) []string {
	all := make([]string, 0, len(n))
	for name := range n {
		all = append(all, name)
	}
	slices.Sort(all)
	return all
}

func (r *reading) node(kind string, f node, s *scope, out *Relation) Column {
	below := func() Column {
		var any Column
		for _, name := range sorted(f) {
			any = blend(any, r.trace(f[name], s, out))
		}
		return any
	}
	switch kind {
	case "ColumnRef":
		path := names(list(f, "fields"))
		if len(path) == 0 || path[len(path)-1] == "*" {
			return Column{}
		}
		c := s.column(path)
		if c.Name == "" {
			c.Name = path[len(path)-1]
		}
		return c
	case "A_Const", "ParamRef", "SetToDefault":
		return Column{neutral: true}
	case "TypeCast":
		c := r.trace(f["arg"], s, out)
		target, _ := f["typeName"].(node)
		return cast(c, target)
	case "CollateClause":
		return r.trace(f["arg"], s, out)
	case "CoalesceExpr":
		return r.either(list(f, "args"), s, out)
	case "MinMaxExpr":
		return r.either(list(f, "args"), s, out)
	case "CaseExpr":
		r.trace(f["arg"], s, nil)
		results := []any{}
		for _, w := range list(f, "args") {
			w := as(w, "CaseWhen")
			r.trace(w["expr"], s, nil)
			results = append(results, w["result"])
		}
		if f["defresult"] != nil {
			results = append(results, f["defresult"])
		}
		c := r.either(results, s, out)
		c.Name = "case"
		return c
	case "A_Expr":
		if text(f, "kind") == "AEXPR_NULLIF" {
			r.trace(f["rexpr"], s, nil)
			return r.trace(f["lexpr"], s, out)
		}
	case "SubLink":
		return r.sublink(f, s, out)
	case "SelectStmt":
		rel := r.query(kind, f, s)
		r.contribute(rel, out)
		return Column{}
	case "FuncCall":
		return r.call(f, s, out)
	}
	return below()
}

func (r *reading) either(all []any, s *scope, out *Relation) Column {
	c := Column{neutral: true}
	for _, e := range all {
		c = merge(c, r.trace(e, s, out))
	}
	return c
}

// contribute notes that a query within an expression has a part in the result.
func (r *reading) contribute(rel, out *Relation) {
	if out == nil || len(rel.Reads) == 0 {
		return
	}
	out.Reads = slices.Concat(out.Reads, rel.Reads)
	out.Carries = out.Carries || rel.Carries
}

func (r *reading) sublink(f node, s *scope, out *Relation) Column {
	r.trace(f["testexpr"], s, nil)
	kind, q := open(f["subselect"])
	rel := r.query(kind, q, s)
	r.contribute(rel, out)
	switch text(f, "subLinkType") {
	case "EXPR_SUBLINK":
		if len(rel.Columns) == 1 {
			return rel.Columns[0]
		}
	case "ARRAY_SUBLINK":
		if out != nil && len(rel.Reads) > 0 {
			out.Opaque, out.Carries = true, true
		}
	}
	return Column{}
}

// Functions whose result is one of the values that they are given.
var picking = map[string]bool{
	"min": true, "max": true, "first_value": true, "last_value": true, "nth_value": true, "lag": true, "lead": true,
	"any_value": true, "mode": true,
}

// aggregating are Postgres' own aggregates: true for those that keep the values that they are given.
var aggregating = map[string]bool{
	"count": false, "sum": false, "avg": false, "bool_and": false, "bool_or": false, "every": false, "bit_and": false, "bit_or": false,
	"bit_xor": false, "stddev": false, "stddev_pop": false, "stddev_samp": false, "variance": false, "var_pop": false, "var_samp": false,
	"corr": false, "covar_pop": false, "covar_samp": false, "regr_avgx": false, "regr_avgy": false, "regr_count": false,
	"regr_intercept": false, "regr_r2": false, "regr_slope": false, "regr_sxx": false, "regr_sxy": false, "regr_syy": false,
	"rank": false, "dense_rank": false, "percent_rank": false, "cume_dist": false, "percentile_cont": false, "grouping": false,
	"min": false, "max": false, "mode": false, "any_value": false, "percentile_disc": false,
	"array_agg": true, "string_agg": true, "json_agg": true, "jsonb_agg": true, "json_object_agg": true, "jsonb_object_agg": true,
	"json_agg_strict": true, "jsonb_agg_strict": true, "json_object_agg_unique": true, "jsonb_object_agg_unique": true,
	"xmlagg": true, "range_agg": true, "range_intersect_agg": true,
}

// harmless are functions of Postgres' own that change nothing that a rollback would undo; there are more.
var harmless = func() map[string]bool {
	all := map[string]bool{}
	for _, names := range []map[string]bool{picking, aggregating} {
		for name := range names {
			all[name] = true
		}
	}
	for name := range strings.FieldsSeq(`
		abs ceil floor round mod random sqrt power sign trunc width_bucket
		lower upper initcap length char_length octet_length concat concat_ws substr substring left right lpad rpad ltrim rtrim btrim
		trim replace translate split_part strpos position repeat reverse format md5 sha256 encode decode to_char to_number to_date
		to_timestamp quote_ident quote_literal regexp_replace regexp_match regexp_matches regexp_split_to_table string_to_array
		now clock_timestamp statement_timestamp transaction_timestamp timeofday date_trunc date_part extract age make_date make_interval
		to_json to_jsonb row_to_json json_build_object jsonb_build_object json_build_array jsonb_build_array jsonb_set
		jsonb_array_elements json_array_elements jsonb_array_length jsonb_extract_path_text json_extract_path_text
		array_length array_to_string array_position cardinality unnest generate_series generate_subscripts row_number ntile
		current_setting pg_typeof pg_sleep version current_database current_schema pg_backend_pid txid_current`) {
		all[name] = true
	}
	return all
}()

// windows are functions that are aggregates only without OVER.
func isAggregate(call node) (keeps, is bool) {
	path := names(list(call, "funcname"))
	if len(path) == 0 || call["over"] != nil {
		return false, false
	}
	keeps, is = aggregating[lower(path)]
	switch {
	case flag(call, "agg_star") || flag(call, "agg_distinct") || flag(call, "agg_within_group") || call["agg_filter"] != nil || call["agg_order"] != nil:
		return keeps || !is, true
	case lower(path) == "rank" || lower(path) == "dense_rank" || lower(path) == "percent_rank" || lower(path) == "cume_dist":
		return false, false
	}
	return keeps, is
}

// aggregates says whether there are aggregates in a list of targets, their subqueries aside: 0 for none, 2 for one that
// keeps the values that it is given.
func (r *reading) aggregates(targets any) int {
	most := 0
	visit(targets, func(kind string, f node) bool {
		switch kind {
		case "SubLink":
			return false
		case "FuncCall":
			keeps, is := isAggregate(f)
			if path := names(list(f, "funcname")); !is && len(path) > 0 && f["over"] == nil {
				if fn := r.function(path); fn != nil && fn.Aggregate {
					keeps, is = true, true
				}
			}
			switch {
			case keeps:
				most = 2
			case is:
				most = max(most, 1)
			}
		case "JsonArrayAgg", "JsonObjectAgg":
			most = 2
		}
		return true
	})
	return most
}

func (r *reading) function(path []string) *Function {
	schemaName := ""
	if len(path) > 1 {
		schemaName = path[len(path)-2]
	}
	return r.names.Function(schemaName, path[len(path)-1])
}

// telling are Postgres' own functions that run a query or read a table whose name is given to them.
var telling = map[string]bool{
	"query_to_xml": true, "query_to_xml_and_xmlschema": true, "table_to_xml": true, "table_to_xml_and_xmlschema": true,
	"schema_to_xml": true, "schema_to_xml_and_xmlschema": true, "database_to_xml": true, "database_to_xml_and_xmlschema": true,
	"cursor_to_xml": true, "dblink": true, "dblink_fetch": true, "pg_read_file": true, "pg_read_binary_file": true, "ts_stat": true,
	"crosstab": true, "connectby": true,
}

// Telling are the names of Postgres' own functions that run a query or read a table whose name is given to them.
func Telling() []string { return slices.Sorted(maps.Keys(telling)) }

func (r *reading) call(f node, s *scope, out *Relation) Column {
	path := names(list(f, "funcname"))
	if len(path) == 0 {
		return Column{}
	}
	name := lower(path)
	var args []Column
	for _, a := range list(f, "args") {
		args = append(args, r.trace(a, s, out))
	}
	for _, field := range []string{"agg_order", "agg_filter", "over"} {
		if f[field] != nil {
			r.trace(f[field], s, nil)
		}
	}
	var reads []schema.Place
	if telling[name] {
		reads = r.names.All()
	} else if fn := r.function(path); fn != nil {
		reads = fn.Reads
	}
	if len(reads) > 0 {
		r.touch(reads)
		if out != nil {
			out.Reads = slices.Concat(out.Reads, reads)
			out.Opaque, out.Carries = true, true
		}
	}
	if picking[name] && len(path) <= 2 && len(args) > 0 {
		c := args[0]
		c.Name = name
		return c
	}
	var any Column
	for _, a := range args {
		any = blend(any, a)
	}
	any.Name = name
	return any
}

// OIDs of types, as pg_type.dat has them.
const (
	oidText, oidVarchar, oidInt2, oidInt4, oidInt8, oidNumeric, oidUUID, oidName, oidOID, oidBpchar = 25, 1043, 21, 23, 20, 1700, 2950, 19, 26, 1042
)

var types = map[string]uint32{
	"text": oidText, "varchar": oidVarchar, "int2": oidInt2, "int4": oidInt4, "int8": oidInt8, "numeric": oidNumeric, "uuid": oidUUID,
	"citext": oidText, "name": oidName, "oid": oidOID, "bpchar": oidBpchar,
}

// cast is what a cast makes of a column: its identifiers stay what they are when their text does.
func cast(c Column, target node) Column {
	path := names(list(target, "names"))
	if c.neutral || len(path) == 0 {
		return c
	}
	to, known := types[path[len(path)-1]]
	bounded := len(list(target, "typmods")) > 0 || len(list(target, "arrayBounds")) > 0
	number := func(t uint32) bool {
		return t == oidInt2 || t == oidInt4 || t == oidInt8 || t == oidNumeric || t == oidOID
	}
	keeps := known && !bounded && to != oidBpchar && to != oidName && (!number(to) || number(c.Type)) && (to != oidUUID || c.Type == oidUUID) &&
		(c.Type != oidNumeric || to == oidText || to == oidVarchar || to == oidNumeric)
	if !keeps {
		name := c.Name
		c = unidentified(c)
		c.Name = name
		return c
	}
	c.Type = to
	return c
}
