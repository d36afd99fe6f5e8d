package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/rolltrace/rolltrace/cmd/internal/boot"
	"github.com/rolltrace/rolltrace/cmd/internal/config"
	"github.com/rolltrace/rolltrace/cmd/internal/found"
	"github.com/rolltrace/rolltrace/producers/delimited"
	"github.com/rolltrace/rolltrace/producers/pseudonym"
	"github.com/rolltrace/rolltrace/schema/graph"
)

// matchFlags say how a found list is read.
type matchFlags struct {
	id        string
	format    string
	delimiter string
	noHeader  bool
	limit     int
}

func matchCommand() *cobra.Command {
	var flags matchFlags
	cmd := &cobra.Command{
		Use:   "match FILE --id [SPACE=]COLUMN",
		Short: "A found list: which of the recorded copies is it?",
		Long: `Ranks the copies that a found list (CSV, TSV; plain, gzip or zstd; - is stdin) can have come from: what movements brought to
places, and what places hold. A copy into which seeds were put (rolltrace-sidecar tee --seeds) is known by them. For each it says how many electors of the list are in the copy and of the copy in the list,
how much better it explains the list than chance does (evidence, in bits), how probable so many are by chance, what tells
it from the first of them, and the route by which it came.

The identifiers are turned into elector keys on this machine, under --key; only the keys are sent.`,
		Example: `  rolltrace match found.csv --id elector_id --key key.json
  rolltrace match found.tsv.gz --format tsv --no-header --id email=3 --key key.json --json`,
		Args: cobra.ExactArgs(1),
	}
	f := cmd.Flags()
	f.StringVar(&flags.id, "id", "", "column of the identifier: [SPACE=]NAME or [SPACE=]NUMBER")
	f.StringVar(&flags.format, "format", "csv", "csv or tsv")
	f.StringVar(&flags.delimiter, "delimiter", "", "character between fields; none is the format's (\\t is a tab)")
	f.BoolVar(&flags.noHeader, "no-header", false, "the first line is a record like others")
	f.IntVar(&flags.limit, "limit", graph.DefaultMatches, "most copies to list; -1 for all")
	_ = cmd.MarkFlagRequired("id")
	newQuestion(cmd, func(ctx context.Context, g *graph.Graph, q *question, args []string) (*graph.Match, error) {
		asked, list, err := flags.read(ctx, args[0], cmd.InOrStdin(), q.cfg.Key)
		if err != nil {
			return nil, err
		}
		defer list.Close()
		asked.AsOf = q.asOfAt
		return g.Match(ctx, asked)
	}, writeMatch).withAsOf(cmd)
	return cmd
}

// read reads the found list. No error repeats what is in it.
func (m *matchFlags) read(ctx context.Context, path string, stdin io.Reader, keyFile string) (q graph.MatchQuestion, _ *found.List, _ error) {
	column, scan, err := m.scan()
	if err != nil {
		return q, nil, boot.Wrong(err)
	}
	if m.limit < -1 || m.limit == 0 {
		return q, nil, boot.Wrongf("--limit %d: want 1 or more, or -1 for all", m.limit)
	}
	if keyFile == "" {
		return q, nil, boot.Wrongf("want --key with the key file under which the elector keys were made (environment: %sKEY)", config.Prefix)
	}
	secret, err := pseudonym.ReadKeyFile(keyFile)
	if err != nil {
		return q, nil, err
	}
	in := stdin
	if path != "-" {
		file, err := os.Open(path)
		if err != nil {
			var pathErr *os.PathError
			if errors.As(err, &pathErr) {
				err = pathErr.Err
			}
			return q, nil, fmt.Errorf("read list %q: %w", path, err)
		}
		defer file.Close()
		in = file
	}
	q, list, err := found.Question(ctx, in, scan, column, secret)
	if err != nil {
		return q, nil, fmt.Errorf("read list %q: %w", path, err)
	}
	q.Limit = m.limit
	return q, list, nil
}

func (m *matchFlags) scan() (delimited.IDColumn, delimited.Config, error) {
	config := delimited.Config{Format: delimited.Format(m.format), NoHeader: m.noHeader}
	column, err := delimited.ParseIDColumn(m.id)
	if err != nil {
		return column, config, fmt.Errorf("--id: %w", err)
	}
	config.Columns = []string{column.Column}
	switch {
	case m.delimiter == `\t`:
		config.Delimiter = '\t'
	case len(m.delimiter) == 1:
		config.Delimiter = m.delimiter[0]
	case m.delimiter != "":
		return column, config, fmt.Errorf("--delimiter %q: want one ASCII character", m.delimiter)
	}
	_, err = delimited.NewScanner(config)
	return column, config, err
}

