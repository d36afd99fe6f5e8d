package dashboards_test

import (
	"os"
	"reflect"
	"regexp"
	"slices"
	"testing"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"go.yaml.in/yaml/v3"
)

// An alertRule is what this test reads of a provisioned alert rule.
type alertRule struct {
	UID, Title, Condition, For string
	NoDataState                string `yaml:"noDataState"`
	ExecErrState               string `yaml:"execErrState"`
	DashboardUID               string `yaml:"dashboardUid"`
	PanelID                    int    `yaml:"panelId"`
	Labels, Annotations        map[string]string
	Data                       []struct {
		RefID         string `yaml:"refId"`
		DatasourceUID string `yaml:"datasourceUid"`
		Model         struct {
			RawSQL     string `yaml:"rawSql"`
			Type       string
			Expression string
			Conditions []struct {
				Evaluator struct {
					Type   string
					Params []float64
				}
			}
		}
	}
}

func alertRules(t *testing.T) []alertRule {
	t.Helper()
	text, err := os.ReadFile("grafana/provisioning/alerting/rolltrace.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		APIVersion int `yaml:"apiVersion"`
		Groups     []struct {
			OrgID                  int `yaml:"orgId"`
			Name, Folder, Interval string
			Rules                  []alertRule
		}
	}
	if err := yaml.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	if file.APIVersion != 1 || len(file.Groups) != 1 || file.Groups[0].Folder != "Rolltrace" || len(file.Groups[0].Rules) == 0 {
		t.Fatalf("groups of alert rules: %+v", file)
	}
	return file.Groups[0].Rules
}

// Every rule has a number to ask for, a threshold, what to say, and a panel to look at.
func TestAlertRulesAreWellFormed(t *testing.T) {
	panels := map[string][]int{}
	for _, d := range load(t) {
		for _, p := range flat(d.Panels) {
			panels[d.UID] = append(panels[d.UID], p.ID)
		}
	}
	seen := map[string]bool{}
	for _, r := range alertRules(t) {
		if !regexp.MustCompile(`^rolltrace-[a-z-]{1,30}$`).MatchString(r.UID) || seen[r.UID] || r.Title == "" || r.For == "" || r.NoDataState == "" || r.ExecErrState == "" {
			t.Errorf("%s: want a uid of its own, a title, a duration, and states for no data and for errors", r.UID)
		}
		seen[r.UID] = true
		if !slices.Contains([]string{"warning", "critical"}, r.Labels["severity"]) || len(r.Annotations["description"]) < 30 || r.Annotations["summary"] == "" {
			t.Errorf("%s: want a severity, a summary and a description", r.UID)
		}
		if !slices.Contains(panels[r.DashboardUID], r.PanelID) {
			t.Errorf("%s: %s has no panel %d", r.UID, r.DashboardUID, r.PanelID)
		}
		if len(r.Data) != 2 || r.Data[0].DatasourceUID != "rolltrace-clickhouse" || r.Data[1].DatasourceUID != "__expr__" ||
			r.Data[1].RefID != r.Condition || r.Data[1].Model.Type != "threshold" || r.Data[1].Model.Expression != r.Data[0].RefID ||
			len(r.Data[1].Model.Conditions) != 1 || len(r.Data[1].Model.Conditions[0].Evaluator.Params) != 1 || r.Data[1].Model.Conditions[0].Evaluator.Type != "gt" {
			t.Errorf("%s: want one query, and a threshold of it as the condition: %+v", r.UID, r.Data)
		}
	}
}

// firing are the rules that the movements and faults of publish and note are above the threshold of.
var firing = []string{"rolltrace-silent-sidecar", "rolltrace-messages-missing", "rolltrace-rejected", "rolltrace-finding-high"}

// Every rule's question is answered by one number; those fire for which there is a reason.
func alertsAnswer(t *testing.T, conn driver.Conn) {
	for _, r := range alertRules(t) {
		f, err := run(t, conn, r.Data[0].Model.RawSQL)
		if err != nil || len(f.rows) != 1 || len(f.names) != 1 || f.kinds()[0] != isNumber {
			t.Errorf("%s: want one number: %v, %d rows of %v", r.UID, err, len(f.rows), f.types)
			continue
		}
		value := reflect.Indirect(reflect.ValueOf(f.rows[0][0])).Convert(reflect.TypeFor[float64]()).Float()
		if fires := value > r.Data[1].Model.Conditions[0].Evaluator.Params[0]; fires != slices.Contains(firing, r.UID) {
			t.Errorf("%s: %v: fires %v", r.UID, value, fires)
		}
	}
}
