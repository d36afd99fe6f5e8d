package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"runtime"
	"runtime/debug"
	"time"

	"github.com/spf13/cobra"

	"github.com/rolltrace/rolltrace/cmd/internal/boot"
	"github.com/rolltrace/rolltrace/cmd/internal/logging"
	"github.com/rolltrace/rolltrace/producers"
	"github.com/rolltrace/rolltrace/producers/delimited"
	"github.com/rolltrace/rolltrace/producers/pseudonym"
	"github.com/rolltrace/rolltrace/schema"
)

// teeFlags say what flows.
type teeFlags struct {
	kind       string
	from       []string
	to         string
	ids        []string
	counted    bool
	actor      string
	purpose    string
	agreement  string
	legalBasis string
	fields     []string
	format     string
	delimiter  string
	noHeader   bool
	mac        bool
	seeds      int
}

func teeCommand() *cobra.Command {
	flags, cfg := &teeFlags{}, newSettings()
	cmd := &cobra.Command{
		Use:   "tee --kind K --from PLACE… --to PLACE --id [SPACE=]COLUMN… < in > out",
		Short: "Pass a list on, and record whose records were in it",
		Long: `Passes a list (CSV, TSV; plain, gzip or zstd) from stdin to stdout, byte for byte, and records it as a movement, with the
elector keys of everybody in it. No record is put out before its key is synced to the disk, in the outbox.

    rolltrace-sidecar tee --kind share --from party-a/crm/voters --to acme-mail/uploads/2026-04-01.csv \
        --id elector_id --agreement acme-2026 --purpose communicate < list.csv > outgoing.csv

A place is ORG/SYSTEM/DATASET; a person is a place too (party-a/people/u0412). --id names the column of the identifier, by
its name in the header or by its number from 1, with its id space if that is not elector-id (email=E-Mail); it can be
given several times. Data without such a column is passed with --counted: then only the number of records is known.

With a sidecar running on the same outbox the record goes through it. Without one it goes into the outbox, and to
the hub if that is there; if not, it stays and is no fault.

What cannot be read or recorded ends the flow, and the movement is closed as failed, with everybody who had gone.`,
		Args: cobra.NoArgs,
	}
	f := cmd.Flags()
	f.StringVar(&flags.kind, "kind", "", "what it is: collect, export, merge, share, access, destroy")
	f.StringArrayVar(&flags.from, "from", nil, "place that the list comes from; several for a merge")
	f.StringVar(&flags.to, "to", "", "place that it goes to; none for a destroy")
	f.StringArrayVar(&flags.ids, "id", nil, "column of an identifier: [SPACE=]NAME or [SPACE=]NUMBER")
	f.BoolVar(&flags.counted, "counted", false, "there is no such column: count the records only")
	f.StringVar(&flags.actor, "actor", "", "who does it, for example party-a/people/u0412")
	f.StringVar(&flags.purpose, "purpose", "", "what for")
	f.StringVar(&flags.agreement, "agreement", "", "agreement under which it goes")
	f.StringVar(&flags.legalBasis, "legal-basis", "", "provision that permits it")
	f.StringSliceVar(&flags.fields, "fields", nil, "field categories that travel, for example name,civic_address")
	f.StringVar(&flags.format, "format", "csv", "csv or tsv")
	f.StringVar(&flags.delimiter, "delimiter", "", "character between fields; none is the format's (\\t is a tab)")
	f.BoolVar(&flags.noHeader, "no-header", false, "the first line is a record like others")
	f.IntVar(&flags.seeds, "seeds", 0, "put so many invented records into this copy, so that it can be told from others (docs/seeds.md: read it first)")
	f.BoolVar(&flags.mac, "mac", false, "record a keyed hash (HMAC-SHA-256) of the bytes too, so that a file can be told to be this one; slower")
	loader := cfg.bind(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if done, err := loader.Load(cmd.OutOrStdout()); done || err != nil {
			return err
		}
		return tee(cmd.Context(), cfg, flags, cmd.InOrStdin(), cmd.OutOrStdout(), cmd.ErrOrStderr())
	}
	return cmd
}

// teeMemory is what the Go runtime is asked to keep to, in bytes, unless GOMEMLIMIT says otherwise: with what is outside of
// it the process stays below 150 MiB.
const teeMemory = 112 << 20

// teeBlocks are in its stages at once, of 4 MiB each: while some are synced together, others are read.
const teeBlocks = 8

