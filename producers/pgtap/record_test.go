package pgtap_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/rolltrace/rolltrace/producers/outbox"
	"github.com/rolltrace/rolltrace/producers/pgtap"
	"github.com/rolltrace/rolltrace/producers/pgtap/catalogue"
	"github.com/rolltrace/rolltrace/producers/pgtap/statement"
	"github.com/rolltrace/rolltrace/producers/pseudonym"
	"github.com/rolltrace/rolltrace/schema"
	"github.com/rolltrace/rolltrace/schema/wire"
)

var secret = pseudonym.NewSecret()

// parser is shared by all tests: the grammar is loaded once.
var parser = statement.NewParser()

const voters schema.Place = "party-a/crm/voters"

// roll is the table that the tests' electors are in.
const roll = `
CREATE TABLE voters (id bigint PRIMARY KEY, name text, email text, poll int, note bytea);
INSERT INTO voters SELECT i, 'invented ' || i, 'v' || i || '@example.org', i % 7, NULL FROM generate_series(1, 1000) i;
CREATE TABLE other (id bigint PRIMARY KEY, name text);
INSERT INTO other SELECT i, 'other ' || i FROM generate_series(1, 1000) i;
`

// recording makes a tap record what leaves the table voters of a database.
func recording(b *bench, change func(*pgtap.Config)) func(*pgtap.Config) {
	return func(cfg *pgtap.Config) {
		c, err := catalogue.New(catalogue.Config{
			Connect: func(ctx context.Context, database string) (*pgx.Conn, error) {
				return pgx.Connect(ctx, b.server.URL(database))
			},
			Tables: []catalogue.Table{{
				Schema: "public", Name: "voters", Place: voters,
				IDs:    map[string]schema.IDSpace{"id": schema.ElectorID, "email": "email"},
				Fields: map[string]string{"name": "name", "email": "email"},
			}},
		})
		if err != nil {
			b.t.Fatal(err)
		}
		cfg.Catalogue, cfg.Analyst = c, parser
		cfg.Keyer = func(space schema.IDSpace) pgtap.Keyer { return secret.Space(space) }
		cfg.KeyID = secret.KeyID()
		cfg.Route = func(who pgtap.Client) pgtap.Route {
			return pgtap.Route{Output: "party-a/reports/" + schema.Place(strings.ToLower(or(who.Application, "none"))), Kind: schema.Export}
		}
		if change != nil {
			change(cfg)
		}
	}
}

