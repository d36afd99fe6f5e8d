package graph

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"golang.org/x/sync/errgroup"

	"github.com/rolltrace/rolltrace/schema"
)

// The codes of notes, in the order in which answers have them. Those that besides lists are said beside an answer; all
// others make it incomplete.
const (
	CodeNone            = "none"             // nothing is recorded: which is not the same as nothing being there
	CodeLater           = "later"            // what was asked for is recorded of later than the time asked for only
	CodeFuture          = "future"           // the time asked for has not come yet
	CodeOpen            = "open"             // movements that are open: more electors may follow
	CodeFailed          = "failed"           // movements that failed: what had gone is counted
	CodeCounted         = "counted"          // movements of which only a number of records is known
	CodeWhole           = "whole"            // movements of everything that was there, with nothing known to have been there before
	CodeChunksMissing   = "chunks_missing"   // closed movements of which not all chunks are here
	CodeUnknownMovement = "unknown_movement" // chunks whose movement is not here
	CodeUnknownKind     = "unknown_kind"     // movements of a kind that a later version brought
	CodeClock           = "clock"            // movements whose order with others is decided by clocks that are off by more than the time between
	CodeOriginUnknown   = "origin_unknown"   // electors that came by one of several inputs, none of which is recorded to have had them
	CodeAttested        = "attested"         // said to be destroyed, by somebody else than the owner
	CodeNoRecorder      = "no_recorder"      // places that no sidecar covers
	CodeSeeds           = "seeds"            // invented entries of copies, which are counted nowhere
	CodeHole            = "hole"             // messages of an outbox that never arrived
	CodeGap             = "gap"              // stretches that a sidecar says it did not record
	CodeSilent          = "silent"           // sidecars that sent nothing for three intervals
	CodeElsewhere       = "elsewhere"        // holes, gaps and silence of sidecars that record at none of the places concerned
	CodeRejected        = "rejected"         // messages that were not understood
	CodeParked          = "parked"           // messages of a later version, to be replayed
	CodeBehind          = "behind"           // the consumer has not read all of the log
	CodeUnderived       = "underived"        // what follows from the last messages is not derived yet
	CodeCut             = "cut"              // a limit cut the answer
)

// A Note says what an answer does not know, or what is said beside it.
type Note struct {
	Code      string        `json:"code"`
	Text      string        `json:"text"`                // for people
	Count     uint64        `json:"count"`               // movements, messages, sidecars: what the text counts first
	Records   uint64        `json:"records,omitempty"`   // records whose electors are not known
	Places    []string      `json:"places,omitempty"`    // places concerned, sorted
	Sidecars  []string      `json:"sidecars,omitempty"`  // sidecars concerned, as org/sidecar, sorted
	Movements []MovementRef `json:"movements,omitempty"` // the first MaxNoteMovements concerned, in order
}

// MaxNoteMovements is how many movements a note names; its Count has them all.
const MaxNoteMovements = 20

// A CoverageRow is a row of the view coverage: a movement that could change answers, and why.
type CoverageRow struct {
	Code string `json:"code"`
	MovementRef
	OccurredAt schema.Time `json:"occurred_at"` // "" when only chunks of it are known
	Kind       schema.Kind `json:"kind"`
	Inputs     []string    `json:"inputs"`
	Output     string      `json:"output"`
	Count      uint64      `json:"count"` // records whose electors are not known, or chunks
}

// besides are the codes of what is said beside an answer: it is as complete as it would be without.
var besides = []string{CodeNone, CodeLater, CodeAttested, CodeNoRecorder, CodeSeeds, CodeElsewhere}

// notes gathers the notes of one answer. What is not known at large is read while the question is being answered.
type notes struct {
	g        *Graph
	asOf     schema.Time
	said     []Note
	read     *errgroup.Group
	large    large
	coverage []CoverageRow
	moves    []move          // all: for scopes that ask, and for the places where nobody records
	ctx      context.Context // until close
	cancel   context.CancelFunc
}

// newNotes begins to read, before the question does. The notes must be closed.
func (g *Graph) newNotes(ctx context.Context, asOf schema.Time) *notes {
	n := &notes{g: g, asOf: asOf}
	n.ctx, n.cancel = context.WithCancel(ctx)
	n.read, ctx = errgroup.WithContext(n.ctx)
	// Before the question reads anything: what is written or derived meanwhile may be missing from its answer.
	behind, err := g.behind(ctx)
	// One after the other: each takes a moment, and a question wants few connections.
	n.read.Go(func() error {
		if err != nil {
			return err
		}
		return n.large.read(ctx, g, asOf, behind)
	})
	n.read.Go(func() (err error) {
		n.coverage, err = g.coverage(ctx, "internal_coverage", asOf)
		return err
	})
	return n
}

