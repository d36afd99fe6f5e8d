package dashboards_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// dashboard is what these tests read of a dashboard's JSON.
type dashboard struct {
	file          string
	UID           string   `json:"uid"`
	ID            *int     `json:"id"`
	Title         string   `json:"title"`
	Description   string   `json:"description"`
	Tags          []string `json:"tags"`
	SchemaVersion int      `json:"schemaVersion"`
	Timezone      string   `json:"timezone"`
	Editable      bool     `json:"editable"`
	Time          struct{ From, To string }
	Templating    struct{ List []variable }
	Panels        []panel
}

type variable struct {
	Name, Label, Description, Type string
	Query                          string
	Datasource                     source
	Multi, IncludeAll              bool
	AllValue                       string
	Options                        []struct{ Value string }
}

type source struct{ Type, UID string }

type panel struct {
	ID                       int
	Type, Title, Description string
	Datasource               source
	GridPos                  struct{ X, Y, W, H int }
	Targets                  []target
	Panels                   []panel
	FieldConfig              struct {
		Defaults struct {
			Unit, NoValue string
			Thresholds    struct {
				Mode  string
				Steps []struct {
					Color string
					Value *float64
				}
			}
			Links []dataLink
		}
		Overrides []struct {
			Matcher    struct{ ID, Options string }
			Properties []struct {
				ID    string
				Value json.RawMessage
			}
		}
	}
	Options struct {
		XField        string
		ReduceOptions struct{ Calcs []string }
	}
}

// A dataLink leads from a value to another dashboard.
type dataLink struct{ Title, URL string }

// links are those of all values of a panel.
func (p panel) links(t *testing.T) []dataLink {
	t.Helper()
	all := p.FieldConfig.Defaults.Links
	for _, o := range p.FieldConfig.Overrides {
		for _, property := range o.Properties {
			var some []dataLink
			if property.ID == "links" {
				if err := json.Unmarshal(property.Value, &some); err != nil {
					t.Fatal(err)
				}
			}
			all = append(all, some...)
		}
	}
	return all
}

type target struct {
	RefID, RawSQL, EditorType, QueryType, PluginVersion string
	Format                                              int
	Datasource                                          source
}

// The queries of a node graph.
const (
	nodes = "nodes"
	edges = "edges"
)

// The formats of the plug-in's queries.
const (
	formatTimeSeries = 0
	formatTable      = 1
)

// load reads every dashboard.
func load(t testing.TB) []dashboard {
	t.Helper()
	files, err := filepath.Glob("grafana/dashboards/*.json")
	if err != nil {
		t.Fatal(err)
	}
	if len(files) == 0 {
		t.Fatal("no dashboards")
	}
	var all []dashboard
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		d := dashboard{file: file}
		if err := json.Unmarshal(text, &d); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		all = append(all, d)
	}
	return all
}

// sources reads the data sources that Grafana is provisioned with, by uid.
func sources(t *testing.T) map[string]string {
	t.Helper()
	text, err := os.ReadFile("grafana/provisioning/datasources/rolltrace.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		APIVersion  int `yaml:"apiVersion"`
		Datasources []struct {
			Name, UID, Type string
			Editable        bool
			JSONData        map[string]any    `yaml:"jsonData"`
			SecureJSONData  map[string]string `yaml:"secureJsonData"`
		}
	}
	if err := yaml.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	found := map[string]string{}
	for _, s := range file.Datasources {
		found[s.UID] = s.Type
		if s.JSONData["username"] != "dashboard" {
			t.Errorf("data source %s is the user %v, want dashboard", s.Name, s.JSONData["username"])
		}
		if !regexp.MustCompile(`^\$__file\{/run/secrets/[\w.-]+\}$`).MatchString(s.SecureJSONData["password"]) {
			t.Errorf("data source %s: the password is not read from a file", s.Name)
		}
		if s.Editable {
			t.Errorf("data source %s can be edited in Grafana", s.Name)
		}
	}
	return found
}

