package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/rolltrace/rolltrace/deploy/embedded"
	"github.com/rolltrace/rolltrace/schema"
	"github.com/rolltrace/rolltrace/schema/schematest"
)

// sidecar starts `run` as a process and waits until tee can come in.
func (d *desk) sidecar(more ...string) *process {
	d.t.Helper()
	p := d.start(append(append([]string{"run", "--heartbeat", "1s"}, d.settings()...), more...)...)
	p.begin()
	p.says(`"started"`)
	return p
}

// stop ends a process as a service manager does.
func (p *process) stop() {
	p.t.Helper()
	if err := p.Process.Signal(syscall.SIGTERM); err != nil {
		p.t.Fatal(err)
	}
	if code := p.end(); code != 0 {
		p.t.Fatalf("exit code %d: %s", code, p.said.String())
	}
}

// The hub is away for the whole of a tee: it is done, says where the record is, and run takes it to the hub later.
func TestTheHubIsAway(t *testing.T) {
	d := newDesk(t)
	input, ids := roll(200_000)
	e := d.good(input, d.share("--id", "elector_id")...)
	if e.stdout != string(input) || !strings.Contains(e.stderr, "the record is safe in outbox "+d.path("outbox")) || strings.Count(e.stderr, "\n") != 1 {
		t.Errorf("%d bytes came out of %d; said %q", len(e.stdout), len(input), e.stderr)
	}
	hub := d.startHub()
	run := d.sidecar()
	m := hub.closed(1)[0]
	if m.Outcome != schema.Completed || !slices.Equal(hub.keys(m, 0), d.want(schema.ElectorID, ids...)) {
		t.Errorf("recorded %+v", m)
	}
	run.stop()
}

// The next tee or emit takes to the hub what the last one left.
func TestTheNextTeeTakesWhatWasLeft(t *testing.T) {
	d := newDesk(t)
	d.good([]byte("id\n11\n"), d.share("--id", "id")...)
	hub := d.startHub()
	if e := d.good([]byte("id\n22\n"), d.share("--id", "id")...); e.stderr != "" {
		t.Errorf("said %q", e.stderr)
	}
	for i, m := range hub.closed(2) {
		if want := d.want(schema.ElectorID, []string{"11", "22"}[i]); !slices.Equal(hub.keys(m, 0), want) {
			t.Errorf("movement %d: %v", i, hub.keys(m, 0))
		}
	}
}

func TestTeeThroughARunningSidecar(t *testing.T) {
	d := newDesk(t)
	hub := d.startHub()
	run := d.sidecar("--places", "party-a/crm/voters")
	input, ids := roll(200_000)
	if e := d.good(input, d.share("--id", "elector_id")...); e.stdout != string(input) || e.stderr != "" {
		t.Errorf("%d bytes came out of %d; said %q", len(e.stdout), len(input), e.stderr)
	}
	m := hub.closed(1)[0]
	if m.Outcome != schema.Completed || !slices.Equal(hub.keys(m, 0), d.want(schema.ElectorID, ids...)) {
		t.Errorf("recorded %+v", m)
	}
	hub.until("two heartbeats", func() bool { return len(hub.beats) > 1 })
	if b := hub.beats[0]; !slices.Equal(b.Places, []schema.Place{"party-a/crm/voters"}) || b.Interval != 1000 || b.Config == "" {
		t.Errorf("heartbeat %+v", b)
	}
	if e := d.run(nil, append(d.share("--id", "1"), "--sidecar", "another")...); e.code != 1 || !strings.Contains(e.stderr, "is party-a/field-db-1, not party-a/another") {
		t.Errorf("as another sidecar: %+v", e)
	}
	// Without --org and --sidecar it is whoever runs.
	args := d.share("--id", "id")
	for _, flag := range []string{"--org", "--sidecar"} {
		args = slices.Delete(args, slices.Index(args, flag), slices.Index(args, flag)+2)
	}
	d.good([]byte("id\n11\n"), args...)
	hub.closed(2)
	run.stop()
	if _, err := os.Stat(filepath.Join(d.path("outbox"), "intake.json")); !os.IsNotExist(err) {
		t.Errorf("the way in is still there: %v", err)
	}
}

