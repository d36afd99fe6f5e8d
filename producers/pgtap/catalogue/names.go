package catalogue

import (
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/rolltrace/rolltrace/producers/pgtap"
	"github.com/rolltrace/rolltrace/producers/pgtap/statement"
	"github.com/rolltrace/rolltrace/schema"
)

// maxReadings bounds what is remembered of statements.
const maxReadings = 16 << 10

// A known is what names stand for in a database. It is not changed, save for what it remembers.
type known struct {
	facts     *facts
	tables    []Table
	columns   map[column]pgtap.Origin
	oids      map[uint32]bool
	relations map[string][]named // by name
	functions map[string]*statement.Function
	calls     map[uint32][]schema.Place // by OID: what a function may read
	all       []schema.Place

	mu       sync.Mutex
	readings map[readingOf]*pgtap.Reading
}

type named struct {
	schema   string
	relation *statement.Relation // nil for one that holds no electors
}

type readingOf struct {
	query *statement.Query
	path  string
	user  string
}

// know makes sense of facts.
func know(f *facts, tables []Table, places []schema.Place) *known {
	k := &known{
		facts: f, tables: tables, all: places, columns: make(map[column]pgtap.Origin), oids: make(map[uint32]bool),
		relations: make(map[string][]named), functions: make(map[string]*statement.Function),
		calls: make(map[uint32][]schema.Place), readings: make(map[readingOf]*pgtap.Reading),
	}
	made := make(map[uint32]*statement.Relation)
	for _, t := range f.Tables {
		origin := pgtap.Origin{Place: tables[t.Place-1].Place, Space: tables[t.Place-1].IDs[t.Attribute.Name], Field: tables[t.Place-1].Fields[t.Attribute.Name]}
		k.oids[t.OID] = true
		k.columns[column{t.OID, t.Attribute.Number}] = origin
		rel := made[t.OID]
		if rel == nil {
			rel = &statement.Relation{Reads: []schema.Place{origin.Place}, Table: true, Entire: !t.Part && alone(tables, origin.Place)}
			made[t.OID] = rel
			k.relations[t.Name] = append(k.relations[t.Name], named{t.Schema, rel})
		}
		rel.Columns = append(rel.Columns, statement.Column{Name: t.Attribute.Name, Type: t.Attribute.Type, Origin: origin, Generated: t.Attribute.Generated})
	}
	for _, o := range f.Others {
		k.relations[o.Name] = append(k.relations[o.Name], named{o.Schema, nil})
	}
	for _, name := range []string{"pg_stats", "pg_statistic", "pg_stats_ext", "pg_stats_ext_exprs", "pg_statistic_ext_data"} {
		// Samples of every column's values.
		k.relations[name] = append(k.relations[name], named{"pg_catalog", &statement.Relation{
			Columns: []statement.Column{{Several: true}}, Reads: places, Opaque: true, Carries: true,
		}})
	}
	k.learnFunctions()
	k.learnViews()
	return k
}

// alone says whether a place is one table's.
func alone(tables []Table, place schema.Place) bool {
	n := 0
	for _, t := range tables {
		if t.Place == place {
			n++
		}
	}
	return n == 1
}

// learnViews reads views in the order in which they are built on each other.
func (k *known) learnViews() {
	waiting := slices.Clone(k.facts.Views)
	built := make(map[[2]string]bool)
	pending := make(map[[2]string]bool)
	for _, v := range waiting {
		pending[[2]string{v.Schema, v.Name}] = true
	}
	for len(waiting) > 0 {
		var later []viewFact
		for _, v := range waiting {
			blocked := &waits{names: k.at(pgtap.Session{}), pending: pending, own: [2]string{v.Schema, v.Name}}
			rel := statement.View(v.Definition, blocked)
			if blocked.met && len(later) < len(waiting) {
				later = append(later, v)
				continue
			}
			k.learnView(v, rel)
			built[[2]string{v.Schema, v.Name}] = true
			delete(pending, [2]string{v.Schema, v.Name})
		}
		if len(later) == len(waiting) { // views in a circle there are none; but never wait for ever
			for _, v := range later {
				k.learnView(v, &statement.Relation{Reads: k.all, Opaque: true, Carries: true})
			}
			return
		}
		waiting = later
	}
}

