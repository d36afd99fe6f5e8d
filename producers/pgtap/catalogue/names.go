package catalogue

import (
	"context"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/jackc/pgx/v5"

	"github.com/rolltrace/rolltrace/producers/pgtap"
	"github.com/rolltrace/rolltrace/producers/pgtap/statement"
	"github.com/rolltrace/rolltrace/schema"
)

// maxReadings bounds what is remembered of statements.
const maxReadings = 16 << 10

// facts are what the server says of a database: what its tables, views and functions are made of. They are not changed.
type facts struct {
	Tables    []tableFact
	Views     []viewFact
	Functions []functionFact
	Others    []otherFact // relations that have the same name as one of those above
	Paths     []pathFact
	Path      string // search_path of those that have none of their own
}

type (
	tableFact struct {
		OID       uint32
		Schema    string
		Name      string
		Place     int // which configured table, from 1
		Attribute attribute
	}
	viewFact struct {
		OID        uint32
		Schema     string
		Name       string
		Definition string
		Attributes []string
		Types      []uint32
		Numbers    []int16
	}
	functionFact struct {
		Schema, Name, Language, Body string
		Aggregate                    bool
	}
	otherFact struct{ Schema, Name string }
	pathFact  struct{ Role, Path string }
	attribute struct {
		Number int16
		Name   string
		Type   uint32
	}
)

// A known is what names stand for in a database. It is not changed, save for what it remembers.
type known struct {
	facts     *facts
	tables    []Table
	columns   map[column]pgtap.Origin
	oids      map[uint32]bool
	relations map[string][]named // by name
	functions map[string]*statement.Function
	all       []schema.Place

	mu       sync.Mutex
	readings map[readingOf]*pgtap.Reading
}

type named struct {
	schema   string
	relation *statement.Relation // nil for one that holds no electors
}

type readingOf struct {
	query *statement.Query
	path  string
	user  string
}

// know makes sense of facts.
func know(f *facts, tables []Table, places []schema.Place) *known {
	k := &known{
		facts: f, tables: tables, all: places, columns: make(map[column]pgtap.Origin), oids: make(map[uint32]bool),
		relations: make(map[string][]named), functions: make(map[string]*statement.Function), readings: make(map[readingOf]*pgtap.Reading),
	}
	made := make(map[uint32]*statement.Relation)
	for _, t := range f.Tables {
		origin := pgtap.Origin{Place: tables[t.Place-1].Place, Space: tables[t.Place-1].IDs[t.Attribute.Name], Field: tables[t.Place-1].Fields[t.Attribute.Name]}
		k.oids[t.OID] = true
		k.columns[column{t.OID, t.Attribute.Number}] = origin
		rel := made[t.OID]
		if rel == nil {
			rel = &statement.Relation{Reads: []schema.Place{origin.Place}}
			made[t.OID] = rel
			k.relations[t.Name] = append(k.relations[t.Name], named{t.Schema, rel})
		}
		rel.Columns = append(rel.Columns, statement.Column{Name: t.Attribute.Name, Type: t.Attribute.Type, Origin: origin})
	}
	for _, o := range f.Others {
		k.relations[o.Name] = append(k.relations[o.Name], named{o.Schema, nil})
	}
	for _, name := range []string{"pg_stats", "pg_statistic", "pg_stats_ext", "pg_stats_ext_exprs", "pg_statistic_ext_data"} {
		// Samples of every column's values.
		k.relations[name] = append(k.relations[name], named{"pg_catalog", &statement.Relation{
			Columns: []statement.Column{{Several: true}}, Reads: places, Opaque: true, Carries: true,
		}})
	}
	k.learnFunctions()
	k.learnViews()
	return k
}

// learnViews reads views in the order in which they are built on each other.
func (k *known) learnViews() {
	waiting := slices.Clone(k.facts.Views)
	built := make(map[[2]string]bool)
	pending := make(map[[2]string]bool)
	for _, v := range waiting {
		pending[[2]string{v.Schema, v.Name}] = true
	}
	for len(waiting) > 0 {
		var later []viewFact
		for _, v := range waiting {
			blocked := &waits{names: k.at(pgtap.Session{}), pending: pending, own: [2]string{v.Schema, v.Name}}
			rel := statement.View(v.Definition, blocked)
			if blocked.met && len(later) < len(waiting) {
				later = append(later, v)
				continue
			}
			k.learnView(v, rel)
			built[[2]string{v.Schema, v.Name}] = true
			delete(pending, [2]string{v.Schema, v.Name})
		}
		if len(later) == len(waiting) { // views in a circle there are none; but never wait for ever
			for _, v := range later {
				k.learnView(v, &statement.Relation{Reads: k.all, Opaque: true, Carries: true})
			}
			return
		}
		waiting = later
	}
}

