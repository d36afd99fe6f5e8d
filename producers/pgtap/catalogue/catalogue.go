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
	"github.com/rolltrace/rolltrace/producers/pgtap/statement"
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
	tables     atomic.Pointer[[]Table]
	generation atomic.Uint64
	databases  sync.Map // name → *database
}

var _ pgtap.Catalogue = (*Catalogue)(nil)

type database struct {
	mu    sync.Mutex // held while the server is asked
	conn  *pgx.Conn
	stale atomic.Bool
	known atomic.Pointer[state]
}

// A state is what is known of a database's tables. It is not changed.
type state struct {
	*known
	of   *[]Table
	seen map[uint32]bool // tables, configured or not, that the server was asked about

	mu      sync.Mutex
	targets map[targetOf]*target // that were asked about since
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
	c := &Catalogue{cfg: cfg}
	c.tables.Store(&cfg.Tables)
	return c, nil
}

// Configure makes other tables those that hold electors, from the next statement on.
func (c *Catalogue) Configure(tables []Table) {
	c.tables.Store(&tables)
	c.databases.Range(func(_, of any) bool {
		of.(*database).stale.Store(true)
		return true
	})
	c.generation.Add(1)
}

// Run reads the catalogue again and again, until the context ends.
func (c *Catalogue) Run(ctx context.Context) {
	tick := time.NewTicker(c.cfg.Refresh)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			c.databases.Range(func(name, of any) bool {
				if _, err := c.load(ctx, name.(string), of.(*database), 0, true); err != nil && ctx.Err() == nil {
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
	for _, t := range *c.tables.Load() {
		if t.Database == "" || t.Database == database {
			places = append(places, t.Place)
		}
	}
	return places
}

// Trace is described at pgtap.Catalogue.
func (c *Catalogue) Trace(ctx context.Context, name string, columns []pgtap.Column, dst []pgtap.Origin) ([]pgtap.Origin, error) {
	if !slices.ContainsFunc(columns, func(col pgtap.Column) bool { return col.Table >= firstOwn }) {
		for range columns {
			dst = append(dst, pgtap.Origin{})
		}
		return dst, nil
	}
	d := c.database(name)
	now, err := c.now(ctx, name, d)
	if err != nil {
		return dst, err
	}
	for _, col := range columns {
		if col.Table >= firstOwn && !now.seen[col.Table] {
			if now, err = c.load(ctx, name, d, col.Table, true); err != nil {
				return dst, err
			}
		}
	}
	for i, col := range columns {
		switch {
		case col.Table < firstOwn:
			dst = append(dst, pgtap.Origin{})
		case !now.seen[col.Table] && len(now.all) > 0:
			// Nobody else can see it yet: what it is made of cannot be asked.
			dst = append(dst, pgtap.Origin{Place: now.all[i%len(now.all)]})
		default:
			dst = append(dst, now.columns[column{col.Table, col.Number}])
		}
	}
	return dst, nil
}

// Read is described at pgtap.Catalogue.
func (c *Catalogue) Read(ctx context.Context, s pgtap.Session, query any) (*pgtap.Reading, error) {
	q, ok := query.(*statement.Query)
	if !ok {
		return nil, fmt.Errorf("catalogue: a statement of type %T", query)
	}
	now, err := c.now(ctx, s.Database, c.database(s.Database))
	if err != nil {
		return nil, err
	}
	return now.read(s, q), nil
}

// Changed is described at pgtap.Catalogue.
func (c *Catalogue) Changed(database string) {
	d := c.database(database)
	d.stale.Store(true)
	c.generation.Add(1)
}

// now is what is known of a database, asked for when it has to be.
func (c *Catalogue) now(ctx context.Context, name string, d *database) (*state, error) {
	if now := d.known.Load(); now != nil && !d.stale.Load() {
		return now, nil
	}
	return c.load(ctx, name, d, 0, false)
}

func (c *Catalogue) database(name string) *database {
	if d, ok := c.databases.Load(name); ok {
		return d.(*database)
	}
	d, _ := c.databases.LoadOrStore(name, &database{})
	return d.(*database)
}

// load asks the server. table is one that has to be known afterwards; 0 for none. Without anew it is content with what
// somebody else has asked meanwhile.
func (c *Catalogue) load(ctx context.Context, name string, d *database, table uint32, anew bool) (*state, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	before := d.known.Load()
	if before != nil && !d.stale.Load() && (table != 0 && before.seen[table] || table == 0 && !anew) {
		return before, nil
	}
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	d.stale.Store(false) // what changes from now on makes it stale again
	after, err := c.ask(ctx, name, d, table)
	if err != nil {
		d.stale.Store(true)
		if d.conn != nil {
			_ = d.conn.Close(ctx)
			d.conn = nil
		}
		return nil, fmt.Errorf("ask the server for its tables: %w", err)
	}
	d.known.Store(after)
	if before == nil || before.known != after.known {
		c.generation.Add(1)
	}
	return after, nil
}

func (c *Catalogue) ask(ctx context.Context, name string, d *database, table uint32) (*state, error) {
	if d.conn == nil {
		conn, err := c.cfg.Connect(ctx, name)
		if err != nil {
			return nil, err
		}
		d.conn = conn
	}
	var tables []Table
	var schemas, names []string
	var places []schema.Place
	of := c.tables.Load()
	for _, t := range *of {
		if t.Database == "" || t.Database == name {
			tables, places = append(tables, t), append(places, t.Place)
			schemas, names = append(schemas, t.Schema), append(names, t.Name)
		}
	}
	f, err := gather(ctx, d.conn, schemas, names, name)
	if err != nil {
		return nil, err
	}
	before := d.known.Load()
	after := &state{of: of, seen: make(map[uint32]bool), targets: make(map[targetOf]*target)}
	if before != nil && before.of == of && before.facts.same(f) {
		after.known = before.known
	} else {
		after.known = know(f, tables, places)
	}
	if before != nil {
		maps.Copy(after.seen, before.seen)
	}
	maps.Copy(after.seen, after.oids)
	if table != 0 && !after.seen[table] {
		var there bool
		if err := d.conn.QueryRow(ctx, "SELECT EXISTS (SELECT FROM pg_catalog.pg_class WHERE oid = $1)", table).Scan(&there); err != nil {
			return nil, err
		}
		if there {
			after.seen[table] = true
		}
	}
	return after, nil
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
