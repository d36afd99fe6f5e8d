package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/rs/zerolog"
	"github.com/spf13/cobra"

	"github.com/rolltrace/rolltrace/cmd/internal/boot"
	"github.com/rolltrace/rolltrace/cmd/internal/centre"
	"github.com/rolltrace/rolltrace/cmd/internal/config"
	"github.com/rolltrace/rolltrace/cmd/internal/demo"
	"github.com/rolltrace/rolltrace/cmd/internal/exercise"
	"github.com/rolltrace/rolltrace/cmd/internal/hub"
	"github.com/rolltrace/rolltrace/deploy/embedded"
	"github.com/rolltrace/rolltrace/schema"
	"github.com/rolltrace/rolltrace/schema/stream"
)

func exerciseCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "exercise",
		Short: "Rehearse a breach: its movements, questions and answers apart from everything real",
		Long: `A table-top exercise. The director declares it and injects movements; the players ask the same questions as ever, with
--exercise NAME, and report where records of the breach are; the score says how long it took until they saw it, whether
what they found is what was there, and what they missed (docs/exercise.md).

Its messages have subjects and streams of their own, its graph is a database of its own. No real movement becomes
part of it, whatever the movement says of itself, and none of it is in a real answer.`,
		Example: `  rolltrace exercise start autumn-drill --breach acme-mail/uploads/cards.csv --until 2026-11-23T17:00:00Z
  rolltrace exercise inject autumn-drill drill.jsonl --key drill-key.json
  rolltrace reach acme-mail --exercise autumn-drill
  rolltrace exercise report autumn-drill vendor-b/ads/audience --electors 412
  rolltrace exercise end autumn-drill
  rolltrace exercise score autumn-drill`,
	}
	cmd.AddCommand(exerciseStart(), exerciseInject(), exerciseReport(), exerciseEnd(), exerciseScore(), exerciseList())
	return cmd
}

// exerciseConfig says where the centre is.
type exerciseConfig struct {
	Data       string         `yaml:"data" doc:"folder of a centre on this machine (rolltrace up)"`
	Hub        hub.Config     `yaml:",inline"`
	ClickHouse config.Address `yaml:"clickhouse" doc:"DSN of the centre's ClickHouse, of a user who may make databases; none is as --data says"`
}

func (c *exerciseConfig) Validate() error { return c.Hub.Validate() }

// A drill is what the commands have in common.
type drill struct {
	cfg    exerciseConfig
	loader *config.Loader

	name stream.Exercise
	js   jetstream.JetStream
}

// newDrill makes a command whose first argument is an exercise's name, if it takes arguments at all.
func newDrill(cmd *cobra.Command, do func(context.Context, *drill, []string) error) *drill {
	d := &drill{cfg: exerciseConfig{Data: centre.DefaultData()}}
	d.loader = bindQuestion(cmd, &d.cfg)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if done, err := d.loader.Load(cmd.OutOrStdout()); done || err != nil {
			return err
		}
		if len(args) > 0 {
			if d.name = stream.Exercise(args[0]); !d.name.Valid() {
				return boot.Wrongf("exercise %q: want 1 to 63 of a-z 0-9 -, beginning with a letter or digit", args[0])
			}
			args = args[1:]
		}
		if err := d.info(); err != nil {
			return err
		}
		conn, err := hub.Connect(d.cfg.Hub, hub.Options{Name: "rolltrace exercise", Log: zerolog.Nop()})
		if err != nil {
			return err
		}
		defer conn.Close()
		if d.js, err = jetstream.New(conn); err != nil {
			return fmt.Errorf("connect to the hub: %w", err)
		}
		return do(cmd.Context(), d, args)
	}
	return d
}

// info fills in what the data folder says.
func (d *drill) info() error {
	if !d.cfg.Hub.NATS.IsZero() && !d.cfg.ClickHouse.IsZero() {
		return nil
	}
	info, err := centre.ReadRunning(d.cfg.Data)
	if err != nil {
		return err
	}
	if d.cfg.Hub.NATS.IsZero() {
		d.cfg.Hub.NATS = config.NewAddress(info.NATS)
	}
	if d.cfg.ClickHouse.IsZero() {
		d.cfg.ClickHouse = config.NewAddress(info.Owner())
	}
	return nil
}

// follow brings the exercise's graph up to its log.
func (d *drill) follow(ctx context.Context) (dsn string, err error) {
	if dsn, err = exercise.Database(d.cfg.ClickHouse.Reveal(), d.name); err != nil {
		return "", err
	}
	definer := ""
	if strings.Contains(dsn, "//"+embedded.Owner+":") {
		definer = embedded.Owner
	}
	return dsn, centre.AtClickHouse(dsn, exercise.Follow(ctx, d.js, d.name, dsn, definer, zerolog.Nop()))
}

