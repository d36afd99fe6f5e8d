package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/nats-io/nkeys"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/rs/zerolog"
	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/rolltrace/rolltrace/cmd/internal/boot"
	"github.com/rolltrace/rolltrace/cmd/internal/logging"
	"github.com/rolltrace/rolltrace/cmd/internal/status"
	"github.com/rolltrace/rolltrace/producers"
	"github.com/rolltrace/rolltrace/producers/intake"
	"github.com/rolltrace/rolltrace/producers/outbox"
	"github.com/rolltrace/rolltrace/producers/pgtap"
	"github.com/rolltrace/rolltrace/producers/pseudonym"
)

func runCommand() *cobra.Command {
	cfg := newSettings()
	cmd := &cobra.Command{
		Use:   "run --config FILE",
		Short: "Hold the outbox, and bring it to the hub",
		Long: `Holds the outbox of this machine until it is told to stop (Ctrl-C, SIGTERM): brings what is in it to the hub, says at an
interval that the sidecar is alive, lets tee and emit in, and takes over what they left behind while it did not run.

It may be killed at any moment: nothing that tee or emit were told is recorded gets lost. While the hub is away it goes on.

Exit codes: 0 done, 1 a fault (one line on stderr), 2 wrong usage.`,
		Args: cobra.NoArgs,
	}
	loader := cfg.bind(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if done, err := loader.Load(cmd.OutOrStdout()); done || err != nil {
			return err
		}
		if err := cfg.complete(""); err != nil {
			return boot.Wrong(err)
		}
		return run(cmd.Context(), cfg, loader.File(), cmd.ErrOrStderr())
	}
	return cmd
}

// drainTimeout is how long run waits at its end for a hub that takes messages.
const drainTimeout = 20 * time.Second

// run is the whole program. file is the configuration file, or "".
func run(ctx context.Context, cfg *settings, file string, stderr io.Writer) (err error) {
	log := logging.New(stderr, "rolltrace-sidecar", cfg.Log)
	if cfg.Key != "" { // tee will need it: better to hear of it now
		if _, err := pseudonym.ReadKeyFile(cfg.Key); err != nil {
			return err
		}
	}
	identity, err := cfg.identity()
	if err != nil {
		return err
	}
	listener, err := status.Listen(cfg.HTTP)
	if err != nil {
		return err
	}
	defer func() { _ = listener.Close() }() // Serve has, unless something fails before

	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	held, err := awaitOutbox(ctx, cfg, identity, outbox.NewMetrics(registry), log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, held.Close(context.WithoutCancel(ctx))) }()
	metrics := producers.NewForwarderMetrics(registry)
	link, err := openLink(cfg, held, identity, metrics, log)
	if err != nil {
		return err
	}
	defer link.close()
	entrance, err := intake.New(intake.Config{
		Dir: cfg.Outbox, Outbox: held, Org: cfg.Org, Sidecar: cfg.Sidecar, Listen: cfg.Intake, Log: log,
	})
	if err != nil {
		return err
	}

	taps, err := newTaps(ctx, cfg, held, pgtap.NewMetrics(registry), log)
	if err != nil {
		return err
	}

	group, ctx := errgroup.WithContext(ctx)
	serving, stop := context.WithCancel(context.WithoutCancel(ctx))
	group.Go(func() error { return status.Serve(serving, listener, handler(registry, link, entrance, taps)) })
	var writers sync.WaitGroup // that put something into the outbox until the end
	writing := func(work func() error) {
		writers.Add(1)
		group.Go(func() error {
			defer writers.Done()
			return work()
		})
	}
	writing(func() error { return entrance.Run(ctx) })
	for _, t := range taps {
		writing(func() error { return t.run(ctx) })
	}
	group.Go(func() error { return reload(ctx, file, cfg.Org, taps, log) })
	writing(func() error { return beat(ctx, cfg, held, link, metrics, log) })
	group.Go(func() error { return adopt(ctx, cfg, identity, log) })
	group.Go(func() error {
		select {
		case <-allReady(ctx, entrance, taps):
			log.Info().Str("org", cfg.Org).Str("sidecar", cfg.Sidecar).Str("outbox", cfg.Outbox).Str("hub", link.name).
				Stringer("http", listener.Addr()).Str("version", boot.Build()).Msg("started")
		case <-ctx.Done():
		}
		<-ctx.Done()
		return nil
	})
	group.Go(func() error {
		defer stop() // health is answered until the end
		<-ctx.Done()
		writers.Wait()
		draining, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTimeout)
		defer cancel()
		if why := link.drain(draining); why != "" {
			log.Info().Str("reason", why).Uint64("messages", held.Depth().Messages).Msg("stopped; the outbox keeps what the hub has not taken")
		}
		return nil
	})
	return group.Wait()
}

