package deploy_test

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nats-io/nkeys"

	"github.com/rolltrace/rolltrace/deploy"
)

// contents reads every file of a folder.
func contents(t *testing.T, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		name, _ := filepath.Rel(dir, path)
		files[name] = string(b)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func TestSecretsAreWrittenOnce(t *testing.T) {
	dir := secrets(t)
	before := contents(t, dir)
	again := deploy.Secrets{Dir: dir, Sidecars: []deploy.Sidecar{{Org: "party-a", Name: "field-db-1"}, {Org: "acme-mail", Name: "uploads"}}}
	if err := again.Write(); err != nil {
		t.Fatal(err)
	}
	after := contents(t, dir)
	for name, content := range before {
		if name == filepath.Join("hub", "users.conf") {
			continue // derived: the new sidecar is in it
		}
		if after[name] != content {
			t.Errorf("%s was replaced", name)
		}
	}
	for _, org := range []string{"party-a", "party-b", "acme-mail"} {
		if !strings.Contains(after[filepath.Join("hub", "users.conf")], `.movement.`+org+`.`) {
			t.Errorf("users.conf does not let %s in", org)
		}
	}
	info, err := os.Stat(dir)
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != 0o700 {
		t.Errorf("the folder has mode %v, want 0700", info.Mode().Perm())
	}
}

func TestSecretsAreLostAndMadeAgain(t *testing.T) {
	dir := secrets(t)
	before := contents(t, dir)
	lost := filepath.Join("clickhouse", "analyst.password")
	if err := os.Remove(filepath.Join(dir, lost)); err != nil {
		t.Fatal(err)
	}
	if err := (deploy.Secrets{Dir: dir}).Write(); err != nil {
		t.Fatal(err)
	}
	after := contents(t, dir)
	if after[lost] == "" || after[lost] == before[lost] {
		t.Error("the lost password was not made again")
	}
	sum := sha256.Sum256([]byte(strings.TrimSpace(after[lost])))
	if !strings.Contains(after[filepath.Join("clickhouse", "passwords.xml")], hex.EncodeToString(sum[:])) {
		t.Error("ClickHouse does not have the new password's hash")
	}
}

// What the hub and ClickHouse are given must not let anybody log in anywhere.
func TestServersHaveNoSecretsOfUsers(t *testing.T) {
	dir := secrets(t)
	files := contents(t, dir)
	given := files[filepath.Join("hub", "users.conf")] + files[filepath.Join("clickhouse", "passwords.xml")]
	for name, content := range files {
		if strings.HasSuffix(name, ".seed") || strings.HasSuffix(name, ".password") {
			if strings.Contains(given, strings.TrimSpace(content)) {
				t.Errorf("%s is in a server's settings", name)
			}
		}
	}
}

func TestCentreNeedsOnlyASidecarsPublicKey(t *testing.T) {
	pair, err := nkeys.CreateUser()
	if err != nil {
		t.Fatal(err)
	}
	public, err := pair.PublicKey()
	if err != nil {
		t.Fatal(err)
	}
	sc, err := deploy.ParseSidecar("party-a/field-db-1=" + public)
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "secrets")
	s := deploy.Secrets{Dir: dir, Sidecars: []deploy.Sidecar{sc}}
	if err := s.Write(); err != nil {
		t.Fatal(err)
	}
	files := contents(t, dir)
	if !strings.Contains(files[filepath.Join("hub", "users.conf")], public) {
		t.Error("users.conf does not have the sidecar's public key")
	}
	for name := range files {
		if strings.HasPrefix(name, "sidecars"+string(filepath.Separator)) {
			t.Errorf("%s was made, want nothing secret of a sidecar that brought its public key", name)
		}
	}
	other, _ := nkeys.CreateUser()
	s.Sidecars[0].PublicKey, _ = other.PublicKey()
	if err := s.Write(); err == nil || !strings.Contains(err.Error(), "another public key") {
		t.Errorf("a second public key for the same sidecar: %v, want it refused", err)
	}
}

func TestAuthoritysKeyMayBeAway(t *testing.T) {
	dir := secrets(t)
	if err := os.Remove(filepath.Join(dir, "ca-key.pem")); err != nil {
		t.Fatal(err)
	}
	if err := (deploy.Secrets{Dir: dir}).Write(); err != nil {
		t.Errorf("nothing has to be signed: %v", err)
	}
	if err := os.Remove(filepath.Join(dir, "hub", "cert.pem")); err != nil {
		t.Fatal(err)
	}
	if err := (deploy.Secrets{Dir: dir}).Write(); err == nil || !strings.Contains(err.Error(), "ca-key.pem") {
		t.Errorf("the hub's certificate is lost: %v, want to be asked for the authority's key", err)
	}
}

func TestHubsCertificateNamesHosts(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "secrets")
	s := deploy.Secrets{Dir: dir, Hosts: []string{"hub.example.org", "192.0.2.7"}}
	if err := s.Write(); err != nil {
		t.Fatal(err)
	}
	files := contents(t, dir)
	block, _ := pem.Decode([]byte(files[filepath.Join("hub", "cert.pem")]))
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM([]byte(files["ca.pem"]))
	for _, host := range []string{"hub.example.org", "192.0.2.7", "nats", "localhost", "127.0.0.1", "::1"} {
		if _, err := cert.Verify(x509.VerifyOptions{Roots: pool, DNSName: host}); err != nil {
			t.Errorf("as %s: %v", host, err)
		}
	}
}

func TestParseSidecar(t *testing.T) {
	for _, bad := range []string{"", "party-a", "party-a/", "/x", "party-a/x/y", "Party-A/x", "party-a/x=SUAB", "a.b/x", "a/>", "*/x"} {
		if sc, err := deploy.ParseSidecar(bad); err == nil {
			t.Errorf("%q is read as %+v, want an error", bad, sc)
		}
	}
}
