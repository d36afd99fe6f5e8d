package graph

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"golang.org/x/sync/errgroup"

	"github.com/rolltrace/rolltrace/schema"
)

// A Writer writes batches of the log into the graph. It is safe for concurrent use; batches that are
// written at once may become visible in any order, so that a consumer writes them one after another.
type Writer struct {
	conn    driver.Conn
	timeout time.Duration
}

// WriterConfig says how a Writer writes.
type WriterConfig struct {
	// Timeout bounds each INSERT, its sync to disk included. Defaults to two minutes.
	Timeout time.Duration
}

// NewWriter returns a Writer on conn, whose database is the graph's (see Open and Migrate).
func NewWriter(conn driver.Conn, c WriterConfig) *Writer {
	return &Writer{conn: conn, timeout: cmp.Or(c.Timeout, 2*time.Minute)}
}

// Write stores the batch, and returns when ClickHouse has synced all of it. Order: numbers of electors
// first, so that no set holds a number without a key, or an invented one that nobody knows to be; then everything else; then the chunks' ledger, so that a
// chunk is only counted when its electors are there; and after all of that the position.
//
// On an error, or when ctx ends, any part of the batch may have been stored, or may be stored a moment
// later, but not its position, unless the error is that of the position itself: write the same batch
// again, or read on from Reader.Position. Either changes no answer.
func (w *Writer) Write(ctx context.Context, b *Batch) error {
	stages := [][]insert{
		{spaces(b.Spaces), electors(b.Electors), seeds(b.Seeds)},
		append(runs(b.Runs), rows(b.Rows), movementNumbers(b.Movements), revisions(b.Revisions),
			messages(b.Messages), heartbeats(b.Beats), gaps(b.Gaps), rejections(b.Rejected), registries(b.Registries), rulings(b.Rulings)),
		{chunks(b.Chunks)},
		{position(b.Position)},
	}
	for _, stage := range stages {
		if err := w.stage(ctx, stage); err != nil {
			return err
		}
	}
	return nil
}

// stage runs independent inserts at once: most of their time is ClickHouse syncing.
func (w *Writer) stage(ctx context.Context, stage []insert) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(8)
	for _, in := range stage {
		if in.rows == 0 {
			continue
		}
		group.Go(func() error {
			if err := w.insert(ctx, in); err != nil {
				return fmt.Errorf("insert into %s: %w", in.table, explain(err))
			}
			return nil
		})
	}
	return group.Wait()
}

// An insert is the rows of one INSERT statement.
type insert struct {
	table   string
	columns string
	rows    int
	// fill appends rows [from, to) to the block.
	fill func(block driver.Batch, from, to int) error
}

// blockRows is how many rows travel in one block of the native protocol: enough to fill ClickHouse's own
// pipeline, few enough that the copy of a block is small.
const blockRows = 1 << 18

func (w *Writer) insert(ctx context.Context, in insert) error {
	ctx, cancel := withTimeout(ctx, w.timeout)
	defer cancel()
	ctx = clickhouse.Context(ctx, clickhouse.WithSettings(clickhouse.Settings{
		"async_insert":       0, // acknowledged means written
		"insert_deduplicate": 0, // readers unite; a block that looks like an old one is not to be dropped
		"insert_quorum":      0,
	}))
	batch, err := w.conn.PrepareBatch(ctx, "INSERT INTO "+quote(in.table)+" ("+in.columns+")")
	if err != nil {
		return err
	}
	for from := 0; from < in.rows; from += blockRows {
		if from > 0 {
			if err := batch.Flush(); err != nil {
				_ = batch.Abort() // the first error says it
				return err
			}
		}
		if err := in.fill(batch, from, min(from+blockRows, in.rows)); err != nil {
			_ = batch.Abort()
			return err
		}
	}
	return batch.Send()
}

// each fills a block row by row: for tables of few, wide rows.
func each[T any](items []T, row func(T) []any) func(driver.Batch, int, int) error {
	return func(block driver.Batch, from, to int) error {
		for _, item := range items[from:to] {
			if err := block.Append(row(item)...); err != nil {
				return err
			}
		}
		return nil
	}
}

// column fills one column of a block: for tables of many, narrow rows.
func column[T, V any](block driver.Batch, at int, items []T, value func(T) V) error {
	values := make([]V, len(items))
	for i, item := range items {
		values[i] = value(item)
	}
	return block.Column(at).Append(values)
}

// all runs the fillers of a block's columns until one fails.
func all(errs ...func() error) error {
	for _, fill := range errs {
		if err := fill(); err != nil {
			return err
		}
	}
	return nil
}

func moment(t schema.Time) time.Time { return t.Time }

// momentOrNull is NULL for the zero Time, which a DateTime64 cannot say.
func momentOrNull(t schema.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.Time
}

func flag(b bool) uint8 {
	if b {
		return 1
	}
	return 0
}

func texts[T ~string](items []T) []string {
	out := make([]string, len(items))
	for i, item := range items {
		out[i] = string(item)
	}
	return out
}
