package schematest_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"go/parser"
	"go/token"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/rolltrace/rolltrace"

// The rooms, and what else may stand at the root.
var rootFolders = []string{"cmd", "schema", "producers", "consumers", "dashboards", "deploy", "docs"}

// listed is what `go list` says of a package.
type listed struct {
	ImportPath string
	Dir        string
	Name       string
	Imports    []string
	Deps       []string
}

// house is every package of the module, by its path below the module ("schema/wire").
func house(t *testing.T) (root string, packages map[string]listed) {
	t.Helper()
	root = strings.TrimSpace(run(t, "", "go", "list", "-m", "-f", "{{.Dir}}"))
	packages = map[string]listed{}
	answers := json.NewDecoder(strings.NewReader(run(t, root, "go", "list", "-json=ImportPath,Dir,Name,Imports,Deps", "./...")))
	for {
		var p listed
		err := answers.Decode(&p)
		if errors.Is(err, io.EOF) {
			return root, packages
		}
		if err != nil {
			t.Fatal(err)
		}
		packages[strings.TrimPrefix(p.ImportPath, module+"/")] = p
	}
}

func run(t *testing.T, dir, name string, args ...string) string {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Dir = dir
	var complaint bytes.Buffer
	cmd.Stderr = &complaint
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s %s: %v: %s", name, strings.Join(args, " "), err, &complaint)
	}
	return string(out)
}

// arrow says why a package must not import another, or "". Both are paths below the module, or import
// paths of other modules. Imports of tests are no arrows.
func arrow(from, to string) string {
	own := strings.HasPrefix(to, module+"/")
	to = strings.TrimPrefix(to, module+"/")
	room, target := first(from), first(to)
	switch {
	case to == "github.com/rs/zerolog/log":
		return "the logger is passed in by value, never global"
	case from == "schema" && (own || !standard(to)):
		return "package schema imports the standard library only"
	case (from == "schema/wire") && !own && !standard(to) && to != "github.com/nats-io/nkeys":
		return "schema/wire imports the standard library and nkeys only"
	case !own:
		return ""
	case within(to, "schema/schematest") && !within(from, "schema/schematest") && !(room == "cmd" && within(to, "schema/schematest/roll")):
		return "schematest is for tests (its roll for the demo too)"
	case target == "cmd" && room != "cmd":
		return "what is under cmd is for binaries only"
	case target == "cmd" && !within(to, "cmd/internal") && top(from) != top(to):
		return "a binary is not a library"
	case room == "cmd":
		return ""
	case within(from, "deploy/embedded") && !within(to, "deploy/embedded"):
		return "the embedded servers import nothing of the house"
	case room == "deploy" && target != "deploy" && target != "schema":
		return "deploy imports neither producers nor consumers"
	case room == "schema" && target != "schema" && !within(from, "schema/schematest"):
		return "schema imports no other room"
	case room == "schema" && target != "schema" && to != "deploy/embedded":
		return "schematest imports no room, and of deploy the servers only"
	case (room == "producers" || room == "consumers") && target != room && target != "schema":
		return "producers and consumers meet in schema, and import nothing else of the house"
	case (from == "producers" || from == "consumers") && target == room:
		return "the parent imports no leaf"
	case (room == "producers" || room == "consumers") && target == room && to != room && top(from) != top(to):
		return "leaves never import each other"
	}
	return ""
}

// first is the first segment of a path: the room.
func first(path string) string { return strings.SplitN(path, "/", 2)[0] }

// top is the first two segments of a path: the leaf, or the binary.
func top(path string) string {
	parts := strings.SplitN(path, "/", 3)
	return strings.Join(parts[:min(len(parts), 2)], "/")
}

func within(path, folder string) bool { return path == folder || strings.HasPrefix(path, folder+"/") }

func standard(path string) bool { return !strings.Contains(first(path), ".") && path != module }

// arrows are the faults of a package's imports.
func arrows(path string, p listed) []string {
	var faults []string
	for _, to := range p.Imports {
		if why := arrow(path, to); why != "" {
			faults = append(faults, fmt.Sprintf("%s imports %s: %s", path, to, why))
		}
	}
	if path == "cmd/rolltrace-sidecar" {
		for _, to := range p.Deps {
			if strings.HasPrefix(to, "github.com/ClickHouse/") {
				faults = append(faults, fmt.Sprintf("%s links %s: a sidecar has no ClickHouse driver", path, to))
			}
		}
	}
	return faults
}

// docs are the faults of a package's comment: it stands in doc.go (of a command, in main.go where there is
// no doc.go) and says what the package promises.
func docs(path, dir, name string) []string {
	begins, where := "Package "+name+" ", filepath.Join(dir, "doc.go")
	if name == "main" {
		begins = "Command " + filepath.Base(path) + " "
		if _, err := os.Stat(where); err != nil {
			where = filepath.Join(dir, "main.go")
		}
	}
	file, err := parser.ParseFile(token.NewFileSet(), where, nil, parser.ParseComments|parser.PackageClauseOnly)
	if err != nil {
		return []string{fmt.Sprintf("%s: wants a doc.go: %v", path, err)}
	}
	text := file.Doc.Text()
	var faults []string
	if !strings.HasPrefix(text, begins) {
		faults = append(faults, fmt.Sprintf("%s: the package comment begins with %q", path, begins))
	}
	if !strings.Contains(text, "Promise") {
		faults = append(faults, fmt.Sprintf("%s: the package comment says what the package promises (a paragraph that begins with Promise)", path))
	}
	return faults
}