func or(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

// newRecordingBench is a tap before a database of its own with the roll in it.
func newRecordingBench(t testing.TB, change func(*pgtap.Config)) (b *bench, database string) {
	b = newBench(t, func(cfg *pgtap.Config) {})
	b.stop()
	database = b.server.Database(t)
	b.server.Run(t, database, roll)
	b.start(recording(b, change))
	return b, database
}

// A record is what an outbox holds.
type record struct {
	movements map[string]*schema.Movement // the newest revision of each
	keys      map[string]map[schema.IDSpace][]schema.Key
	gaps      []*wire.Gap
}

// read reads what an outbox holds.
func read(t testing.TB, o *outbox.Outbox) *record {
	t.Helper()
	r := &record{movements: map[string]*schema.Movement{}, keys: map[string]map[schema.IDSpace][]schema.Key{}}
	waiting := o.Depth().Messages
	for position := uint64(0); waiting > 0; {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		batch, err := o.Read(ctx, position)
		cancel()
		if err != nil {
			t.Fatal(err)
		}
		position = batch.Position
		for _, m := range batch.Messages {
			waiting--
			r.take(t, m)
		}
	}
	return r
}

func (r *record) take(t testing.TB, m wire.Message) {
	t.Helper()
	decoded, err := wire.Decode(m.Subject, m.Header, m.Body)
	if err != nil {
		t.Fatal(err)
	}
	switch {
	case decoded.Movement != nil:
		d := decoded.Movement
		if have := r.movements[d.ID]; have == nil || have.Revision < d.Revision {
			r.movements[d.ID] = d
		}
	case decoded.Chunk != nil:
		d := decoded.Chunk
		if r.keys[d.Movement] == nil {
			r.keys[d.Movement] = map[schema.IDSpace][]schema.Key{}
		}
		r.keys[d.Movement][d.IDSpace] = append(r.keys[d.Movement][d.IDSpace], d.Keys...)
	case decoded.Gap != nil:
		r.gaps = append(r.gaps, decoded.Gap)
	}
}

// to are the movements to a place.
func (r *record) to(place schema.Place) []*schema.Movement {
	var found []*schema.Movement
	for _, id := range slices.Sorted(maps.Keys(r.movements)) {
		if m := r.movements[id]; m.Output == place {
			found = append(found, m)
		}
	}
	return found
}

// electors are all keys of an id space that went to a place, each once, sorted.
func (r *record) electors(place schema.Place, space schema.IDSpace) []schema.Key {
	set := map[schema.Key]bool{}
	for _, m := range r.to(place) {
		for _, k := range r.keys[m.ID][space] {
			set[k] = true
		}
	}
	return slices.Sorted(maps.Keys(set))
}

// keysOf are the keys of identifiers, sorted.
func keysOf(space schema.IDSpace, ids ...string) []schema.Key {
	p := secret.Space(space)
	set := map[schema.Key]bool{}
	for _, id := range ids {
		if k, ok := p.Key([]byte(id)); ok {
			set[k] = true
		}
	}
	return slices.Sorted(maps.Keys(set))
}

// series are the numbers from first to last as identifiers.
func series(first, last int) []string {
	var ids []string
	for i := first; i <= last; i++ {
		ids = append(ids, fmt.Sprint(i))
	}
	return ids
}

func (b *bench) as(database, application string) *pgx.Conn {
	b.t.Helper()
	return connect(b.t, b.url(database)+"&application_name="+application)
}

// What a client reads of a configured table is recorded, in text and binary, in every way of asking; nothing else is.
func TestReadsAreRecorded(t *testing.T) {
	b, database := newRecordingBench(t, nil)
	cases := map[string]struct {
		run    func(ctx context.Context, c *pgx.Conn) error
		ids    []string
		emails []string
	}{
		"simple": {run: func(ctx context.Context, c *pgx.Conn) error {
			_, err := c.PgConn().Exec(ctx, "SELECT name, id FROM voters WHERE id <= 10 ORDER BY id").ReadAll()
			return err
		}, ids: series(1, 10)},
		"binary": {run: func(ctx context.Context, c *pgx.Conn) error {
			rows, err := c.Query(ctx, "SELECT id, email FROM voters WHERE id BETWEEN $1 AND $2", 11, 13)
			if err == nil {
				rows.Close()
				err = rows.Err()
			}
			return err
		}, ids: series(11, 13), emails: []string{"v11@example.org", "v12@example.org", "v13@example.org"}},
		"several": {run: func(ctx context.Context, c *pgx.Conn) error {
			_, err := c.PgConn().Exec(ctx, "SELECT id FROM voters WHERE id = 20; SELECT id FROM other; SELECT v.email, o.id FROM voters v JOIN other o USING (id) WHERE id = 21").ReadAll()
			return err
		}, ids: series(20, 20), emails: []string{"v21@example.org"}},
		"cursor": {run: func(ctx context.Context, c *pgx.Conn) error {
			_, err := c.PgConn().Exec(ctx, "BEGIN; DECLARE c CURSOR FOR SELECT * FROM voters ORDER BY id; FETCH 3 FROM c; MOVE 5 FROM c; FETCH 1 FROM c; ROLLBACK").ReadAll()
			return err
		}, ids: []string{"1", "2", "3", "9"}, emails: []string{"v1@example.org", "v2@example.org", "v3@example.org", "v9@example.org"}},
		"renamed": {run: func(ctx context.Context, c *pgx.Conn) error {
			_, err := c.PgConn().Exec(ctx, "BEGIN; ALTER TABLE voters RENAME TO elsewhere; SELECT id AS x FROM elsewhere WHERE id = 30; ROLLBACK").ReadAll()
			return err
		}, ids: series(30, 30)},
		"failed": {run: func(ctx context.Context, c *pgx.Conn) error {
			_, err := c.PgConn().Exec(ctx, "SELECT id, 1 / (id - 45) FROM voters WHERE id BETWEEN 40 AND 50").ReadAll()
			if err == nil {
				return fmt.Errorf("no error")
			}
			return nil
		}, ids: series(40, 44)},
		"whole": {run: func(ctx context.Context, c *pgx.Conn) error {
			_, err := c.PgConn().Exec(ctx, "SELECT id, repeat(name, 50) FROM voters").ReadAll()
			return err
		}, ids: series(1, 1000)},
		"nothing": {run: func(ctx context.Context, c *pgx.Conn) error {
			_, err := c.PgConn().Exec(ctx, "SELECT * FROM other; SELECT * FROM voters WHERE false").ReadAll()
			return err
		}},
	}
	var all sync.WaitGroup
	for name, c := range cases {
		conn := b.as(database, name)
		all.Go(func() {
			if err := c.run(t.Context(), conn); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		})
	}
	all.Wait()
	b.stop()
	r := read(t, b.outbox)
	for name, c := range cases {
		place := schema.Place("party-a/reports/" + name)
		if have := r.electors(place, schema.ElectorID); !slices.Equal(have, keysOf(schema.ElectorID, c.ids...)) {
			t.Errorf("%s: %d electors by id, want %d", name, len(have), len(c.ids))
		}
		if have := r.electors(place, "email"); len(c.emails) > 0 && !slices.Equal(have, keysOf("email", c.emails...)) {
			t.Errorf("%s: %d electors by email, want %d", name, len(have), len(c.emails))
		}
		for _, m := range r.to(place) {
			if m.State != schema.Closed || m.Inputs[0].Place != voters || m.Kind != schema.Export || m.RecordedBy.User != "postgres" || m.RecordedBy.Host != "127.0.0.1" {
				t.Errorf("%s: %+v", name, m)
			}
		}
	}
	if m := r.to("party-a/reports/nothing"); len(m) != 0 {
		t.Errorf("of nothing: %+v", m)
	}
}

// Small results to one place are one movement; a result without identifiers is counted.
func TestSmallResultsAreSummedUp(t *testing.T) {
	b, database := newRecordingBench(t, nil)
	conn := b.as(database, "sum")
	for i := range 50 {
		var id int64
		if err := conn.QueryRow(t.Context(), "SELECT id FROM voters WHERE id = $1", i%20+1).Scan(&id); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := conn.PgConn().Exec(t.Context(), "SELECT name FROM voters WHERE id <= 7").ReadAll(); err != nil {
		t.Fatal(err)
	}
	b.stop()
	r := read(t, b.outbox)
	movements := r.to("party-a/reports/sum")
	if len(movements) != 2 {
		t.Fatalf("%d movements", len(movements))
	}
	slices.SortFunc(movements, func(x, y *schema.Movement) int {
		return strings.Compare(string(y.Electors.Mode), string(x.Electors.Mode))
	})
	if e := movements[0].Electors; e.Mode != schema.Listed || e.Records != 50 || len(e.Sets) != 1 || e.Sets[0].Keys != 20 || e.Sets[0].Unkeyed != 0 {
		t.Errorf("listed: %+v", e)
	}
	if e := movements[1].Electors; e.Mode != schema.Counted || e.Records != 7 {
		t.Errorf("counted: %+v", e)
	}
	if !slices.Equal(movements[1].Fields, []string{"name"}) {
		t.Errorf("fields: %v", movements[1].Fields)
	}
}

// A large result is a movement of its own, and rows that are larger than any buffer go through with bounded memory.
func TestLargeResults(t *testing.T) {
	b, database := newRecordingBench(t, nil)
	b.server.Run(t, database, "INSERT INTO voters SELECT i, repeat('x', 40), NULL, 0, NULL FROM generate_series(1001, 300000) i; INSERT INTO voters SELECT i, NULL, NULL, 0, convert_to(repeat('y', 30000000), 'UTF8') FROM generate_series(300001, 300002) i")
	sum := func(conn *pgconn.PgConn, sql string) (rows, bytes int) {
		t.Helper()
		results := conn.Exec(t.Context(), sql)
		for results.NextResult() {
			reader := results.ResultReader()
			for reader.NextRow() {
				rows++
				for _, v := range reader.Values() {
					bytes += len(v)
				}
			}
		}
		if err := results.Close(); err != nil {
			t.Fatal(err)
		}
		return rows, bytes
	}
	const sql = "SELECT id, name, note FROM voters ORDER BY id; SELECT note, id FROM voters WHERE id > 300000; SELECT 1"
	wantRows, wantBytes := sum(connect(t, b.server.URL(database)).PgConn(), sql)
	rows, bytes := sum(b.as(database, "large").PgConn(), sql)
	if rows != wantRows || bytes != wantBytes {
		t.Errorf("%d rows of %d bytes came, want %d of %d", rows, bytes, wantRows, wantBytes)
	}
	b.stop()
	r := read(t, b.outbox)
	movements := r.to("party-a/reports/large")
	if len(movements) != 2 || movements[0].Outcome != schema.Completed || movements[0].Electors.Records != 300_002 || movements[1].Electors.Records != 2 {
		t.Errorf("%d movements: %+v", len(movements), movements)
	}
	if have := r.electors("party-a/reports/large", schema.ElectorID); !slices.Equal(have, keysOf(schema.ElectorID, series(1, 300_002)...)) {
		t.Errorf("%d electors", len(have))
	}
}

// A client that goes in the middle of a large result, or a server that does, leaves a movement that has failed.
func TestInterrupted(t *testing.T) {
	b, database := newRecordingBench(t, nil)
	b.server.Run(t, database, "INSERT INTO voters SELECT i, repeat('x', 400), NULL, 0, NULL FROM generate_series(1001, 200000) i")
	for _, who := range []string{"client", "server"} {
		conn := b.as(database, who)
		results := conn.PgConn().Exec(t.Context(), "SELECT id, name FROM voters ORDER BY id")
		if !results.NextResult() || !results.ResultReader().NextRow() {
			t.Fatal("no row")
		}
		if who == "client" {
			_ = conn.PgConn().Conn().Close()
			continue
		}
		b.server.Run(t, "postgres", "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'server'")
		for results.ResultReader().NextRow() {
		}
		if _, err := results.ResultReader().Close(); err == nil {
			t.Error("the server was not ended")
		}
	}
	b.stop()
	r := read(t, b.outbox)
	for _, who := range []string{"client", "server"} {
		m := r.to(schema.Place("party-a/reports/" + who))
		if len(m) != 1 || m[0].State != schema.Closed || m[0].Outcome != schema.Failed || m[0].Electors.Records == 0 {
			t.Errorf("%s: %+v", who, m)
		}
	}
}
