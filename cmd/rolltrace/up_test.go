package main

import (
	"bufio"
	"io"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/rolltrace/rolltrace/deploy"
	"github.com/rolltrace/rolltrace/schema/stream"
)

// start runs `rolltrace up` with the arguments, on free ports, until the test ends, and returns where its
// parts are, by name.
func start(t *testing.T, args ...string) map[string]string {
	t.Helper()
	bin, err := programs()
	if err != nil {
		t.Fatal(err)
	}
	free := []string{"--clickhouse-listen", "127.0.0.1:0", "--clickhouse-http", "127.0.0.1:0", "--http", "127.0.0.1:0", "--explorer-listen", "127.0.0.1:0"}
	cmd := exec.Command(filepath.Join(bin, "rolltrace"), append(append([]string{"up"}, free...), args...)...)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		_, _ = io.Copy(io.Discard, out)
		if err := cmd.Wait(); err != nil {
			t.Errorf("rolltrace up: %v: %s", err, &stderr)
		}
	})
	parts := map[string]string{}
	columns := regexp.MustCompile(`^(.+?) {2,}(\S+) {2,}`)
	for lines := bufio.NewScanner(out); parts["data"] == "" && lines.Scan(); {
		if m := columns.FindStringSubmatch(lines.Text()); m != nil {
			parts[m[1]] = m[2]
		} else {
			t.Errorf("line %q", lines.Text())
		}
	}
	return parts
}

// A hub off loopback wants TLS and credentials, and has them.
func TestUpOffLoopbackHasTLSAndCredentials(t *testing.T) {
	secrets := t.TempDir()
	if err := (deploy.Secrets{Dir: secrets}).Write(); err != nil {
		t.Fatal(err)
	}
	parts := start(t, "--data", t.TempDir(), "--nats-listen", "0.0.0.0:0", "--nats-user", "sidecar", "--nats-password", "open sesame",
		"--nats-tls-cert", filepath.Join(secrets, "hub", "cert.pem"), "--nats-tls-key", filepath.Join(secrets, "hub", "key.pem"))
	url := parts["nats"]
	if !strings.HasPrefix(url, "tls://127.0.0.1:") {
		t.Fatalf("parts %v", parts)
	}
	authority := nats.RootCAs(filepath.Join(secrets, "ca.pem"))
	conn, err := nats.Connect(url, authority, nats.UserInfo("sidecar", "open sesame"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	js, err := jetstream.New(conn)
	if err != nil {
		t.Fatal(err)
	}
	if log, err := stream.Open(t.Context(), js); err != nil || log.ID == "" {
		t.Errorf("the log: %v, %v", log, err)
	}
	for name, options := range map[string][]nats.Option{
		"without credentials":   {authority},
		"with another password": {authority, nats.UserInfo("sidecar", "sesame")},
		"another's certificate": {nats.UserInfo("sidecar", "open sesame")},
	} {
		if conn, err := nats.Connect(url, options...); err == nil {
			conn.Close()
			t.Errorf("connected %s", name)
		}
	}
}
