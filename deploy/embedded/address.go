package embedded

import (
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"strconv"
)

// clickhouseAddress reads "host:port" as an address of 127.0.0.1. An empty one is "127.0.0.1:0".
func clickhouseAddress(listen string) (netip.AddrPort, error) {
	if listen == "" {
		listen = "127.0.0.1:0"
	}
	addr, err := parseAddress(listen)
	if err != nil {
		return netip.AddrPort{}, err
	}
	if addr.Addr() != netip.AddrFrom4([4]byte{127, 0, 0, 1}) {
		return netip.AddrPort{}, fmt.Errorf("listen on %s: the embedded clickhouse listens on 127.0.0.1 only (other machines want a clickhouse of its own: give its DSN)", listen)
	}
	return addr, nil
}

// parseAddress reads "host:port"; the host is an IP address, "localhost", or empty for every address.
func parseAddress(listen string) (netip.AddrPort, error) {
	host, port, err := net.SplitHostPort(listen)
	if err != nil {
		return netip.AddrPort{}, fmt.Errorf("listen on %q: want host:port, for example 127.0.0.1:4222", listen)
	}
	switch host {
	case "localhost":
		host = "127.0.0.1"
	case "":
		host = "0.0.0.0"
	}
	ip, err := netip.ParseAddr(host)
	if err != nil {
		return netip.AddrPort{}, fmt.Errorf("listen on %q: the host must be an IP address or localhost", listen)
	}
	number, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return netip.AddrPort{}, fmt.Errorf("listen on %q: the port must be a number from 0 (any free one) to 65535", listen)
	}
	return netip.AddrPortFrom(ip, uint16(number)), nil
}

// probe says whether something could listen there now.
func probe(addr netip.AddrPort) error {
	listener, err := net.Listen("tcp", addr.String())
	if err != nil {
		return err
	}
	return listener.Close()
}

// freePort returns a port that nobody listens on. It lies below the range that systems give to outgoing
// connections, so that it is likely still free after a crash, when the server wants it back.
func freePort(host netip.Addr) (netip.AddrPort, error) {
	var last error
	for range 100 {
		addr := netip.AddrPortFrom(host, uint16(16384+rand.IntN(16384)))
		if last = probe(addr); last == nil {
			return addr, nil
		}
	}
	return netip.AddrPort{}, fmt.Errorf("find a free port: %w", last)
}
