//go:build unix && !linux

package numbering

import "unsafe"

func preferLargePage(unsafe.Pointer) {}
