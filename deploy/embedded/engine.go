package embedded

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"time"
)

// Oldest is the oldest ClickHouse on the PATH that is taken: major and minor version.
var Oldest = [2]int{25, 8}

// An engine is one way to run ClickHouse as a process.
type engine struct {
	binary    string
	arguments []string
	env       []string
	library   bool   // it is the npm library, which wants files of its own
	statement string // which one was taken, for people
}

// chooseEngine takes `clickhouse` on the PATH, else the npm library.
func chooseEngine(ctx context.Context, cfg ClickHouseConfig) (engine, error) {
	passed := ""
	if binary, err := exec.LookPath("clickhouse"); err == nil {
		version, err := versionOf(ctx, binary)
		if err == nil {
			return engine{
				binary:    binary,
				arguments: []string{"server", "--config-file=" + filepath.Join(cfg.Dir, "config.xml")},
				env:       []string{"CLICKHOUSE_WATCHDOG_ENABLE=0"},
				statement: fmt.Sprintf("ClickHouse %s on the PATH (%s)", version, binary),
			}, nil
		}
		passed = fmt.Sprintf("; %s on the PATH was passed over: %v", binary, err)
	}
	fetcher, err := newFetcher(cfg.Progress, cfg.Log)
	if err != nil {
		return engine{}, err
	}
	library, err := fetcher.fetch(ctx)
	if err != nil {
		return engine{}, fmt.Errorf("%w%s", err, passed)
	}
	self, err := os.Executable()
	if err != nil {
		return engine{}, fmt.Errorf("find this program's own file: %w", err)
	}
	return engine{
		binary: self,
		arguments: []string{
			"--path", filepath.Join(cfg.Dir, "data"),
			"--config-file", filepath.Join(cfg.Dir, "config.xml"),
			"--queries-file", filepath.Join(cfg.Dir, "start.sql"),
			"--interactive", "--progress=off", "--history_file=/dev/null", // see runEngine
			"--log-level=warning",
		},
		env:       []string{childEnv + "=" + library},
		library:   true,
		statement: fmt.Sprintf("ClickHouse from the npm package %s@%s (%s)%s", fetcher.library.pkg, fetcher.version, library, passed),
	}, nil
}

// libraryFiles are what the npm library wants beside a server's settings: statements that open its ports,
// and the user that runs them.
var libraryFiles = map[string]string{"start.sql": "start.sql", "users.d/library.xml": "library.xml"}

// writeFiles writes the library's files beside the settings in dir, or removes them when the engine is
// another.
func (e engine) writeFiles(dir string) error {
	for path, name := range libraryFiles {
		path = filepath.Join(dir, path)
		if !e.library {
			if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
			continue
		}
		text, err := files.ReadFile("clickhouse/" + name)
		if err != nil {
			return err
		}
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			return err
		}
		if err := writeWhole(path, text); err != nil {
			return fmt.Errorf("write %s: %w", name, err)
		}
	}
	return nil
}

var versionPattern = regexp.MustCompile(`\b(\d+)\.(\d+)\.\d+(\.\d+)?\b`)

// versionOf asks a clickhouse binary for its version, and refuses one that is too old.
func versionOf(ctx context.Context, binary string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	out, err := exec.CommandContext(ctx, binary, "server", "--version").Output()
	if err != nil {
		return "", fmt.Errorf("ask for its version: %w", err)
	}
	found := versionPattern.FindSubmatch(out)
	if found == nil {
		return "", fmt.Errorf("ask for its version: no version in the answer")
	}
	major, _ := strconv.Atoi(string(found[1]))
	minor, _ := strconv.Atoi(string(found[2]))
	if major < Oldest[0] || major == Oldest[0] && minor < Oldest[1] {
		return "", fmt.Errorf("version %s, want %d.%d or later", found[0], Oldest[0], Oldest[1])
	}
	return string(found[0]), nil
}
