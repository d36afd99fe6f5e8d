package endtoend

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/rolltrace/rolltrace/deploy/embedded"
	"github.com/rolltrace/rolltrace/producers/pseudonym"
	"github.com/rolltrace/rolltrace/schema/graph"
	"github.com/rolltrace/rolltrace/schema/schematest"
)

// hubVariable makes this test binary a hub: "folder address". A hub that is to be killed is a process.
const hubVariable = "ENDTOEND_HUB"

func TestMain(m *testing.M) {
	if asked := os.Getenv(hubVariable); asked != "" {
		os.Exit(hub(asked))
	}
	schematest.Main(m)
}

func hub(asked string) int {
	folder, address, _ := strings.Cut(asked, " ")
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	server, err := embedded.StartNATS(ctx, embedded.NATSConfig{Dir: folder, Listen: address, Log: zerolog.New(os.Stderr)})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	fmt.Println("listening")
	<-ctx.Done()
	server.Stop()
	return 0
}

// programs builds the three programs once for this test binary, and returns the folder that they are in.
var programs = sync.OnceValues(func() (string, error) {
	folder, err := os.MkdirTemp("", "rolltrace-programs-")
	if err != nil {
		return "", err
	}
	build := exec.Command("go", "build", "-o", folder+string(filepath.Separator), "github.com/rolltrace/rolltrace/cmd/...")
	if said, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build the programs: %w\n%s", err, said)
	}
	return folder, nil
})

// A process is one of the programs, at work.
type process struct {
	cmd  *exec.Cmd
	said *tail
	done chan struct{}
	err  error // once done is closed
}

// tail keeps the last lines that a process said, for the message of a failing test.
type tail struct {
	mu    sync.Mutex
	lines []string
}

func (t *tail) follow(r io.Reader, line func(string)) {
	for s := bufio.NewScanner(r); s.Scan(); {
		t.mu.Lock()
		t.lines = append(t.lines, s.Text())
		t.lines = t.lines[max(0, len(t.lines)-30):]
		t.mu.Unlock()
		if line != nil {
			line(s.Text())
		}
	}
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return strings.Join(t.lines, "\n")
}

func (p *process) kill() {
	_ = p.cmd.Process.Signal(syscall.SIGKILL)
	<-p.done
}

// stop ends a process as an operator would.
func (p *process) stop() error {
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.done:
		return p.err
	case <-time.After(time.Minute):
		p.kill()
		return fmt.Errorf("%s did not end on SIGTERM:\n%s", filepath.Base(p.cmd.Path), p.said)
	}
}

// start starts a command whose stderr is kept. stdin and stdout are the caller's to set before.
func start(t testing.TB, cmd *exec.Cmd, line func(string)) *process {
	t.Helper()
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	p := &process{cmd: cmd, said: &tail{}, done: make(chan struct{})}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	read := make(chan struct{})
	go func() {
		defer close(read)
		p.said.follow(stderr, line)
	}()
	go func() {
		<-read
		p.err = cmd.Wait()
		close(p.done)
	}()
	t.Cleanup(func() {
		select {
		case <-p.done:
		default:
			p.kill()
		}
	})
	return p
}

// A house is everything between a list and an answer, each part a process that can be killed and begun
// again as it was.
type house struct {
	t          testing.TB
	folder     string
	bin        string
	secret     pseudonym.Secret
	clickhouse *embedded.ClickHouse

	hubAddress             string
	hub, consumer, sidecar *process
	started                chan struct{} // closed when tee can go through the sidecar
}

func newHouse(t testing.TB) *house {
	t.Helper()
	bin, err := programs()
	if err != nil {
		t.Fatal(err)
	}
	h := &house{t: t, folder: t.TempDir(), bin: bin, secret: pseudonym.NewSecret(), hubAddress: freeAddress(t)}
	h.write("key.json", h.secret.KeyFile())
	h.clickhouse = schematest.ClickHouseServer(t, embedded.ClickHouseConfig{Log: zerolog.Nop()})
	if err := graph.Migrate(t.Context(), graph.Options{DSN: h.clickhouse.DSN(embedded.Owner)}); err != nil {
		t.Fatal(err)
	}
	h.write("sidecar.yaml", fmt.Appendf(nil, "org: party-a\nsidecar: field-db-1\noutbox: %q\nnats: %q\nkey: %q\nheartbeat: 1s\n",
		h.path("outbox"), h.natsURL(), h.path("key.json")))
	h.startHub()
	h.startConsumer()
	h.startSidecar()
	return h
}