// waits notices a view that is not known yet.
type waits struct {
	names
	pending map[[2]string]bool
	own     [2]string
	met     bool
}

func (w *waits) Relation(schemaName, name string) *statement.Relation {
	if at := [2]string{schemaName, name}; at != w.own && w.pending[at] {
		w.met = true
	}
	return w.names.Relation(schemaName, name)
}

func (k *known) learnView(v viewFact, rel *statement.Relation) {
	if len(rel.Reads) == 0 {
		rel.Reads = k.all // the server says that it is built on a configured table
		rel.Opaque = true
	}
	view := *rel
	view.Columns = make([]statement.Column, len(v.Attributes))
	for i, name := range v.Attributes {
		var c statement.Column
		if i < len(rel.Columns) && !slices.ContainsFunc(rel.Columns[:i+1], func(c statement.Column) bool { return c.Several }) {
			c = rel.Columns[i]
		}
		c.Name, c.Type = name, v.Types[i]
		if c.Origin.Place == "" && !rel.Opaque {
			c.Origin.Place = rel.Reads[0]
		}
		view.Columns[i] = c
		k.columns[column{v.OID, v.Numbers[i]}] = c.Origin
	}
	k.oids[v.OID] = true
	k.relations[v.Name] = append(k.relations[v.Name], named{v.Schema, &view})
}

// learnFunctions finds out which functions may read configured tables, by the words in their bodies.
func (k *known) learnFunctions() {
	reads := make(map[string][]schema.Place)
	for _, t := range k.facts.Tables {
		reads[strings.ToLower(t.Name)] = append(reads[strings.ToLower(t.Name)], k.tables[t.Place-1].Place)
	}
	for _, v := range k.facts.Views {
		reads[strings.ToLower(v.Name)] = k.all
	}
	words := make([][]string, len(k.facts.Functions))
	for i, f := range k.facts.Functions {
		words[i] = wordPattern.FindAllString(strings.ToLower(f.Body), -1)
		switch {
		case f.Aggregate, f.Language == "sql":
		case f.Language != "plpgsql" || slices.Contains(words[i], "execute"):
			reads[strings.ToLower(f.Name)] = k.all
		}
	}
	for changed := true; changed; { // functions call functions
		changed = false
		for i, f := range k.facts.Functions {
			name := strings.ToLower(f.Name)
			for _, w := range words[i] {
				for _, place := range reads[w] {
					if !slices.Contains(reads[name], place) {
						reads[name] = append(slices.Clone(reads[name]), place)
						changed = true
					}
				}
			}
		}
	}
	for _, f := range k.facts.Functions {
		places := reads[strings.ToLower(f.Name)]
		if len(places) == 0 && !f.Aggregate {
			continue
		}
		fn := k.functions[f.Name]
		if fn == nil {
			fn = &statement.Function{}
			k.functions[f.Name] = fn
		}
		fn.Reads = slices.Compact(slices.Sorted(slices.Values(places)))
		fn.Aggregate = fn.Aggregate || f.Aggregate
	}
}

var wordPattern = regexp.MustCompile(`[\pL_][\pL\pN_$]*`)

// names are what names stand for in a session.
type names struct {
	*known
	user string
	path []string
}

func (k *known) at(s pgtap.Session) names {
	path := s.Path
	if path == "" {
		path = k.facts.Path
		for _, p := range k.facts.Paths { // those of a role come after those of the database
			if p.Role == "" || p.Role == s.User {
				path = p.Path
			}
		}
	}
	return names{k, s.User, splitPath(path)}
}

// splitPath reads a search_path: names with commas between, in quotes or folded.
func splitPath(text string) []string {
	var path []string
	var name strings.Builder
	quoted, was := false, false
	flush := func() {
		n := name.String()
		if !was {
			n = strings.ToLower(strings.TrimSpace(n))
		}
		if n != "" {
			path = append(path, n)
		}
		name.Reset()
		was = false
	}
	for _, c := range text {
		switch {
		case c == '"':
			if !quoted && strings.TrimSpace(name.String()) == "" {
				name.Reset()
			}
			quoted, was = !quoted, true
		case c == ',' && !quoted:
			flush()
		case was && !quoted && c == ' ':
		default:
			name.WriteRune(c)
		}
	}
	flush()
	return path
}

