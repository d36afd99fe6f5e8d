package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"

	"github.com/jackc/pgx/v5"
	"github.com/rs/zerolog"

	"github.com/rolltrace/rolltrace/cmd/internal/boot"
	"github.com/rolltrace/rolltrace/cmd/internal/config"
	"github.com/rolltrace/rolltrace/producers"
	"github.com/rolltrace/rolltrace/producers/delimited"
	"github.com/rolltrace/rolltrace/producers/pgtap"
	"github.com/rolltrace/rolltrace/producers/pgtap/catalogue"
	"github.com/rolltrace/rolltrace/producers/pgtap/statement"
	"github.com/rolltrace/rolltrace/producers/pseudonym"
	"github.com/rolltrace/rolltrace/schema"
)

// tapSettings are one Postgres tap.
type tapSettings struct {
	// Listen is where clients connect: host:port, or the path of a Unix socket.
	Listen string `yaml:"listen"`
	// Server is the Postgres server: host:port, or the path of its Unix socket.
	Server string `yaml:"server"`
	// Catalogue is how the tap itself connects, past itself, to look tables up: a Postgres URL whose database is replaced.
	Catalogue config.Address `yaml:"catalogue"`
	// Tables are those that hold electors.
	Tables []tableSettings `yaml:"tables"`
	// Clients are the rules that say where rows go; the first that fits decides.
	Clients []clientSettings `yaml:"clients"`
	// Unmapped is the place of clients that no rule fits. Defaults to ORG/unmapped/postgres.
	Unmapped string `yaml:"unmapped"`
	// Window is how long small results go into one movement, and WindowKeys how many keys it has at most.
	Window     config.Duration `yaml:"window"`
	WindowKeys int             `yaml:"window_keys"`
	// Replication says whether replication connections are allowed: refuse (the default) or allow.
	Replication string `yaml:"replication"`

	// TLSCert and TLSKey are the certificate that clients see; RequireTLS refuses those who do not ask for it.
	TLSCert    string `yaml:"tls_cert"`
	TLSKey     string `yaml:"tls_key"`
	RequireTLS bool   `yaml:"require_tls"`
	// ServerTLS is TLS to the server: disable (the default), require or verify-full; ServerCA signs its certificate.
	ServerTLS string `yaml:"server_tls"`
	ServerCA  string `yaml:"server_ca"`
	// SCRAM says that no user of the server has a SCRAM password: none. It binds passwords to the server's certificate.
	SCRAM string `yaml:"scram"`
}

// tableSettings are one table that holds electors.
type tableSettings struct {
	Table    string   `yaml:"table"`    // schema.table, as Postgres stores it
	Database string   `yaml:"database"` // none is any
	Place    string   `yaml:"place"`
	IDs      []string `yaml:"ids"`    // [SPACE=]COLUMN
	Fields   []string `yaml:"fields"` // COLUMN=CATEGORY, or a column that is called like its category
}

// clientSettings are one rule. Patterns have * and ?; none fits all.
type clientSettings struct {
	User        string `yaml:"user"`
	Database    string `yaml:"database"`
	Application string `yaml:"application"`
	Destination string `yaml:"destination"` // what the client says of it
	Address     string `yaml:"address"`     // a network, as 10.0.0.0/8
	Place       string `yaml:"place"`       // {user}, {database}, {application}, {destination} stand for the client's own
	Kind        string `yaml:"kind"`
	Actor       string `yaml:"actor"`
	Purpose     string `yaml:"purpose"`
	Agreement   string `yaml:"agreement"`
	LegalBasis  string `yaml:"legal_basis"`
	Entry       string `yaml:"entry"` // what rows that come in are: collect (the default) or merge
}

// validate says what is wrong with a tap, in one line that names the setting.
func (s *tapSettings) validate() error {
	switch {
	case s.Listen == "":
		return errors.New("listen: want where clients connect, for example 127.0.0.1:6432")
	case s.Server == "":
		return errors.New("server: want the Postgres server, for example 127.0.0.1:5432")
	case s.Listen == s.Server:
		return fmt.Errorf("listen: %s is the server itself", s.Listen)
	case (s.TLSCert == "") != (s.TLSKey == ""):
		return errors.New("tls_cert, tls_key: want both or none")
	case s.RequireTLS && s.TLSCert == "":
		return errors.New("require_tls: want tls_cert and tls_key")
	case len(s.Tables) > 0 && s.Catalogue.IsZero():
		return errors.New("catalogue: want how the tap itself connects to the server, for example postgres://rolltrace@127.0.0.1:5432/")
	case s.WindowKeys < 0:
		return fmt.Errorf("window_keys: %d: want more than 0", s.WindowKeys)
	}
	for _, choice := range []struct{ name, value, allowed string }{
		{"replication", s.Replication, "refuse allow"}, {"server_tls", s.ServerTLS, "disable require verify-full"}, {"scram", s.SCRAM, "none"},
	} {
		if choice.value != "" && !strings.Contains(" "+choice.allowed+" ", " "+choice.value+" ") {
			return fmt.Errorf("%s: %q: want %s", choice.name, choice.value, strings.ReplaceAll(choice.allowed, " ", " or "))
		}
	}
	if _, err := s.tables(); err != nil {
		return err
	}
	_, err := s.rules("org")
	return err
}

