package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"

	"github.com/rs/zerolog"
	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/rolltrace/rolltrace/cmd/internal/centre"
	"github.com/rolltrace/rolltrace/cmd/internal/config"
	"github.com/rolltrace/rolltrace/cmd/internal/consumer"
	"github.com/rolltrace/rolltrace/cmd/internal/explore"
	"github.com/rolltrace/rolltrace/cmd/internal/hub"
	"github.com/rolltrace/rolltrace/cmd/internal/logging"
	"github.com/rolltrace/rolltrace/cmd/internal/status"
)

// upConfig is the configuration of `rolltrace up`.
type upConfig struct {
	// Data is the folder of everything that is kept. Defaults to centre.DefaultData().
	Data string `yaml:"data" doc:"folder of everything that is kept"`
	// Hub is a hub of your own and how to log in there. No URL (the default) runs one in this process.
	Hub hub.Config `yaml:",inline"`
	// ClickHouse is the DSN of a ClickHouse. Empty (the default) runs one beside this process.
	ClickHouse config.Address `yaml:"clickhouse" doc:"DSN of a ClickHouse of your own, of a user who may make tables; none runs one here"`
	// NATSListen, ClickHouseListen and ClickHouseHTTP are where embedded parts listen. Empty (the default) is
	// where they did last time, else the usual port, else a free one; port 0 is any free one.
	NATSListen       string `yaml:"nats_listen" doc:"where the hub listens, port 0 for any free one; none is where it did last time, or 127.0.0.1:4222 if that is free"`
	ClickHouseListen string `yaml:"clickhouse_listen" doc:"where ClickHouse listens for its native protocol; none likewise, or 127.0.0.1:9000"`
	ClickHouseHTTP   string `yaml:"clickhouse_http" doc:"where ClickHouse listens for HTTP; none likewise, or 127.0.0.1:8123"`
	// ClickHouseMemory bounds the embedded ClickHouse. 0 (the default) chooses by the machine.
	ClickHouseMemory config.Size `yaml:"clickhouse_memory" doc:"most memory that ClickHouse may take, for example 4GiB; 0 chooses by the machine"`
	// NATSUser and NATSPassword are what clients of the embedded hub need; with a certificate and its key
	// they need TLS too. Off loopback all four are required. Default to none.
	NATSUser     string        `yaml:"nats_user" doc:"user that clients of the hub that is run here give"`
	NATSPassword config.Secret `yaml:"nats_password" doc:"password of that user; file:PATH reads it from a file"`
	NATSCert     string        `yaml:"nats_tls_cert" doc:"file with the certificate (PEM) of the hub that is run here"`
	NATSKey      string        `yaml:"nats_tls_key" doc:"file with the certificate's key (PEM)"`
	// HTTP is where metrics and health are. Empty (the default) is as for the other parts, 127.0.0.1:9465.
	HTTP string `yaml:"http" doc:"where /metrics, /healthz and /readyz are, on loopback; none likewise, or 127.0.0.1:9465"`
	// Explorer is the page. Without an address (the default) it listens as the other parts do, 127.0.0.1:9466.
	Explorer explore.Config `yaml:"explorer"`
	// Oversight is which rules are asked, and where alerts go.
	Oversight consumer.Oversight `yaml:",inline"`
	// Log is what is logged, and how.
	Log logging.Config `yaml:"log"`
}

func (c *upConfig) Validate() error {
	switch {
	case c.Data == "":
		return errors.New("data: want a folder")
	case (c.NATSUser == "") != (c.NATSPassword.Reveal() == ""):
		return errors.New("nats_user, nats_password: want both or none")
	case (c.NATSCert == "") != (c.NATSKey == ""):
		return errors.New("nats_tls_cert, nats_tls_key: want both or none")
	}
	return errors.Join(c.Explorer.Validate(), c.Oversight.Validate(), c.Hub.Validate())
}

func upCommand() *cobra.Command {
	cfg := &upConfig{Data: centre.DefaultData(), HTTP: "", Log: logging.Default()}
	cmd := &cobra.Command{
		Use:   "up",
		Short: "Start a centre on this machine: hub, ClickHouse, consumer",
		Long: `Starts a centre on this machine and keeps it running until it is told to stop (Ctrl-C, SIGTERM): the hub that
sidecars report to, ClickHouse with its tables, and the consumer that brings the one into the other. Parts
whose address is given are used, the others are run here. It prints where each part listens.

ClickHouse is the program "clickhouse" if there is one on the PATH, else the library that the npm client
fetches once. Data is kept in --data; while a centre runs there, the questions find it by centre.json in that
folder.`,
		Args: cobra.NoArgs,
	}
	loader := config.Bind(cmd.Flags(), cfg)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if done, err := loader.Load(cmd.OutOrStdout()); done || err != nil {
			return err
		}
		return up(cmd.Context(), cfg, cmd.OutOrStdout(), cmd.ErrOrStderr())
	}
	return cmd
}

