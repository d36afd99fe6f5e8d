package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"time"

	"github.com/nats-io/nkeys"
	"github.com/rs/zerolog"

	"github.com/rolltrace/rolltrace/producers"
)

// adoptEvery is how often run looks for outboxes that were left beside its own.
const adoptEvery = 10 * time.Second

// adopt brings to the hub what tee and emit left in outboxes of their own because this one was held, and removes
// them. It takes one at a time, and waits for the hub.
func adopt(ctx context.Context, cfg *settings, identity nkeys.KeyPair, log zerolog.Logger) error {
	tick := time.NewTicker(adoptEvery)
	defer tick.Stop()
	sampled := log.Sample(&zerolog.BurstSampler{Burst: 3, Period: time.Minute})
	for {
		found, err := os.ReadDir(filepath.Join(cfg.Outbox, besideFolder))
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			sampled.Warn().Err(err).Msg("outboxes beside this one cannot be listed")
		}
		for _, entry := range found {
			if !entry.IsDir() {
				continue
			}
			dir := filepath.Join(cfg.Outbox, besideFolder, entry.Name())
			err := adoptOne(ctx, cfg, dir, identity, log)
			switch {
			case ctx.Err() != nil:
				return nil
			case errors.Is(err, producers.ErrLocked): // still in use
			case err != nil:
				sampled.Warn().Err(err).Str("outbox", dir).Msg("outbox beside this one cannot be taken over; it stays where it is")
			}
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
}

func adoptOne(ctx context.Context, cfg *settings, dir string, identity nkeys.KeyPair, log zerolog.Logger) (err error) {
	place, err := takeBeside(dir)
	if err != nil || place == nil {
		return err
	}
	left, err := openOutbox(ctx, cfg, dir, identity, nil, nil, log)
	if err != nil {
		return errors.Join(err, place.leave())
	}
	messages := left.Depth().Messages
	l, err := openLink(cfg, left, identity, nil, log)
	if err == nil {
		err = l.emptied(ctx)
		l.close()
	}
	if err = errors.Join(err, left.Close(context.WithoutCancel(ctx))); err != nil {
		return errors.Join(err, place.leave())
	}
	log.Info().Str("outbox", dir).Uint64("messages", messages).Msg("took over what was left beside the outbox")
	return place.remove()
}

// emptied waits until the hub has everything, however long it is away.
func (l *link) emptied(ctx context.Context) error {
	select {
	case <-l.connected:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	if l.forwarder == nil {
		return l.fault
	}
	return l.forwarder.Drained(ctx)
}
