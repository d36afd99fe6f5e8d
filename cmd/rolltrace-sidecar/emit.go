package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/rolltrace/rolltrace/cmd/internal/boot"
	"github.com/rolltrace/rolltrace/cmd/internal/logging"
	"github.com/rolltrace/rolltrace/producers"
	"github.com/rolltrace/rolltrace/producers/pseudonym"
	"github.com/rolltrace/rolltrace/schema"
	"github.com/rolltrace/rolltrace/schema/stream"
)

func emitCommand() *cobra.Command {
	cfg := newSettings()
	cmd := &cobra.Command{
		Use:   "emit FILE|-",
		Short: "Record movements that nobody saw flow: declared, attested, or long past",
		Long: `Reads movements as JSON, one a line, from FILE or (-) from stdin, and records them: what owners of places declare, what
others attest, and what old logs tell.

    {"kind": "share", "occurred_at": "2019-12-02T15:00:00Z", "inputs": [{"place": "party-a/files/cards.csv"}],
     "output": "lantern-print/uploads/cards.csv", "fields": ["name", "civic_address"],
     "ids_from": {"file": "cards.csv", "id": "elector_id"}}

(each on one line). The fields are those of a movement (docs/movement.md). Electors are listed by "ids": ["…"] (or {"email":
["…"]}), or by "ids_from": {"file", "id": "[SPACE=]COLUMN", "format", "delimiter", "no_header"}, whose file is sought from
the folder of FILE; they become keys at once. Or there is "electors": {"mode": "whole"}, or {"mode": "counted", "records": N}.

basis is declared or attested; left out, it is declared where the publishing organisation owns one of the places.
id, left out, follows from all the rest: the same line emitted again is the same movement, and counts once.

occurred_at may be long past, and no more than a day ahead of this machine's clock.

A bad line is named by its number and reason on stderr, and the others go; then the exit code is 1. Each movement that is
recorded has its id printed on stdout.`,
		Args: cobra.ExactArgs(1),
	}
	loader := cfg.bind(cmd)
	exercise := cmd.Flags().String("exercise", "", "name of an exercise (rolltrace exercise): the movements are rehearsed, and none of them becomes real")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if done, err := loader.Load(cmd.OutOrStdout()); done || err != nil {
			return err
		}
		if cfg.exercise = stream.Exercise(*exercise); *exercise != "" && !cfg.exercise.Valid() {
			return boot.Wrongf("--exercise %q: want 1 to 63 of a-z 0-9 -, beginning with a letter or digit", *exercise)
		}
		return emit(cmd.Context(), cfg, args[0], cmd.InOrStdin(), cmd.OutOrStdout(), cmd.ErrOrStderr())
	}
	return cmd
}

// maxLine bounds a line, in bytes. A longer one is a bad line; ids_from is for more electors.
const maxLine = 16 << 20

func emit(ctx context.Context, cfg *settings, name string, stdin io.Reader, stdout, stderr io.Writer) (err error) {
	folder := ""
	if name != "-" {
		file, err := os.Open(name)
		if err != nil {
			return fmt.Errorf("read movements: %w", err)
		}
		defer file.Close()
		stdin, folder = file, filepath.Dir(name)
	}
	lines := bufio.NewReaderSize(stdin, 64<<10)
	e := &emitter{cfg: cfg, folder: folder, stdout: stdout, stderr: stderr}
	defer func() {
		if e.access != nil {
			err = e.access.finish(ctx, err, stderr)
		}
	}()
	for number := 1; ; number++ {
		text, tooLong, err := readLine(lines)
		if err != nil && !errors.Is(err, io.EOF) {
			return fmt.Errorf("read movements: %w", err)
		}
		last := errors.Is(err, io.EOF)
		switch {
		case tooLong:
			e.refuse(number, fmt.Errorf("longer than %d bytes: list electors by ids_from", maxLine))
		case len(bytes.TrimSpace(text)) > 0:
			if err := e.emit(ctx, number, text); err != nil {
				return err
			}
		}
		if last {
			break
		}
	}
	if err := e.settle(ctx, 0); err != nil {
		return err
	}
	if e.bad > 0 {
		return fmt.Errorf("emit: %d of %d lines are bad and were left out, the first is line %d; the others are recorded", e.bad, e.seen, e.firstBad)
	}
	return nil
}

