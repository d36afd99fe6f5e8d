package report

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/rolltrace/rolltrace/schema"
	"github.com/rolltrace/rolltrace/schema/graph"
)

// maxEntries is how many entries an account has: what one organisation did with electors in years, summed up, has some
// hundreds.
const maxEntries = 10_000

// OfPlace is the report on a place or an organisation, at a time (zero: now).
func OfPlace(ctx context.Context, g *graph.Graph, at string, asOf, made schema.Time) (*Report, error) {
	account, err := g.Accounting(ctx, graph.AccountingQuestion{At: at, AsOf: asOf, Limit: maxEntries})
	if err != nil {
		return nil, err
	}
	doc := &At{At: at, Entries: account.Entries}
	for _, ask := range []func() error{
		func() (err error) {
			doc.Holding, err = g.Electors(ctx, graph.ElectorsQuestion{At: at, What: graph.Holding, AsOf: asOf})
			return err
		},
		func() (err error) {
			doc.Reached, err = g.Electors(ctx, graph.ElectorsQuestion{At: at, What: graph.Reached, AsOf: asOf})
			return err
		},
		func() (err error) {
			doc.Came, err = g.Flow(ctx, graph.FlowQuestion{To: at, AsOf: asOf})
			return err
		},
		func() (err error) {
			doc.Went, err = g.Flow(ctx, graph.FlowQuestion{From: at, AsOf: asOf})
			return err
		},
		func() (err error) {
			doc.Copies, err = g.Copies(ctx, graph.CopiesQuestion{At: at, AsOf: asOf})
			return err
		},
	} {
		if err := ask(); err != nil {
			return nil, err
		}
	}
	doc.Head = Head{"at", made, gather(account.Answer, doc.Holding.Answer, doc.Reached.Answer, doc.Came.Answer, doc.Went.Answer, doc.Copies.Answer)}
	return &Report{Name: "report-" + strings.ReplaceAll(at, "/", "_"), JSON: doc, view: doc.view()}, nil
}

// mostPlaces is how many places a picture shows before it shows organisations.
const mostPlaces = 16

func (r *At) view() *view {
	v := &view{Kicker: "Account of a place", Title: r.At, Complete: r.Complete, Notes: notes(r.Answer), MadeAt: r.MadeAt, AsOf: r.AsOf, About: aboutRecords,
		Keep: "For who answers for the data, and for who oversees it. Small numbers of electors can point at persons."}
	if !strings.Contains(r.At, "/") {
		v.Kicker = "Account of an organisation"
	}
	if names, ok := r.orgs(r.Came, func(e graph.FlowOrgEdge) string { return e.From }); ok {
		v.Subject = append(v.Subject, fact{"Came from", list(names), false})
	}
	if names, ok := r.orgs(r.Went, func(e graph.FlowOrgEdge) string { return e.To }); ok {
		v.Subject = append(v.Subject, fact{"Went on to", list(names), false})
	}
	v.Lead = []string{fmt.Sprintf("%s is recorded to hold the records of %s; those of %s ever reached it.", r.At, electors(r.Holding.Electors), electors(r.Reached.Electors))}
	if slices.Equal(r.Holding.Electors, r.Reached.Electors) && len(r.Reached.Electors) > 0 {
		v.Lead = []string{fmt.Sprintf("%s is recorded to hold the records of %s: all that ever reached it.", r.At, electors(r.Holding.Electors))}
	}
	if len(r.Copies.Destroyed) > 0 {
		left := "No copies of them are recorded elsewhere."
		if n := len(r.Copies.Places); n > 0 {
			left = fmt.Sprintf("Copies of them are recorded as left at %s.", plural(n, "place", "places"))
		}
		where := "there"
		if !strings.Contains(r.At, "/") {
			where = "at one of its places"
		}
		v.Lead = append(v.Lead, fmt.Sprintf("The records of %s were destroyed %s and have not come back to it. %s", electors(r.Copies.Destroyed), where, left))
	}
	if len(r.Copies.Used) > 0 {
		v.Lead = append(v.Lead, fmt.Sprintf("%s took electors out of it after they had been destroyed there.", capital(plural(len(r.Copies.Used), "movement", "movements"))))
	}
	v.Figures = []figure{{numbers(r.Holding.Electors), "electors held"}, {numbers(r.Reached.Electors), "electors ever reached it"}, {numbers(r.Copies.Destroyed), "electors whose records were destroyed there"},
		{[]string{grouped(r.recipients())}, "organisations they went on to"}}
	var in, out, within, destroyed []graph.Entry
	for _, e := range r.Entries {
		switch {
		case e.Kind == schema.Destroy:
			destroyed = append(destroyed, e)
		case e.Direction == graph.In:
			in = append(in, e)
		case e.Direction == graph.Out:
			out = append(out, e)
		default:
			within = append(within, e)
		}
	}
	v.add(section{ID: "came", Heading: "Where they came from", Picture: flowPicture("came", "The routes by which electors came to "+r.At, r.Came, mostPlaces)})
	v.add(entryTable(section{ID: "received", Heading: "Received", None: "None recorded."}, in, true))
	v.add(section{ID: "went", Heading: "Where they went on to", Picture: flowPicture("went", "The routes by which electors went on from "+r.At, r.Went, mostPlaces)})
	v.add(entryTable(section{ID: "disclosed", Heading: "Passed on", Text: "To others, and to persons who saw them.", None: "None recorded."}, out, true))
	v.add(entryTable(section{ID: "within", Heading: "Within"}, within, true))
	v.add(entryTable(section{ID: "destroyed", Heading: "Destruction"}, destroyed, true))
	v.add(r.copies())
	v.add(r.used())
	v.add(r.held())
	return v
}

