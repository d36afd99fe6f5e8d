package catalogue

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/rs/zerolog"

	"github.com/rolltrace/rolltrace/producers/pgtap"
	"github.com/rolltrace/rolltrace/schema"
)

// DefaultRefresh is how often the catalogue is read again.
const DefaultRefresh = 5 * time.Second

// askTimeout bounds a question to the server.
const askTimeout = 10 * time.Second

// firstOwn is the first OID of what is not Postgres' own.
const firstOwn = 16384

// A Table is one that holds electors.
type Table struct {
	Database string // "" for any
	Schema   string
	Name     string
	Place    schema.Place
	IDs      map[string]schema.IDSpace // by column: what its identifiers are
	Fields   map[string]string         // by column: field category
}

// Config is what a Catalogue needs.
type Config struct {
	// Connect connects to a database of the server, past the tap. Required.
	Connect func(ctx context.Context, database string) (*pgx.Conn, error)
	// Tables are those that hold electors.
	Tables []Table
	// Refresh is how often the server is asked again. Defaults to 5 s.
	Refresh time.Duration
	// Log gets what could not be asked. Defaults to none.
	Log zerolog.Logger
}

// A Catalogue is a pgtap.Catalogue. It is safe for concurrent use.
type Catalogue struct {
	cfg        Config
	generation atomic.Uint64
	databases  sync.Map // name → *database
}

var _ pgtap.Catalogue = (*Catalogue)(nil)

type database struct {
	mu    sync.Mutex // held while the server is asked
	conn  *pgx.Conn
	known atomic.Pointer[relations]
}

// relations are what is known of a database's tables. They are not changed.
type relations struct {
	columns map[column]pgtap.Origin
	seen    map[uint32]bool // tables, configured or not, that the server was asked about
}

type column struct {
	table  uint32
	number int16
}

// New checks the configuration. Nothing is asked before the first Trace.
func New(cfg Config) (*Catalogue, error) {
	if cfg.Connect == nil {
		return nil, errors.New("catalogue: want a way to the server")
	}
	if cfg.Refresh <= 0 {
		cfg.Refresh = DefaultRefresh
	}
	return &Catalogue{cfg: cfg}, nil
}

// Run reads the catalogue again and again, until the context ends.
func (c *Catalogue) Run(ctx context.Context) {
	tick := time.NewTicker(c.cfg.Refresh)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			c.databases.Range(func(name, of any) bool {
				if _, err := c.load(ctx, name.(string), of.(*database), 0); err != nil && ctx.Err() == nil {
					c.cfg.Log.Warn().Err(err).Msg("the server's catalogue could not be read again")
				}
				return true
			})
		case <-ctx.Done():
			c.databases.Range(func(_, of any) bool {
				d := of.(*database)
				d.mu.Lock()
				defer d.mu.Unlock()
				if d.conn != nil {
					_ = d.conn.Close(context.Background())
					d.conn = nil
				}
				return true
			})
			return
		}
	}
}

// Generation is described at pgtap.Catalogue.
func (c *Catalogue) Generation() uint64 { return c.generation.Load() }

// Places is described at pgtap.Catalogue.
func (c *Catalogue) Places(database string) []schema.Place {
	var places []schema.Place
	for _, t := range c.cfg.Tables {
		if t.Database == "" || t.Database == database {
			places = append(places, t.Place)
		}
	}
	return places
}

// Trace is described at pgtap.Catalogue.
func (c *Catalogue) Trace(ctx context.Context, name string, columns []pgtap.Column, dst []pgtap.Origin) ([]pgtap.Origin, error) {
	d := c.database(name)
	known := d.known.Load()
	for _, col := range columns {
		if col.Table >= firstOwn && (known == nil || !known.seen[col.Table]) {
			var err error
			if known, err = c.load(ctx, name, d, col.Table); err != nil {
				return dst, err
			}
		}
	}
	for _, col := range columns {
		if col.Table < firstOwn {
			dst = append(dst, pgtap.Origin{})
			continue
		}
		dst = append(dst, known.columns[column{col.Table, col.Number}])
	}
	return dst, nil
}

func (c *Catalogue) database(name string) *database {
	if d, ok := c.databases.Load(name); ok {
		return d.(*database)
	}
	d, _ := c.databases.LoadOrStore(name, &database{})
	return d.(*database)
}

// load asks the server for the configured tables. table is one that has to be known afterwards; 0 for none.
func (c *Catalogue) load(ctx context.Context, name string, d *database, table uint32) (*relations, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	before := d.known.Load()
	if before != nil && table != 0 && before.seen[table] {
		return before, nil
	}
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	fresh, err := c.ask(ctx, name, d)
	if err != nil {
		if d.conn != nil {
			_ = d.conn.Close(ctx)
			d.conn = nil
		}
		return nil, fmt.Errorf("ask the server for its tables: %w", err)
	}
	if before != nil {
		maps.Copy(fresh.seen, before.seen)
	}
	if table != 0 {
		fresh.seen[table] = true
	}
	d.known.Store(fresh)
	if before == nil || !maps.Equal(before.columns, fresh.columns) {
		c.generation.Add(1)
	}
	return fresh, nil
}

// question finds the configured tables with their partitions and children, and all of their columns.
const question = `
WITH RECURSIVE configured AS (
	SELECT c.oid, t.place FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS t(nsp, rel, place)
	JOIN pg_catalog.pg_namespace n ON n.nspname = t.nsp
	JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = t.rel
	UNION
	SELECT i.inhrelid, p.place FROM configured p JOIN pg_catalog.pg_inherits i ON i.inhparent = p.oid
)
SELECT t.oid::oid, t.place::int, a.attnum, a.attname::text
FROM configured t JOIN pg_catalog.pg_attribute a ON a.attrelid = t.oid AND a.attnum > 0 AND NOT a.attisdropped`

func (c *Catalogue) ask(ctx context.Context, name string, d *database) (*relations, error) {
	if d.conn == nil {
		conn, err := c.cfg.Connect(ctx, name)
		if err != nil {
			return nil, err
		}
		d.conn = conn
	}
	var tables []Table
	var schemas, names []string
	for _, t := range c.cfg.Tables {
		if t.Database == "" || t.Database == name {
			tables = append(tables, t)
			schemas, names = append(schemas, t.Schema), append(names, t.Name)
		}
	}
	fresh := &relations{columns: make(map[column]pgtap.Origin), seen: make(map[uint32]bool)}
	rows, err := d.conn.Query(ctx, question, schemas, names)
	if err != nil {
		return nil, err
	}
	var at column
	var place int
	var attribute string
	_, err = pgx.ForEachRow(rows, []any{&at.table, &place, &at.number, &attribute}, func() error {
		t := tables[place-1]
		fresh.seen[at.table] = true
		fresh.columns[at] = pgtap.Origin{Place: t.Place, Space: t.IDs[attribute], Field: t.Fields[attribute]}
		return nil
	})
	return fresh, err
}

// ParseTable reads the name of a table, "schema.table" or "table" (of the schema public), each as Postgres stores it.
func ParseTable(name string) (schemaName, table string, err error) {
	parts := strings.Split(name, ".")
	if len(parts) == 1 {
		parts = []string{"public", name}
	}
	if len(parts) != 2 || slices.Contains(parts, "") {
		return "", "", fmt.Errorf("table %q: want schema.table", name)
	}
	return parts[0], parts[1], nil
}
