package outbox

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/nats-io/nats.go"
	"github.com/rs/zerolog"

	"github.com/rolltrace/rolltrace/producers"
)

const (
	besideDir = "beside"
	unborn    = ".new-" // a folder that nobody has put anything into yet
)

// OpenBeside opens a new outbox in a folder of its own inside cfg.Dir, for a process that found cfg.Dir held
// by another that does not listen. It has an instance and a clock of its own. The next run on cfg.Dir
// adopts it: brings what is left in it to the hub and takes the folder away.
func OpenBeside(ctx context.Context, cfg Config) (*Outbox, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	for try := 0; ; try++ {
		o, err := openBeside(ctx, cfg)
		if errors.Is(err, producers.ErrLocked) && try < 3 {
			continue // an adopter was faster than the lock
		}
		return o, err
	}
}

func openBeside(ctx context.Context, cfg Config) (*Outbox, error) {
	id, err := uuid.NewV7()
	if err != nil {
		return nil, fmt.Errorf("open outbox beside %s: %w", cfg.Dir, err)
	}
	parent := filepath.Join(cfg.Dir, besideDir)
	born := filepath.Join(parent, unborn+id.String())
	lock, err := takeLock(born)
	if err != nil {
		return nil, err
	}
	cfg.Dir = filepath.Join(parent, id.String())
	if err := os.Rename(born, cfg.Dir); err != nil {
		return nil, errors.Join(fmt.Errorf("open outbox beside %s: %w", cfg.Dir, err), lock.Unlock())
	}
	o, err := open(ctx, cfg, lock)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open outbox %s: %w", cfg.Dir, err), lock.Unlock())
	}
	return o, nil
}

// AdopterConfig is what an Adopter needs.
type AdopterConfig struct {
	// Outbox is the configuration of the outbox whose folder is searched; the outboxes in it are opened
	// with the same. Its metrics are not used. Required.
	Outbox Config
	// Hub is the connection to the hub, made with producers.HubOptions. Required.
	Hub *nats.Conn
	// Forwarder is used for each adopted outbox: its Source, Conn and Log are set here.
	Forwarder producers.ForwarderConfig
	// Interval between two searches. Defaults to 10 s.
	Interval time.Duration
	// Log gets one line for each outbox that is adopted, and for each that cannot be opened. Defaults to
	// none.
	Log zerolog.Logger
}

// An Adopter brings to the hub what processes have left in outboxes beside the one that they found held.
type Adopter struct{ cfg AdopterConfig }

// NewAdopter checks the configuration.
func NewAdopter(cfg AdopterConfig) (*Adopter, error) {
	if cfg.Hub == nil {
		return nil, errors.New("adopter: want a connection to the hub")
	}
	if cfg.Interval == 0 {
		cfg.Interval = 10 * time.Second
	}
	if cfg.Interval < 0 {
		return nil, fmt.Errorf("adopter: interval: %s: want more than 0", cfg.Interval)
	}
	if _, err := cfg.Outbox.withDefaults(); err != nil {
		return nil, err
	}
	return &Adopter{cfg: cfg}, nil
}

// Run searches now and then, until the context ends, and returns nil. An outbox that somebody holds is left
// alone; one that is not is opened while the hub is there, forwarded, and its folder taken away when the hub
// has acknowledged everything. One at a time.
func (a *Adopter) Run(ctx context.Context) error {
	tick := time.NewTicker(a.cfg.Interval)
	defer tick.Stop()
	for {
		a.search(ctx)
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
}

func (a *Adopter) search(ctx context.Context) {
	parent := filepath.Join(a.cfg.Outbox.Dir, besideDir)
	entries, err := os.ReadDir(parent)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		a.cfg.Log.Warn().Err(err).Msg("outboxes to adopt cannot be listed")
	}
	for _, e := range entries {
		if ctx.Err() != nil || !a.cfg.Hub.IsConnected() {
			return
		}
		dir := filepath.Join(parent, e.Name())
		switch {
		case !e.IsDir():
			continue
		case strings.HasPrefix(e.Name(), unborn):
			err = removeUnheld(dir)
		default:
			err = a.adopt(ctx, dir)
		}
		if err != nil && ctx.Err() == nil && !errors.Is(err, producers.ErrLocked) {
			a.cfg.Log.Warn().Err(err).Msg("outbox is not adopted; it will be tried again")
		}
	}
}

// removeUnheld takes away a folder into which nothing was written.
func removeUnheld(dir string) error {
	lock, err := takeLock(dir)
	if err != nil {
		return err
	}
	return errors.Join(os.RemoveAll(dir), lock.Unlock())
}

func (a *Adopter) adopt(ctx context.Context, dir string) error {
	cfg := a.cfg.Outbox
	cfg.Dir, cfg.Metrics = dir, nil
	o, err := Open(ctx, cfg)
	if err != nil {
		return err
	}
	a.cfg.Log.Info().Str("outbox", dir).Uint64("messages", o.Depth().Messages).Msg("outbox is adopted")
	forward := a.cfg.Forwarder
	forward.Source, forward.Conn, forward.Log = o, a.cfg.Hub, a.cfg.Log
	err = drain(ctx, forward)
	closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTimeout)
	defer cancel()
	if err := errors.Join(err, o.Close(closing)); err != nil {
		return err
	}
	if !o.shelf.isEmpty() {
		return nil // gone on with when the hub is back
	}
	// Nobody opens a folder of this name again: it is safe without the lock.
	if err := os.RemoveAll(dir); err != nil {
		return fmt.Errorf("remove adopted outbox: %w", err)
	}
	a.cfg.Log.Info().Str("outbox", dir).Msg("everything in the adopted outbox is at the hub; it is removed")
	return nil
}

// drain forwards until nothing is left.
func drain(ctx context.Context, cfg producers.ForwarderConfig) error {
	f, err := producers.NewForwarder(cfg)
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- f.Run(ctx) }()
	drained := f.Drained(ctx)
	stop()
	return errors.Join(drained, <-ended)
}
