package demo

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"

	"github.com/rolltrace/rolltrace/cmd/internal/config"
)

// stopTimeout is how long a program gets to end after SIGTERM before it is killed.
const stopTimeout = 20 * time.Second

// FindPrograms returns the paths of the named programs: beside this executable, else on the PATH.
func FindPrograms(names ...string) (map[string]string, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find this program: %w", err)
	}
	if real, err := filepath.EvalSymlinks(self); err == nil {
		self = real
	}
	paths := make(map[string]string, len(names))
	for _, name := range names {
		beside := filepath.Join(filepath.Dir(self), name)
		if info, err := os.Stat(beside); err == nil && info.Mode().IsRegular() {
			paths[name] = beside
			continue
		}
		found, err := exec.LookPath(name)
		if err != nil {
			return nil, fmt.Errorf("find %s: it is neither in %s nor on the PATH: \"make build\" puts all three programs into bin/", name, filepath.Dir(self))
		}
		paths[name] = found
	}
	return paths, nil
}

// A launcher starts processes that end when this one does. On Linux the kernel sees to that even after
// kill -9, but counts the end of the starting thread as the end of the parent: so all are started by one
// goroutine, which keeps its thread for as long as they may run.
type launcher struct {
	starts chan func()
	ended  chan struct{}

	patience time.Duration // stopTimeout, but in tests
}

func newLauncher() *launcher {
	l := &launcher{starts: make(chan func()), ended: make(chan struct{}), patience: stopTimeout}
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
		for start := range l.starts {
			start()
		}
		close(l.ended)
	}()
	return l
}

// start starts a command in a process group of its own, so that Ctrl-C reaches it through us, in order.
func (l *launcher) start(cmd *exec.Cmd) error {
	cmd.SysProcAttr = childAttributes()
	result := make(chan error)
	l.starts <- func() { result <- cmd.Start() }
	return <-result
}

// close ends the thread; whatever it started must have ended before.
func (l *launcher) close() {
	close(l.starts)
	<-l.ended
}

// A service is a program that runs until it is told to stop.
type service struct {
	patience time.Duration

	name string
	log  string
	cmd  *exec.Cmd
	done chan struct{}
	err  error // once done is closed
}

// serve starts a service that logs into folder.
func (l *launcher) serve(folder, path string, args ...string) (*service, error) {
	name := filepath.Base(path)
	s := &service{patience: l.patience, name: name, log: filepath.Join(folder, name+".log"), cmd: exec.Command(path, args...), done: make(chan struct{})}
	log, err := os.OpenFile(s.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	defer log.Close()
	s.cmd.Env, s.cmd.Stdout, s.cmd.Stderr = environment(), log, log
	if err := l.start(s.cmd); err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	go func() {
		s.err = s.cmd.Wait()
		close(s.done)
	}()
	return s, nil
}

// failure is what to say of a service that ended without having been told to.
func (s *service) failure() error {
	last := "it said nothing"
	if content, err := os.ReadFile(s.log); err == nil {
		if line := lastLine(content); line != "" {
			last = line
		}
	}
	return fmt.Errorf("%s ended early: %s (its log: %s)", s.name, last, s.log)
}

// stop ends the service with SIGTERM, and with SIGKILL when it has no patience left. It returns when the
// process is gone.
func (s *service) stop() error {
	select {
	case <-s.done:
		return s.failure()
	default:
	}
	_ = s.cmd.Process.Signal(syscall.SIGTERM)
	deadline := time.NewTimer(s.patience)
	defer deadline.Stop()
	select {
	case <-s.done:
		var exit *exec.ExitError
		if errors.As(s.err, &exit) {
			return fmt.Errorf("stop %s: %s (its log: %s)", s.name, s.err, s.log)
		}
		return nil
	case <-deadline.C:
		_ = s.cmd.Process.Kill()
		<-s.done
		return fmt.Errorf("stop %s: it did not end within %s and was killed (its log: %s)", s.name, s.patience, s.log)
	}
}

// run runs a program to its end, or to that of the context (SIGTERM, then SIGKILL). What it says on
// stderr is in the error if it fails.
func (l *launcher) run(ctx context.Context, stdin io.Reader, stdout io.Writer, path string, args ...string) error {
	return l.runIn(ctx, nil, stdin, stdout, path, args...)
}

// runIn is run with more variables in the environment.
func (l *launcher) runIn(ctx context.Context, env []string, stdin io.Reader, stdout io.Writer, path string, args ...string) error {
	cmd := exec.Command(path, args...)
	var said bytes.Buffer
	cmd.Env, cmd.Stdin, cmd.Stdout, cmd.Stderr = append(environment(), env...), stdin, stdout, &said
	if err := l.start(cmd); err != nil {
		return fmt.Errorf("start %s: %w", filepath.Base(path), err)
	}
	ended := make(chan struct{})
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		select {
		case <-ended:
		case <-ctx.Done():
			_ = cmd.Process.Signal(syscall.SIGTERM)
			deadline := time.NewTimer(l.patience)
			defer deadline.Stop()
			select {
			case <-ended:
			case <-deadline.C:
				_ = cmd.Process.Kill()
			}
		}
	}()
	err := cmd.Wait()
	close(ended)
	<-watched
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case err != nil:
		return fmt.Errorf("%s: %s", strings.Join(append([]string{filepath.Base(path)}, args[:min(1, len(args))]...), " "), describe(err, said.Bytes()))
	}
	return nil
}

func describe(err error, said []byte) string {
	if line := lastLine(said); line != "" {
		return line
	}
	return err.Error()
}

func lastLine(text []byte) string {
	lines := bytes.Split(bytes.TrimSpace(text), []byte("\n"))
	return string(bytes.TrimSpace(lines[len(lines)-1]))
}

// environment is this process's, without Rolltrace's settings: the programs of a demo are told everything
// by flags and files.
func environment() []string {
	var kept []string
	for _, entry := range os.Environ() {
		if !strings.HasPrefix(entry, config.Prefix) {
			kept = append(kept, entry)
		}
	}
	return kept
}
