package graph

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/rolltrace/rolltrace/schema"
)

// large is what is not known at large: which sidecars there are, and what they did not record, or did and it never
// arrived.
type large struct {
	sidecars []Sidecar
	troubles []trouble
	rejected []Note
	behind   []Note
	seeds    []Note
}

// A trouble is something that is missing from what one sidecar recorded.
type trouble struct {
	code    string
	sidecar string   // org/sidecar
	places  []string // where it can have happened; none: anywhere
	count   uint64
	records uint64
}

// read reads it, one after the other.
func (l *large) read(ctx context.Context, g *Graph, asOf schema.Time, behind []Note) (err error) {
	l.behind = behind
	if l.sidecars, err = g.sidecars(ctx, asOf); err != nil {
		return err
	}
	for _, find := range []func(context.Context, *Graph, schema.Time) error{l.holes, l.gaps, l.silences, l.places} {
		if err := find(ctx, g, asOf); err != nil {
			return err
		}
	}
	if l.seeds, err = g.seedsLeftOut(ctx, asOf); err != nil {
		return err
	}
	l.rejected, err = g.rejected(ctx)
	return err
}

// holes are messages that never arrived: of movements of any time.
func (l *large) holes(ctx context.Context, g *Graph, _ schema.Time) error {
	holes, err := g.Holes(ctx)
	for _, h := range holes {
		if !h.Reported { // the gap says it
			l.troubles = append(l.troubles, trouble{code: CodeHole, sidecar: h.Org + "/" + h.Sidecar, count: h.Missing})
		}
	}
	return err
}

// gaps are those that did not begin later; what a hole in an outbox held may be of any time.
func (l *large) gaps(ctx context.Context, g *Graph, asOf schema.Time) error {
	gaps, err := g.Gaps(ctx)
	for _, gap := range gaps {
		if !asOf.IsZero() && gap.HoleInstance == "" && gap.From.After(asOf.Time) {
			continue
		}
		t := trouble{code: CodeGap, sidecar: gap.Org + "/" + gap.Sidecar, count: 1, records: gap.Records}
		if gap.Place != "" {
			t.places = []string{gap.Place}
		}
		l.troubles = append(l.troubles, t)
	}
	return err
}

// silences are of sidecars that are silent now: what they recorded since they were last heard has not arrived. One
// that was silent and went on without a hole in its sequence has brought everything that it recorded.
func (l *large) silences(_ context.Context, g *Graph, asOf schema.Time) error {
	for _, s := range l.sidecars {
		if s.IntervalMS == 0 || g.now().Before(s.LastHeard.Add(3*time.Duration(s.IntervalMS)*time.Millisecond)) {
			continue
		}
		if !asOf.IsZero() && !asOf.After(s.LastHeard.Time) { // it spoke after the time asked about
			continue
		}
		l.troubles = append(l.troubles, trouble{code: CodeSilent, sidecar: s.Org + "/" + s.Sidecar, count: 1})
	}
	return nil
}

// places says of troubles that name no place where they can be: where a sidecar ever said that it records, and where
// movements that it published were. One that never said where it records may record anywhere.
func (l *large) places(ctx context.Context, g *Graph, _ schema.Time) error {
	where := map[string][]string{} // by sidecar
	for _, t := range l.troubles {
		if t.places == nil {
			where[t.sidecar] = nil
		}
	}
	if len(where) == 0 {
		return nil
	}
	covers := map[string]bool{}
	err := g.ask(ctx, "look up the places of sidecars", func(rows driver.Rows) error {
		var sidecar string
		var places []string
		var said bool
		err := rows.Scan(&sidecar, &places, &said)
		where[sidecar] = append(where[sidecar], places...)
		covers[sidecar] = covers[sidecar] || said
		return err
	}, `SELECT arrayJoin(sidecars) AS by, groupUniqArray(place), true FROM places WHERE by IN $1 GROUP BY by
		UNION ALL
		SELECT concat(org, '/', sidecar) AS by, groupUniqArrayArray(arrayPushBack(inputs, output)), false FROM internal_listing WHERE by IN $1 GROUP BY by`,
		slices.Collect(maps.Keys(where)))
	for i := range l.troubles {
		if t := &l.troubles[i]; t.places == nil && covers[t.sidecar] {
			t.places = where[t.sidecar]
		}
	}
	return err
}

// notes says of what is missing whether it can have happened where it concerns the answer, and at which places
// nobody records.
func (l *large) notes(n *notes, concerns func(CoverageRow) bool) []Note {
	said := map[string]*Note{}
	for _, t := range l.troubles {
		places := slices.DeleteFunc(slices.Clone(t.places), func(p string) bool { return p == "" || !concerns(unrecordedAt(p)) })
		code := t.code
		if t.places != nil && len(places) == 0 {
			code = CodeElsewhere
		}
		note := said[code]
		if note == nil {
			note = &Note{Code: code}
			said[code] = note
		}
		note.Count += t.count
		if code != CodeElsewhere {
			note.Records += t.records
		}
		note.Sidecars = append(note.Sidecars, t.sidecar)
		note.Places = append(note.Places, places...)
	}
	if alone := l.unrecorded(n.moves, concerns); len(alone) > 0 {
		said[CodeNoRecorder] = &Note{Code: CodeNoRecorder, Count: uint64(len(alone)), Places: alone}
	}
	var out []Note
	for _, code := range codes {
		if note := said[code]; note != nil {
			slices.Sort(note.Places)
			note.Places = slices.Compact(note.Places)
			slices.Sort(note.Sidecars)
			note.Sidecars = slices.Compact(note.Sidecars)
			if code == CodeElsewhere {
				note.Count = uint64(len(note.Sidecars))
			}
			note.Text = largeText(note)
			out = append(out, *note)
		}
	}
	return append(append(out, l.rejected...), l.behind...)
}

