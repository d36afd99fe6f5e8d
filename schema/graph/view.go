package graph

import (
	"bytes"
	"context"
	"database/sql"
	"embed"
	"fmt"
	"strings"
	"text/template"
)

//go:embed view/*.sql
var viewFiles embed.FS

// A view is a SELECT in an embedded file, made into a view of its name, and, if it has a twin, into a
// parameterised view of its name and "_as_of" too.
type view struct {
	name  string
	plain parameters
	twin  *parameters
}

// parameters are what a view asks its user for, all of them texts.
type parameters struct {
	At   bool // a place or an organisation; empty: everywhere
	Key  bool // an elector key
	AsOf bool // a time

	Direction, Heads, Tails string // of a walk over the graph, see walk.sql
}

// views are made in this order: those that others read first. Names and columns of those that are not
// internal are stable; analysts and dashboards use them.
var views = []view{
	{name: "internal_movement"},
	{name: "internal_listing"},
	{name: "internal_set"},
	{name: "internal_space"},
	{name: "internal_elector"},
	{name: "internal_count"},
	{name: "movements", twin: &parameters{AsOf: true}},
	{name: "movement_electors", twin: &parameters{AsOf: true}},
	{name: "flows", twin: &parameters{AsOf: true}},
	{name: "places", twin: &parameters{AsOf: true}},
	{name: "reached", twin: &parameters{At: true, AsOf: true}},
	{name: "holding", twin: &parameters{At: true, AsOf: true}},
	{name: "electors", twin: &parameters{At: true, AsOf: true}},
	{name: "reached_electors", twin: &parameters{At: true, AsOf: true}},
	{name: "held_electors", twin: &parameters{At: true, AsOf: true}},
	{name: "dossier", twin: &parameters{Key: true, AsOf: true}},
	{name: "elector_places", twin: &parameters{Key: true, AsOf: true}},
	{name: "reach", plain: parameters{At: true}, twin: &parameters{At: true, AsOf: true}},
	{name: "sources", plain: parameters{At: true}, twin: &parameters{At: true, AsOf: true}},
	{name: "route", plain: parameters{Key: true, At: true}, twin: &parameters{Key: true, At: true, AsOf: true}},
	{name: "coverage", twin: &parameters{AsOf: true}},
	{name: "gaps"},
	{name: "holes"},
	{name: "rejections"},
	{name: "progress"},
	{name: "sidecars"},
}

// Views returns the names of the views: what an analyst, and whoever asks through Graph, needs SELECT on.
// They read the tables with the rights of Options.Definer. Those that begin with "internal_" are what the
// others are made of; their columns may change.
func Views() []string {
	var names []string
	for _, v := range views {
		names = append(names, v.name)
		if v.twin != nil {
			names = append(names, v.name+"_as_of")
		}
	}
	return names
}

// makeViews makes every view anew; each is replaced in one step, so that readers never miss one.
func makeViews(ctx context.Context, db *sql.DB, o Options) error {
	statements, err := o.viewStatements()
	if err != nil {
		return err
	}
	for _, s := range statements {
		if _, err := db.ExecContext(ctx, s.sql); err != nil {
			return fmt.Errorf("view %q: %w", s.name, err)
		}
	}
	return nil
}

type viewStatement struct{ name, sql string }

func (o Options) viewStatements() ([]viewStatement, error) {
	var statements []viewStatement
	for _, v := range views {
		text, err := o.viewText(v.name, v.plain)
		if err != nil {
			return nil, err
		}
		statements = append(statements, viewStatement{v.name, text})
		if v.twin == nil {
			continue
		}
		text, err = o.viewText(v.name, *v.twin)
		if err != nil {
			return nil, err
		}
		statements = append(statements, viewStatement{v.name + "_as_of", text})
	}
	return statements, nil
}

// viewText is the CREATE statement of a view. Only a view without parameters can have column comments.
func (o Options) viewText(name string, p parameters) (string, error) {
	t, err := o.viewTemplates(p)
	if err != nil {
		return "", err
	}
	target := name
	if p.AsOf {
		target += "_as_of"
	}
	columns, err := execute(t, name+".columns", p)
	if err != nil {
		return "", err
	}
	if columns = strings.TrimSpace(columns); columns != "" && p == (parameters{}) {
		columns = "\n(\n    " + columns + "\n)"
	} else {
		columns = ""
	}
	comment, err := execute(t, name+".comment", p)
	if err != nil {
		return "", err
	}
	body, err := execute(t, name, p)
	if err != nil {
		return "", err
	}
	return "CREATE OR REPLACE VIEW " + o.name(target) + o.onCluster() + columns + "\n" + o.definer() +
		"\nAS " + strings.TrimSpace(body) + "\nCOMMENT " + literal(comment), nil
}

func (o Options) viewTemplates(p parameters) (*template.Template, error) {
	return template.New("views").Option("missingkey=error").Funcs(template.FuncMap{
		"name": o.name,
		"asOf": p.asOf,
		"at":   p.at,
	}).ParseFS(viewFiles, "view/*.sql")
}

func execute(t *template.Template, name string, p parameters) (string, error) {
	if t.Lookup(name) == nil {
		return "", nil
	}
	var b bytes.Buffer
	if err := t.ExecuteTemplate(&b, name, p); err != nil {
		return "", err
	}
	return b.String(), nil
}

// asOf is the condition that the time in column is not after the one asked. An empty text means no bound.
func (p parameters) asOf(column string) string {
	if !p.AsOf {
		return "1"
	}
	return column + " <= parseDateTime64BestEffort(if({as_of:String} = '', '2299-12-31', {as_of:String}), 6, 'UTC')"
}

// at is the condition that the place in column is the one asked, or one of the organisation asked.
func (p parameters) at(column string) string {
	if !p.At {
		return "1"
	}
	return "({at:String} = '' OR " + column + " = {at:String} OR startsWith(" + column + ", concat({at:String}, '/')))"
}

// Downstream and Upstream are the two directions of a walk.
func (p parameters) Downstream() parameters {
	p.Direction, p.Heads, p.Tails = "ASC", "inputs", "[output]"
	return p
}

func (p parameters) Upstream() parameters {
	p.Direction, p.Heads, p.Tails = "DESC", "[output]", "inputs"
	return p
}
