package main

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/rolltrace/rolltrace/schema"
)

// namespaceEnv marks a test that runs in a namespace of its own, where it may mount.
const namespaceEnv = "SIDECAR_TEST_NAMESPACE"

// A disk runs full in the middle of a list: the flow ends with one line, nothing went that is not recorded, and with
// space again all of it comes to the hub.
func TestTheDiskIsFull(t *testing.T) {
	disk := t.TempDir()
	err := syscall.Mount("none", disk, "tmpfs", 0, "size=24m")
	if errors.Is(err, syscall.EPERM) && os.Getenv(namespaceEnv) == "" {
		cmd := exec.Command(os.Args[0], "-test.v", "-test.run=^"+t.Name()+"$")
		cmd.Env = append(os.Environ(), namespaceEnv+"=1")
		cmd.SysProcAttr = &syscall.SysProcAttr{
			Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS,
			UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}},
			GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}},
		}
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("run in a namespace of its own: %v\n%s", err, out)
		}
		return
	}
	if err != nil {
		t.Fatalf("mount a small disk: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(disk, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	d := newDesk(t)
	if err := os.Symlink(filepath.Join(disk, "outbox"), d.path("outbox")); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(disk, "outbox"), 0o700); err != nil {
		t.Fatal(err)
	}
	ballast := filepath.Join(disk, "ballast")
	if err := os.WriteFile(ballast, make([]byte, 12<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	text, _ := roll(2_000_000) // 16 MB of keys
	e := d.run(text, d.share("--id", "elector_id", "--block-timeout", "200ms")...)
	if e.code != 1 || !strings.Contains(e.stderr, "outbox full") || !strings.Contains(e.stderr, "disk") || strings.Count(e.stderr, "\n") != 1 {
		t.Errorf("exit code %d, said %q", e.code, e.stderr)
	}
	if len(e.stdout) == 0 || len(e.stdout) == len(text) {
		t.Errorf("%d of %d bytes went", len(e.stdout), len(text))
	}
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	hub := d.startHub()
	run := d.sidecar()
	m := hub.closed(1)[0]
	if m.Outcome != schema.Failed {
		t.Errorf("the movement is %s", m.Outcome)
	}
	var keys []schema.Key
	for _, c := range hub.chunks[m.ID] {
		keys = append(keys, c.Keys...)
	}
	d.recorded("full", []byte(e.stdout), keys)
	run.stop()
}
