package policy

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/cel-go/common/types"
	"go.yaml.in/yaml/v3"

	"github.com/rolltrace/rolltrace/schema"
)

func shippedRules(t testing.TB) *Rules {
	t.Helper()
	set, err := Shipped()
	if err != nil {
		t.Fatal(err)
	}
	return set
}

// emptyFacts are those of a subject of which nothing is known.
func emptyFacts(on string) *facts {
	f := newFacts(on)
	for _, v := range append(common, Variables[on]...) {
		switch v.Type.String() {
		case "string":
			f.text(v.Name, "")
		case "bool":
			f.flag(v.Name, false)
		case "int":
			f.number(v.Name, 0)
		case "double":
			f.share(v.Name, 0)
		case "list(string)":
			f.texts(v.Name, nil)
		case "google.protobuf.Duration", "duration":
			f.time(v.Name, 0)
		default:
			f.at(v.Name, time.Unix(0, 0))
		}
	}
	return f
}

// override sets facts as a case has them.
func override(t testing.TB, f *facts, on string, values map[string]any) {
	t.Helper()
	for name, value := range values {
		kind := ""
		for _, v := range Variables[on] {
			if v.Name == name {
				kind = v.Type.String()
			}
		}
		switch v := value.(type) {
		case string:
			switch kind {
			case "string":
				f.text(name, v)
			case "google.protobuf.Duration", "duration":
				d, err := time.ParseDuration(v)
				if err != nil {
					t.Fatal(err)
				}
				f.time(name, d)
			default:
				at, err := schema.ParseTime(v)
				if err != nil {
					t.Fatalf("%s (%s): %v", name, kind, err)
				}
				f.at(name, at.Time)
			}
		case bool:
			f.flag(name, v)
		case int:
			f.number(name, uint64(v))
		case float64:
			f.share(name, v)
		case []any:
			var list []string
			for _, item := range v {
				list = append(list, item.(string))
			}
			f.texts(name, list)
		default:
			t.Fatalf("%s: %v", name, value)
		}
	}
}

// Every rule has a file of cases, of which one at least finds something; all but a rule that finds something in everything have
// one that finds nothing.
func TestCases(t *testing.T) {
	rules := shippedRules(t)
	for _, r := range rules.All() {
		t.Run(r.ID, func(t *testing.T) {
			text, err := os.ReadFile(filepath.Join("testdata", "case", r.ID+".yaml"))
			if err != nil {
				t.Fatal(err)
			}
			var cases []struct {
				Case  string
				Facts map[string]any
				Finds string
			}
			if err := yaml.Unmarshal(text, &cases); err != nil {
				t.Fatal(err)
			}
			finds, passes := 0, 0
			for _, c := range cases {
				s := &subject{on: r.On, id: c.Case, facts: emptyFacts(r.On)}
				override(t, s.facts, r.On, c.Facts)
				finding, found, err := r.ask(s)
				if err != nil {
					t.Fatalf("%s: %v", c.Case, err)
				}
				if found != (c.Finds != "") || finding.Text != c.Finds {
					t.Errorf("%s: found %v %q, want %q", c.Case, found, finding.Text, c.Finds)
				}
				if found {
					finds++
				} else {
					passes++
				}
			}
			if finds == 0 || passes == 0 && r.When.Value != "true\n" {
				t.Errorf("%d cases find something, %d find nothing", finds, passes)
			}
		})
	}
	files, err := filepath.Glob("testdata/case/*.yaml")
	if err != nil || len(files) != len(rules.All()) {
		t.Errorf("%d files of cases for %d rules: %v", len(files), len(rules.All()), err)
	}
}

const soundRule = `id: x-rule
title: A title
severity: low
on: movement
means: something
why: because
when: |
  movement.kind == "share"
  && crosses
text: "to {movement.output}"
`

func writeRule(t testing.TB, texts ...string) []string {
	t.Helper()
	var files []string
	dir := t.TempDir()
	for i, text := range texts {
		file := filepath.Join(dir, fmt.Sprintf("%d.yaml", i))
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		files = append(files, file)
	}
	return files
}

