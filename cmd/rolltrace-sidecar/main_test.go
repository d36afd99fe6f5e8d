package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nkeys"

	"github.com/rolltrace/rolltrace/cmd/internal/boot"
	"github.com/rolltrace/rolltrace/deploy/embedded"
	"github.com/rolltrace/rolltrace/producers/pseudonym"
	"github.com/rolltrace/rolltrace/schema"
	"github.com/rolltrace/rolltrace/schema/schematest"
	"github.com/rolltrace/rolltrace/schema/stream"
	"github.com/rolltrace/rolltrace/schema/wire"
)

// processEnv makes this test binary the program.
const processEnv = "SIDECAR_TEST_PROCESS"

func TestMain(m *testing.M) {
	if os.Getenv(processEnv) != "" {
		main()
	}
	os.Exit(m.Run())
}

// patience bounds every wait for an event.
const patience = 60 * time.Second

// A desk is a folder with a key, and the settings of a sidecar.
type desk struct {
	t      *testing.T
	dir    string
	secret pseudonym.Secret
	hub    string // its URL; nobody listens there unless a hub was started
	outbox string // its folder
}

func newDesk(t *testing.T) *desk {
	d := &desk{t: t, dir: t.TempDir(), secret: pseudonym.NewSecret(), hub: "nats://127.0.0.1:1"}
	d.outbox = d.path("outbox")
	d.write("key.json", d.secret.KeyFile())
	return d
}

func (d *desk) path(name string) string { return filepath.Join(d.dir, name) }

func (d *desk) write(name string, content []byte) string {
	d.t.Helper()
	if err := os.WriteFile(d.path(name), content, 0o600); err != nil {
		d.t.Fatal(err)
	}
	return d.path(name)
}

// settings are the flags that say where everything is.
func (d *desk) settings() []string {
	return []string{"--org", "party-a", "--sidecar", "field-db-1", "--outbox", d.outbox, "--key", d.path("key.json"), "--nats", d.hub}
}

// share are the flags of a tee of a list on its way to a vendor.
func (d *desk) share(more ...string) []string {
	args := append([]string{"tee", "--kind", "share", "--from", "party-a/crm/voters", "--to", "acme-mail/uploads/list.csv"}, d.settings()...)
	return append(args, more...)
}

// ended is what a command left behind.
type ended struct {
	code           int
	stdout, stderr string
}

// run runs a command in this process.
func (d *desk) run(stdin []byte, args ...string) ended {
	d.t.Helper()
	var stdout bytes.Buffer
	var stderr lockedBuffer // the client of the hub may still log when the command has ended
	ctx, cancel := context.WithTimeout(d.t.Context(), patience)
	defer cancel()
	err := boot.Command(commands)(ctx, args, bytes.NewReader(stdin), &stdout, &stderr)
	code := boot.Exit(ctx, "rolltrace-sidecar", &stderr, err)
	return ended{code, stdout.String(), stderr.String()}
}

// good runs a command that has to be done.
func (d *desk) good(stdin []byte, args ...string) ended {
	d.t.Helper()
	e := d.run(stdin, args...)
	if e.code != 0 {
		d.t.Fatalf("exit code %d: %s", e.code, e.stderr)
	}
	return e
}

// start starts a command as a process, which is killed when the test ends.
func (d *desk) start(args ...string) *process {
	d.t.Helper()
	p := &process{t: d.t, Cmd: exec.Command(os.Args[0], args...), done: make(chan struct{})}
	p.Env = append(os.Environ(), processEnv+"=1")
	p.Stderr = &p.said
	d.t.Cleanup(func() {
		if p.Process != nil {
			_ = p.Process.Kill()
			<-p.done
		}
	})
	return p
}

// A process is the program as one of its own.
type process struct {
	*exec.Cmd
	t    *testing.T
	said lockedBuffer
	mine *os.File // our end of what the process writes to
	done chan struct{}
}

// output is the process's stdout: unlike StdoutPipe it can be read after the process has ended. Call it before begin.
func (p *process) output() *os.File {
	p.t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		p.t.Fatal(err)
	}
	p.Stdout, p.mine = w, w
	p.t.Cleanup(func() { _ = r.Close() })
	return r
}

