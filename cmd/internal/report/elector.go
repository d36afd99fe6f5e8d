package report

import (
	"fmt"
	"slices"
	"strings"

	"github.com/rolltrace/rolltrace/schema"
	"github.com/rolltrace/rolltrace/schema/graph"
)

// aboutRecords is at the end of every report.
var aboutRecords = []string{
	"Observed: a recorder saw the records pass. Declared: the owner of the place says so. Attested: somebody else says so.",
	"Held: they came there, and are not recorded to have been destroyed there since. Only the owner of a place can take electors away from it; what others say of a destruction is reported as said.",
	"Electors are shown as elector keys, which cannot be turned into names or identifiers without the secret that they were made under. Fields are categories: the report has no name and no address.",
	"No copies recorded does not mean that there are none: the report knows what was recorded or declared.",
}

// OfElector is the report on an elector, from its dossier.
func OfElector(d *graph.Dossier, made schema.Time) *Report {
	doc := &Elector{Head: Head{"elector", made, gather(d.Answer)}, Entries: entries(d.Movements), Dossier: d}
	return &Report{Name: "elector-" + d.Elector.Key, JSON: doc, view: doc.view()}
}

func (r *Elector) view() *view {
	d := r.Dossier
	v := &view{Kicker: "Accounting of disclosures", Title: "Where one elector’s record went", Complete: r.Complete, Notes: notes(r.Answer), MadeAt: r.MadeAt, AsOf: r.AsOf,
		Subject: []fact{{"Elector key", d.Elector.Key, true}, {"Key of", fmt.Sprintf("%s, under the secret %s", d.Elector.IDSpace, d.Elector.KeyID), false}},
		Keep:    "Personal information: it is about one person. For that person, and for who answers for the data.",
		About: append([]string{"Each disclosure has its date, its recipient, what was disclosed and why; repeated ones are summed up, with the first, the last and how many (45 CFR 164.528(b) asks for this of an accounting of disclosures). Recipients are named, not given as categories (GDPR Art. 15(1)(c), CJEU C-154/21)."},
			aboutRecords...),
	}
	held, heldOrgs, moved := 0, 0, uint64(0)
	for _, e := range r.Entries {
		moved += e.Movements
	}
	for _, s := range d.Places {
		if s.Holding {
			held++
		}
	}
	for _, o := range d.Organisations {
		if o.Holding {
			heldOrgs++
		}
	}
	if len(d.Places) == 0 {
		v.Lead = []string{"No place is recorded that this record reached. That is not to say that there is none."}
	} else {
		v.Lead = []string{fmt.Sprintf("The record is known to have reached %s of %s. It is recorded as still held at %s of %s.",
			plural(len(d.Places), "place", "places"), plural(len(d.Organisations), "organisation", "organisations"),
			plural(held, "place", "places"), plural(heldOrgs, "organisation", "organisations"))}
		v.Figures = []figure{{[]string{grouped(len(d.Organisations))}, "organisations reached"}, {[]string{grouped(len(d.Places))}, "places reached"}, {[]string{grouped(held)}, "places that hold it"},
			{[]string{grouped(moved)}, "movements"}}
	}
	if n := len(d.SeedOf); n > 0 {
		v.Lead = append(v.Lead, fmt.Sprintf("The entry is a seed: it was invented and put into a copy, by %s, so that this copy can be told from others. It is nobody.", plural(n, "movement", "movements")))
	}
	var out, within, destroyed []graph.Entry
	for _, e := range r.Entries {
		switch {
		case e.To == "":
			destroyed = append(destroyed, e)
		case e.Kind == schema.Access || !slices.Contains(e.From, e.To):
			out = append(out, e)
		default:
			within = append(within, e)
		}
	}
	v.add(section{ID: "route", Heading: "The way it went", Picture: r.picture()})
	v.add(r.placeTable())
	v.add(entryTable(section{ID: "disclosures", Heading: "Disclosures to others", Text: "To another organisation, or to a person who saw the record.",
		None: "None recorded."}, out, false))
	v.add(entryTable(section{ID: "within", Heading: "Within an organisation"}, within, false))
	v.add(entryTable(section{ID: "destroyed", Heading: "Destruction"}, destroyed, false))
	return v
}

// add adds a section, unless there is nothing in it and nothing to say instead.
func (v *view) add(s section) {
	if s.Picture != nil || len(s.Rows) > 0 || s.None != "" {
		v.Sections = append(v.Sections, s)
	}
}

