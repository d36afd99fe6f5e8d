package intake_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
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
	"github.com/nats-io/nkeys"
	"github.com/rs/zerolog"

	"github.com/rolltrace/rolltrace/producers"
	"github.com/rolltrace/rolltrace/producers/intake"
	"github.com/rolltrace/rolltrace/producers/outbox"
	"github.com/rolltrace/rolltrace/schema"
	"github.com/rolltrace/rolltrace/schema/wire"
)

// TestMain is a client process when a test asks for one.
func TestMain(m *testing.M) {
	if dir := os.Getenv("INTAKE_TEST_CLIENT"); dir != "" {
		client(dir)
		return
	}
	os.Exit(m.Run())
}

// client opens a movement through the intake, records keys, says so, and waits to be killed.
func client(dir string) {
	ctx := context.Background()
	c, err := intake.Dial(ctx, intake.ClientConfig{Dir: dir})
	if err == nil {
		var r *producers.Recorder
		if r, err = producers.NewRecorder(producers.RecorderConfig{Outbox: c}); err == nil {
			var recording *producers.Recording
			if recording, err = r.Begin(ctx, movement()); err == nil {
				for i := range 3 {
					if err = errors.Join(recording.Add(ctx, 0, keys(uint64(i), 100)), recording.Flush(ctx)); err != nil {
						break
					}
				}
				fmt.Println(recording.Movement().ID)
			}
		}
	}
	if err != nil {
		fmt.Println("error:", err)
	}
	select {}
}

func movement() schema.Movement {
	return schema.Movement{
		Kind: schema.Share, Inputs: []schema.Input{{Place: "party-a/crm/voters"}}, Output: "acme-mail/uploads/cards.csv",
		Electors: schema.Electors{Sets: []schema.Set{{IDSpace: schema.ElectorID, KeyID: "k-5f2a9c01"}}},
	}
}

func keys(run uint64, n int) []schema.Key {
	keys := make([]schema.Key, n)
	for i := range keys {
		keys[i] = schema.Key(run<<32 | uint64(i))
	}
	return keys
}

func logger(t testing.TB) zerolog.Logger {
	return zerolog.New(zerolog.NewTestWriter(t)).Level(zerolog.InfoLevel)
}

func open(t testing.TB, dir string) *outbox.Outbox {
	t.Helper()
	kp, err := nkeys.FromRawSeed(nkeys.PrefixByteUser, []byte("rolltrace intake tests: 32 bytes"))
	if err != nil {
		t.Fatal(err)
	}
	o, err := outbox.Open(t.Context(), outbox.Config{Dir: dir, Org: "party-a", Sidecar: "field-db-1", Signer: kp, Log: logger(t)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closeNow(t, o) })
	return o
}

func closeNow(t testing.TB, c interface{ Close(context.Context) error }) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	if err := c.Close(ctx); err != nil {
		t.Errorf("close: %v", err)
	}
}

