package registry

import (
	"slices"
	"strings"

	"github.com/rolltrace/rolltrace/schema"
	"github.com/rolltrace/rolltrace/schema/document"
)

// MaxText bounds names, titles and contacts, in bytes.
const MaxText = 512

// Check returns everything that is wrong with the registry, in the order of files and lines, or nil.
func (r *Registry) Check() document.Faults {
	c := &check{registry: r, ids: map[string]map[string]document.Where{}}
	c.collect()
	c.organisations()
	c.places()
	c.uses()
	c.agreements()
	c.faults.Sort()
	return c.faults
}

// A check gathers faults, so that none hides another.
type check struct {
	registry *Registry
	ids      map[string]map[string]document.Where // by section
	faults   document.Faults
}

func (c *check) require(ok bool, at document.Where, format string, args ...any) {
	if !ok {
		c.faults.Add(at, format, args...)
	}
}

// id notes an id, which must be the only one of its section.
func (c *check) id(section, id string, at document.Where) {
	if c.ids[section] == nil {
		c.ids[section] = map[string]document.Where{}
	}
	if before, twice := c.ids[section][id]; twice {
		c.faults.Add(at, "%s: %q stands in %s already", section, id, before)
		return
	}
	c.ids[section][id] = at
}

func (c *check) known(section, id, field string, at document.Where) {
	if _, ok := c.ids[section][id]; !ok {
		c.faults.Add(at, "%s: %q is not among the %s", field, id, section)
	}
}

func (c *check) allKnown(section string, ids []string, field string, at document.Where) {
	for i, id := range ids {
		c.known(section, id, field, at)
		c.require(!slices.Contains(ids[:i], id), at, "%s: %q stands there twice", field, id)
	}
}

func (c *check) text(value, field string, at document.Where) {
	c.require(len(value) <= MaxText, at, "%s: want at most %d bytes", field, MaxText)
	c.require(!strings.ContainsFunc(value, func(r rune) bool { return r < ' ' }), at, "%s: want one line", field)
}

func (c *check) jurisdiction(value, field string, at document.Where) {
	c.require(value == "" || jurisdictionPattern.MatchString(value), at, "%s: %q: want %s", field, value, jurisdictionLimit)
}

func (c *check) moment(m Moment, field string, at document.Where) {
	_, ok := m.Begins()
	c.require(m == "" || ok, at, "%s: %q: want %s", field, string(m), momentLimit)
}

// collect notes all ids first: references may point forwards, and into other files.
func (c *check) collect() {
	r := c.registry
	for _, o := range r.Organisations {
		c.require(schema.ValidOrg(o.ID), o.Where, "organisations.id: %q: want 1 to 63 of a-z 0-9 -, beginning with a letter or digit", o.ID)
		c.id("organisations", o.ID, o.Where)
	}
	for _, s := range r.Systems {
		c.require(systemPattern.MatchString(s.ID), s.Where, "systems.id: %q: want %s", s.ID, systemLimit)
		c.id("systems", s.ID, s.Where)
	}
	for _, d := range r.Datasets {
		c.place(d.Place, "datasets.place", d.Where)
		c.id("datasets", d.Place, d.Where)
	}
	for _, p := range r.People {
		c.place(p.Place, "people.place", p.Where)
		c.id("people", p.Place, p.Where)
	}
	label := func(section, id string, at document.Where) {
		c.require(schema.ValidLabel(id), at, "%s.id: %q: want %s", section, id, schema.LabelLimit)
		c.id(section, id, at)
	}
	for _, p := range r.Purposes {
		label("purposes", p.ID, p.Where)
	}
	for _, s := range r.Sources {
		label("sources", s.ID, s.Where)
	}
	for _, a := range r.Agreements {
		label("agreements", a.ID, a.Where)
	}
	for _, p := range r.Policies {
		c.id("policies", p.Organisation, p.Where)
	}
	for _, e := range r.Elections {
		label("elections", e.ID, e.Where)
	}
}

func (c *check) place(place, field string, at document.Where) {
	if _, err := schema.ParsePlace(place); err != nil {
		c.faults.Add(at, "%s: %s", field, err)
	}
}

func (c *check) organisations() {
	parents := map[string]string{}
	for _, o := range c.registry.Organisations {
		c.text(o.Name, "organisations.name", o.Where)
		c.text(o.Contact, "organisations.contact", o.Where)
		c.require(slices.Contains(Kinds, o.Kind), o.Where, "organisations.kind: %q: want one of %s", o.Kind, strings.Join(Kinds, ", "))
		c.jurisdiction(o.Jurisdiction, "organisations.jurisdiction", o.Where)
		if o.Parent != "" {
			c.known("organisations", o.Parent, "organisations.parent", o.Where)
			parents[o.ID] = o.Parent
		}
	}
	for _, o := range c.registry.Organisations {
		c.noCircle(parents, o.ID, "organisations.parent", o.Where)
	}
	parts := map[string]string{}
	for _, p := range c.registry.Purposes {
		c.text(p.Title, "purposes.title", p.Where)
		if p.PartOf != "" {
			c.known("purposes", p.PartOf, "purposes.part_of", p.Where)
			parts[p.ID] = p.PartOf
		}
	}
	for _, p := range c.registry.Purposes {
		c.noCircle(parts, p.ID, "purposes.part_of", p.Where)
	}
}

