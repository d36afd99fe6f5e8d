package graph

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/rolltrace/rolltrace/schema"
)

// A Graph answers questions. Its user needs SELECT on Readable() and on nothing else. It is safe for
// concurrent use.
//
// Every answer is a function of the movements alone: sorted, without numbers that depend on the order of
// arrival, and without the present time, so that two deliveries of one history give equal answers. What
// does depend on time, the silence of sidecars, is in the notes only.
//
// Errors: ErrUnknownPlace, ErrUnknownElector, ErrUnknownMovement, ErrMalformed, ErrNoSchema, or what ClickHouse said. When ctx
// ends the query is cancelled.
type Graph struct {
	conn driver.Conn
	now  func() time.Time
}

// Config says how a Graph answers.
type Config struct {
	// Clock tells whether a sidecar has been silent for too long. Defaults to time.Now.
	Clock func() time.Time
}

// New returns a Graph on conn, whose database is the graph's (see Open and Migrate).
func New(conn driver.Conn, c Config) *Graph {
	now := c.Clock
	if now == nil {
		now = time.Now
	}
	return &Graph{conn: conn, now: now}
}

// What a question can be answered with instead of an answer.
var (
	ErrUnknownPlace    = errors.New("no movement names this place or organisation, and no sidecar covers it")
	ErrUnknownElector  = errors.New("no movement carried this elector; check the identifier, its id space and the key file")
	ErrUnknownMovement = errors.New("no movement has this id")
	ErrMalformed       = errors.New("malformed question")
)

// DefaultLimit is how many items a list has when no limit is asked for.
const DefaultLimit = 1000

// An Answer is what every answer begins with.
type Answer struct {
	AsOf     schema.Time `json:"as_of"`    // "" when all that is known was asked for
	Complete bool        `json:"complete"` // false: a note says what could change the answer
	Notes    []Note      `json:"notes"`    // in the order of their codes below; never null
}

// A Count is a number of electors of one kind. Electors of different id spaces, or under different secrets,
// may be the same people, so that counts are never added up.
type Count struct {
	IDSpace  schema.IDSpace `json:"id_space"`
	KeyID    schema.KeyID   `json:"key_id"`
	Electors uint64         `json:"electors"`
}

// An Elector of an answer is an elector key in hex, with what it is a key of.
type ElectorKey struct {
	IDSpace schema.IDSpace `json:"id_space"`
	KeyID   schema.KeyID   `json:"key_id"`
	Key     string         `json:"key"` // 16 hex digits
}

// checkAt says whether at is a place or an organisation.
func checkAt(at string) error {
	if strings.Contains(at, "/") {
		if _, err := schema.ParsePlace(at); err != nil {
			return fmt.Errorf("%w: %w", ErrMalformed, err)
		}
		return nil
	}
	if !schema.ValidOrg(at) {
		return fmt.Errorf("%w: place %q: want org/system/dataset, or an organisation", ErrMalformed, at)
	}
	return nil
}

// matches says whether place is at, or one of the organisation at.
func matches(at, place string) bool {
	return place == at || strings.HasPrefix(place, at+"/")
}

// orgOf is the organisation that owns a place.
func orgOf(place string) string {
	org, _, _ := strings.Cut(place, "/")
	return org
}

// spaces returns what each number of an id space and secret stands for, as Counts of nobody.
func (g *Graph) spaces(ctx context.Context) (map[uint16]Count, error) {
	out := map[uint16]Count{}
	err := g.ask(ctx, "read id spaces", func(rows driver.Rows) error {
		var space uint16
		var idSpace, keyID string
		err := rows.Scan(&space, &idSpace, &keyID)
		out[space] = Count{IDSpace: schema.IDSpace(idSpace), KeyID: schema.KeyID(keyID)}
		return err
	}, "SELECT space, id_space, key_id FROM internal_space")
	return out, err
}

// ask runs a question on a view and hands each row to scan.
func (g *Graph) ask(ctx context.Context, doing string, scan func(driver.Rows) error, sql string, args ...any) error {
	return query(ctx, g.conn, doing, scan, sql, args...)
}

// bound is the limit to use for the one asked for: 0 means DefaultLimit, less than 0 none.
func bound(limit int) int {
	if limit < 0 {
		return 1 << 31
	}
	return cmp.Or(limit, DefaultLimit)
}

// at is a time as it comes from ClickHouse.
func at(t time.Time) schema.Time { return schema.At(t) }

// atOrZero is the zero Time for NULL.
func atOrZero(t *time.Time) schema.Time {
	if t == nil {
		return schema.Time{}
	}
	return schema.At(*t)
}
