package embedded

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/rs/zerolog"
)

// How soon a process that ended is started again: the first time, and at most when it does not come up.
const (
	firstBackoff = 100 * time.Millisecond
	lastBackoff  = 5 * time.Second
	pollEvery    = 10 * time.Millisecond
)

// A supervisor keeps one process running until it is told to stop.
type supervisor struct {
	engine      engine
	answers     func(context.Context) error
	output      string // file that gets what the process prints
	lock        *os.File
	stopTimeout time.Duration
	log         zerolog.Logger

	restarts atomic.Int64
	stopping chan struct{}
	done     chan struct{}
	once     sync.Once

	mu      sync.Mutex
	up      bool        // it has answered once: from now on an end is a crash, and starts it again
	process *os.Process // nil between two processes
	failure error       // why it ended before it was up
}

func newSupervisor(engine engine, answers func(context.Context) error, logDir string, lock *os.File, cfg ClickHouseConfig) *supervisor {
	return &supervisor{
		engine:      engine,
		answers:     answers,
		output:      filepath.Join(logDir, "engine.out"),
		lock:        lock,
		stopTimeout: cfg.StopTimeout,
		log:         cfg.Log,
		stopping:    make(chan struct{}),
		done:        make(chan struct{}),
	}
}

// start runs the process and returns when it answers; if it ends before, or ctx does, nothing is left
// running and the error has the last line that the process printed.
func (s *supervisor) start(ctx context.Context) error {
	_ = os.Remove(s.output)
	go s.supervise()
	if err := s.ready(ctx); err != nil {
		_ = s.stop() // what went wrong is told below
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.failure != nil {
			return s.failure
		}
		return fmt.Errorf("wait for its first answer: %w (see %s)", err, filepath.Dir(s.output))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.up = s.failure == nil // it may have ended since it answered
	return s.failure
}

// errEnded is what ready returns once the supervisor has ended.
var errEnded = errors.New("clickhouse is stopped")

// ready waits until the process answers, or ctx or the supervisor ends.
func (s *supervisor) ready(ctx context.Context) error {
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for {
		if s.answers(ctx) == nil {
			return nil
		}
		select {
		case <-s.done:
			return errEnded
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}

// supervise starts the process again and again. The goroutine keeps its thread: on Linux the process's
// death signal is tied to the thread that started it.
func (s *supervisor) supervise() {
	defer close(s.done)
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	for backoff := firstBackoff; ; {
		answered, err := s.watch()
		select {
		case <-s.stopping:
			return
		default:
		}
		if s.failed(err) {
			return
		}
		if answered {
			backoff = firstBackoff
		}
		s.log.Warn().Err(err).Str("last_words", s.lastWords()).Dur("wait_ms", backoff).Msg("clickhouse ended, starting it again")
		select {
		case <-s.stopping:
			return
		case <-time.After(backoff):
		}
		backoff = min(2*backoff, lastBackoff)
		s.restarts.Add(1)
	}
}

// watch is run, and says whether the process had come so far as to answer.
func (s *supervisor) watch() (answered bool, err error) {
	ctx, ended := context.WithCancel(context.Background())
	up := make(chan bool, 1)
	began := time.Now()
	go func() {
		ok := s.ready(ctx) == nil
		if ok {
			s.log.Debug().Dur("took_ms", time.Since(began)).Msg("clickhouse answers")
		}
		up <- ok
	}()
	err = s.run()
	ended()
	return <-up, err
}

// failed says whether the end of the process was a failed start, and keeps it as such.
func (s *supervisor) failed(err error) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.up {
		s.failure = fmt.Errorf("it ended (%w): %s (see %s)", err, s.lastWords(), filepath.Dir(s.output))
	}
	return !s.up
}

// run is the life of one process. Its error says how it ended; it is never nil.
func (s *supervisor) run() error {
	cmd := exec.Command(s.engine.binary, s.engine.arguments...)
	cmd.Env = append(os.Environ(), append([]string{"TZ=UTC"}, s.engine.env...)...)
	output, err := os.OpenFile(s.output, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer func() { _ = output.Close() }()
	cmd.Stdout, cmd.Stderr = output, output
	// The process holds the data folder's lock as well, so that the folder is free only when both of us are gone.
	lifeline, ours, err := os.Pipe()
	if err != nil {
		return err
	}
	defer func() { _ = ours.Close() }()
	cmd.ExtraFiles = []*os.File{lifeline, s.lock} // descriptors 3 and 4
	tieToParent(cmd)
	err = s.launch(cmd)
	_ = lifeline.Close()
	if err != nil {
		return err
	}
	err = cmd.Wait()
	s.mu.Lock()
	s.process = nil
	s.mu.Unlock()
	if err == nil {
		err = errors.New("exit status 0")
	}
	return err
}

// launch starts the process unless stop came first.
func (s *supervisor) launch(cmd *exec.Cmd) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	select {
	case <-s.stopping:
		return errEnded
	default:
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	s.process = cmd.Process
	return nil
}

// lastWords is the last line that the process printed.
func (s *supervisor) lastWords() string {
	text, err := os.ReadFile(s.output)
	if err != nil || len(text) == 0 {
		return "it printed nothing"
	}
	return lastLine(text)
}

func (s *supervisor) signal(sig os.Signal) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.process == nil {
		return os.ErrProcessDone
	}
	return s.process.Signal(sig)
}

func (s *supervisor) pid() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.process == nil {
		return 0
	}
	return s.process.Pid
}

func (s *supervisor) kill() error {
	if err := s.signal(syscall.SIGKILL); err != nil {
		return fmt.Errorf("kill clickhouse: %w", err)
	}
	return nil
}

// stop ends the process and the supervisor.
func (s *supervisor) stop() error {
	s.once.Do(func() {
		s.mu.Lock()
		close(s.stopping)
		s.mu.Unlock()
	})
	_ = s.signal(syscall.SIGTERM)
	timeout := time.NewTimer(s.stopTimeout)
	defer timeout.Stop()
	select {
	case <-s.done:
		return nil
	case <-timeout.C:
	}
	_ = s.signal(syscall.SIGKILL)
	<-s.done
	return fmt.Errorf("stop clickhouse: it had not ended after %s, and was killed", s.stopTimeout)
}
