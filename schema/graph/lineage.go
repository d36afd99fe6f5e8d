package graph

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/ext"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/rolltrace/rolltrace/schema"
)

// A Lineage keeps the sets that are derived from others: what whole movements carried, and what places held
// just after a movement. It works them out in ClickHouse, on bitmaps; which of them, and from which, its
// caller decides (consumers/lineage). It is safe for concurrent use.
type Lineage struct {
	conn    driver.Conn
	timeout time.Duration
}

// NewLineage returns a Lineage on conn, whose database is the graph's (see Open and Migrate).
func NewLineage(conn driver.Conn, c WriterConfig) *Lineage {
	return &Lineage{conn: conn, timeout: cmp.Or(c.Timeout, 2*time.Minute)}
}

// A DerivedForm says which of the two sets of a movement is meant.
type DerivedForm string

// The forms of derived sets.
const (
	Carried DerivedForm = "S"    // what a whole movement carried
	Kept    DerivedForm = "kept" // what the movement's place (the input of a destroy, otherwise the output) held just after it
)

// A DerivedSet names one.
type DerivedSet struct {
	Movement uint32 // its number
	Form     DerivedForm
}

// A Term is one set that another is derived from.
type Term struct {
	Movement uint32
	Form     DerivedForm // "" for the electors that the movement listed
	Takes    bool        // taken away from what the other terms add
	Own      bool        // derived in the same generation, before; otherwise the published one is meant
}

// A Derivation says how a set is derived: all that its terms add, less all that they take away. Without
// terms the set is empty.
type Derivation struct {
	DerivedSet
	Terms []Term
}

// attemptBits is how much of a generation tells attempts at one log message apart.
const attemptBits = 20

// MaxAttempt bounds attempts: two that differ do not see each other's rows.
const MaxAttempt = 1<<attemptBits - 1

// A Generation says what derived sets take into account: the log up to a message. A greater one counts more.
type Generation uint64

// NewGeneration is the attempt (at most MaxAttempt) at deriving what follows from the log up to the sequence.
func NewGeneration(sequence uint64, attempt uint32) Generation {
	return Generation(sequence<<attemptBits | uint64(attempt&MaxAttempt))
}

// The statement that derives sets: of a generation, from terms.
const deriveSQL = `INSERT INTO derived (movement, form, generation, space, bucket, electors)
SELECT target, target_form, %d, space, bucket, bitmapAndnot(adds, takes) AS electors
FROM
(
    SELECT t.target AS target, t.target_form AS target_form, s.space AS space, s.bucket AS bucket,
        groupBitmapMergeStateIf(s.electors, t.takes = 0) AS adds, groupBitmapMergeStateIf(s.electors, t.takes = 1) AS takes
    FROM (%s) AS s
    INNER JOIN term AS t ON t.movement = s.movement AND t.form = s.form
    GROUP BY target, target_form, space, bucket
)
WHERE bitmapCardinality(electors) > 0`

// Where terms are: listed, and derived. What a statement does not need ClickHouse does not plan.
const (
	listedSQL = `
        SELECT movement, '' AS form, space, bucket, electors
        FROM listed
        WHERE digest = 0 AND movement IN (SELECT movement FROM term WHERE form = '')
        UNION ALL
        SELECT movement, '' AS form, space, toUInt16(bitShiftRight(number, 16)) AS bucket, groupBitmapState(number) AS electors
        FROM listed ARRAY JOIN numbers AS number
        WHERE movement IN (SELECT movement FROM term WHERE form = '')
        GROUP BY movement, space, bucket`
	derivedSQL = `
        SELECT movement, toString(form) AS form, space, bucket, electors
        FROM derived
        WHERE movement IN (SELECT movement FROM term WHERE form != '') AND (movement, toString(form), generation) IN
        (
            SELECT movement, form, toUInt64(%d) FROM term WHERE form != '' AND own = 1
            UNION ALL
            SELECT movement, toString(form), max(generation) FROM derived_head
            WHERE movement IN (SELECT movement FROM term WHERE own = 0) AND (movement, toString(form)) IN (SELECT movement, form FROM term WHERE own = 0)
            GROUP BY movement, form
        )`
)

// Derive works out sets that do not depend on each other, and stores them under the generation. They count
// when Publish says so, and not before. After an error any part of them may have been stored: the next
// attempt wants another generation.
func (l *Lineage) Derive(ctx context.Context, g Generation, derivations []Derivation) error {
	terms, err := ext.NewTable("term",
		ext.Column("target", "UInt32"), ext.Column("target_form", "String"),
		ext.Column("movement", "UInt32"), ext.Column("form", "String"), ext.Column("takes", "UInt8"), ext.Column("own", "UInt8"))
	if err != nil {
		return fmt.Errorf("derive sets: %w", err)
	}
	var from []string
	listed, derived := false, false
	for _, d := range derivations {
		for _, t := range d.Terms {
			if err := terms.Append(d.Movement, string(d.Form), t.Movement, string(t.Form), flag(t.Takes), flag(t.Own)); err != nil {
				return fmt.Errorf("derive sets: %w", err)
			}
			listed, derived = listed || t.Form == "", derived || t.Form != ""
		}
	}
	if listed {
		from = append(from, listedSQL)
	}
	if derived {
		from = append(from, fmt.Sprintf(derivedSQL, uint64(g)))
	}
	if len(from) == 0 {
		return nil
	}
	ctx, cancel := withTimeout(ctx, l.timeout)
	defer cancel()
	ctx = clickhouse.Context(ctx, clickhouse.WithExternalTable(terms), clickhouse.WithSettings(clickhouse.Settings{
		"async_insert": 0, "insert_deduplicate": 0, "insert_quorum": 0,
		"max_execution_time": 0, // its own: ctx bounds it
	}))
	if err := l.conn.Exec(ctx, fmt.Sprintf(deriveSQL, uint64(g), strings.Join(from, "\n        UNION ALL"))); err != nil {
		return fmt.Errorf("derive sets: %w", explain(err))
	}
	return nil
}

// Publish makes the sets of a generation count, all of them at the same moment. at is when, by the caller's
// clock: Sweep waits for a while after it.
func (l *Lineage) Publish(ctx context.Context, g Generation, sets []DerivedSet, at schema.Time) error {
	if len(sets) > maxPublished {
		return errors.New("publish sets: more at once than one insert can bring")
	}
	w := Writer{conn: l.conn, timeout: l.timeout}
	err := w.insert(ctx, insert{"derived_head", "movement, form, generation, published_at", len(sets), each(sets, func(s DerivedSet) []any {
		return []any{s.Movement, string(s.Form), uint64(g), moment(at)}
	})})
	if err != nil {
		return fmt.Errorf("publish sets: %w", explain(err))
	}
	return nil
}

// maxPublished is how many rows ClickHouse takes as one block, which becomes visible at once.
const maxPublished = 1 << 20