// serve runs an intake and returns the function that ends it.
func serve(t testing.TB, dir string, o producers.Holder) (stop func()) {
	t.Helper()
	i, err := intake.New(intake.Config{
		Dir: dir, Outbox: o, Org: "party-a", Sidecar: "field-db-1", Grace: 100 * time.Millisecond, Log: logger(t),
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- i.Run(ctx) }()
	select {
	case <-i.Ready():
	case err := <-ended:
		t.Fatal(err)
	}
	var once sync.Once
	stop = func() {
		once.Do(func() {
			cancel()
			if err := <-ended; err != nil {
				t.Errorf("intake: %v", err)
			}
		})
	}
	t.Cleanup(stop)
	return stop
}

func dial(t testing.TB, dir string) *intake.Client {
	t.Helper()
	c, err := intake.Dial(t.Context(), intake.ClientConfig{Dir: dir, Timeout: 20 * time.Second, Log: logger(t)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closeNow(t, c) })
	return c
}

func recorder(t testing.TB, o producers.Outbox) *producers.Recorder {
	t.Helper()
	r, err := producers.NewRecorder(producers.RecorderConfig{Outbox: o})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// until reads from the outbox until the function has seen enough.
func until(t testing.TB, o *outbox.Outbox, enough func(wire.Record) bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	var after uint64
	for {
		b, err := o.Read(ctx, after)
		if err != nil {
			t.Fatal(err)
		}
		after = b.Position
		for _, m := range b.Messages {
			r, err := wire.Decode(m.Subject, m.Header, m.Body)
			if err != nil {
				t.Fatal(err)
			}
			if enough(r) {
				return
			}
		}
	}
}

func TestSeveralClientsRecordAtOnce(t *testing.T) {
	dir := t.TempDir()
	o := open(t, dir)
	serve(t, dir, o)
	const clients, movements = 4, 5
	var wg sync.WaitGroup
	for n := range clients {
		c := dial(t, dir)
		if c.Org() != "party-a" || c.Sidecar() != "field-db-1" {
			t.Errorf("outbox of %s/%s", c.Org(), c.Sidecar())
		}
		wg.Add(1)
		go func() {
			defer wg.Done()
			r := recorder(t, c)
			for m := range movements {
				recording, err := r.Begin(t.Context(), movement())
				if err != nil {
					t.Error(err)
					return
				}
				for range 3 {
					if err := recording.Add(t.Context(), 0, keys(uint64(n*100+m), 70_000)); err != nil {
						t.Error(err)
					}
				}
				recording.Count(210_001, 1)
				if err := recording.Close(t.Context(), schema.Completed, schema.Evidence{Bytes: 7}); err != nil {
					t.Error(err)
				}
			}
		}()
	}
	wg.Wait()
	opened, next, closed := map[string]bool{}, map[string]uint32{}, 0
	until(t, o, func(r wire.Record) bool {
		switch {
		case r.Chunk != nil:
			if !opened[r.Chunk.Movement] || r.Chunk.Index != next[r.Chunk.Movement] {
				t.Errorf("chunk %d of a movement, want %d", r.Chunk.Index, next[r.Chunk.Movement])
			}
			next[r.Chunk.Movement]++
		case r.Movement.State == schema.Open:
			opened[r.Movement.ID] = true
		default:
			closed++
			if s := r.Movement.Electors.Sets[0]; s.Keys != 210_000 || s.Unkeyed != 1 || s.Chunks != next[r.Movement.ID] ||
				r.Movement.Outcome != schema.Completed {
				t.Errorf("closed as %s with %+v after %d chunks", r.Movement.Outcome, s, next[r.Movement.ID])
			}
		}
		return closed == clients*movements
	})
}

// startClient starts a client process that has a movement with 300 keys open, and returns what kills it.
func startClient(t *testing.T, dir string) (id string, kill func()) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "INTAKE_TEST_CLIENT="+dir)
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	said, err := bufio.NewReader(out).ReadString('\n')
	if id = strings.TrimSpace(said); err != nil || !schema.ValidID(id) {
		t.Fatalf("client says %q (%v)", id, err)
	}
	kill = func() {
		_ = cmd.Process.Signal(syscall.SIGKILL)
		_ = cmd.Wait()
	}
	t.Cleanup(kill)
	return id, kill
}

