package main

import (
	"encoding/json"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/rolltrace/rolltrace/cmd/internal/boot"
	"github.com/rolltrace/rolltrace/cmd/internal/demo"
	"github.com/rolltrace/rolltrace/cmd/internal/logging"
	"github.com/rolltrace/rolltrace/schema/schematest/roll"
)

func demoCommand() *cobra.Command {
	cfg := demo.Config{}
	national, asJSON, list := false, false, false
	cmd := &cobra.Command{
		Use:   "demo [SCENARIO]",
		Short: "Play a true case with invented people through the real programs",
		Long: `Plays a case through the real programs and asks what people could not answer then.

SCENARIO is one of ` + strings.Join(demo.Scenarios(), ", ") + `; --list says what they
are, and christmas-cards is the default. A hub and a ClickHouse run on free loopback ports (no containers, no accounts),
rolltrace-sidecar and rolltrace-consumer as processes; all end with the demo. What stays is the data folder:
the scenario's own file (scenario.yaml: who is who, what is publicly known, and where), the files that people
held, so that every number can be counted again with sort and comm (recount.sh does), and the centre's data,
so that "rolltrace up --data" can open it for questions of your own.

People are invented. The roll of christmas-cards has the districts and numbers of electors of Canada's 2021
general election.`,
		Args:      cobra.MaximumNArgs(1),
		ValidArgs: demo.Scenarios(),
	}
	flags := cmd.Flags()
	flags.BoolVar(&list, "list", false, "list the scenarios, and play none")
	flags.IntVar(&cfg.Districts, "districts", 10, "christmas-cards: electoral districts, 1 to 338, in the order of the table")
	flags.BoolVar(&national, "national", false, "christmas-cards: all 338 districts, 27,509,496 electors")
	flags.Float64Var(&cfg.Scale, "scale", 0, "the others: share of the full size, up to 1 (default as the scenario says)")
	flags.Uint64Var(&cfg.Shuffle, "shuffle", 0, "the others: hand declarations in in another order, one for each number; the answers in the end are the same")
	flags.StringVar(&cfg.Key, "key", "", "key file to play with (default a new one)")
	flags.StringVar(&cfg.Data, "data", "", "folder for everything, new or empty (default a fresh one among the temporary files)")
	flags.BoolVar(&asJSON, "json", false, "print one JSON document and nothing else")
	cmd.MarkFlagsMutuallyExclusive("districts", "national", "scale")
	cmd.MarkFlagsMutuallyExclusive("districts", "national", "shuffle")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		out, stderr := cmd.OutOrStdout(), cmd.ErrOrStderr()
		if list {
			return writeScenarios(out)
		}
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
		others := []string{"scale", "shuffle"}
		if cfg.Scenario != demo.ChristmasCards {
			others = []string{"districts", "national"}
		}
		for _, flag := range others {
			if cmd.Flags().Changed(flag) {
				return boot.Wrongf("--%s: not for %s (rolltrace demo --help)", flag, cfg.Scenario)
			}
		}
		steps := out
		if asJSON {
			steps = nil
		}
		if !asJSON && cfg.Scenario != demo.ChristmasCards {
			if err := writeOpening(out, cfg.Scenario, cfg.Scale); err != nil {
				return err
			}
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
		switch {
		case asJSON:
			return writeJSON(out, report)
		case report.Answers == nil:
			return writeCase(out, report)
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
