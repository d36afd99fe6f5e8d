package embedded

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"
)

// helperEnv makes the test binary one of the helpers below, in a process of its own that tests can kill.
const helperEnv = "ROLLTRACE_TEST_HELPER"

var helpers = map[string]func(args []string) error{
	"clickhouse": holdClickHouse,
	"nats":       holdNATS,
	"fetch":      fetchOnce,
	"server":     pretendServer,
}

func TestMain(m *testing.M) {
	Child()
	if name := os.Getenv(helperEnv); name != "" {
		if err := helpers[name](os.Args[1:]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// A helper is a running process of this test binary. What it says is one JSON value a line.
type helper struct {
	*exec.Cmd
	said *json.Decoder
}

func startHelper(t *testing.T, name string, env []string, args ...string) helper {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self, args...)
	cmd.Env = append(append(os.Environ(), helperEnv+"="+name), env...)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = in.Close() // a helper that holds something ends with its standard input
		_ = cmd.Wait()
	})
	return helper{cmd, json.NewDecoder(bufio.NewReader(out))}
}

// hear waits for the helper's next word.
func (h helper) hear(t *testing.T, value any) {
	t.Helper()
	if err := h.said.Decode(value); err != nil {
		t.Fatalf("the helper ended early: %v", err)
	}
}

// kill is kill -9, and returns when the process is gone.
func (h helper) kill(t *testing.T) {
	t.Helper()
	if err := h.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = h.Wait()
}

func say(value any) error { return json.NewEncoder(os.Stdout).Encode(value) }

// untilStdinEnds holds a helper.
func untilStdinEnds() { _, _ = io.Copy(io.Discard, os.Stdin) }

type heldClickHouse struct {
	Addr, HTTP string
	PID        int
}

// holdClickHouse runs a ClickHouse on the folder args[0].
func holdClickHouse(args []string) error {
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	c, err := StartClickHouse(ctx, ClickHouseConfig{Dir: args[0], MaxMemory: testMemory, Log: zerolog.Nop()})
	if err != nil {
		return err
	}
	if err := say(heldClickHouse{Addr: c.Addr(), HTTP: c.HTTPURL(), PID: c.PID()}); err != nil {
		return err
	}
	untilStdinEnds()
	return c.Stop()
}

// holdNATS runs a NATS on the folder args[0].
func holdNATS(args []string) error {
	n, err := StartNATS(context.Background(), NATSConfig{Dir: args[0]})
	if err != nil {
		return err
	}
	if err := say(n.URL()); err != nil {
		return err
	}
	untilStdinEnds()
	n.Stop()
	return nil
}

// fetchOnce fetches the library of the integrity args[1] into the cache args[0], through the npm on the PATH.
func fetchOnce(args []string) error {
	if err := say("fetching"); err != nil {
		return err
	}
	path, err := testFetcher(args[0], args[1]).fetch(context.Background())
	if err != nil {
		return err
	}
	return say(path)
}

const (
	startTimeout = 10 * time.Minute
	testMemory   = 1 << 30
)

func startClickHouse(t *testing.T, cfg ClickHouseConfig) *ClickHouse {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), startTimeout)
	defer cancel()
	if cfg.MaxMemory == 0 {
		cfg.MaxMemory = testMemory
	}
	cfg.Log = zerolog.New(zerolog.NewTestWriter(t))
	c, err := StartClickHouse(ctx, cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Stop(); err != nil {
			t.Error(err)
		}
	})
	return c
}

// isOneLine fails unless an error is one line that has each of the words.
func isOneLine(t *testing.T, err error, words ...string) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error, want one about %q", words)
	}
	if strings.Contains(err.Error(), "\n") {
		t.Errorf("more than one line: %q", err)
	}
	for _, word := range words {
		if !strings.Contains(err.Error(), word) {
			t.Errorf("%q does not say %q", err, word)
		}
	}
}
