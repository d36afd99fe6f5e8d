package main

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/rolltrace/rolltrace/schema"
	"github.com/rolltrace/rolltrace/schema/graph"
)

// A page is an answer for people: tables under headings, notes at the end.
type page struct {
	w   io.Writer
	err error
}

func (p *page) line(format string, args ...any) {
	if p.err == nil {
		_, p.err = fmt.Fprintf(p.w, format+"\n", args...)
	}
}

// table prints a table under a heading, or what to say when it has no rows.
func (p *page) table(heading string, t *table, none string) {
	if len(t.rows) == 0 {
		p.line("%s", none)
		return
	}
	if heading != "" {
		p.line("%s", heading)
	}
	if p.err == nil {
		p.err = t.write(p.w)
	}
}

// notes prints what the answer does not cover, or is said beside it.
func (p *page) notes(a graph.Answer) error {
	if !a.AsOf.IsZero() {
		p.line("\nas of %s UTC", moment(a.AsOf))
	}
	for i, note := range a.Notes {
		if note.Code == graph.CodeNone {
			continue // it stands where the table would
		}
		if i == 0 || a.Notes[i-1].Code == graph.CodeNone {
			p.line("")
		}
		p.line("note: %s", note.Text)
		p.indent("places", note.Places)
		p.indent("sidecars", note.Sidecars)
		var movements []string
		for _, m := range note.Movements {
			movements = append(movements, m.ID)
		}
		p.indent("movements", movements)
	}
	if !a.Complete {
		p.line("\nThe answer may be incomplete: the notes say why.")
	}
	return p.err
}

// indent prints a few items of a note.
func (p *page) indent(what string, items []string) {
	const few = 5
	if len(items) == 0 {
		return
	}
	more := ""
	if len(items) > few {
		more = fmt.Sprintf(" and %s more (--json has them)", grouped(len(items)-few))
		items = items[:few]
	}
	p.line("      %s: %s%s", what, strings.Join(items, ", "), more)
}

func writeDossier(w io.Writer, d *graph.Dossier) error {
	p := &page{w: w}
	p.line("elector key %s (%s, %s)", d.Elector.Key, d.Elector.IDSpace, d.Elector.KeyID)
	organisations := newTable(text("organisation"), text("held"), text("first entry (UTC)"), text("last entry (UTC)"))
	for _, o := range d.Organisations {
		organisations.row(o.Org, yes(o.Holding), moment(o.FirstEntry), moment(o.LastEntry))
	}
	places := newTable(text("place"), text("held"), text("first entry (UTC)"), text("last entry (UTC)"), number("entries"), text("destroyed (UTC)"))
	for _, s := range d.Places {
		places.row(string(s.Place), yes(s.Holding), moment(s.FirstEntry), moment(s.LastEntry), grouped(s.Entries), moment(s.DestroyedAt))
	}
	p.table("", organisations, "none recorded: no place that this elector reached")
	if len(places.rows) > 0 {
		p.line("")
		p.table("", places, "")
		p.line("")
		movements := movementTable(false)
		for _, m := range d.Movements {
			movements.row(movementRow(m)...)
		}
		p.table("", movements, "")
	}
	return p.notes(d.Answer)
}

func writeElectors(w io.Writer, e *graph.Electors) error {
	p := &page{w: w}
	what := "held at"
	if e.What == graph.Reached {
		what = "that ever reached"
	}
	places := newTable(text("place"), number("electors"), text("id space"), text("key"))
	for _, place := range e.Places {
		for _, c := range place.Electors {
			places.row(string(place.Place), grouped(c.Electors), string(c.IDSpace), string(c.KeyID))
		}
	}
	if len(e.Places) != 1 || string(e.Places[0].Place) != e.At {
		for _, c := range e.Electors {
			places.row(e.At+" (each once)", grouped(c.Electors), string(c.IDSpace), string(c.KeyID))
		}
	}
	p.table("electors "+what+" "+e.At, places, "none recorded: no electors "+what+" "+e.At)
	if len(e.Keys) > 0 {
		p.line("")
		keys := newTable(text("elector key"), text("id space"), text("key"))
		for _, k := range e.Keys {
			keys.row(k.Key, string(k.IDSpace), string(k.KeyID))
		}
		p.table("", keys, "")
	}
	return p.notes(e.Answer)
}

// writeReach writes reach and sources alike; what is "reached from" or "sources of".
func writeReach(what string) func(io.Writer, *graph.Reach) error {
	return func(w io.Writer, r *graph.Reach) error {
		p := &page{w: w}
		columns := []column{number("hops"), {}, number("electors"), text("first (UTC)"), text("last (UTC)")}
		columns[1] = text("organisation")
		organisations := newTable(append([]column(nil), columns...)...)
		columns[1] = text("place")
		places := newTable(columns...)
		for _, o := range r.Organisations {
			organisations.row(grouped(o.Hops), o.Org, counts(o.Electors), moment(o.FirstAt), moment(o.LastAt))
		}
		for _, a := range r.Places {
			places.row(grouped(a.Hops), string(a.Place), counts(a.Electors), moment(a.FirstAt), moment(a.LastAt))
		}
		if len(organisations.rows) > 0 {
			p.table(what+" "+r.At, organisations, "")
			p.line("")
		}
		p.table("", places, "none recorded: no places "+what+" "+r.At)
		return p.notes(r.Answer)
	}
}

func writeRoute(w io.Writer, r *graph.Route) error {
	p := &page{w: w}
	p.line("elector key %s (%s, %s) to %s", r.Elector.Key, r.Elector.IDSpace, r.Elector.KeyID, r.To)
	if len(r.Routes) == 0 {
		p.line("none recorded: no route of this elector to %s", r.To)
	}
	for i, route := range r.Routes {
		heading := ""
		if r.Which == graph.All {
			heading = fmt.Sprintf("route %s", grouped(i+1))
		}
		p.table(heading, stepTable(route.Steps), "")
	}
	return p.notes(r.Answer)
}