// waits notices a view that is not known yet.
type waits struct {
	names
	pending map[[2]string]bool
	own     [2]string
	met     bool
}

func (w *waits) Relation(schemaName, name string) *statement.Relation {
	if at := [2]string{schemaName, name}; at != w.own && w.pending[at] {
		w.met = true
	}
	return w.names.Relation(schemaName, name)
}

func (k *known) learnView(v viewFact, rel *statement.Relation) {
	if len(rel.Reads) == 0 {
		rel.Reads = k.all // the server says that it is built on a configured table
		rel.Opaque = true
	}
	view := *rel
	view.Table, view.Entire = false, false
	view.Columns = make([]statement.Column, len(v.Attributes))
	for i, name := range v.Attributes {
		var c statement.Column
		if i < len(rel.Columns) && !slices.ContainsFunc(rel.Columns[:i+1], func(c statement.Column) bool { return c.Several }) {
			c = rel.Columns[i]
		}
		c.Name, c.Type = name, v.Types[i]
		if c.Origin.Place == "" && !rel.Opaque {
			c.Origin.Place = rel.Reads[0]
		}
		view.Columns[i] = c
		k.columns[column{v.OID, v.Numbers[i]}] = c.Origin
	}
	k.oids[v.OID] = true
	k.relations[v.Name] = append(k.relations[v.Name], named{v.Schema, &view})
}

// learnFunctions finds out which functions may read configured tables, by the words in their bodies.
func (k *known) learnFunctions() {
	reads := make(map[string][]schema.Place)
	for _, t := range k.facts.Tables {
		reads[strings.ToLower(t.Name)] = append(reads[strings.ToLower(t.Name)], k.tables[t.Place-1].Place)
	}
	for _, v := range k.facts.Views {
		reads[strings.ToLower(v.Name)] = k.all
	}
	words := make([][]string, len(k.facts.Functions))
	for i, f := range k.facts.Functions {
		words[i] = wordPattern.FindAllString(strings.ToLower(f.Body), -1)
		switch {
		case f.OID < firstOwn:
			words[i] = nil
		case f.Aggregate, f.Language == "sql":
		case f.Language != "plpgsql" || slices.Contains(words[i], "execute"):
			reads[strings.ToLower(f.Name)] = k.all
		}
	}
	for changed := true; changed; { // functions call functions
		changed = false
		for i, f := range k.facts.Functions {
			name := strings.ToLower(f.Name)
			for _, w := range words[i] {
				for _, place := range reads[w] {
					if !slices.Contains(reads[name], place) {
						reads[name] = append(slices.Clone(reads[name]), place)
						changed = true
					}
				}
			}
		}
	}
	for _, f := range k.facts.Functions {
		places := reads[strings.ToLower(f.Name)]
		if f.OID < firstOwn { // it is told what to read; of a statement, the parser knows it
			k.calls[f.OID] = k.all
			continue
		}
		k.calls[f.OID] = places
		if len(places) == 0 && !f.Aggregate {
			continue
		}
		fn := k.functions[f.Name]
		if fn == nil {
			fn = &statement.Function{}
			k.functions[f.Name] = fn
		}
		fn.Reads = slices.Compact(slices.Sorted(slices.Values(places)))
		fn.Aggregate = fn.Aggregate || f.Aggregate
	}
}

var wordPattern = regexp.MustCompile(`[\pL_][\pL\pN_$]*`)

// names are what names stand for in a session.
type names struct {
	*known
	user string
	path []string
}