func tee(ctx context.Context, cfg *settings, flags *teeFlags, stdin io.Reader, stdout, stderr io.Writer) error {
	if debug.SetMemoryLimit(-1) == math.MaxInt64 {
		debug.SetMemoryLimit(teeMemory)
		hugeHeap(teeMemory * 7 / 8)
	}
	if os.Getenv("GOMAXPROCS") == "" {
		// One thread is mostly in a sync, and keeps its place among those that Go lets run until that is noticed.
		runtime.GOMAXPROCS(runtime.GOMAXPROCS(0) + 1)
	}
	columns, scan, err := flags.scan()
	if err != nil {
		return boot.Wrong(err)
	}
	movement, err := flags.movement(columns)
	if err != nil {
		return boot.Wrong(err)
	}
	pinned := cfg.Org != "" || cfg.Sidecar != ""
	if err := cfg.complete(defaultOrg(&movement)); err != nil {
		return boot.Wrong(err)
	}
	if exposed := pseudonym.Exposed(cfg.Key); exposed != "" {
		fmt.Fprintln(stderr, "rolltrace-sidecar: warning: "+exposed)
	}
	keys, err := pseudonymisers(cfg.Key, &movement)
	if err != nil {
		return err
	}
	if flags.mac && keys.secret.IsZero() {
		return boot.Wrong(errors.New("--mac: want the key file too (--key)"))
	}
	reader, err := delimited.NewReader(enlarged(stdin), scan, delimited.Options{Blocks: teeBlocks, Plain: flags.seeds > 0})
	if err != nil {
		return boot.Wrong(err)
	}
	f := &flow{reader: reader, columns: keys.of[:len(columns)], movement: movement, out: enlarged(stdout)}
	if flags.seeds > 0 {
		f.seeder = newSeeder(flags.seeds, keys.secret, movement.Electors.Sets[:len(columns)], stdin)
	}
	if flags.mac {
		f.mac = keys.secret.EvidenceMAC()
	}
	var outbox *access
	f.open = func(ctx context.Context) (_ *producers.Recorder, err error) {
		if outbox, err = openAccess(ctx, cfg, pinned, stderr, logging.New(stderr, "rolltrace-sidecar", cfg.Log)); err != nil {
			return nil, err
		}
		return producers.NewRecorder(producers.RecorderConfig{Outbox: outbox})
	}
	err = f.run(ctx)
	if outbox != nil {
		err = outbox.finish(ctx, err, stderr)
	}
	return err
}

// scan is how the list is read.
func (t *teeFlags) scan() ([]delimited.IDColumn, delimited.Config, error) {
	config := delimited.Config{Format: delimited.Format(t.format), NoHeader: t.noHeader}
	switch {
	case t.counted && len(t.ids) > 0:
		return nil, config, errors.New("--id, --counted: want one of them")
	case !t.counted && len(t.ids) == 0:
		return nil, config, errors.New("--id: want the column of the identifier, or --counted for data without one")
	}
	switch t.delimiter {
	case "":
	case `\t`:
		config.Delimiter = '\t'
	default:
		if len(t.delimiter) != 1 {
			return nil, config, fmt.Errorf("--delimiter %q: want one ASCII character", t.delimiter)
		}
		config.Delimiter = t.delimiter[0]
	}
	switch {
	case t.seeds < 0 || t.seeds > maxSeeds:
		return nil, config, fmt.Errorf("--seeds %d: want 1 to %d", t.seeds, maxSeeds)
	case t.seeds > 0 && t.counted:
		return nil, config, errors.New("--seeds, --counted: a seed is known by its identifier: want --id")
	case t.seeds > 0 && t.kind == string(schema.Destroy):
		return nil, config, errors.New("--seeds: what is destroyed is no copy")
	}
	columns, err := parseColumns(t.ids)
	if err != nil {
		return nil, config, fmt.Errorf("--id: %w", err)
	}
	for _, c := range columns {
		config.Columns = append(config.Columns, c.Column)
	}
	_, err = delimited.NewScanner(config)
	return columns, config, err
}

func parseColumns(given []string) ([]delimited.IDColumn, error) {
	columns := make([]delimited.IDColumn, len(given))
	for i, text := range given {
		var err error
		if columns[i], err = delimited.ParseIDColumn(text); err != nil {
			return nil, err
		}
	}
	return columns, nil
}

