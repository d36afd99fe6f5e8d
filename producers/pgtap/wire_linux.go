package pgtap

import (
	"io"
	"net"
	"os"
	"syscall"
	"time"
	"unsafe"
)

// rawWire reads and writes a socket with system calls that the scheduler is not told of. They never block: the socket is
// non-blocking, and the network poller is waited for. Most of a tap's time is system calls, and telling the
// scheduler costs about a tenth of them.
type rawWire struct {
	conn net.Conn
	raw  syscall.RawConn

	// Of the read and of the write under way: closures made once, so that nothing is allocated.
	reading struct {
		do    func(fd uintptr) bool
		into  *buffer
		n     int
		errno syscall.Errno
	}
	writing struct {
		do    func(fd uintptr) bool
		rest  []byte
		errno syscall.Errno
	}
}

func newRawWire(conn net.Conn) wire {
	var raw syscall.RawConn
	var err error
	switch c := conn.(type) {
	case *net.TCPConn:
		raw, err = c.SyscallConn()
	case *net.UnixConn:
		raw, err = c.SyscallConn()
	default:
		return nil
	}
	if err != nil {
		return nil
	}
	w := &rawWire{conn: conn, raw: raw}
	w.reading.do, w.writing.do = w.read, w.write
	return w
}

// read is one try. While there is nothing to read the buffer gives its memory back.
func (w *rawWire) read(fd uintptr) bool {
	b := w.reading.into
	b.room(b.want())
	for {
		free := b.data[b.to:]
		n, _, errno := syscall.RawSyscall6(syscall.SYS_RECVFROM, fd, uintptr(unsafe.Pointer(&free[0])), uintptr(len(free)), 0, 0, 0)
		switch errno {
		case syscall.EINTR:
			continue
		case syscall.EAGAIN:
			b.rest()
			return false
		}
		w.reading.n, w.reading.errno = int(n), errno
		return true
	}
}

func (w *rawWire) fill(b *buffer) error {
	w.reading.into = b
	err := w.raw.Read(w.reading.do)
	w.reading.into = nil
	switch {
	case err != nil:
		return err
	case w.reading.errno != 0:
		return os.NewSyscallError("read", w.reading.errno)
	case w.reading.n == 0:
		return io.EOF
	}
	b.to += w.reading.n
	return nil
}

// write is one try of what is left.
func (w *rawWire) write(fd uintptr) bool {
	for len(w.writing.rest) > 0 {
		rest := w.writing.rest
		n, _, errno := syscall.RawSyscall6(syscall.SYS_SENDTO, fd, uintptr(unsafe.Pointer(&rest[0])), uintptr(len(rest)), syscall.MSG_NOSIGNAL, 0, 0)
		switch errno {
		case 0:
			w.writing.rest = rest[n:]
		case syscall.EINTR:
		case syscall.EAGAIN:
			return false
		default:
			w.writing.errno = errno
			return true
		}
	}
	return true
}

func (w *rawWire) Write(p []byte) (int, error) {
	w.writing.rest, w.writing.errno = p, 0
	err := w.raw.Write(w.writing.do)
	n := len(p) - len(w.writing.rest)
	w.writing.rest = nil
	if err == nil && w.writing.errno != 0 {
		err = os.NewSyscallError("write", w.writing.errno)
	}
	return n, err
}

func (w *rawWire) SetReadDeadline(t time.Time) error  { return w.conn.SetReadDeadline(t) }
func (w *rawWire) SetWriteDeadline(t time.Time) error { return w.conn.SetWriteDeadline(t) }
func (w *rawWire) Close() error                       { return w.conn.Close() }
func (w *rawWire) CloseWrite() error                  { return closeWrite(w.conn) }

// unread takes what has come on a connection and nobody has read, and returns how many bytes it was.
func unread(conn net.Conn) (n int) {
	c, ok := conn.(syscall.Conn)
	if !ok {
		return 0
	}
	raw, err := c.SyscallConn()
	if err != nil {
		return 0
	}
	_ = raw.Read(func(fd uintptr) bool {
		var taken [maxStartup]byte
		n, _, _ = syscall.Recvfrom(int(fd), taken[:], syscall.MSG_DONTWAIT)
		return true
	})
	return max(n, 0)
}
