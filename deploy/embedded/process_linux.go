package embedded

import (
	"os/exec"
	"syscall"

	"golang.org/x/sys/unix"
)

// tieToParent makes the kernel kill the child when this process dies, however it dies. It is tied to the
// thread that starts the child, so the caller has locked its goroutine to that thread until the child is
// gone. The child gets a process group of its own: a terminal's Ctrl-C is for us, and we stop it.
func tieToParent(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
}

func dup(from, to int) error { return unix.Dup3(from, to, 0) }
