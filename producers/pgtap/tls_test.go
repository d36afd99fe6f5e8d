package pgtap_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/rolltrace/rolltrace/producers/pgtap"
	"github.com/rolltrace/rolltrace/schema/schematest"
)

// newCertificate is one for localhost and 127.0.0.1 that signs itself.
func newCertificate(t testing.TB) (cert, key []byte) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "localhost"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret})
}

func tlsConfig(t testing.TB, cert, key []byte) *tls.Config {
	t.Helper()
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		t.Fatal(err)
	}
	return &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}
}

// newSecuredServer is a server with TLS, and users whose passwords are asked for in each way.
func newSecuredServer(t testing.TB) (server *schematest.PostgresServer, cert, key []byte) {
	cert, key = newCertificate(t)
	server = schematest.PostgresOf(t, schematest.PostgresConfig{
		Settings: []string{"ssl = on"},
		Files:    map[string][]byte{"server.crt": cert, "server.key": key},
		HBA: []string{
			"host all scram_user 127.0.0.1/32 scram-sha-256", "host all md5_user 127.0.0.1/32 md5", "host all password_user 127.0.0.1/32 password",
		},
	})
	server.Run(t, "postgres", `CREATE ROLE scram_user LOGIN PASSWORD 'invented'; SET password_encryption = md5;
		CREATE ROLE md5_user LOGIN PASSWORD 'invented'; CREATE ROLE password_user LOGIN PASSWORD 'invented'`)
	return server, cert, key
}

// Authentication goes through in every way, and SCRAM with TLS wherever the choice of certificates allows it.
func TestPasswordsAndTLS(t *testing.T) {
	server, cert, key := newSecuredServer(t)
	root := filepath.Join(t.TempDir(), "root.crt")
	if err := os.WriteFile(root, cert, 0o600); err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(cert)
	own, other := newCertificate(t)
	toServer := &tls.Config{RootCAs: roots, ServerName: "localhost", NextProtos: []string{"postgresql"}}
	for name, c := range map[string]struct {
		change func(*pgtap.Config)
		ask    string // of the connection string
		users  string
	}{
		"plain":                            {func(*pgtap.Config) {}, "sslmode=disable", "scram_user md5_user password_user postgres"},
		"TLS to the tap":                   {func(cfg *pgtap.Config) { cfg.TLS = tlsConfig(t, own, other) }, "sslmode=require", "scram_user md5_user password_user postgres"},
		"TLS to the server":                {func(cfg *pgtap.Config) { cfg.ServerTLS = toServer }, "sslmode=disable", "scram_user md5_user password_user postgres"},
		"TLS on both sides":                {func(cfg *pgtap.Config) { cfg.ServerTLS, cfg.TLS = toServer, tlsConfig(t, cert, key) }, "sslmode=verify-full channel_binding=require sslrootcert=" + root, "scram_user"},
		"TLS on both sides, all":           {func(cfg *pgtap.Config) { cfg.ServerTLS, cfg.TLS = toServer, tlsConfig(t, cert, key) }, "sslmode=require", "scram_user md5_user password_user postgres"},
		"TLS preferred, and there is none": {func(*pgtap.Config) {}, "sslmode=prefer gssencmode=prefer", "scram_user postgres"},
	} {
		t.Run(name, func(t *testing.T) {
			b := &bench{t: t, server: server, outbox: openOutbox(t, nil)}
			b.start(c.change)
			_, port, _ := net.SplitHostPort(b.tap.Address().String())
			for user := range strings.FieldsSeq(c.users) {
				for _, password := range []string{"invented", "wrong"} {
					url := "host=localhost hostaddr=127.0.0.1 port=" + port + " dbname=postgres " + c.ask + " user=" + user + " password=" + password
					out := b.tool("SELECT current_user;", url, "psql", "-X", "-A", "-t", "-w")
					good := password == "invented" || user == "postgres"
					if good != (out == user+"\n") || !good && !strings.Contains(out, "password authentication failed for user \""+user+"\"") {
						t.Errorf("%s with password %s: %s", user, password, out)
					}
				}
			}
		})
	}
}

