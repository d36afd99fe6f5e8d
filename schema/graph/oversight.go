package graph

import (
	"context"
	"strings"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"golang.org/x/sync/errgroup"

	"github.com/rolltrace/rolltrace/schema"
	"github.com/rolltrace/rolltrace/schema/registry"
)

// An Oversight is what the rules of a policy look at, as of a time: movements, what is known about them, the registry, and
// how the recording itself is doing.
type Oversight struct {
	AsOf      schema.Time
	Log       string // identity of the log; "" when nothing was read yet
	Position  uint64 // of the log: what follows from everything up to there is in it
	Registry  []registry.Version
	Movements []MovementCount // in order; those that were retracted, and exercises, are left out
	Known     []Count         // all electors that are known
	Missing   map[MovementRef]uint64
	Used      map[MovementRef]UsedAfterDestruction
	Sidecars  []Sidecar
	Gaps      []ReportedGap
	Holes     []Hole
}

// A UsedAfterDestruction says how much of a movement had been destroyed before.
type UsedAfterDestruction struct {
	Places   []string // that it took them from
	Electors uint64   // of the id space with the most
}

// Oversight reads everything. It is as large as the list of movements.
func (g *Graph) Oversight(ctx context.Context, asOf schema.Time) (*Oversight, error) {
	o := &Oversight{AsOf: asOf, Missing: map[MovementRef]uint64{}, Used: map[MovementRef]UsedAfterDestruction{}}
	if err := g.readPosition(ctx, o); err != nil { // first: what is written meanwhile is in the next one too
		return nil, err
	}
	group, ctx := errgroup.WithContext(ctx)
	for _, read := range []func(context.Context, *Oversight) error{ // each fills fields of its own
		g.readRegistry, g.readMovements, g.readKnown, g.readMissing, g.readUsed, g.readRecording,
	} {
		group.Go(func() error { return read(ctx, o) })
	}
	return o, group.Wait()
}

func (g *Graph) readPosition(ctx context.Context, o *Oversight) error {
	logs, err := g.Progress(ctx)
	if len(logs) > 0 {
		o.Log, o.Position = logs[0].Log, min(logs[0].Sequence, logs[0].Derived)
	}
	return err
}

func (g *Graph) readRegistry(ctx context.Context, o *Oversight) (err error) {
	o.Registry, err = registryVersions(ctx, g.conn)
	return err
}

func (g *Graph) readMovements(ctx context.Context, o *Oversight) error {
	all, err := g.Movements(ctx, MovementQuestion{Until: o.AsOf, Limit: -1})
	if err != nil {
		return err
	}
	for _, m := range all.Movements {
		if m.Outcome != schema.Retracted {
			o.Movements = append(o.Movements, m)
		}
	}
	return nil
}

func (g *Graph) readKnown(ctx context.Context, o *Oversight) error {
	spaces, err := g.spaces(ctx)
	if err != nil {
		return err
	}
	return g.ask(ctx, "count the electors that are known", func(rows driver.Rows) error {
		var space uint16
		var n uint64
		err := rows.Scan(&space, &n)
		known := spaces[space]
		known.Electors = n
		o.Known = append(o.Known, known)
		return err
	}, "SELECT space, toUInt64(groupBitmap(number)) FROM internal_number WHERE number NOT IN (SELECT number FROM internal_seed) GROUP BY space ORDER BY space")
}

func (g *Graph) readMissing(ctx context.Context, o *Oversight) error {
	return g.ask(ctx, "look for missing chunks", func(rows driver.Rows) error {
		var ref MovementRef
		var n uint64
		err := rows.Scan(&ref.Org, &ref.Sidecar, &ref.ID, &n)
		o.Missing[ref] = n
		return err
	}, "SELECT org, sidecar, id, count FROM coverage_as_of(as_of = $1) WHERE code = 'chunks_missing'", o.AsOf.String())
}

func (g *Graph) readUsed(ctx context.Context, o *Oversight) error {
	return g.ask(ctx, "look for what was used after its destruction", func(rows driver.Rows) error {
		var ref MovementRef
		var u UsedAfterDestruction
		err := rows.Scan(&ref.Org, &ref.Sidecar, &ref.ID, &u.Places, &u.Electors)
		o.Used[ref] = u
		return err
	}, `SELECT org, sidecar, id, arraySort(groupUniqArray(place)), max(electors)
		FROM used_after_destruction_as_of(at = '', as_of = $1) GROUP BY org, sidecar, id`, o.AsOf.String())
}

func (g *Graph) readRecording(ctx context.Context, o *Oversight) (err error) {
	if o.Sidecars, err = g.Sidecars(ctx); err != nil {
		return err
	}
	if o.Gaps, err = g.Gaps(ctx); err != nil {
		return err
	}
	o.Holes, err = g.Holes(ctx)
	return err
}

// A Left is what an organisation still holds of what it received under an agreement.
type Left struct {
	Place    string
	Electors uint64 // of the id space with the most
}

// Left returns which of the organisation's places hold electors that entered it under the agreement, as of a time, and
// that have not entered it otherwise too: from another organisation, under none of the agreements in over.
func (g *Graph) Left(ctx context.Context, agreement, org string, over []string, asOf schema.Time) ([]Left, error) {
	left := []Left{}
	err := g.ask(ctx, "look for what is left of what was received", func(rows driver.Rows) error {
		var l Left
		err := rows.Scan(&l.Place, &l.Electors)
		left = append(left, l)
		return err
	}, strings.ReplaceAll(`SELECT place, max(n) AS electors
		FROM
		(
			SELECT h.place AS place, h.id_space AS id_space, h.key_id AS key_id, toUInt64(sum(bitmapAndCardinality(h.electors, bitmapAndnot(u.under, u.otherwise)))) AS n
			FROM holding_as_of(at = $2, as_of = $4) AS h
			INNER JOIN
			(
				SELECT k.id_space AS id_space, k.key_id AS key_id, s.bucket AS bucket,
					groupBitmapMergeStateIf(s.electors, m.agreement = $1) AS under, groupBitmapMergeStateIf(s.electors, m.agreement NOT IN (splitByChar(',', $3))) AS otherwise
				FROM internal_set AS s
				INNER JOIN (ENTRIES) AS m ON m.movement = s.movement AND m.mode = s.mode
				INNER JOIN internal_space AS k ON k.space = s.space
				WHERE s.movement IN (SELECT movement FROM (ENTRIES))
				GROUP BY id_space, key_id, bucket
			) AS u ON u.id_space = h.id_space AND u.key_id = h.key_id AND u.bucket = h.bucket
			GROUP BY place, id_space, key_id
		)
		GROUP BY place HAVING electors > 0 ORDER BY place`, "ENTRIES", `SELECT movement, mode, agreement FROM internal_listing
			WHERE output_org = $2 AND NOT has(input_orgs, $2) AND outcome != 'retracted' AND occurred_at <= parseDateTime64BestEffort($4, 6, 'UTC')`),
		agreement, org, strings.Join(over, ","), asOf.String())
	return left, err
}