// close ends what is still being read: nothing, unless the question failed.
func (n *notes) close() {
	n.cancel()
	_ = n.read.Wait() // answer has returned it
}

func (n *notes) none(what string) {
	n.said = append(n.said, Note{Code: CodeNone, Text: "none recorded: no " + what + " that match"})
}

// later says when what was asked for was first recorded, if that is after the time asked for.
func (n *notes) later(what string, first schema.Time) {
	if !n.asOf.IsZero() && first.After(n.asOf.Time) {
		n.said = append(n.said, Note{Code: CodeLater, Text: fmt.Sprintf("the first %s began at %s, after the time asked for", what, first)})
	}
}

// time says what there is to say of the time asked for: that it has not come yet, or, where nothing was found, that
// nothing at all is recorded of before.
func (n *notes) time(ctx context.Context) error {
	if n.asOf.After(n.g.now()) {
		n.said = append(n.said, Note{Code: CodeFuture, Text: "the time asked for has not come yet: what goes on until then is not known"})
	}
	said := func(code string) bool {
		return slices.ContainsFunc(n.said, func(n Note) bool { return n.Code == code })
	}
	if n.asOf.IsZero() || !said(CodeNone) || said(CodeLater) {
		return nil
	}
	var first *time.Time
	err := n.g.conn.QueryRow(ctx, "SELECT minOrNull(occurred_at) FROM internal_listing WHERE outcome != 'retracted'").Scan(&first)
	if err != nil {
		return fmt.Errorf("look for the first movement: %w", explain(err))
	}
	n.later("movement that is recorded", atOrZero(first))
	return nil
}

func (n *notes) cut(limit int, what string) {
	n.said = append(n.said, Note{Code: CodeCut, Count: uint64(limit), Text: fmt.Sprintf("only the first %s %s are listed", thousands(uint64(limit)), what)})
}

// originUnknown says at which places there are electors that count for several places that they can have come by.
func (n *notes) originUnknown(places []string) {
	slices.Sort(places)
	places = slices.Compact(places)
	if len(places) > 0 {
		n.said = append(n.said, Note{Code: CodeOriginUnknown, Count: uint64(len(places)), Places: places,
			Text: plural(uint64(len(places)), "place") + " with electors that came out of a movement of several inputs, none of which is recorded to have had them: they are counted for each input"})
	}
}

// A scope says which of the rows concern an answer. It is asked when all is read. It is asked about places too, with
// a row that is at a place: could a movement into it or out of it, of which nothing is recorded, change the answer?
type scope func() func(CoverageRow) bool

// unrecordedAt is the row of whatever is not recorded at a place.
func unrecordedAt(place string) CoverageRow {
	return CoverageRow{Code: CodeNoRecorder, Inputs: []string{place}, Output: place}
}

// unrecorded says whether the row stands for all that is not recorded at the place of its output.
func (r *CoverageRow) unrecorded() bool { return r.Code == CodeNoRecorder }

// only is the scope of a condition on a row alone.
func only(concerns func(CoverageRow) bool) scope {
	return func() func(CoverageRow) bool { return concerns }
}

// answer adds what is not known at large, and of the movements that concern the answer.
func (n *notes) answer(s scope) (Answer, error) {
	if err := n.read.Wait(); err != nil {
		return Answer{}, err
	}
	if err := n.time(n.ctx); err != nil {
		return Answer{}, err
	}
	concerns := s()
	if closeTogether(n.moves, n.large.clockMost(), concerns) {
		clock, err := n.g.coverage(n.ctx, "internal_clock", n.asOf)
		if err != nil {
			return Answer{}, err
		}
		n.coverage = append(n.coverage, clock...)
	}
	a := Answer{AsOf: n.asOf, Complete: true, Notes: append([]Note{}, n.said...)}
	a.Notes = append(a.Notes, n.movements(concerns)...)
	a.Notes = append(a.Notes, n.large.notes(n, concerns)...)
	a.Notes = append(a.Notes, n.large.seeds...)
	slices.SortStableFunc(a.Notes, func(x, y Note) int {
		return NoteRank(x.Code) - NoteRank(y.Code)
	})
	for _, note := range a.Notes {
		if !slices.Contains(besides, note.Code) {
			a.Complete = false
		}
	}
	return a, nil
}