// pgbench in each of its ways, with TLS to the tap and behind it.
func TestPgbenchWithTLS(t *testing.T) {
	server, cert, key := newSecuredServer(t)
	b := &bench{t: t, server: server, outbox: openOutbox(t, nil)}
	b.start(func(cfg *pgtap.Config) {
		cfg.TLS, cfg.ServerTLS = tlsConfig(t, cert, key), &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"postgresql"}}
	})
	url := strings.Replace(b.url("postgres"), "sslmode=disable", "sslmode=require", 1)
	if out := b.tool("", "", "pgbench", "-i", "-q", "-s", "1", url); !strings.Contains(out, "done in") {
		t.Fatalf("pgbench -i: %s", out)
	}
	for _, mode := range []string{"simple", "extended", "prepared"} {
		out := b.tool("", "", "pgbench", "-n", "-M", mode, "-c", "4", "-t", "100", url)
		if !strings.Contains(out, "number of transactions actually processed: 400/400") || !strings.Contains(out, "failed transactions: 0") {
			t.Errorf("pgbench -M %s: %s", mode, out)
		}
	}
}

// What is sent in plain behind the request for TLS is refused as Postgres refuses it: whoever is in between may have put it there.
func TestStuffedBytes(t *testing.T) {
	server, cert, key := newSecuredServer(t)
	b := &bench{t: t, server: server, outbox: openOutbox(t, nil)}
	b.start(func(cfg *pgtap.Config) { cfg.TLS = tlsConfig(t, cert, key) })
	stuffed := func(address string) string {
		conn, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = conn.Close() }()
		_ = conn.SetDeadline(time.Now().Add(patience))
		if _, err := conn.Write(append([]byte("\x00\x00\x00\x08\x04\xd2\x16\x2f"), packet("user", "postgres")...)); err != nil {
			t.Fatal(err)
		}
		var yes [1]byte
		if _, err := io.ReadFull(conn, yes[:]); err != nil || yes[0] != 'S' {
			t.Fatal(yes, err)
		}
		secured := tls.Client(conn, &tls.Config{InsecureSkipVerify: true})
		answer, err := io.ReadAll(secured)
		if err != nil {
			return err.Error()
		}
		return errorFields.ReplaceAllString(string(answer), "")
	}
	if have, want := stuffed(b.tap.Address().String()), stuffed(b.server.Address()); have[5:] != want[5:] || !strings.Contains(want, "08P01") {
		t.Errorf("have %q, want %q", have, want)
	}
}

// errorFields are those that say where in the server's source an error was raised.
var errorFields = regexp.MustCompile("[FLR][^\x00]*\x00")

// A cancel request over TLS, and direct TLS as Postgres 17 has it.
func TestDirectTLS(t *testing.T) {
	b := newBench(t, nil)
	b.stop()
	cert, key := newCertificate(t)
	b.start(func(cfg *pgtap.Config) { cfg.TLS, cfg.RequireTLS = tlsConfig(t, cert, key), true })
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(cert)
	for name, protocols := range map[string][]string{"good": {"postgresql"}, "no ALPN": nil, "another": {"http/1.1"}} {
		conn, err := tls.Dial("tcp", b.tap.Address().String(), &tls.Config{RootCAs: roots, ServerName: "localhost", NextProtos: protocols})
		if err == nil {
			_ = conn.SetDeadline(time.Now().Add(patience))
			_, err = conn.Write(packet("user", "postgres", "database", "no_such_database"))
			var answer []byte
			if err == nil {
				answer, err = io.ReadAll(conn)
			}
			if err == nil && !strings.Contains(string(answer), "3D000") {
				err = io.ErrUnexpectedEOF
			}
			_ = conn.Close()
		}
		if (err == nil) != (name == "good") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if answer := answerTo(t, b.tap.Address().String(), packet("user", "postgres")); !strings.Contains(string(answer), "connection requires TLS") {
		t.Errorf("without TLS: %q", answer)
	}
}
