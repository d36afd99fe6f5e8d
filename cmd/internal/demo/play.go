package demo

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path"
	"path/filepath"
	"strings"
)

// story plays the steps of a scenario's file and asks what they ask.
func (s *stage) story(ctx context.Context) error {
	s.people = newCrowd(s.scenario.People, s.cfg.Scale)
	s.report.Scale, s.report.People = s.cfg.Scale, s.people.count
	if err := s.step(ctx, "Files are made: the people in them are invented", func(context.Context) error {
		for _, f := range s.scenario.Files {
			if err := s.people.write(s.cfg.Data, f); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		return err
	}
	for i, scene := range s.order() {
		if err := s.step(ctx, scene.Title, func(ctx context.Context) error { return s.scene(ctx, i, scene) }); err != nil {
			return err
		}
		if len(scene.Questions) == 0 || s.cfg.Shuffle != 0 {
			continue
		}
		if err := s.settle(ctx); err != nil {
			return err
		}
		if err := s.askAll(ctx, scene.Title, scene.Questions); err != nil {
			return err
		}
	}
	return nil
}

// order is that in which the steps are handed in: the story's, or a random one, with the lines of each step in a random
// order too. Files that flow cannot flow before they are there: with them nothing is moved.
func (s *stage) order() []Scene {
	scenes := append([]Scene(nil), s.scenario.Steps...)
	if s.cfg.Shuffle == 0 {
		return scenes
	}
	random := rand.New(rand.NewPCG(s.cfg.Shuffle, 0))
	random.Shuffle(len(scenes), func(i, j int) { scenes[i], scenes[j] = scenes[j], scenes[i] })
	for i := range scenes {
		lines := append([]map[string]any(nil), scenes[i].Emit...)
		random.Shuffle(len(lines), func(i, j int) { lines[i], lines[j] = lines[j], lines[i] })
		scenes[i].Emit = lines
	}
	return scenes
}

// Shuffles says whether the steps can be handed in in any order.
func (s *Scenario) Shuffles() bool {
	for _, scene := range s.Steps {
		if scene.Tee != nil || scene.Found != nil {
			return false
		}
	}
	return len(s.Steps) > 0
}

// scene plays one step.
func (s *stage) scene(ctx context.Context, i int, scene Scene) error {
	config := path.Join(scene.By, sidecarFile)
	if t := scene.Tee; t != nil {
		return s.tee(ctx, config, t.In, t.Out, !t.Differs, strings.Fields(t.Args)...)
	}
	if f := scene.Found; f != nil {
		return s.find(f)
	}
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	for _, line := range scene.Emit {
		if electors, ok := line["electors"].(map[string]any); ok {
			if n, ok := electors["records"].(int); ok {
				electors["records"] = s.people.scaled(n)
			}
		}
		if err := encoder.Encode(line); err != nil {
			return fmt.Errorf("step %q: %w", scene.Title, err)
		}
	}
	file := filepath.Join(s.path(scene.By), fmt.Sprintf("declared-%02d.jsonl", i+1))
	if err := os.WriteFile(file, text.Bytes(), 0o600); err != nil {
		return fmt.Errorf("write %s: %w", file, err)
	}
	s.movements += len(scene.Emit)
	return s.sidecar(ctx, nil, nil, "emit", "--config", s.path(config), file)
}

// find makes the file that turns up: the header of another, and some of its lines.
func (s *stage) find(f *Found) (err error) {
	in, err := os.Open(s.path(f.Of))
	if err != nil {
		return err
	}
	defer in.Close()
	file, err := os.OpenFile(s.path(f.Out), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	out := bufio.NewWriterSize(file, 256<<10)
	lines := bufio.NewScanner(in)
	for n := 0; lines.Scan(); n++ {
		if n == 0 || n%f.Every == 0 {
			_, _ = out.Write(append(lines.Bytes(), '\n')) // Flush has the error
		}
	}
	return errors.Join(lines.Err(), out.Flush())
}
