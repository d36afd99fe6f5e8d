package graph

import (
	"bytes"
	"cmp"
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
	"text/template"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/database"
)

//go:embed migration/*.sql
var migrationFiles embed.FS

// versionTable records which migrations were applied.
const versionTable = "migration"

// Options say where the schema goes and how its tables are made.
type Options struct {
	// DSN is the address of one ClickHouse server, as Open reads it. Its user needs the right to create
	// databases (unless the database exists), tables and views. Required.
	DSN string

	// Database is the database to migrate. Defaults to that of the DSN.
	Database string

	// Cluster, if set, runs every statement ON CLUSTER, and makes the tables replicated. The lock below
	// is that of one server: migrate a cluster through one address.
	Cluster string

	// ReplicaPath is where replicated tables keep their state; {table} stands for the table's name.
	// Defaults to "/clickhouse/tables/{shard}/{database}/{table}".
	ReplicaPath string

	// Definer is the user under whose rights the views read the tables. Defaults to the user of the DSN.
	Definer string

	// Room is how many times more than by default some views may be asked about at once (docs/analyst-sql.md), where movements
	// are small, or memory is plenty. Defaults to 1.
	Room int

	// LockTimeout is how long to wait while somebody else migrates. Defaults to one minute.
	LockTimeout time.Duration
}

func (o Options) withDefaults(dsn *clickhouse.Options) Options {
	o.Database = cmp.Or(o.Database, dsn.Auth.Database)
	o.ReplicaPath = cmp.Or(o.ReplicaPath, "/clickhouse/tables/{shard}/{database}/{table}")
	o.LockTimeout = cmp.Or(o.LockTimeout, time.Minute)
	return o
}

// Migrate creates the database if it is missing, brings its tables to the newest schema, and makes the
// views anew. Each migration is one statement that may be run twice, so that a Migrate killed at any
// moment is finished by the next one; a Migrate that has nothing to do changes nothing. Two at once wait
// for each other (Options.LockTimeout, then ErrLocked).
func Migrate(ctx context.Context, o Options) error {
	dsn, err := options(o.DSN)
	if err != nil {
		return err
	}
	o = o.withDefaults(dsn)
	if err := createDatabase(ctx, *dsn, o); err != nil {
		return fmt.Errorf("create database %q: %w", o.Database, err)
	}

	dsn.Auth.Database = o.Database
	conn, err := clickhouse.Open(dsn)
	if err != nil {
		return fmt.Errorf("open ClickHouse: %w", err)
	}
	defer conn.Close()
	release, err := lock(ctx, conn, o)
	if err != nil {
		return fmt.Errorf("lock database %q for migration: %w", o.Database, err)
	}
	defer release()

	db := clickhouse.OpenDB(dsn)
	defer db.Close()
	if err := migrateTables(ctx, db, o); err != nil {
		return fmt.Errorf("migrate database %q: %w", o.Database, err)
	}
	if err := makeViews(ctx, db, o); err != nil {
		return fmt.Errorf("make the views of database %q: %w", o.Database, err)
	}
	return nil
}

func createDatabase(ctx context.Context, dsn clickhouse.Options, o Options) error {
	dsn.Auth.Database = "default" // the one of the DSN need not exist yet
	conn, err := clickhouse.Open(&dsn)
	if err != nil {
		return err
	}
	defer conn.Close()
	err = conn.Exec(ctx, "CREATE DATABASE IF NOT EXISTS "+quote(o.Database)+o.onCluster())
	if code(err) == codeAccessDenied {
		var there uint64 // somebody else made it: then the right is not needed
		row := conn.QueryRow(ctx, "SELECT count() FROM system.databases WHERE name = ?", o.Database)
		if row.Scan(&there) == nil && there == 1 {
			return nil
		}
	}
	return err
}

func migrateTables(ctx context.Context, db *sql.DB, o Options) error {
	migrations, err := o.migrations()
	if err != nil {
		return err
	}
	provider, err := goose.NewProvider("", db, nil,
		goose.WithStore(versions{Store: must(database.NewStore(database.DialectClickHouse, versionTable)), options: o}),
		goose.WithGoMigrations(migrations...),
		goose.WithDisableGlobalRegistry(true),
		goose.WithIsolateDDL(true))
	if err != nil {
		return err
	}
	_, err = provider.Up(ctx)
	var partial *goose.PartialError
	if errors.As(err, &partial) {
		return fmt.Errorf("migration %d: %w", partial.Failed.Source.Version, partial.Err)
	}
	return err
}

