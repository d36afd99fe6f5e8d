//go:build !linux

package pgtap

import "net"

func newRawWire(net.Conn) wire { return nil }

// unread is for systems where it is not known how: what was put before TLS is then no TLS, and fails.
func unread(net.Conn) int { return 0 }
