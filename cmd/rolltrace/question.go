package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/rolltrace/rolltrace/cmd/internal/boot"
	"github.com/rolltrace/rolltrace/cmd/internal/centre"
	"github.com/rolltrace/rolltrace/cmd/internal/config"
	"github.com/rolltrace/rolltrace/cmd/internal/exercise"
	"github.com/rolltrace/rolltrace/producers/pseudonym"
	"github.com/rolltrace/rolltrace/schema"
	"github.com/rolltrace/rolltrace/schema/graph"
)

// questionConfig says where a centre is, and with which key its electors are looked up.
type questionConfig struct {
	// Data is the folder of a centre that runs on this machine. Defaults to centre.DefaultData().
	Data string `yaml:"data" doc:"folder of a centre on this machine (rolltrace up)"`
	// ClickHouse is the DSN of the centre's ClickHouse. Empty (the default) is as Data says.
	ClickHouse config.Address `yaml:"clickhouse" doc:"DSN of a centre's ClickHouse, of a user who may read the views; none is as --data says"`
	// Key is the key file under which the elector keys were made. Needed to look up an identifier.
	Key string `yaml:"key" doc:"key file under which the elector keys were made"`
}

func (c *questionConfig) Validate() error {
	if c.Data == "" && c.ClickHouse.IsZero() {
		return errors.New("data: want a folder, or clickhouse")
	}
	return nil
}

// A question is what the commands that ask have in common.
type question struct {
	cfg    questionConfig
	loader *config.Loader
	json   bool
	asOf   string
	asOfAt schema.Time

	exercise string // whose graph is asked instead of the real one
}

// newQuestion gives the command the flags of a question and runs ask with the graph. What ask returns is
// written by write, or as JSON.
func newQuestion[A any](cmd *cobra.Command, ask func(context.Context, *graph.Graph, *question, []string) (A, error), write func(io.Writer, A) error) *question {
	q := &question{cfg: questionConfig{Data: centre.DefaultData()}}
	q.loader = bindQuestion(cmd, &q.cfg)
	cmd.Flags().BoolVar(&q.json, "json", false, "print one JSON document (docs/json.md)")
	cmd.Flags().StringVar(&q.exercise, "exercise", "", "ask the graph of an exercise (rolltrace exercise) instead of the real one")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if done, err := q.loader.Load(cmd.OutOrStdout()); done || err != nil {
			return err
		}
		if err := checkFlags(cmd); err != nil {
			return err
		}
		if q.asOf != "" {
			at, err := parseTime("--as-of", q.asOf)
			if err != nil {
				return err
			}
			q.asOfAt = at
		}
		if exposed := pseudonym.Exposed(q.cfg.Key); exposed != "" {
			fmt.Fprintln(cmd.ErrOrStderr(), "rolltrace: warning: "+exposed)
		}
		dsn, err := q.dsn()
		if err != nil {
			return err
		}
		answer, err := asked(cmd.Context(), dsn, func(g *graph.Graph) (A, error) { return ask(cmd.Context(), g, q, args) })
		if q.exercise != "" && errors.Is(err, graph.ErrNoSchema) {
			return fmt.Errorf("%w: %s: rolltrace exercise list says which there are", exercise.ErrNone, q.exercise)
		}
		if err != nil {
			return err
		}
		if q.json {
			return writeJSON(cmd.OutOrStdout(), answer)
		}
		return write(cmd.OutOrStdout(), answer)
	}
	return q
}

// checkFlags refuses flags that were given nothing: a variable that is not set, where something was to be asked for,
// would ask for everything, or as of now.
func checkFlags(cmd *cobra.Command) (err error) {
	cmd.Flags().Visit(func(f *pflag.Flag) {
		empty := f.Value.Type() == "string" && f.Value.String() == "" || f.Value.Type() == "stringSlice" && f.Value.String() == "[]"
		if empty && err == nil {
			err = boot.Wrongf("--%s: is empty: want a value, or leave it out", f.Name)
		}
	})
	return err
}

// parseTime reads the time of a flag. A time that no movement can have would give an answer that looks like "nowhere".
func parseTime(flag, text string) (schema.Time, error) {
	at, err := schema.ParseTime(text)
	if err == nil && !at.InRange() {
		err = fmt.Errorf("time %q: want one from 1900 to 2199", text)
	}
	if err != nil {
		return at, boot.Wrong(fmt.Errorf("%s: %w", flag, err))
	}
	return at, nil
}

