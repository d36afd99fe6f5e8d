package consumers_test

import (
	"io"
	"net"
	"net/url"
	"sync"
	"testing"
)

// An away is a way to ClickHouse that can be cut, and mended.
type away struct {
	listener net.Listener
	target   string

	mu    sync.Mutex
	cut   bool
	conns map[net.Conn]bool
}

// behindProxy puts a way that can be cut between the centre's consumers and its ClickHouse.
func (c *centre) behindProxy(t testing.TB) *away {
	t.Helper()
	dsn, err := url.Parse(c.dsn)
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	a := &away{listener: listener, target: dsn.Host, conns: map[net.Conn]bool{}}
	dsn.Host = listener.Addr().String()
	c.dsn = dsn.String()
	t.Cleanup(func() {
		_ = listener.Close()
		a.begin()
	})
	go a.serve()
	return a
}

func (a *away) serve() {
	for {
		client, err := a.listener.Accept()
		if err != nil {
			return
		}
		go func() {
			server, err := net.Dial("tcp", a.target)
			if err != nil || !a.admit(client, server) {
				_ = client.Close()
				return
			}
			go a.copy(server, client)
			a.copy(client, server)
		}()
	}
}

func (a *away) admit(conns ...net.Conn) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, conn := range conns {
		if a.cut {
			_ = conn.Close()
		} else {
			a.conns[conn] = true
		}
	}
	return !a.cut
}

func (a *away) copy(to, from net.Conn) {
	_, _ = io.Copy(to, from)
	_ = to.Close()
	_ = from.Close()
}

// begin cuts every connection, and refuses new ones.
func (a *away) begin() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.cut = true
	for conn := range a.conns {
		_ = conn.Close()
	}
	clear(a.conns)
}

func (a *away) end() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.cut = false
}