func temporary(schemaName string) bool { return strings.HasPrefix(schemaName, "pg_temp") }

// Relation is described at statement.Names. Of other sessions' temporary views it believes that they may be this one's.
func (n names) Relation(schemaName, name string) *statement.Relation {
	candidates := n.relations[name]
	for _, c := range candidates {
		if c.relation != nil && temporary(c.schema) && (schemaName == "" || temporary(schemaName)) {
			return c.relation
		}
	}
	if schemaName != "" {
		for _, c := range candidates {
			if c.schema == schemaName {
				return c.relation
			}
		}
		return nil
	}
	for _, s := range append([]string{"pg_catalog"}, n.path...) {
		if s == "$user" {
			s = n.user
		}
		for _, c := range candidates {
			if c.schema == s {
				return c.relation
			}
		}
	}
	return nil
}

// Function is described at statement.Names.
func (n names) Function(_, name string) *statement.Function { return n.functions[name] }

// All is described at statement.Names.
func (n names) All() []schema.Place { return n.all }

// Place is described at statement.Names.
func (n names) Place(schemaName, name string, beside schema.Place) schema.Place {
	if rel := n.Relation(schemaName, name); rel != nil && len(rel.Reads) == 1 && n.configured(rel) {
		return rel.Reads[0]
	}
	parts := strings.SplitN(string(beside), "/", 3)
	if len(parts) < 3 {
		return beside
	}
	for _, dataset := range []string{segment(name), "unnamed"} {
		place := schema.Place(parts[0] + "/" + parts[1] + "/" + dataset)
		if _, err := schema.ParsePlace(string(place)); err == nil && place != beside {
			return place
		}
	}
	return schema.Place(parts[0] + "/" + parts[1] + "/" + segment(name) + ".copy")
}

func (n names) configured(rel *statement.Relation) bool {
	return !rel.Opaque && !rel.Carries && slices.ContainsFunc(n.facts.Tables, func(t tableFact) bool {
		return slices.ContainsFunc(n.relations[t.Name], func(c named) bool { return c.relation == rel })
	})
}

// segment makes a table's name fit a place.
func segment(name string) string {
	return strings.Map(func(c rune) rune {
		switch {
		case 'a' <= c && c <= 'z', '0' <= c && c <= '9', c == '.', c == '_', c == '-':
			return c
		}
		return '-'
	}, strings.ToLower(name))
}

// read says what a query does, and remembers it.
func (k *known) read(s pgtap.Session, q *statement.Query) *pgtap.Reading {
	of := readingOf{q, s.Path, s.User}
	k.mu.Lock()
	defer k.mu.Unlock()
	if r := k.readings[of]; r != nil {
		return r
	}
	if len(k.readings) >= maxReadings {
		clear(k.readings)
	}
	r := q.Read(k.at(s))
	k.readings[of] = r
	return r
}

// same says whether two askings have found the same.
func (f *facts) same(as *facts) bool { return reflect.DeepEqual(f, as) }

// gather asks the server for everything.
func gather(ctx context.Context, conn *pgx.Conn, schemas, tables []string, database string) (*facts, error) {
	f := &facts{}
	// One snapshot, in which every name of a definition has its schema.
	tx, err := conn.BeginTx(ctx, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly})
	if err != nil {
		return nil, err
	}
	defer func() { _ = tx.Rollback(context.WithoutCancel(ctx)) }()
	if err := tx.QueryRow(ctx, "SELECT reset_val FROM pg_catalog.pg_settings WHERE name = 'search_path'").Scan(&f.Path); err != nil {
		return nil, err
	}
	if _, err := tx.Exec(ctx, "SELECT pg_catalog.set_config('search_path', '', true)"); err != nil {
		return nil, err
	}
	rows, _ := tx.Query(ctx, tableQuestion, schemas, tables)
	if f.Tables, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (t tableFact, err error) {
		return t, row.Scan(&t.OID, &t.Schema, &t.Name, &t.Place, &t.Attribute.Number, &t.Attribute.Name, &t.Attribute.Type)
	}); err != nil {
		return nil, err
	}
	var oids []uint32
	var found []string
	for _, t := range f.Tables {
		oids, found = append(oids, t.OID), append(found, t.Name)
	}
	slices.Sort(oids)
	rows, _ = tx.Query(ctx, viewQuestion, slices.Compact(oids))
	if f.Views, err = pgx.CollectRows(rows, pgx.RowToStructByPos[viewFact]); err != nil {
		return nil, err
	}
	for _, v := range f.Views {
		found = append(found, v.Name)
		oids = append(oids, v.OID)
	}
	rows, _ = tx.Query(ctx, functionQuestion)
	if f.Functions, err = pgx.CollectRows(rows, pgx.RowToStructByPos[functionFact]); err != nil {
		return nil, err
	}
	rows, _ = tx.Query(ctx, otherQuestion, found, oids)
	if f.Others, err = pgx.CollectRows(rows, pgx.RowToStructByPos[otherFact]); err != nil {
		return nil, err
	}
	rows, _ = tx.Query(ctx, pathQuestion, database)
	if f.Paths, err = pgx.CollectRows(rows, pgx.RowToStructByPos[pathFact]); err != nil {
		return nil, err
	}
	return f, nil
}

