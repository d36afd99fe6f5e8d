package main

import (
	"encoding/json"
	"io"

	"github.com/spf13/cobra"

	"github.com/rolltrace/rolltrace/cmd/internal/boot"
	"github.com/rolltrace/rolltrace/cmd/internal/demo"
	"github.com/rolltrace/rolltrace/cmd/internal/logging"
	"github.com/rolltrace/rolltrace/schema/schematest/roll"
)

func demoCommand() *cobra.Command {
	cfg := demo.Config{}
	national, asJSON := false, false
	cmd := &cobra.Command{
		Use:   "demo [SCENARIO]",
		Short: "Play a true case with invented people through the real programs",
		Long: `Plays a case through the real programs and asks what people could not answer then.

  christmas-cards   In 2019 addresses for greeting cards were pulled from a party's database, and nobody could
                    say how many of them had come from the list of electors. The default.

A hub and a ClickHouse run on free loopback ports (no containers, no accounts), rolltrace-sidecar and
rolltrace-consumer as processes; all end with the demo. What stays is the data folder: the files, so that
every number can be counted again with sort and comm (recount.sh does), and the centre's data, so that
"rolltrace up --data" can open it for questions of your own.

The roll is synthetic: districts and numbers of electors are those of Canada's 2021 general election, the
people are invented.`,
		Args:      cobra.MaximumNArgs(1),
		ValidArgs: []string{demo.ChristmasCards},
	}
	flags := cmd.Flags()
	flags.IntVar(&cfg.Districts, "districts", 10, "electoral districts, 1 to 338, in the order of the table")
	flags.BoolVar(&national, "national", false, "all 338 districts: 27,509,496 electors")
	flags.StringVar(&cfg.Data, "data", "", "folder for everything, new or empty (default a fresh one among the temporary files)")
	flags.BoolVar(&asJSON, "json", false, "print one JSON document and nothing else")
	cmd.MarkFlagsMutuallyExclusive("districts", "national")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		cfg.Scenario = demo.ChristmasCards
		if len(args) == 1 {
			cfg.Scenario = args[0]
		}
		if national {
			cfg.Districts = len(roll.Districts())
		}
		if err := cfg.Validate(); err != nil {
			return boot.Wrong(err)
		}
		out, stderr := cmd.OutOrStdout(), cmd.ErrOrStderr()
		steps := out
		if asJSON {
			steps = nil
		}
		cfg.UI = newStepUI(steps, stderr)
		if logging.Terminal(stderr) {
			cfg.Progress = stderr
		}
		cfg.Log = logging.New(stderr, "rolltrace", logging.Config{Level: logging.Warn, Format: logging.Auto})
		report, err := demo.Run(cmd.Context(), cfg)
		if err != nil {
			return err
		}
		if asJSON {
			return writeJSON(out, report)
		}
		return writeReport(out, report)
	}
	return cmd
}

// writeJSON writes one document, indented, so that people can read it too.
func writeJSON(w io.Writer, v any) error {
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	encoder.SetEscapeHTML(false)
	return encoder.Encode(v)
}
