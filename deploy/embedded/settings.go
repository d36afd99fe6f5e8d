package embedded

import (
	"context"
	"errors"
	"fmt"

	"github.com/rs/zerolog"
)

// StartSettings runs the ClickHouse that StartClickHouse would choose on settings that were written for a
// server: config.xml and users.xml in dir, with what stands in config.d/ and users.d/ beside them. It is
// for trying those settings; data goes to dir/data. It returns when answers returns nil; an end before
// that, or that of ctx, is an error, and leaves nothing running. For the npm library it adds
// users.d/library.xml and start.sql.
func StartSettings(ctx context.Context, dir string, answers func(context.Context) error, log zerolog.Logger) (stop func() error, err error) {
	cfg := ClickHouseConfig{Dir: dir, StopTimeout: defaultStopTimeout, Log: log}
	chosen, err := chooseEngine(ctx, cfg)
	if err != nil {
		return nil, fmt.Errorf("start clickhouse: %w", err)
	}
	if err := chosen.writeFiles(dir); err != nil {
		return nil, fmt.Errorf("start clickhouse: %w", err)
	}
	lock, err := lockFolder(ctx, dir)
	if err != nil {
		return nil, fmt.Errorf("start clickhouse: %w", err)
	}
	process := newSupervisor(chosen, answers, dir, lock, cfg)
	stop = func() error { return errors.Join(process.stop(), lock.Close()) }
	if err := process.start(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("start clickhouse: %w", err), lock.Close())
	}
	return stop, nil
}
