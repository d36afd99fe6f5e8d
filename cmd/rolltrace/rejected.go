package main

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/rolltrace/rolltrace/cmd/internal/boot"
	"github.com/rolltrace/rolltrace/cmd/internal/centre"
	"github.com/rolltrace/rolltrace/cmd/internal/config"
	"github.com/rolltrace/rolltrace/cmd/internal/hub"
	"github.com/rolltrace/rolltrace/consumers/deadletter"
	"github.com/rolltrace/rolltrace/schema/wire"
)

func rejectedCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "rejected",
		Short: "Messages that the consumer could not understand: list them, and put them back into the log",
	}
	cmd.AddCommand(rejectedList(), rejectedReplay())
	return cmd
}

// rejectedConfig says where the hub is.
type rejectedConfig struct {
	Data string     `yaml:"data" doc:"folder of the centre (rolltrace up)"`
	Hub  hub.Config `yaml:",inline"`
}

func (c *rejectedConfig) Validate() error { return c.Hub.Validate() }

// rejection is what list and replay have in common.
type rejection struct {
	cfg     rejectedConfig
	loader  *config.Loader
	json    bool
	codes   []string
	filter  deadletter.Filter
	parked  bool
	numbers []uint
}

func newRejection(cmd *cobra.Command) *rejection {
	r := &rejection{cfg: rejectedConfig{Data: centre.DefaultData()}}
	r.loader = bindQuestion(cmd, &r.cfg)
	flags := cmd.Flags()
	flags.BoolVar(&r.json, "json", false, "print JSON")
	flags.StringSliceVar(&r.codes, "code", nil, "only rejections with this code (repeat for several)")
	flags.UintSliceVar(&r.numbers, "sequence", nil, "only the message with this sequence in the log (repeat for several)")
	flags.BoolVar(&r.parked, "parked", false, "only messages of a later version")
	return r
}

// queue connects to the hub and returns its rejected stream.
func (r *rejection) queue(ctx context.Context) (*deadletter.Queue, func(), error) {
	for _, c := range r.codes {
		r.filter.Codes = append(r.filter.Codes, wire.Code(c))
	}
	for _, n := range r.numbers {
		r.filter.Sequences = append(r.filter.Sequences, uint64(n))
	}
	r.filter.Parked = r.parked
	if err := findHub(&r.cfg.Hub, r.cfg.Data); err != nil {
		return nil, nil, err
	}
	js, release, err := openLog(ctx, r.cfg.Hub, "rolltrace rejected")
	if err != nil {
		return nil, nil, err
	}
	return deadletter.New(js), release, nil
}

func rejectedList() *cobra.Command {
	cmd := &cobra.Command{
		Use: "list", Short: "List the messages that were rejected, with the reason", Args: cobra.NoArgs,
		Long: `Lists what the consumer rejected and keeps, in the order in which that happened. Reasons never repeat what
the message held. Messages of a later version are parked: a later version of rolltrace can replay them.`,
	}
	r := newRejection(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if done, err := r.loader.Load(cmd.OutOrStdout()); done || err != nil {
			return err
		}
		queue, release, err := r.queue(cmd.Context())
		if err != nil {
			return err
		}
		defer release()
		entries := []deadletter.Entry{}
		for entry, err := range queue.List(cmd.Context(), r.filter) {
			if err != nil {
				return err
			}
			entries = append(entries, entry)
		}
		if r.json {
			return writeJSON(cmd.OutOrStdout(), entries)
		}
		return writeRejected(cmd.OutOrStdout(), entries)
	}
	return cmd
}

func writeRejected(w io.Writer, entries []deadletter.Entry) error {
	if len(entries) == 0 {
		_, err := fmt.Fprintln(w, "none rejected")
		return err
	}
	t := newTable(number("sequence"), text("received (UTC)"), text("subject"), text("code"), text("reason"), number("bytes"), text("parked"))
	for _, e := range entries {
		parked := ""
		if e.Parked {
			parked = "parked"
		}
		t.row(grouped(e.Sequence), moment(e.ReceivedAt), e.Subject, string(e.Code), e.Reason, grouped(e.Bytes), parked)
	}
	return t.write(w)
}

func rejectedReplay() *cobra.Command {
	all := false
	cmd := &cobra.Command{
		Use: "replay", Short: "Put rejected messages back into the log, as they came", Args: cobra.NoArgs,
		Long: `Publishes what was rejected into the log again, as it came, once the fault is mended: after an upgrade, say,
the messages of the later version (--parked). What is still not understood is rejected again. Say which: with
--code, --sequence, --parked, or --all.`,
	}
	r := newRejection(cmd)
	cmd.Flags().BoolVar(&all, "all", false, "everything that was rejected")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if done, err := r.loader.Load(cmd.OutOrStdout()); done || err != nil {
			return err
		}
		if !all && !r.parked && len(r.codes)+len(r.numbers) == 0 {
			return boot.Wrongf("say what to replay: --code, --sequence, --parked or --all")
		}
		queue, release, err := r.queue(cmd.Context())
		if err != nil {
			return err
		}
		defer release()
		replayed := []deadletter.Entry{}
		_, err = queue.Replay(cmd.Context(), r.filter, func(e deadletter.Entry) { replayed = append(replayed, e) })
		if err != nil {
			return err
		}
		if r.json {
			return writeJSON(cmd.OutOrStdout(), replayed)
		}
		_, err = fmt.Fprintf(cmd.OutOrStdout(), "replayed %s\n", grouped(len(replayed)))
		return err
	}
	return cmd
}
