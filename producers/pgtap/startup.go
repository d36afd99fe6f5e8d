package pgtap

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgproto3"
)

// What can stand where a startup packet has its protocol version.
const (
	sslRequest    = 80877103
	gssRequest    = 80877104
	cancelRequest = 80877102
	maxStartup    = 10_000 // bytes, as Postgres has it

	alpn         = "postgresql"
	tlsHandshake = 0x16 // first byte of a direct TLS connection
)

// startupTimeout is how long a client may take to say who it is, as Postgres' authentication_timeout.
const startupTimeout = time.Minute

// errAnswered ends a connection that has got all that it will get.
var errAnswered = errors.New("answered")

// A startup is the first packet of a session, and what it says.
type startup struct {
	packet     []byte // as it came
	major      uint16
	parameters map[string]string
}

// greet does with a new connection what comes before its startup packet: TLS, and cancel requests. It returns the
// connection, in TLS if that was asked for, and the packet.
func (t *Tap) greet(ctx context.Context, conn net.Conn) (net.Conn, startup, error) {
	var first [8]byte
	if _, err := io.ReadFull(conn, first[:1]); err != nil {
		return conn, startup{}, err // also a probe that says nothing
	}
	secured, refused := false, false
	if first[0] == tlsHandshake {
		if t.cfg.TLS == nil {
			return conn, startup{}, errors.New("direct TLS, and no certificate")
		}
		direct := tls.Server(&prefixed{Conn: conn, prefix: []byte{tlsHandshake}}, t.cfg.TLS)
		if err := direct.HandshakeContext(ctx); err != nil {
			return conn, startup{}, fmt.Errorf("TLS: %w", err)
		}
		if direct.ConnectionState().NegotiatedProtocol != alpn {
			return direct, startup{}, errors.New("direct TLS without ALPN postgresql")
		}
		conn, secured = direct, true
		if _, err := io.ReadFull(conn, first[:1]); err != nil {
			return conn, startup{}, err
		}
	}
	for gss := false; ; {
		if _, err := io.ReadFull(conn, first[1:]); err != nil {
			return conn, startup{}, err
		}
		length, code := binary.BigEndian.Uint32(first[:]), binary.BigEndian.Uint32(first[4:])
		if length < 8 || length > maxStartup {
			return conn, startup{}, errors.New("invalid length of startup packet") // Postgres closes without a word
		}
		packet := make([]byte, length)
		copy(packet, first[:])
		if _, err := io.ReadFull(conn, packet[8:]); err != nil {
			return conn, startup{}, err
		}
		switch {
		case code == cancelRequest:
			return conn, startup{}, errors.Join(errAnswered, t.cancel(ctx, packet))
		case code == sslRequest && !secured && !refused:
			if t.cfg.TLS == nil {
				refused = true
				if _, err := conn.Write([]byte("N")); err != nil {
					return conn, startup{}, err
				}
				break
			}
			stuffed := unread(conn) // nobody who speaks TLS has sent more before the answer
			if _, err := conn.Write([]byte("S")); err != nil {
				return conn, startup{}, err
			}
			server := tls.Server(conn, t.cfg.TLS)
			if err := server.HandshakeContext(ctx); err != nil {
				return conn, startup{}, fmt.Errorf("TLS: %w", err)
			}
			conn, secured = server, true
			if stuffed > 0 {
				err := refuseStuffed(conn)
				return conn, startup{}, errors.Join(errAnswered, err)
			}
		case code == gssRequest && !gss && !secured:
			gss = true
			if _, err := conn.Write([]byte("N")); err != nil {
				return conn, startup{}, err
			}
		case code == sslRequest || code == gssRequest:
			err := sendError(conn, "FATAL", "0A000", fmt.Sprintf("unsupported frontend protocol %d.%d: server supports 3.0 to 3.0", code>>16, code&0xffff), "")
			return conn, startup{}, errors.Join(errAnswered, err)
		default:
			if t.cfg.RequireTLS && !secured {
				err := sendError(conn, "FATAL", "28000", "connection requires TLS", "Connect with sslmode=require or stronger.")
				return conn, startup{}, errors.Join(errAnswered, err)
			}
			s := startup{packet: packet, major: uint16(code >> 16)}
			s.parameters = parameters(s.major, packet[8:])
			return conn, s, nil
		}
		if _, err := io.ReadFull(conn, first[:1]); err != nil {
			return conn, startup{}, err
		}
	}
}