var codes = []string{CodeNone, CodeLater, CodeFuture, CodeOpen, CodeFailed, CodeCounted, CodeWhole, CodeChunksMissing, CodeUnknownMovement, CodeUnknownKind, CodeClock, CodeOriginUnknown,
	CodeAttested, CodeNoRecorder, CodeSeeds, CodeHole, CodeGap, CodeSilent, CodeElsewhere, CodeRejected, CodeParked, CodeBehind, CodeUnderived, CodeCut}

// movements makes one note for each code, and one for each attested destroy.
func (n *notes) movements(concerns func(CoverageRow) bool) []Note {
	byCode := map[string][]CoverageRow{}
	for _, row := range n.coverage {
		if row.Code == CodeUnknownMovement || concerns(row) {
			byCode[row.Code] = append(byCode[row.Code], row)
		}
	}
	var out []Note
	for _, code := range codes {
		rows := byCode[code]
		if len(rows) == 0 {
			continue
		}
		if code == CodeAttested {
			for _, row := range rows {
				out = append(out, attestedNote(row))
			}
			continue
		}
		note := Note{Code: code, Count: uint64(len(rows))}
		var sum uint64
		for i, row := range rows {
			sum += row.Count
			if i < MaxNoteMovements {
				note.Movements = append(note.Movements, row.MovementRef)
			}
			note.Places = append(note.Places, row.Output)
			note.Places = append(note.Places, row.Inputs...)
		}
		slices.Sort(note.Places)
		note.Places = slices.DeleteFunc(slices.Compact(note.Places), func(p string) bool { return p == "" })
		if code == CodeCounted {
			note.Records = sum
		}
		note.Text = movementsText(code, note.Count, sum)
		out = append(out, note)
	}
	return out
}

func movementsText(code string, n, sum uint64) string {
	movements := plural(n, "movement")
	switch code {
	case CodeOpen:
		return movements + " still open, or never closed: more electors may have gone than are listed"
	case CodeFailed:
		return movements + " failed: the electors that had gone by then are counted"
	case CodeCounted:
		return fmt.Sprintf("plus up to %s from %s whose electors are not known", plural(sum, "record"), movements)
	case CodeWhole:
		return movements + " of everything that was there, from places that nothing is known to have entered before: who was there is not known, and not counted"
	case CodeChunksMissing:
		return fmt.Sprintf("%s missing from %s: their electors are not counted", plural(sum, "chunk"), movements)
	case CodeUnknownMovement:
		return fmt.Sprintf("%s of %s that nothing else is known of: their electors are not counted", plural(sum, "chunk"), movements)
	case CodeUnknownKind:
		return movements + " of a kind that this version does not know: taken to add electors"
	case CodeClock:
		return movements + " before or after others by less than the clocks of their sidecars are off: the order may have been another"
	}
	return movements
}

func attestedNote(row CoverageRow) Note {
	where := strings.Join(row.Inputs, ", ")
	return Note{Code: CodeAttested, Count: 1, Places: row.Inputs, Movements: []MovementRef{row.MovementRef},
		Text: fmt.Sprintf("%s is said to be destroyed, by %s, on %s UTC: not on its owner's word, so that nothing is taken away for it",
			where, row.Org, row.OccurredAt.Format("2006-01-02 15:04:05"))}
}

func plural(n uint64, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return thousands(n) + " " + what + "s"
}

// thousands writes a number as people read it: 27,509,496.
func thousands(n uint64) string {
	digits := strconv.FormatUint(n, 10)
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}

// Coverage lists the movements that could change answers as of a time (zero: all), and why.
func (g *Graph) Coverage(ctx context.Context, asOf schema.Time) ([]CoverageRow, error) {
	return g.coverage(ctx, "coverage", asOf)
}

func (g *Graph) coverage(ctx context.Context, view string, asOf schema.Time) ([]CoverageRow, error) {
	out := []CoverageRow{}
	err := g.ask(ctx, "read coverage", func(rows driver.Rows) error {
		var row CoverageRow
		var occurredAt *time.Time
		var kind string
		if err := rows.Scan(&row.Code, &occurredAt, &row.Org, &row.Sidecar, &row.ID, &kind, &row.Inputs, &row.Output, &row.Count); err != nil {
			return err
		}
		row.OccurredAt, row.Kind = atOrZero(occurredAt), schema.Kind(kind)
		out = append(out, row)
		return nil
	}, "SELECT code, occurred_at, org, sidecar, id, kind, inputs, output, count FROM "+view+`_as_of(as_of = $1)
		ORDER BY code, occurred_at, org, sidecar, id`, asOf.String())
	return out, err
}

// NoteRank is where notes of a code stand among others: answers have them in this order.
func NoteRank(code string) int { return slices.Index(codes, code) }
