package embedded

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nkeys"
)

func startNATS(t *testing.T, cfg NATSConfig) *NATS {
	t.Helper()
	n, err := StartNATS(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(n.Stop)
	return n
}

func connect(t *testing.T, url string, options ...nats.Option) jetstream.JetStream {
	t.Helper()
	conn, err := nats.Connect(url, options...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	js, err := jetstream.New(conn)
	if err != nil {
		t.Fatal(err)
	}
	return js
}

// publish makes the stream if it is not there, and publishes n messages, each acknowledged.
func publish(t *testing.T, js jetstream.JetStream, n int) {
	t.Helper()
	if _, err := js.CreateOrUpdateStream(t.Context(), jetstream.StreamConfig{Name: "KEPT", Subjects: []string{"kept"}}); err != nil {
		t.Fatal(err)
	}
	for i := range n {
		if _, err := js.Publish(t.Context(), "kept", []byte(fmt.Sprint(i))); err != nil {
			t.Fatal(err)
		}
	}
}

func messages(t *testing.T, js jetstream.JetStream) uint64 {
	t.Helper()
	stream, err := js.Stream(t.Context(), "KEPT")
	if err != nil {
		t.Fatal(err)
	}
	return stream.CachedInfo().State.Msgs
}

// What a killed server had acknowledged is there in the next one on the folder, and that one syncs always.
func TestNATSKeepsWhatItAcknowledged(t *testing.T) {
	dir := t.TempDir()
	first := startHelper(t, "nats", nil, dir)
	var url string
	first.hear(t, &url)
	publish(t, connect(t, url), 100)
	first.kill(t)

	n := startNATS(t, NATSConfig{Dir: dir})
	if have := messages(t, connect(t, n.URL())); have != 100 {
		t.Errorf("%d messages are left of 100", have)
	}
	if !n.server.JetStreamConfig().SyncAlways {
		t.Error("does not sync always")
	}
}

func TestNATSStopsAndComesBackOnItsPort(t *testing.T) {
	dir := t.TempDir()
	n := startNATS(t, NATSConfig{Dir: dir})
	publish(t, connect(t, n.URL()), 1)
	n.Stop()
	n.Stop()
	again := startNATS(t, NATSConfig{Dir: dir, Listen: strings.TrimPrefix(n.URL(), "nats://")})
	if again.URL() != n.URL() {
		t.Errorf("moved from %s to %s", n.URL(), again.URL())
	}
	if have := messages(t, connect(t, again.URL())); have != 1 {
		t.Errorf("%d messages, want 1", have)
	}
}

func TestNATSFolderHasOneOwner(t *testing.T) {
	dir := t.TempDir()
	startNATS(t, NATSConfig{Dir: dir})
	ctx, cancel := context.WithCancel(t.Context())
	cancel() // not to wait for the first one to go away
	_, err := StartNATS(ctx, NATSConfig{Dir: dir})
	isOneLine(t, err, dir, "in use by another process")
}

func TestNATSWithoutAPort(t *testing.T) {
	n := startNATS(t, NATSConfig{Dir: t.TempDir(), NoListen: true})
	if n.URL() != "" {
		t.Errorf("listens on %s", n.URL())
	}
	js := connect(t, "", n.InProcess())
	publish(t, js, 1)
	if have := messages(t, js); have != 1 {
		t.Errorf("%d messages, want 1", have)
	}
}

func TestNATSAsksForCredentials(t *testing.T) {
	pair, err := nkeys.FromRawSeed(nkeys.PrefixByteUser, make([]byte, 32))
	if err != nil {
		t.Fatal(err)
	}
	public, err := pair.PublicKey()
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		cfg   NATSConfig
		right nats.Option
	}{
		"token":    {NATSConfig{Token: "s3cret"}, nats.Token("s3cret")},
		"password": {NATSConfig{Users: []NATSUser{{"hub", "s3cret"}}}, nats.UserInfo("hub", "s3cret")},
		"nkey":     {NATSConfig{NKeys: []string{public}}, nats.Nkey(public, pair.Sign)},
	} {
		t.Run(name, func(t *testing.T) {
			c.cfg.Dir = t.TempDir()
			n := startNATS(t, c.cfg)
			connect(t, n.URL(), c.right)
			connect(t, "", n.InProcess(), c.right)
			for _, wrong := range []nats.Option{nats.Token("x"), nats.UserInfo("hub", "x"), nats.Name("nobody")} {
				if conn, err := nats.Connect(n.URL(), wrong); !errors.Is(err, nats.ErrAuthorization) {
					conn.Close()
					t.Errorf("without the credentials: %v", err)
				}
			}
		})
	}
}

func TestNATSSaysInOneLineWhyItCannotStart(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = taken.Close() }()
	inUse := taken.Addr().String()
	for name, c := range map[string]struct {
		cfg   NATSConfig
		words []string
	}{
		"port in use":      {NATSConfig{Listen: inUse}, []string{inUse, "in use", "choose another port"}},
		"off loopback":     {NATSConfig{Listen: "0.0.0.0:0"}, []string{"0.0.0.0:0", "TLS and credentials"}},
		"every address":    {NATSConfig{Listen: ":0"}, []string{"TLS and credentials"}},
		"TLS alone":        {NATSConfig{Listen: "0.0.0.0:0", TLS: &tls.Config{}}, []string{"TLS and credentials"}},
		"token alone":      {NATSConfig{Listen: "0.0.0.0:0", Token: "s3cret"}, []string{"TLS and credentials"}},
		"token and users":  {NATSConfig{Token: "s3cret", Users: []NATSUser{{"a", "b"}}}, []string{"token"}},
		"not an address":   {NATSConfig{Listen: "4222"}, []string{`"4222"`, "host:port"}},
		"port too large":   {NATSConfig{Listen: "127.0.0.1:70000"}, []string{"65535"}},
		"nonsense for key": {NATSConfig{NKeys: []string{"UNKNOWN"}}, []string{"nkey"}},
	} {
		t.Run(name, func(t *testing.T) {
			c.cfg.Dir = t.TempDir()
			n, err := StartNATS(t.Context(), c.cfg)
			if err == nil {
				n.Stop()
			}
			isOneLine(t, err, append(c.words, "start nats")...)
			if strings.Contains(err.Error(), "s3cret") {
				t.Error("the error has the credentials")
			}
		})
	}
	if _, err := StartNATS(t.Context(), NATSConfig{}); err == nil {
		t.Error("starts without a folder")
	}
	// With both, an address off loopback is taken (and not opened here).
	cfg := NATSConfig{Dir: t.TempDir(), Listen: "0.0.0.0:0", Token: "s3cret", TLS: &tls.Config{}}
	if opts, err := cfg.options(); err != nil || opts.Host != "0.0.0.0" {
		t.Errorf("with TLS and credentials: %v", err)
	}
}
