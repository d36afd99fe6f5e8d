package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/rolltrace/rolltrace/cmd/internal/exercise"
	"github.com/rolltrace/rolltrace/schema/graph"
)

func exerciseScore() *cobra.Command {
	asJSON := false
	cmd := &cobra.Command{
		Use: "score NAME", Short: "How it went: how long until it was seen, what was found, what was missed", Args: cobra.ExactArgs(1),
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON document (docs/exercise.md)")
	newDrill(cmd, func(ctx context.Context, d *drill, _ []string) error {
		e, err := exercise.Read(ctx, d.js, d.name)
		if err != nil {
			return err
		}
		dsn, err := d.follow(ctx)
		if err != nil {
			return err
		}
		injected, err := exercise.Injected(ctx, d.js, d.name)
		if err != nil {
			return err
		}
		sightings, err := exercise.Sightings(ctx, d.js, d.name)
		if err != nil {
			return err
		}
		score, err := asked(ctx, dsn, func(g *graph.Graph) (exercise.Score, error) {
			return exercise.NewScore(ctx, g, e, injected, sightings)
		})
		if err != nil {
			return err
		}
		if asJSON {
			return writeJSON(cmd.OutOrStdout(), score)
		}
		return writeScore(cmd.OutOrStdout(), score)
	})
	return cmd
}

func writeScore(w io.Writer, s exercise.Score) error {
	p := &page{w: w}
	p.line("exercise %s: what went on from %s, declared by %s on %s", s.Name, s.Breach, s.By, moment(s.From))
	switch {
	case s.Ended.IsZero():
		p.line("it goes on: this is the score so far")
	default:
		p.line("it ended on %s", moment(s.Ended))
	}
	switch {
	case s.Injected.IsZero():
		p.line("nothing was injected")
	case s.SeenAt.IsZero():
		p.line("injected on %s, and not seen", moment(s.Injected))
	default:
		p.line("injected on %s, seen %s later", moment(s.Injected), time.Duration(s.SeenSeconds*float64(time.Second)).Round(time.Second))
	}
	p.line("")
	t := newTable(text("place"), number("electors"), text("found"), text("by"), text("when (UTC)"), number("said to be there"))
	for _, one := range s.Places {
		found, claimed := "missed", ""
		if one.Found {
			found = "found"
		}
		if one.Claimed != nil {
			claimed = grouped(*one.Claimed)
			if !one.Exact {
				claimed += " (wrong)"
			}
		}
		t.row(one.Place, counts(one.Electors), found, one.By, moment(one.Seen), claimed)
	}
	p.table(fmt.Sprintf("blast radius: %d of %d places found", s.Found, len(s.Places)), t, "none recorded: nothing went on from there, and nothing came there")
	for title, sightings := range map[string][]exercise.Sighting{"reported, and none of the records are there": s.Wrong, "reported after the window, and not counted": s.Late} {
		if len(sightings) == 0 {
			continue
		}
		t := newTable(text("place"), text("by"), text("when (UTC)"))
		for _, one := range sightings {
			t.row(one.At, one.By, moment(one.Seen))
		}
		p.line("")
		p.table(title, t, "")
	}
	return p.err
}
