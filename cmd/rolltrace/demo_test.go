package main

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rolltrace/rolltrace/cmd/internal/demo"
)

// demoCmd is a demo through the built programs.
func demoCmd(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	bin, err := programs()
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", bin+string(os.PathListSeparator)+os.Getenv("PATH"))
	return exec.Command(filepath.Join(bin, "rolltrace"), append([]string{"demo"}, args...)...)
}

// idsOf is the set of identifiers of one of the demo's files.
func idsOf(t *testing.T, data, name string) map[string]bool {
	t.Helper()
	file, err := os.Open(filepath.Join(data, filepath.FromSlash(name)))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	rows, err := csv.NewReader(file).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	ids := map[string]bool{}
	for _, row := range rows[1:] {
		ids[row[0]] = true
	}
	return ids
}

func both(a, b map[string]bool) map[string]bool {
	out := map[string]bool{}
	for id := range a {
		if b[id] {
			out[id] = true
		}
	}
	return out
}

// The numbers of a demo are those that its files give, counted here and by its own recount.sh; the copies
// that are left are the printer's; nothing runs any more.
func TestDemo(t *testing.T) {
	data := filepath.Join(t.TempDir(), "demo")
	cmd := demoCmd(t, "--districts", "1", "--json", "--data", data)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		t.Fatalf("%v: %s", err, &stderr)
	}
	if stderr.Len() > 0 {
		t.Errorf("stderr, which is no terminal: %s", &stderr)
	}
	noProcessLeft(t, filepath.Dir(cmd.Path))
	var report demo.Report
	decoder := json.NewDecoder(&stdout)
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&report); err != nil || decoder.More() {
		t.Fatalf("one JSON document: %v", err)
	}

	list, cards, pulled := idsOf(t, data, "elections-office/list-of-electors.csv"), idsOf(t, data, "party-a/card-list.csv"), idsOf(t, data, "party-a/addresses-from-hq.csv")
	fromList := both(both(pulled, cards), list)
	want := map[string]int{
		"electors":              len(list),
		"cards":                 len(cards),
		"from_list_of_electors": len(fromList),
		"from_doorsteps":        len(both(both(pulled, cards), idsOf(t, data, "party-a/canvass.csv"))),
		"given_by_themselves":   len(both(cards, idsOf(t, data, "party-a/cards-with-address.csv"))),
		"copies_left":           len(idsOf(t, data, "lantern-print/christmas-cards.csv")),
	}
	a := report.Answers
	have := map[string]uint64{
		"electors": report.Electors, "cards": a.Cards, "from_list_of_electors": a.FromListOfElectors,
		"from_doorsteps": a.FromDoorsteps, "given_by_themselves": a.GivenByThemselves,
	}
	if len(a.CopiesLeft) == 1 && a.CopiesLeft[0].Place == "lantern-print/uploads/christmas-cards.csv" {
		have["copies_left"] = a.CopiesLeft[0].Electors
	}
	counted := recounted(t, data)
	for name, n := range want {
		if have[name] != uint64(n) || n == 0 {
			t.Errorf("%s: the demo says %d, its files %d", name, have[name], n)
		}
		if counted[name] != n {
			t.Errorf("%s: recount.sh says %d, its files %d", name, counted[name], n)
		}
	}
	if len(a.CopiesLeft) != 1 || len(a.Destroyed) != 4 {
		t.Errorf("copies left %v, destroyed %v", a.CopiesLeft, a.Destroyed)
	}
	if len(a.PulledBy) != 1 || a.PulledBy[0].Actor != "party-a/people/u0412" || a.PulledBy[0].Basis != "observed" || a.PulledBy[0].Electors != uint64(len(pulled)) {
		t.Errorf("pulled by %+v", a.PulledBy)
	}
	var route []string
	for _, hop := range a.Route {
		route = append(route, string(hop.Kind)+" "+string(hop.To))
	}
	const wantRoute = "collect party-a/crm/voters, export party-a/files/addresses-from-hq.csv, merge party-a/files/card-list.csv, share lantern-print/uploads/christmas-cards.csv"
	if !fromList[a.RouteOf] || strings.Join(route, ", ") != wantRoute {
		t.Errorf("route of %s: %v", a.RouteOf, route)
	}
	if len(a.Notes) > 0 {
		t.Errorf("notes: %v", a.Notes)
	}
	for _, step := range report.Steps[1:9] {
		if len(step.Movements) == 0 || step.Records == 0 || step.Command == "" {
			t.Errorf("step %+v", step)
		}
	}

	again := demoCmd(t, "--districts", "1", "--data", data)
	if said, err := again.CombinedOutput(); err == nil || !strings.Contains(string(said), "it holds something already") {
		t.Errorf("a folder that holds something: %v, %s", err, said)
	}
}

