package report

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/rolltrace/rolltrace/schema"
	"github.com/rolltrace/rolltrace/schema/graph"
)

// ErrDestroy says that a movement took nothing anywhere.
var ErrDestroy = errors.New("the movement is a destroy: nothing left by it; ask rolltrace copies what is left elsewhere")

// A MovementQuestion asks for the report on a movement.
type MovementQuestion struct {
	Movement string      // its id, or org/sidecar/id
	AsOf     schema.Time // zero: now
	Keys     bool        // whose, as elector keys in the JSON
	Limit    int         // most of these. 0: graph.DefaultLimit; negative: all
}

// OfMovement is the report on a movement: what left, whose, and where it is now. Errors: ErrDestroy, and those of a
// question.
func OfMovement(ctx context.Context, g *graph.Graph, q MovementQuestion, made schema.Time) (*Report, error) {
	flow, err := g.Flow(ctx, graph.FlowQuestion{Movement: q.Movement, AsOf: q.AsOf})
	if err != nil {
		return nil, err
	}
	m := flow.Movement
	switch {
	case m.Kind == schema.Destroy:
		return nil, ErrDestroy
	case !q.AsOf.IsZero() && m.OccurredAt.After(q.AsOf.Time):
		return nil, fmt.Errorf("%w: the movement began on %s: want a later time", graph.ErrMalformed, m.OccurredAt)
	}
	doc := &Movement{Head: Head{"movement", made, gather(flow.Answer)}, Flow: flow}
	if q.Keys {
		var cut bool
		if doc.Keys, cut, err = g.ElectorsOf(ctx, m.Org+"/"+m.Sidecar+"/"+m.ID, q.Limit); err != nil {
			return nil, err
		}
		if cut {
			doc.Complete = false
			doc.Notes = append(doc.Notes, graph.Note{Code: graph.CodeCut, Count: uint64(len(doc.Keys)),
				Text: fmt.Sprintf("only the first %s elector keys are listed", grouped(len(doc.Keys)))})
		}
	}
	return &Report{Name: "report-movement-" + m.ID, JSON: doc, view: doc.view()}, nil
}

