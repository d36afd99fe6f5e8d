package demo

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rolltrace/rolltrace/schema/schematest"
)

// roleEnv makes this test binary a program of the tests.
const roleEnv = "DEMO_TEST_ROLE"

func TestMain(m *testing.M) {
	if role := os.Getenv(roleEnv); role != "" {
		os.Exit(play(role))
	}
	schematest.Main(m)
}

func play(role string) int {
	switch role {
	case "good": // ends when it is told to
		stops := make(chan os.Signal, 1)
		signal.Notify(stops, syscall.SIGTERM)
		fmt.Println("up")
		<-stops
	case "stubborn":
		signal.Ignore(syscall.SIGTERM)
		fmt.Println("up")
		select {}
	case "broken":
		fmt.Fprintln(os.Stderr, "hello\nlisten: the port is taken")
		return 1
	case "parent": // starts a child that holds stdout, and waits to be killed
		l := newLauncher()
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), roleEnv+"=sleeper")
		cmd.Stdout = os.Stdout
		if err := l.start(cmd); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		select {}
	case "sleeper":
		fmt.Println("asleep")
		time.Sleep(time.Hour)
	}
	return 0
}

func serve(t *testing.T, l *launcher, role string) *service {
	t.Helper()
	t.Setenv(roleEnv, role)
	s, err := l.serve(t.TempDir(), os.Args[0])
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// said waits until a service has written a line into its log.
func said(t *testing.T, s *service, line string) {
	t.Helper()
	for {
		content, err := os.ReadFile(s.log)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(content), line) {
			return
		}
		select {
		case <-s.done:
			t.Fatal(s.failure())
		case <-time.After(time.Millisecond):
		}
	}
}

func TestServicesEnd(t *testing.T) {
	l := newLauncher()
	defer l.close()
	good := serve(t, l, "good")
	said(t, good, "up")
	if err := good.stop(); err != nil {
		t.Error(err)
	}
	l.patience = 10 * time.Millisecond
	stubborn := serve(t, l, "stubborn")
	said(t, stubborn, "up")
	if err := stubborn.stop(); err == nil || !strings.Contains(err.Error(), "was killed") {
		t.Errorf("a program that does not end: %v", err)
	}
	<-stubborn.done
	broken := serve(t, l, "broken")
	<-broken.done
	if err := broken.stop(); err == nil || !strings.Contains(err.Error(), "ended early: listen: the port is taken") {
		t.Errorf("a program that fails: %v", err)
	}
}

func TestRunEndsWithItsContext(t *testing.T) {
	l := newLauncher()
	defer l.close()
	t.Setenv(roleEnv, "good")
	ctx, cancel := context.WithCancelCause(t.Context())
	read, write := io.Pipe()
	gone := errors.New("gone")
	go func() {
		line, _ := bufio.NewReader(read).ReadString('\n')
		if line == "up\n" {
			cancel(gone)
		}
		_, _ = io.Copy(io.Discard, read)
	}()
	if err := l.run(ctx, nil, write, os.Args[0]); !errors.Is(err, gone) {
		t.Errorf("have %v", err)
	}
	t.Setenv(roleEnv, "broken")
	if err := l.run(t.Context(), nil, io.Discard, os.Args[0], "tee", "--x"); err == nil || !strings.HasSuffix(err.Error(), " tee: listen: the port is taken") {
		t.Errorf("have %v", err)
	}
}

// A process that is killed takes with it what it started: its child's stdout, which we read, is closed.
func TestNothingOutlivesAKill(t *testing.T) {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), roleEnv+"=parent")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewReader(out)
	if line, err := lines.ReadString('\n'); line != "asleep\n" {
		t.Fatalf("%q, %v", line, err)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if rest, err := io.ReadAll(lines); err != nil || len(rest) != 0 { // blocks as long as the child lives
		t.Errorf("%q, %v", rest, err)
	}
	_ = cmd.Wait()
}

func TestProgramsAreFoundOrTheErrorSaysHow(t *testing.T) {
	folder := t.TempDir()
	if err := os.WriteFile(filepath.Join(folder, "some-program"), []byte("#!/bin/sh\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", folder)
	paths, err := FindPrograms("some-program")
	if err != nil || paths["some-program"] != filepath.Join(folder, "some-program") {
		t.Errorf("have %v, %v", paths, err)
	}
	if _, err := FindPrograms("some-program", "no-such-program"); err == nil || !strings.Contains(err.Error(), "no-such-program") || !strings.Contains(err.Error(), "make build") {
		t.Errorf("have %v", err)
	}
}
