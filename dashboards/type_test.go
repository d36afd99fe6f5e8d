package dashboards_test

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// typesFolder has what it takes to ask Grafana's own types: their package, pinned, and the compiler.
const typesFolder = "grafana/types"

// checkTypes says what Grafana's types say against some TypeScript.
func checkTypes(t *testing.T, text string) (said string, err error) {
	t.Helper()
	folder := t.TempDir()
	for _, name := range []string{"package.json", "package-lock.json", "tsconfig.json", "values.ts"} {
		content, err := os.ReadFile(filepath.Join(typesFolder, name))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(folder, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(folder, "check.ts"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	install := exec.Command("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline")
	install.Dir = folder
	if out, err := install.CombinedOutput(); err != nil {
		t.Fatalf("fetch Grafana's types: %v: %s", err, out)
	}
	compiler := exec.Command("node", "node_modules/typescript/bin/tsc", "-p", ".", "--pretty", "false")
	compiler.Dir = folder
	out, err := compiler.CombinedOutput()
	return string(out), err
}

// dashboardsAsTypeScript declares each dashboard, and each panel's options, to be of its type, a line each.
func dashboardsAsTypeScript(t *testing.T) string {
	t.Helper()
	text := []string{`import type { Custom, Options, Whole } from "./values";`}
	for n, d := range load(t) {
		content, err := os.ReadFile(d.file)
		if err != nil {
			t.Fatal(err)
		}
		var whole struct {
			Panels []struct {
				Type        string
				Options     json.RawMessage
				FieldConfig struct {
					Defaults struct{ Custom json.RawMessage }
				}
			}
		}
		if err := json.Unmarshal(content, &whole); err != nil {
			t.Fatal(err)
		}
		oneLine := func(raw []byte) string { return strings.Join(strings.Fields(string(raw)), " ") }
		text = append(text, fmt.Sprintf("export const dashboard%d: Whole = %s;", n, oneLine(content)))
		for i, p := range whole.Panels {
			if p.Options != nil {
				text = append(text, fmt.Sprintf("export const options%d_%d: Options[%q] = %s;", n, i, p.Type, oneLine(p.Options)))
			}
			if p.FieldConfig.Defaults.Custom != nil {
				text = append(text, fmt.Sprintf("export const custom%d_%d: Custom[%q] = %s;", n, i, p.Type, oneLine(p.FieldConfig.Defaults.Custom)))
			}
		}
	}
	return strings.Join(text, "\n") + "\n"
}

// Every dashboard is what @grafana/schema says that a dashboard is, and so are its panels' options.
func TestDashboardsAreOfGrafanasTypes(t *testing.T) {
	text := dashboardsAsTypeScript(t)
	if said, err := checkTypes(t, text); err != nil {
		t.Errorf("%v:\n%s", err, said)
	}
	var expected []string
	for right, wrong := range map[string][2]string{
		`"editable": false`: {`"editable": "no"`, "to type 'boolean"}, `"schemaVersion": 42`: {`"schemaVersion": "42"`, "to type 'number'"},
		`"colorMode": "value"`: {`"colorMode": "rainbow"`, `"rainbow"`}, `"layoutAlgorithm": "layered"`: {`"layoutAlgorithm": "star"`, `"star"`},
	} {
		if !strings.Contains(text, right) {
			t.Fatalf("no dashboard has %s", right)
		}
		text = strings.ReplaceAll(text, right, wrong[0])
		expected = append(expected, wrong[1])
	}
	said, err := checkTypes(t, text)
	for _, fault := range expected {
		if err == nil || !strings.Contains(said, fault) {
			t.Errorf("the types let pass what is not assignable, %s: %v", fault, err)
		}
	}
}
