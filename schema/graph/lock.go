package graph

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// ErrLocked says that somebody else was migrating the database for longer than Options.LockTimeout.
var ErrLocked = errors.New("another migration is running: wait for it to end, then run rolltrace migrate again")

// lock holds the database for one migrator until release. ClickHouse has no advisory locks, but it
// refuses a second query under the id of one that is running; a query that never ends, under an id made
// from the database's name, is held by one client at a time, and ends with it, however it ends.
func lock(ctx context.Context, conn driver.Conn, o Options) (release func(), err error) {
	id := "rolltrace-migrate-" + o.Database
	deadline := time.NewTimer(o.LockTimeout)
	defer deadline.Stop()
	for {
		release, err := hold(ctx, conn, id)
		if code(err) != codeSameQueryRunning {
			return release, err
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-deadline.C:
			return nil, fmt.Errorf("%w (waited %s)", ErrLocked, o.LockTimeout)
		case <-time.After(200 * time.Millisecond):
		}
	}
}

func hold(ctx context.Context, conn driver.Conn, id string) (func(), error) {
	ctx, cancel := context.WithCancel(ctx)
	rows, err := conn.Query(clickhouse.Context(ctx, clickhouse.WithQueryID(id), clickhouse.WithSettings(clickhouse.Settings{
		"max_block_size":     1, // a row every half second: how ClickHouse notices that we are gone
		"max_execution_time": 0,
	})), "SELECT sleepEachRow(0.5) FROM system.numbers")
	if err != nil {
		cancel()
		return nil, err
	}
	if !rows.Next() { // the first row: the query runs, and nobody else's under this id does
		err := rows.Err()
		cancel()
		rows.Close()
		return nil, err
	}
	done := make(chan struct{})
	go func() { // read on, or the server would wait for us
		defer close(done)
		for rows.Next() {
		}
	}()
	return func() {
		cancel()
		<-done
		rows.Close()
	}, nil
}
