package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/rs/zerolog"
	"github.com/spf13/cobra"

	"github.com/rolltrace/rolltrace/cmd/internal/boot"
	"github.com/rolltrace/rolltrace/cmd/internal/centre"
	"github.com/rolltrace/rolltrace/cmd/internal/config"
	"github.com/rolltrace/rolltrace/cmd/internal/hub"
	"github.com/rolltrace/rolltrace/cmd/internal/operator"
	"github.com/rolltrace/rolltrace/schema"
	"github.com/rolltrace/rolltrace/schema/stream"
)

// operatorConfig says where the hub is, and as whom to publish there.
type operatorConfig struct {
	Data string     `yaml:"data" doc:"folder of the centre (rolltrace up)"`
	Hub  hub.Config `yaml:",inline"`
}

func (c *operatorConfig) Validate() error { return c.Hub.Validate() }

// An asOperator is what the commands that publish have in common.
type asOperator struct {
	cfg    operatorConfig
	loader *config.Loader
	json   bool
	by     string
	why    string
}

func newOperator(cmd *cobra.Command) *asOperator {
	o := &asOperator{cfg: operatorConfig{Data: centre.DefaultData()}}
	o.loader = bindQuestion(cmd, &o.cfg)
	cmd.Flags().BoolVar(&o.json, "json", false, "print JSON")
	return o
}

// decides adds who and why.
func (o *asOperator) decides(cmd *cobra.Command) {
	cmd.Flags().StringVar(&o.by, "by", userName(), "who decides this: kept for ever")
	cmd.Flags().StringVar(&o.why, "why", "", "why: kept for ever")
}

func (o *asOperator) check() error {
	if !schema.ValidLabel(o.by) {
		return boot.Wrongf("--by %q: want %s", o.by, schema.LabelLimit)
	}
	if len(o.why) > schema.MaxText {
		return boot.Wrongf("--why: want at most %d bytes", schema.MaxText)
	}
	return nil
}

// connect returns the operator, and what ends the connection.
func (o *asOperator) connect(ctx context.Context) (operator.Operator, func(), error) {
	none := operator.Operator{}
	if err := findHub(&o.cfg.Hub, o.cfg.Data); err != nil {
		return none, nil, err
	}
	signer, err := operator.Signer(o.cfg.Hub.Seed, o.cfg.Data)
	if err != nil {
		return none, nil, err
	}
	js, release, err := openLog(ctx, o.cfg.Hub, "rolltrace operator")
	if err != nil {
		return none, nil, err
	}
	return operator.New(js, signer, boot.Version), release, nil
}

// findHub fills in the hub of the centre that runs on a data folder, unless another is given.
func findHub(cfg *hub.Config, data string) error {
	if !cfg.NATS.IsZero() {
		return nil
	}
	info, err := centre.ReadRunning(data)
	if err != nil {
		return err
	}
	cfg.NATS = config.NewAddress(info.NATS)
	return nil
}

// openLog connects to a hub that has a log, and returns what ends the connection.
func openLog(ctx context.Context, cfg hub.Config, name string) (jetstream.JetStream, func(), error) {
	conn, err := hub.Connect(cfg, hub.Options{Name: name, Log: zerolog.Nop()})
	if err != nil {
		return nil, nil, err
	}
	js, err := jetstream.New(conn)
	if err == nil {
		_, err = stream.Open(ctx, js)
	}
	if errors.Is(err, stream.ErrNoLog) {
		err = fmt.Errorf("%w at %s: no consumer has run there", err, cfg.NATS)
	}
	if err != nil {
		conn.Close()
		return nil, nil, err
	}
	return js, conn.Close, nil
}