func TestDashboardsAreWellFormed(t *testing.T) {
	known := sources(t)
	if known["rolltrace-clickhouse"] != "grafana-clickhouse-datasource" {
		t.Errorf("data sources are %v, want rolltrace-clickhouse of the plug-in", known)
	}
	resolves := func(s source) bool { return s.Type != "" && known[s.UID] == s.Type }
	uids := map[string]string{}
	for _, d := range load(t) {
		fault := func(format string, args ...any) { t.Errorf(d.file+": "+format, args...) }
		if !regexp.MustCompile(`^rolltrace-[a-z0-9-]{1,30}$`).MatchString(d.UID) || d.ID != nil {
			fault("uid %q, id %v: want a fixed uid rolltrace-… and no id", d.UID, d.ID)
		}
		if other := uids[d.UID]; other != "" {
			fault("has the uid of %s", other)
		}
		uids[d.UID] = d.file
		if d.Title == "" || d.Description == "" || !slices.Contains(d.Tags, "rolltrace") || d.SchemaVersion != 42 || d.Timezone != "utc" || d.Editable || d.Time.From == "" {
			fault("title, description, tag rolltrace, schemaVersion 42, timezone utc, not editable, a period: %+v", d)
		}
		for _, v := range d.Templating.List {
			if v.Type == "query" && (!resolves(v.Datasource) || v.Query == "") || v.Label == "" || v.Description == "" {
				fault("variable %s: want a data source that is provisioned, a query, a label and a description", v.Name)
			}
			if v.IncludeAll && v.AllValue != "" {
				fault("variable %s: $__conditionalAll does not see All when it has a value", v.Name)
			}
		}
		ids := map[int]bool{}
		for _, p := range flat(d.Panels) {
			if p.ID == 0 || ids[p.ID] {
				fault("panel %q: id %d is missing or taken", p.Title, p.ID)
			}
			ids[p.ID] = true
			if p.Type != "row" {
				for _, f := range faults(p, resolves) {
					fault("panel %d %q: %s", p.ID, p.Title, f)
				}
			}
		}
		for _, f := range overlaps(d.Panels) {
			fault("%s", f)
		}
	}
}

func flat(panels []panel) []panel {
	var all []panel
	for _, p := range panels {
		all = append(append(all, p), flat(p.Panels)...)
	}
	return all
}

// faults are those of one panel's frame: what it says, and what it says when there is nothing.
func faults(p panel, resolves func(source) bool) (found []string) {
	require := func(ok bool, format string, args ...any) {
		if !ok {
			found = append(found, fmt.Sprintf(format, args...))
		}
	}
	require(p.Title != "" && len(p.Description) > 30, "want a title and a description")
	require(resolves(p.Datasource), "data source %+v is not provisioned", p.Datasource)
	require(p.FieldConfig.Defaults.Unit != "", "want a unit")
	require(p.FieldConfig.Defaults.NoValue != "", "want a text for no data")
	steps := p.FieldConfig.Defaults.Thresholds.Steps
	require(len(steps) > 0 && steps[0].Value == nil, "want thresholds, the first without a value")
	for i := 2; i < len(steps); i++ {
		require(*steps[i-1].Value < *steps[i].Value, "thresholds do not rise")
	}
	if p.Type == "nodeGraph" {
		require(len(p.Targets) == 2 && p.Targets[0].RefID == nodes && p.Targets[1].RefID == edges, "want the queries %s and %s", nodes, edges)
	} else {
		require(len(p.Targets) == 1, "want one query")
	}
	for _, q := range p.Targets {
		require(resolves(q.Datasource), "query %s: data source %+v is not provisioned", q.RefID, q.Datasource)
		require(q.EditorType == "sql" && q.RawSQL != "" && q.PluginVersion != "", "query %s: want SQL, and the plug-in's version", q.RefID)
		wantFormat, wantType := formatTable, "table"
		if p.Type == "timeseries" {
			wantFormat, wantType = formatTimeSeries, "timeseries"
		}
		require(q.Format == wantFormat && q.QueryType == wantType, "query %s: format %d, type %s: want %d, %s", q.RefID, q.Format, q.QueryType, wantFormat, wantType)
	}
	switch p.Type {
	case "stat":
		require(slices.Equal(p.Options.ReduceOptions.Calcs, []string{"lastNotNull"}), "want the last value that is not null")
	case "barchart":
		require(p.Options.XField != "", "want the field of its labels")
	case "timeseries", "table", "nodeGraph":
	default:
		require(false, "these tests do not know what a panel of type %s needs", p.Type)
	}
	return found
}

