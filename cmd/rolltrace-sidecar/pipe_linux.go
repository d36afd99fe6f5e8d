package main

import (
	"os"

	"golang.org/x/sys/unix"
)

// pipeBytes is as much as anybody may ask for, as a rule.
const pipeBytes = 1 << 20

// enlargePipe makes a pipe hold more. What is no pipe stays as it is.
func enlargePipe(file *os.File) {
	conn, err := file.SyscallConn()
	if err != nil {
		return
	}
	_ = conn.Control(func(fd uintptr) {
		_, _ = unix.FcntlInt(fd, unix.F_SETPIPE_SZ, pipeBytes)
	})
}
