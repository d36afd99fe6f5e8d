package report

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rolltrace/rolltrace/schema"
	"github.com/rolltrace/rolltrace/schema/graph"
)

// bare is a report on an elector of whom nothing is recorded.
func bare() *Report {
	return OfElector(&graph.Dossier{Answer: graph.Answer{Complete: true, Notes: []graph.Note{}}, Elector: graph.ElectorKey{IDSpace: schema.ElectorID, Key: "00f1e2d3c4b5a697"},
		Organisations: []graph.OrgStay{}, Places: []graph.Stay{}, Movements: []graph.Movement{}}, schema.Time{})
}

func names(t *testing.T, folder string) (out []string) {
	t.Helper()
	entries, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		out = append(out, e.Name())
	}
	return out
}

// Files are there both and whole, or neither; what was there before stays.
func TestWrite(t *testing.T) {
	folder := t.TempDir()
	page, document, err := Paths(folder, "a")
	if err != nil {
		t.Fatal(err)
	}
	if err := bare().Write(page, document, false); err != nil {
		t.Fatal(err)
	}
	if got := names(t, folder); !slices.Equal(got, []string{"a.html", "a.json"}) {
		t.Errorf("files %q", got)
	}
	for _, path := range []string{page, document} {
		info, err := os.Stat(path)
		if err != nil || info.Mode().Perm() != 0o600 || info.Size() < 100 {
			t.Errorf("%s: %v, %v", path, info, err)
		}
	}
	if err := os.WriteFile(document, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(page); err != nil {
		t.Fatal(err)
	}
	if err := bare().Write(page, document, false); !errors.Is(err, ErrExists) {
		t.Errorf("over a file that is there: %v", err)
	}
	if text, err := os.ReadFile(document); err != nil || string(text) != "mine" || len(names(t, folder)) != 1 {
		t.Errorf("what was there is %q now, %v, beside %q", text, err, names(t, folder))
	}
	if err := bare().Write(page, document, true); err != nil {
		t.Fatal(err)
	}
	if text, err := os.ReadFile(document); err != nil || !strings.Contains(string(text), `"report": "elector"`) || len(names(t, folder)) != 2 {
		t.Errorf("forced: %q, %v", text, err)
	}
	// The second cannot be written: the first does not stay alone, and nothing that was begun stays.
	if err := bare().Write(filepath.Join(folder, "b.html"), filepath.Join(folder, "none", "b.json"), false); err == nil || len(names(t, folder)) != 2 {
		t.Errorf("half a report: %v, %q", err, names(t, folder))
	}
}

func TestPaths(t *testing.T) {
	folder := t.TempDir()
	for path, want := range map[string]string{
		"a.html": "a.html a.json", folder + "/a.HTML": folder + "/a.HTML " + folder + "/a.json", folder: folder + "/n.html " + folder + "/n.json",
		filepath.Join(folder, "none"): "", filepath.Join(folder, "none", "a.html"): "", "a.pdf": "", "": "",
	} {
		page, document, err := Paths(path, "n")
		if got := strings.TrimSpace(page + " " + document); got != want || (err == nil) != (want != "") {
			t.Errorf("%q: %q, %v", path, got, err)
		}
	}
}

// Nothing is recorded: the page says so, and does not look like nowhere.
func TestAnElectorOfWhomNothingIsRecorded(t *testing.T) {
	var page strings.Builder
	if err := bare().WriteHTML(&page); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"No place is recorded that this record reached. That is not to say that there is none.", "00f1e2d3c4b5a697", "None recorded."} {
		if !strings.Contains(page.String(), want) {
			t.Errorf("the page does not say %q", want)
		}
	}
}

// Names that mean something in HTML stay names.
func TestNamesAreEscaped(t *testing.T) {
	r := bare()
	r.view.Title = `<script>alert("x")</script>`
	r.view.Sections = []section{{ID: "p", Picture: (&picture{ID: "p", Nodes: []node{{Name: `"><b>`, Label: "<b>a</b>"}, {Label: "b"}}, Edges: []link{{From: 0, To: 1, Full: "<i>"}}}).draw()}}
	var page strings.Builder
	if err := r.WriteHTML(&page); err != nil {
		t.Fatal(err)
	}
	for _, not := range []string{"<script", "<b>a", "<i>", `"><b>`} {
		if strings.Contains(page.String(), not) {
			t.Errorf("the page has %s", not)
		}
	}
}
