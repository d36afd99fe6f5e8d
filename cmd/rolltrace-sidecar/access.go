package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nkeys"
	"github.com/rs/zerolog"

	"github.com/rolltrace/rolltrace/cmd/internal/boot"
	"github.com/rolltrace/rolltrace/cmd/internal/hub"
	"github.com/rolltrace/rolltrace/producers"
	"github.com/rolltrace/rolltrace/producers/intake"
	"github.com/rolltrace/rolltrace/producers/outbox"
	"github.com/rolltrace/rolltrace/schema/stream"
)

// An access is how a tee or an emit reaches the outbox: through the sidecar that runs, or as its holder, or, while
// another tee or emit holds it, with one of its own beside it, which the next run brings to the hub.
type access struct {
	producers.Outbox
	org, sidecar string

	client *intake.Client // of a sidecar that runs
	own    *outbox.Outbox // or held by this process,
	link   *link          // and brought to the hub from here
	beside *beside        // that is one beside the outbox
}

// openAccess finds the way to the outbox. pinned says that the settings name organisation or sidecar on purpose: then
// a running sidecar has to be the same. While there is no room for what is recorded, notes says so, once.
func openAccess(ctx context.Context, s *settings, pinned bool, notes io.Writer, log zerolog.Logger) (*access, error) {
	waits := noteWaits(notes)
	identity, err := s.identity()
	if err != nil {
		return nil, err
	}
	// Twice: who holds it can be about to end, or about to listen.
	for range 2 {
		own, err := openOutbox(ctx, s, s.Outbox, identity, nil, waits, log)
		if err == nil {
			return held(s, own, identity, log)
		}
		if !errors.Is(err, producers.ErrLocked) {
			return nil, err
		}
		client, err := intake.Dial(ctx, intake.ClientConfig{Dir: s.Outbox, Timeout: s.BlockTimeout.Std() + 30*time.Second, Log: log})
		if err == nil {
			return through(ctx, s, client, pinned)
		}
		if !errors.Is(err, intake.ErrAbsent) {
			return nil, err
		}
	}
	place, err := newBeside(s.Outbox)
	if err != nil {
		return nil, err
	}
	own, err := openOutbox(ctx, s, place.dir, identity, nil, waits, log)
	if err != nil {
		return nil, errors.Join(err, place.leave())
	}
	a, err := held(s, own, identity, log)
	if err != nil {
		return nil, errors.Join(err, place.leave())
	}
	a.beside = place
	return a, nil
}

// noteWaits tells whoever runs a command why it stands still, and when it goes on.
func noteWaits(notes io.Writer) func(why error) {
	return func(why error) {
		if why == nil {
			_, _ = fmt.Fprintln(notes, "rolltrace-sidecar: note: there is room again: going on")
			return
		}
		_, _ = fmt.Fprintf(notes, "rolltrace-sidecar: note: waiting: %s\n", boot.Line(why))
	}
}

// openOutbox opens it, and closes what those left open who are gone.
func openOutbox(ctx context.Context, s *settings, dir string, identity nkeys.KeyPair, metrics *outbox.Metrics, waits func(error), log zerolog.Logger) (*outbox.Outbox, error) {
	own, err := outbox.Open(ctx, outbox.Config{
		Dir: dir, Org: s.Org, Sidecar: s.Sidecar, Signer: identity, Version: boot.Version,
		MaxBytes: s.MaxBytes.Int64(), OnFull: s.OnFull, BlockTimeout: s.BlockTimeout.Std(),
		Waits: waits, Log: log, Metrics: metrics,
	})
	if err != nil {
		return nil, err
	}
	intake.CloseAbandoned(ctx, dir, own, log)
	return own, nil
}

func held(s *settings, own *outbox.Outbox, identity nkeys.KeyPair, log zerolog.Logger) (*access, error) {
	l, err := openLink(s, own, identity, nil, log)
	if err != nil {
		return nil, errors.Join(err, own.Close(context.Background()))
	}
	return &access{Outbox: own, org: s.Org, sidecar: s.Sidecar, own: own, link: l}, nil
}

func through(ctx context.Context, s *settings, client *intake.Client, pinned bool) (*access, error) {
	if pinned && (client.Org() != s.Org || client.Sidecar() != s.Sidecar) {
		err := fmt.Errorf("the sidecar that holds outbox %s is %s/%s, not %s/%s: leave --org and --sidecar out, or give another --outbox",
			s.Outbox, client.Org(), client.Sidecar(), s.Org, s.Sidecar)
		return nil, errors.Join(err, client.Close(ctx))
	}
	return &access{Outbox: client, org: client.Org(), sidecar: client.Sidecar(), client: client}, nil
}

