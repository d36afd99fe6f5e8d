package demo

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"

	"github.com/rolltrace/rolltrace/cmd/internal/centre"
	"github.com/rolltrace/rolltrace/producers/pseudonym"
	"github.com/rolltrace/rolltrace/schema/schematest/roll"
)

// Files of the stage, in the data folder.
const (
	KeyFile      = "key.json" // the key of the story
	sidecarFile  = "sidecar.yaml"
	logFolder    = "log"
	CentreFolder = "centre" // data folder of the centre, for rolltrace up
)

// A stage is a demo at work: the centre, the sidecar and consumer as processes, and what they have done.
type stage struct {
	cfg      Config
	scenario *Scenario
	roll     *roll.Roll // of ChristmasCards
	people   *crowd     // of the others
	programs map[string]string
	launcher *launcher
	centre   *centre.Centre
	services []*service
	ended    chan error // a service that ended early, or nothing
	watch    *watch
	report   *Report

	movements int // handed over so far: as many closed ones must arrive
	arrived   int // of them, those that earlier steps have seen
}

func (s *stage) path(name string) string { return filepath.Join(s.cfg.Data, filepath.FromSlash(name)) }

// set makes folders, a key, and starts centre, consumer and sidecar.
func (s *stage) set(ctx context.Context) error {
	for _, folder := range append(s.scenario.orgs(), logFolder) {
		if err := os.MkdirAll(s.path(folder), 0o700); err != nil {
			return fmt.Errorf("make data folder: %w", err)
		}
	}
	secret := pseudonym.NewSecret()
	if s.cfg.Key != "" {
		var err error
		if secret, err = pseudonym.ReadKeyFile(s.cfg.Key); err != nil {
			return err
		}
	}
	if err := os.WriteFile(s.path(KeyFile), secret.KeyFile(), 0o600); err != nil {
		return fmt.Errorf("write key file: %w", err)
	}
	var err error
	s.centre, err = centre.Start(ctx, centre.Config{
		Data:   s.path(CentreFolder),
		Listen: centre.Listen{NATS: centre.Free, ClickHouse: centre.Free, ClickHouseHTTP: centre.Free},
		// The demo's parts share one machine with whatever else runs there.
		MaxMemory: s.cfg.MaxMemory, Progress: s.cfg.Progress, Log: s.cfg.Log,
	})
	if err != nil {
		return err
	}
	if s.watch, err = watchHub(s.centre.Hub); err != nil {
		return err
	}
	if err := s.serve(Consumer, "--nats", s.centre.NATS(), "--clickhouse", s.centre.Writer, "--http", centre.Free); err != nil {
		return err
	}
	if s.cfg.Scenario == ChristmasCards {
		if err := s.writeSidecar(sidecarFile, "party-a", "hq-db-1", "outbox"); err != nil {
			return err
		}
		return s.serve(Sidecar, "run", "--config", s.path(sidecarFile))
	}
	for _, org := range s.scenario.orgs() {
		if err := s.writeSidecar(path.Join(org, sidecarFile), org, "desk-1", path.Join(org, "outbox")); err != nil {
			return err
		}
	}
	return nil
}

// writeSidecar writes the configuration of an organisation's sidecar.
func (s *stage) writeSidecar(file, org, sidecar, outbox string) error {
	text := fmt.Sprintf("# The sidecar of %s: rolltrace-sidecar run --config %s\n"+
		"org: %s\nsidecar: %s\noutbox: %q\nnats: %q\nkey: %q\n",
		org, s.path(file), org, sidecar, s.path(outbox), s.centre.NATS(), s.path(KeyFile))
	if err := os.WriteFile(s.path(file), []byte(text), 0o600); err != nil {
		return fmt.Errorf("write the sidecar's configuration: %w", err)
	}
	return nil
}

func (s *stage) serve(program string, args ...string) error {
	service, err := s.launcher.serve(s.path(logFolder), s.programs[program], args...)
	if err != nil {
		return err
	}
	s.services = append(s.services, service)
	go func() {
		<-service.done
		select {
		case s.ended <- service.failure():
		default: // we are stopping it, or another one is being reported
		}
	}()
	return nil
}

// strike ends everything, the last started first.
func (s *stage) strike() error {
	var faults []error
	for i := len(s.services) - 1; i >= 0; i-- {
		faults = append(faults, s.services[i].stop())
	}
	s.launcher.close()
	if s.watch != nil {
		s.watch.stop()
	}
	if s.centre != nil {
		faults = append(faults, s.centre.Stop())
	}
	return errors.Join(faults...)
}

