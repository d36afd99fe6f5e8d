//go:build unix

package outbox

import (
	"math"

	"golang.org/x/sys/unix"
)

// diskFree is how many bytes this process may still write to the disk of the folder.
func diskFree(dir string) int64 {
	var s unix.Statfs_t
	if err := unix.Statfs(dir, &s); err != nil {
		return math.MaxInt64 // not known: the write will tell
	}
	free := uint64(s.Bavail) * uint64(s.Bsize) //nolint:unconvert // their types differ between systems
	return int64(min(free, math.MaxInt64))
}