func (h *house) natsURL() string         { return "nats://" + h.hubAddress }
func (h *house) path(name string) string { return filepath.Join(h.folder, name) }

func (h *house) write(name string, content []byte) {
	h.t.Helper()
	if err := os.WriteFile(h.path(name), content, 0o600); err != nil {
		h.t.Fatal(err)
	}
}

func (h *house) command(program string, args ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(h.bin, program), args...)
	cmd.Dir = h.folder
	return cmd
}

func (h *house) startHub() {
	h.t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), hubVariable+"="+h.path("hub")+" "+h.hubAddress)
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		h.t.Fatal(err)
	}
	h.hub = start(h.t, cmd, nil)
	if !bufio.NewScanner(stdout).Scan() {
		h.t.Fatalf("the hub did not start:\n%s", h.hub.said)
	}
}

func (h *house) startConsumer() {
	h.t.Helper()
	h.consumer = start(h.t, h.command("rolltrace-consumer", "--nats", h.natsURL(),
		"--clickhouse", h.clickhouse.DSN(embedded.Writer), "--http", "127.0.0.1:0"), nil)
}

func (h *house) startSidecar() {
	h.t.Helper()
	started := make(chan struct{})
	h.started = started
	h.sidecar = start(h.t, h.command("rolltrace-sidecar", "run", "--config", h.path("sidecar.yaml")), func(line string) {
		if strings.Contains(line, `"started"`) {
			close(started)
		}
	})
}

// tee starts a tee that reads stdin and writes to stdout.
func (h *house) tee(stdin io.Reader, stdout io.Writer, place string) *process {
	h.t.Helper()
	cmd := h.command("rolltrace-sidecar", "tee", "--config", h.path("sidecar.yaml"), "--kind", "export",
		"--from", "party-a/crm/voters", "--to", place, "--id", "elector_id", "--fields", "name")
	cmd.Stdin, cmd.Stdout = stdin, stdout
	return start(h.t, cmd, nil)
}

// held is the keys that a place was reached by, in hex, as the people's tool answers, the codes of the answer's
// notes, and whether it says that it is whole.
func (h *house) held(place string) (keys, notes []string, complete bool, err error) {
	cmd := h.command("rolltrace", "electors", "--at", place, "--reached", "--list", "--limit", "-1", "--json",
		"--clickhouse", h.clickhouse.DSN(embedded.Owner))
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, nil, false, fmt.Errorf("rolltrace electors: %w: %s", err, stderr.Bytes())
	}
	var answer struct {
		Complete bool `json:"complete"`
		Notes    []struct {
			Code string `json:"code"`
		} `json:"notes"`
		Keys []struct {
			Key string `json:"key"`
		} `json:"keys"`
	}
	if err := json.Unmarshal(out, &answer); err != nil {
		return nil, nil, false, err
	}
	for _, k := range answer.Keys {
		keys = append(keys, k.Key)
	}
	for _, n := range answer.Notes {
		notes = append(notes, n.Code)
	}
	return keys, notes, answer.Complete, nil
}

// count is how many electors a place was reached by, of all id spaces.
func (h *house) count(place string) (uint64, error) {
	out, err := h.command("rolltrace", "electors", "--at", place, "--reached", "--json",
		"--clickhouse", h.clickhouse.DSN(embedded.Owner)).Output()
	if err != nil {
		return 0, err
	}
	var answer struct {
		Electors []struct {
			Electors uint64 `json:"electors"`
		} `json:"electors"`
	}
	if err := json.Unmarshal(out, &answer); err != nil {
		return 0, err
	}
	var n uint64
	for _, c := range answer.Electors {
		n += c.Electors
	}
	return n, nil
}

// freeAddress is a port of loopback that nobody had a moment ago: for a server that is begun again and again
// at the same address.
func freeAddress(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}
