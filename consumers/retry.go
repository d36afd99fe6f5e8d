package consumers

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/rs/zerolog"
)

// How long to wait before trying again, and how often to say that it still does not work.
const (
	firstWait = 50 * time.Millisecond
	longWait  = 5 * time.Second
	sayAgain  = 30 * time.Second
)

// A retry does something again and again until it works. It is not safe for concurrent use.
type retry struct {
	log     zerolog.Logger
	failed  func(error) // called at each failure
	healthy func(bool)  // called when it fails first, and when it works again

	wait time.Duration
	said time.Time
	bad  bool
}

// until calls do until it returns nil or an error that is permanent, or ctx has ended; it returns that.
func (r *retry) until(ctx context.Context, what string, do func(context.Context) error) error {
	for {
		err := do(ctx)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err == nil:
			r.worked()
			return nil
		case IsPermanent(err):
			return err
		case errors.Is(err, nats.ErrConnectionClosed):
			return err
		case errors.Is(err, errReconnected):
			continue
		}
		r.failed(err)
		if !r.bad {
			r.bad = true
			r.healthy(false)
		}
		if now := time.Now(); now.Sub(r.said) > sayAgain {
			r.said = now
			r.log.Warn().Err(err).Msg(what + ": does not work now, trying again")
		}
		r.wait = min(max(2*r.wait, firstWait), longWait)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(r.wait/2 + rand.N(r.wait)/2):
		}
	}
}

// worked ends a time of failures.
func (r *retry) worked() {
	if r.bad {
		r.bad, r.wait, r.said = false, 0, time.Time{}
		r.healthy(true)
		r.log.Info().Msg("works again")
	}
}
