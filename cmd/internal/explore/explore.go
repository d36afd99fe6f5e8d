package explore

import (
	"bufio"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"strings"

	"github.com/rs/zerolog"

	"github.com/rolltrace/rolltrace/cmd/internal/boot"
	"github.com/rolltrace/rolltrace/cmd/internal/found"
	"github.com/rolltrace/rolltrace/cmd/internal/status"
	"github.com/rolltrace/rolltrace/consumers/policy"
	"github.com/rolltrace/rolltrace/dashboards/explorer"
	"github.com/rolltrace/rolltrace/producers/delimited"
	"github.com/rolltrace/rolltrace/producers/pseudonym"
	"github.com/rolltrace/rolltrace/schema"
	"github.com/rolltrace/rolltrace/schema/graph"
)

// Config says where the explorer is, and for whom.
type Config struct {
	// Listen is where the page is served.
	Listen string `yaml:"listen" doc:"where the explorer page is, host:port; off loopback it wants tls_cert, tls_key and tokens"`
	// Cert and Key are files (PEM). With them the page is served over TLS. Default to none.
	Cert string `yaml:"tls_cert" doc:"file with the page's certificate (PEM)"`
	Key  string `yaml:"tls_key" doc:"file with the certificate's key (PEM)"`
	// Tokens is a file with a line NAME:TOKEN for everybody who may ask. Default to none: whoever is on this machine.
	Tokens string `yaml:"tokens" doc:"file with a line NAME:TOKEN for each reader of the page; a token has 32 characters or more"`
	// ElectorKey is the key file for looking up identifiers. Defaults to none: electors are looked up by elector key.
	ElectorKey string `yaml:"elector_key" doc:"key file under which the elector keys were made: with it the page looks up identifiers, and found lists"`
	// Rules is a folder with rules of one's own beside the shipped ones: those of the consumer. Defaults to none.
	Rules string `yaml:"-"`
}

// minToken is the least length of a token, in characters: 32 random ones cannot be guessed.
const minToken = 32

// Validate says what is wrong with the settings themselves.
func (c Config) Validate() error {
	if (c.Cert == "") != (c.Key == "") {
		return errors.New("explorer.tls_cert, explorer.tls_key: want both or none")
	}
	return nil
}

// A Page is a page that listens, and has yet to be served.
type Page struct {
	cfg      Config
	listener net.Listener
	tls      *tls.Config
	readers  explorer.Readers
	secret   *pseudonym.Secret
}

// Listen reads what the settings name, and listens. The page must be closed or served.
func Listen(c Config) (*Page, error) {
	p := &Page{cfg: c}
	host, _, err := net.SplitHostPort(c.Listen)
	if err != nil {
		return nil, fmt.Errorf("explorer.listen: %q: want host:port, for example 127.0.0.1:9466", c.Listen)
	}
	if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) && (c.Cert == "" || c.Tokens == "") {
		return nil, fmt.Errorf("explorer.listen: %s: off loopback the page wants TLS and readers: give explorer.tls_cert, explorer.tls_key and explorer.tokens, or listen on 127.0.0.1", c.Listen)
	}
	if c.Tokens != "" {
		if p.readers, err = readTokens(c.Tokens); err != nil {
			return nil, err
		}
	}
	if c.ElectorKey != "" {
		secret, err := pseudonym.ReadKeyFile(c.ElectorKey)
		if err != nil {
			return nil, fmt.Errorf("explorer.elector_key: %w", err)
		}
		p.secret = &secret
	}
	if c.Cert != "" {
		certificate, err := tls.LoadX509KeyPair(c.Cert, c.Key)
		if err != nil {
			return nil, fmt.Errorf("read the explorer's certificate: %w", err)
		}
		p.tls = &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12, NextProtos: []string{"h2", "http/1.1"}}
	}
	if p.listener, err = net.Listen("tcp", c.Listen); err != nil {
		return nil, fmt.Errorf("explorer: %w: end what listens there, or choose another port (explorer.listen)", err)
	}
	return p, nil
}

