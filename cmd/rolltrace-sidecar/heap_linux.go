package main

import (
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

const hugePage = 2 << 20

// hugeHeap asks for huge pages for the memory that the heap takes next, up to so many bytes: the buffers of a list are
// touched for the first time in a few faults, and not in one for each 4 KiB. It is advice: nothing is touched, and nothing
// kept.
func hugeHeap(bytes int) {
	heap := make([]byte, bytes)
	ahead := -uintptr(unsafe.Pointer(unsafe.SliceData(heap))) & (hugePage - 1)
	_ = unix.Madvise(heap[ahead:], unix.MADV_HUGEPAGE)
	runtime.KeepAlive(heap)
}
