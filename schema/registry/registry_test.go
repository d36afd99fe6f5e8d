package registry_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rolltrace/rolltrace/schema"
	"github.com/rolltrace/rolltrace/schema/document"
	"github.com/rolltrace/rolltrace/schema/registry"
)

func sound(t testing.TB) *registry.Registry {
	t.Helper()
	r, err := registry.Load("testdata/sound")
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func normal(t testing.TB, r *registry.Registry) []byte {
	t.Helper()
	body, err := r.Normal()
	if err != nil {
		t.Fatal(err)
	}
	return body
}

// folder writes one file for each text: 0.yaml, 1.yaml …
func folder(t testing.TB, texts ...string) string {
	t.Helper()
	dir := t.TempDir()
	for i, text := range texts {
		if err := os.WriteFile(filepath.Join(dir, string(rune('0'+i))+".yaml"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestNormalForm(t *testing.T) {
	r := sound(t)
	body := normal(t, r)
	again, err := registry.Parse(body)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(normal(t, again), body) {
		t.Error("what was parsed has another normal form")
	}
	if bytes.Contains(body, []byte("null")) {
		t.Errorf("something is null: %s", body)
	}
	// The same, in two files and another order.
	text, err := os.ReadFile("testdata/sound/registry.yaml")
	if err != nil {
		t.Fatal(err)
	}
	head, tail, _ := strings.Cut(string(text), "people:")
	lines := strings.Split(strings.TrimSuffix(head, "\n"), "\n")
	slices.Reverse(lines[1:5]) // the organisations
	split, err := registry.Load(folder(t, "people:"+tail, strings.Join(lines, "\n")))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(normal(t, split), body) || registry.Digest(normal(t, split)) != registry.Digest(body) {
		t.Error("files in another order have another normal form")
	}
	if changes := registry.Diff(split, r); len(changes) != 0 {
		t.Errorf("they differ: %v", changes)
	}
}

func TestParseRefuses(t *testing.T) {
	body := string(normal(t, sound(t)))
	for name, text := range map[string]string{
		"a name of a later version": strings.Replace(body, `"organisations"`, `"guilds":[],"organisations"`, 1),
		"more than one":             body + "{}",
		"a fault":                   strings.Replace(body, `"parent":"party-a"`, `"parent":"party-z"`, 1),
		"nothing":                   "",
	} {
		if _, err := registry.Parse([]byte(text)); err == nil {
			t.Errorf("%s: it was parsed", name)
		}
	}
}

func TestLoadFindsEveryFault(t *testing.T) {
	const orgs = "organisations:\n  - {id: a, kind: party}\n  - {id: b, kind: vendor}\n"
	for name, c := range map[string]struct {
		texts []string
		want  string // one line for each fault, after the folder
	}{
		"unknown key":          {[]string{"organisations:\n  - {id: a, kind: party, colour: red}\n"}, "0.yaml:2: organisations.colour: unknown key"},
		"unknown kind":         {[]string{"organisations:\n  - {id: a, kind: guild}\n"}, `0.yaml:2: organisations.kind: "guild": want one of`},
		"twice in two files":   {[]string{orgs, "organisations:\n  - {id: a, kind: party}\n"}, `1.yaml:2: organisations: "a" stands in`},
		"parent of nobody":     {[]string{"organisations:\n  - {id: a, kind: party, parent: z}\n"}, `0.yaml:2: organisations.parent: "z" is not among the organisations`},
		"parents in a circle":  {[]string{"organisations:\n  - {id: a, kind: party, parent: b}\n  - {id: b, kind: party, parent: a}\n"}, "0.yaml:2: organisations.parent: goes in a circle: a → b → a\n0.yaml:3: organisations.parent: goes in a circle: b → a → b"},
		"its own parent":       {[]string{"organisations:\n  - {id: a, kind: party, parent: a}\n"}, "0.yaml:2: organisations.parent: goes in a circle: a → a"},
		"purposes in a circle": {[]string{"purposes:\n  - {id: a, part_of: b}\n  - {id: b, part_of: a}\n"}, "0.yaml:2: purposes.part_of: goes in a circle: a → b → a\n0.yaml:3: purposes.part_of: goes in a circle: b → a → b"},
		"ends before it starts": {[]string{orgs + "agreements:\n  - id: x\n    parties: [a, b]\n    start: 2020-01-02\n    end: 2020-01-01\n"},
			"0.yaml:5: agreements.end: 2020-01-01 is before the start, 2020-01-02"},
		"destroyed before it starts": {[]string{orgs + "agreements:\n  - {id: x, parties: [a, b], start: 2020-01-02, destroy_by: 2019-01-01}\n"},
			"0.yaml:5: agreements.destroy_by: 2019-01-01 is before the start"},
		"no date":              {[]string{orgs + "agreements:\n  - {id: x, parties: [a, b], start: someday}\n"}, `0.yaml:5: agreements.start: "someday": want a date`},
		"one party":            {[]string{orgs + "agreements:\n  - {id: x, parties: [a]}\n"}, "0.yaml:5: agreements.parties: want two or more"},
		"party twice":          {[]string{orgs + "agreements:\n  - {id: x, parties: [a, a]}\n"}, `0.yaml:5: agreements.parties: "a" stands there twice`},
		"unknown party":        {[]string{orgs + "agreements:\n  - {id: x, parties: [a, z]}\n"}, `0.yaml:5: agreements.parties: "z" is not among the organisations`},
		"unknown purpose":      {[]string{orgs + "policies:\n  - {organisation: a, purposes: [fun]}\n"}, `0.yaml:5: policies.purposes: "fun" is not among the purposes`},
		"no place":             {[]string{orgs + "datasets:\n  - {place: a/crm}\n"}, "0.yaml:5: datasets.place: place"},
		"dataset of nobody":    {[]string{orgs + "datasets:\n  - {place: z/crm/voters}\n"}, `0.yaml:5: datasets: "z" is not among the organisations`},
		"person as dataset":    {[]string{orgs + "datasets:\n  - {place: a/people/u1}\n"}, "0.yaml:5: datasets.place: \"a/people/u1\" is a person"},
		"dataset as person":    {[]string{orgs + "people:\n  - {place: a/crm/u1}\n"}, `0.yaml:5: people.place: "a/crm/u1": want organisation/people/staff code`},
		"unknown source":       {[]string{orgs + "systems:\n  - {id: a/crm, sources: [air]}\n"}, `0.yaml:5: systems.sources: "air" is not among the sources`},
		"no jurisdiction":      {[]string{"organisations:\n  - {id: a, kind: party, jurisdiction: Canada}\n"}, `0.yaml:2: organisations.jurisdiction: "Canada": want a country`},
		"election without end": {[]string{"elections:\n  - {id: e, start: 2020-01-01}\n"}, "0.yaml:2: elections: want a start and an end"},
		"permit to nobody":     {[]string{"sources:\n  - id: s\n    permits:\n      - {purposes: []}\n"}, "0.yaml:4: sources.permits.to: want one or more"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := folder(t, c.texts...)
			r, err := registry.Load(dir)
			var faults document.Faults
			if !errors.As(err, &faults) || r != nil {
				t.Fatalf("have %v, %v, want faults and nothing else", r, err)
			}
			wants := strings.Split(c.want, "\n")
			if len(faults) != len(wants) {
				t.Fatalf("have %d faults, want %d:\n%v", len(faults), len(wants), err)
			}
			for i, want := range wants {
				if have := faults[i].Error(); !strings.HasPrefix(have, filepath.Join(dir, want)) {
					t.Errorf("have %q, want %q", have, want)
				}
			}
		})
	}
	if _, err := registry.Load(t.TempDir()); err == nil {
		t.Error("an empty folder is a registry")
	}
}

// What docs/registry.md shows is a registry as it stands.
func TestTheExampleOfTheDocumentationIsGood(t *testing.T) {
	page, err := os.ReadFile("../../docs/registry.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, found := strings.Cut(string(page), "```yaml\n")
	text, _, closed := strings.Cut(rest, "```")
	if !found || !closed {
		t.Fatal("docs/registry.md has no example")
	}
	r, err := registry.Load(folder(t, text))
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Organisations) == 0 || len(r.Agreements) == 0 {
		t.Errorf("have %d organisations and %d agreements in it", len(r.Organisations), len(r.Agreements))
	}
}

func TestDiff(t *testing.T) {
	before := sound(t)
	after := sound(t)
	after.Agreements[0].End = "2020-12-31"
	after.Organisations = append(after.Organisations[1:], registry.Organisation{ID: "new-org", Kind: "vendor"})
	want := []registry.Change{
		{What: "changed", Section: "agreements", ID: "acme-2019", Fields: []string{`end: "2019-12-31" → "2020-12-31"`}},
		{What: "removed", Section: "organisations", ID: "acme-mail", Fields: []string{}},
		{What: "added", Section: "organisations", ID: "new-org", Fields: []string{}},
	}
	have := registry.Diff(before, after)
	if len(have) != len(want) {
		t.Fatalf("have %v, want %v", have, want)
	}
	for i := range want {
		if have[i].What != want[i].What || have[i].Section != want[i].Section || have[i].ID != want[i].ID || !slices.Equal(have[i].Fields, want[i].Fields) {
			t.Errorf("have %v, want %v", have[i], want[i])
		}
	}
	if n := len(registry.Diff(nil, before)); n != len(before.Entries()) {
		t.Errorf("from nothing: %d changes, want %d", n, len(before.Entries()))
	}
}

func day(s string) time.Time {
	t, err := schema.ParseTime(s)
	if err != nil {
		panic(err)
	}
	return t.Time
}

// What counts is a function of the versions, not of their order; a later correction of the past takes the place of what was
// said of it before.
func TestHistory(t *testing.T) {
	version := func(name, applied, from string) registry.Version {
		r := &registry.Registry{Organisations: []registry.Organisation{{ID: "a", Name: name, Kind: "party"}}}
		return registry.Version{AppliedAt: schema.At(day(applied)), ValidFrom: schema.At(day(from)), Hash: registry.Digest([]byte(name)), Registry: r}
	}
	versions := []registry.Version{
		version("first", "2019-01-01", "1900-01-01"),
		version("second", "2020-01-01", "2020-01-01"),
		version("third", "2021-01-01", "2021-01-01"),
		version("corrected", "2022-01-01", "2020-06-01"),
	}
	for range 2 {
		h := registry.NewHistory(append(versions, versions[1]))
		for at, want := range map[string]string{
			"1899-12-31": "", "1900-01-01": "first", "2019-12-31": "first", "2020-01-01": "second", "2020-05-31": "second",
			"2020-06-01": "corrected", "2021-06-01": "corrected", "2023-01-01": "corrected",
		} {
			name := ""
			if o := h.At(day(at)).Organisation("a"); o != nil {
				name = o.Name
			}
			if name != want {
				t.Errorf("as of %s: have %q, want %q", at, name, want)
			}
		}
		slices.Reverse(versions)
	}
	if registry.NewHistory(nil).At(day("2020-01-01")).Organisation("a") != nil {
		t.Error("no registry has an organisation")
	}
}

func TestIndex(t *testing.T) {
	x := registry.NewHistory([]registry.Version{{Registry: sound(t)}}).At(day("2020-01-01"))
	for place, want := range map[schema.Place]registry.PlaceFact{
		"party-a/crm/voters":       {Registered: true, Owner: "party-a", Kind: "party", Jurisdiction: "CA", Sources: []string{"canvass", "list-of-electors"}},
		"party-a/crm/donors":       {Registered: true, Owner: "party-a-west", Kind: "riding-association", Jurisdiction: "CA-BC", Sources: []string{"gifts"}},
		"party-a/crm/other":        {Registered: true, Owner: "party-a", Kind: "party", Jurisdiction: "CA"},
		"party-a/files/x":          {Owner: "party-a", Kind: "party", Jurisdiction: "CA"},
		"acme-mail/uploads/x":      {Registered: true, Owner: "acme-mail", Kind: "vendor", Jurisdiction: "US-NY"},
		"party-a/people/u0412":     {Registered: true, Owner: "party-a", Kind: "party", Jurisdiction: "CA"},
		"party-a/people/u0413":     {Owner: "party-a", Kind: "party", Jurisdiction: "CA"},
		"nobody/crm/voters":        {Owner: "nobody"},
		"elections-office/lists/x": {Registered: true, Owner: "elections-office", Kind: "authority", Jurisdiction: "CA", Sources: []string{"list-of-electors"}},
	} {
		have := x.Place(place)
		if have.Registered != want.Registered || have.Owner != want.Owner || have.Kind != want.Kind || have.Jurisdiction != want.Jurisdiction || !slices.Equal(have.Sources, want.Sources) {
			t.Errorf("%s: have %+v, want %+v", place, have, want)
		}
	}
	if have := x.Purposes("greeting-cards"); !slices.Equal(have, []string{"greeting-cards", "communicate"}) {
		t.Errorf("purposes: %v", have)
	}
	if have := x.Family("party-a-west"); !slices.Equal(have, []string{"party-a-west", "party-a"}) {
		t.Errorf("family: %v", have)
	}
	if !x.Election("CA-BC", day("2019-10-21")) || x.Election("CA", day("2019-10-22")) || x.Election("US", day("2019-10-01")) {
		t.Error("election periods")
	}
	a := x.Agreement("acme-2019")
	if a.Active(day("2019-10-31")) || !a.Active(day("2019-12-31").Add(23*time.Hour)) || a.Active(day("2020-01-01")) {
		t.Error("an agreement is in force from its first day to the end of its last")
	}
}