// While a tee holds the outbox another one has its own beside it, and run waits, and then takes over what was left
// there.
func TestTeesBesideEachOther(t *testing.T) {
	d := newDesk(t) // the hub is away
	first := d.start(d.share("--id", "id")...)
	in, err := first.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out := first.output()
	first.begin()
	passed := bufio.NewReader(out)
	pass := func(line string) {
		t.Helper()
		if _, err := io.WriteString(in, line); err != nil {
			t.Fatal(err)
		}
		if have, err := passed.ReadString('\n'); err != nil || have != line {
			t.Fatalf("%q came out, %v", have, err)
		}
	}
	pass("id\n")
	pass("11\n") // record by record: a slow list does not wait
	if e := d.good([]byte("id\n22\n"), d.share("--id", "id")...); !strings.Contains(e.stderr, filepath.Join("outbox", "beside")) {
		t.Errorf("the second tee said %q", e.stderr)
	}
	run := d.start(append([]string{"run"}, d.settings()...)...)
	run.begin()
	run.says("waiting for the tee or emit that holds the outbox")
	pass("33\n")
	if err := in.Close(); err != nil {
		t.Fatal(err)
	}
	if code := first.end(); code != 0 {
		t.Errorf("the first tee: exit code %d, %s", code, first.said.String())
	}
	run.says(`"started"`)
	run.stop()

	hub := d.startHub()
	run = d.sidecar()
	var have []schema.Key
	for _, m := range hub.closed(2) {
		have = append(have, hub.keys(m, 0)...)
	}
	want := d.want(schema.ElectorID, "11", "33", "22")
	if !slices.Equal(have, want) {
		t.Errorf("recorded %v, want %v", have, want)
	}
	run.says("took over what was left beside the outbox")
	run.stop()
	if left, err := os.ReadDir(filepath.Join(d.path("outbox"), besideFolder)); err != nil || len(left) > 0 {
		t.Errorf("left beside: %v, %v", left, err)
	}
}

// Whatever interrupts a tee, its movement is closed as failed, with everybody who had gone.
func TestInterrupted(t *testing.T) {
	for name, interrupt := range map[string]func(p *process, in io.Closer, out io.Closer){
		"SIGTERM":           func(p *process, _, _ io.Closer) { _ = p.Process.Signal(syscall.SIGTERM) },
		"SIGINT":            func(p *process, _, _ io.Closer) { _ = p.Process.Signal(syscall.SIGINT) },
		"its reader leaves": func(_ *process, _, out io.Closer) { _ = out.Close() },
	} {
		for _, through := range []bool{false, true} {
			d := newDesk(t)
			hub := d.startHub()
			if through {
				d.sidecar()
			}
			p := d.start(d.share("--id", "elector_id")...)
			in, err := p.StdinPipe()
			if err != nil {
				t.Fatal(err)
			}
			out := p.output()
			p.begin()
			fed := make(chan struct{})
			go func() { // for as long as somebody reads
				defer close(fed)
				text, _ := roll(100_000)
				for {
					if _, err := in.Write(text); err != nil {
						return
					}
					text = text[bytes.IndexByte(text, '\n')+1:]
				}
			}()
			passed := make([]byte, 1<<20)
			if _, err := io.ReadFull(out, passed); err != nil {
				t.Fatal(err)
			}
			interrupt(p, in, out)
			rest, _ := io.ReadAll(out)
			passed = append(passed, rest...)
			code := p.end()
			<-fed
			if said := p.said.String(); code != 1 || strings.Count(said, "\n") != 1 || strings.Contains(said, "Example") {
				t.Errorf("%s: exit code %d, said %q", name, code, said)
			}
			m := hub.closed(1)[0]
			if m.Outcome != schema.Failed {
				t.Errorf("%s: %s", name, m.Outcome)
			}
			d.recorded(name, passed, hub.keys(m, 0))
		}
	}
}

// recorded checks that every elector in the bytes is among the keys.
func (d *desk) recorded(name string, passed []byte, keys []schema.Key) {
	d.t.Helper()
	known := make(map[schema.Key]bool, len(keys))
	for _, k := range keys {
		known[k] = true
	}
	p := d.secret.Space(schema.ElectorID)
	people := 0
	for line := range bytes.Lines(passed) {
		id, _, _ := bytes.Cut(line, []byte{','})
		if len(id) != 8 {
			continue // the header, or a record that was cut off
		}
		people++
		if key, ok := p.Key(id); !ok || !known[key] {
			d.t.Fatalf("%s: an elector of the %d bytes that were put out is not recorded", name, len(passed))
		}
	}
	if people == 0 {
		d.t.Errorf("%s: nobody was put out: this shows nothing", name)
	}
}