func (s *tapSettings) tables() ([]catalogue.Table, error) {
	var tables []catalogue.Table
	for i, given := range s.Tables {
		fail := func(err error) ([]catalogue.Table, error) { return nil, fmt.Errorf("tables[%d]: %w", i, err) }
		t := catalogue.Table{Database: given.Database, Place: schema.Place(given.Place), IDs: map[string]schema.IDSpace{}, Fields: map[string]string{}}
		var err error
		if t.Schema, t.Name, err = catalogue.ParseTable(given.Table); err != nil {
			return fail(err)
		}
		if _, err := schema.ParsePlace(given.Place); err != nil {
			return fail(err)
		}
		for _, id := range given.IDs {
			column, err := delimited.ParseIDColumn(id)
			if err != nil {
				return fail(err)
			}
			t.IDs[column.Column] = column.Space
		}
		for _, field := range given.Fields {
			column, category, ok := strings.Cut(field, "=")
			if !ok {
				category = column
			}
			if err := (&schema.Movement{Fields: []string{category}}).Validate(); err != nil && strings.Contains(err.Error(), "fields[0]") {
				return fail(fmt.Errorf("fields: %q: want COLUMN=CATEGORY, a category being 1 to 63 of a-z 0-9 _", field))
			}
			t.Fields[column] = category
		}
		tables = append(tables, t)
	}
	return tables, nil
}

func (s *tapSettings) rules(org string) (pgtap.Rules, error) {
	r := pgtap.Rules{Org: org, Unmapped: schema.Place(s.Unmapped)}
	if r.Unmapped == "" {
		r.Unmapped = schema.Place(org + "/unmapped/postgres")
	}
	for i, c := range s.Clients {
		rule := pgtap.Rule{
			User: c.User, Database: c.Database, Application: c.Application, Destination: c.Destination,
			Route: pgtap.Route{
				Output: schema.Place(c.Place), Kind: schema.Kind(c.Kind), Actor: c.Actor, Purpose: c.Purpose,
				Agreement: c.Agreement, LegalBasis: c.LegalBasis, Entry: schema.Kind(c.Entry),
			},
		}
		if c.Address != "" {
			network, err := netip.ParsePrefix(c.Address)
			if err != nil {
				return r, fmt.Errorf("clients[%d].address: %q: want a network, for example 10.0.0.0/8", i, c.Address)
			}
			rule.Address = network
		}
		r.List = append(r.List, rule)
	}
	return r, r.Validate()
}

// A tap is one Postgres tap with its catalogue and its rules.
type tap struct {
	*pgtap.Tap
	catalogue *catalogue.Catalogue // nil without tables
	analyst   *statement.Parser    // with the catalogue
	rules     atomic.Pointer[pgtap.Rules]
	pair      atomic.Pointer[tls.Certificate] // that clients see; nil without TLS
	config    pgtap.Config
	settings  *tapSettings // in force
}

// newTaps makes the taps of the configuration. Nothing listens yet.
func newTaps(ctx context.Context, cfg *settings, to producers.Outbox, metrics *pgtap.Metrics, log zerolog.Logger) ([]*tap, error) {
	var secret pseudonym.Secret
	if cfg.Key != "" {
		var err error
		if secret, err = pseudonym.ReadKeyFile(cfg.Key); err != nil {
			return nil, err
		}
	}
	if len(cfg.Taps) > 0 && os.Getenv("GOMAXPROCS") == "" {
		// Sessions and the outbox's syncs are in system calls most of the time; with twice as many processors as there are,
		// a commit's way through its goroutines is a third shorter.
		runtime.GOMAXPROCS(2 * runtime.NumCPU())
	}
	var taps []*tap
	for i := range cfg.Taps {
		if len(cfg.Taps[i].Tables) > 0 && secret.IsZero() {
			return nil, boot.Wrong(errors.New("key: taps want the key file: make one with \"rolltrace key new > key.json\""))
		}
		t, err := newTap(ctx, cfg, &cfg.Taps[i], secret, to, metrics, log)
		if err != nil {
			return nil, fmt.Errorf("taps[%d]: %w", i, err)
		}
		taps = append(taps, t)
	}
	return taps, nil
}

