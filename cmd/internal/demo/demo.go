package demo

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/rs/zerolog"

	"github.com/rolltrace/rolltrace/schema/schematest/roll"
)

// The programs that a demo runs.
const (
	Sidecar  = "rolltrace-sidecar"
	Consumer = "rolltrace-consumer"
	Asker    = "rolltrace"
)

// seed of the synthetic roll: the same people every time.
const seed = 2021

// Config says which case is played, and where.
type Config struct {
	// Scenario is one of Scenarios.
	Scenario string
	// Districts is how many electoral districts ChristmasCards has, in the order of the table, from 1 to 338.
	Districts int
	// Scale is how much of the full size the others have, above 0 and at most 1. 0 is what the scenario says.
	Scale float64
	// Shuffle hands declarations in in another order, one for each number; questions between the steps are left out. 0 is the
	// order of the story.
	Shuffle uint64
	// Key is a key file to play with. "" makes a new one.
	Key string
	// Data is the folder for everything: made if it is not there, refused if it holds something. "" makes
	// a fresh one among the system's temporary files.
	Data string
	// MaxMemory bounds ClickHouse, in bytes. 0 chooses by the machine.
	MaxMemory int64
	// UI is told how far it is.
	UI UI
	// Progress is a terminal for the progress of a download. Nil shows nothing.
	Progress io.Writer
	// Log gets what the parts have to say.
	Log zerolog.Logger
}

// Validate says whether there is such a case, and of such a size.
func (cfg Config) Validate() error {
	scenario, err := FindScenario(cfg.Scenario)
	if err != nil {
		return err
	}
	if most := len(roll.Districts()); cfg.Districts < 1 || cfg.Districts > most {
		return fmt.Errorf("districts %d: want 1 to %d", cfg.Districts, most)
	}
	if cfg.Scale < 0 || cfg.Scale > 1 {
		return fmt.Errorf("scale %g: want more than 0, and at most 1", cfg.Scale)
	}
	if cfg.Shuffle != 0 && !scenario.Shuffles() {
		return fmt.Errorf("scenario %s: it has files that flow now, one after the other, and cannot be shuffled", cfg.Scenario)
	}
	return nil
}

// A UI is told how far a demo is. Its methods are called by one goroutine at a time.
type UI interface {
	Begin(title string)      // a step begins
	Bytes(at, of int64)      // of the file that flows
	Positions(at, of uint64) // of the log
	Done(step Step)          // the step is over
}

// Run plays a case from beginning to end and returns what there is to tell. When it returns, with or
// without an error, no process that it started is left; the files are.
func Run(ctx context.Context, cfg Config) (*Report, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	scenario, err := FindScenario(cfg.Scenario)
	if err != nil {
		return nil, err
	}
	if cfg.Scale == 0 {
		cfg.Scale = scenario.Scale
	}
	programs, err := FindPrograms(Sidecar, Consumer)
	if err == nil && len(scenario.Steps) > 0 {
		programs[Asker], err = os.Executable()
	}
	if err != nil {
		return nil, err
	}
	if cfg.Data, err = freshFolder(cfg.Data); err != nil {
		return nil, err
	}
	s := &stage{
		cfg: cfg, scenario: scenario, programs: programs, launcher: newLauncher(),
		ended:  make(chan error, 1),
		report: &Report{Scenario: cfg.Scenario, Data: cfg.Data},
	}
	began := time.Now()
	err = s.play(ctx)
	s.report.Seconds = seconds(time.Since(began))
	if struck := s.strike(); err == nil {
		err = struck // otherwise it tells of the same fault again
	}
	if err != nil {
		return nil, err
	}
	return s.report, nil
}

func (s *stage) play(ctx context.Context) error {
	if err := s.set(ctx); err != nil {
		return err
	}
	if err := s.writeScenario(); err != nil {
		return err
	}
	if err := s.register(ctx); err != nil {
		return err
	}
	for _, part := range s.centre.Parts() {
		s.report.Parts = append(s.report.Parts, part.Name+": "+part.What)
	}
	play, ask := s.story, func(ctx context.Context) error { return s.askAll(ctx, "", s.scenario.Questions) }
	if s.cfg.Scenario == ChristmasCards {
		play, ask = s.christmas, s.ask
	}
	if err := play(ctx); err != nil {
		return err
	}
	if err := s.step(ctx, "The consumer brings the log into ClickHouse", s.settle); err != nil {
		return err
	}
	if err := s.step(ctx, "The rules are asked what stands out", s.rules); err != nil {
		return err
	}
	return s.step(ctx, "The questions are asked", ask)
}

// settle waits until everything that was handed over can be asked about.
func (s *stage) settle(ctx context.Context) error {
	return caughtUp(ctx, s.centre.Log, s.centre.Reader, s.ended, s.cfg.UI.Positions)
}

// freshFolder makes the data folder, and refuses one that holds something.
func freshFolder(given string) (string, error) {
	if given == "" {
		folder, err := os.MkdirTemp("", "rolltrace-demo-")
		if err != nil {
			return "", fmt.Errorf("make data folder: %w", err)
		}
		return folder, nil
	}
	folder, err := filepath.Abs(given)
	if err != nil {
		return "", fmt.Errorf("data folder: %w", err)
	}
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return "", fmt.Errorf("make data folder: %w", err)
	}
	entries, err := os.ReadDir(folder)
	if err != nil {
		return "", fmt.Errorf("read data folder: %w", err)
	}
	if len(entries) > 0 {
		return "", fmt.Errorf("data folder %s: it holds something already (%s): give an empty or a new one", folder, entries[0].Name())
	}
	return folder, nil
}

func seconds(d time.Duration) float64 { return float64(d.Milliseconds()) / 1000 }