// kill -9 of a tee, or of the sidecar that it goes through, at any moment: everybody whose bytes came out is recorded, and
// the same outbox goes on. Seeds, which some of them put in, are recorded as well.
func TestKilledAtAnyMoment(t *testing.T) {
	d := newDesk(t)
	hub := d.startHub()
	random := rand.New(rand.NewPCG(20, 21))
	plain, _ := roll(300_000)
	sown, _ := invented(300_000)
	sown = bytes.ReplaceAll(idsFirst(sown), []byte("\r\n"), []byte("\n"))
	var passed []byte
	for round := range 12 {
		text, flags := plain, d.share("--id", "elector_id")
		if round%4 == 0 || round%4 == 3 {
			text, flags = sown, append(flags, "--seeds", "200")
		}
		through := round%2 == 1
		var run *process
		if through {
			run = d.sidecar()
		}
		p := d.start(flags...)
		p.Stdin = bytes.NewReader(text)
		out := p.output()
		p.begin()
		some := make([]byte, random.IntN(len(text)))
		n, err := io.ReadFull(out, some)
		if err != nil {
			t.Fatalf("round %d: %v: %s", round, err, p.said.String())
		}
		passed = append(passed, some[:n]...)
		if through && round%4 == 1 { // the sidecar dies and comes back; the tee goes on
			_ = run.Process.Kill()
			<-run.done
			run = d.sidecar()
			rest, err := io.ReadAll(out)
			if err != nil {
				t.Fatal(err)
			}
			if code := p.end(); code != 0 || n+len(rest) != len(text) {
				t.Fatalf("round %d: the tee of a sidecar that came back: exit code %d, %d of %d bytes, %s", round, code, n+len(rest), len(text), p.said.String())
			}
			passed = append(passed, rest...)
		} else {
			_ = p.Process.Kill()
			rest, _ := io.ReadAll(out)
			passed = append(passed, rest...)
			p.end()
		}
		if through {
			run.stop()
		}
	}
	// One more, to take to the hub whatever is left, and to mark the end.
	d.good([]byte("id\n1\n"), d.share("--id", "id")...)
	last := d.want(schema.ElectorID, "1")[0]
	var keys []schema.Key
	hub.until("the last tee", func() bool {
		for _, m := range hub.movements() {
			if c := hub.chunks[m.ID][[2]uint32{0, 0}]; m.State == schema.Closed && c != nil && c.Keys[0] == last {
				return true
			}
		}
		return false
	})
	for _, chunks := range hub.chunks {
		for _, c := range chunks {
			keys = append(keys, c.Keys...)
		}
	}
	d.recorded("killed", passed, keys)
	// Whoever came next has closed what was left open, and nothing of a tee that lived.
	completed := 0
	for _, m := range hub.movements() {
		switch {
		case m.State == schema.Open:
			t.Error("a movement is still open")
		case m.Outcome == schema.Completed:
			completed++
		}
	}
	if completed < 4 {
		t.Errorf("%d movements are completed, want those of the tees that came to their end", completed)
	}
	if len(hub.gaps) > 0 {
		t.Errorf("gaps were recorded: %+v", hub.gaps[0])
	}
}

// A full outbox stops the flow: what is not recorded does not go.
func TestTheOutboxIsFull(t *testing.T) {
	d := newDesk(t)
	text, _ := roll(500_000) // 4 MB of keys
	e := d.run(text, d.share("--id", "elector_id", "--max-bytes", "2MiB", "--block-timeout", "200ms")...)
	if e.code != 1 || !strings.Contains(e.stderr, "outbox full") || len(e.stdout) == 0 || len(e.stdout) == len(text) {
		t.Errorf("exit code %d, %d of %d bytes, said %q", e.code, len(e.stdout), len(text), e.stderr)
	}
	hub := d.startHub()
	run := d.sidecar()
	m := hub.closed(1)[0]
	if m.Outcome != schema.Failed {
		t.Errorf("the movement is %s", m.Outcome)
	}
	// A chunk that found no room can have a smaller one after it that did: then the movement shows that one is missing.
	var keys []schema.Key
	for _, c := range hub.chunks[m.ID] {
		keys = append(keys, c.Keys...)
	}
	d.recorded("full", []byte(e.stdout), keys)
	if uint64(len(keys)) != m.Electors.Sets[0].Keys {
		t.Errorf("%d keys at the hub, the movement says %d", len(keys), m.Electors.Sets[0].Keys)
	}
	run.stop()
}

