package hub

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nkeys"
	"github.com/rs/zerolog"

	"github.com/rolltrace/rolltrace/cmd/internal/config"
)

// Config is where the hub is and how to log in. It is meant to be inlined (`yaml:",inline"`).
type Config struct {
	// NATS is the URL of the hub, or several of one cluster separated by commas: tls://hub.example.org:4222, or
	// nats://127.0.0.1:4222 on loopback. It may carry user and password.
	NATS config.Address `yaml:"nats" doc:"URL of the hub: tls://host:4222, or nats://127.0.0.1:4222 on this machine"`
	// Seed is the file with the seed of the nkey to log in with. Defaults to none.
	Seed string `yaml:"nats_seed" doc:"file with the seed of the nkey to log in with"`
	// CA is the file with the certificates that the hub's must be signed by. Defaults to those of the system.
	CA string `yaml:"nats_ca" doc:"file with the certificates (PEM) that the hub's must be signed by; none is the system's"`
}

// Options are what a program decides for its connection.
type Options struct {
	// Name is how the hub names the connection: the program, and for a sidecar who it is. Required.
	Name string
	// Identity logs in instead of Config.Seed: a sidecar's nkey, with which it signs too.
	Identity nkeys.KeyPair
	// InboxPrefix is that of a sidecar (stream.InboxPrefix): the hub lets it listen to no other.
	// Defaults to the usual one.
	InboxPrefix string
	// Patient returns a connection at once when the hub is away, and goes on trying. Otherwise Connect fails.
	Patient bool
	// NATS are further options; they come after, and so override, what Connect sets but for address, TLS and login.
	// Defaults to none.
	NATS []nats.Option
	// Log gets connections lost and found, and what the hub refuses.
	Log zerolog.Logger
}

// reconnectWait is the pause between two attempts, to which nats.go adds up to as much at random.
const reconnectWait = time.Second

// Validate says what is wrong with the settings, in one line that names the setting.
func (c Config) Validate() error {
	if c.NATS.IsZero() {
		return nil // whoever needs a hub says so
	}
	for _, text := range strings.Split(c.NATS.Reveal(), ",") {
		u, err := url.Parse(text)
		if err != nil {
			return errors.New("nats: not a URL: want tls://host:4222")
		}
		switch u.Scheme {
		case "tls", "nats", "wss", "ws":
		default:
			return fmt.Errorf("nats: %q: want tls://host:4222, or nats://127.0.0.1:4222 on this machine", config.RedactURL(text))
		}
		plain := u.Scheme != "tls" && u.Scheme != "wss" && c.CA == ""
		if plain && !loopback(u.Hostname()) {
			return fmt.Errorf("nats: %s is not on this machine, and nothing demands TLS: want tls:// in place of %s://, or nats_ca", config.RedactURL(text), u.Scheme)
		}
	}
	for _, file := range []struct{ setting, path string }{{"nats_seed", c.Seed}, {"nats_ca", c.CA}} {
		if file.path == "" {
			continue
		}
		if f, err := os.Open(file.path); err != nil {
			return fmt.Errorf("%s: %w", file.setting, err)
		} else if err := f.Close(); err != nil {
			return fmt.Errorf("%s: %w", file.setting, err)
		}
	}
	return nil
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// Connect connects to the hub, and keeps the connection: lost, it is made again until it is closed.
func Connect(c Config, o Options) (*nats.Conn, error) {
	options, err := c.options(o)
	if err != nil {
		return nil, fmt.Errorf("connect to the hub: %w", err)
	}
	conn, err := nats.Connect(c.NATS.Reveal(), options...)
	if err != nil {
		return nil, fmt.Errorf("connect to the hub at %s: %w%s", c.NATS, err, advice(err))
	}
	return conn, nil
}

func (c Config) options(o Options) ([]nats.Option, error) {
	if c.NATS.IsZero() {
		return nil, errors.New("no address: give one with --nats")
	}
	options := []nats.Option{
		nats.Name(o.Name),
		nats.MaxReconnects(-1),
		nats.ReconnectWait(reconnectWait),
		nats.ReconnectJitter(reconnectWait, reconnectWait),
		nats.RetryOnFailedConnect(o.Patient),
		nats.IgnoreAuthErrorAbort(), // a key that is let in later is let in later
		nats.DisconnectErrHandler(func(_ *nats.Conn, err error) {
			if err != nil {
				o.Log.Warn().Err(err).Stringer("hub", c.NATS).Msg("lost the hub")
			}
		}),
		nats.ReconnectHandler(func(*nats.Conn) { o.Log.Info().Stringer("hub", c.NATS).Msg("found the hub again") }),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) {
			o.Log.Error().Err(err).Stringer("hub", c.NATS).Msg("the hub complained")
		}),
	}
	if o.InboxPrefix != "" {
		options = append(options, nats.CustomInboxPrefix(o.InboxPrefix))
	}
	options = append(options, o.NATS...)
	if c.CA != "" {
		options = append(options, nats.Secure(&tls.Config{MinVersion: tls.VersionTLS12}), nats.RootCAs(c.CA))
	}
	switch {
	case o.Identity != nil:
		public, err := o.Identity.PublicKey()
		if err != nil {
			return nil, fmt.Errorf("identity: %w", err)
		}
		options = append(options, nats.Nkey(public, o.Identity.Sign))
	case c.Seed != "":
		option, err := nats.NkeyOptionFromSeed(c.Seed)
		if err != nil {
			return nil, fmt.Errorf("nats_seed: %s: want the seed of an nkey (it begins with SU): %w", c.Seed, err)
		}
		options = append(options, option)
	}
	return options, nil
}

// Away says whether Connect failed because the hub is not there now, or went away in the middle, so that
// trying again may do: not because of an address, credentials or a certificate that are wrong.
func Away(err error) bool {
	for _, away := range []error{
		nats.ErrNoServers, nats.ErrTimeout, nats.ErrConnectionClosed, nats.ErrStaleConnection,
		io.EOF, os.ErrDeadlineExceeded, syscall.ECONNREFUSED, syscall.ECONNRESET, syscall.EPIPE,
	} {
		if errors.Is(err, away) {
			return true
		}
	}
	return false
}

// advice says what to do about what a user can meet.
func advice(err error) string {
	switch {
	case errors.Is(err, nats.ErrAuthorization):
		return ": the hub does not know these credentials (--nats-seed): let them in there (deploy/bootstrap writes its users)"
	case errors.Is(err, nats.ErrSecureConnRequired), strings.Contains(err.Error(), "x509:"):
		return ": is its certificate for this name, and signed by one of --nats-ca?"
	case errors.Is(err, nats.ErrNoServers):
		return ": is it running there?"
	}
	return ""
}
