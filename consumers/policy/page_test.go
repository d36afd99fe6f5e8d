package policy

import (
	"flag"
	"os"
	"path/filepath"
	"testing"
)

var update = flag.Bool("update", false, "write the rules' pages anew")

// Every rule has its page, which says what its file says; and no page is left of a rule that is gone.
func TestPages(t *testing.T) {
	set := shippedRules(t)
	pages := map[string]string{"README.md": set.Index()}
	for _, r := range set.All() {
		pages[r.ID+".md"] = r.Page()
	}
	folder := filepath.Join("..", "..", "docs", "rules")
	for name, want := range pages {
		file := filepath.Join(folder, name)
		if *update {
			if err := os.WriteFile(file, []byte(want), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		have, err := os.ReadFile(file)
		if err != nil || string(have) != want {
			t.Errorf("%s is not what the rule says (%v): go test ./consumers/policy -run Pages -update", file, err)
		}
	}
	files, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if pages[f.Name()] == "" {
			t.Errorf("%s is of no rule", f.Name())
		}
	}
}
