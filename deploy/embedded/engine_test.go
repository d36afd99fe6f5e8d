package embedded

import (
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/rs/zerolog"
)

// onPath puts a `clickhouse` before all others on the PATH: this test binary, as pretendServer.
func onPath(t *testing.T, version string) string {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	script := "#!/bin/sh\n" + helperEnv + "=server VERSION='" + version + "' exec '" + self + "' \"$@\"\n"
	if err := os.WriteFile(filepath.Join(dir, "clickhouse"), []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir+string(os.PathListSeparator)+os.Getenv("PATH"))
	return filepath.Join(dir, "clickhouse")
}

// pretendServer stands in for `clickhouse server`: it answers every query over HTTP, on the port that the
// configuration has, and ends with SIGTERM. What is tested with it is which binary is taken, and how it
// is called and ended; everything else is tested with the real engine.
func pretendServer(args []string) error {
	if len(args) != 2 || args[0] != "server" {
		return fmt.Errorf("called with %q", args)
	}
	if args[1] == "--version" {
		fmt.Println("ClickHouse server version " + os.Getenv("VERSION") + " (official build).")
		return nil
	}
	text, err := os.ReadFile(strings.TrimPrefix(args[1], "--config-file="))
	if err != nil {
		return err
	}
	var config struct {
		HTTPPort int    `xml:"http_port"`
		Host     string `xml:"listen_host"`
	}
	if err := xml.Unmarshal(text, &config); err != nil {
		return err
	}
	listener, err := net.Listen("tcp", fmt.Sprintf("%s:%d", config.Host, config.HTTPPort))
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, 1) })}
	go func() {
		<-ctx.Done()
		_ = server.Close()
	}()
	if err := server.Serve(listener); err != http.ErrServerClosed {
		return err
	}
	return nil
}

func TestClickHouseOnThePathIsTaken(t *testing.T) {
	dir := t.TempDir()
	if err := startClickHouse(t, ClickHouseConfig{Dir: dir}).Stop(); err != nil { // the library was there before
		t.Fatal(err)
	}
	binary := onPath(t, "26.3.1.7")
	c := startClickHouse(t, ClickHouseConfig{Dir: dir})
	if want := "ClickHouse 26.3.1.7 on the PATH (" + binary + ")"; c.Engine() != want {
		t.Errorf("%q, want %q", c.Engine(), want)
	}
	for path := range libraryFiles {
		if _, err := os.Stat(filepath.Join(c.cfg.Dir, path)); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s is there, which only the library wants: %v", path, err)
		}
	}
	if err := c.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := c.Ready(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func TestOldClickHouseOnThePathIsPassedOver(t *testing.T) {
	binary := onPath(t, "24.3.2.1")
	c := startClickHouse(t, ClickHouseConfig{Dir: t.TempDir()})
	for _, word := range []string{"npm package @chdb/", binary, "24.3.2", "want 25.8 or later"} {
		if !strings.Contains(c.Engine(), word) {
			t.Errorf("%q does not say %q", c.Engine(), word)
		}
	}
}

// The engine ends when its parent's end of the lifeline closes: what stands in for the death signal where
// there is none. Here it is the only thing that can end it.
func TestEngineEndsWithItsLifeline(t *testing.T) {
	c := startClickHouse(t, ClickHouseConfig{Dir: t.TempDir(), Log: zerolog.Nop()})
	if err := c.Stop(); err != nil {
		t.Fatal(err)
	}
	lifeline, ours, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(c.engine.binary, c.engine.arguments...)
	cmd.Env = append(os.Environ(), c.engine.env...)
	cmd.ExtraFiles = []*os.File{lifeline}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	_ = lifeline.Close()
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	for c.answers(t.Context()) != nil {
		select {
		case err := <-ended:
			t.Fatalf("the engine ended before its time: %v", err)
		default:
		}
	}
	_ = ours.Close()
	if err := <-ended; err != nil {
		t.Errorf("the engine ended with %v", err)
	}
}

func TestVersionIsReadAndCompared(t *testing.T) {
	for version, good := range map[string]bool{
		"26.7.2.1": true, "25.8.0": true, "25.8.16.34": true, "25.7.9.1": false, "24.12.1.1": false, "": false, "unknown": false,
	} {
		have, err := versionOf(t.Context(), onPath(t, version))
		if good != (err == nil) || good && have != version {
			t.Errorf("%q: %q, %v", version, have, err)
		}
	}
}