func TestRunFaults(t *testing.T) {
	d := newDesk(t)
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	run := func(more ...string) ended {
		return d.run(nil, append(append([]string{"run"}, d.settings()...), more...)...)
	}
	for name, test := range map[string]struct {
		args []string
		code int
		says string
	}{
		"a port in use":     {[]string{"--http", taken.Addr().String()}, 1, "http: "},
		"off loopback":      {[]string{"--http", "0.0.0.0:0"}, 1, "loopback"},
		"intake in use":     {[]string{"--intake", taken.Addr().String()}, 1, "end what listens there, or choose another port (--intake)"},
		"intake elsewhere":  {[]string{"--intake", "0.0.0.0:0"}, 1, "loopback"},
		"a key not there":   {[]string{"--key", d.path("none.json")}, 1, "rolltrace key new"},
		"a bad place":       {[]string{"--places", "party-a"}, 2, "places"},
		"a bad on_full":     {[]string{"--on-full", "drop"}, 2, "on_full"},
		"unknown key":       {[]string{"--config", d.write("bad.yaml", []byte("org: party-a\nheartbeats: 3s\n"))}, 2, "heartbeats"},
		"outbox is a file":  {[]string{"--outbox", d.path("key.json")}, 1, "key.json"},
		"seed not there":    {[]string{"--identity", d.path("none.seed")}, 1, "none.seed"},
		"no time at all":    {[]string{"--heartbeat", "0"}, 2, "heartbeat"},
		"argument":          {[]string{"now"}, 2, "arguments given: 1"},
		"a CA that is none": {[]string{"--nats", "tls://127.0.0.1:1", "--nats-ca", d.path("key.json")}, 1, "key.json"},
	} {
		e := run(test.args...)
		if e.code != test.code || !strings.Contains(e.stderr, test.says) || e.stdout != "" {
			t.Errorf("%s: exit code %d, out %q, said %q; want %d, %q", name, e.code, e.stdout, e.stderr, test.code, test.says)
		}
	}
	first := d.sidecar()
	if e := run(); e.code != 1 || !strings.Contains(e.stderr, "held by another sidecar that runs (party-a/field-db-1): end that one first") {
		t.Errorf("a second sidecar: %+v", e)
	}
	first.stop()
}

func TestCheckAndDump(t *testing.T) {
	d := newDesk(t)
	config := d.write("sidecar.yaml", []byte("org: party-a\nsidecar: field-db-1\noutbox: "+d.path("outbox")+"\nkey: "+d.path("key.json")+
		"\nnats: nats://someone:secret@127.0.0.1:4222\nheartbeat: 1m\nplaces: [party-a/crm/voters]\n"))
	if e := d.good(nil, "run", "--config", config, "--check"); e.stdout != "configuration: good\n" {
		t.Errorf("--check says %q", e.stdout)
	}
	e := d.good(nil, "run", "--config", config, "--dump", "--on-full", "pass")
	for _, want := range []string{"org: party-a", "heartbeat: 1m", "on_full: pass", "party-a/crm/voters", "from --on-full"} {
		if !strings.Contains(e.stdout, want) {
			t.Errorf("--dump has no %q: %s", want, e.stdout)
		}
	}
	if strings.Contains(e.stdout, "secret") && !strings.Contains(e.stdout, "secrets") || strings.Contains(e.stdout, ":secret@") {
		t.Errorf("--dump shows a password: %s", e.stdout)
	}
	if _, err := os.Stat(d.path("outbox")); !os.IsNotExist(err) {
		t.Errorf("--check or --dump made the outbox: %v", err)
	}
	// The same file serves tee and emit.
	if e := d.good([]byte("id\n1\n"), "tee", "--config", config, "--kind", "export", "--from", "party-a/crm/voters", "--to", "party-a/files/x.csv", "--id", "id", "--nats", d.hub); e.stdout != "id\n1\n" {
		t.Errorf("tee put out %q", e.stdout)
	}
}

