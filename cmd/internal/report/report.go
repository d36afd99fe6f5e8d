package report

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/rolltrace/rolltrace/schema"
	"github.com/rolltrace/rolltrace/schema/graph"
)

// A Report is a document, as HTML and as JSON.
type Report struct {
	// Name is what its files are called unless they are named: letters, digits, and - . _ only.
	Name string

	// JSON is the same as a document of docs/json.md: an Elector, an At or a Movement.
	JSON any

	view *view
}

// Head is what every report begins with.
type Head struct {
	Report       string      `json:"report"`  // "elector", "at" or "movement"
	MadeAt       schema.Time `json:"made_at"` // the only thing in it that depends on when it is made, beside notes
	graph.Answer             // of all questions that were asked for it
}

// Elector is the report on one elector.
type Elector struct {
	Head
	Entries []graph.Entry  `json:"entries"` // the movements of the dossier that count, summed up, by first_at; without electors
	Dossier *graph.Dossier `json:"dossier"`
}

// At is the report on a place or an organisation.
type At struct {
	Head
	At      string          `json:"at"`
	Entries []graph.Entry   `json:"entries"` // as in graph.Accounting
	Holding *graph.Electors `json:"holding"`
	Reached *graph.Electors `json:"reached"`
	Came    *graph.Flow     `json:"came"`   // along which routes they came there
	Went    *graph.Flow     `json:"went"`   // and went on from there
	Copies  *graph.Copies   `json:"copies"` // left elsewhere of what was destroyed there
}

// Movement is the report on a movement, as after a breach.
type Movement struct {
	Head
	Flow *graph.Flow        `json:"flow"` // of its electors, from there on; its movement is the one
	Keys []graph.ElectorKey `json:"keys"` // whose; null unless they were asked for
}

// gather makes one answer of several: what any of them does not know, each thing once.
func gather(answers ...graph.Answer) graph.Answer {
	out := graph.Answer{AsOf: answers[0].AsOf, Complete: true, Notes: []graph.Note{}}
	for _, a := range answers {
		out.Complete = out.Complete && a.Complete
		for _, note := range a.Notes {
			if note.Code == graph.CodeNone || slices.ContainsFunc(out.Notes, func(known graph.Note) bool { return known.Code == note.Code && known.Text == note.Text }) {
				continue
			}
			out.Notes = append(out.Notes, note)
		}
	}
	// One text of each code would do, but two questions may each leave out movements of their own.
	slices.SortStableFunc(out.Notes, func(x, y graph.Note) int { return cmp.Compare(graph.NoteRank(x.Code), graph.NoteRank(y.Code)) })
	return out
}

// entries sums up the movements of a dossier, as graph.Accounting does those of an organisation. Of several inputs those
// count that the record had reached, as far as that is known.
func entries(movements []graph.Movement) []graph.Entry {
	out := []graph.Entry{}
	been := map[schema.Place]bool{}
	index := map[string]int{}
	for _, m := range movements {
		if m.Outcome == schema.Retracted {
			continue
		}
		e := graph.Entry{Kind: m.Kind, Basis: m.Basis, Removes: m.Removes, From: []string{}, To: recipient(m), Fields: []string{}, Purpose: m.Purpose,
			Agreement: m.Agreement, LegalBasis: m.LegalBasis, Actor: m.Actor, FirstAt: m.OccurredAt, Electors: []graph.Count{},
			FromPlaces: graph.Places{Names: []schema.Place{}}, ToPlaces: graph.Places{Names: []schema.Place{}}}
		e.Fields = append(e.Fields, allFields(&m)...)
		from := sources(&m, been)
		been[m.Output] = true
		for _, place := range from {
			e.From = append(e.From, place.Org())
		}
		e.Fields, e.From = distinct(e.Fields), distinct(e.From)
		key := fmt.Sprintf("%q", []string{string(e.Kind), string(e.Basis), fmt.Sprint(e.Removes), strings.Join(e.From, " "), e.To, strings.Join(e.Fields, " "),
			e.Purpose, e.Agreement, e.LegalBasis, e.Actor})
		at, ok := index[key]
		if !ok {
			at = len(out)
			index[key], out = at, append(out, e)
		}
		sum := &out[at]
		sum.Movements++
		sum.LastAt = m.OccurredAt
		if m.State == schema.Open || m.Outcome == schema.Failed {
			sum.Unfinished++
		}
		sum.FromPlaces.Names = append(sum.FromPlaces.Names, from...)
		if m.Output != "" {
			sum.ToPlaces.Names = append(sum.ToPlaces.Names, m.Output)
		}
	}
	for i := range out {
		for _, p := range []*graph.Places{&out[i].FromPlaces, &out[i].ToPlaces} {
			p.Names = distinct(p.Names)
			p.Count = uint64(len(p.Names))
			p.Names = p.Names[:min(len(p.Names), graph.MaxEntryPlaces)]
		}
	}
	return out
}

// sources are the inputs of a movement that the record had reached, of those in been; all, if it had reached none.
func sources(m *graph.Movement, been map[schema.Place]bool) (from []schema.Place) {
	for _, in := range m.Inputs {
		if been[in.Place] {
			from = append(from, in.Place)
		}
	}
	if len(from) == 0 {
		for _, in := range m.Inputs {
			from = append(from, in.Place)
		}
	}
	return from
}

// recipient is who received what a movement carried: an organisation, or a person.
func recipient(m graph.Movement) string {
	if m.Kind == schema.Access {
		return string(m.Output)
	}
	return m.Output.Org()
}

func distinct[S ~string](names []S) []S {
	slices.Sort(names)
	return slices.Compact(names)
}