func writeMatch(w io.Writer, m *graph.Match) error {
	p := &page{w: w}
	f := m.Found
	p.line("found: %s different identifiers (%s, %s) in %s records", grouped(f.Keys), f.IDSpace, f.KeyID, grouped(f.Records))
	if f.Unkeyed > 0 {
		p.line("%s of the records have no identifier", grouped(f.Unkeyed))
	}
	if f.Unknown > 0 {
		p.line("%s of %s are on no recorded movement", grouped(f.Unknown), grouped(f.Keys))
	}
	if f.Seeds > 0 {
		p.line("%s of %s are seeds, invented for one copy:", grouped(f.Seeds), grouped(f.Keys))
	}
	for _, s := range m.Seedings {
		p.line("  %s of the %s seeds that went to %s on %s UTC (movement %s of %s/%s)", grouped(s.Found), grouped(s.Seeds), s.Place, moment(s.OccurredAt), s.ID, s.Org, s.Sidecar)
	}
	copies := newTable(number(""), text("copy"), text("what"), number("electors"), number("in the list"), number("of the list"), number("of the copy"),
		number("its seeds"), number("evidence (bits)"), number("by chance"), text("since (UTC)"), number("still held"))
	for i, c := range m.Copies {
		copies.row(grouped(i+1), string(c.Place), c.What, grouped(c.Electors), grouped(c.Matched), share(c.ShareOfFound), share(c.ShareOfCopy),
			seedsFound(c), decimal(c.Evidence), power(c.Chance), moment(c.Since), grouped(c.Held))
	}
	p.line("")
	p.table("copies that it can have come from, the most likely first", copies, "none recorded: no copy that has any of it")
	for i, c := range m.Copies {
		if i > 0 && !c.Tied && i >= routesShown {
			continue
		}
		p.line("")
		p.line("%s  %s", grouped(i+1), c.Place)
		if i > 0 {
			p.line("   %s", distinction(c))
		}
		p.table(fmt.Sprintf("   how it came there (%s of the %s came all this way)", grouped(c.RouteElectors), grouped(c.Matched)), stepTable(c.Route), "")
	}
	if len(m.Copies) > 0 && m.Copies[0].Electors == f.Recorded && m.Copies[0].Evidence == 0 {
		p.line("\nevidence: 0 bits is no fault. Copy 1 has all %s electors that are recorded, so that any list of them fits it as well: it may", grouped(f.Recorded))
		p.line("          be the one, and nothing that is recorded can show it")
	}
	if len(m.Copies) > 0 {
		p.line("\nby chance: the probability that a list of as many electors, drawn by chance, has as many of the copy")
	}
	return p.notes(m.Answer)
}

// routesShown is how many routes people see, and those of copies that are tied with the first; --json has all.
const routesShown = 3

// distinction is what tells a copy from the first.
func distinction(c graph.MatchCopy) string {
	switch {
	case c.OnlyFirst == 0 && c.OnlyHere == 0:
		return "the same electors as 1: nothing that is recorded tells them apart"
	case c.OnlyFirst == 0:
		return fmt.Sprintf("all of 1, and %s more electors (%s in the list)", grouped(c.OnlyHere), grouped(c.OnlyHereFound))
	case c.OnlyHere == 0:
		return fmt.Sprintf("a part of 1, which has %s more electors (%s in the list)", grouped(c.OnlyFirst), grouped(c.OnlyFirstFound))
	}
	return fmt.Sprintf("only in 1: %s electors (%s in the list); only here: %s (%s in the list)",
		grouped(c.OnlyFirst), grouped(c.OnlyFirstFound), grouped(c.OnlyHere), grouped(c.OnlyHereFound))
}

// seedsFound writes how many of a copy's seeds are in the list.
func seedsFound(c graph.MatchCopy) string {
	if c.Seeds == 0 {
		return ""
	}
	return grouped(c.SeedsFound) + " of " + grouped(c.Seeds)
}

// share writes a part of 1 in per cent, so that all is 100 % and nothing else is.
func share(part float64) string {
	text := fmt.Sprintf("%.1f %%", part*100)
	switch {
	case part < 1 && text == "100.0 %":
		return "> 99.9 %"
	case part > 0 && text == "0.0 %":
		return "< 0.1 %"
	}
	return text
}

// decimal writes a number with one decimal, and large ones without.
func decimal(x float64) string {
	if x >= 1000 || x <= -1000 {
		return grouped(int64(x))
	}
	return fmt.Sprintf("%.1f", x)
}

// power writes a probability by its decimal logarithm.
func power(log10 float64) string {
	if log10 > -2 {
		return "likely"
	}
	return "10^" + grouped(int64(log10))
}
