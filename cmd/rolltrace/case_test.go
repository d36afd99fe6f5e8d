package main

import (
	"bytes"
	"encoding/json"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/rolltrace/rolltrace/cmd/internal/demo"
)

// play runs a demo and returns its report.
func play(t *testing.T, args ...string) demo.Report {
	t.Helper()
	cmd := demoCmd(t, append(args, "--json")...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		t.Fatalf("%v: %v: %s", args, err, &stderr)
	}
	noProcessLeft(t, filepath.Dir(cmd.Path))
	var report demo.Report
	decoder := json.NewDecoder(&stdout)
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&report); err != nil || decoder.More() {
		t.Fatalf("one JSON document: %v", err)
	}
	return report
}

// endOf are the questions of the end.
func endOf(r demo.Report) []demo.Asked {
	return slices.DeleteFunc(slices.Clone(r.Questions), func(q demo.Asked) bool { return q.After != "" })
}

// Every number of every case can be counted again from its files; and where nothing flows now, the same declarations
// in another order give the same answers, byte for byte but for the time at which they were handed in.
func TestCases(t *testing.T) {
	for _, name := range demo.Scenarios() {
		if name == demo.ChristmasCards {
			continue // TestDemo
		}
		t.Run(name, func(t *testing.T) {
			data := filepath.Join(t.TempDir(), "told")
			told := play(t, name, "--scale", "0.0002", "--data", data)
			numbers := map[string]int{}
			for _, q := range endOf(told) {
				for name, n := range q.Numbers {
					if have, ok := numbers[name]; ok && have != int(n) {
						t.Errorf("%s is %d, and %d", name, have, n)
					}
					numbers[name] = int(n)
				}
				if strings.ContainsAny(q.Say, "{}") || q.Say == "" {
					t.Errorf("%s: it says %q", q.Name, q.Say)
				}
			}
			if counted := recounted(t, data); !reflect.DeepEqual(numbers, counted) {
				t.Errorf("the demo says %v, recount.sh %v", numbers, counted)
			}
			scenario, err := demo.FindScenario(name)
			if err != nil {
				t.Fatal(err)
			}
			if !scenario.Shuffles() {
				return
			}
			for _, order := range []string{"1", "2"} {
				again := play(t, name, "--scale", "0.0002", "--shuffle", order, "--key", filepath.Join(data, demo.KeyFile), "--data", filepath.Join(t.TempDir(), "again"))
				for i, want := range endOf(told) {
					have, want := timeless(endOf(again)[i]), timeless(want)
					if at := differ(have, want); at >= 0 {
						t.Errorf("order %s: question %d: …%.200s\nwant …%.200s", order, i+1, have[max(0, at-100):], want[max(0, at-100):])
					}
				}
			}
		})
	}
}

// timeless is a question with its answers but for when each movement was handed in, which was not at the same time.
func timeless(q demo.Asked) string {
	encoded, _ := json.Marshal(q)
	return regexp.MustCompile(`"recorded_at":"[^"]*"`).ReplaceAllString(string(encoded), `"recorded_at":"…"`)
}

// differ is where two texts begin to differ, or -1.
func differ(a, b string) int {
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return i
		}
	}
	if len(a) != len(b) {
		return min(len(a), len(b))
	}
	return -1
}

// Flags that size another case, and names of none, are refused.
func TestDemoRefusesWhatDoesNotFit(t *testing.T) {
	for args, want := range map[string]string{
		"no-such-case":                    `scenario "no-such-case": there are cambridge-analytica, christmas-cards`,
		"christmas-cards --scale 0.5":     "--scale: not for christmas-cards",
		"cambridge-analytica --national":  "--national: not for cambridge-analytica",
		"cambridge-analytica --scale 1.5": "scale 1.5: want more than 0, and at most 1",
	} {
		said, err := demoCmd(t, strings.Fields(args)...).CombinedOutput()
		if err == nil || !strings.Contains(string(said), want) {
			t.Errorf("%s: %v, %s", args, err, said)
		}
	}
	if said, err := demoCmd(t, "--list").Output(); err != nil || strings.Count(string(said), "\n") != 1+len(demo.Scenarios()) {
		t.Errorf("--list: %v, %s", err, said)
	}
}
