package demo

import (
	"bytes"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// scenarios has a folder for each case: scenario.yaml, recount.sh, and whatever else belongs to it. All of them are
// put into the data folder of a demo.
//
//go:embed scenario
var scenarios embed.FS

// Files of a scenario's folder, and of the data folder.
const (
	ScenarioFile = "scenario.yaml" // who is who, what happens, what is asked
	RecountFile  = "recount.sh"    // counts again what the demo says
)

// A Scenario is a case that a demo plays: the form of scenario.yaml. Everything in it can be read by whoever wants to
// know what is a public fact, and what is invented.
type Scenario struct {
	Name string `yaml:"-"`
	// Title is the case in one line.
	Title string `yaml:"title"`
	// Story is what is publicly known.
	Story string `yaml:"story"`
	// Sources are where that can be read, by the short names that steps refer to.
	Sources map[string]string `yaml:"sources"`
	// Organisations says who each one stands for. Each has a folder, a sidecar and an outbox of its own.
	Organisations map[string]string `yaml:"organisations"`
	// Agreements says what each agreement that a movement names allows.
	Agreements map[string]string `yaml:"agreements"`
	// Scale is how much of the full size is played unless another is asked for.
	Scale float64 `yaml:"scale"`
	// People are the groups of which everybody is in one.
	People []Group `yaml:"people"`
	// Files are what the organisations hold, by path in the data folder.
	Files []File `yaml:"files"`
	// Steps are what happens, in order. None: the program knows them (ChristmasCards).
	Steps []Scene `yaml:"steps"`
	// Questions are asked in the end.
	Questions []Question `yaml:"questions"`
}

// A Scene is one step of a scenario: a file that flows, declarations that are handed in, or a file that turns up; and after
// that what is asked.
type Scene struct {
	Title    string   `yaml:"title"`
	Public   string   `yaml:"public"`   // what is publicly known of it
	Sources  []string `yaml:"sources"`  // which of the scenario's sources say so
	Invented string   `yaml:"invented"` // what nobody says, or somebody disputes
	By       string   `yaml:"by"`       // the organisation whose sidecar records it
	// Emit are lines for `rolltrace-sidecar emit`; files are sought in the folder of By.
	Emit []map[string]any `yaml:"emit"`
	Tee  *Flow            `yaml:"tee"`
	// Found is a file that turns up somewhere, and that nobody recorded.
	Found *Found `yaml:"found"`
	// Questions are asked when it is over, and again in the end if they are among the scenario's too.
	Questions []Question `yaml:"questions"`
}

// A Flow is a file that goes through `rolltrace-sidecar tee`.
type Flow struct {
	In      string `yaml:"in"`
	Out     string `yaml:"out"`     // "": nowhere
	Args    string `yaml:"args"`    // flags of tee, with spaces between
	Differs bool   `yaml:"differs"` // what comes out is not, byte for byte, what goes in
}

// A Found is a part of another file.
type Found struct {
	Of    string `yaml:"of"`
	Out   string `yaml:"out"`
	Every int    `yaml:"every"` // how many lines there are for each that is in it
}

// Scenarios are the names of the cases that can be played, sorted.
func Scenarios() []string {
	entries, err := fs.ReadDir(scenarios, "scenario")
	if err != nil {
		panic("demo: " + err.Error()) // it is part of the program
	}
	var names []string
	for _, entry := range entries {
		names = append(names, entry.Name())
	}
	return names
}

// FindScenario returns the case of that name, or says which ones there are.
func FindScenario(name string) (*Scenario, error) {
	if all := Scenarios(); !slices.Contains(all, name) {
		return nil, fmt.Errorf("scenario %q: there are %s", name, strings.Join(all, ", "))
	}
	return readScenario(name)
}

func readScenario(name string) (*Scenario, error) {
	content, err := scenarios.ReadFile(path.Join("scenario", name, ScenarioFile))
	if err != nil {
		return nil, err
	}
	s := &Scenario{Name: name}
	decoder := yaml.NewDecoder(bytes.NewReader(content))
	decoder.KnownFields(true)
	if err := decoder.Decode(s); err != nil {
		return nil, fmt.Errorf("scenario %s: %w", name, err)
	}
	return s, s.validate()
}

// validate says what does not fit together.
func (s *Scenario) validate() error {
	var faults []error
	fault := func(format string, args ...any) {
		faults = append(faults, fmt.Errorf("scenario %s: "+format, append([]any{s.Name}, args...)...))
	}
	if s.Title == "" || s.Story == "" || len(s.Sources) == 0 {
		fault("want title, story and sources")
	}
	groups := map[string]bool{}
	for _, g := range s.People {
		if groups[g.Group] || g.Full < 1 {
			fault("people: group %q stands twice, or has nobody", g.Group)
		}
		groups[g.Group] = true
	}
	files := map[string]bool{}
	for _, f := range s.Files {
		org, _, _ := strings.Cut(f.Path, "/")
		if s.Organisations[org] == "" || files[f.Path] || len(f.Columns) == 0 {
			fault("file %q: of no organisation, twice, or without columns", f.Path)
		}
		files[f.Path] = true
		for _, g := range f.Groups {
			if !groups[g] {
				fault("file %s: no group %q", f.Path, g)
			}
		}
	}
	lines := map[string]bool{}
	for _, step := range s.Steps {
		for _, line := range step.Emit {
			encoded, err := json.Marshal(line)
			if err != nil || lines[step.By+string(encoded)] {
				fault("step %q: a line that stands twice is one movement, or is no JSON: %v", step.Title, err)
			}
			lines[step.By+string(encoded)] = true
		}
		if s.Organisations[step.By] == "" || countIf(step.Tee != nil)+countIf(len(step.Emit) > 0)+countIf(step.Found != nil && step.Found.Every > 0) != 1 {
			fault("step %q: want an organisation, and one of emit, tee and found", step.Title)
		}
		if (step.Public == "") != (len(step.Sources) == 0) || step.Public+step.Invented == "" {
			fault("step %q: want what is public of it, with sources, or what is invented, or both", step.Title)
		}
		for _, source := range step.Sources {
			if s.Sources[source] == "" {
				fault("step %q: no source %q", step.Title, source)
			}
		}
	}
	if len(s.Steps) > 0 && (s.Scale <= 0 || s.Scale > 1 || len(s.Questions) == 0) {
		fault("want questions, and a scale above 0 and at most 1")
	}
	return errors.Join(faults...)
}

func countIf(is bool) int {
	if is {
		return 1
	}
	return 0
}

// orgs are the organisations, sorted.
func (s *Scenario) orgs() []string {
	return slices.Sorted(maps.Keys(s.Organisations))
}

// writeScenario leaves the scenario's files in the data folder: who is who and where it can be read, and the script that
// counts again.
func (s *stage) writeScenario() error {
	files, err := fs.Sub(scenarios, path.Join("scenario", s.scenario.Name))
	if err != nil {
		return err
	}
	return fs.WalkDir(files, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || name == "." {
			return err
		}
		if entry.IsDir() {
			return os.MkdirAll(s.path(name), 0o700)
		}
		content, err := fs.ReadFile(files, name)
		if err != nil {
			return err
		}
		mode := fs.FileMode(0o600)
		if strings.HasSuffix(name, ".sh") {
			mode = 0o700
		}
		if err := os.WriteFile(s.path(name), content, mode); err != nil {
			return fmt.Errorf("write %s: %w", name, err)
		}
		return nil
	})
}