// recounted runs the script that a demo leaves.
func recounted(t *testing.T, data string) map[string]int {
	t.Helper()
	out, err := exec.Command("sh", filepath.Join(data, demo.RecountFile)).Output()
	if err != nil {
		t.Fatal(err)
	}
	counts := map[string]int{}
	for line := range strings.Lines(string(out)) {
		var name string
		var n int
		if _, err := fmt.Sscan(line, &name, &n); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		counts[name] = n
	}
	return counts
}

// Whatever ends a demo, nothing that it started is left.
func TestDemoLeavesNothingRunning(t *testing.T) {
	for _, end := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGKILL} {
		t.Run(end.String(), func(t *testing.T) {
			if end == syscall.SIGKILL && runtime.GOOS != "linux" {
				t.Log("only Linux ends children with their parent")
				return
			}
			data := filepath.Join(t.TempDir(), "demo")
			cmd := demoCmd(t, "--districts", "10", "--data", data)
			var stderr bytes.Buffer
			cmd.Stderr = &stderr
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			ended := make(chan error, 1)
			go func() { ended <- cmd.Wait() }()
			until(t, ended, func() bool {
				_, err := os.Stat(filepath.Join(data, "log", "rolltrace-sidecar.log"))
				return err == nil
			})
			_ = cmd.Process.Signal(end)
			<-ended
			if end != syscall.SIGKILL && (cmd.ProcessState.ExitCode() != 1 || !strings.Contains(stderr.String(), "rolltrace: interrupted")) {
				t.Errorf("%s, %s", cmd.ProcessState, &stderr)
			}
			noProcessLeft(t, filepath.Dir(cmd.Path))
		})
	}
}

// A program that fails ends the demo with what it said, and nothing else is left running.
func TestDemoSaysWhatFailed(t *testing.T) {
	bin, err := programs()
	if err != nil {
		t.Fatal(err)
	}
	broken := t.TempDir()
	for _, program := range []string{"rolltrace", demo.Consumer} {
		if err := os.Link(filepath.Join(bin, program), filepath.Join(broken, program)); err != nil {
			t.Fatal(err)
		}
	}
	const script = "#!/bin/sh\necho 'some note' >&2\necho 'rolltrace-sidecar: the disk is full' >&2\nexit 1\n"
	if err := os.WriteFile(filepath.Join(broken, demo.Sidecar), []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(filepath.Join(broken, "rolltrace"), "demo", "--districts", "1", "--data", filepath.Join(t.TempDir(), "demo"))
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	if err := cmd.Run(); err == nil || cmd.ProcessState.ExitCode() != 1 {
		t.Errorf("%v", err)
	}
	if said := stderr.String(); strings.Count(said, "\n") != 1 || !strings.Contains(said, "the disk is full") {
		t.Errorf("stderr %q", said)
	}
	noProcessLeft(t, broken)
	if err := os.Remove(filepath.Join(broken, demo.Sidecar)); err != nil {
		t.Fatal(err)
	}
	cmd = exec.Command(cmd.Path, cmd.Args[1:]...)
	cmd.Env = append(os.Environ(), "PATH="+t.TempDir())
	if said, err := cmd.CombinedOutput(); err == nil || !strings.Contains(string(said), "find rolltrace-sidecar: it is neither in") {
		t.Errorf("%v: %s", err, said)
	}
}

// until waits for a condition that only looking can tell, and fails if the program ends before.
func until(t *testing.T, ended <-chan error, holds func() bool) {
	t.Helper()
	look := time.NewTicker(5 * time.Millisecond)
	defer look.Stop()
	for !holds() {
		select {
		case err := <-ended:
			t.Fatalf("ended before: %v", err)
		case <-t.Context().Done():
			t.Fatal(t.Context().Err())
		case <-look.C:
		}
	}
}

// noProcessLeft waits until no process runs a program of the folder: at most as long as a clean end of the
// slowest takes.
func noProcessLeft(t *testing.T, bin string) {
	t.Helper()
	if runtime.GOOS != "linux" {
		return
	}
	look := time.NewTicker(20 * time.Millisecond)
	defer look.Stop()
	deadline := time.After(time.Minute)
	for {
		left := running(t, bin)
		if len(left) == 0 {
			return
		}
		select {
		case <-look.C:
		case <-deadline:
			t.Fatalf("still running: %v", left)
		}
	}
}

// running are the processes whose program is in the folder.
func running(t *testing.T, bin string) []string {
	t.Helper()
	links, err := filepath.Glob("/proc/[0-9]*/exe")
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, link := range links {
		program, err := os.Readlink(link)
		if err != nil {
			if !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, fs.ErrPermission) && !errors.Is(err, syscall.ESRCH) {
				t.Fatal(err)
			}
			continue
		}
		if filepath.Dir(program) == bin {
			found = append(found, link+" "+program)
		}
	}
	return found
}