func (p *process) begin() {
	p.t.Helper()
	if err := p.Start(); err != nil {
		p.t.Fatal(err)
	}
	if p.mine != nil {
		_ = p.mine.Close()
	}
	go func() {
		_ = p.Wait()
		close(p.done)
	}()
}

// says waits until the process has written text to stderr.
func (p *process) says(text string) {
	p.t.Helper()
	if !p.said.await(text, p.done) {
		p.t.Fatalf("the process did not say %q but: %s", text, p.said.String())
	}
}

// end waits for the process and returns its exit code; -1 when a signal ended it.
func (p *process) end() int {
	p.t.Helper()
	select {
	case <-p.done:
	case <-time.After(patience):
		_ = p.Process.Signal(syscall.SIGQUIT)
		<-p.done
		p.t.Fatalf("the process did not end: %s", p.said.String())
	}
	return p.ProcessState.ExitCode()
}

// lockedBuffer is a buffer that can be waited for.
type lockedBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
	news chan struct{}
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.news != nil {
		close(b.news)
		b.news = nil
	}
	return b.text.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

func (b *lockedBuffer) await(text string, done <-chan struct{}) bool {
	late := time.After(patience)
	for {
		b.mu.Lock()
		has := strings.Contains(b.text.String(), text)
		if b.news == nil {
			b.news = make(chan struct{})
		}
		news := b.news
		b.mu.Unlock()
		if has {
			return true
		}
		select {
		case <-news:
		case <-done:
			return strings.Contains(b.String(), text)
		case <-late:
			return false
		}
	}
}

// startHub starts a hub with the log, and lets the desk know.
func (d *desk) startHub() *hubLog {
	d.t.Helper()
	server := schematest.NATS(d.t)
	d.hub = server.URL()
	return watch(d.t, server)
}

// hubLog is the log at a hub, read from its beginning.
type hubLog struct {
	t        *testing.T
	js       jetstream.JetStream
	messages jetstream.MessagesContext

	byID   map[string]map[uint32]*schema.Movement // movement, revision
	chunks map[string]map[[2]uint32]*wire.Chunk   // movement, set and index
	beats  []*wire.Heartbeat
	gaps   []*wire.Gap
	count  int // messages, repeated ones left out by the hub
}

func watch(t *testing.T, server *embedded.NATS) *hubLog {
	t.Helper()
	return watchThrough(t, schematest.JetStream(t, server))
}

// watchAs is watch at a hub that wants an nkey.
func watchAs(t *testing.T, server *embedded.NATS, identity nkeys.KeyPair) *hubLog {
	t.Helper()
	public, err := identity.PublicKey()
	if err != nil {
		t.Fatal(err)
	}
	return watchThrough(t, schematest.JetStream(t, server, nats.Nkey(public, identity.Sign)))
}

func watchThrough(t *testing.T, js jetstream.JetStream) *hubLog {
	t.Helper()
	log, err := stream.Ensure(t.Context(), js, stream.Options{})
	if err != nil {
		t.Fatal(err)
	}
	consumer, err := log.Stream.OrderedConsumer(t.Context(), stream.From(1))
	if err != nil {
		t.Fatal(err)
	}
	messages, err := consumer.Messages()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(messages.Stop)
	return &hubLog{t: t, js: js, messages: messages, byID: map[string]map[uint32]*schema.Movement{}, chunks: map[string]map[[2]uint32]*wire.Chunk{}}
}

// until reads the log until the test has seen what it waits for.
func (h *hubLog) until(what string, enough func() bool) {
	h.t.Helper()
	ctx, cancel := context.WithTimeout(h.t.Context(), patience)
	defer cancel()
	for !enough() {
		m, err := h.messages.Next(jetstream.NextContext(ctx))
		if err != nil {
			h.t.Fatalf("waiting for %s: %v; so far %d messages, movements %v", what, err, h.count, h.movements())
		}
		h.take(m)
	}
}