// readTokens reads the readers of a file. Errors name lines, and never repeat a token.
func readTokens(path string) (explorer.Readers, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("explorer.tokens: %w", err)
	}
	defer func() { _ = file.Close() }()
	readers := explorer.Readers{}
	lines := bufio.NewScanner(file)
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimSpace(lines.Text())
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		name, token, ok := strings.Cut(line, ":")
		if name, token = strings.TrimSpace(name), strings.TrimSpace(token); !ok || name == "" || len(token) < minToken {
			return nil, fmt.Errorf("explorer.tokens: %s:%d: want NAME:TOKEN, the token of %d characters or more", path, n, minToken)
		}
		hash := sha256.Sum256([]byte(token))
		if readers[hash] != "" {
			return nil, fmt.Errorf("explorer.tokens: %s:%d: %s and %s have the same token: give each reader one of their own", path, n, readers[hash], name)
		}
		readers[hash] = name
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("explorer.tokens: read %s: %w", path, err)
	}
	if len(readers) == 0 {
		return nil, fmt.Errorf("explorer.tokens: %s: want a line NAME:TOKEN for each reader", path)
	}
	return readers, nil
}

// Close gives back the address of a page that is not to be served.
func (p *Page) Close() { _ = p.listener.Close() }

// Address is where the page listens.
func (p *Page) Address() string { return p.listener.Addr().String() }

// URL is the page's.
func (p *Page) URL() string {
	if p.tls != nil {
		return "https://" + p.Address()
	}
	return "http://" + p.Address()
}

// Serve answers with the graph of dsn until ctx ends. The listener is closed when it returns, and so is the connection.
func (p *Page) Serve(ctx context.Context, dsn string, log zerolog.Logger) error {
	conn, err := graph.Open(dsn)
	if err != nil {
		p.Close()
		return err
	}
	defer func() { _ = conn.Close() }()
	cfg := explorer.Config{Graph: graph.New(conn, graph.Config{}), Readers: p.readers, Version: boot.Build(), Log: log}
	rules, err := policy.Load(p.cfg.Rules)
	if err != nil {
		p.Close()
		return err
	}
	cfg.Findings = func(ctx context.Context, asOf schema.Time) (any, error) {
		return policy.Ask(ctx, cfg.Graph, rules, asOf)
	}
	if p.secret != nil {
		cfg.Elector = p.elector
		cfg.Match = func(ctx context.Context, q explorer.MatchQuestion) (any, error) { return p.match(ctx, cfg.Graph, q) }
	}
	listener := p.listener
	if p.tls != nil {
		listener = tls.NewListener(listener, p.tls)
	}
	return status.Serve(ctx, listener, http.Handler(explorer.New(cfg)))
}

// elector turns an identifier into an elector key.
func (p *Page) elector(space schema.IDSpace, identifier []byte) (graph.ElectorQuestion, error) {
	key, ok := p.secret.Space(space).Key(identifier)
	if !ok {
		return graph.ElectorQuestion{}, fmt.Errorf("the identifier has nothing that could identify anybody, as an %s", space)
	}
	return graph.ElectorQuestion{IDSpace: space, KeyID: p.secret.KeyID(), Key: key}, nil
}

// match asks which copy a found list is. No error repeats what is in the list.
func (p *Page) match(ctx context.Context, g *graph.Graph, q explorer.MatchQuestion) (any, error) {
	column, err := delimited.ParseIDColumn(q.ID)
	if err != nil {
		return nil, explorer.Wrong(err)
	}
	config := delimited.Config{Format: delimited.Format(q.Format)}
	asked, list, err := found.Question(ctx, q.List, config, column, *p.secret)
	if err != nil {
		return nil, explorer.Wrong(fmt.Errorf("read the list: %w", err))
	}
	defer list.Close()
	asked.AsOf = q.AsOf
	return g.Match(ctx, asked)
}