// step plays one step of the story, waits until its movements are at the hub, and notes how long that
// took.
func (s *stage) step(ctx context.Context, title string, play func(context.Context) error) error {
	s.cfg.UI.Begin(title)
	step := Step{Title: title}
	began := time.Now()
	s.report.Steps = append(s.report.Steps, step)
	at := &s.report.Steps[len(s.report.Steps)-1]
	if err := play(ctx); err != nil {
		return err
	}
	closed, err := s.watch.arrived(ctx, s.movements, s.ended)
	if err != nil {
		return err
	}
	at.Seconds = seconds(time.Since(began))
	for _, m := range closed[s.arrived:] {
		at.Movements = append(at.Movements, m.ID)
		at.Records += m.Electors.Records
	}
	s.arrived = len(closed)
	s.cfg.UI.Done(*at)
	return nil
}

// tee runs a file through `rolltrace-sidecar tee` and, unless it is meant to differ, checks that what comes out is what
// went in. The output goes into the file out, or nowhere when that is "".
func (s *stage) tee(ctx context.Context, config, in, out string, compared bool, args ...string) error {
	input, err := os.Open(s.path(in))
	if err != nil {
		return err
	}
	defer input.Close()
	info, err := input.Stat()
	if err != nil {
		return err
	}
	same, err := newComparison(s.path(in), info.Size(), s.cfg.UI.Bytes)
	if err != nil {
		return err
	}
	defer same.Close()
	var stdout io.Writer = same
	if !compared {
		stdout = io.Discard
	}
	if out != "" {
		file, err := os.OpenFile(s.path(out), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
		if err != nil {
			return err
		}
		defer file.Close()
		stdout = io.MultiWriter(file, stdout)
	}
	s.movements++
	if err := s.sidecar(ctx, input, stdout, append([]string{"tee", "--config", s.path(config)}, args...)...); err != nil || !compared {
		return err
	}
	return same.whole()
}

// sidecar runs one of the sidecar's commands to its end, and notes it for the report.
func (s *stage) sidecar(ctx context.Context, stdin io.Reader, stdout io.Writer, args ...string) error {
	if n := len(s.report.Steps); n > 0 {
		command := Sidecar + " " + strings.Join(args, " ")
		s.report.Steps[n-1].Command = strings.ReplaceAll(command, s.cfg.Data+string(filepath.Separator), "")
	}
	return s.launcher.run(ctx, stdin, stdout, s.programs[Sidecar], args...)
}

// writeRoll writes the list of electors.
func (s *stage) writeRoll() error {
	path := s.path(listFile)
	file, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	_, err = s.roll.WriteTo(file)
	if closed := file.Close(); err == nil {
		err = closed
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return nil
}

// A comparison takes the bytes that came out of tee and compares them with the file that went in.
type comparison struct {
	file     *os.File
	size     int64
	at       int64
	buffer   []byte
	progress func(at, of int64)
}

func newComparison(path string, size int64, progress func(at, of int64)) (*comparison, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	return &comparison{file: file, size: size, progress: progress}, nil
}

func (c *comparison) Write(p []byte) (int, error) {
	if len(c.buffer) < len(p) {
		c.buffer = make([]byte, len(p))
	}
	if _, err := io.ReadFull(c.file, c.buffer[:len(p)]); err != nil || !bytes.Equal(p, c.buffer[:len(p)]) {
		return 0, fmt.Errorf("compare what came out of tee: it differs from %s after byte %d", c.file.Name(), c.at)
	}
	c.at += int64(len(p))
	c.progress(c.at, c.size)
	return len(p), nil
}

// ReadFrom takes large pieces from a pipe, where io.Copy would take small ones.
func (c *comparison) ReadFrom(r io.Reader) (int64, error) {
	return io.CopyBuffer(struct{ io.Writer }{c}, struct{ io.Reader }{r}, make([]byte, 1<<20))
}

// whole says whether all of the file came out.
func (c *comparison) whole() error {
	if c.at != c.size {
		return fmt.Errorf("compare what came out of tee: %d bytes of the %d of %s", c.at, c.size, c.file.Name())
	}
	return nil
}

func (c *comparison) Close() { _ = c.file.Close() }