// awaitOutbox opens the outbox. While a tee or an emit holds it, it waits; another sidecar on it is an error.
func awaitOutbox(ctx context.Context, cfg *settings, identity nkeys.KeyPair, metrics *outbox.Metrics, log zerolog.Logger) (*outbox.Outbox, error) {
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for said := false; ; said = true {
		held, err := openOutbox(ctx, cfg, cfg.Outbox, identity, metrics, nil, log)
		if !errors.Is(err, producers.ErrLocked) {
			return held, err
		}
		other, dialErr := intake.Dial(ctx, intake.ClientConfig{Dir: cfg.Outbox})
		if dialErr == nil {
			return nil, errors.Join(
				fmt.Errorf("outbox %s is held by another sidecar that runs (%s/%s): end that one first", cfg.Outbox, other.Org(), other.Sidecar()),
				other.Close(ctx))
		}
		if !said {
			log.Info().Str("outbox", cfg.Outbox).Msg("waiting for the tee or emit that holds the outbox")
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// beat says that the sidecar is alive. It begins when the hub has been tried once, whose clock it compares with.
func beat(ctx context.Context, cfg *settings, to producers.Outbox, l *link, metrics *producers.ForwarderMetrics, log zerolog.Logger) error {
	select {
	case <-l.connected:
		if l.forwarder == nil {
			return l.fault
		}
	case <-ctx.Done():
		return nil
	}
	digest, err := cfg.digest()
	if err != nil {
		return err
	}
	heart, err := producers.NewHeartbeats(producers.HeartbeatConfig{
		Outbox: to, Interval: cfg.Heartbeat.Std(), Places: cfg.covers(), Config: digest, Hub: l.conn, Log: log, Metrics: metrics,
	})
	if err != nil {
		return err
	}
	return heart.Run(ctx)
}

// allReady is closed when everybody can come in, or the context has ended.
func allReady(ctx context.Context, entrance *intake.Intake, taps []*tap) <-chan struct{} {
	ready := make(chan struct{})
	go func() {
		defer close(ready)
		for _, one := range taps {
			select {
			case <-one.Ready():
			case <-ctx.Done():
			}
		}
		select {
		case <-entrance.Ready():
		case <-ctx.Done():
		}
	}()
	return ready
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// digest is that of the settings in force, without secrets.
func (s *settings) digest() (string, error) {
	content, err := json.Marshal(s)
	if err != nil {
		return "", fmt.Errorf("configuration digest: %w", err)
	}
	sum := sha256.Sum256(content)
	return "sha256:" + hex.EncodeToString(sum[:]), nil
}

// handler answers /metrics, /healthz and /readyz.
func handler(registry *prometheus.Registry, l *link, entrance *intake.Intake, taps []*tap) http.Handler {
	type state struct {
		Ready    bool   `json:"ready"`    // tee, emit and the taps' clients can come in
		Hub      string `json:"hub"`      // connected, away
		Messages uint64 `json:"messages"` // that wait for the hub
		Bytes    uint64 `json:"bytes"`
	}
	now := func() state {
		depth := l.source.Depth()
		s := state{Hub: "away", Messages: depth.Messages, Bytes: depth.Bytes}
		s.Ready = isClosed(entrance.Ready())
		for _, t := range taps {
			s.Ready = s.Ready && isClosed(t.Ready())
		}
		select {
		case <-l.connected:
			if l.conn != nil && l.conn.IsConnected() {
				s.Hub = "connected"
			}
		default:
		}
		return s
	}
	answer := func(healthy func(state) bool) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			s := now()
			w.Header().Set("Content-Type", "application/json")
			if !healthy(s) {
				w.WriteHeader(http.StatusServiceUnavailable)
			}
			_ = json.NewEncoder(w).Encode(s) // whoever asked has gone
		}
	}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	// A hub that is away is no illness of a sidecar: it is made for that.
	mux.HandleFunc("GET /healthz", answer(func(state) bool { return true }))
	mux.HandleFunc("GET /readyz", answer(func(s state) bool { return s.Ready }))
	return mux
}