// migrations reads the embedded files, in order: "0001_space.sql" is version 1.
func (o Options) migrations() ([]*goose.Migration, error) {
	files, err := fs.Glob(migrationFiles, "migration/*.sql")
	if err != nil {
		return nil, err
	}
	slices.Sort(files)
	migrations := make([]*goose.Migration, 0, len(files))
	for _, file := range files {
		number, _, _ := strings.Cut(path.Base(file), "_")
		version, err := strconv.ParseInt(number, 10, 64)
		if err != nil {
			return nil, fmt.Errorf("migration %q: want a number before the first _: %w", file, err)
		}
		statement, err := o.render(migrationFiles, file)
		if err != nil {
			return nil, err
		}
		up := func(ctx context.Context, db *sql.DB) error {
			_, err := db.ExecContext(ctx, statement)
			return err
		}
		migrations = append(migrations, goose.NewGoMigration(version, &goose.GoFunc{RunDB: up}, nil))
	}
	return migrations, nil
}

// render fills in what a site decides: database, cluster, engines, definer.
func (o Options) render(files fs.FS, file string) (string, error) {
	text, err := fs.ReadFile(files, file)
	if err != nil {
		return "", err
	}
	t, err := template.New(path.Base(file)).Option("missingkey=error").Funcs(template.FuncMap{
		"table":   func(name string) string { return o.name(name) + o.onCluster() },
		"name":    o.name,
		"engine":  o.engine,
		"sync":    func() string { return syncSettings },
		"definer": o.definer,
	}).Parse(string(text))
	if err != nil {
		return "", err
	}
	var b bytes.Buffer
	if err := t.Execute(&b, o); err != nil {
		return "", err
	}
	return b.String(), nil
}

// syncSettings make ClickHouse sync what it was given before it answers, and what it merged before it
// drops what it merged from. Its defaults never sync an insert.
const syncSettings = "fsync_after_insert = 1, fsync_part_directory = 1, " +
	"min_rows_to_fsync_after_merge = 1, min_compressed_bytes_to_fsync_after_merge = 1"

func (o Options) name(table string) string { return quote(o.Database) + "." + quote(table) }

func (o Options) onCluster() string {
	if o.Cluster == "" {
		return ""
	}
	return " ON CLUSTER " + quote(o.Cluster)
}

// engine is the table's engine: of the family given, replicated when there is a cluster.
func (o Options) engine(family, table string, args ...string) string {
	if o.Cluster == "" {
		return family + "(" + strings.Join(args, ", ") + ")"
	}
	where := strings.ReplaceAll(o.ReplicaPath, "{table}", table)
	args = append([]string{literal(where), "'{replica}'"}, args...)
	return "Replicated" + family + "(" + strings.Join(args, ", ") + ")"
}

func (o Options) definer() string {
	definer := "CURRENT_USER"
	if o.Definer != "" {
		definer = quote(o.Definer)
	}
	return "DEFINER = " + definer + " SQL SECURITY DEFINER"
}

// versions is goose's table of applied migrations, made like the other tables.
type versions struct {
	database.Store
	options Options
}

func (v versions) CreateVersionTable(ctx context.Context, db database.DBTxConn) error {
	_, err := db.ExecContext(ctx, `CREATE TABLE IF NOT EXISTS `+v.options.name(versionTable)+v.options.onCluster()+`
(
    version_id Int64    COMMENT 'migration, by its number',
    is_applied UInt8    COMMENT 'always 1: migrations only go up',
    date       Date     DEFAULT now() COMMENT 'when it was applied',
    tstamp     DateTime DEFAULT now() COMMENT 'when it was applied'
)
ENGINE = `+v.options.engine("MergeTree", versionTable)+`
ORDER BY version_id
SETTINGS `+syncSettings+`
COMMENT 'Migrations that were applied'`)
	return err
}

func quote(identifier string) string {
	return "`" + strings.NewReplacer(`\`, `\\`, "`", "\\`").Replace(identifier) + "`"
}

func literal(s string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(s) + "'"
}

// must is for what cannot fail with constant arguments.
func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