// tableQuestion finds the configured tables with their partitions and children, and all of their columns.
const tableQuestion = `
WITH RECURSIVE configured AS (
	SELECT c.oid, t.place FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS t(nsp, rel, place)
	JOIN pg_catalog.pg_namespace n ON n.nspname = t.nsp
	JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = t.rel
	UNION
	SELECT i.inhrelid, p.place FROM configured p JOIN pg_catalog.pg_inherits i ON i.inhparent = p.oid
)
SELECT t.oid::oid, n.nspname::text, c.relname::text, t.place::int, a.attnum, a.attname::text, a.atttypid
FROM configured t JOIN pg_catalog.pg_class c ON c.oid = t.oid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
JOIN pg_catalog.pg_attribute a ON a.attrelid = t.oid AND a.attnum > 0 AND NOT a.attisdropped
ORDER BY t.oid, t.place, a.attnum`

// viewQuestion finds the views, materialised ones too, that are built on tables or on each other.
const viewQuestion = `
WITH RECURSIVE built AS (
	SELECT unnest($1::oid[]) AS oid
	UNION
	SELECT r.ev_class FROM built b JOIN pg_catalog.pg_depend d ON d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.refobjid = b.oid
		AND d.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass
	JOIN pg_catalog.pg_rewrite r ON r.oid = d.objid
)
SELECT c.oid, n.nspname::text, c.relname::text, pg_catalog.pg_get_viewdef(c.oid),
	array_agg(a.attname::text ORDER BY a.attnum), array_agg(a.atttypid ORDER BY a.attnum), array_agg(a.attnum ORDER BY a.attnum)
FROM built b JOIN pg_catalog.pg_class c ON c.oid = b.oid AND c.relkind IN ('v', 'm')
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
GROUP BY c.oid, n.nspname, c.relname ORDER BY c.oid`

// functionQuestion finds functions whose bodies can read tables, and aggregates. 16384 is the first OID that is not
// Postgres' own.
const functionQuestion = `
SELECT n.nspname::text, p.proname::text, l.lanname::text, coalesce(pg_catalog.pg_get_function_sqlbody(p.oid), p.prosrc), p.prokind = 'a'
FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace JOIN pg_catalog.pg_language l ON l.oid = p.prolang
WHERE p.oid >= 16384 AND (p.prokind = 'a' OR l.lanname NOT IN ('c', 'internal'))
ORDER BY p.oid`

const otherQuestion = `
SELECT n.nspname::text, c.relname::text FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relname = ANY($1) AND c.oid <> ALL($2::oid[]) AND c.relkind IN ('r', 'v', 'm', 'p', 'f') ORDER BY c.oid`

// pathQuestion finds the search_path of the database and of roles, the more particular later.
const pathQuestion = `
SELECT coalesce(r.rolname::text, ''), substring(c.setting FROM 13)
FROM pg_catalog.pg_db_role_setting s CROSS JOIN unnest(s.setconfig) AS c(setting)
LEFT JOIN pg_catalog.pg_database d ON d.oid = s.setdatabase LEFT JOIN pg_catalog.pg_roles r ON r.oid = s.setrole
WHERE c.setting LIKE 'search_path=%' AND (s.setdatabase = 0 OR d.datname = $1)
ORDER BY (s.setrole <> 0)::int * 2 + (s.setdatabase <> 0)::int, 1`