// overlaps are panels that lie over each other, or off the 24 columns.
func overlaps(panels []panel) (found []string) {
	for i, a := range panels {
		g := a.GridPos
		if g.W < 1 || g.H < 1 || g.X < 0 || g.Y < 0 || g.X+g.W > 24 {
			found = append(found, fmt.Sprintf("panel %d is off the grid", a.ID))
		}
		for _, b := range panels[:i] {
			o := b.GridPos
			if g.X < o.X+o.W && o.X < g.X+g.W && g.Y < o.Y+o.H && o.Y < g.Y+g.H {
				found = append(found, fmt.Sprintf("panels %d and %d overlap", b.ID, a.ID))
			}
		}
	}
	return found
}

// A link from a value leads to a dashboard that is there, and sets variables that it has.
func TestLinksLeadSomewhere(t *testing.T) {
	variables := map[string][]string{}
	for _, d := range load(t) {
		variables[d.UID] = []string{}
		for _, v := range d.Templating.List {
			variables[d.UID] = append(variables[d.UID], v.Name)
		}
	}
	linked := map[string]bool{}
	for _, d := range load(t) {
		for _, p := range flat(d.Panels) {
			for _, l := range p.links(t) {
				found := regexp.MustCompile(`^/d/([a-z-]+)\?\$\{__url_time_range\}((?:&var-[a-z]+=\$\{__(?:value\.text|data\.fields\.\w+):percentencode\})+)$`).FindStringSubmatch(l.URL)
				if found == nil || l.Title == "" || variables[found[1]] == nil {
					t.Errorf("%s: %s: the link %q to %s leads nowhere", d.UID, p.Title, l.Title, l.URL)
					continue
				}
				linked[found[1]] = true
				for _, v := range regexp.MustCompile(`&var-([a-z]+)=`).FindAllStringSubmatch(found[2], -1) {
					if !slices.Contains(variables[found[1]], v[1]) {
						t.Errorf("%s: %s: %s has no variable %s", d.UID, p.Title, found[1], v[1])
					}
				}
			}
		}
	}
	for _, uid := range []string{"rolltrace-organisation", "rolltrace-movements"} {
		if !linked[uid] {
			t.Errorf("nothing leads to %s", uid)
		}
	}
}

func TestOverlapsAreFound(t *testing.T) {
	at := func(id, x, y, w, h int) panel {
		p := panel{ID: id}
		p.GridPos.X, p.GridPos.Y, p.GridPos.W, p.GridPos.H = x, y, w, h
		return p
	}
	if found := overlaps([]panel{at(1, 0, 0, 12, 4), at(2, 12, 0, 12, 4), at(3, 0, 4, 24, 1)}); len(found) != 0 {
		t.Errorf("side by side: %v", found)
	}
	for _, wrong := range [][]panel{
		{at(1, 0, 0, 12, 4), at(2, 11, 3, 12, 4)}, {at(1, 0, 0, 24, 4), at(2, 5, 1, 2, 2)}, {at(1, 13, 0, 12, 4)}, {at(1, 0, 0, 0, 4)},
	} {
		if len(overlaps(wrong)) == 0 {
			t.Errorf("%+v: nothing found", wrong)
		}
	}
}

func TestDashboardsProvider(t *testing.T) {
	text, err := os.ReadFile("grafana/provisioning/dashboards/rolltrace.yaml")
	if err != nil {
		t.Fatal(err)
	}
	compose, err := os.ReadFile("../compose.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Providers []struct {
			Type            string
			AllowUIUpdates  bool `yaml:"allowUiUpdates"`
			DisableDeletion bool `yaml:"disableDeletion"`
			Options         struct{ Path string }
		}
	}
	if err := yaml.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	if len(file.Providers) != 1 || file.Providers[0].Type != "file" || file.Providers[0].AllowUIUpdates || !file.Providers[0].DisableDeletion {
		t.Fatalf("providers: %+v", file.Providers)
	}
	if mount := "./dashboards/grafana/dashboards:" + file.Providers[0].Options.Path + ":ro"; !strings.Contains(string(compose), mount) {
		t.Errorf("compose.yaml does not mount %s", mount)
	}
}