// recipients is how many organisations electors went on to.
func (r *At) recipients() (n int) {
	for _, o := range r.Went.Organisations {
		if own, _, _ := strings.Cut(r.At, "/"); o.Org != own && !o.FirstAt.IsZero() {
			n++
		}
	}
	return n
}

// orgs are the organisations at the other end of the edges of a flow, by name.
func (r *At) orgs(f *graph.Flow, end func(graph.FlowOrgEdge) string) ([]string, bool) {
	var names []string
	for _, e := range f.OrgEdges {
		if name := end(e); name != r.At {
			names = append(names, name)
		}
	}
	names = distinct(names)
	if len(names) > 8 {
		names = append(names[:8], plural(len(names)-8, "organisation more", "organisations more"))
	}
	return names, len(names) > 0
}

func (r *At) held() section {
	s := section{ID: "held", Heading: "Held now", Columns: []column{{Title: "Place"}, {"Electors", true}}}
	s.rows(len(r.Holding.Places), func(i int) []cell {
		p := r.Holding.Places[i]
		return []cell{placeCell(p.Place), numberCell(p.Electors)}
	})
	return s
}

func (r *At) copies() section {
	s := section{ID: "copies", Heading: "Copies left of what was destroyed", Text: "Where the electors that were destroyed there, and have not come back, went on to before, and are not recorded as destroyed.",
		Columns: []column{{Title: "Place"}, {Title: "Since (UTC)"}, {Title: "By way of"}, {"Electors", true}}}
	s.rows(len(r.Copies.Places), func(i int) []cell {
		c := r.Copies.Places[i]
		var way []string
		for _, step := range c.Route {
			way = append(way, string(step.From))
		}
		return []cell{placeCell(c.Place), {At: c.Since}, {Small: way}, numberCell(c.Electors)}
	})
	return s
}

func (r *At) used() section {
	s := section{ID: "used", Heading: "Used after destruction",
		Columns: []column{{Title: "When (UTC)"}, {Title: "From"}, {Title: "To"}, {Title: "Destroyed (UTC)"}, {"Electors", true}}}
	s.rows(len(r.Copies.Used), func(i int) []cell {
		u := r.Copies.Used[i]
		return []cell{{At: u.OccurredAt, Small: []string{string(u.Kind)}}, placeCell(u.Place), placeCell(u.To), {At: u.DestroyedAt}, numberCell(u.Electors)}
	})
	return s
}

// capital begins a sentence.
func capital(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}