func (h *hubLog) take(m jetstream.Msg) {
	h.t.Helper()
	h.count++
	r, err := wire.Decode(m.Subject(), m.Headers(), m.Data())
	if err != nil {
		h.t.Fatalf("%s: %v: %v %d %.400s", m.Subject(), err, m.Headers(), len(m.Data()), m.Data())
	}
	if r.Org != "party-a" || r.Sidecar != "field-db-1" {
		h.t.Errorf("a message of %s/%s", r.Org, r.Sidecar)
	}
	switch {
	case r.Movement != nil:
		if h.byID[r.Movement.ID] == nil {
			h.byID[r.Movement.ID] = map[uint32]*schema.Movement{}
		}
		if before := h.byID[r.Movement.ID][r.Movement.Revision]; before != nil && before.Outcome != r.Movement.Outcome {
			h.t.Errorf("revision %d of a movement is %q and %q", r.Movement.Revision, before.Outcome, r.Movement.Outcome)
		}
		h.byID[r.Movement.ID][r.Movement.Revision] = r.Movement
	case r.Chunk != nil:
		if h.chunks[r.Chunk.Movement] == nil {
			h.chunks[r.Chunk.Movement] = map[[2]uint32]*wire.Chunk{}
		}
		h.chunks[r.Chunk.Movement][[2]uint32{uint32(r.Chunk.Set), r.Chunk.Index}] = r.Chunk
	case r.Heartbeat != nil:
		h.beats = append(h.beats, r.Heartbeat)
	case r.Gap != nil:
		h.gaps = append(h.gaps, r.Gap)
	}
}

// movements are the current forms, in the order of their ids.
func (h *hubLog) movements() []*schema.Movement {
	var all []*schema.Movement
	for _, revisions := range h.byID {
		var newest *schema.Movement
		for _, m := range revisions {
			if newest == nil || m.Revision > newest.Revision {
				newest = m
			}
		}
		all = append(all, newest)
	}
	slices.SortFunc(all, func(a, b *schema.Movement) int { return strings.Compare(a.ID, b.ID) })
	return all
}

// closed waits until so many movements are closed, and returns all.
func (h *hubLog) closed(n int) []*schema.Movement {
	h.t.Helper()
	h.until(fmt.Sprintf("%d closed movements", n), func() bool {
		closed := 0
		for _, m := range h.movements() {
			if m.State == schema.Closed {
				closed++
			}
		}
		return closed >= n
	})
	return h.movements()
}

// keys are those of a movement's set, in order, as its chunks at the hub have them. They have to be what the movement says.
func (h *hubLog) keys(m *schema.Movement, set int) []schema.Key {
	h.t.Helper()
	var keys []schema.Key
	var digest wire.SetDigest
	for i := range m.Electors.Sets[set].Chunks {
		c := h.chunks[m.ID][[2]uint32{uint32(set), i}]
		if c == nil {
			h.t.Fatalf("movement %s: chunk %d of set %d is not at the hub", m.ID, i, set)
		}
		keys = append(keys, c.Keys...)
		digest.Add(c.BodyHash())
	}
	if s := m.Electors.Sets[set]; uint64(len(keys)) != s.Keys || digest.String() != s.Digest {
		h.t.Errorf("movement %s, set %d: %d keys, %s; it says %d, %s", m.ID, set, len(keys), &digest, s.Keys, s.Digest)
	}
	return keys
}

// want are the keys of identifiers.
func (d *desk) want(space schema.IDSpace, ids ...string) []schema.Key {
	p := d.secret.Space(space)
	var keys []schema.Key
	for _, id := range ids {
		if key, ok := p.Key([]byte(id)); ok {
			keys = append(keys, key)
		}
	}
	return keys
}

// roll is a list of n invented people, and their identifiers.
func roll(n int) (text []byte, ids []string) {
	var b bytes.Buffer
	b.WriteString("elector_id,name,address\n")
	for i := range n {
		id := fmt.Sprintf("%08d", (i*7919+12345)%100_000_000)
		ids = append(ids, id)
		fmt.Fprintf(&b, "%s,\"Example, %d\",%d Invented Street\n", id, i, i%1000)
	}
	return b.Bytes(), ids
}
