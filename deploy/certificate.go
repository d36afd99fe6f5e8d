package deploy

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

// How long certificates are good for. The authority's key belongs on a medium that is not on the hub's
// machine; the hub's certificate is made anew by removing hub/cert.pem and hub/key.pem and writing again.
const (
	authorityYears = 10
	hubDays        = 397
)

// writeCertificates makes a certificate authority of the centre's own, and the hub's certificate under it.
func (s Secrets) writeCertificates() error {
	authority, key, err := s.authority()
	if err != nil {
		return err
	}
	if _, err := os.Stat(filepath.Join(s.Dir, "hub", "cert.pem")); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	hubKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	template := certificate("rolltrace hub", time.Now().AddDate(0, 0, hubDays))
	template.KeyUsage = x509.KeyUsageDigitalSignature
	template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	for _, host := range append([]string{"nats", "localhost", "127.0.0.1", "::1"}, s.Hosts...) {
		if ip := net.ParseIP(host); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, host)
		}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, authority, hubKey.Public(), key)
	if err != nil {
		return err
	}
	if err := s.writeKey(filepath.Join("hub", "key.pem"), hubKey); err != nil {
		return err
	}
	return writeNew(filepath.Join(s.Dir, "hub", "cert.pem"), string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})))
}

// authority reads the centre's certificate authority, or makes it.
func (s Secrets) authority() (*x509.Certificate, crypto.Signer, error) {
	certPath, keyPath := filepath.Join(s.Dir, "ca.pem"), filepath.Join(s.Dir, "ca-key.pem")
	certPEM, err := os.ReadFile(certPath)
	if errors.Is(err, fs.ErrNotExist) {
		return s.newAuthority()
	}
	if err != nil {
		return nil, nil, err
	}
	block, _ := pem.Decode(certPEM)
	if block == nil {
		return nil, nil, fmt.Errorf("%s: no certificate in it", certPath)
	}
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", certPath, err)
	}
	keyPEM, err := os.ReadFile(keyPath)
	if errors.Is(err, fs.ErrNotExist) {
		// It may well be kept elsewhere: that matters only when something has to be signed.
		return cert, nil, s.needsNoSignature(keyPath)
	}
	if err != nil {
		return nil, nil, err
	}
	block, _ = pem.Decode(keyPEM)
	if block == nil {
		return nil, nil, fmt.Errorf("%s: no key in it", keyPath)
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", keyPath, err)
	}
	return cert, key.(crypto.Signer), nil
}

func (s Secrets) needsNoSignature(keyPath string) error {
	if _, err := os.Stat(filepath.Join(s.Dir, "hub", "cert.pem")); err == nil {
		return nil
	}
	return fmt.Errorf("%s is not there: bring it back to sign a certificate for the hub", keyPath)
}

func (s Secrets) newAuthority() (*x509.Certificate, crypto.Signer, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	template := certificate("rolltrace centre", time.Now().AddDate(authorityYears, 0, 0))
	template.IsCA, template.BasicConstraintsValid, template.MaxPathLenZero = true, true, true
	template.KeyUsage = x509.KeyUsageCertSign
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, nil, err
	}
	if err := s.writeKey("ca-key.pem", key); err != nil {
		return nil, nil, err
	}
	if err := os.Chmod(filepath.Join(s.Dir, "ca-key.pem"), 0o400); err != nil { // no container needs it
		return nil, nil, err
	}
	if err := writeNew(filepath.Join(s.Dir, "ca.pem"), string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))); err != nil {
		return nil, nil, err
	}
	cert, err := x509.ParseCertificate(der)
	return cert, key, err
}

func (s Secrets) writeKey(name string, key crypto.Signer) error {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	return writeNew(filepath.Join(s.Dir, name), string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})))
}

func certificate(name string, until time.Time) *x509.Certificate {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		panic(err) // the operating system has no random numbers: nothing can be done safely
	}
	return &x509.Certificate{
		SerialNumber: serial,
		Subject:      pkix.Name{CommonName: name},
		NotBefore:    time.Now().Add(-time.Hour), // sidecars' clocks
		NotAfter:     until,
	}
}
