package main

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestRun(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "secrets")
	var stdout, stderr bytes.Buffer
	args := []string{"--dir", dir, "--sidecar", "party-a/field-db-1", "--host", "hub.example.org"}
	for range 2 { // the second time nothing is made
		if err := run(t.Context(), args, &stdout, &stderr); err != nil {
			t.Fatal(err)
		}
	}
	password, err := os.ReadFile(filepath.Join(dir, "grafana.password"))
	if err != nil {
		t.Fatal(err)
	}
	said := stdout.String() + stderr.String()
	if !strings.Contains(said, dir) || strings.Contains(said, strings.TrimSpace(string(password))) {
		t.Errorf("it says %q, want the folder and no secret", said)
	}
}

func TestRunSaysWhatIsWrong(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, wrong := range []struct {
		args  []string
		usage bool
		says  string
	}{
		{[]string{"--sidecar", "party-a"}, true, "ORG/NAME"},
		{[]string{"--sidecar", "party-a/x=SUABC"}, true, "public key"},
		{[]string{"party-a/x"}, true, "no arguments"},
		{[]string{"--secrets", "x"}, true, "not defined"},
		{[]string{"--dir", file}, false, file},
	} {
		var stdout, stderr bytes.Buffer
		err := run(t.Context(), wrong.args, &stdout, &stderr)
		if err == nil || errors.Is(err, errUsage) != wrong.usage {
			t.Errorf("%v: %v", wrong.args, err)
			continue
		}
		if said := stderr.String() + err.Error(); !strings.Contains(said, wrong.says) {
			t.Errorf("%v: %q, want %q in it", wrong.args, said, wrong.says)
		}
	}
}