// going is the exercise, which must not be over.
func (d *drill) going(ctx context.Context) (exercise.Exercise, error) {
	e, err := exercise.Read(ctx, d.js, d.name)
	if err == nil && e.Over(time.Now()) {
		err = fmt.Errorf("%w: %s: rolltrace exercise score %s says how it went", exercise.ErrEnded, d.name, d.name)
	}
	return e, err
}

func exerciseStart() *cobra.Command {
	breach, until, by := "", "", userName()
	cmd := &cobra.Command{
		Use: "start NAME --breach PLACE|ORG", Short: "Declare an exercise, and the window in which it takes place", Args: cobra.ExactArgs(1),
	}
	cmd.Flags().StringVar(&breach, "breach", "", "the place, or organisation, that is breached: what went on from there is what is to be found")
	cmd.Flags().StringVar(&until, "until", "", "when the window ends: a time, or a date (default in 24 hours)")
	cmd.Flags().StringVar(&by, "by", by, "who declares it")
	_ = cmd.MarkFlagRequired("breach")
	newDrill(cmd, func(ctx context.Context, d *drill, _ []string) error {
		e := exercise.Exercise{Name: d.name, Breach: breach, By: by, From: schema.At(time.Now()), Until: schema.At(time.Now().Add(24 * time.Hour))}
		if _, err := schema.ParsePlace(breach); err != nil && !schema.ValidOrg(breach) {
			return boot.Wrongf("--breach %q: want org/system/dataset, or an organisation", breach)
		}
		if !schema.ValidLabel(by) {
			return boot.Wrongf("--by %q: want %s", by, schema.LabelLimit)
		}
		if until != "" {
			at, err := parseTime("--until", until)
			if err != nil {
				return err
			}
			e.Until = at
		}
		if !e.Until.After(e.From.Time) {
			return boot.Wrongf("--until %s: want a time to come", until)
		}
		if err := exercise.Start(ctx, d.js, e); err != nil {
			return err
		}
		if _, err := d.follow(ctx); err != nil {
			return err
		}
		_, err := fmt.Fprintf(cmd.OutOrStdout(), "exercise %s goes on until %s: what goes on from %s is to be found\n", e.Name, moment(e.Until), e.Breach)
		return err
	})
	return cmd
}

func exerciseInject() *cobra.Command {
	key, org := "", "exercise-director"
	cmd := &cobra.Command{
		Use: "inject NAME FILE", Short: "Publish movements of the exercise, and bring them into its graph", Args: cobra.ExactArgs(2),
		Long: `Publishes the movements of a file, JSON lines as for rolltrace-sidecar emit, under the exercise's subjects, and waits until
its graph has them. Players with sidecars of their own use "rolltrace-sidecar emit --exercise NAME".`,
	}
	cmd.Flags().StringVar(&key, "key", "", "key file under which identifiers become elector keys: one made for the exercise")
	cmd.Flags().StringVar(&org, "org", org, "organisation that publishes")
	newDrill(cmd, func(ctx context.Context, d *drill, args []string) error {
		if _, err := d.going(ctx); err != nil {
			return err
		}
		programs, err := demo.FindPrograms(demo.Sidecar)
		if err != nil {
			return err
		}
		flags := []string{"emit", args[0], "--exercise", string(d.name), "--nats", d.cfg.Hub.NATS.Reveal(), "--org", org, "--sidecar", "director",
			"--outbox", filepath.Join(d.cfg.Data, "exercise-outbox")}
		if key != "" {
			flags = append(flags, "--key", key)
		}
		if d.cfg.Hub.Seed != "" {
			flags = append(flags, "--nats-seed", d.cfg.Hub.Seed)
		}
		emit := exec.CommandContext(ctx, programs[demo.Sidecar], flags...)
		emit.Env = withoutSettings(os.Environ())
		var said, faults bytes.Buffer
		emit.Stdout, emit.Stderr = &said, &faults
		emitted := emit.Run()
		if _, err := cmd.ErrOrStderr().Write(faults.Bytes()); err != nil {
			return err
		}
		if _, err := d.follow(ctx); err != nil {
			return err
		}
		n := strings.Count(said.String(), "\n")
		if _, err := fmt.Fprintf(cmd.OutOrStdout(), "%s in the graph of exercise %s\n", counted(n, "movement"), d.name); err != nil {
			return err
		}
		if emitted != nil {
			return errors.New("inject: some lines were left out: rolltrace-sidecar said why")
		}
		return nil
	})
	return cmd
}

