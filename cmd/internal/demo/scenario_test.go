package demo

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// Every scenario fits together, and a document that an attestation names is there, with that hash.
func TestScenariosFitTogether(t *testing.T) {
	for _, name := range Scenarios() {
		s, err := FindScenario(name)
		if err != nil {
			t.Fatal(err)
		}
		folder := path.Join("scenario", name)
		entries, err := scenarios.ReadDir(folder)
		if err != nil {
			t.Fatal(err)
		}
		hashes := map[string]string{}
		for _, entry := range entries {
			if entry.IsDir() {
				continue
			}
			content, err := scenarios.ReadFile(path.Join(folder, entry.Name()))
			if err != nil {
				t.Fatal(err)
			}
			sum := sha256.Sum256(content)
			hashes["sha256:"+hex.EncodeToString(sum[:])] = entry.Name()
		}
		if !slices.ContainsFunc(entries, func(e fs.DirEntry) bool { return e.Name() == RecountFile }) {
			t.Errorf("%s: no %s", name, RecountFile)
		}
		for _, step := range s.Steps {
			encoded, err := json.Marshal(step.Emit)
			if err != nil {
				t.Fatal(err)
			}
			for _, hash := range regexp.MustCompile(`sha256:[0-9a-f]{64}`).FindAllString(string(encoded), -1) {
				if hashes[hash] == "" {
					t.Errorf("%s: step %q: no document has the hash %s", name, step.Title, hash)
				}
			}
			for _, line := range step.Emit {
				if agreement, _ := line["agreement"].(string); agreement != "" && s.Agreements[agreement] == "" {
					t.Errorf("%s: step %q: nothing says what agreement %s allows", name, step.Title, agreement)
				}
			}
			if len(step.Title) > 110 {
				t.Errorf("%s: step %q: too long for one line", name, step.Title)
			}
		}
	}
}

func TestScenariosThatDoNotFitAreRefused(t *testing.T) {
	for _, c := range []struct {
		change func(*Scenario)
		want   string
	}{
		{func(s *Scenario) { s.Story = "" }, "want title, story and sources"},
		{func(s *Scenario) { s.People = append(s.People, s.People[0]) }, "stands twice"},
		{func(s *Scenario) { s.Files[0].Path = "nobody/a.csv" }, "of no organisation"},
		{func(s *Scenario) { s.Files[0].Groups = []string{"nobody"} }, `no group "nobody"`},
		{func(s *Scenario) { s.Steps[0].By = "nobody" }, "want an organisation"},
		{func(s *Scenario) { s.Steps[0].Sources = []string{"hearsay"} }, `no source "hearsay"`},
		{func(s *Scenario) { s.Steps[0].Sources = nil }, "want what is public of it, with sources"},
		{func(s *Scenario) { s.Steps[0].Emit = append(s.Steps[0].Emit, s.Steps[0].Emit[0]) }, "a line that stands twice"},
		{func(s *Scenario) { s.Scale = 2 }, "at most 1"},
	} {
		s, err := FindScenario("cambridge-analytica")
		if err != nil {
			t.Fatal(err)
		}
		c.change(s)
		if err := s.validate(); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("have %v, want %q", err, c.want)
		}
	}
}

// Files have as many people as the scale says, everybody in one group, and never an empty cell.
func TestPeople(t *testing.T) {
	c := newCrowd([]Group{{Group: "on", Full: 3000, Elector: true, Country: "CA"}, {Group: "off", Full: 20, Country: "GB"}, {Group: "few", Full: 1}}, 0.1)
	folder := t.TempDir()
	f := File{Path: "all.csv", Groups: []string{"off", "on", "few"}, Columns: []string{"elector_id", "family_name", "given_name", "civic_address", "municipality", "x_score", "email", "phone"}}
	if err := c.write(folder, f); err != nil {
		t.Fatal(err)
	}
	people := rows(t, path.Join(folder, "all.csv"))
	if len(people) != 303 || c.count != 303 {
		t.Errorf("%d people, %d", len(people), c.count)
	}
	for id, row := range people {
		if slices.Contains(row, "") || len(row) != len(f.Columns) {
			t.Errorf("%s: %q", id, row)
		}
	}
	for group, at := range map[string]int{"on": 299, "off": 1, "few": 0} {
		if id, err := c.id(group, at); err != nil || people[id] == nil {
			t.Errorf("%s %d: %s, %v", group, at, id, err)
		}
	}
	if _, err := c.id("on", 300); err == nil {
		t.Error("one more than there are")
	}
}

func TestPick(t *testing.T) {
	var answer any
	if err := json.Unmarshal([]byte(`{"notes": [], "at": 7, "places": [
		{"place": "a/b/c", "electors": [{"id_space": "elector-id", "electors": 3}, {"id_space": "email", "electors": 2}]},
		{"place": "a/b/d", "electors": [{"id_space": "email", "electors": 5}]}, {"place": "a/b/e", "electors": []}]}`), &answer); err != nil {
		t.Fatal(err)
	}
	for where, want := range map[string]uint64{
		"at": 7, "places a/b/d electors": 5, "places 1 electors": 5, "places a/b/c electors email electors": 2,
		"places #": 3, "places a/b/x electors ?": 0, "places a/b/e electors ?": 0,
	} {
		if have, err := number(answer, where); err != nil || have != want {
			t.Errorf("%s: %d, %v; want %d", where, have, err, want)
		}
	}
	for _, where := range []string{"nothing", "places a/b/c electors", "places a/b/x electors", "places", "places 3", "at 1", "places a/b/e electors"} {
		if have, err := number(answer, where); err == nil {
			t.Errorf("%s: %d", where, have)
		}
	}
}

// At full size the numbers that are public are those of the case.
func TestFullSizeIsThatOfTheCase(t *testing.T) {
	s, err := FindScenario("cambridge-analytica")
	if err != nil {
		t.Fatal(err)
	}
	c := newCrowd(s.People, 1)
	sum := func(files ...string) (n int) {
		for _, f := range s.Files {
			if slices.Contains(files, f.Path) {
				for _, group := range f.Groups {
					n += c.groups[group].count
				}
			}
		}
		return n
	}
	for _, of := range []struct {
		what string
		have int
		want int
	}{
		{"app users", sum("platform/app-users.csv", "platform/app-users-canada.csv"), 270_000},
		{"profiles", sum("platform/app-users.csv", "platform/app-users-canada.csv", "platform/friends.csv", "platform/friends-canada.csv"), 87_000_000},
		{"Canadians", sum("platform/app-users-canada.csv", "platform/friends-canada.csv"), 622_161},
		{"scores", sum("app-developer/scores.csv"), 30_000_000},
		{"records at the vendor", sum("vendor-bc/upload-of-analytics-firm.csv", "party-w/list-of-electors.csv", "campaign-uk/bought-emails.csv"), 35_000_000},
	} {
		if of.have != of.want {
			t.Errorf("%s: %d, want %d", of.what, of.have, of.want)
		}
	}
}
