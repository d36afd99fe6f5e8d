package graph

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/google/uuid"

	"github.com/rolltrace/rolltrace/schema"
)

// An Outline is what derivations need of a movement in its current form.
type Outline struct {
	Movement   uint32 // its number
	Org        string
	Sidecar    string
	ID         uuid.UUID
	OccurredAt int64    // microseconds since 1970
	Inputs     []string // places
	Output     string   // place, or "" for a destroy
	Mode       schema.Mode
	Removes    bool   // takes electors away from its input
	Void       bool   // retracted: no part of any answer
	Keys       uint64 // announced, at most
}

// Outlines yields the movements of which log messages in (after, upTo] brought a revision, in the form that
// they have as of upTo, in the order of OccurredAt, and then the error, if any. An outline is good until the next one.
func (l *Lineage) Outlines(ctx context.Context, after, upTo uint64) iter.Seq2[Outline, error] {
	return func(yield func(Outline, error) bool) {
		stopped := errors.New("stopped")
		err := l.outlines(ctx, after, upTo, func(o Outline) error {
			if !yield(o, nil) {
				return stopped
			}
			return nil
		})
		if err != nil && !errors.Is(err, stopped) {
			yield(Outline{}, err)
		}
	}
}

func (l *Lineage) outlines(ctx context.Context, after, upTo uint64, each func(Outline) error) error {
	// A new graph is read whole: looking for the movements first would be in vain.
	changed := ""
	if after > 0 {
		changed = "AND movement IN (SELECT movement FROM movement_revision WHERE stream_sequence > $1 AND stream_sequence <= $2)"
	}
	return query(ctx, l.conn, "read movements", func(rows driver.Rows) error {
		var o Outline
		var mode string
		var removes, void uint8
		err := rows.Scan(&o.Movement, &o.Org, &o.Sidecar, &o.ID, &o.OccurredAt, &o.Inputs, &o.Output, &mode, &removes, &void, &o.Keys)
		if err != nil {
			return err
		}
		o.Removes, o.Void = removes == 1, void == 1
		for _, known := range []schema.Mode{schema.Listed, schema.Whole, schema.Counted} { // a text for all
			if string(known) == mode {
				o.Mode = known
			}
		}
		return each(o)
	}, `SELECT movement, f.1, f.2, f.3, f.4, f.5, f.6, f.7, f.8, f.9, f.10
		FROM
		(
			SELECT movement, argMax((toString(org), toString(sidecar), id, toUnixTimestamp64Micro(occurred_at), inputs, toString(output),
				toString(mode), removes, toUInt8(outcome = 'retracted'), arraySum(set_keys)), (revision, body_hash)) AS f
			FROM movement_revision
			WHERE stream_sequence > $3 AND stream_sequence <= $2 `+changed+`
			GROUP BY movement
		)
		ORDER BY f.4`, after, upTo, uint64(0))
}

// Chunked returns the movements of which log messages in (after, upTo] brought a chunk that had not come before, in
// no order.
func (l *Lineage) Chunked(ctx context.Context, after, upTo uint64) ([]uint32, error) {
	var out []uint32
	err := query(ctx, l.conn, "read chunks", func(rows driver.Rows) error {
		var movement uint32
		err := rows.Scan(&movement)
		out = append(out, movement)
		return err
	}, `SELECT DISTINCT movement
		FROM
		(
			SELECT movement FROM chunk
			WHERE movement IN (SELECT movement FROM chunk WHERE stream_sequence > $1 AND stream_sequence <= $2) AND stream_sequence <= $2
			GROUP BY movement, `+"`set`"+`, chunk, hash HAVING min(stream_sequence) > $1
		)`, after, upTo)
	return out, err
}

// Published returns the sets that count, whatever their generation.
func (l *Lineage) Published(ctx context.Context) (map[DerivedSet]bool, error) {
	out := map[DerivedSet]bool{}
	err := query(ctx, l.conn, "read published sets", func(rows driver.Rows) error {
		var s DerivedSet
		var form string
		err := rows.Scan(&s.Movement, &form)
		s.Form = DerivedForm(form)
		out[s] = true
		return err
	}, "SELECT DISTINCT movement, toString(form) FROM derived_head")
	return out, err
}

// A LineagePosition says up to which message of a log everything that follows is published, and up to which
// the log was written into the graph.
type LineagePosition struct {
	Log     string // "" when nothing was written yet
	Derived uint64
	Written uint64
}

// Position returns where derivations, and the graph, stand. A database with the positions of two logs is ErrCorrupt.
func (l *Lineage) Position(ctx context.Context) (LineagePosition, error) {
	var out []LineagePosition
	err := query(ctx, l.conn, "read positions", func(rows driver.Rows) error {
		var p LineagePosition
		err := rows.Scan(&p.Log, &p.Derived, &p.Written)
		out = append(out, p)
		return err
	}, `SELECT log, maxIf(sequence, derived = 1), maxIf(sequence, derived = 0)
		FROM (SELECT log, sequence, 0 AS derived FROM position UNION ALL SELECT log, sequence, 1 FROM lineage_position) GROUP BY log`)
	switch {
	case err != nil:
		return LineagePosition{}, err
	case len(out) == 0:
		return LineagePosition{}, nil
	case len(out) > 1:
		return LineagePosition{}, fmt.Errorf("read positions of %d logs: %w", len(out), ErrCorrupt)
	}
	return out[0], nil
}

// Reached stores that everything that follows from the log up to the sequence is published.
func (l *Lineage) Reached(ctx context.Context, log string, sequence uint64, at schema.Time) error {
	w := Writer{conn: l.conn, timeout: l.timeout}
	err := w.insert(ctx, insert{"lineage_position", "log, sequence, written_at", 1, each([]uint64{sequence}, func(n uint64) []any {
		return []any{log, n, moment(at)}
	})})
	if err != nil {
		return fmt.Errorf("store the position of derivations: %w", explain(err))
	}
	return nil
}

// sweepSets is how many generations of sets one Sweep removes at most.
const sweepSets = 1000

// Sweep removes generations that have not counted for keep, some at a time, and returns how many. A question
// that was asked before the newer one counted may read them until then.
func (l *Lineage) Sweep(ctx context.Context, now schema.Time, keep time.Duration) (int, error) {
	var old []string
	err := query(ctx, l.conn, "look for old generations", func(rows driver.Rows) error {
		var movement uint32
		var form string
		var generation uint64
		err := rows.Scan(&movement, &form, &generation)
		old = append(old, fmt.Sprintf("(%d,%s,%d)", movement, literal(form), generation))
		return err
	}, `SELECT DISTINCT d.movement, toString(d.form), d.generation
		FROM derived AS d
		INNER JOIN
		(
			SELECT movement, form, max(h.generation) AS counts, argMax(h.published_at, h.generation) AS since
			FROM derived_head AS h GROUP BY movement, form
		) AS h ON h.movement = d.movement AND h.form = d.form
		WHERE d.generation < h.counts AND h.since < $1
		LIMIT $2`, schema.At(now.Add(-keep)).String(), sweepSets)
	if err != nil || len(old) == 0 {
		return 0, err
	}
	ctx, cancel := withTimeout(ctx, l.timeout)
	defer cancel()
	for _, table := range []string{"derived_by_bucket", "derived"} { // the one that is looked at last
		err := l.conn.Exec(ctx, "DELETE FROM "+quote(table)+" WHERE (movement, toString(form), generation) IN ("+strings.Join(old, ",")+")")
		if err != nil {
			return 0, fmt.Errorf("remove old generations: %w", explain(err))
		}
	}
	return len(old), nil
}
