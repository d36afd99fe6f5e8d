package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/rolltrace/rolltrace/cmd/internal/config"
)

// One environment serves all programs: a setting of one is no unknown setting of another.
func TestProgramsShareAnEnvironment(t *testing.T) {
	bin, err := programs()
	if err != nil {
		t.Fatal(err)
	}
	clean := func() []string {
		var kept []string
		for _, entry := range os.Environ() {
			if !strings.HasPrefix(entry, config.Prefix) {
				kept = append(kept, entry)
			}
		}
		return kept
	}
	const hub, database = "nats://127.0.0.1:4222", "clickhouse://127.0.0.1:9000/rolltrace"
	programs := map[string][]string{
		"rolltrace up":        {"rolltrace", "up"},
		"rolltrace migrate":   {"rolltrace", "migrate", "--clickhouse", database},
		"rolltrace movements": {"rolltrace", "movements"},
		"rolltrace rejected":  {"rolltrace", "rejected", "list"},
		"rolltrace-consumer":  {"rolltrace-consumer", "--nats", hub, "--clickhouse", database},
		"rolltrace-sidecar":   {"rolltrace-sidecar", "run", "--org", "party-a"},
	}
	of := map[string]map[string]bool{}
	all := map[string]bool{}
	for name, args := range programs {
		cmd := exec.Command(filepath.Join(bin, args[0]), append(args[1:], "--dump")...)
		cmd.Env = clean()
		dump, err := cmd.Output()
		if err != nil {
			t.Fatalf("%s --dump: %v", name, err)
		}
		of[name] = map[string]bool{}
		for _, variable := range regexp.MustCompile(config.Prefix+`[A-Z_]+`).FindAllString(string(dump), -1) {
			of[name][variable], all[variable] = true, true
		}
	}
	if len(all) < 20 {
		t.Errorf("settings found: %v", all)
	}
	for name, args := range programs {
		cmd := exec.Command(filepath.Join(bin, args[0]), append(args[1:], "--check")...)
		cmd.Env = clean()
		for variable := range all {
			if !of[name][variable] {
				cmd.Env = append(cmd.Env, variable+"=x")
			}
		}
		if said, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%s with the settings of the others: %v: %s (cmd/internal/config/names.go)", name, err, said)
		}
	}
}
