package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/nats-io/nats.go"

	"github.com/rolltrace/rolltrace/cmd/internal/boot"
	"github.com/rolltrace/rolltrace/consumers"
	"github.com/rolltrace/rolltrace/deploy/embedded"
	"github.com/rolltrace/rolltrace/schema/graph"
	"github.com/rolltrace/rolltrace/schema/schematest"
	"github.com/rolltrace/rolltrace/schema/stream"
	"github.com/rolltrace/rolltrace/schema/wire"
)

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		main()
	}
	schematest.Main(m)
}

// A log is what a program writes to stderr; a test can wait for a line.
type logged struct {
	mu   sync.Mutex
	text bytes.Buffer
	more chan struct{}
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	close(l.more)
	l.more = make(chan struct{})
	return l.text.Write(p)
}

func (l *logged) wait(t *testing.T, pattern string) []string {
	t.Helper()
	re := regexp.MustCompile(pattern)
	for {
		l.mu.Lock()
		text, more := l.text.String(), l.more
		l.mu.Unlock()
		if found := re.FindStringSubmatch(text); found != nil {
			return found
		}
		select {
		case <-more:
		case <-t.Context().Done():
			t.Fatalf("%s does not come; the log is:\n%s", pattern, text)
		}
	}
}

func start(t *testing.T, args ...string) (*logged, func() error) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	stderr := &logged{more: make(chan struct{})}
	done := make(chan error, 1)
	go func() {
		done <- boot.Command(command)(ctx, append(args, "--http", "127.0.0.1:0", "--log-format", "json"), strings.NewReader(""), stderr, stderr)
	}()
	var once sync.Once
	var err error
	stop := func() error {
		once.Do(func() {
			cancel()
			err = <-done
		})
		return err
	}
	t.Cleanup(func() { _ = stop() })
	return stderr, stop
}

func get(t *testing.T, url string) (int, string) {
	t.Helper()
	response, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	var body bytes.Buffer
	if _, err := body.ReadFrom(response.Body); err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, body.String()
}

func TestTheProgram(t *testing.T) {
	hub, dsn := schematest.NATS(t), schematest.ClickHouse(t)
	js := schematest.JetStream(t, hub)
	if err := graph.Migrate(t.Context(), graph.Options{DSN: dsn}); err != nil {
		t.Fatal(err)
	}
	if _, err := stream.Ensure(t.Context(), js, stream.Options{}); err != nil {
		t.Fatal(err)
	}
	chain, err := wire.NewChain(wire.ChainConfig{Signer: schematest.Identity(1), Org: "party-a", Sidecar: "field-db-1", Instance: "outbox-1"})
	if err != nil {
		t.Fatal(err)
	}
	for _, sample := range schematest.Samples() {
		for _, draft := range sample.Drafts() {
			m, err := chain.Seal(draft)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := js.PublishMsg(t.Context(), &nats.Msg{Subject: m.Subject, Header: m.Header, Data: m.Body}); err != nil {
				t.Fatal(err)
			}
		}
	}
	last, _ := chain.Last()

	stderr, stop := start(t, "--nats", hub.URL(), "--clickhouse", dsn, "--log-level", "debug")
	at := "http://" + stderr.wait(t, `"http":"([^"]+)"`)[1]
	stderr.wait(t, fmt.Sprintf(`"position":%d,`, last))
	if code, body := get(t, at+"/readyz"); code != http.StatusOK || !strings.Contains(body, `"ready":true`) {
		t.Errorf("/readyz: %d %s", code, body)
	}
	if code, body := get(t, at+"/healthz"); code != http.StatusOK {
		t.Errorf("/healthz: %d %s", code, body)
	}
	code, metrics := get(t, at+"/metrics")
	if body := metrics; code != http.StatusOK || !strings.Contains(body, "rolltrace_consumer_flushes_total") || !strings.Contains(body, "process_resident_memory_bytes") {
		t.Errorf("/metrics: %d %.200s", code, body)
	}
	if err := stop(); err != nil {
		t.Fatalf("stopped: %v", err)
	}
	if _, err := http.Get(at + "/healthz"); err == nil {
		t.Error("it still listens after it stopped")
	}

	// Started again it knows what it knew, though nothing new comes.
	_, before, _ := strings.Cut(metrics, "\nrolltrace_consumer_electors_known ")
	before, _, _ = strings.Cut(before, "\n")
	stderr, _ = start(t, "--nats", hub.URL(), "--clickhouse", dsn)
	at = "http://" + stderr.wait(t, `"http":"([^"]+)"`)[1]
	stderr.wait(t, `"message":"reading the log"`)
	if code, body := get(t, at+"/readyz"); code != http.StatusOK || !strings.Contains(body, fmt.Sprintf(`"position":%d,"last":%[1]d,`, last)) {
		t.Errorf("/readyz after a restart: %d %s", code, body)
	}
	if _, body := get(t, at+"/metrics"); before == "0" || !strings.Contains(body, "\nrolltrace_consumer_electors_known "+before+"\n") {
		t.Errorf("not %s electors are known after a restart", before)
	}
}

