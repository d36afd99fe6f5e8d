package schematest

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
)

// namespaceVariable says to a test binary that it has a namespace of its own.
const namespaceVariable = "SCHEMATEST_NAMESPACE"

// OnSmallDisk runs the test on a file system of its own, with the mount options of tmpfs that say how large
// it is. Who may not mount one runs it in a namespace of his own, in a process of its own.
func OnSmallDisk(t *testing.T, options string, test func(t *testing.T, dir string)) {
	t.Helper()
	dir := t.TempDir()
	err := syscall.Mount("none", dir, "tmpfs", 0, options)
	if errors.Is(err, syscall.EPERM) && os.Getenv(namespaceVariable) == "" {
		cmd := exec.Command(os.Args[0], "-test.v", "-test.run=^"+t.Name()+"$")
		cmd.Env = append(os.Environ(), namespaceVariable+"=1")
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
	defer func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	}()
	test(t, dir)
}

// Ballast fills the disk of a folder but for so many bytes; the function it returns takes it away.
func Ballast(t testing.TB, dir string, leave int64) (lighten func()) {
	t.Helper()
	path := filepath.Join(dir, "ballast")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	block := make([]byte, 64<<10)
	for {
		var s syscall.Statfs_t
		if err := syscall.Statfs(dir, &s); err != nil {
			t.Fatal(err)
		}
		n := min(int64(s.Bavail)*s.Bsize-leave, int64(len(block)))
		if n <= 0 {
			break
		}
		if _, err := f.Write(block[:n]); err != nil {
			break
		}
	}
	return func() {
		t.Helper()
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
	}
}