// Whatever is wrong with a rule is told with file and line, and there is no set then.
func TestRulesAreRefused(t *testing.T) {
	slow := `movement.fields.all(a, movement.inputs.all(b, from.sources.all(c, policy.fields.all(d, a + b + c + d != ""))))`
	for name, c := range map[string]struct{ from, to, want string }{
		"unknown variable":       {"movement.kind ==", "movement.colour ==", "0.yaml:8: undeclared reference to 'movement'"},
		"another line":           {"&& crosses", "&& crossed", "0.yaml:9: undeclared reference to 'crossed'"},
		"no expression":          {`movement.kind == "share"`, `movement.kind == `, "0.yaml:9: Syntax error"},
		"wrong type":             {`movement.kind == "share"`, `movement.kind == 7`, "0.yaml:8: found no matching overload"},
		"no truth":               {"movement.kind == \"share\"\n  && crosses", "movement.kind", "0.yaml:8: the expression gives string: want bool"},
		"of another subject":     {"crosses", "place.registered", "0.yaml:9: undeclared reference to 'place'"},
		"could take too long":    {"crosses", slow, "0.yaml:8: the expression could take too long: it costs up to "},
		"unknown in the text":    {"{movement.output}", "{movement.colour}", "0.yaml:10: undeclared reference"},
		"open brace in the text": {"{movement.output}", "{movement.output", "0.yaml:10: text: a { without its }"},
		"unknown key":            {"severity: low", "severity: low\ncolour: red", "0.yaml:4: colour: unknown key"},
		"unknown severity":       {"severity: low", "severity: dire", `0.yaml:1: severity: "dire": want one of low, medium, high`},
		"unknown subject":        {"on: movement", "on: weather", `0.yaml:1: on: "weather": want one of movement, place`},
		"no reason":              {"why: because\n", "", "0.yaml:1: why: want one"},
		"no id":                  {"id: x-rule", "id: X rule", `0.yaml:1: id: "X rule": want`},
	} {
		t.Run(name, func(t *testing.T) {
			text := strings.Replace(soundRule, c.from, c.to, 1)
			if text == soundRule {
				t.Fatal("nothing was changed")
			}
			files := writeRule(t, text)
			set, err := Read(files...)
			if err == nil || set != nil {
				t.Fatal("it was taken")
			}
			if want := filepath.Join(filepath.Dir(files[0]), c.want); !strings.HasPrefix(err.Error(), want) {
				t.Errorf("have %q, want %q", err, want)
			}
		})
	}
	if _, err := Read(writeRule(t, soundRule, soundRule)...); err == nil || !strings.Contains(err.Error(), "is that of") {
		t.Errorf("two rules of one id: %v", err)
	}
	own, err := Load(filepath.Dir(writeRule(t, soundRule, strings.Replace(soundRule, "x-rule", "failed-movement", 1))[0]))
	if err != nil {
		t.Fatal(err)
	}
	if have, want := len(own.All()), len(shippedRules(t).All())+1; have != want {
		t.Errorf("%d rules with two of one's own, one of them in place of a shipped one: want %d", have, want)
	}
}

// A rule that takes too long on one subject is stopped there, with file and line, and the others go on.
func TestRuleIsStopped(t *testing.T) {
	slow := strings.Replace(soundRule, "movement.kind == \"share\"\n  && crosses", `movement.fields.all(a, movement.inputs.all(b, a + b != ""))`, 1)
	files := writeRule(t, slow, strings.Replace(strings.Replace(soundRule, "x-rule", "y-rule", 1), "&& crosses", "", 1))
	set, err := Read(files...)
	if err != nil {
		t.Fatal(err)
	}
	ordinary := &subject{on: OnMovement, id: "ordinary", facts: emptyFacts(OnMovement)}
	override(t, ordinary.facts, OnMovement, map[string]any{"movement.kind": "share", "movement.fields": []any{"name"}, "movement.inputs": []any{"a"}})
	large := &subject{on: OnMovement, id: "large", facts: emptyFacts(OnMovement)}
	large.facts.set("movement.kind", types.String("share"))
	large.facts.texts("movement.fields", strings.Split(strings.Repeat("a ", 400), " "))
	large.facts.texts("movement.inputs", strings.Split(strings.Repeat("b ", 400), " "))
	result, err := set.apply(t.Context(), []*subject{ordinary, large})
	if err != nil {
		t.Fatal(err)
	}
	if len(result.Stopped) != 1 || !strings.HasPrefix(result.Stopped[0], "rule x-rule: "+files[0]+":8: stopped: it takes too long") {
		t.Errorf("stopped: %q", result.Stopped)
	}
	var found []string
	for _, f := range result.Findings {
		found = append(found, f.Rule+" "+f.Subject)
	}
	if have := strings.Join(found, ", "); have != "x-rule ordinary, y-rule large, y-rule ordinary" {
		t.Errorf("found %s", have)
	}
}
