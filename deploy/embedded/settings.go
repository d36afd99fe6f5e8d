package embedded

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/rs/zerolog"
)

// librarySession is what the npm library needs beside a server's users: a session of its own that opens
// the ports. It is the user that users.xml has of it, as a fragment.
const librarySession = `<clickhouse>
  <quotas><keepalive><interval><duration>1576800000</duration><queries>3</queries></interval></keepalive></quotas>
  <users>
    <default>
      <no_password/>
      <networks><ip>127.0.0.1</ip></networks>
      <profile>default</profile>
      <quota>keepalive</quota>
      <grants>
        <query>GRANT SYSTEM LISTEN ON *.*</query>
        <query>GRANT CREATE TEMPORARY TABLE ON *.*</query>
      </grants>
    </default>
  </users>
</clickhouse>
`

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
	if chosen.keepalive {
		if err := writeLibrarySession(dir); err != nil {
			return nil, fmt.Errorf("start clickhouse: %w", err)
		}
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

func writeLibrarySession(dir string) error {
	if err := os.MkdirAll(filepath.Join(dir, "users.d"), 0o700); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "users.d", "library.xml"), []byte(librarySession), 0o600); err != nil {
		return err
	}
	statements, err := templates.ReadFile("clickhouse/start.sql")
	if err != nil {
		return err
	}
	text := strings.ReplaceAll(string(statements), "{{.Keepalive}}", keepalivePath)
	return os.WriteFile(filepath.Join(dir, "start.sql"), []byte(text), 0o600)
}