func stepTable(route []graph.Step) *table {
	steps := newTable(number(""), text("when (UTC)"), text("kind"), text("from"), text("to"), text("basis"), text("actor"), text("fields"), text("purpose"), text("movement"))
	for i, s := range route {
		from := string(s.From)
		if from == "" {
			from = places(s.Inputs)
		}
		steps.row(grouped(i+1), moment(s.OccurredAt), string(s.Kind), from, string(s.To), string(s.Basis), s.Actor, strings.Join(s.Fields, " "), s.Purpose, s.ID)
	}
	return steps
}

func writeCopies(w io.Writer, c *graph.Copies) error {
	p := &page{w: w}
	if len(c.Destroyed) == 0 {
		p.line("none recorded: no electors destroyed at %s that have not come back", c.At)
		return p.notes(c.Answer)
	}
	p.line("destroyed at %s, and not come back: %s electors", c.At, counts(c.Destroyed))
	left := newTable(text("place"), number("electors"), text("since (UTC)"), text("last (UTC)"), text("first of them by"))
	for _, place := range c.Places {
		var route []string
		for _, s := range place.Route {
			route = append(route, string(s.From))
		}
		left.row(string(place.Place), counts(place.Electors), moment(place.Since), moment(place.LastAt), strings.Join(route, " > "))
	}
	for _, o := range c.Organisations {
		left.row(o.Org+" (each once)", counts(o.Electors), moment(o.Since), moment(o.LastAt), "")
	}
	p.table("copies left", left, "none recorded: no copies of them")
	used := newTable(text("when (UTC)"), text("kind"), text("from"), text("to"), number("electors"), text("last destroyed there (UTC)"), text("movement"))
	for _, u := range c.Used {
		used.row(moment(u.OccurredAt), string(u.Kind), string(u.Place), string(u.To), counts(u.Electors), moment(u.DestroyedAt), u.ID)
	}
	if len(used.rows) > 0 {
		p.line("")
		p.table("used after destruction", used, "")
	}
	return p.notes(c.Answer)
}

func writeFields(w io.Writer, f *graph.Fields) error {
	p := &page{w: w}
	t := newTable(text("field"), number("electors"), number("from the list"), number("list or other"), number("not the list"), number("unknown"))
	for _, field := range f.Fields {
		row := []string{field.Field, counts(field.Electors), "", "", "", ""}
		for _, o := range field.Origins {
			row[2+slices.Index([]string{graph.OriginList, graph.OriginListOrOther, graph.OriginNotList, graph.OriginUnknown}, o.Origin)] = counts(o.Electors)
		}
		t.row(row...)
	}
	p.table("fields that reached "+f.At, t, "none recorded: no fields that reached "+f.At)
	if len(f.NotSaid) > 0 {
		p.line("with fields that are not said: %s electors", counts(f.NotSaid))
	}
	switch {
	case len(f.Fields) == 0:
	case f.ListsFrom == graph.ListsRegistered:
		p.line("the list of electors is at %s, as the registry has it (--list-source names others)", strings.Join(f.Lists, ", "))
	case f.ListsFrom == "":
		p.line("where they come from is unknown: neither --list-source nor the registry says where the list of electors is")
	}
	return p.notes(f.Answer)
}

func writeMovements(w io.Writer, m *graph.Movements) error {
	p := &page{w: w}
	t := movementTable(true)
	for _, one := range m.Movements {
		row := movementRow(one.Movement)
		electors := counts(one.Electors)
		if one.Mode == schema.Counted {
			electors = string(one.Mode)
		}
		t.row(append(row[:4:4], append([]string{electors, grouped(one.Records)}, row[4:]...)...)...)
	}
	p.table("", t, "none recorded: no movements that match")
	return p.notes(m.Answer)
}

func movementTable(counted bool) *table {
	columns := []column{text("when (UTC)"), text("kind"), text("from"), text("to")}
	if counted {
		columns = append(columns, number("electors"), number("records"))
	}
	return newTable(append(columns, text("basis"), text("outcome"), text("actor"), text("fields"), text("purpose"), text("sidecar"), text("movement"))...)
}

func movementRow(m graph.Movement) []string {
	var inputs []schema.Place
	for _, in := range m.Inputs {
		inputs = append(inputs, in.Place)
	}
	outcome := string(m.Outcome)
	if m.State == schema.Open {
		outcome = string(schema.Open)
	}
	return []string{moment(m.OccurredAt), string(m.Kind), places(inputs), string(m.Output), string(m.Basis), outcome, m.Actor,
		strings.Join(m.Fields, " "), m.Purpose, m.Org + "/" + m.Sidecar, m.ID}
}

// counts writes numbers of electors, which are never added up: those of different id spaces, or under
// different secrets, may be the same people. The secret is named where an id space has several.
func counts(all []graph.Count) string {
	if len(all) == 1 {
		return grouped(all[0].Electors)
	}
	spaces := map[schema.IDSpace]int{}
	for _, c := range all {
		spaces[c.IDSpace]++
	}
	var parts []string
	for _, c := range all {
		part := grouped(c.Electors) + " " + string(c.IDSpace)
		if spaces[c.IDSpace] > 1 {
			part += " " + string(c.KeyID)
		}
		parts = append(parts, part)
	}
	return strings.Join(parts, " + ")
}

func places(all []schema.Place) string {
	parts := make([]string, len(all))
	for i, p := range all {
		parts[i] = string(p)
	}
	return strings.Join(parts, " + ")
}

func yes(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}
