package dashboards_test

import (
	"context"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/rolltrace/rolltrace/schema"
	"github.com/rolltrace/rolltrace/schema/schematest"
)

// A frame is what a query returns: columns, and values row by row.
type frame struct {
	names, types []string
	rows         [][]any
}

// run sends SQL as the plug-in does, with the row limit that Grafana sets.
func run(t testing.TB, conn driver.Conn, sql string) (frame, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	ctx = clickhouse.Context(ctx, clickhouse.WithSettings(clickhouse.Settings{"limit": 1000000}))
	rows, err := conn.Query(ctx, sql)
	if err != nil {
		return frame{}, err
	}
	defer func() { _ = rows.Close() }()
	var f frame
	for _, c := range rows.ColumnTypes() {
		f.names, f.types = append(f.names, c.Name()), append(f.types, c.DatabaseTypeName())
	}
	for rows.Next() {
		row := make([]any, len(f.names))
		for i, c := range rows.ColumnTypes() {
			row[i] = reflect.New(c.ScanType()).Interface()
		}
		if err := rows.Scan(row...); err != nil {
			return frame{}, err
		}
		f.rows = append(f.rows, row)
	}
	return f, rows.Err()
}

// What Grafana makes of a column: the plug-in turns arrays and the like into JSON text, which no panel
// here can use.
const (
	isTime   = "time"
	isNumber = "number"
	isText   = "text"
)

func kind(databaseType string) string {
	bare := databaseType
	for _, wrapper := range []string{"LowCardinality(", "Nullable("} {
		if inner, ok := strings.CutPrefix(bare, wrapper); ok {
			bare = strings.TrimSuffix(inner, ")")
		}
	}
	switch {
	case strings.HasPrefix(bare, "Date"):
		return isTime
	case strings.HasPrefix(bare, "UInt"), strings.HasPrefix(bare, "Int"), strings.HasPrefix(bare, "Float"):
		return isNumber
	case bare == "String", bare == "Bool", bare == "UUID":
		return isText
	}
	return bare
}

func (f frame) kinds() []string {
	kinds := make([]string, len(f.types))
	for i, t := range f.types {
		kinds[i] = kind(t)
	}
	return kinds
}

// wrong says what a panel cannot show of a frame, or "".
func wrong(p panel, f frame) string {
	kinds := f.kinds()
	for i, k := range kinds {
		if k != isTime && k != isNumber && k != isText {
			return "column " + f.names[i] + " is of type " + f.types[i]
		}
	}
	switch p.Type {
	case "timeseries":
		if kinds[0] != isTime || f.names[0] != "time" || !slices.Contains(kinds, isNumber) || slices.Contains(kinds[1:], isTime) {
			return "want a column time first, then a number: " + strings.Join(f.names, ", ")
		}
		for i := 1; i < len(f.rows); i++ { // or the plug-in cannot turn rows into series
			if reflect.Indirect(reflect.ValueOf(f.rows[i][0])).Interface().(time.Time).Before(reflect.Indirect(reflect.ValueOf(f.rows[i-1][0])).Interface().(time.Time)) {
				return "rows are not in the order of time"
			}
		}
	case "stat":
		if len(f.rows) != 1 || len(kinds) != 1 || kinds[0] != isNumber {
			return "want one number: " + strings.Join(f.names, ", ")
		}
	case "nodeGraph":
		return wrongGraph(f)
	case "barchart":
		at := slices.Index(f.names, p.Options.XField)
		if at < 0 || kinds[at] != isText || !slices.Contains(kinds, isNumber) {
			return "want text in " + p.Options.XField + " and a number: " + strings.Join(f.names, ", ")
		}
	}
	if p.Type != "timeseries" { // whose fields are named after series
		for _, o := range p.FieldConfig.Overrides {
			if o.Matcher.ID == "byName" && !slices.Contains(f.names, o.Matcher.Options) {
				return "an override for " + o.Matcher.Options + ", which the query does not return"
			}
		}
	}
	return ""
}

// wrongGraph says what the node graph panel cannot show of one of its frames: it tells them apart by the field source.
func wrongGraph(f frame) string {
	kinds := f.kinds()
	want := map[string]string{"id": isText, "mainstat": isNumber, "secondarystat": isNumber}
	if slices.Contains(f.names, "source") {
		want["source"], want["target"], want["thickness"] = isText, isText, isNumber
	} else {
		want["title"], want["subtitle"], want["color"] = isText, isText, isText
	}
	for name, kind := range want {
		if at := slices.Index(f.names, name); at < 0 || kinds[at] != kind {
			return "want a " + kind + " in " + name + ": " + strings.Join(f.names, ", ")
		}
	}
	ids := f.column("id")
	if unique := slices.Compact(slices.Sorted(slices.Values(ids))); len(unique) != len(ids) {
		return "ids are not unique"
	}
	return ""
}

