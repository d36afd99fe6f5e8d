package graph

import (
	"bytes"
	"cmp"
	"context"
	"database/sql"
	"embed"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"text/template"
)

//go:embed view/*.sql
var viewFiles embed.FS

// A view is a SELECT in an embedded file, made into a view of its name, and, if it has a twin, into a
// parameterised view of its name and "_as_of" too.
type view struct {
	name string
	of   string // the view whose text it has; "": its own. Such a view has its twin only
	twin parameters
}

// parameters are what a view asks its user for, all of them texts.
type parameters struct {
	at   bool // a place or an organisation; empty: everywhere
	key  bool // an elector key; empty: each, unless one
	one  bool // an elector key has to be given
	asOf bool // a time; empty: no bound
}

// views are made in this order: those that others read first. Names and columns of those that are not
// internal are stable; analysts and dashboards use them.
var views = []view{
	{name: "internal_revision"},
	{name: "internal_movement"},
	{name: "internal_listing"},
	{name: "internal_seed"},
	{name: "internal_seeding"},
	{name: "internal_bitmap"},
	{name: "internal_head"},
	{name: "internal_number"},
	{name: "internal_set"},
	{name: "internal_space"},
	{name: "internal_elector"},
	{name: "internal_count"},
	{name: "internal_registry"},
	{name: "internal_finding_position"},
	{name: "movements", twin: parameters{asOf: true}},
	{name: "movement_electors", twin: parameters{asOf: true}},
	{name: "flows", twin: parameters{asOf: true}},
	{name: "places", twin: parameters{asOf: true}},
	{name: "reached", twin: parameters{at: true, asOf: true}},
	{name: "holding", twin: parameters{at: true, asOf: true}},
	{name: "electors", twin: parameters{at: true, asOf: true}},
	{name: "reached_electors", twin: parameters{at: true, asOf: true}},
	{name: "held_electors", twin: parameters{at: true, asOf: true}},
	{name: "dossier", twin: parameters{key: true, asOf: true}},
	{name: "elector_places", twin: parameters{key: true, asOf: true}},
	// For those who may look up an elector whose key they know, and not list electors.
	{name: "lookup_places", of: "elector_places", twin: parameters{key: true, one: true, asOf: true}},
	{name: "lookup_dossier", of: "dossier", twin: parameters{key: true, one: true, asOf: true}},
	{name: "flow_electors", twin: parameters{at: true, asOf: true}},
	{name: "copies", twin: parameters{at: true, asOf: true}},
	{name: "destroyed", twin: parameters{at: true, asOf: true}},
	{name: "fields", twin: parameters{at: true, asOf: true}},
	{name: "elector_fields", twin: parameters{key: true, asOf: true}},
	{name: "origins", twin: parameters{at: true, asOf: true}},
	{name: "elector_origins", twin: parameters{key: true, asOf: true}},
	{name: "reach", twin: parameters{at: true, asOf: true}},
	{name: "sources", twin: parameters{at: true, asOf: true}},
	{name: "route", twin: parameters{key: true, at: true, asOf: true}},
	{name: "lookup_fields", of: "elector_fields", twin: parameters{key: true, one: true, asOf: true}},
	{name: "lookup_route", of: "route", twin: parameters{key: true, one: true, at: true, asOf: true}},
	{name: "used_after_destruction", twin: parameters{at: true, asOf: true}},
	{name: "internal_coverage", twin: parameters{asOf: true}},
	{name: "internal_clock", twin: parameters{asOf: true}},
	{name: "coverage", twin: parameters{asOf: true}},
	{name: "seedings", twin: parameters{asOf: true}},
	{name: "movement_revisions", twin: parameters{asOf: true}},
	{name: "recorded_organisations", twin: parameters{asOf: true}},
	{name: "elector_keys", twin: parameters{key: true, asOf: true}},
	{name: "gaps", twin: parameters{asOf: true}},
	{name: "holes", twin: parameters{asOf: true}},
	{name: "rejections", twin: parameters{asOf: true}},
	{name: "progress"}, // without a past: only the last position is kept
	{name: "sidecars", twin: parameters{asOf: true}},
	{name: "notes", twin: parameters{asOf: true}},
	{name: "registry_versions"},
	{name: "organisations", twin: parameters{asOf: true}},
	{name: "systems", twin: parameters{asOf: true}},
	{name: "datasets", twin: parameters{asOf: true}},
	{name: "people", twin: parameters{asOf: true}},
	{name: "purposes", twin: parameters{asOf: true}},
	{name: "record_sources", twin: parameters{asOf: true}},
	{name: "agreements", twin: parameters{asOf: true}},
	{name: "policies", twin: parameters{asOf: true}},
	{name: "elections", twin: parameters{asOf: true}},
	{name: "registered_places", twin: parameters{asOf: true}},
	{name: "registered_movements", twin: parameters{asOf: true}},
	{name: "registered_holdings", twin: parameters{at: true, asOf: true}},
	{name: "rulings", twin: parameters{asOf: true}},
	{name: "finding_history"},
	{name: "findings"},
}

