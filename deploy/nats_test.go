package deploy_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nkeys"

	"github.com/rolltrace/rolltrace/deploy"
	"github.com/rolltrace/rolltrace/schema/stream"
	"github.com/rolltrace/rolltrace/schema/wire"
)

// secrets writes a folder of secrets for two sidecars of two organisations.
func secrets(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "secrets")
	s := deploy.Secrets{Dir: dir, Sidecars: []deploy.Sidecar{{Org: "party-a", Name: "field-db-1"}, {Org: "party-b", Name: "crm"}}}
	if err := s.Write(); err != nil {
		t.Fatal(err)
	}
	return dir
}

// hub starts nats-server with the shipped settings: the file itself, with other folders and any free ports.
func hub(t *testing.T, secrets string) *server.Server {
	t.Helper()
	conf, err := os.ReadFile("nats/hub.conf")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	text := string(conf)
	for old, replacement := range map[string]string{
		`"/etc/nats/`:     `"` + dir + `/`,
		`"/data"`:         `"` + filepath.Join(dir, "data") + `"`,
		"0.0.0.0:4222":    "127.0.0.1:-1",
		"127.0.0.1:8222":  "127.0.0.1:-1",
		"server_name: ro": "server_name: test-ro",
	} {
		if !strings.Contains(text, old) {
			t.Fatalf("hub.conf has no %s any more: the test has to follow", old)
		}
		text = strings.ReplaceAll(text, old, replacement)
	}
	if err := os.Symlink(filepath.Join(secrets, "hub"), filepath.Join(dir, "hub")); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "hub.conf")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	opts, err := server.ProcessConfigFile(path)
	if err != nil {
		t.Fatalf("hub.conf: %v", err)
	}
	opts.NoSigs, opts.NoLog = true, true
	srv, err := server.NewServer(opts)
	if err != nil {
		t.Fatalf("hub.conf: %v", err)
	}
	srv.Start()
	t.Cleanup(func() { srv.Shutdown(); srv.WaitForShutdown() })
	if !srv.ReadyForConnections(20 * time.Second) {
		t.Fatal("the hub is not ready after 20 s")
	}
	return srv
}

// client connects as the owner of a seed; denied gets what the hub refuses it.
func client(t *testing.T, srv *server.Server, secrets, seedFile, inbox string) (nc *nats.Conn, denied <-chan error) {
	t.Helper()
	errs := make(chan error, 16)
	option, err := nats.NkeyOptionFromSeed(filepath.Join(secrets, seedFile))
	if err != nil {
		t.Fatal(err)
	}
	opts := []nats.Option{
		option, nats.RootCAs(filepath.Join(secrets, "ca.pem")), nats.MaxReconnects(0),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) { errs <- err }),
	}
	if inbox != "" {
		opts = append(opts, nats.CustomInboxPrefix(inbox))
	}
	nc, err = nats.Connect(srv.ClientURL(), opts...)
	if err != nil {
		t.Fatalf("connect as %s: %v", seedFile, err)
	}
	t.Cleanup(nc.Close)
	return nc, errs
}

func sidecarClient(t *testing.T, srv *server.Server, secrets, org, name string) (*nats.Conn, <-chan error) {
	t.Helper()
	return client(t, srv, secrets, filepath.Join("sidecars", org+"."+name, "identity.seed"), stream.InboxPrefix(org, name))
}

// wantDenied waits until the hub has said no.
func wantDenied(t *testing.T, nc *nats.Conn, denied <-chan error, what string) {
	t.Helper()
	if err := nc.Flush(); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-denied:
		if !errors.Is(err, nats.ErrPermissionViolation) {
			t.Errorf("%s: %v, want a permissions violation", what, err)
		}
	case <-time.After(10 * time.Second):
		t.Errorf("%s: the hub said nothing, want a permissions violation", what)
	}
}

