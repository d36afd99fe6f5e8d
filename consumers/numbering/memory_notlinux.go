//go:build unix && !linux

package numbering

func keepPagesSmall([]byte) {}