func newTap(ctx context.Context, cfg *settings, s *tapSettings, secret pseudonym.Secret, to producers.Outbox, metrics *pgtap.Metrics, log zerolog.Logger) (*tap, error) {
	t := &tap{settings: s}
	rules, err := s.rules(cfg.Org)
	if err != nil {
		return nil, err
	}
	t.rules.Store(&rules)
	c := pgtap.Config{
		Listen: s.Listen, Server: s.Server, RequireTLS: s.RequireTLS, Replication: s.Replication == "allow", Outbox: to,
		Window: s.Window.Std(), WindowKeys: s.WindowKeys, Log: log, Metrics: metrics,
		Route:    func(who pgtap.Client) pgtap.Route { return t.rules.Load().Route(who) },
		Unmapped: func() schema.Place { return t.rules.Load().Unmapped },
	}
	pair, err := s.pair()
	if err != nil {
		return nil, err
	}
	if pair != nil {
		c.TLS = &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return t.pair.Load(), nil }}
	}
	if c.ServerTLS, err = s.toServer(); err != nil {
		return nil, err
	}
	if err := s.bound(ctx, c, pair); err != nil {
		return nil, err
	}
	t.pair.Store(pair)
	if len(s.Tables) > 0 {
		if t.catalogue, err = s.newCatalogue(log); err != nil {
			return nil, err
		}
		t.analyst = statement.NewParser()
		c.Catalogue, c.Analyst, c.KeyID = t.catalogue, t.analyst, secret.KeyID()
		c.Keyer = func(space schema.IDSpace) pgtap.Keyer { return secret.Space(space) }
	}
	t.config = c
	t.Tap, err = pgtap.New(c)
	return t, err
}

// run serves clients until the context ends. The catalogue is there until the last session has ended.
func (t *tap) run(ctx context.Context) error {
	if t.catalogue != nil {
		reading, stop := context.WithCancel(context.WithoutCancel(ctx))
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			t.analyst.Analyse([]byte("SELECT")) // loads the grammar, so that no client waits for it
			t.catalogue.Run(reading)
		}()
		defer func() {
			stop()
			<-ended
		}()
	}
	return t.Tap.Run(ctx)
}

func (s *tapSettings) newCatalogue(log zerolog.Logger) (*catalogue.Catalogue, error) {
	tables, err := s.tables()
	if err != nil {
		return nil, err
	}
	how, err := pgx.ParseConfig(s.Catalogue.Reveal())
	if err != nil {
		return nil, fmt.Errorf("catalogue: %s: want a Postgres URL", s.Catalogue)
	}
	how.RuntimeParams["application_name"] = "rolltrace-sidecar"
	return catalogue.New(catalogue.Config{
		Tables: tables, Log: log,
		Connect: func(ctx context.Context, database string) (*pgx.Conn, error) {
			to := how.Copy()
			to.Database = database
			return pgx.ConnectConfig(ctx, to)
		},
	})
}

// pair is the certificate that clients see; nil for none.
func (s *tapSettings) pair() (*tls.Certificate, error) {
	if s.TLSCert == "" {
		return nil, nil
	}
	pair, err := tls.LoadX509KeyPair(s.TLSCert, s.TLSKey)
	if err != nil {
		return nil, fmt.Errorf("tls_cert: %w", err)
	}
	return &pair, nil
}

// toServer is the tap's side of TLS to the server; nil for none.
func (s *tapSettings) toServer() (*tls.Config, error) {
	if s.ServerTLS == "" || s.ServerTLS == "disable" {
		return nil, nil
	}
	name, _, _ := net.SplitHostPort(s.Server)
	server := &tls.Config{ServerName: name, MinVersion: tls.VersionTLS12, NextProtos: []string{"postgresql"}}
	if s.ServerTLS == "require" {
		server.InsecureSkipVerify = true // as sslmode=require: encrypted, and whoever it is
	}
	if s.ServerCA != "" {
		pem, err := os.ReadFile(s.ServerCA)
		if err != nil {
			return nil, fmt.Errorf("server_ca: %w", err)
		}
		server.RootCAs = x509.NewCertPool()
		if !server.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("server_ca: %s: no certificate in it", filepath.Base(s.ServerCA))
		}
	}
	return server, nil
}

// bound refuses TLS on both sides where SCRAM would fail: it binds the password to the certificate that the client
// sees, which has to be the server's.
func (s *tapSettings) bound(ctx context.Context, c pgtap.Config, pair *tls.Certificate) error {
	if pair == nil || c.ServerTLS == nil || s.SCRAM == "none" {
		return nil
	}
	theirs, err := pgtap.ServerCertificate(ctx, c)
	if err != nil {
		return fmt.Errorf("server_tls: the server's certificate cannot be compared with the tap's, as SCRAM wants: %w", err)
	}
	if string(theirs) != string(pair.Certificate[0]) {
		return errors.New("tls_cert: with TLS on both sides SCRAM binds passwords to the server's certificate, and the tap's is another: " +
			"give the tap the server's certificate and key, or use a local leg without TLS (server_tls: disable), or say scram: none if no user has a SCRAM password")
	}
	return nil
}