// column is a column of texts.
func (f frame) column(name string) []string {
	at := slices.Index(f.names, name)
	var out []string
	for _, row := range f.rows {
		out = append(out, *row[at].(*string))
	}
	return out
}

// The ends of every edge of a node graph are among its nodes.
func edgesHaveNodes(t *testing.T, frames map[string]frame) {
	t.Helper()
	ids := frames[nodes].column("id")
	for _, end := range slices.Concat(frames[edges].column("source"), frames[edges].column("target")) {
		if !slices.Contains(ids, end) {
			t.Errorf("an edge ends at %s, which is no node of %v", end, ids)
		}
	}
}

// period is one that has the sample movements and this moment in it.
func period() query {
	q := query{from: schematest.Began.Add(-24 * time.Hour), to: time.Now().Add(time.Hour)}
	q.interval = q.to.Sub(q.from) / 120
	return q
}

func TestPanels(t *testing.T) {
	conn := startCentre(t)
	t.Run("answer", func(t *testing.T) { panelsAnswer(t, conn) })
	t.Run("are right", func(t *testing.T) { panelsAreRight(t, conn) })
	t.Run("alerts", func(t *testing.T) { alertsAnswer(t, conn) })
	t.Run("say nothing of nothing", func(t *testing.T) { panelsAreEmpty(t, conn) })
}

// seldom are panels for which these movements have nothing to show.
var seldom = []string{
	"rolltrace-organisation/Agreements", "rolltrace-organisation/Copies left elsewhere", "rolltrace-health/Holes",
}

func panelsAnswer(t *testing.T, conn driver.Conn) {
	for _, d := range load(t) {
		all, single := choices(t, conn, d)
		for _, p := range flat(d.Panels) {
			t.Run(d.UID+"/"+p.Title, func(t *testing.T) {
				some := !slices.Contains(seldom, d.UID+"/"+p.Title)
				q := period()
				q.variables = all
				frames := map[string]frame{}
				for _, target := range p.Targets {
					frames[target.RefID] = answer(t, conn, q, p, target.RawSQL, some)
				}
				if p.Type == "nodeGraph" {
					edgesHaveNodes(t, frames)
				}
				for _, values := range [][]string{{"party-a"}, {"party-a", "acme-mail"}, {`o'x`}} {
					q.variables = map[string]choice{}
					for name, chosen := range all {
						q.variables[name] = choice{values: values}
						if slices.Contains(single, name) && values[0] == "party-a" {
							q.variables[name] = chosen
						}
						if d.UID != "rolltrace-flow-overview" && name != "org" && name != "organisation" && values[0] == "party-a" {
							q.variables[name] = chosen
						}
					}
					for _, target := range p.Targets {
						answer(t, conn, q, p, target.RawSQL, some && values[0] == "party-a" && !strings.HasPrefix(p.Title, "Rejected messages"))
					}
				}
			})
		}
		if d.UID == "rolltrace-lineage" { // organisations were above
			for _, p := range flat(d.Panels) {
				q := period()
				q.variables = map[string]choice{"org": all["org"], "by": {values: []string{"places"}}}
				frames := map[string]frame{}
				for _, target := range p.Targets {
					frames[target.RefID] = answer(t, conn, q, p, target.RawSQL, true)
				}
				if p.Type == "nodeGraph" {
					edgesHaveNodes(t, frames)
				}
			}
		}
	}
}

// choices are what can be chosen for the variables of a dashboard: all, or, where one alone can be, one; single are those.
func choices(t testing.TB, conn driver.Conn, d dashboard) (all map[string]choice, single []string) {
	t.Helper()
	all = map[string]choice{}
	for _, v := range d.Templating.List {
		chosen := choice{all: true}
		switch v.Type {
		case "query":
			f, err := run(t, conn, v.Query)
			if err != nil || len(f.rows) == 0 || f.kinds()[0] != isText {
				t.Fatalf("%s: variable %s: %v, %d rows of %v", d.file, v.Name, err, len(f.rows), f.types)
			}
			chosen.values = f.column(f.names[0])
		case "custom":
			for _, o := range v.Options {
				chosen.values = append(chosen.values, o.Value)
			}
		case "textbox":
			chosen.values = []string{schematest.Keys(0, 1)[0].String()}
		default:
			t.Fatalf("%s: variable %s: of the type %s", d.file, v.Name, v.Type)
		}
		if !v.Multi {
			single = append(single, v.Name)
			chosen = choice{values: chosen.values[:1]}
			if v.Name == "organisation" {
				chosen.values[0] = "party-a"
			}
		}
		all[v.Name] = chosen
	}
	return all, single
}