// readLine reads up to a line break. What is too long is read and dropped.
func readLine(r *bufio.Reader) (text []byte, tooLong bool, err error) {
	for {
		part, err := r.ReadSlice('\n')
		if len(text)+len(part) > maxLine {
			text, tooLong = nil, true
		}
		if !tooLong {
			text = append(text, part...)
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return text, tooLong, err
		}
	}
}

// An emitter records lines.
type emitter struct {
	cfg            *settings
	folder         string // that files are sought from
	stdout, stderr io.Writer

	access *access // opened by the first line that has places: the organisation may follow from them
	secret pseudonym.Secret

	seen, bad, firstBad int
	pending             []emitted
}

// emitted is a movement that waits for the disk.
type emitted struct {
	line    int
	id      string
	receipt *producers.Receipt
}

// maxPending is how many movements may wait for the disk at once.
const maxPending = 256

// refuse names a bad line.
func (e *emitter) refuse(number int, reason error) {
	e.seen++
	if e.bad++; e.bad == 1 {
		e.firstBad = number
	}
	var faults schema.Faults
	text := boot.Line(reason)
	if errors.As(reason, &faults) {
		text = faults.Redacted()
	}
	_, _ = fmt.Fprintf(e.stderr, "rolltrace-sidecar: line %d: %s\n", number, text)
}

// emit records one line. Its error ends everything: what is wrong with the line alone is refused.
func (e *emitter) emit(ctx context.Context, number int, text []byte) error {
	l, err := parseLine(text)
	if err == nil {
		err = l.places()
	}
	if err != nil {
		e.refuse(number, err)
		return nil
	}
	if err := e.open(ctx, &l.Movement); err != nil {
		return err
	}
	if e.cfg.exercise != "" {
		l.Exercise = string(e.cfg.exercise)
	}
	if err := l.declare(e.access.org); err != nil {
		e.refuse(number, err)
		return nil
	}
	if len(l.Electors.Sets) > 0 && e.secret.IsZero() {
		keys, err := pseudonymisers(e.cfg.Key, &l.Movement)
		if err != nil {
			return err
		}
		e.secret = keys.secret
	}
	d := &declaration{line: l, secret: e.secret, folder: e.folder, outbox: e.access, org: e.access.org, sidecar: e.access.sidecar}
	receipt, err := d.record(ctx)
	var bad *badLine
	if errors.As(err, &bad) {
		e.refuse(number, bad.reason)
		return nil
	}
	if err != nil {
		return fmt.Errorf("line %d: %w", number, err)
	}
	e.seen++
	e.pending = append(e.pending, emitted{number, l.ID, receipt})
	return e.settle(ctx, maxPending)
}

// open opens the outbox when the first line is good.
func (e *emitter) open(ctx context.Context, m *schema.Movement) error {
	if e.access != nil {
		return nil
	}
	pinned := e.cfg.Org != "" || e.cfg.Sidecar != ""
	if err := e.cfg.complete(defaultOrg(m)); err != nil {
		return boot.Wrong(err)
	}
	var err error
	e.access, err = openAccess(ctx, e.cfg, pinned, e.stderr, logging.New(e.stderr, "rolltrace-sidecar", e.cfg.Log))
	return err
}

// settle waits until no more than so many movements wait for the disk.
func (e *emitter) settle(ctx context.Context, most int) error {
	for len(e.pending) > most {
		one := e.pending[0]
		e.pending = e.pending[1:]
		var faults schema.Faults
		switch err := one.receipt.Wait(ctx); {
		case errors.As(err, &faults):
			e.seen--
			e.refuse(one.line, faults)
			continue
		case err != nil:
			return fmt.Errorf("line %d: %w", one.line, err)
		}
		if _, err := fmt.Fprintln(e.stdout, one.id); err != nil {
			return fmt.Errorf("write output: %w", err)
		}
	}
	return nil
}