// A hub with credentials: the identity logs in, where there is TLS; nats_seed does where there is none.
func TestLogIn(t *testing.T) {
	d := newDesk(t)
	identity, err := makeIdentity(d.path("identity.seed"))
	if err != nil {
		t.Fatal(err)
	}
	public, err := identity.PublicKey()
	if err != nil {
		t.Fatal(err)
	}
	server := schematest.NATSServer(t, embedded.NATSConfig{NKeys: []string{public}})
	d.hub = server.URL()
	hub := watchAs(t, server, identity)
	d.good([]byte("id\n11\n"), append(d.share("--id", "id"), "--nats-seed", d.path("identity.seed"))...)
	if m := hub.closed(1)[0]; m.Outcome != schema.Completed {
		t.Errorf("recorded %+v", m)
	}
	if e := d.good([]byte("id\n22\n"), append(d.share("--id", "id"), "--outbox", d.path("another"))...); !strings.Contains(e.stderr, "not yet at the hub") {
		t.Errorf("without credentials: said %q", e.stderr)
	}
}

func TestIdentityIsMadeOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "outbox", "identity.seed")
	made := make(chan string, 8)
	for range cap(made) {
		go func() {
			identity, err := makeIdentity(path)
			if err != nil {
				made <- err.Error()
				return
			}
			public, _ := identity.PublicKey()
			made <- public
		}()
	}
	first := <-made
	for range cap(made) - 1 {
		if other := <-made; other != first {
			t.Errorf("%s and %s", first, other)
		}
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
	if left, err := os.ReadDir(filepath.Dir(path)); err != nil || len(left) != 1 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

// A movement that was left open is closed as failed with what is known, by whoever opens the outbox next: a tee that held the
// outbox itself, one in an outbox beside it, and one that came in through a sidecar which is gone too.
func TestWhatWasLeftOpenIsClosed(t *testing.T) {
	d := newDesk(t) // the hub is away
	tee := func(id string) *process {
		t.Helper()
		p := d.start(d.share("--id", "id")...)
		in, err := p.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		out := bufio.NewReader(p.output())
		p.begin()
		if _, err := io.WriteString(in, "id\n"+id+"\n"); err != nil {
			t.Fatal(err)
		}
		for _, line := range []string{"id\n", id + "\n"} {
			if have, err := out.ReadString('\n'); err != nil || have != line {
				t.Fatalf("%q came out, %v: %s", have, err, p.said.String())
			}
		}
		return p
	}
	kill := func(p *process) {
		t.Helper()
		if err := p.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		p.end()
	}
	kill(tee("11"))
	holder, another := tee("22"), tee("33")
	kill(another)
	kill(holder)
	run := d.sidecar()
	client := tee("44")
	kill(run)
	kill(client)

	hub := d.startHub()
	run = d.sidecar()
	have := map[schema.Key]bool{}
	for _, m := range hub.closed(4) {
		keys := hub.keys(m, 0)
		if m.Outcome != schema.Failed || m.Reason != "the recording process is gone" || len(keys) != 1 || m.Electors.Records != 1 {
			t.Errorf("closed as %s (%s), %d keys", m.Outcome, m.Reason, len(keys))
			continue
		}
		have[keys[0]] = true
	}
	for _, want := range d.want(schema.ElectorID, "11", "22", "33", "44") {
		if !have[want] {
			t.Error("one is missing")
		}
	}
	// While the sidecar runs it sees by itself that its client is gone, and says so.
	kill(tee("55"))
	hub.closed(5)
	run.says("movement whose recording process is gone is closed as failed")
	run.stop()
	for line := range strings.Lines(run.said.String()) {
		if key := repeated(t, line); key != "" {
			t.Errorf("%q is twice in %s", key, line)
		}
	}
}

// repeated is a key that is there twice in a flat JSON object, or "".
func repeated(t *testing.T, line string) string {
	t.Helper()
	tokens := json.NewDecoder(strings.NewReader(line))
	seen := map[string]bool{}
	for i := -1; ; i++ {
		token, err := tokens.Token()
		if err == io.EOF {
			return ""
		}
		if err != nil {
			t.Fatalf("no JSON: %s: %v", line, err)
		}
		if key, ok := token.(string); ok && i%2 == 0 {
			if seen[key] {
				return key
			}
			seen[key] = true
		}
	}
}
