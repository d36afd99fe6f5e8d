package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"strings"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/rolltrace/rolltrace/cmd/internal/boot"
	"github.com/rolltrace/rolltrace/cmd/internal/config"
	"github.com/rolltrace/rolltrace/cmd/internal/consumer"
	"github.com/rolltrace/rolltrace/cmd/internal/explore"
	"github.com/rolltrace/rolltrace/cmd/internal/hub"
	"github.com/rolltrace/rolltrace/cmd/internal/logging"
	"github.com/rolltrace/rolltrace/cmd/internal/status"
	"github.com/rolltrace/rolltrace/consumers"
)

func main() { os.Exit(boot.Main("rolltrace-consumer", boot.Command(command))) }

// settings is the configuration of the consumer.
type settings struct {
	Hub hub.Config `yaml:",inline"`
	// ClickHouse is the DSN of a user who may select from and insert into the graph's tables. Required.
	ClickHouse config.Address `yaml:"clickhouse" doc:"DSN of the graph: clickhouse://writer:password@host:9000/rolltrace; ?password_file=PATH reads the password"`
	// HTTP is where metrics and health are. Defaults to 127.0.0.1:9464.
	HTTP string `yaml:"http" doc:"where /metrics, /healthz and /readyz are, on loopback; port 0 for any free one"`
	// Explorer is the page. Defaults to none.
	Explorer explore.Config `yaml:"explorer"`
	// ExplorerClickHouse is the DSN of a user who may read the views. Defaults to ClickHouse's.
	ExplorerClickHouse config.Address `yaml:"explorer_clickhouse" doc:"DSN of a user who may only read the views, for the explorer; none is the user of clickhouse"`
	// AcceptLost lets the consumer go on without messages up to this sequence. Defaults to 0: none.
	AcceptLost uint64 `yaml:"accept_lost" doc:"go on although messages up to this sequence are missing from the log; the answers show the holes"`
	// Trust says whose signature counts for sidecars that Signers does not name. Defaults to first where the consumer
	// logs in with nats_seed, for then the hub tells sidecars apart; else to any.
	Trust consumers.Trust `yaml:"trust" doc:"whose signature counts: first (the signer of a sidecar's first message), any, or listed (under signers); none is first with nats_seed, else any"`
	// Signers are the keys of sidecars: whoever is named here is believed with these alone.
	Signers []signer `yaml:"signers" doc:"sidecars and the public nkeys that may sign for them"`
	// Oversight is which rules are asked, and where alerts go.
	Oversight consumer.Oversight `yaml:",inline"`
	// Log is what is logged, and how.
	Log logging.Config `yaml:"log"`
}

// signer is a sidecar and its keys.
type signer struct {
	Sidecar string   `yaml:"sidecar" doc:"org/sidecar"`
	Keys    []string `yaml:"keys" doc:"public nkeys (U...): the present one, and those before it"`
}

func (s *settings) signers() (map[consumers.Sidecar][]string, error) {
	listed := make(map[consumers.Sidecar][]string)
	for _, one := range s.Signers {
		org, name, _ := strings.Cut(one.Sidecar, "/")
		sidecar := consumers.Sidecar{Org: org, Name: name}
		if _, twice := listed[sidecar]; twice {
			return nil, fmt.Errorf("signers: %s: want it once, with all of its keys", one.Sidecar)
		}
		listed[sidecar] = one.Keys
	}
	return listed, consumers.CheckSigners(listed)
}

func (s *settings) trust() consumers.Trust {
	if s.Trust == "" && s.Hub.Seed != "" {
		return consumers.TrustFirst
	}
	return s.Trust
}

func (s *settings) Validate() error {
	switch {
	case s.Hub.NATS.IsZero():
		return errors.New("nats: want the URL of the hub")
	case s.ClickHouse.IsZero():
		return errors.New("clickhouse: want the DSN of the graph")
	case s.HTTP == "":
		return errors.New("http: want host:port on loopback")
	}
	if _, err := s.signers(); err != nil {
		return err
	}
	return errors.Join(s.Explorer.Validate(), s.Oversight.Validate(), s.Hub.Validate())
}

