package pgtap_test

import (
	"encoding/binary"
	"io"
	"net"
	"net/url"
	"testing"
	"time"
)

// A raw connection is a client that sends what it likes.
type raw struct {
	t    testing.TB
	conn net.Conn
}

// dialRaw connects and goes through startup.
func dialRaw(t testing.TB, address string) *raw {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := net.Dial("tcp", u.Host)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(patience))
	r := &raw{t: t, conn: conn}
	r.start(u.User.Username(), u.Path[1:])
	return r
}

// start goes through startup.
func (r *raw) start(user, database string) {
	r.t.Helper()
	if _, err := r.conn.Write(packet("user", user, "database", database)); err != nil {
		r.t.Fatal(err)
	}
	for kind := byte(0); kind != 'Z'; {
		kind, _ = r.receive()
	}
}

func message(kind byte, body string) []byte {
	return append(binary.BigEndian.AppendUint32([]byte{kind}, uint32(4+len(body))), body...)
}

func (r *raw) send(kind byte, body string) {
	r.t.Helper()
	if _, err := r.conn.Write(message(kind, body)); err != nil {
		r.t.Fatal(err)
	}
}

func (r *raw) receive() (kind byte, body []byte) {
	r.t.Helper()
	var head [5]byte
	if _, err := io.ReadFull(r.conn, head[:]); err != nil {
		r.t.Fatal(err)
	}
	body = make([]byte, binary.BigEndian.Uint32(head[1:])-4)
	if _, err := io.ReadFull(r.conn, body); err != nil {
		r.t.Fatal(err)
	}
	return head[0], body
}

// expect reads messages of these types, and none between them.
func (r *raw) expect(kinds string) {
	r.t.Helper()
	have := ""
	for range len(kinds) {
		kind, _ := r.receive()
		have += string(kind)
		if have != kinds[:len(have)] {
			r.t.Fatalf("received %q, want %q", have, kinds)
		}
	}
}
