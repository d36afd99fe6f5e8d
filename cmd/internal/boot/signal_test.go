package boot_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/rolltrace/rolltrace/cmd/internal/boot"
)

// roleEnv makes this test binary a program.
const roleEnv = "BOOT_TEST_ROLE"

func TestMain(m *testing.M) {
	program := func(ctx context.Context, _ []string, stdin io.Reader, stdout, _ io.Writer) error {
		_, _ = io.WriteString(stdout, "up\n")
		switch os.Getenv(roleEnv) {
		case "server": // ends cleanly when it is told to
			<-ctx.Done()
			return nil
		case "worker": // is interrupted in the middle
			<-ctx.Done()
			return context.Cause(ctx)
		case "hung": // does not care
			<-ctx.Done()
			_, _ = io.WriteString(stdout, "told\n")
			select {}
		}
		_, _ = io.ReadAll(stdin) // "writer": writes when the reader of its stdout has gone
		_, err := io.WriteString(stdout, "more\n")
		if !errors.Is(err, syscall.EPIPE) {
			return errors.New("want EPIPE")
		}
		return nil
	}
	if os.Getenv(roleEnv) != "" {
		os.Exit(boot.Main("prog", program))
	}
	os.Exit(m.Run())
}

func start(t *testing.T, role string) (cmd *exec.Cmd, stdout *bufio.Reader, stdin io.Closer, closeStdout func(), stderr *bytes.Buffer) {
	t.Helper()
	cmd, stderr = exec.Command(os.Args[0]), &bytes.Buffer{}
	cmd.Env, cmd.Stderr = append(os.Environ(), roleEnv+"="+role), stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	stdout = bufio.NewReader(out)
	line(t, stdout, "up\n")
	return cmd, stdout, in, func() { _ = out.Close() }, stderr
}

func line(t *testing.T, r *bufio.Reader, want string) {
	t.Helper()
	if have, err := r.ReadString('\n'); have != want {
		t.Fatalf("have %q, %v, want %q", have, err, want)
	}
}

func TestSignals(t *testing.T) {
	t.Run("a server told to stop is done", func(t *testing.T) {
		cmd, _, _, _, stderr := start(t, "server")
		_ = cmd.Process.Signal(syscall.SIGTERM)
		if err := cmd.Wait(); err != nil || stderr.Len() > 0 {
			t.Errorf("%v, %q", err, stderr)
		}
	})
	t.Run("work that was interrupted is a fault", func(t *testing.T) {
		cmd, _, _, _, stderr := start(t, "worker")
		_ = cmd.Process.Signal(os.Interrupt)
		_ = cmd.Wait()
		if code := cmd.ProcessState.ExitCode(); code != boot.Fault || !strings.Contains(stderr.String(), "prog: interrupted (interrupt)") {
			t.Errorf("exit code %d, %q", code, stderr)
		}
	})
	t.Run("a second signal ends what hangs", func(t *testing.T) {
		cmd, stdout, _, _, _ := start(t, "hung")
		_ = cmd.Process.Signal(syscall.SIGTERM)
		line(t, stdout, "told\n")
		_ = cmd.Process.Signal(syscall.SIGTERM)
		_ = cmd.Wait()
		status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus)
		if !ok || !status.Signaled() || status.Signal() != syscall.SIGTERM {
			t.Errorf("have %s", cmd.ProcessState)
		}
	})
	t.Run("a reader that has gone is an error of Write", func(t *testing.T) {
		cmd, _, stdin, closeStdout, stderr := start(t, "writer")
		closeStdout()
		_ = stdin.Close()
		if err := cmd.Wait(); err != nil {
			t.Errorf("%v, %q", err, stderr)
		}
	})
}
