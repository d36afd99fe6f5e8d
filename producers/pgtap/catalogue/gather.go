package catalogue

import (
	"context"
	"reflect"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/rolltrace/rolltrace/producers/pgtap/statement"
)

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
		Place     int  // which configured table, from 1
		Part      bool // it is a partition or a child of that table
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
		OID                          uint32
		Schema, Name, Language, Body string
		Aggregate                    bool
	}
	otherFact struct{ Schema, Name string }
	pathFact  struct{ Role, Path string }
	attribute struct {
		Number    int16
		Name      string
		Type      uint32
		Generated bool
	}
)

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
		return t, row.Scan(&t.OID, &t.Schema, &t.Name, &t.Place, &t.Part, &t.Attribute.Number, &t.Attribute.Name, &t.Attribute.Type, &t.Attribute.Generated)
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
	rows, _ = tx.Query(ctx, functionQuestion, statement.Telling())
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
	SELECT c.oid, t.place, false AS part FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS t(nsp, rel, place)
	JOIN pg_catalog.pg_namespace n ON n.nspname = t.nsp
	JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = t.rel
	UNION
	SELECT i.inhrelid, p.place, true FROM configured p JOIN pg_catalog.pg_inherits i ON i.inhparent = p.oid
)
SELECT t.oid::oid, n.nspname::text, c.relname::text, t.place::int, t.part, a.attnum, a.attname::text, a.atttypid, a.attgenerated <> ''
FROM configured t JOIN pg_catalog.pg_class c ON c.oid = t.oid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
JOIN pg_catalog.pg_attribute a ON a.attrelid = t.oid AND a.attnum > 0 AND NOT a.attisdropped
ORDER BY t.oid, t.place, t.part, a.attnum`

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

// functionQuestion finds functions whose bodies can read tables, aggregates, and those of Postgres' own that are told what to
// read. 16384 is the first OID that is not
// Postgres' own.
const functionQuestion = `
SELECT p.oid, n.nspname::text, p.proname::text, l.lanname::text, coalesce(pg_catalog.pg_get_function_sqlbody(p.oid), p.prosrc), p.prokind = 'a'
FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace JOIN pg_catalog.pg_language l ON l.oid = p.prolang
WHERE p.oid >= 16384 AND (p.prokind = 'a' OR l.lanname NOT IN ('c', 'internal')) OR p.oid < 16384 AND p.proname = ANY($1)
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