// answer runs a panel's SQL and checks what it returns.
func answer(t *testing.T, conn driver.Conn, q query, p panel, sql string, some bool) frame {
	t.Helper()
	expanded, err := q.expand(sql)
	if err != nil {
		t.Fatal(err)
	}
	f, err := run(t, conn, expanded)
	if err != nil {
		t.Fatalf("%v\n%s", err, expanded)
	}
	if fault := wrong(p, f); fault != "" {
		t.Error(fault)
	}
	if some && len(f.rows) == 0 {
		t.Errorf("no rows for %v\n%s", q.variables, expanded)
	}
	return f
}

// find is a panel of the Flow overview, and a query of all organisations over the period.
func find(t *testing.T, title string) (panel, query) {
	t.Helper()
	for _, d := range load(t) {
		for _, p := range flat(d.Panels) {
			if d.UID == "rolltrace-flow-overview" && p.Title == title {
				q := period()
				q.variables = map[string]choice{"org": {all: true}}
				return p, q
			}
		}
	}
	t.Fatalf("the Flow overview has no panel %q", title)
	return panel{}, query{}
}

// What is in the log is known: see publish.
func panelsAreRight(t *testing.T, conn driver.Conn) {
	var movements, shares uint64
	kinds := map[string]bool{}
	for _, s := range schematest.Samples() {
		if s.Movement.Outcome == schema.Retracted {
			continue
		}
		movements++
		kinds[string(s.Movement.Kind)] = true
		if s.Movement.Kind == schema.Share {
			shares++
		}
	}
	for title, want := range map[string]uint64{"Movements": movements, "Open": 1, "Failed": 1, "Consumer behind": 0, "Silent sidecars": 1, "Rejected": 1} {
		p, q := find(t, title)
		f := answer(t, conn, q, p, p.Targets[0].RawSQL, true)
		if got := reflect.Indirect(reflect.ValueOf(f.rows[0][0])).Interface(); got != any(want) {
			t.Errorf("%s: %v, want %d", title, got, want)
		}
	}
	for title, want := range map[string]int{"Latest shares": int(shares), "Open and failed movements": 2, "Sidecars": 1, "Gaps and holes": 2, "Rejected messages": 1} {
		p, q := find(t, title)
		if f := answer(t, conn, q, p, p.Targets[0].RawSQL, true); len(f.rows) != want {
			t.Errorf("%s: %d rows, want %d: %v", title, len(f.rows), want, f.names)
		}
	}
	p, q := find(t, "Electors reached, by organisation")
	reached := map[string]uint64{}
	for _, row := range answer(t, conn, q, p, p.Targets[0].RawSQL, true).rows {
		reached[*row[0].(*string)] = *row[1].(*uint64)
	}
	if !maps.Equal(reached, reachedBySamples()) {
		t.Errorf("%s: %v, want %v", p.Title, reached, reachedBySamples())
	}
	p, q = find(t, "Movements by kind")
	f := answer(t, conn, q, p, p.Targets[0].RawSQL, true)
	var counted uint64
	for _, row := range f.rows {
		if !kinds[*row[1].(*string)] {
			t.Errorf("%s: a kind %s", p.Title, *row[1].(*string))
		}
		counted += *row[2].(*uint64)
	}
	if counted != movements {
		t.Errorf("%s: %d movements in all, want %d", p.Title, counted, movements)
	}
}

// reachedBySamples counts the different keys that the sample movements brought to each organisation.
func reachedBySamples() map[string]uint64 {
	sets := map[string]map[schema.Key]bool{}
	for _, s := range schematest.Samples() {
		if s.Movement.Outcome == schema.Retracted || s.Movement.Output == "" {
			continue
		}
		for _, chunk := range s.Chunks {
			label := s.Movement.Output.Org() + " (" + string(chunk.IDSpace) + ")"
			if sets[label] == nil {
				sets[label] = map[schema.Key]bool{}
			}
			for _, key := range chunk.Keys {
				sets[label][key] = true
			}
		}
	}
	counts := map[string]uint64{}
	for label, set := range sets {
		counts[label] = uint64(len(set))
	}
	return counts
}

// Before anything happened the panels still answer, and the lists are empty: the texts for no data are shown.
func panelsAreEmpty(t *testing.T, conn driver.Conn) {
	for _, title := range []string{"Movements by kind", "Latest shares", "Open and failed movements", "Electors reached, by organisation", "What could change the answers", "Rejected messages"} {
		p, q := find(t, title)
		q.from, q.to = q.from.AddDate(-10, 0, 0), q.to.AddDate(-10, 0, 0)
		if f := answer(t, conn, q, p, p.Targets[0].RawSQL, false); len(f.rows) != 0 && title != "What could change the answers" {
			t.Errorf("%s: %d rows ten years before", title, len(f.rows))
		}
	}
}
