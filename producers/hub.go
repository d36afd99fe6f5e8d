package producers

import (
	"errors"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/rs/zerolog"

	"github.com/rolltrace/rolltrace/schema/stream"
)

// HubOptions are what a connection to the hub needs so that a Forwarder can use it: it may begin while the
// hub is away, reconnects for ever, keeps nothing in memory meanwhile (the outbox keeps it), and receives
// acknowledgements where nobody else can see them. Credentials and TLS are the caller's to add. Coming and
// going is logged.
func HubOptions(org, sidecar string, log zerolog.Logger) []nats.Option {
	sampled := log.Sample(&zerolog.BurstSampler{Burst: 3, Period: time.Minute})
	return []nats.Option{
		nats.Name("rolltrace-sidecar " + org + "/" + sidecar),
		nats.CustomInboxPrefix(stream.InboxPrefix(org, sidecar)),
		nats.RetryOnFailedConnect(true), nats.MaxReconnects(-1), nats.ReconnectBufSize(-1),
		nats.ReconnectWait(500 * time.Millisecond), nats.ReconnectJitter(500*time.Millisecond, time.Second),
		nats.Timeout(5 * time.Second), nats.PingInterval(10 * time.Second), nats.MaxPingsOutstanding(3),
		nats.ConnectHandler(func(c *nats.Conn) { log.Info().Str("hub", c.ConnectedUrlRedacted()).Msg("hub is there") }),
		nats.ReconnectHandler(func(c *nats.Conn) { log.Info().Str("hub", c.ConnectedUrlRedacted()).Msg("hub is back") }),
		nats.DisconnectErrHandler(func(_ *nats.Conn, err error) {
			if err != nil {
				sampled.Warn().Err(err).Msg("hub is away; the outbox keeps what is recorded")
			}
		}),
		nats.ReconnectErrHandler(func(_ *nats.Conn, err error) {
			sampled.Warn().Err(err).Msg("hub cannot be reached; the outbox keeps what is recorded")
		}),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) {
			if !errors.Is(err, nats.ErrConnectionClosed) {
				sampled.Warn().Err(err).Msg("hub refuses")
			}
		}),
	}
}
