package pgtap

import (
	"net"
	"time"
)

// A wire is one end of a session: the connection to the client or to the server, after startup.
type wire interface {
	// fill waits until there is something to read and adds it to the buffer, which takes memory only then.
	// The error is io.EOF at the end of the stream.
	fill(b *buffer) error
	// Write writes all of p.
	Write(p []byte) (int, error)
	// CloseWrite says that nothing more will be written.
	CloseWrite() error
	SetReadDeadline(t time.Time) error
	SetWriteDeadline(t time.Time) error
	Close() error
}

// newWire wraps a connection that is past its startup. A plain one is read and written without the detours of net.Conn.
func newWire(conn net.Conn) wire {
	if w := newRawWire(conn); w != nil {
		return w
	}
	return &connWire{Conn: conn}
}

// connWire is any connection: TLS, and plain ones where there is no faster way. It has to hold memory while it waits, so
// that is little.
type connWire struct {
	net.Conn
	busy bool // the last read filled its buffer
}

func (w *connWire) fill(b *buffer) error {
	if w.busy {
		b.room(b.want())
	} else {
		b.room(waitingSize)
	}
	n, err := w.Read(b.data[b.to:])
	w.busy = n > 0 && b.to+n == len(b.data)
	b.to += n
	if n > 0 {
		return nil // an error comes again
	}
	return err
}

func (w *connWire) CloseWrite() error { return closeWrite(w.Conn) }

// closeWrite closes the half of a connection that is written to, or all of it where there are no halves.
func closeWrite(conn net.Conn) error {
	if half, ok := conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return conn.Close()
}