// bindQuestion binds the configuration of a command that asks something. What is for programs that run on
// (--check, --dump) works, but is not in the help.
func bindQuestion(cmd *cobra.Command, cfg any) *config.Loader {
	loader := config.Bind(cmd.Flags(), cfg)
	for _, name := range []string{"check", "dump"} {
		_ = cmd.Flags().MarkHidden(name) // fails only for a flag that is not there
	}
	return loader
}

// withAsOf adds --as-of.
func (q *question) withAsOf(cmd *cobra.Command) {
	cmd.Flags().StringVar(&q.asOf, "as-of", "", "as it was then: 2026-04-01T12:00:00Z, or a date (its first instant, UTC)")
}

// dsn is where the centre's ClickHouse is.
func (q *question) dsn() (string, error) {
	if q.exercise != "" {
		return q.exerciseDSN()
	}
	if !q.cfg.ClickHouse.IsZero() {
		return q.cfg.ClickHouse.Reveal(), nil
	}
	info, err := centre.ReadRunning(q.cfg.Data)
	if err != nil {
		return "", err
	}
	return info.Reader(), nil
}

// asked connects, asks, and says what to do about errors.
func asked[A any](ctx context.Context, dsn string, ask func(*graph.Graph) (A, error)) (A, error) {
	var none A
	conn, err := graph.Open(dsn)
	if err != nil {
		return none, err
	}
	defer func(conn driver.Conn) { _ = conn.Close() }(conn)
	answer, err := ask(graph.New(conn, graph.Config{}))
	switch {
	case err == nil:
		return answer, nil
	case errors.Is(err, graph.ErrMalformed):
		return none, boot.Wrong(err)
	}
	return none, centre.AtClickHouse(dsn, err)
}

// electorFlags are how an elector is named.
type electorFlags struct {
	space string
	hex   string
}

const electorHelp = `
The identifier is turned into its elector key on this machine, under --key; only the key is sent. What is on a
command line can be seen by everybody on the machine (ps): give - instead, and the identifier on stdin. Who has
no key file can ask for an elector key (--hex), as other answers show it.`

func (f *electorFlags) bind(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.space, "id-space", "", "what the identifier is: elector-id, crm-id, email, phone, … (default elector-id; with --hex any)")
	cmd.Flags().StringVar(&f.hex, "hex", "", "elector key, 16 hex digits, instead of an identifier")
}

// elector is the elector that the command line names: by id ("-": the first line of stdin), or by --hex.
// No error repeats the identifier.
func (f *electorFlags) elector(id string, stdin io.Reader, keyFile string) (graph.ElectorQuestion, error) {
	q := graph.ElectorQuestion{IDSpace: schema.IDSpace(f.space)}
	if f.space != "" && !q.IDSpace.Valid() {
		return q, boot.Wrongf("--id-space %q: want 1 to 32 of a-z 0-9 -, beginning with a letter", f.space)
	}
	if f.hex != "" {
		if id != "" {
			return q, boot.Wrongf("want an identifier or --hex, not both")
		}
		key, err := schema.ParseKey(strings.ToLower(f.hex))
		q.Key = key
		return q, boot.Wrong(err)
	}
	if id == "" {
		return q, boot.Wrongf("want an identifier, - for one on stdin, or --hex")
	}
	if keyFile == "" {
		return q, boot.Wrongf("want --key with the key file under which the elector keys were made (environment: %sKEY), or --hex with an elector key", config.Prefix)
	}
	secret, err := pseudonym.ReadKeyFile(keyFile)
	if err != nil {
		return q, err
	}
	identifier := []byte(id)
	if id == "-" {
		if identifier, err = firstLine(stdin); err != nil {
			return q, err
		}
	}
	if q.IDSpace == "" {
		q.IDSpace = schema.ElectorID
	}
	key, ok := secret.Space(q.IDSpace).Key(identifier)
	if !ok {
		return q, boot.Wrongf("the identifier has nothing that could identify anybody, as an %s", q.IDSpace)
	}
	q.Key, q.KeyID = key, secret.KeyID()
	return q, nil
}

// maxIdentifier bounds what is read as an identifier, in bytes.
const maxIdentifier = 4096

func firstLine(r io.Reader) ([]byte, error) {
	line, err := bufio.NewReaderSize(io.LimitReader(r, maxIdentifier), maxIdentifier).ReadBytes('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("read the identifier from stdin: %w", err)
	}
	return bytes.TrimRight(line, "\r\n"), nil
}