// movement is what is recorded, checked as far as it is known before anything flows.
func (t *teeFlags) movement(columns []delimited.IDColumn) (schema.Movement, error) {
	m := schema.Movement{
		Kind: schema.Kind(t.kind), Output: schema.Place(t.to), Actor: t.actor, Purpose: t.purpose, Agreement: t.agreement,
		LegalBasis: t.legalBasis, Fields: t.fields, Electors: schema.Electors{Mode: schema.Counted},
	}
	if t.kind == "" {
		return m, errors.New("--kind: want collect, export, merge, share, access or destroy")
	}
	if !m.Kind.Known() {
		return m, fmt.Errorf("--kind %q: want collect, export, merge, share, access or destroy", t.kind)
	}
	if len(t.from) == 0 {
		return m, errors.New("--from: want the place that the list comes from")
	}
	for _, place := range t.from {
		if _, err := schema.ParsePlace(place); err != nil {
			return m, fmt.Errorf("--from: %w", err)
		}
		m.Inputs = append(m.Inputs, schema.Input{Place: schema.Place(place)})
	}
	if len(m.Inputs) == 1 {
		m.Inputs[0].Fields = t.fields // of several, nobody said which came from where
	}
	switch {
	case m.Kind == schema.Destroy && t.to != "":
		return m, errors.New("--to: a destroy goes nowhere: leave it out")
	case m.Kind != schema.Destroy && t.to == "":
		return m, errors.New("--to: want the place that the list goes to")
	case t.to != "":
		if _, err := schema.ParsePlace(t.to); err != nil {
			return m, fmt.Errorf("--to: %w", err)
		}
	}
	for _, c := range columns {
		m.Electors.Mode = schema.Listed
		m.Electors.Sets = append(m.Electors.Sets, schema.Set{IDSpace: c.Space})
	}
	if t.seeds > 0 {
		for _, role := range []schema.SetRole{schema.Seeds, schema.NoSeeds} {
			for _, c := range columns {
				m.Electors.Sets = append(m.Electors.Sets, schema.Set{IDSpace: c.Space, Role: role})
			}
		}
	}
	return m, checkBefore(m)
}

// checkBefore finds the faults of a movement that has not begun.
func checkBefore(m schema.Movement) error {
	m.ID, m.Revision, m.State, m.Basis = "00000000-0000-7000-8000-000000000000", 1, schema.Open, schema.Observed
	m.OccurredAt = schema.At(time.Unix(0, 0))
	m.RecordedAt = m.OccurredAt
	m.Producer = schema.Producer{Org: "o", Sidecar: "s", Instance: "i", Sequence: 1}
	sets := make([]schema.Set, len(m.Electors.Sets))
	for i, s := range m.Electors.Sets {
		sets[i] = schema.Set{IDSpace: s.IDSpace, KeyID: "k-00000000", Role: s.Role}
	}
	m.Electors.Sets = sets
	return m.Validate()
}

// defaultOrg is who publishes a movement unless the settings say it: whoever it goes out from, or, where it comes from
// somebody else, whoever it comes in to.
func defaultOrg(m *schema.Movement) string {
	if m.Kind == schema.Collect || m.Kind == schema.Merge {
		return m.Output.Org()
	}
	return m.Inputs[0].Place.Org()
}

// secretKeys are a secret and the pseudonymisers of a movement's sets under it.
type secretKeys struct {
	secret pseudonym.Secret
	of     []*pseudonym.Pseudonymiser
}

// pseudonymisers reads the key file, and names the secret in the movement's sets. Without sets no key file is needed.
func pseudonymisers(path string, m *schema.Movement) (secretKeys, error) {
	var keys secretKeys
	if path == "" {
		if len(m.Electors.Sets) > 0 {
			return keys, boot.Wrong(errors.New("--key: want the key file: make one with \"rolltrace key new > key.json\""))
		}
		return keys, nil
	}
	var err error
	if keys.secret, err = pseudonym.ReadKeyFile(path); err != nil {
		return keys, err
	}
	for i := range m.Electors.Sets {
		set := &m.Electors.Sets[i]
		set.KeyID = keys.secret.KeyID()
		keys.of = append(keys.of, keys.secret.Space(set.IDSpace))
	}
	return keys, nil
}

// enlarged is the stream, with a larger pipe where the system lets it have one: fewer and longer turns.
func enlarged[T any](stream T) T {
	if file, ok := any(stream).(*os.File); ok {
		enlargePipe(file)
	}
	return stream
}
