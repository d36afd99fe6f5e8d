package explorer_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// folder is what the tests of this package share: the programs, and the page with its tools.
var folder string

func TestMain(m *testing.M) {
	var err error
	if folder, err = os.MkdirTemp("", "rolltrace-explorer-"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	code := m.Run()
	_ = os.RemoveAll(folder)
	os.Exit(code)
}

func command(dir, name string, args ...string) error {
	cmd := exec.Command(name, args...)
	cmd.Dir = dir
	if said, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s %s: %w\n%s", name, strings.Join(args, " "), err, said)
	}
	return nil
}

// programs builds the programs once.
var programs = sync.OnceValues(func() (string, error) {
	bin := filepath.Join(folder, "bin")
	return bin, command("", "go", "build", "-o", bin+string(filepath.Separator), "../../cmd/...")
})

// page is a copy of the page's sources, with the tools that build and drive it fetched from npm as package-lock.json pins
// them, once.
var page = sync.OnceValues(func() (string, error) {
	dir := filepath.Join(folder, "page")
	if err := os.CopyFS(dir, without{os.DirFS("page"), "node_modules"}); err != nil {
		return "", err
	}
	return dir, command(dir, "npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error")
})

// A stage is a scenario that was played, and a centre with its page that runs on what is left of it.
type stage struct {
	data string // folder of the scenario
	url  string // of the page
	log  *bytes.Buffer
	bin  string
	end  func()
}

// play plays a scenario through the real programs, and starts a centre on it, until the test ends.
func play(t *testing.T, scenario string, args ...string) *stage {
	t.Helper()
	bin, err := programs()
	if err != nil {
		t.Fatal(err)
	}
	s := &stage{data: filepath.Join(t.TempDir(), "data"), log: &bytes.Buffer{}, bin: bin}
	rolltrace := filepath.Join(bin, "rolltrace")
	if err := command("", rolltrace, append([]string{"demo", scenario, "--data", s.data}, args...)...); err != nil {
		t.Fatal(err)
	}
	up := exec.Command(rolltrace, "up", "--data", filepath.Join(s.data, "centre"), "--http", "127.0.0.1:0", "--nats-listen", "127.0.0.1:0",
		"--clickhouse-listen", "127.0.0.1:0", "--clickhouse-http", "127.0.0.1:0", "--log-format", "json",
		"--explorer-listen", "127.0.0.1:0", "--explorer-elector-key", filepath.Join(s.data, "key.json"))
	up.Stderr = s.log
	out, err := up.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := up.Start(); err != nil {
		t.Fatal(err)
	}
	s.end = sync.OnceFunc(func() {
		_ = up.Process.Signal(syscall.SIGTERM)
		_, _ = io.Copy(io.Discard, out)
		if err := up.Wait(); err != nil {
			t.Errorf("rolltrace up: %v: %s", err, s.log)
		}
	})
	t.Cleanup(s.end)
	for lines := bufio.NewScanner(out); lines.Scan(); {
		switch words := strings.Fields(lines.Text()); words[0] {
		case "explorer":
			s.url = words[1]
		case "data":
			return s
		}
	}
	t.Fatal("rolltrace up ended before it said where the page is")
	return nil
}

// ask asks a question on the command line.
func (s *stage) ask(t *testing.T, answer any, args ...string) {
	t.Helper()
	cmd := exec.Command(filepath.Join(s.bin, "rolltrace"), append(args, "--json", "--data", filepath.Join(s.data, "centre"))...)
	out, err := cmd.Output()
	if err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			t.Fatalf("rolltrace %s: %s", strings.Join(args, " "), exit.Stderr)
		}
		t.Fatal(err)
	}
	if err := json.Unmarshal(out, answer); err != nil {
		t.Fatal(err)
	}
}