// close waits for the hub while it takes messages, and gives the outbox back. What the hub did not take stays there; note
// says so in one line, or is empty.
func (a *access) close(ctx context.Context) (note string, err error) {
	if a.client != nil {
		return "", a.client.Close(ctx)
	}
	why := a.link.drain(ctx)
	left := a.own.Depth().Messages
	a.link.close()
	if err := a.own.Close(ctx); err != nil {
		return "", errors.Join(fmt.Errorf("close outbox %s: %w", a.own.Dir(), err), a.beside.leave())
	}
	if left == 0 {
		return "", a.beside.remove()
	}
	return fmt.Sprintf("the record is safe in outbox %s, and not yet at the hub (%s): the next run, tee or emit takes it there", a.own.Dir(), why),
		a.beside.leave()
}

// interruptedPatience is how long a command that was told to end waits for a hub that takes messages.
const interruptedPatience = 3 * time.Second

// finish closes the access of a command that ended with fault, and returns how it ends: a command that is done says on
// notes what the hub has not got yet.
func (a *access) finish(ctx context.Context, fault error, notes io.Writer) error {
	patience := closeTimeout
	if ctx.Err() != nil {
		patience = interruptedPatience
	}
	closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
	defer cancel()
	note, err := a.close(closing)
	switch {
	case fault != nil:
		return fault
	case err != nil:
		return err
	case note != "":
		_, _ = fmt.Fprintf(notes, "rolltrace-sidecar: note: %s\n", note)
	}
	return nil
}

// A link brings an outbox to the hub in the background.
type link struct {
	source    producers.Source
	name      string // of the hub
	connected chan struct{}
	conn      *nats.Conn // when connected is closed; nil if there is no way
	forwarder *producers.Forwarder
	stop      context.CancelFunc
	stopped   chan struct{}
	fault     error
}

// openLink returns at once; a hub that cannot be reached is tried again and again.
func openLink(s *settings, source producers.Source, identity nkeys.KeyPair, metrics *producers.ForwarderMetrics, log zerolog.Logger) (*link, error) {
	if s.Hub.NATS.IsZero() {
		return nil, errors.New("nats: want the URL of the hub (--nats)")
	}
	ctx, stop := context.WithCancel(context.Background())
	l := &link{source: source, name: s.Hub.NATS.String(), connected: make(chan struct{}), stop: stop, stopped: make(chan struct{})}
	options := hub.Options{
		Name: "rolltrace-sidecar " + s.Org + "/" + s.Sidecar, Identity: s.login(identity), Patient: true, Log: log,
		InboxPrefix: stream.InboxPrefix(s.Org, s.Sidecar), NATS: producers.HubOptions(s.Org, s.Sidecar, log),
	}
	go func() {
		defer close(l.stopped)
		conn, err := hub.Connect(s.Hub, options)
		if err == nil {
			l.conn = conn
			l.forwarder, err = producers.NewForwarder(producers.ForwarderConfig{Source: source, Conn: conn, Exercise: s.exercise, Log: log, Metrics: metrics})
		}
		l.fault = err
		close(l.connected)
		if err == nil {
			l.fault = l.forwarder.Run(ctx)
		}
	}()
	return l, nil
}

const (
	// connectPatience is how long a command that is done waits for its first connection to the hub.
	connectPatience = 2 * time.Second
	// progressPatience is how long it waits for the hub's next acknowledgement.
	progressPatience = 10 * time.Second
)

// drain waits until the hub has everything, for as long as it takes messages. It says why it stopped waiting.
func (l *link) drain(ctx context.Context) (why string) {
	select {
	case <-l.connected:
	case <-time.After(connectPatience):
		return l.name + " does not answer"
	case <-ctx.Done():
		return "interrupted"
	}
	if l.forwarder == nil {
		return l.fault.Error()
	}
	drained, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	go func() {
		tick := time.NewTicker(50 * time.Millisecond)
		defer tick.Stop()
		waiting, since := l.source.Depth().Messages, time.Now()
		for {
			if now := l.source.Depth().Messages; now != waiting {
				waiting, since = now, time.Now()
			}
			switch {
			case !l.conn.IsConnected():
				reason := "is away"
				if err := l.conn.LastError(); err != nil {
					reason = "is away: " + err.Error()
				}
				cancel(errors.New(l.name + " " + reason))
			case time.Since(since) > progressPatience:
				cancel(fmt.Errorf("%s has acknowledged nothing for %s", l.name, progressPatience))
			}
			select {
			case <-tick.C:
			case <-drained.Done():
				return
			}
		}
	}()
	if err := l.forwarder.Drained(drained); err != nil {
		return boot.Line(err)
	}
	return ""
}

// close stops forwarding. It returns when that has ended, unless it is still waiting for a first answer from the hub.
func (l *link) close() {
	l.stop()
	select {
	case <-l.connected:
		<-l.stopped
		if l.conn != nil {
			l.conn.Close()
		}
	default:
	}
}