// up runs a centre until the context ends.
func up(ctx context.Context, cfg *upConfig, stdout, stderr io.Writer) (err error) {
	log := logging.New(stderr, "rolltrace", cfg.Log)
	parts := centre.Config{
		Data: cfg.Data, Hub: cfg.Hub, ClickHouse: cfg.ClickHouse.Reveal(),
		Listen:   centre.Listen{NATS: cfg.NATSListen, ClickHouse: cfg.ClickHouseListen, ClickHouseHTTP: cfg.ClickHouseHTTP, HTTP: cfg.HTTP, Explorer: cfg.Explorer.Listen},
		NATSUser: cfg.NATSUser, NATSPassword: cfg.NATSPassword.Reveal(),
		MaxMemory: cfg.ClickHouseMemory.Int64(), Log: log,
	}
	if logging.Terminal(stderr) {
		parts.Progress = stderr
	}
	if cfg.NATSCert != "" {
		certificate, err := tls.LoadX509KeyPair(cfg.NATSCert, cfg.NATSKey)
		if err != nil {
			return fmt.Errorf("read the hub's certificate: %w", err)
		}
		parts.NATSTLS = &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12}
	}
	var listener net.Listener // of the consumer, for metrics and health
	if cfg.HTTP != "" {       // better to hear of a wrong one before anything starts
		if listener, err = status.Listen(cfg.HTTP); err != nil {
			return err
		}
		defer func() { _ = listener.Close() }() // Serve has, unless something fails before
	}
	c, err := centre.Start(ctx, parts)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.Stop()) }()
	if listener == nil {
		if listener, err = status.Listen(c.Listen().HTTP); err != nil {
			return err
		}
		defer func() { _ = listener.Close() }()
	}
	if cfg.Explorer.Listen == "" {
		cfg.Explorer.Listen = c.Listen().Explorer
	}
	explorer, err := explore.Listen(cfg.Explorer)
	if err != nil {
		return err
	}
	defer explorer.Close() // Serve has, unless something fails before
	return consume(ctx, cfg, c, listener, explorer, log, stdout)
}

// consume runs the consumer of a centre, with metrics and health, and the explorer, and says where everything is.
func consume(ctx context.Context, cfg *upConfig, c *centre.Centre, listener net.Listener, explorer *explore.Page, log zerolog.Logger, stdout io.Writer) error {
	reads, err := consumer.New(consumer.Options{Hub: c.Hub, ClickHouse: c.Writer, Oversight: cfg.Oversight, Log: log.With().Str("part", "consumer").Logger()})
	if err != nil {
		return err
	}
	where := listener.Addr().String()
	if err := c.Serves(where, explorer.Address(),
		centre.Part{Name: "consumer", Where: "http://" + where, What: "in this process; /metrics, /healthz, /readyz"},
		centre.Part{Name: "explorer", Where: explorer.URL(), What: "open it in a browser"},
	); err != nil {
		return err
	}
	if err := writeParts(stdout, c); err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	serving, stop := context.WithCancel(context.WithoutCancel(ctx))
	group.Go(func() error { return status.Serve(serving, listener, reads.Handler()) })
	group.Go(func() error { return explorer.Serve(serving, c.Reader, log.With().Str("part", "explorer").Logger()) })
	group.Go(func() error {
		defer stop() // health is answered until the last write is done
		return centre.AtClickHouse(c.Writer, reads.Run(ctx))
	})
	return group.Wait()
}

// writeParts prints one line for each part: what it is, where it listens, what it is made of.
func writeParts(w io.Writer, c *centre.Centre) error {
	for _, part := range c.Parts() {
		if _, err := fmt.Fprintf(w, "%-16s  %-28s  %s\n", part.Name, part.Where, part.What); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintf(w, "%-16s  %-28s  %s\n", "data", c.Data(), "questions find this centre with --data, or by themselves where that is the default folder")
	return err
}
