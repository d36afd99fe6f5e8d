//go:build unix

package numbering

import "golang.org/x/sys/unix"

func mapMemory(bytes int) ([]byte, error) {
	off, err := unix.Mmap(-1, 0, bytes, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
	if err == nil {
		keepPagesSmall(off)
	}
	return off, err
}

func unmapMemory(off []byte) { _ = unix.Munmap(off) } // fails only for memory that is no mapping