func TestMovementOfAKilledClientIsClosedAsFailed(t *testing.T) {
	dir := t.TempDir()
	o := open(t, dir)
	serve(t, dir, o)
	id, kill := startClient(t, dir)
	kill()
	closedAsFailed(t, o, id)
	if left, err := filepath.Glob(filepath.Join(dir, "writing", "*")); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

// The holder and its client are gone: the next holder closes what is open.
func TestMovementOfAClientThatDiedWithoutAHolder(t *testing.T) {
	dir := t.TempDir()
	o := open(t, dir)
	stop := serve(t, dir, o)
	id, kill := startClient(t, dir)
	stop()
	kill()
	closeNow(t, o)
	o = open(t, dir)
	intake.CloseAbandoned(t.Context(), dir, o, logger(t))
	closedAsFailed(t, o, id)
}

// A client that lives on without a holder keeps its movement open, and the next holder sees when it goes, though it has said
// nothing more.
func TestMovementOfAClientThatOutlivesItsHolder(t *testing.T) {
	dir := t.TempDir()
	o := open(t, dir)
	stop := serve(t, dir, o)
	id, kill := startClient(t, dir)
	stop()
	closeNow(t, o)
	o = open(t, dir)
	intake.CloseAbandoned(t.Context(), dir, o, logger(t))
	if open := o.Unclosed(); !slices.Equal(open, []string{id}) {
		t.Fatalf("open are %v, want that of a client which lives", open)
	}
	serve(t, dir, o)
	kill()
	closedAsFailed(t, o, id)
}

// closedAsFailed waits until the client's movement is closed, with all that it recorded.
func closedAsFailed(t *testing.T, o *outbox.Outbox, id string) {
	t.Helper()
	var digest wire.SetDigest
	until(t, o, func(r wire.Record) bool {
		switch {
		case r.Chunk != nil:
			digest.Add(r.Chunk.BodyHash())
		case r.Movement.State == schema.Closed:
			s := r.Movement.Electors.Sets[0]
			if r.Movement.ID != id || r.Movement.Outcome != schema.Failed || r.Movement.Revision != 2 || s.Chunks != 3 || s.Keys != 300 || s.Digest != digest.String() {
				t.Errorf("closed %s revision %d as %s with %+v, want failed with 300 keys", r.Movement.ID, r.Movement.Revision, r.Movement.Outcome, s)
			}
			return true
		}
		return false
	})
}

func TestClientThatLeavesMovementsOpen(t *testing.T) {
	dir := t.TempDir()
	o := open(t, dir)
	serve(t, dir, o)
	c := dial(t, dir)
	r := recorder(t, c)
	done, err := r.Begin(t.Context(), movement())
	if err != nil {
		t.Fatal(err)
	}
	left, err := r.Begin(t.Context(), movement())
	if err != nil {
		t.Fatal(err)
	}
	if err := done.Close(t.Context(), schema.Completed, schema.Evidence{}); err != nil {
		t.Fatal(err)
	}
	closeNow(t, c)
	closings := map[string]schema.Outcome{}
	until(t, o, func(r wire.Record) bool {
		if m := r.Movement; m != nil && m.State == schema.Closed {
			if _, twice := closings[m.ID]; twice {
				t.Errorf("closed twice")
			}
			closings[m.ID] = m.Outcome
		}
		return len(closings) == 2
	})
	if closings[done.Movement().ID] != schema.Completed || closings[left.Movement().ID] != schema.Failed {
		t.Errorf("closings %v", closings)
	}
	if _, err := c.Append(t.Context(), wire.Draft{}); !errors.Is(err, producers.ErrClosed) {
		t.Errorf("append after close: %v", err)
	}
}

func TestHolderIsReplacedWhileAClientRecords(t *testing.T) {
	dir := t.TempDir()
	o := open(t, dir)
	stop := serve(t, dir, o)
	c := dial(t, dir)
	recording, err := recorder(t, c).Begin(t.Context(), movement())
	if err != nil {
		t.Fatal(err)
	}
	var next uint64
	write := func(n int) {
		t.Helper()
		for range n {
			if err := recording.Add(t.Context(), 0, keys(next, 10)); err != nil {
				t.Fatal(err)
			}
			if _, err := recording.Commit(t.Context()); err != nil {
				t.Fatal(err)
			}
			next++
		}
	}
	write(20)
	stop()
	closeNow(t, o)
	written := make(chan error, 1)
	write(5) // while nobody is there
	go func() { written <- recording.Flush(t.Context()) }()
	o = open(t, dir)
	serve(t, dir, o)
	if err := <-written; err != nil {
		t.Fatal(err)
	}
	write(5)
	if err := recording.Close(t.Context(), schema.Completed, schema.Evidence{}); err != nil {
		t.Fatal(err)
	}
	chunks := map[uint32][32]byte{}
	until(t, o, func(r wire.Record) bool {
		if r.Chunk != nil {
			if hash, twice := chunks[r.Chunk.Index]; twice && hash != r.Chunk.BodyHash() {
				t.Errorf("chunk %d twice, with other keys", r.Chunk.Index)
			}
			chunks[r.Chunk.Index] = r.Chunk.BodyHash()
			return false
		}
		if r.Movement.State == schema.Open {
			return false
		}
		var digest wire.SetDigest
		for i := range r.Movement.Electors.Sets[0].Chunks {
			digest.Add(chunks[i])
		}
		if s := r.Movement.Electors.Sets[0]; len(chunks) != 30 || s.Digest != digest.String() || r.Movement.Outcome != schema.Completed {
			t.Errorf("closed as %s with %+v, and %d chunks are there", r.Movement.Outcome, s, len(chunks))
		}
		return true
	})
}

func TestHolderStaysAway(t *testing.T) {
	dir := t.TempDir()
	o := open(t, dir)
	stop := serve(t, dir, o)
	c, err := intake.Dial(t.Context(), intake.ClientConfig{Dir: dir, Timeout: 300 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	defer closeNow(t, c)
	recording, err := recorder(t, c).Begin(t.Context(), movement())
	if err != nil {
		t.Fatal(err)
	}
	stop()
	err = errors.Join(recording.Add(t.Context(), 0, keys(1, 10)), recording.Flush(t.Context()))
	if !errors.Is(err, producers.ErrBroken) || !strings.Contains(err.Error(), dir) {
		t.Errorf("without a holder: %v, want ErrBroken that names the outbox", err)
	}
	if _, err := intake.Dial(t.Context(), intake.ClientConfig{Dir: dir}); !errors.Is(err, intake.ErrAbsent) {
		t.Errorf("dial without a holder: %v, want ErrAbsent", err)
	}
}

func TestErrorsOfTheOutboxReachTheClient(t *testing.T) {
	dir := t.TempDir()
	o := open(t, dir)
	serve(t, dir, o)
	c := dial(t, dir)
	bad := movement()
	bad.Output = "No Place"
	var faults schema.Faults
	if _, err := recorder(t, c).Begin(t.Context(), bad); !errors.As(err, &faults) {
		t.Errorf("a movement without a place: %v, want its faults", err)
	}
	if _, err := c.Append(t.Context(), wire.Draft{Heartbeat: &wire.Heartbeat{}}); err == nil {
		t.Error("a client may send heartbeats")
	}
	closeNow(t, o)
	if _, err := recorder(t, c).Begin(t.Context(), movement()); !errors.Is(err, producers.ErrClosed) {
		t.Errorf("a closed outbox: %v, want ErrClosed", err)
	}
}

func TestOnlyTheOwnerGetsIn(t *testing.T) {
	dir := t.TempDir()
	o := open(t, dir)
	stop := serve(t, dir, o)
	path := filepath.Join(dir, "intake.json")
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("facts: %v, %v, want mode 0600", info.Mode(), err)
	}
	var known struct{ URL, Token string }
	b, err := os.ReadFile(path)
	if err == nil {
		err = json.Unmarshal(b, &known)
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, opt := range []nats.Option{nats.UserInfo("client", "guess"), nats.UserInfo("holder", ""), nats.Token(known.Token)} {
		if c, err := nats.Connect(known.URL, opt); err == nil {
			c.Close()
			t.Error("a stranger gets in")
		}
	}
	// With the token one gets no further than asking for sessions.
	denied := make(chan error, 4)
	conn, err := nats.Connect(known.URL, nats.UserInfo("client", known.Token),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) { denied <- err }))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := conn.SubscribeSync("intake.session.>"); err != nil {
		t.Fatal(err)
	}
	if err := <-denied; !errors.Is(err, nats.ErrPermissionViolation) {
		t.Errorf("listening to other clients: %v", err)
	}
	for _, garbage := range []string{"", "{", `{"protocol":9,"client":"x"}`} {
		if _, err := conn.Request("intake.hello", []byte(garbage), 5*time.Second); err != nil {
			t.Errorf("garbage is not answered: %v", err)
		}
	}
	stop()
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("facts stay when nobody listens: %v", err)
	}
}

func TestListensOnLoopbackAlone(t *testing.T) {
	o := open(t, t.TempDir())
	for _, listen := range []string{"0.0.0.0:0", "192.0.2.1:4222", ":4222", "nonsense", "127.0.0.1:99999"} {
		if _, err := intake.New(intake.Config{Dir: t.TempDir(), Outbox: o, Listen: listen}); err == nil {
			t.Errorf("%q is accepted", listen)
		} else {
			t.Log(err)
		}
	}
}

func TestPortInUse(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	dir := t.TempDir()
	i, err := intake.New(intake.Config{Dir: dir, Outbox: open(t, dir), Listen: l.Addr().String()})
	if err != nil {
		t.Fatal(err)
	}
	if err := i.Run(t.Context()); !errors.Is(err, syscall.EADDRINUSE) || !strings.Contains(err.Error(), l.Addr().String()) {
		t.Errorf("port in use: %v, want an error that names it", err)
	}
}