// unrecorded is the places concerned that no sidecar covers.
func (l *large) unrecorded(moves []move, concerns func(CoverageRow) bool) []string {
	covered := map[string]bool{"": true}
	for _, s := range l.sidecars {
		for _, p := range s.Places {
			covered[p] = true
		}
	}
	var out []string
	for i := range moves {
		for _, p := range append([]string{moves[i].output}, moves[i].inputs...) {
			if !covered[p] && concerns(unrecordedAt(p)) {
				out = append(out, p)
			}
			covered[p] = true // looked at
		}
	}
	slices.Sort(out)
	return out
}

// clockMost is the most that the clock of any sidecar was ever off.
func (l *large) clockMost() time.Duration {
	var most uint64
	for _, s := range l.sidecars {
		most = max(most, s.ClockMostUS)
	}
	return time.Duration(min(most, 1<<42)) * time.Microsecond // 50 days: further off is as good
}

// closeTogether says whether there are movements into a place and out of it (or destroys) that are less than twice most
// apart, where what left (or was destroyed) concerns the answer: those that the view internal_clock has are among them,
// and mostly there are none.
func closeTogether(moves []move, most time.Duration, concerns func(CoverageRow) bool) bool {
	return most > 0 && anyClose(moves, most, func(*move) bool { return true }) && anyClose(moves, most, func(m *move) bool {
		return concerns(CoverageRow{Code: CodeClock, Kind: m.kind, Inputs: m.inputs, Output: m.output})
	})
}

func anyClose(moves []move, most time.Duration, concerned func(*move) bool) bool {
	type event struct{ in, out, gone, anyGone time.Time } // the last one of each kind; out and gone if concerned
	last := map[string]*event{}
	at := func(place string) *event {
		if last[place] == nil {
			last[place] = &event{}
		}
		return last[place]
	}
	for i := range moves { // in order of time
		m := &moves[i]
		near := func(t time.Time) bool { return !t.IsZero() && m.at.Sub(t) < 2*most }
		switch {
		case m.mode == schema.Counted:
		case m.removes:
			p, mine := at(m.inputs[0]), concerned(m)
			if near(p.out) || near(p.gone) || mine && (near(p.in) || near(p.anyGone)) {
				return true
			}
			p.anyGone = m.at
			if mine {
				p.gone = m.at
			}
		case m.output != "":
			to, mine := at(m.output), concerned(m)
			if near(to.out) || near(to.gone) {
				return true
			}
			for _, input := range m.inputs {
				if from := at(input); mine && (near(from.in) || near(from.anyGone)) {
					return true
				}
			}
			for _, input := range m.inputs {
				if mine {
					at(input).out = m.at
				}
			}
			to.in = m.at
		}
	}
	return false
}

func largeText(n *Note) string {
	of := " of " + plural(uint64(len(n.Sidecars)), "sidecar")
	switch n.Code {
	case CodeNoRecorder:
		return "no sidecar covers " + plural(n.Count, "place") + " concerned: what goes on there is known as far as others say"
	case CodeHole:
		return plural(n.Count, "message") + of + " never arrived"
	case CodeGap:
		return plural(n.Count, "gap") + " reported by sidecars: what passed then was not recorded"
	case CodeSilent:
		return plural(n.Count, "sidecar") + " silent for more than three heartbeats: what they record may be missing"
	}
	return plural(n.Count, "sidecar") + " with holes, gaps or silence, which record at none of the places concerned as far as they say"
}

// rejected counts what was not understood.
func (g *Graph) rejected(ctx context.Context) ([]Note, error) {
	var rejected, parked uint64
	err := g.conn.QueryRow(ctx, "SELECT countIf(NOT parked), countIf(parked) FROM rejections WHERE NOT settled").Scan(&rejected, &parked)
	if err != nil {
		return nil, fmt.Errorf("count rejected messages: %w", explain(err))
	}
	var out []Note
	if rejected > 0 {
		out = append(out, Note{Code: CodeRejected, Count: rejected, Text: plural(rejected, "message") + " not understood, and left out"})
	}
	if parked > 0 {
		out = append(out, Note{Code: CodeParked, Count: parked, Text: plural(parked, "message") + " of a later version, left out until replayed"})
	}
	return out, nil
}

// behind says how far the graph, and what follows from it, are behind the log.
func (g *Graph) behind(ctx context.Context) ([]Note, error) {
	logs, err := g.Progress(ctx)
	if err != nil {
		return nil, err
	}
	var behind, underived uint64
	for _, log := range logs {
		behind += log.Behind
		underived += log.Underived
	}
	var out []Note
	if behind > 0 {
		out = append(out, Note{Code: CodeBehind, Count: behind, Text: plural(behind, "message") + " of the log not read yet"})
	}
	if underived > 0 {
		out = append(out, Note{Code: CodeUnderived, Count: underived,
			Text: "derivations are behind by " + plural(underived, "message") + ": what movements of everything that was there carried, and what destroys left, may change"})
	}
	return out, nil
}