func command() *cobra.Command {
	cfg := &settings{HTTP: "127.0.0.1:9464", Log: logging.Default()}
	cmd := &cobra.Command{
		Use:   "rolltrace-consumer",
		Short: "Bring the log of movements into the graph",
		Long: `Reads the log of movements at the hub (stream ROLLTRACE) in order and writes it into the graph in ClickHouse, until
it is told to stop (Ctrl-C, SIGTERM). "rolltrace migrate" has made the tables.

It keeps nothing on disk: its position is in ClickHouse. It may be killed at any moment, and started twice. While
the hub or ClickHouse is away it waits and tries again. What it cannot understand it puts into the stream
ROLLTRACE_REJECTED with the reason ("rolltrace rejected list").

Exit codes: 0 done, 1 a fault (one line on stderr), 2 wrong usage.`,
		Args: cobra.NoArgs, Version: boot.Build(),
	}
	loader := config.Bind(cmd.Flags(), cfg)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if done, err := loader.Load(cmd.OutOrStdout()); done || err != nil {
			return err
		}
		return run(cmd.Context(), cfg, cmd.ErrOrStderr())
	}
	return cmd
}

// maxHeap is where Go's collector works harder, in bytes. What grows with the number of electors is not on the heap; what
// is there is batches on their way, which without a limit would be collected late.
const maxHeap = 180 << 20

// run is the whole program.
func run(ctx context.Context, cfg *settings, stderr io.Writer) error {
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(maxHeap)
	}
	log := logging.New(stderr, "rolltrace-consumer", cfg.Log)
	listener, err := status.Listen(cfg.HTTP)
	if err != nil {
		return err
	}
	defer func() { _ = listener.Close() }() // Serve has, unless something fails before
	var explorer *explore.Page
	if cfg.Explorer.Listen != "" {
		if explorer, err = explore.Listen(cfg.Explorer); err != nil {
			return err
		}
		defer explorer.Close()
	}
	options := hub.Options{Name: "rolltrace-consumer", Log: log}
	conn, err := hub.Connect(cfg.Hub, options)
	if hub.Away(err) {
		log.Warn().Err(err).Msg("the hub is away, trying again")
		options.Patient = true
		conn, err = hub.Connect(cfg.Hub, options)
	}
	if err != nil {
		return err
	}
	defer conn.Close()
	js, err := jetstream.New(conn)
	if err != nil {
		return fmt.Errorf("connect to the hub: %w", err)
	}
	signers, err := cfg.signers()
	if err != nil {
		return err
	}
	c, err := consumer.New(consumer.Options{
		Hub: js, ClickHouse: cfg.ClickHouse.Reveal(), AcceptLost: cfg.AcceptLost, Signers: signers, Trust: cfg.trust(), Oversight: cfg.Oversight, Log: log,
	})
	if err != nil {
		return err
	}
	log.Info().Stringer("http", listener.Addr()).Str("version", boot.Build()).Msg("started")
	group, ctx := errgroup.WithContext(ctx)
	serving, stop := context.WithCancel(context.WithoutCancel(ctx))
	group.Go(func() error { return status.Serve(serving, listener, c.Handler()) })
	if explorer != nil {
		reader := cfg.ExplorerClickHouse
		if reader.IsZero() {
			reader = cfg.ClickHouse
		}
		log.Info().Str("explorer", explorer.URL()).Msg("serving the explorer")
		group.Go(func() error {
			return explorer.Serve(serving, reader.Reveal(), log.With().Str("part", "explorer").Logger())
		})
	}
	group.Go(func() error {
		defer stop() // health is answered until the last write is done
		return c.Run(ctx)
	})
	return group.Wait()
}