// parameters are those of a startup packet of protocol 3, as far as they are well formed: the server says what is wrong
// with others.
func parameters(major uint16, body []byte) map[string]string {
	p := make(map[string]string)
	if major != 3 {
		return p
	}
	for {
		name, rest, ok := bytes.Cut(body, []byte{0})
		if !ok || len(name) == 0 {
			break
		}
		value, rest, ok := bytes.Cut(rest, []byte{0})
		if !ok {
			break
		}
		p[string(name)] = string(value)
		body = rest
	}
	if p["database"] == "" {
		p["database"] = p["user"]
	}
	return p
}

// replication says whether the client asks for a replication connection. What cannot be told counts as yes.
func (s startup) replication() bool {
	value, given := s.parameters["replication"]
	if !given {
		return false
	}
	value = strings.ToLower(value)
	for _, no := range []string{"false", "off", "no", "0"} {
		if value != "" && value != "o" && strings.HasPrefix(no, value) {
			return false
		}
	}
	return true
}

// dial connects to the server, in TLS if that is configured.
func (t *Tap) dial(ctx context.Context) (net.Conn, error) {
	network := "tcp"
	if strings.HasPrefix(t.cfg.Server, "/") {
		network = "unix"
	}
	conn, err := t.dialer.DialContext(ctx, network, t.cfg.Server)
	if err != nil || t.cfg.ServerTLS == nil {
		return conn, err
	}
	secured, err := secure(ctx, conn, t.cfg.ServerTLS)
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return secured, nil
}

func secure(ctx context.Context, conn net.Conn, config *tls.Config) (net.Conn, error) {
	if deadline, ok := ctx.Deadline(); ok {
		if err := conn.SetDeadline(deadline); err != nil {
			return nil, err
		}
	}
	request := binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, 8), sslRequest)
	if _, err := conn.Write(request); err != nil {
		return nil, err
	}
	var answer [1]byte
	if _, err := io.ReadFull(conn, answer[:]); err != nil {
		return nil, err
	}
	if answer[0] != 'S' {
		return nil, errors.New("the server has no TLS")
	}
	secured := tls.Client(conn, config)
	if err := secured.HandshakeContext(ctx); err != nil {
		return nil, fmt.Errorf("TLS: %w", err)
	}
	return secured, conn.SetDeadline(time.Time{})
}

// ServerCertificate is the certificate that the server shows on TLS, in DER.
func ServerCertificate(ctx context.Context, cfg Config) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	t := &Tap{cfg: cfg}
	conn, err := t.dial(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { _ = conn.Close() }()
	secured, ok := conn.(*tls.Conn)
	if !ok {
		return nil, errors.New("the connection to the server is not TLS")
	}
	return secured.ConnectionState().PeerCertificates[0].Raw, nil
}

// cancel brings a cancel request to the server and waits until the server has taken it.
func (t *Tap) cancel(ctx context.Context, packet []byte) error {
	ctx, cancel := context.WithTimeout(ctx, startupTimeout)
	defer cancel()
	conn, err := t.dial(ctx)
	if err != nil {
		return fmt.Errorf("forward cancel request: %w", err)
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Now()) })
	defer stop()
	_, err = conn.Write(packet)
	if err == nil {
		_, err = io.Copy(io.Discard, io.LimitReader(conn, maxStartup)) // until the server closes: then the signal is sent
	}
	if err := errors.Join(err, conn.Close()); err != nil {
		return fmt.Errorf("forward cancel request: %w", err)
	}
	return nil
}

// errorMessage is an ErrorResponse as Postgres writes it.
func errorMessage(severity, code, text, hint string) []byte {
	// Encode fails for messages of a gigabyte alone.
	message, _ := (&pgproto3.ErrorResponse{Severity: severity, SeverityUnlocalized: severity, Code: code, Message: text, Hint: hint}).Encode(nil)
	return message
}

// refuseStuffed says that there was something between the request for TLS and TLS, in Postgres' words.
func refuseStuffed(to io.Writer) error {
	message, _ := (&pgproto3.ErrorResponse{
		Severity: "FATAL", SeverityUnlocalized: "FATAL", Code: "08P01", Message: "received unencrypted data after SSL request",
		Detail: "This could be either a client-software bug or evidence of an attempted man-in-the-middle attack.",
	}).Encode(nil)
	_, err := to.Write(message)
	return err
}

func sendError(to io.Writer, severity, code, text, hint string) error {
	_, err := to.Write(errorMessage(severity, code, text, hint))
	return err
}

// prefixed is a connection of which some bytes were read already.
type prefixed struct {
	net.Conn
	prefix []byte
}

func (c *prefixed) Read(p []byte) (int, error) {
	if len(c.prefix) > 0 {
		n := copy(p, c.prefix)
		c.prefix = c.prefix[n:]
		return n, nil
	}
	return c.Conn.Read(p)
}