// withoutSettings is an environment without Rolltrace's settings: what is injected is told everything.
func withoutSettings(environment []string) []string {
	var out []string
	for _, one := range environment {
		if !strings.HasPrefix(one, config.Prefix) {
			out = append(out, one)
		}
	}
	return out
}

func exerciseReport() *cobra.Command {
	electors, by := "", userName()
	cmd := &cobra.Command{
		Use: "report NAME PLACE|ORG…", Short: "As a player: report where records of the breach are", Args: cobra.MinimumNArgs(2),
	}
	cmd.Flags().StringVar(&electors, "electors", "", "how many electors' records are there; for one place")
	cmd.Flags().StringVar(&by, "by", by, "who reports it")
	newDrill(cmd, func(ctx context.Context, d *drill, places []string) error {
		if !schema.ValidLabel(by) {
			return boot.Wrongf("--by %q: want %s", by, schema.LabelLimit)
		}
		var count *uint64
		if electors != "" {
			n, err := strconv.ParseUint(electors, 10, 64)
			if err != nil || len(places) > 1 {
				return boot.Wrongf("--electors %q: want a number, for one place", electors)
			}
			count = &n
		}
		for _, at := range places {
			if _, err := schema.ParsePlace(at); err != nil && !schema.ValidOrg(at) {
				return boot.Wrongf("%q: want org/system/dataset, or an organisation", at)
			}
		}
		if _, err := d.going(ctx); err != nil {
			return err
		}
		for _, at := range places {
			if err := exercise.Report(ctx, d.js, d.name, exercise.Sighting{At: at, By: by, Count: count}); err != nil {
				return err
			}
		}
		_, err := fmt.Fprintf(cmd.OutOrStdout(), "reported: %s\n", strings.Join(places, ", "))
		return err
	})
	return cmd
}

func exerciseEnd() *cobra.Command {
	cmd := &cobra.Command{
		Use: "end NAME", Short: "End an exercise: it takes no more, and stays readable", Args: cobra.ExactArgs(1),
	}
	newDrill(cmd, func(ctx context.Context, d *drill, _ []string) error {
		e, err := exercise.Read(ctx, d.js, d.name)
		if err != nil {
			return err
		}
		if !e.Ended.IsZero() {
			return fmt.Errorf("%w: %s, on %s", exercise.ErrEnded, d.name, moment(e.Ended))
		}
		if _, err := d.follow(ctx); err != nil {
			return err
		}
		if err := exercise.End(ctx, d.js, d.name, time.Now()); err != nil {
			return err
		}
		_, err = fmt.Fprintf(cmd.OutOrStdout(), "exercise %s has ended: rolltrace exercise score %s says how it went\n", d.name, d.name)
		return err
	})
	return cmd
}

func exerciseList() *cobra.Command {
	asJSON := false
	cmd := &cobra.Command{Use: "list", Short: "The exercises there are and were", Args: cobra.NoArgs}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON document (docs/exercise.md)")
	newDrill(cmd, func(ctx context.Context, d *drill, _ []string) error {
		all, err := exercise.List(ctx, d.js)
		if err != nil {
			return err
		}
		if asJSON {
			return writeJSON(cmd.OutOrStdout(), all)
		}
		t := newTable(text("exercise"), text("breach"), text("by"), text("from (UTC)"), text("until"), text("ended"))
		for _, e := range all {
			t.row(string(e.Name), e.Breach, e.By, moment(e.From), moment(e.Until), moment(e.Ended))
		}
		p := &page{w: cmd.OutOrStdout()}
		p.table("exercises", t, "none recorded: no exercise was declared")
		return p.err
	})
	return cmd
}

// exerciseDSN is where the graph of an exercise is.
func (q *question) exerciseDSN() (string, error) {
	name := stream.Exercise(q.exercise)
	if !name.Valid() {
		return "", boot.Wrongf("--exercise %q: want 1 to 63 of a-z 0-9 -, beginning with a letter or digit", q.exercise)
	}
	if !q.cfg.ClickHouse.IsZero() {
		return exercise.Database(q.cfg.ClickHouse.Reveal(), name)
	}
	info, err := centre.ReadRunning(q.cfg.Data)
	if err != nil {
		return "", err
	}
	return exercise.Database(info.Owner(), name)
}

// userName is the user of this process, if that is a label.
func userName() string {
	if u, err := user.Current(); err == nil && schema.ValidLabel(u.Username) {
		return u.Username
	}
	return ""
}
