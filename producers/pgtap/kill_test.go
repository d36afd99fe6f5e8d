package pgtap_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/rolltrace/rolltrace/producers/outbox"
	"github.com/rolltrace/rolltrace/producers/pgtap"
	"github.com/rolltrace/rolltrace/producers/pgtap/catalogue"
	"github.com/rolltrace/rolltrace/producers/pseudonym"
	"github.com/rolltrace/rolltrace/schema"
	"github.com/rolltrace/rolltrace/schema/schematest"
)

// A role is what a tap's process has to know.
type role struct {
	Server, URL, Dir string // of the database: address, and connection string without its name
	Key              []byte
	TLSCert, TLSKey  []byte // TLS on both sides, unless there is none
}

// start starts a tap's process, and returns it with where it listens.
func (r role) start(t testing.TB) (cmd *exec.Cmd, address string) {
	t.Helper()
	content, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	cmd = exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), processEnv+"="+string(content))
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if address, err = bufio.NewReader(out).ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	return cmd, strings.TrimSpace(address)
}

// tapProcess is a tap that says where it listens and goes on until it is killed.
func tapProcess() int {
	var r role
	if err := json.Unmarshal([]byte(os.Getenv(processEnv)), &r); err != nil {
		panic(err)
	}
	secret, err := pseudonym.ReadKey(strings.NewReader(string(r.Key)))
	if err != nil {
		panic(err)
	}
	ctx := context.Background()
	o, err := outbox.Open(ctx, outbox.Config{Dir: r.Dir, Org: "party-a", Sidecar: "field-db-1", Signer: schematest.Identity(1)})
	if err != nil {
		panic(err)
	}
	c, err := catalogue.New(catalogue.Config{
		Connect: func(ctx context.Context, database string) (*pgx.Conn, error) { return pgx.Connect(ctx, r.URL) },
		Tables:  []catalogue.Table{{Schema: "public", Name: "voters", Place: voters, IDs: map[string]schema.IDSpace{"id": schema.ElectorID}}},
	})
	if err != nil {
		panic(err)
	}
	cfg := pgtap.Config{
		Listen: "127.0.0.1:0", Server: r.Server, Outbox: o, Catalogue: c, KeyID: secret.KeyID(),
		Keyer:  func(space schema.IDSpace) pgtap.Keyer { return secret.Space(space) },
		Route:  func(pgtap.Client) pgtap.Route { return pgtap.Route{Output: "party-a/x/y", Kind: schema.Export} },
		Window: 50 * time.Millisecond,
	}
	if len(r.TLSCert) > 0 {
		pair, err := tls.X509KeyPair(r.TLSCert, r.TLSKey)
		if err != nil {
			panic(err)
		}
		cfg.TLS = &tls.Config{Certificates: []tls.Certificate{pair}}
		cfg.ServerTLS = &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"postgresql"}}
	}
	tap, err := pgtap.New(cfg)
	if err != nil {
		panic(err)
	}
	go func() {
		<-tap.Ready()
		fmt.Println(tap.Address())
	}()
	if err := tap.Run(ctx); err != nil {
		panic(err)
	}
	return 0
}

// Killed at any moment, in the middle of large and of many small results: every row that reached a client is recorded.
func TestKilled(t *testing.T) {
	server := schematest.Postgres(t)
	database := server.Database(t)
	server.Run(t, database, roll+"INSERT INTO voters SELECT i, 'x', NULL, 0, NULL FROM generate_series(1001, 200000) i")
	reached := 0
	for round := range 30 {
		dir := t.TempDir()
		cmd, address := role{Server: server.Address(), URL: server.URL(database), Dir: dir, Key: secret.KeyFile()}.start(t)
		url := "postgres://postgres@" + address + "/" + database + "?sslmode=disable"

		var clients sync.WaitGroup
		var mu sync.Mutex
		seen := map[string]bool{}
		begun := make(chan struct{}, 64)
		for client := range 4 {
			clients.Go(func() {
				conn, err := pgconn.Connect(context.Background(), url)
				if err != nil {
					return
				}
				defer func() { _ = conn.Close(context.Background()) }()
				for err == nil {
					var ids []string
					sql := "SELECT name, id FROM voters"
					if client%2 == round%2 {
						sql = fmt.Sprintf("SELECT id, id FROM voters WHERE id IN (%d, %d)", rand.IntN(200_000)+1, rand.IntN(200_000)+1)
					}
					results := conn.Exec(context.Background(), sql)
					for results.NextResult() {
						for results.ResultReader().NextRow() {
							ids = append(ids, string(results.ResultReader().Values()[1]))
							select {
							case begun <- struct{}{}:
							default:
							}
						}
					}
					err = results.Close()
					mu.Lock()
					for _, id := range ids {
						seen[id] = true
					}
					mu.Unlock()
				}
			})
		}
		for range 1 + rand.IntN(40) {
			<-begun
		}
		time.AfterFunc(time.Duration(rand.IntN(100_000))*time.Microsecond, func() { _ = cmd.Process.Kill() })
		clients.Wait()
		_ = cmd.Wait()

		o := openOutbox(t, func(cfg *outbox.Config) { cfg.Dir = dir })
		have := read(t, o).electors("party-a/x/y", schema.ElectorID)
		p := secret.Space(schema.ElectorID)
		for id := range seen {
			key, _ := p.Key([]byte(id))
			if _, ok := slices.BinarySearch(have, key); !ok {
				t.Fatalf("round %d: a row reached a client, of %d, and is not among the %d that are recorded", round, len(seen), len(have))
			}
		}
		reached += len(seen)
	}
	if reached == 0 {
		t.Error("no row reached a client")
	}
	t.Logf("%d electors reached clients", reached)
}