// readTables are the tables that Graph reads itself, because a view over one takes ClickHouse as long to plan as a
// small question takes: electors of movements by their numbers, which internal views show as well.
var readTables = []string{"derived", "derived_by_bucket", "listed", "listed_by_elector"}

// Readable returns what an analyst, and whoever asks through Graph, needs SELECT on: the views, and the tables that Graph
// reads itself.
func Readable() []string { return append(Views(), readTables...) }

// Views returns the names of the views. They read the tables with the rights of Options.Definer. Those that begin with
// "internal_" are what the others are made of; their columns may change.
func Views() []string {
	var names []string
	for _, v := range views {
		if v.of == "" {
			names = append(names, v.name)
		}
		if v.twin.asOf {
			names = append(names, v.name+"_as_of")
		}
	}
	return names
}

// makeViews makes every view anew; each is replaced in one step, so that readers never miss one.
func makeViews(ctx context.Context, db *sql.DB, o Options) error {
	for _, v := range views {
		var variants []parameters
		if v.of == "" {
			variants = append(variants, parameters{})
		}
		if v.twin.asOf {
			variants = append(variants, v.twin)
		}
		for _, p := range variants {
			name, statement, err := o.viewStatement(v.name, cmp.Or(v.of, v.name), p)
			if err != nil {
				return fmt.Errorf("view %q: %w", name, err)
			}
			if _, err := db.ExecContext(ctx, statement); err != nil {
				return fmt.Errorf("view %q: %w", name, explain(err))
			}
		}
	}
	return nil
}

// viewStatement is the CREATE statement of a view. Only a view without parameters can have column comments.
func (o Options) viewStatement(name, file string, p parameters) (_, statement string, err error) {
	r := rendering{options: o, parameters: p, view: file}
	if p.asOf {
		name += "_as_of"
	}
	columns := ""
	if p == (parameters{}) && viewTemplates().Lookup(file+".columns") != nil {
		text, err := r.execute(file + ".columns")
		if err != nil {
			return name, "", err
		}
		columns = "\n(\n    " + strings.TrimSpace(text) + "\n)"
	}
	comment, err := r.execute(file + ".comment")
	if err != nil {
		return name, "", err
	}
	body, err := r.execute(file)
	if err != nil {
		return name, "", err
	}
	return name, "CREATE OR REPLACE VIEW " + o.name(name) + o.onCluster() + columns + "\n" + o.definer() +
		"\nAS " + strings.TrimSpace(body) + "\nCOMMENT " + literal(comment), nil
}

var viewTemplates = sync.OnceValue(func() *template.Template {
	return template.Must(template.New("views").Option("missingkey=error").ParseFS(viewFiles, "view/*.sql"))
})

// A rendering fills in the templates of the views: for a view, with parameters; or for a query of the same
// text, with values, on the internal views that stand for tables.
type rendering struct {
	options    Options
	parameters parameters
	values     *values
	view       string // that is rendered, if one is

	upstream bool // the direction of a walk over the graph, see walk.sql
	buckets  int  // in a part of a set, see Part; 0: one, less: all
}

type values struct{ at, asOf string }

func (r rendering) execute(name string) (string, error) {
	var b bytes.Buffer
	if err := viewTemplates().ExecuteTemplate(&b, name, r); err != nil {
		return "", err
	}
	return b.String(), nil
}

// standIns are the views that stand for tables in queries.
var standIns = map[string]string{"movement_revision": "internal_revision", "space": "internal_space"}

// Name is the name of a table or view, quoted.
func (r rendering) Name(name string) string {
	if r.values == nil {
		return r.options.name(name)
	}
	if standIn, ok := standIns[name]; ok {
		name = standIn
	}
	return quote(name)
}

// HasKey says whether one elector is asked for.
func (r rendering) HasKey() bool { return r.parameters.key }

// KeyText is the elector key asked for; empty: each.
func (r rendering) KeyText() string {
	if !r.parameters.key {
		return "''"
	}
	return "{key:String}"
}

// IsKey is the condition that the key in column, a number, is the one asked for.
func (r rendering) IsKey(column string) string {
	if !r.parameters.key {
		return "1"
	}
	key := r.KeyText()
	is := column + " = reinterpretAsUInt64(reverse(unhex(lower(" + key + ")))) AND match(lower(" + key + "), '^[0-9a-f]{16}$')"
	if r.parameters.one {
		return "(" + is + ")"
	}
	return "(" + key + " = '' OR " + is + ")"
}

// AtText is the place or organisation asked for; empty: each.
func (r rendering) AtText() string {
	switch {
	case r.values != nil:
		return literal(r.values.at)
	case !r.parameters.at:
		return "''"
	}
	return "{at:String}"
}

