package hub_test

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nkeys"
	"github.com/rs/zerolog"

	"github.com/rolltrace/rolltrace/cmd/internal/config"
	"github.com/rolltrace/rolltrace/cmd/internal/hub"
	"github.com/rolltrace/rolltrace/deploy"
	"github.com/rolltrace/rolltrace/schema/stream"
)

// start runs a hub with TLS and the users of a centre, and returns its URL and the folder of secrets.
func start(t *testing.T) (url, secrets string) {
	t.Helper()
	secrets = filepath.Join(t.TempDir(), "secrets")
	if err := (deploy.Secrets{Dir: secrets, Sidecars: []deploy.Sidecar{{Org: "party-a", Name: "field-db-1"}}}).Write(); err != nil {
		t.Fatal(err)
	}
	conf := filepath.Join(secrets, "hub.conf")
	text := `listen: "127.0.0.1:-1", jetstream { store_dir: "` + t.TempDir() + `", sync_interval: always }
tls { cert_file: "` + secrets + `/hub/cert.pem", key_file: "` + secrets + `/hub/key.pem" }
accounts { A { jetstream: enabled, include "hub/users.conf" } }`
	if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	opts, err := server.ProcessConfigFile(conf)
	if err != nil {
		t.Fatal(err)
	}
	opts.NoSigs, opts.NoLog = true, true
	srv, err := server.NewServer(opts)
	if err != nil {
		t.Fatal(err)
	}
	srv.Start()
	t.Cleanup(func() { srv.Shutdown(); srv.WaitForShutdown() })
	if !srv.ReadyForConnections(20 * time.Second) {
		t.Fatal("the hub is not ready")
	}
	return "tls://" + srv.Addr().String(), secrets
}

func TestConnect(t *testing.T) {
	url, secrets := start(t)
	good := hub.Config{NATS: config.NewAddress(url), CA: filepath.Join(secrets, "ca.pem"), Seed: filepath.Join(secrets, "consumer.seed")}
	if err := good.Validate(); err != nil {
		t.Fatal(err)
	}
	conn, err := hub.Connect(good, hub.Options{Name: "test", Log: zerolog.Nop()})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	js, err := jetstream.New(conn)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := stream.Ensure(t.Context(), js, stream.Options{}); err != nil {
		t.Fatalf("the consumer's rights: %v", err)
	}

	seed, err := os.ReadFile(filepath.Join(secrets, "sidecars", "party-a.field-db-1", "identity.seed"))
	if err != nil {
		t.Fatal(err)
	}
	identity, err := nkeys.FromSeed(seed[:len(seed)-1])
	if err != nil {
		t.Fatal(err)
	}
	sidecar, err := hub.Connect(hub.Config{NATS: good.NATS, CA: good.CA}, hub.Options{
		Name: "party-a/field-db-1", Identity: identity, InboxPrefix: stream.InboxPrefix("party-a", "field-db-1"), Log: zerolog.Nop(),
	})
	if err != nil {
		t.Fatal(err)
	}
	defer sidecar.Close()
	if js, err = jetstream.New(sidecar); err != nil {
		t.Fatal(err)
	}
	if _, err := js.Publish(t.Context(), "rolltrace.v1.gap.party-a.field-db-1", []byte("x")); err != nil {
		t.Errorf("the sidecar's rights: %v", err)
	}
}

func TestConnectSaysWhatIsWrong(t *testing.T) {
	url, secrets := start(t)
	ca, seed := filepath.Join(secrets, "ca.pem"), filepath.Join(secrets, "consumer.seed")
	for name, wrong := range map[string]struct {
		cfg  hub.Config
		says string
	}{
		"no credentials": {hub.Config{NATS: config.NewAddress(url), CA: ca}, "--nats-seed"},
		"stranger's CA":  {hub.Config{NATS: config.NewAddress(url), Seed: seed}, "--nats-ca"},
		"not a seed":     {hub.Config{NATS: config.NewAddress(url), CA: ca, Seed: ca}, "nats_seed"},
		"nobody there":   {hub.Config{NATS: config.NewAddress("nats://127.0.0.1:1")}, "is it running there?"},
		"no address":     {hub.Config{}, "--nats"},
	} {
		conn, err := hub.Connect(wrong.cfg, hub.Options{Name: "test", Log: zerolog.Nop()})
		if err == nil {
			conn.Close()
			t.Errorf("%s: connected", name)
			continue
		}
		if !strings.Contains(err.Error(), wrong.says) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %q, want one line with %q", name, err, wrong.says)
		}
	}
}

func TestPatientConnectFindsTheHubLater(t *testing.T) {
	conn, err := hub.Connect(hub.Config{NATS: config.NewAddress("nats://127.0.0.1:1")}, hub.Options{Name: "test", Patient: true, Log: zerolog.Nop()})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if conn.Status() != nats.RECONNECTING {
		t.Errorf("the connection is %v, want it to go on trying", conn.Status())
	}
}

// A hub that goes away in the middle of a connection's beginning is away; one that refuses the credentials is
// not.
func TestAway(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			_ = conn.(*net.TCPConn).SetLinger(0) // a reset, as of a process that was killed
			_ = conn.Close()
		}
	}()
	address := config.NewAddress("nats://" + listener.Addr().String())
	if _, err := hub.Connect(hub.Config{NATS: address}, hub.Options{Name: "test", Log: zerolog.Nop()}); err == nil || !hub.Away(err) {
		t.Errorf("a hub that was killed is not away: %v", err)
	}
	if hub.Away(nats.ErrAuthorization) {
		t.Error("a hub that refuses the credentials is away")
	}
}

func TestValidate(t *testing.T) {
	file := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, good := range []hub.Config{
		{}, {NATS: config.NewAddress("nats://127.0.0.1:4222")}, {NATS: config.NewAddress("nats://localhost:4222")},
		{NATS: config.NewAddress("nats://user:x@[::1]:4222")}, {NATS: config.NewAddress("tls://hub.example.org:4222,tls://hub-2.example.org")},
		{NATS: config.NewAddress("nats://hub.example.org"), CA: file},
	} {
		if err := good.Validate(); err != nil {
			t.Errorf("%v: %v", good.NATS, err)
		}
	}
	for _, bad := range []hub.Config{
		{NATS: config.NewAddress("nats://hub.example.org:4222")}, {NATS: config.NewAddress("nats://u:secret@192.0.2.1:4222")},
		{NATS: config.NewAddress("tls://a:4222,nats://b:4222")}, {NATS: config.NewAddress("http://127.0.0.1:4222")},
		{NATS: config.NewAddress("tls://a:4222"), CA: file + "x"}, {NATS: config.NewAddress("tls://a:4222"), Seed: file + "x"},
	} {
		err := bad.Validate()
		if err == nil {
			t.Errorf("%v: want an error", bad.NATS)
		} else if strings.Contains(err.Error(), "secret") {
			t.Errorf("%v shows a password", err)
		}
		if errors.Is(err, os.ErrNotExist) && !strings.Contains(err.Error(), "nats_") {
			t.Errorf("%v does not name the setting", err)
		}
	}
}