// strangers are the folders at the root that the house does not have. What git ignores or hides is none.
func strangers(names []string) []string {
	var faults []string
	for _, name := range names {
		ignored := strings.HasPrefix(name, ".") || strings.HasPrefix(name, "data-") || slices.Contains([]string{"bin", "dist", "node_modules"}, name)
		if !ignored && !slices.Contains(rootFolders, name) {
			faults = append(faults, fmt.Sprintf("%s: no such room in the house", name))
		}
	}
	return faults
}

func TestHouse(t *testing.T) {
	root, packages := house(t)
	if len(packages) < 2 {
		t.Fatalf("go list found %d packages", len(packages))
	}
	var faults []string
	for path, p := range packages {
		faults = append(faults, arrows(path, p)...)
		faults = append(faults, docs(path, p.Dir, p.Name)...)
	}
	entries, err := os.ReadDir(root)
	if err != nil {
		t.Fatal(err)
	}
	var folders []string
	for _, entry := range entries {
		if entry.IsDir() {
			folders = append(folders, entry.Name())
		}
	}
	faults = append(faults, strangers(folders)...)
	slices.Sort(faults)
	for _, fault := range faults {
		t.Error(fault)
	}
}

// The rule can fail: every arrow that the design forbids is a fault, and those that it draws are none.
func TestHouseRuleFindsEachFault(t *testing.T) {
	own := func(path string) string { return module + "/" + path }
	for _, forbidden := range [][2]string{
		{"producers", own("consumers")},
		{"consumers", own("producers")},
		{"consumers/numbering", own("producers/outbox")},
		{"producers/outbox", own("consumers")},
		{"producers/outbox", own("producers/intake")},
		{"consumers/lineage/sub", own("consumers/numbering")},
		{"producers", own("producers/outbox")},
		{"consumers", own("consumers/numbering")},
		{"producers/outbox", own("deploy/embedded")},
		{"producers", own("cmd/internal/config")},
		{"schema", own("schema/wire")},
		{"schema", "github.com/google/uuid"},
		{"schema/wire", "github.com/nats-io/nats.go"},
		{"schema/graph", own("consumers")},
		{"schema/graph", own("deploy/embedded")},
		{"schema/schematest", own("producers")},
		{"schema/graph", own("schema/schematest")},
		{"cmd/rolltrace", own("schema/schematest")},
		{"cmd/rolltrace", own("cmd/rolltrace-sidecar")},
		{"deploy/embedded", own("schema")},
		{"deploy/embedded", own("deploy")},
		{"deploy", own("producers")},
		{"producers/outbox", "github.com/rs/zerolog/log"},
	} {
		if arrow(forbidden[0], forbidden[1]) == "" {
			t.Errorf("%s may import %s", forbidden[0], forbidden[1])
		}
	}
	for _, allowed := range [][2]string{
		{"schema", "encoding/json"},
		{"schema/wire", "github.com/nats-io/nkeys"},
		{"schema/wire", own("schema")},
		{"schema/graph", own("schema/wire")},
		{"schema/graph", "github.com/ClickHouse/clickhouse-go/v2"},
		{"schema/schematest", own("deploy/embedded")},
		{"producers", own("schema/wire")},
		{"producers/outbox", own("producers")},
		{"producers/outbox", own("schema/stream")},
		{"producers/outbox/sub", own("producers/outbox")},
		{"consumers/numbering", own("consumers")},
		{"cmd/rolltrace", own("producers/outbox")},
		{"cmd/rolltrace", own("consumers")},
		{"cmd/rolltrace", own("deploy/embedded")},
		{"cmd/rolltrace", own("cmd/internal/config")},
		{"cmd/rolltrace/demo", own("schema/schematest/roll")},
		{"deploy", own("deploy/embedded")},
		{"deploy", own("schema/stream")},
	} {
		if why := arrow(allowed[0], allowed[1]); why != "" {
			t.Errorf("%s may not import %s: %s", allowed[0], allowed[1], why)
		}
	}
	driver := listed{Deps: []string{"fmt", "github.com/ClickHouse/clickhouse-go/v2"}}
	if len(arrows("cmd/rolltrace-sidecar", driver)) != 1 || len(arrows("cmd/rolltrace", driver)) != 0 {
		t.Error("the driver in the sidecar, and only there, is a fault")
	}
	if len(strangers([]string{"schema", "docs", ".git", "bin", "data-demo"})) != 0 || len(strangers([]string{"util"})) != 1 {
		t.Error("a folder that the house does not have, and only that, is a fault")
	}
}

func TestHouseRuleReadsPackageComments(t *testing.T) {
	for name, c := range map[string]struct {
		text   string
		faults int
	}{
		"good":       {"// Package outbox keeps messages.\n//\n// Promise: none is lost.\npackage outbox\n", 0},
		"no promise": {"// Package outbox keeps messages.\npackage outbox\n", 1},
		"no comment": {"package outbox\n", 2},
		"detached":   {"// Package outbox keeps messages. Promise: all.\n\npackage outbox\n", 2},
		"no file":    {"", 1},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			if c.text != "" {
				if err := os.WriteFile(filepath.Join(dir, "doc.go"), []byte(c.text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			if faults := docs("producers/outbox", dir, "outbox"); len(faults) != c.faults {
				t.Errorf("%d faults, want %d: %v", len(faults), c.faults, faults)
			}
		})
	}
}
