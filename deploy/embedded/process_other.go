//go:build !linux

package embedded

import (
	"os/exec"
	"syscall"

	"golang.org/x/sys/unix"
)

// tieToParent gives the child a process group of its own. There is no death signal here: the npm
// library's process ends itself when its lifeline closes.
func tieToParent(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
}

func dup(from, to int) error { return unix.Dup2(from, to) }
