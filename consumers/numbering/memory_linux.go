package numbering

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// preferLargePage asks for one page of 2 MiB instead of 512 small ones. A kernel that has none to give uses small
// ones, which costs time and nothing else.
func preferLargePage(at unsafe.Pointer) {
	_ = unix.Madvise(unsafe.Slice((*byte)(at), pageBytes), unix.MADV_HUGEPAGE)
}
