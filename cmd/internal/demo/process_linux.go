package demo

import "syscall"

// childAttributes put a child into a process group of its own, and have the kernel end it when the
// thread that started it ends.
func childAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
}
