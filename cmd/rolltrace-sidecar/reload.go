package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/rs/zerolog"
	"github.com/spf13/pflag"

	"github.com/rolltrace/rolltrace/cmd/internal/boot"
	"github.com/rolltrace/rolltrace/cmd/internal/config"
	"github.com/rolltrace/rolltrace/producers/pgtap"
	"github.com/rolltrace/rolltrace/producers/pgtap/catalogue"
)

// reload reads what may change of the taps' settings again whenever the process gets SIGHUP, until the context ends: rules,
// tables, certificates, and whether replication is allowed. Sessions go on; what their clients read from then on goes by what is
// new. A file that is not good, or that changes anything else of the taps, changes nothing.
func reload(ctx context.Context, file, org string, taps []*tap, log zerolog.Logger) error {
	if len(taps) == 0 {
		return nil
	}
	asked := make(chan os.Signal, 1)
	signal.Notify(asked, syscall.SIGHUP)
	defer signal.Stop(asked)
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-asked:
		}
		if err := reloadTaps(ctx, file, org, taps); err != nil {
			log.Error().Str("error", boot.Line(err)).Msg("rules are not reloaded; those before stay in force")
			continue
		}
		log.Info().Msg("rules are reloaded")
	}
}

// changes are what a tap is given when its settings are reloaded.
type changes struct {
	settings *tapSettings
	rules    pgtap.Rules
	tables   []catalogue.Table
	pair     *tls.Certificate
}

func reloadTaps(ctx context.Context, file, org string, taps []*tap) error {
	fresh := newSettings()
	flags := pflag.NewFlagSet("reload", pflag.ContinueOnError)
	loader := config.Bind(flags, fresh)
	if err := flags.Set("config", file); err != nil {
		return err
	}
	if _, err := loader.Load(io.Discard); err != nil {
		return err
	}
	if len(fresh.Taps) != len(taps) {
		return fmt.Errorf("taps: %d in the file, and %d run: restart to change their number", len(fresh.Taps), len(taps))
	}
	all := make([]changes, len(taps))
	for i, t := range taps {
		var err error
		if all[i], err = t.changes(ctx, org, &fresh.Taps[i]); err != nil {
			return fmt.Errorf("taps[%d].%w", i, err)
		}
	}
	for i, t := range taps {
		t.change(all[i])
	}
	return nil
}

// changes checks other settings for a tap that runs.
func (t *tap) changes(ctx context.Context, org string, s *tapSettings) (c changes, err error) {
	if err := s.validate(); err != nil {
		return c, err
	}
	for _, fixed := range []struct {
		name       string
		now, fresh any
	}{
		{"listen", t.settings.Listen, s.Listen}, {"server", t.settings.Server, s.Server}, {"catalogue", t.settings.Catalogue.Reveal(), s.Catalogue.Reveal()},
		{"window", t.settings.Window, s.Window}, {"window_keys", t.settings.WindowKeys, s.WindowKeys}, {"require_tls", t.settings.RequireTLS, s.RequireTLS},
		{"server_tls", t.settings.ServerTLS, s.ServerTLS}, {"server_ca", t.settings.ServerCA, s.ServerCA}, {"scram", t.settings.SCRAM, s.SCRAM},
		{"tls_cert", t.settings.TLSCert != "", s.TLSCert != ""}, {"tables", len(t.settings.Tables) > 0, len(s.Tables) > 0},
	} {
		if fixed.now != fixed.fresh {
			return c, fmt.Errorf("%s: is another than the tap was started with: restart to change it", fixed.name)
		}
	}
	c.settings = s
	if c.rules, err = s.rules(org); err != nil {
		return c, err
	}
	if c.tables, err = s.tables(); err != nil {
		return c, err
	}
	if c.pair, err = s.pair(); err != nil {
		return c, err
	}
	return c, s.bound(ctx, t.config, c.pair)
}

func (t *tap) change(c changes) {
	t.rules.Store(&c.rules)
	if t.catalogue != nil {
		t.catalogue.Configure(c.tables)
	}
	if c.pair != nil {
		t.pair.Store(c.pair)
	}
	t.Allow(c.settings.Replication == "allow")
	t.settings = c.settings
}
