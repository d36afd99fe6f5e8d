package deploy

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/nats-io/nkeys"

	"github.com/rolltrace/rolltrace/schema"
)

// ClickHouseUsers are the users of deploy/clickhouse/users.xml, in the order of their rights.
var ClickHouseUsers = []string{"rolltrace", "writer", "analyst", "dashboard"}

// Secrets says what a folder of secrets must hold. Write makes what is missing and leaves the rest alone.
type Secrets struct {
	// Dir is the folder. It is made with mode 0700: the files in it are readable by the users inside of the
	// containers that they are mounted into, and the folder keeps everybody else on the machine out.
	Dir string
	// Hosts are further names and addresses under which sidecars reach the hub, for its certificate.
	// "nats", "localhost" and the loopback addresses are always there.
	Hosts []string
	// Sidecars are those that the hub lets in. One that was let in before stays.
	Sidecars []Sidecar
}

// A Sidecar is one publisher that the hub lets in.
type Sidecar struct {
	Org, Name string
	// PublicKey is its nkey ("U…"). When it is empty the seed is made here, and has to be carried to the
	// sidecar's machine; better to make it there, and to bring only the public key.
	PublicKey string
}

// ParseSidecar reads ORG/NAME or ORG/NAME=PUBLICKEY.
func ParseSidecar(s string) (Sidecar, error) {
	who, key, _ := strings.Cut(s, "=")
	org, name, _ := strings.Cut(who, "/")
	if !schema.ValidOrg(org) || !schema.ValidSidecar(name) {
		return Sidecar{}, fmt.Errorf("sidecar %q: want ORG/NAME or ORG/NAME=PUBLICKEY, for example party-a/field-db-1", s)
	}
	if key != "" && !nkeys.IsValidPublicUserKey(key) {
		return Sidecar{}, fmt.Errorf("sidecar %q: the public key of an nkey begins with U and has 56 characters", s)
	}
	return Sidecar{Org: org, Name: name, PublicKey: key}, nil
}

// Write makes the folder complete: certificates, nkeys, passwords, the hub's users.conf and the password
// hashes for ClickHouse. It may be called again at any time, for a further sidecar or after a loss; it
// derives again what is derived, and makes only the secrets that are missing.
func (s Secrets) Write() error {
	if err := os.MkdirAll(s.Dir, 0o700); err != nil {
		return err
	}
	if err := os.Chmod(s.Dir, 0o700); err != nil {
		return err
	}
	for _, dir := range []string{"hub", filepath.Join("hub", "sidecars"), "clickhouse", "sidecars"} {
		if err := os.MkdirAll(filepath.Join(s.Dir, dir), 0o755); err != nil {
			return err
		}
	}
	if err := s.writeCertificates(); err != nil {
		return fmt.Errorf("write certificates: %w", err)
	}
	if err := s.writeHubUsers(); err != nil {
		return fmt.Errorf("write the hub's users: %w", err)
	}
	if err := s.writePasswords(); err != nil {
		return fmt.Errorf("write passwords: %w", err)
	}
	return nil
}

// writePasswords makes a password for each ClickHouse user and for Grafana's administrator, and the file
// of hashes that users.xml includes: ClickHouse never has the passwords themselves.
func (s Secrets) writePasswords() error {
	var hashes strings.Builder
	hashes.WriteString("<?xml version=\"1.0\"?>\n<!-- Written by deploy/bootstrap from the *.password files beside it. -->\n<clickhouse>\n")
	for _, user := range ClickHouseUsers {
		password, err := s.secret(filepath.Join("clickhouse", user+".password"), newPassword)
		if err != nil {
			return err
		}
		sum := sha256.Sum256([]byte(password))
		fmt.Fprintf(&hashes, "    <%[1]s_password_sha256_hex>%[2]s</%[1]s_password_sha256_hex>\n", user, hex.EncodeToString(sum[:]))
	}
	hashes.WriteString("</clickhouse>\n")
	if err := s.derive(filepath.Join("clickhouse", "passwords.xml"), hashes.String()); err != nil {
		return err
	}
	_, err := s.secret("grafana.password", newPassword)
	return err
}

// newPassword returns 192 random bits in an alphabet that needs no escaping in a DSN, a URL or XML.
func newPassword() (string, error) {
	var b [24]byte
	rand.Read(b[:])
	return base64.RawURLEncoding.EncodeToString(b[:]), nil
}

// newSeed returns the seed of a new nkey user.
func newSeed() (string, error) {
	pair, err := nkeys.CreateUser()
	if err != nil {
		return "", err
	}
	seed, err := pair.Seed()
	return string(seed), err
}

// secret returns the content of a file, which it makes first when there is none.
func (s Secrets) secret(name string, create func() (string, error)) (string, error) {
	path := filepath.Join(s.Dir, name)
	b, err := os.ReadFile(path)
	if err == nil {
		if v := strings.TrimSpace(string(b)); v != "" {
			return v, nil
		}
		return "", fmt.Errorf("%s is empty: remove it, or put the secret back", path)
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	v, err := create()
	if err != nil {
		return "", err
	}
	return v, writeNew(path, v+"\n")
}

// derive writes a file that follows from others, through a rename: a hub that reloads never reads half.
func (s Secrets) derive(name, content string) error {
	path := filepath.Join(s.Dir, name)
	temporary := path + ".new"
	if err := os.WriteFile(temporary, []byte(content), 0o444); err != nil {
		return err
	}
	return os.Rename(temporary, path)
}

// writeNew writes a file that must not exist yet. It is readable by all who can get into the folder, which
// has mode 0700: a container's user is none that the host knows.
func writeNew(path, content string) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o444)
	if err != nil {
		return err
	}
	_, err = f.WriteString(content)
	return errors.Join(err, f.Sync(), f.Close())
}