func (k *known) at(s pgtap.Session) names {
	path := s.Path
	if path == "" {
		path = k.facts.Path
		for _, p := range k.facts.Paths { // those of a role come after those of the database
			if p.Role == "" || p.Role == s.User {
				path = p.Path
			}
		}
	}
	return names{k, s.User, splitPath(path)}
}

// splitPath reads a search_path: names with commas between, in quotes or folded.
func splitPath(text string) []string {
	var path []string
	var name strings.Builder
	quoted, was := false, false
	flush := func() {
		n := name.String()
		if !was {
			n = strings.ToLower(strings.TrimSpace(n))
		}
		if n != "" {
			path = append(path, n)
		}
		name.Reset()
		was = false
	}
	for _, c := range text {
		switch {
		case c == '"':
			if !quoted && strings.TrimSpace(name.String()) == "" {
				name.Reset()
			}
			quoted, was = !quoted, true
		case c == ',' && !quoted:
			flush()
		case was && !quoted && c == ' ':
		default:
			name.WriteRune(c)
		}
	}
	flush()
	return path
}

func temporary(schemaName string) bool { return strings.HasPrefix(schemaName, "pg_temp") }

// Relation is described at statement.Names. Of other sessions' temporary views it believes that they may be this one's.
func (n names) Relation(schemaName, name string) *statement.Relation {
	candidates := n.relations[name]
	for _, c := range candidates {
		if c.relation != nil && temporary(c.schema) && (schemaName == "" || temporary(schemaName)) {
			return c.relation
		}
	}
	if schemaName != "" {
		for _, c := range candidates {
			if c.schema == schemaName {
				return c.relation
			}
		}
		return nil
	}
	for _, s := range append([]string{"pg_catalog"}, n.path...) {
		if s == "$user" {
			s = n.user
		}
		for _, c := range candidates {
			if c.schema == s {
				return c.relation
			}
		}
	}
	return nil
}

// Function is described at statement.Names.
func (n names) Function(_, name string) *statement.Function { return n.functions[name] }

// All is described at statement.Names.
func (n names) All() []schema.Place { return n.all }

// Place is described at statement.Names.
func (n names) Place(schemaName, name string, beside schema.Place) schema.Place {
	if rel := n.Relation(schemaName, name); rel != nil && len(rel.Reads) == 1 && n.configured(rel) {
		return rel.Reads[0]
	}
	parts := strings.SplitN(string(beside), "/", 3)
	if len(parts) < 3 {
		return beside
	}
	for _, dataset := range []string{segment(name), "unnamed"} {
		place := schema.Place(parts[0] + "/" + parts[1] + "/" + dataset)
		if _, err := schema.ParsePlace(string(place)); err == nil && place != beside {
			return place
		}
	}
	return schema.Place(parts[0] + "/" + parts[1] + "/" + segment(name) + ".copy")
}

func (n names) configured(rel *statement.Relation) bool {
	return !rel.Opaque && !rel.Carries && slices.ContainsFunc(n.facts.Tables, func(t tableFact) bool {
		return slices.ContainsFunc(n.relations[t.Name], func(c named) bool { return c.relation == rel })
	})
}

// segment makes a table's name fit a place.
func segment(name string) string {
	return strings.Map(func(c rune) rune {
		switch {
		case 'a' <= c && c <= 'z', '0' <= c && c <= '9', c == '.', c == '_', c == '-':
			return c
		}
		return '-'
	}, strings.ToLower(name))
}

// read says what a query does, and remembers it.
func (k *known) read(s pgtap.Session, q *statement.Query) *pgtap.Reading {
	of := readingOf{q, s.Path, s.User}
	k.mu.Lock()
	defer k.mu.Unlock()
	if r := k.readings[of]; r != nil {
		return r
	}
	if len(k.readings) >= maxReadings {
		clear(k.readings)
	}
	r := q.Read(k.at(s))
	k.readings[of] = r
	return r
}
