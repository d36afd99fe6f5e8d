//go:build unix

package numbering

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// mapPage returns a page of zeroes at a multiple of its size, or nil where there is none to be had.
func mapPage() *page {
	at, err := unix.MmapPtr(-1, 0, nil, 2*pageBytes, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
	if err != nil {
		return nil
	}
	before := -uintptr(at) & (pageBytes - 1)
	aligned := unsafe.Add(at, before)
	if before > 0 {
		_ = unix.MunmapPtr(at, before) // fails only for what is no mapping
	}
	if after := pageBytes - before; after > 0 {
		_ = unix.MunmapPtr(unsafe.Add(aligned, pageBytes), after)
	}
	preferLargePage(aligned)
	return (*page)(aligned)
}

func unmapPage(p *page) { _ = unix.MunmapPtr(unsafe.Pointer(p), pageBytes) }
