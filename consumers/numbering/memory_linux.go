package numbering

import "golang.org/x/sys/unix"

// keepPagesSmall asks that untouched parts stay without memory: where huge pages are the default, one key
// would take two megabytes. An old kernel may refuse, which costs memory and nothing else.
func keepPagesSmall(off []byte) { _ = unix.Madvise(off, unix.MADV_NOHUGEPAGE) }
