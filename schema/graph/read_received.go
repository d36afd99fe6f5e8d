package graph

import (
	"context"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/rolltrace/rolltrace/schema"
)

// ReceivedAt returns when the hub received the log message with this sequence, as the tables have it; zero if
// they do not have the message. A consumer tells by it whether the log at the hub is still the one that was read.
func (r *Reader) ReceivedAt(ctx context.Context, sequence uint64) (schema.Time, error) {
	var at schema.Time
	err := r.each(ctx, "read when a message was received", func(rows driver.Rows) error {
		if err := rows.Scan(&at.Time); err != nil {
			return err
		}
		at = schema.At(at.Time)
		return nil
	}, `SELECT received_at FROM message WHERE stream_sequence = $1 LIMIT 1
		UNION DISTINCT SELECT received_at FROM rejected WHERE stream_sequence = $1 LIMIT 1`, sequence)
	return at, err
}
