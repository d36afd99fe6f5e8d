package policy

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/google/cel-go/cel"

	"github.com/rolltrace/rolltrace/schema/document"
)

// A Rule is what its file says.
type Rule struct {
	ID       string         `json:"id"`
	Title    string         `json:"title"`
	Severity string         `json:"severity"` // one of Severities
	On       string         `json:"on"`       // what it looks at: one of Subjects
	Means    string         `json:"means"`    // what a finding means, for people
	Why      string         `json:"why"`      // the rule's source
	When     document.Text  `json:"when"`     // CEL: true where there is something to say
	Text     document.Text  `json:"text"`     // of the finding; {expression} is replaced by its value
	Where    document.Where `json:"-"`

	when *program
	text []part
}

// Severities, from the least.
var Severities = []string{"low", "medium", "high"}

//go:embed rule/*.yaml
var shipped embed.FS

var idPattern = regexp.MustCompile(`^[a-z][a-z0-9-]{1,62}$`)

// Rules are a set of rules that compiled.
type Rules struct {
	list   []*Rule // in the order of their ids
	digest string
}

// Shipped is the set of rules that comes with Rolltrace.
func Shipped() (*Rules, error) {
	b := &builder{}
	names, err := fs.Glob(shipped, "rule/*.yaml")
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		text, err := shipped.ReadFile(name)
		if err != nil {
			return nil, err
		}
		b.add(path.Base(name), text)
	}
	return b.rules()
}

// Load reads rules of one's own, beside the shipped ones: every .yaml file in the folder. A rule of the same id takes the
// place of the shipped one. The error is document.Faults, each with file and line; then there is no set.
func Load(dir string) (*Rules, error) {
	set, err := Shipped()
	if err != nil || dir == "" {
		return set, err
	}
	files, err := filepath.Glob(filepath.Join(dir, "*.yaml"))
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat(dir); err != nil {
		return nil, fmt.Errorf("read rules: %w", err)
	}
	own, err := Read(files...)
	if err != nil {
		return nil, err
	}
	b := &builder{list: own.list}
	for _, r := range set.list {
		if !slices.ContainsFunc(own.list, func(o *Rule) bool { return o.ID == r.ID }) {
			b.list = append(b.list, r)
		}
	}
	return b.rules()
}

// Read reads the rules of files, and no others.
func Read(files ...string) (*Rules, error) {
	b := &builder{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("read rules: %w", err)
		}
		b.add(file, text)
	}
	return b.rules()
}

// All are the rules, in the order of their ids.
func (rs *Rules) All() []*Rule { return rs.list }

// Digest is the same for two sets that find the same.
func (rs *Rules) Digest() string { return rs.digest }

// A builder gathers rules and all that is wrong with them.
type builder struct {
	list   []*Rule
	faults document.Faults
}

func (b *builder) add(file string, text []byte) {
	r := &Rule{}
	faults := document.Decode(file, text, r)
	if r.Where.File == "" {
		r.Where = document.Where{File: file, Line: 1}
	}
	require := func(ok bool, at document.Where, format string, args ...any) {
		if !ok {
			faults.Add(at, format, args...)
		}
	}
	require(idPattern.MatchString(r.ID), r.Where, "id: %q: want 2 to 63 of a-z 0-9 -, beginning with a letter", r.ID)
	for _, f := range []struct{ name, value string }{{"title", r.Title}, {"means", r.Means}, {"why", r.Why}, {"when", r.When.Value}, {"text", r.Text.Value}} {
		require(strings.TrimSpace(f.value) != "", r.Where, "%s: want one", f.name)
	}
	require(slices.Contains(Severities, r.Severity), r.Where, "severity: %q: want one of %s", r.Severity, strings.Join(Severities, ", "))
	known := slices.Contains(Subjects, r.On)
	require(known, r.Where, "on: %q: want one of %s", r.On, strings.Join(Subjects, ", "))
	if len(faults) == 0 {
		env := environment(r.On)
		r.when = compile(env, r.When, cel.BoolType, &faults)
		r.text = compileText(env, r.Text, &faults)
	}
	if b.faults = append(b.faults, faults...); len(faults) == 0 {
		b.list = append(b.list, r)
	}
}

func (b *builder) rules() (*Rules, error) {
	slices.SortStableFunc(b.list, func(x, y *Rule) int { return strings.Compare(x.ID, y.ID) })
	for i, r := range b.list {
		if i > 0 && b.list[i-1].ID == r.ID {
			b.faults.Add(r.Where, "id: %q is that of %s too", r.ID, b.list[i-1].Where)
		}
	}
	if len(b.faults) > 0 {
		b.faults.Sort()
		return nil, b.faults
	}
	sum := sha256.New()
	for _, r := range b.list {
		fmt.Fprintf(sum, "%q %q %q %q %q %q\n", r.ID, r.Title, r.Severity, r.On, r.When.Value, r.Text.Value)
	}
	return &Rules{list: b.list, digest: hex.EncodeToString(sum.Sum(nil))}, nil
}
