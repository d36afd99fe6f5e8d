package explorer_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// What is embedded is what the sources give, byte for byte.
func TestAssetsAreBuiltFromTheSources(t *testing.T) {
	dir, err := page()
	if err != nil {
		t.Fatal(err)
	}
	if err := command(dir, "npm", "run", "--silent", "check"); err != nil {
		t.Fatal(err)
	}
	built := t.TempDir()
	if err := command(dir, "node", "build.mjs", built); err != nil {
		t.Fatal(err)
	}
	files, err := os.ReadDir(built)
	if err != nil {
		t.Fatal(err)
	}
	embedded, err := os.ReadDir("assets")
	if err != nil {
		t.Fatal(err)
	}
	if len(files) != len(embedded) {
		t.Errorf("%d assets are embedded, the sources give %d: run make explorer", len(embedded), len(files))
	}
	for _, file := range files {
		want, err := os.ReadFile(filepath.Join(built, file.Name()))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := os.ReadFile(filepath.Join("assets", file.Name())); err != nil || !bytes.Equal(got, want) {
			t.Errorf("assets/%s is not what the sources give (%v): run make explorer", file.Name(), err)
		}
	}
}

// TestBrowser drives the page in Chromium: each file of page/test is what somebody who looks into a scenario does. The
// pictures are in the test's artifacts (go test -artifacts).
func TestBrowser(t *testing.T) {
	chromium, err := exec.LookPath("chromium")
	if err != nil {
		t.Fatal("chromium is not on the PATH: schema/schematest/install fetches it")
	}
	dir, err := page()
	if err != nil {
		t.Fatal(err)
	}
	scripts, err := filepath.Glob("page/test/*.test.mjs")
	if err != nil || len(scripts) == 0 {
		t.Fatalf("no scripts: %v", err)
	}
	for _, script := range scripts {
		scenario := filepath.Base(script[:len(script)-len(".test.mjs")])
		t.Run(scenario, func(t *testing.T) {
			s := play(t, scenario)
			cmd := exec.Command("node", "--test", "--test-reporter=spec", filepath.Join("test", filepath.Base(script)))
			cmd.Dir = dir
			cmd.Env = append(os.Environ(), "PAGE_URL="+s.url, "PAGE_DATA="+s.data, "PAGE_PICTURES="+t.ArtifactDir(), "CHROMIUM="+chromium)
			if said, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("%v\n%s", err, said)
			}
		})
	}
}