// noCircle follows what is above id, and finds id again.
func (c *check) noCircle(above map[string]string, id, field string, at document.Where) {
	path := []string{id}
	for next := above[id]; next != "" && len(path) <= len(above); next = above[next] {
		path = append(path, next)
		if next == id {
			c.faults.Add(at, "%s: goes in a circle: %s", field, strings.Join(path, " → "))
			return
		}
	}
}

func (c *check) places() {
	r := c.registry
	owned := func(section, place, owner, jurisdiction string, sources []string, at document.Where) {
		if owner != "" {
			c.known("organisations", owner, section+".owner", at)
		}
		org, _, _ := strings.Cut(place, "/")
		c.known("organisations", org, section, at)
		c.jurisdiction(jurisdiction, section+".jurisdiction", at)
		c.allKnown("sources", sources, section+".sources", at)
	}
	for _, s := range r.Systems {
		c.text(s.Name, "systems.name", s.Where)
		owned("systems", s.ID, s.Owner, s.Jurisdiction, s.Sources, s.Where)
	}
	for _, d := range r.Datasets {
		c.text(d.Name, "datasets.name", d.Where)
		c.require(!schema.Place(d.Place).IsPerson(), d.Where, "datasets.place: %q is a person: want it among the people", d.Place)
		owned("datasets", d.Place, d.Owner, d.Jurisdiction, d.Sources, d.Where)
	}
	for _, p := range r.People {
		c.require(schema.Place(p.Place).IsPerson(), p.Where, "people.place: %q: want organisation/%s/staff code", p.Place, schema.PeopleSystem)
		owned("people", p.Place, "", "", nil, p.Where)
		for _, role := range p.Roles {
			c.require(schema.ValidLabel(role), p.Where, "people.roles: %q: want %s", role, schema.LabelLimit)
		}
	}
}

// uses are what records may be used for.
func (c *check) uses() {
	for _, s := range c.registry.Sources {
		c.text(s.Title, "sources.title", s.Where)
		c.text(s.Rule, "sources.rule", s.Where)
		for _, p := range s.Permits {
			c.require(len(p.To) > 0, p.Where, "sources.permits.to: want one or more kinds of organisation, or roles")
			for _, to := range p.To {
				c.require(schema.ValidLabel(to), p.Where, "sources.permits.to: %q: want %s", to, schema.LabelLimit)
			}
			c.allKnown("purposes", p.Purposes, "sources.permits.purposes", p.Where)
		}
	}
	for _, p := range c.registry.Policies {
		c.known("organisations", p.Organisation, "policies.organisation", p.Where)
		c.text(p.Published, "policies.published", p.Where)
		c.allKnown("purposes", p.Purposes, "policies.purposes", p.Where)
		c.fields(p.Fields, "policies.fields", p.Where)
		for _, j := range p.Jurisdictions {
			c.require(jurisdictionPattern.MatchString(j), p.Where, "policies.jurisdictions: %q: want %s", j, jurisdictionLimit)
		}
	}
}

func (c *check) fields(fields []string, field string, at document.Where) {
	for _, f := range fields {
		c.require(fieldPattern.MatchString(f), at, "%s: %q: want 1 to 63 of a-z 0-9 _, beginning with a letter", field, f)
	}
}

func (c *check) agreements() {
	for _, a := range c.registry.Agreements {
		c.text(a.Title, "agreements.title", a.Where)
		c.require(len(a.Parties) >= 2, a.Where, "agreements.parties: want two or more")
		c.allKnown("organisations", a.Parties, "agreements.parties", a.Where)
		c.allKnown("organisations", a.Onward, "agreements.onward", a.Where)
		c.allKnown("purposes", a.Purposes, "agreements.purposes", a.Where)
		c.fields(a.Fields, "agreements.fields", a.Where)
		c.moment(a.Start, "agreements.start", a.Where)
		c.moment(a.End, "agreements.end", a.Where)
		c.moment(a.DestroyBy, "agreements.destroy_by", a.Where)
		c.after(a.Start, a.End, "agreements.end", a.Where)
		c.after(a.Start, a.DestroyBy, "agreements.destroy_by", a.Where)
	}
	for _, e := range c.registry.Elections {
		c.jurisdiction(e.Jurisdiction, "elections.jurisdiction", e.Where)
		c.require(e.Start != "" && e.End != "", e.Where, "elections: want a start and an end")
		c.moment(e.Start, "elections.start", e.Where)
		c.moment(e.End, "elections.end", e.Where)
		c.after(e.Start, e.End, "elections.end", e.Where)
	}
}

func (c *check) after(start, end Moment, field string, at document.Where) {
	begins, one := start.Begins()
	ends, other := end.Ends()
	if one && other && !ends.After(begins) {
		c.faults.Add(at, "%s: %s is before the start, %s", field, end, start)
	}
}
