package main

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/rolltrace/rolltrace/schema"
	"github.com/rolltrace/rolltrace/schema/graph"
	"github.com/rolltrace/rolltrace/schema/schematest"
	"github.com/rolltrace/rolltrace/schema/stream"
	"github.com/rolltrace/rolltrace/schema/wire"
)

// asProgram, in the environment, makes the test binary the program.
const asProgram = "TEST_AS_PROGRAM"

func publish(t testing.TB, js jetstream.JetStream, chain *wire.Chain, draft wire.Draft) {
	t.Helper()
	m, err := chain.Seal(draft)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := js.PublishMsg(t.Context(), &nats.Msg{Subject: m.Subject, Header: m.Header, Data: m.Body}); err != nil {
		t.Fatal(err)
	}
}

// The program stays within 300 MiB and 30 bytes for each elector: while it numbers millions of new ones, while
// movements carry them again in an order that makes the most runs, and when it loads them.
func TestMemory(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Log("the peak is read from /proc: on this system it is not checked")
		return
	}
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
	const chunks = 80
	keys := make([]schema.Key, chunks*schema.MaxChunkKeys)
	r := rand.New(rand.NewPCG(1, 2))
	for i := range keys {
		keys[i] = schema.Key(r.Uint64())
	}
	for round := range 2 {
		for i := range uint32(chunks) {
			publish(t, js, chain, wire.Draft{Chunk: &wire.Chunk{
				Movement: schematest.MovementID(round), Index: i, IDSpace: schema.ElectorID, KeyID: schematest.KeyID,
				Keys: keys[i*schema.MaxChunkKeys : (i+1)*schema.MaxChunkKeys],
			}})
		}
		r.Shuffle(len(keys), func(i, j int) { keys[i], keys[j] = keys[j], keys[i] })
	}
	last, _ := chain.Last()
	limit := 300<<20 + 30*len(keys)
	for _, what := range []string{"numbering", "loading"} {
		peak := peakOf(t, last, "--nats", hub.URL(), "--clickhouse", dsn)
		t.Logf("%s %d electors: at most %d MiB of %d", what, len(keys), peak>>20, limit>>20)
		if peak > limit {
			t.Errorf("%s %d electors took %d bytes, want at most %d", what, len(keys), peak, limit)
		}
		publish(t, js, chain, wire.Draft{Chunk: &wire.Chunk{Movement: schematest.MovementID(9), IDSpace: schema.ElectorID, KeyID: schematest.KeyID, Keys: keys[:1]}})
		last++
	}
}

// peakOf runs the program until its position is the sequence, and returns the most memory that it had, in bytes.
func peakOf(t *testing.T, position uint64, args ...string) int {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	cmd := exec.CommandContext(ctx, os.Args[0], append(args, "--http", "127.0.0.1:0", "--log-level", "debug", "--log-format", "json")...)
	cmd.Env = append(os.Environ(), asProgram+"=1")
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	at, written := regexp.MustCompile(`"http":"([^"]+)"`), fmt.Sprintf(`"position":%d,`, position)
	address, reached := "", false
	for lines := bufio.NewScanner(stderr); !reached && lines.Scan(); {
		if found := at.FindStringSubmatch(lines.Text()); found != nil {
			address = found[1]
		}
		reached = strings.Contains(lines.Text(), written) && strings.Contains(lines.Text(), "wrote a batch")
	}
	if !reached {
		t.Fatalf("the program ended before position %d: %v", position, cmd.Wait())
	}
	if response, err := http.Get("http://" + address + "/readyz"); err != nil {
		t.Error(err)
	} else {
		_ = response.Body.Close()
	}
	status, err := os.ReadFile("/proc/" + strconv.Itoa(cmd.Process.Pid) + "/status")
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile(`VmHWM:\s+(\d+) kB`).FindSubmatch(status)
	if found == nil {
		t.Fatalf("no peak in %s", status)
	}
	peak, err := strconv.Atoi(string(found[1]))
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Fatalf("after SIGTERM: %v", err)
	}
	return peak << 10
}