// said are the destroys of a place on the word of somebody else than the owner.
func (r *Elector) said(place schema.Place) []string {
	var out []string
	for _, m := range r.Dossier.Movements {
		if m.Kind == schema.Destroy && m.Basis == schema.Attested && m.Outcome != schema.Retracted && m.Inputs[0].Place == place {
			out = append(out, fmt.Sprintf("said to be destroyed, by %s, %s", m.Org, m.OccurredAt.Format("2006-01-02")))
		}
	}
	return out
}

func (r *Elector) placeTable() section {
	places := r.Dossier.Places
	s := section{ID: "places", Heading: "Where it is now", None: "None recorded.",
		Columns: []column{{Title: "Place"}, {Title: "What is recorded"}, {Title: "Came (UTC)"}, {Title: "By way of"}, {"Times", true}}}
	s.rows(len(places), func(i int) []cell {
		p := places[i]
		state := cell{Text: "still held", State: "held", Small: r.said(p.Place)}
		switch {
		case !p.Holding:
			state.Text, state.State = "destroyed", "gone"
		case len(state.Small) > 0:
			state.State = "said"
		}
		if !p.DestroyedAt.IsZero() {
			state.Small = append(state.Small, "destroyed "+p.DestroyedAt.Format("2006-01-02 15:04"))
		}
		came := cell{At: p.FirstEntry}
		if p.Entries > 1 {
			came.Small = []string{"last " + p.LastEntry.Format("2006-01-02 15:04")}
		}
		var way []string
		for _, step := range p.Route {
			from := string(step.From)
			if from == "" {
				from = "one of " + strings.Join(words(step.Inputs), ", ")
			}
			way = append(way, from)
		}
		return []cell{placeCell(p.Place), state, came, {Small: way}, {Text: grouped(p.Entries), Number: true}}
	})
	return s
}

// picture draws every movement that counts, from where the record came by it as far as that is known.
func (r *Elector) picture() *drawing {
	p := &picture{ID: "route", Title: "The places that the record reached, and how", Even: true}
	index := map[schema.Place]int{}
	at := func(place schema.Place) int {
		i, ok := index[place]
		if !ok {
			i = len(p.Nodes)
			index[place] = i
			n := nodeOf(place)
			n.Detail, n.State = []string{"came from here"}, "source"
			p.Nodes = append(p.Nodes, n)
		}
		return i
	}
	for _, s := range r.Dossier.Places {
		n := &p.Nodes[at(s.Place)]
		n.State, n.Detail = "held", []string{"held since " + s.LastEntry.Format("2006-01-02")}
		switch said := r.said(s.Place); {
		case !s.Holding:
			n.State, n.Detail = "gone", []string{"destroyed " + s.DestroyedAt.Format("2006-01-02")}
		case len(said) > 0:
			n.State, n.Detail = "said", append(n.Detail, "said to be destroyed")
		}
	}
	been := map[schema.Place]bool{}
	for _, m := range r.Dossier.Movements {
		if m.Outcome == schema.Retracted || m.Output == "" {
			continue
		}
		from := sources(&m, been)
		for _, place := range from {
			p.step(at(place), at(m.Output), m, len(from) > 1 && !been[place])
		}
		been[m.Output] = true
	}
	for i := range p.Edges { // the first time, and how often besides
		if n := int(p.Edges[i].Weight); n > 1 {
			p.Edges[i].Label += fmt.Sprintf(" (%s ×)", grouped(n))
		}
		p.Edges[i].Weight = 0
	}
	return p.cutAndDraw("that came first")
}

// step adds a movement to the edge between two nodes.
func (p *picture) step(from, to int, m graph.Movement, unclear bool) {
	if from == to {
		return
	}
	for i := range p.Edges {
		if e := &p.Edges[i]; e.From == from && e.To == to {
			e.Weight++
			e.Said = e.Said && m.Basis != schema.Observed
			return
		}
	}
	label := string(m.Kind)
	if unclear {
		label += ", or not"
	}
	p.Edges = append(p.Edges, link{From: from, To: to, Label: label, Under: m.OccurredAt.Format("2006-01-02"), Weight: 1, Said: m.Basis != schema.Observed,
		Full: fmt.Sprintf("%s to %s: %s, first %s", p.Nodes[from].Name, p.Nodes[to].Name, m.Kind, m.OccurredAt.Format("2006-01-02 15:04"))})
}