// Each fault is one line that says what to do, and has the right exit code.
func TestFaults(t *testing.T) {
	hub, dsn := schematest.NATS(t), schematest.ClickHouse(t)
	// A server of its own: the embedded engine ends at a wrong password, and is started again.
	guarded := schematest.ClickHouseServer(t, embedded.ClickHouseConfig{}).DSN(embedded.Writer)
	unknown := filepath.Join(t.TempDir(), "unknown.yaml")
	if err := os.WriteFile(unknown, []byte("natz: x\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	taken := schematest.NATS(t).URL()[len("nats://"):]
	for _, tc := range []struct {
		name string
		args []string
		code int
		want string
	}{
		{"no tables", []string{"--nats", hub.URL(), "--clickhouse", dsn}, boot.Fault, "rolltrace migrate"},
		{"password", []string{"--nats", hub.URL(), "--clickhouse", regexp.MustCompile(`:[^:@]*@`).ReplaceAllString(guarded, ":wrong@")}, boot.Fault, "ClickHouse refuses the user of the DSN: the password is wrong, or there is no such user"},
		{"port in use", []string{"--nats", hub.URL(), "--clickhouse", dsn, "--http", taken}, boot.Fault, "choose another port"},
		{"off loopback", []string{"--nats", hub.URL(), "--clickhouse", dsn, "--http", "0.0.0.0:0"}, boot.Fault, "loopback"},
		{"no hub", []string{"--clickhouse", dsn}, boot.Usage, "nats: want"},
		{"no graph", []string{"--nats", hub.URL()}, boot.Usage, "clickhouse: want"},
		{"trust", []string{"--nats", hub.URL(), "--clickhouse", dsn, "--trust", "everybody"}, boot.Usage, "any, first or listed"},
		{"unknown flag", []string{"--natz", "x"}, boot.Usage, "--natz"},
		{"unknown key", []string{"--config", unknown}, boot.Usage, `unknown.yaml:1: unknown key "natz", did you mean nats?`},
		{"plain and far", []string{"--nats", "nats://hub.example.org:4222", "--clickhouse", dsn}, boot.Usage, "want tls://"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var stdout, stderr bytes.Buffer
			args := append([]string{"--http", "127.0.0.1:0", "--log-level", "error"}, tc.args...)
			err := boot.Command(command)(t.Context(), args, strings.NewReader(""), &stdout, &stderr)
			code := boot.Exit(t.Context(), "rolltrace-consumer", &stderr, err)
			if code != tc.code || !strings.Contains(stderr.String(), tc.want) || strings.Count(stderr.String(), "\n") != 1 {
				t.Errorf("exit code %d, %q; want %d and %q on one line", code, stderr.String(), tc.code, tc.want)
			}
			if strings.Contains(stderr.String(), "wrong@") || errors.Is(err, context.Canceled) {
				t.Errorf("it shows a password, or was cancelled: %v", err)
			}
		})
	}
}

func TestWhoSpeaksForASidecar(t *testing.T) {
	key := "UB7VFV2YDJN7GWUB3TTLMJGSUHWUEOPPTBB3MKUNXUBKTBS5T6CWWPVY"
	for name, tc := range map[string]struct{ yaml, want string }{
		"good":       {"signers: [{sidecar: party-a/field-db-1, keys: [" + key + "]}]", ""},
		"no sidecar": {"signers: [{sidecar: field-db-1, keys: [" + key + "]}]", "org/sidecar"},
		"no key":     {"signers: [{sidecar: party-a/field-db-1}]", "one public nkey"},
		"a seed":     {"signers: [{sidecar: party-a/field-db-1, keys: [SUANOTAKEY]}]", "begins with U"},
		"twice":      {"signers: [{sidecar: a/b, keys: [" + key + "]}, {sidecar: a/b, keys: [" + key + "]}]", "want it once"},
	} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "consumer.yaml")
			if err := os.WriteFile(file, []byte("nats: nats://127.0.0.1:4222\nclickhouse: clickhouse://writer@127.0.0.1:9000/rolltrace\n"+tc.yaml+"\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			var stdout, stderr bytes.Buffer
			err := boot.Command(command)(t.Context(), []string{"--config", file, "--check"}, strings.NewReader(""), &stdout, &stderr)
			if tc.want == "" && err != nil || tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want) || strings.Contains(err.Error(), "\n")) {
				t.Errorf("%v; want %q", err, tc.want)
			}
		})
	}
	with := &settings{}
	with.Hub.Seed = "consumer.seed"
	if with.trust() != consumers.TrustFirst || (&settings{}).trust() == consumers.TrustFirst {
		t.Error("a hub that asks who everybody is gives trust in the first signer, and no other hub does")
	}
}
