package exercise

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/rolltrace/rolltrace/schema"
	"github.com/rolltrace/rolltrace/schema/graph"
)

// A Score says how an exercise was played: against what the graph of the exercise knows.
type Score struct {
	Exercise
	Injected    schema.Time `json:"injected"`     // when the hub had the first movement; "" if there was none
	SeenAt      schema.Time `json:"seen_at"`      // when the first right sighting was handed in; "" if there was none
	SeenSeconds float64     `json:"seen_seconds"` // how long after the injection; 0 if it was not seen
	Places      []Scored    `json:"places"`       // the blast radius: every place that the records reached, by name
	Wrong       []Sighting  `json:"wrong"`        // sightings where none of the records are, in order
	Late        []Sighting  `json:"late"`         // sightings after the window: they count for nothing
	Found       int         `json:"found"`        // of Places
	Missed      int         `json:"missed"`
	Right       bool        `json:"right"` // nothing missed, and nothing wrong
}

// Scored is a place of the blast radius.
type Scored struct {
	Place    string        `json:"place"`
	Electors []graph.Count `json:"electors"` // that reached it from the breach
	Found    bool          `json:"found"`
	By       string        `json:"by"`      // who was first
	Seen     schema.Time   `json:"seen"`    // when
	Claimed  *uint64       `json:"claimed"` // how many electors were said to be there; null: not said
	Exact    bool          `json:"exact"`   // and that many there are
}

// NewScore compares what was handed in with what there was to be found: the breached place itself, and every place that
// its electors reached. A sighting of an organisation finds those of its places that are in the blast radius.
func NewScore(ctx context.Context, g *graph.Graph, e Exercise, injected schema.Time, sightings []Sighting) (Score, error) {
	s := Score{Exercise: e, Injected: injected, Places: []Scored{}, Wrong: []Sighting{}, Late: []Sighting{}}
	reach, err := g.Reach(ctx, graph.ReachQuestion{At: e.Breach})
	if err != nil && !errors.Is(err, graph.ErrUnknownPlace) {
		return s, err
	}
	if err == nil {
		for _, p := range reach.Places {
			s.Places = append(s.Places, Scored{Place: string(p.Place), Electors: p.Electors})
		}
		held, err := g.Electors(ctx, graph.ElectorsQuestion{At: e.Breach, What: graph.Reached})
		if err != nil {
			return s, err
		}
		for _, p := range held.Places {
			if !slices.ContainsFunc(s.Places, func(have Scored) bool { return have.Place == string(p.Place) }) {
				s.Places = append(s.Places, Scored{Place: string(p.Place), Electors: p.Electors})
			}
		}
	}
	slices.SortFunc(s.Places, func(a, b Scored) int { return cmp.Compare(a.Place, b.Place) })
	s.count(sightings)
	return s, nil
}

func (s *Score) count(sightings []Sighting) {
	for _, one := range sightings {
		if one.Seen.After(s.Until.Time) {
			s.Late = append(s.Late, one)
			continue
		}
		hit := false
		for i := range s.Places {
			p := &s.Places[i]
			if p.Place != one.At && !strings.HasPrefix(p.Place, one.At+"/") {
				continue
			}
			hit = true
			if !p.Found {
				p.Found, p.By, p.Seen = true, one.By, one.Seen
			}
			if p.Place == one.At && p.Claimed == nil && one.Count != nil {
				p.Claimed, p.Exact = one.Count, len(p.Electors) == 1 && p.Electors[0].Electors == *one.Count
			}
		}
		if !hit {
			s.Wrong = append(s.Wrong, one)
		} else if s.SeenAt.IsZero() {
			s.SeenAt = one.Seen
			if !s.Injected.IsZero() {
				s.SeenSeconds = one.Seen.Sub(s.Injected.Time).Seconds()
			}
		}
	}
	for _, p := range s.Places {
		if p.Found {
			s.Found++
		}
	}
	s.Missed = len(s.Places) - s.Found
	s.Right = s.Missed == 0 && len(s.Wrong) == 0
}
