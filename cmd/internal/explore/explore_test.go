package explore_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rs/zerolog"

	"github.com/rolltrace/rolltrace/cmd/internal/explore"
	"github.com/rolltrace/rolltrace/deploy"
	"github.com/rolltrace/rolltrace/schema/schematest"
)

const token = "0123456789abcdef0123456789abcdef"

func file(t *testing.T, name, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestListenRefuses(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = taken.Close() }()
	tests := map[string]struct {
		cfg  explore.Config
		want string
	}{
		"no port":                     {explore.Config{Listen: "127.0.0.1"}, "want host:port"},
		"off loopback":                {explore.Config{Listen: "0.0.0.0:0"}, "wants TLS and readers"},
		"every address":               {explore.Config{Listen: ":0"}, "wants TLS and readers"},
		"off loopback without TLS":    {explore.Config{Listen: "0.0.0.0:0", Tokens: file(t, "tokens", "a:"+token)}, "wants TLS and readers"},
		"off loopback without tokens": {explore.Config{Listen: "0.0.0.0:0", Cert: "cert.pem", Key: "key.pem"}, "wants TLS and readers"},
		"taken":                       {explore.Config{Listen: taken.Addr().String()}, "end what listens there"},
		"no file of tokens":           {explore.Config{Listen: "127.0.0.1:0", Tokens: "nowhere"}, "explorer.tokens: open nowhere"},
		"no tokens":                   {explore.Config{Listen: "127.0.0.1:0", Tokens: file(t, "tokens", "# none\n")}, "want a line NAME:TOKEN"},
		"a short token":               {explore.Config{Listen: "127.0.0.1:0", Tokens: file(t, "tokens", "\nprivacy-officer:hunter2\n")}, ":2: want NAME:TOKEN"},
		"one token for two":           {explore.Config{Listen: "127.0.0.1:0", Tokens: file(t, "tokens", "a:"+token+"\nb:"+token+"\n")}, "a and b have the same token"},
		"no key file":                 {explore.Config{Listen: "127.0.0.1:0", ElectorKey: "nowhere"}, "explorer.elector_key: "},
		"no certificate":              {explore.Config{Listen: "127.0.0.1:0", Cert: "nowhere", Key: "nowhere"}, "certificate"},
	}
	for name, test := range tests {
		page, err := explore.Listen(test.cfg)
		if err == nil {
			page.Close()
		}
		if err == nil || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), token) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v, want %s", name, err, test.want)
		}
	}
	if err := (explore.Config{Cert: "cert.pem"}).Validate(); err == nil {
		t.Error("a certificate without a key is taken")
	}
}

// Off loopback the page speaks TLS, and asks who is there.
func TestServe(t *testing.T) {
	secrets := t.TempDir()
	if err := (deploy.Secrets{Dir: secrets}).Write(); err != nil {
		t.Fatal(err)
	}
	authority, err := os.ReadFile(filepath.Join(secrets, "ca.pem"))
	if err != nil {
		t.Fatal(err)
	}
	page, err := explore.Listen(explore.Config{
		Listen: "0.0.0.0:0", Tokens: file(t, "tokens", "# readers\nprivacy-officer: "+token+"\n"),
		Cert: filepath.Join(secrets, "hub", "cert.pem"), Key: filepath.Join(secrets, "hub", "key.pem"),
	})
	if err != nil {
		t.Fatal(err)
	}
	dsn := schematest.ClickHouse(t)
	ctx, stop := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- page.Serve(ctx, dsn, zerolog.Nop()) }()

	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(authority)
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}, ForceAttemptHTTP2: true}}
	_, port, err := net.SplitHostPort(page.Address())
	if err != nil {
		t.Fatal(err)
	}
	for token, want := range map[string]int{token: http.StatusOK, "": http.StatusUnauthorized} {
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://127.0.0.1:"+port+"/api/centre", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+token)
		response, err := client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		_ = response.Body.Close()
		if response.StatusCode != want {
			t.Errorf("token %q: %s, want %d", token, response.Status, want)
		}
	}
	if response, err := http.Get("http://127.0.0.1:" + port + "/"); err == nil { // Go answers 400 to who speaks plainly
		_ = response.Body.Close()
		if response.StatusCode != http.StatusBadRequest {
			t.Errorf("without TLS: %s", response.Status)
		}
	}
	client.CloseIdleConnections()
	stop()
	if err := <-served; err != nil {
		t.Error(err)
	}
	if conn, err := net.Dial("tcp", "127.0.0.1:"+port); err == nil {
		_ = conn.Close()
		t.Error("it still listens")
	}
}

func TestMain(m *testing.M) { schematest.Main(m) }
