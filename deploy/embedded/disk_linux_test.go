package embedded

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// The hub's disk runs full, and has room again: the hub takes messages as before, for clients that know nothing of it, and has
// what it acknowledged.
func TestNATSOnAFullDiskAndThenNot(t *testing.T) {
	const namespaceEnv = "EMBEDDED_TEST_NAMESPACE"
	disk := t.TempDir()
	err := syscall.Mount("none", disk, "tmpfs", 0, "size=128m")
	if errors.Is(err, syscall.EPERM) && os.Getenv(namespaceEnv) == "" { // in a namespace of its own it may
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
	ballast := filepath.Join(disk, "ballast")
	if err := os.WriteFile(ballast, make([]byte, 100<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	n := startNATS(t, NATSConfig{Dir: filepath.Join(disk, "nats"), MaxStore: 1 << 30})
	url := n.URL()
	within := connect(t, "", n.InProcess(), nats.MaxReconnects(-1), nats.ReconnectWait(20*time.Millisecond))
	outside := connect(t, url, nats.MaxReconnects(-1), nats.ReconnectWait(20*time.Millisecond))
	publish(t, within, 1)
	acknowledged := uint64(1)
	try := func(js jetstream.JetStream) error {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := js.Publish(ctx, "kept", make([]byte, 512<<10))
		if err == nil {
			acknowledged++
		}
		return err
	}
	for try(within) == nil {
		if acknowledged > 100 {
			t.Fatal("the disk does not run full")
		}
	}
	if err := try(outside); err == nil {
		t.Error("a message is acknowledged on a full disk")
	}
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	for _, js := range []jetstream.JetStream{within, outside} {
		for late := time.After(time.Minute); ; {
			err := try(js)
			if err == nil {
				break
			}
			select {
			case <-late:
				t.Fatalf("with room again: %v", err)
			default:
			}
		}
	}
	if n.URL() != url {
		t.Errorf("it listens at %s, it was %s", n.URL(), url)
	}
	// One that was not acknowledged may be there.
	if have := messages(t, outside); have < acknowledged {
		t.Errorf("%d messages, %d were acknowledged", have, acknowledged)
	}
}