// log makes the hub's streams, as the consumer does.
func log(t *testing.T, nc *nats.Conn) jetstream.Stream {
	t.Helper()
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	log, err := stream.Ensure(t.Context(), js, stream.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return log.Stream
}

// subjects are what a sidecar of this version publishes under.
func subjects(org, sidecar string) []string {
	var all []string
	for _, t := range []wire.Type{wire.TypeMovement, wire.TypeElectors, wire.TypeHeartbeat, wire.TypeGap} {
		all = append(all, t.Subject(org, sidecar))
	}
	return all
}

func TestHubSyncsAlways(t *testing.T) {
	srv := hub(t, secrets(t))
	config := srv.JetStreamConfig()
	if config == nil {
		t.Fatal("JetStream is off")
	}
	if !config.SyncAlways {
		t.Error("the hub acknowledges before it has synced")
	}
	if config.MaxStore != 64e9 && config.MaxStore != 64<<30 {
		t.Errorf("max_file_store is %d, want the 64 GB of the file", config.MaxStore)
	}
}

func TestHubWantsTLSAndKey(t *testing.T) {
	dir := secrets(t)
	srv := hub(t, dir)
	if _, err := nats.Connect(srv.ClientURL(), nats.RootCAs(filepath.Join(dir, "ca.pem"))); !errors.Is(err, nats.ErrAuthorization) {
		t.Errorf("without a key: %v, want an authorization violation", err)
	}
	stranger, _ := nkeys.CreateUser()
	public, _ := stranger.PublicKey()
	_, err := nats.Connect(srv.ClientURL(), nats.RootCAs(filepath.Join(dir, "ca.pem")), nats.Nkey(public, stranger.Sign))
	if !errors.Is(err, nats.ErrAuthorization) {
		t.Errorf("with a stranger's key: %v, want an authorization violation", err)
	}
	// A client that would speak without TLS hears that it is required, and is cut off.
	conn, err := net.Dial("tcp", srv.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	first := make([]byte, 4096)
	n, err := conn.Read(first)
	if err != nil || !strings.Contains(string(first[:n]), `"tls_required":true`) {
		t.Errorf("without TLS: %q, %v, want tls_required", first[:n], err)
	}
	// TLS 1.2 is refused.
	ca, err := os.ReadFile(filepath.Join(dir, "ca.pem"))
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(ca)
	old := &tls.Config{RootCAs: pool, ServerName: "localhost", MinVersion: tls.VersionTLS12, MaxVersion: tls.VersionTLS12}
	key, err := nats.NkeyOptionFromSeed(filepath.Join(dir, "consumer.seed"))
	if err != nil {
		t.Fatal(err)
	}
	if nc, err := nats.Connect(srv.ClientURL(), nats.Secure(old), key); err == nil {
		nc.Close()
		t.Error("the hub speaks TLS 1.2, want 1.3 only")
	}
}

func TestHubHealthIsOnLoopback(t *testing.T) {
	srv := hub(t, secrets(t))
	addr := srv.MonitorAddr()
	if addr == nil || !addr.IP.IsLoopback() {
		t.Fatalf("the monitor listens on %v, want loopback", addr)
	}
	resp, err := http.Get("http://" + addr.String() + "/healthz")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		t.Errorf("/healthz says %s", resp.Status)
	}
}

func TestSidecarPublishesItsOwnSubjectsOnly(t *testing.T) {
	dir := secrets(t)
	srv := hub(t, dir)
	ctx := t.Context()
	consumer, _ := client(t, srv, dir, "consumer.seed", "")
	rolltrace := log(t, consumer)

	nc, denied := sidecarClient(t, srv, dir, "party-a", "field-db-1")
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	own := subjects("party-a", "field-db-1")
	for _, subject := range own {
		if _, err := js.Publish(ctx, subject, []byte("x")); err != nil {
			t.Errorf("publish under its own subject %s: %v", subject, err)
		}
	}
	others := append(subjects("party-b", "crm"), subjects("party-a", "field-db-2")...)
	others = append(others,
		wire.TypeRegistry.Subject(wire.OperatorOrg, wire.OperatorSidecar), wire.TypeRuling.Subject(wire.OperatorOrg, wire.OperatorSidecar),
		"rolltrace.v1.registry.party-a.field-db-1", "rolltrace.v1.rejected.signature", "rolltrace.v1.alert.x", "rolltrace.v1.links.party-a.field-db-1",
		"rolltrace.exercise.v1.movement.party-a.field-db-1", "rolltrace.v1.electors.0.party-a", "rolltrace.v1.electors.0.party-a.field-db-1.x",
		"$JS.API.STREAM.INFO.ROLLTRACE", "$JS.API.STREAM.PURGE.ROLLTRACE", "$JS.API.STREAM.DELETE.ROLLTRACE",
		"$JS.API.CONSUMER.CREATE.ROLLTRACE", "$JS.API.STREAM.MSG.GET.ROLLTRACE", "$SYS.REQ.SERVER.PING", "anything")
	for _, subject := range others {
		if err := nc.Publish(subject, []byte("x")); err != nil {
			t.Fatal(err)
		}
		wantDenied(t, nc, denied, "publish under "+subject)
	}
	info, err := rolltrace.Info(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if info.State.Msgs != uint64(len(own)) {
		t.Errorf("the log has %d messages, want the %d of the sidecar's own subjects", info.State.Msgs, len(own))
	}
}

// A sidecar must not read: not the log, and not what the consumer is answered, which is the log as well.
func TestSidecarReadsNothing(t *testing.T) {
	dir := secrets(t)
	srv := hub(t, dir)
	nc, denied := sidecarClient(t, srv, dir, "party-a", "field-db-1")
	for _, subject := range []string{
		">", "rolltrace.>", "rolltrace.v1.movement.party-a.field-db-1", "_INBOX.>", "_INBOX.party-b.crm.>", "_INBOX.*.*.x", "$JS.>", "$SYS.>",
	} {
		if _, err := nc.SubscribeSync(subject); err != nil {
			t.Fatal(err)
		}
		wantDenied(t, nc, denied, "subscribe to "+subject)
	}
}

func TestNobodyAtTheCentreCanShortenTheLog(t *testing.T) {
	dir := secrets(t)
	srv := hub(t, dir)
	ctx := t.Context()
	for _, seed := range []string{"consumer.seed", "operator.seed"} {
		nc, denied := client(t, srv, dir, seed, "")
		rolltrace := log(t, nc) // idempotent: the second finds it
		js, err := jetstream.New(nc)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := rolltrace.Consumer(ctx, "none"); !errors.Is(err, jetstream.ErrConsumerNotFound) {
			t.Errorf("%s: %v, want to be allowed to ask", seed, err)
		}
		refused, cancel := context.WithTimeout(ctx, time.Minute)
		defer cancel()
		go func() { wantDenied(t, nc, denied, seed+": delete the log"); cancel() }()
		if err := js.DeleteStream(refused, "ROLLTRACE"); err == nil {
			t.Errorf("%s: deleted the log", seed)
		}
		<-refused.Done()
		for _, subject := range []string{"$JS.API.STREAM.PURGE.ROLLTRACE", "$JS.API.STREAM.MSG.DELETE.ROLLTRACE", "$JS.API.STREAM.RESTORE.ROLLTRACE"} {
			if err := nc.Publish(subject, []byte("{}")); err != nil {
				t.Fatal(err)
			}
			wantDenied(t, nc, denied, seed+": "+subject)
		}
	}
	operatorReplays(t, srv, dir)
	consumer, denied := client(t, srv, dir, "consumer.seed", "")
	if err := consumer.Publish("rolltrace.v1.movement.party-a.field-db-1", []byte("{}")); err != nil {
		t.Fatal(err)
	}
	wantDenied(t, consumer, denied, "the consumer invents a movement")
}

// The operator puts a rejected message back into the log, of a later version too, and takes it out of the
// rejected stream.
func operatorReplays(t *testing.T, srv *server.Server, dir string) {
	t.Helper()
	consumer, _ := client(t, srv, dir, "consumer.seed", "")
	operator, _ := client(t, srv, dir, "operator.seed", "")
	rejects, err := jetstream.New(consumer)
	if err != nil {
		t.Fatal(err)
	}
	ack, err := rejects.Publish(t.Context(), wire.RejectedSubject("x"), []byte("{}"))
	if err != nil {
		t.Fatalf("the consumer rejects: %v", err)
	}
	js, err := jetstream.New(operator)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := js.Publish(t.Context(), "rolltrace.v2.movement.party-a.field-db-1", []byte("{}")); err != nil {
		t.Errorf("the operator replays: %v", err)
	}
	rejected, err := js.Stream(t.Context(), stream.RejectedName)
	if err != nil {
		t.Fatal(err)
	}
	if err := rejected.DeleteMsg(t.Context(), ack.Sequence); err != nil {
		t.Errorf("the operator takes out what was replayed: %v", err)
	}
}