// At is the condition that the place in column is the one asked for, or one of the organisation asked for.
func (r rendering) At(column string) string {
	if !r.parameters.at {
		return "1"
	}
	at := r.AtText()
	return "(" + at + " = '' OR " + column + " = " + at + " OR startsWith(" + column + ", concat(" + at + ", '/')))"
}

// AsOf is the condition that the time in column is not after the one asked for.
func (r rendering) AsOf(column string) string {
	if !r.parameters.asOf {
		return "1"
	}
	asOf := "{as_of:String}"
	if r.values != nil {
		asOf = literal(r.values.asOf)
	}
	return column + " <= parseDateTime64BestEffort(if(" + asOf + " = '', '2299-12-31', " + asOf + "), 6, 'UTC')"
}

// Of is another view, as of the same time.
func (r rendering) Of(view string) string {
	if !r.parameters.asOf {
		return r.Name(view)
	}
	return r.Name(view+"_as_of") + "(as_of = {as_of:String})"
}

// OfAt is Of for a view that takes a place or an organisation too.
func (r rendering) OfAt(view string) string {
	if !r.parameters.asOf {
		return r.Name(view)
	}
	return r.Name(view+"_as_of") + "(at = {at:String}, as_of = {as_of:String})"
}

// Valid is the condition that what is valid from the time in column on is valid at the time asked for, or now.
func (r rendering) Valid(column string) string {
	if !r.parameters.asOf {
		return column + " <= now64(6, 'UTC')"
	}
	return r.AsOf(column)
}

// Now is the time asked for, and not later than the present.
func (r rendering) Now() string {
	if !r.parameters.asOf {
		return "now64(6, 'UTC')"
	}
	return "least(now64(6, 'UTC'), parseDateTime64BestEffort(if({as_of:String} = '', '2299-12-31', {as_of:String}), 6, 'UTC'))"
}

// Unbounded is the condition that a view is asked about everything at once.
func (r rendering) Unbounded() string {
	if r.parameters.key {
		return r.KeyText() + " = ''"
	}
	return r.AtText() + " = ''"
}

// TooMuch refuses, in one line, what the view would not answer in time, or in memory, when it is asked about everything: where
// what is more than most, see Options.Room.
func (r rendering) TooMuch(what string, most int) string {
	twin, ask := r.view+"_as_of(at = 'a place or organisation', as_of = '')", "one place or organisation"
	if strings.HasPrefix(r.view, "elector_") || r.view == "route" {
		twin, ask = r.view+"_as_of(key = 'an elector key', as_of = '')", "one elector"
	}
	if r.view == "route" {
		twin = "route_as_of(key = 'an elector key', at = '', as_of = '')"
	}
	return "throwIf(" + r.Unbounded() + " AND " + what + " > " + strconv.Itoa(most*max(1, r.options.Room)) + ", " +
		literal(r.view+" of everything at once is more than a query may take here; ask about "+ask+": "+twin) + ")"
}

// Undivided is for sets that are only counted: small ones would fall into hundreds of parts.
func (r rendering) Undivided() rendering {
	r.buckets = -1
	return r
}

// Coarse is for sets that are combined with each other, and for which one bucket is too little.
func (r rendering) Coarse() rendering {
	r.buckets = partBuckets
	return r
}

// Part is the part of a set that bucket is in.
func (r rendering) Part(bucket string) string {
	switch {
	case r.buckets < 0:
		return "toUInt16(0)"
	case r.buckets == 0:
		return bucket
	}
	return fmt.Sprintf("toUInt16(intDiv(%s, %d))", bucket, r.buckets)
}

// Downstream and Upstream are the two directions of a walk.
func (r rendering) Downstream() rendering { return r }

// Upstream is Downstream, backwards.
func (r rendering) Upstream() rendering {
	r.upstream = true
	return r
}

// way is one of two texts: for the way downstream, and for the way upstream.
func (r rendering) way(down, up string) string {
	if r.upstream {
		return up
	}
	return down
}

// Head and Tail are the columns of an edge where it is left and where it arrives.
func (r rendering) Head() string { return r.way("input", "output") }

// Tail is where an edge arrives.
func (r rendering) Tail() string { return r.way("output", "input") }

// HeadsOf is all the heads of the movement in a tuple of edge.sql.
func (r rendering) HeadsOf(m string) string { return r.way(m+".7", "["+m+".8]") }

// TailsOf is all its tails.
func (r rendering) TailsOf(m string) string { return r.way("["+m+".8]", m+".7") }

// InOrder is an array in the order of the walk.
func (r rendering) InOrder(array string) string { return r.way(array, "arrayReverse("+array+")") }

// Sign turns the rank of a movement round for a walk against time.
func (r rendering) Sign() string { return r.way("", "-") }