func (r *Movement) view() *view {
	f, m := r.Flow, r.Flow.Movement
	v := &view{Kicker: "What left, whose, and where it is now", Title: fmt.Sprintf("Movement of %s", m.OccurredAt.Format("2 January 2006, 15:04 UTC")),
		Complete: r.Complete, Notes: notes(r.Answer), MadeAt: r.MadeAt, AsOf: r.AsOf, About: aboutRecords, Subject: subject(m),
		Keep: "For who answers for the data, and for who oversees it. Small numbers of electors can point at persons."}
	var onward, held, gone, said int
	orgs := map[string]bool{}
	var places []graph.FlowPlace // without those that it came from
	for _, p := range f.Places {
		if p.FirstAt.IsZero() {
			continue
		}
		places = append(places, p)
		orgs[p.Org] = true
		if p.Place != m.Output {
			onward++
		}
		if len(p.Held) > 0 {
			held++
		} else if len(p.Destroyed) > 0 {
			gone++
		}
		if len(p.Said) > 0 {
			said++
		}
	}
	from := make([]string, len(m.Inputs))
	for i, in := range m.Inputs {
		from[i] = string(in.Place)
	}
	whose := "the records of " + electors(f.Electors)
	switch {
	case m.Mode == schema.Counted:
		whose = plural(m.Records, "record", "records") + " of electors who are not known"
	case len(f.Electors) == 0:
		whose = "records of electors who are not known"
	case m.Unkeyed > 0:
		whose += fmt.Sprintf(", and %s of electors who are not known,", plural(m.Unkeyed, "record", "records"))
	}
	what := "which fields is not said"
	if fields := allFields(m); len(fields) > 0 {
		what = "with " + categories(fields)
	}
	verb := "went"
	switch {
	case m.Outcome == schema.Retracted:
		verb = "were declared, and the declaration is retracted: they went"
	case m.Outcome == schema.Failed:
		verb = "had gone when it failed,"
	case m.State == schema.Open:
		verb = "had gone, and more may follow,"
	}
	v.Lead = []string{fmt.Sprintf("On %s %s %s from %s to %s (%s).", date(m.OccurredAt), whose, verb, list(from), m.Output, what)}
	if len(places) > 0 {
		further := "They are not recorded to have gone on from there."
		if onward > 0 {
			further = fmt.Sprintf("From there they are recorded to have gone on to %s; in all they reached %s of %s.", plural(onward, "further place", "further places"),
				plural(len(places), "place", "places"), plural(len(orgs), "organisation", "organisations"))
		}
		where := fmt.Sprintf("They are recorded as still held at %s, and as destroyed at %s.", plural(held, "place", "places"), plural(gone, "place", "places"))
		if said > 0 {
			where += fmt.Sprintf(" At %s somebody else than the owner says that they are destroyed; nothing is taken away for that.", plural(said, "place", "places"))
		}
		v.Lead = append(v.Lead, further+" "+where)
	}
	if len(f.Electors) == 0 {
		v.Lead = append(v.Lead, "Where they went on from there cannot be followed.")
	}
	v.Figures = []figure{{numbers(f.Electors), "electors"}, {[]string{grouped(len(places))}, "places reached"}, {[]string{grouped(held)}, "places that hold them"}, {[]string{grouped(gone)}, "places where they were destroyed"}}
	v.add(section{ID: "picture", Heading: "Where they went", Picture: flowPicture("went", "Where the electors of the movement went from there", f, mostPlaces)})
	v.add(endTable(section{ID: "places", Heading: "Where they are now", None: "None recorded."}, places, f.Edges))
	v.add(edgeTable(section{ID: "edges", Heading: "How they went"}, f.Edges))
	if r.Keys != nil {
		v.add(section{ID: "keys", Heading: "Whose", None: fmt.Sprintf("%s are in the JSON document beside this page.", capital(plural(len(r.Keys), "elector key", "elector keys")))})
	}
	return v
}

// subject is what the movement says of itself.
func subject(m *graph.Movement) []fact {
	out := []fact{{"Movement", m.ID, true}, {"Published by", m.Org + "/" + m.Sidecar, false}, {"Kind", string(m.Kind), false}}
	outcome := string(m.Outcome)
	if m.State == schema.Open {
		outcome = "open"
	}
	if m.Reason != "" {
		outcome += ": " + m.Reason
	}
	recorder := m.RecordedBy.User
	if m.RecordedBy.Host != "" {
		recorder = strings.TrimSpace(recorder + " on " + m.RecordedBy.Host)
	}
	for _, f := range []fact{
		{"On whose word", string(m.Basis), false}, {"Outcome", outcome, false}, {"Fields", categories(allFields(m)), false}, {"Purpose", m.Purpose, false},
		{"Agreement", m.Agreement, false}, {"Legal basis", m.LegalBasis, false}, {"Actor", m.Actor, false}, {"Recorded by", recorder, false},
		{"Statement", m.Evidence.Statement, true}, {"Document", m.Evidence.Document, true},
	} {
		if f.Value == "" && (f.Label == "Fields" || f.Label == "Purpose" || f.Label == "Agreement" || f.Label == "Actor") {
			f.Value = notSaid
		}
		if f.Value != "" {
			out = append(out, f)
		}
	}
	records := plural(m.Records, "record", "records")
	if m.Unkeyed > 0 {
		records += fmt.Sprintf(", %s of them without an identifier", grouped(m.Unkeyed))
	}
	if m.Records > 0 {
		out = append(out, fact{"Seen", records, false})
	}
	return out
}

func allFields(m *graph.Movement) []string {
	fields := append([]string{}, m.Fields...)
	for _, in := range m.Inputs {
		fields = append(fields, in.Fields...)
	}
	return distinct(fields)
}
