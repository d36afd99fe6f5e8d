package consumers_test

import (
	"bytes"
	"context"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"

	"github.com/rolltrace/rolltrace/consumers"
	"github.com/rolltrace/rolltrace/schema/graph"
)

// A held is a connection whose client is cut off from the server in the middle of an INSERT, when it has said all that
// it has to say and waits for the answer: the server gets what it said much later. That is what a slow network, or a
// ClickHouse that is slow to sync, does to a client that is killed.
type held struct {
	net.Conn
	table []byte

	mu      sync.Mutex
	armed   bool // the INSERT was seen
	replied bool // and answered: the client may send its rows
	kept    []byte
	waiting chan struct{} // closed when the client waits for the rows to be accepted
	closed  chan struct{}
}

// Write keeps the rows, once the INSERT itself has gone through.
func (h *held) Write(p []byte) (int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case h.replied:
		h.kept = append(h.kept, p...)
		return len(p), nil
	case bytes.Contains(p, append([]byte("INSERT INTO "), h.table...)):
		h.armed = true
	}
	return h.Conn.Write(p)
}

func (h *held) Read(p []byte) (int, error) {
	h.mu.Lock()
	waits := len(h.kept) > 0
	if waits {
		select {
		case <-h.waiting:
		default:
			close(h.waiting)
		}
	}
	h.mu.Unlock()
	if waits {
		<-h.closed
		return 0, net.ErrClosed
	}
	n, err := h.Conn.Read(p)
	h.mu.Lock()
	h.replied = h.replied || h.armed && n > 0
	h.mu.Unlock()
	return n, err
}

// Close is what the client gets; a connection with rows that were kept stays open to the server.
func (h *held) Close() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	select {
	case <-h.closed:
		return nil
	default:
		close(h.closed)
	}
	if len(h.kept) > 0 {
		return nil
	}
	return h.Conn.Close()
}

// release lets the server have what the client said, and waits until it has taken it.
func (h *held) release(t *testing.T) {
	t.Helper()
	defer func() { _ = h.Conn.Close() }()
	if _, err := h.Conn.Write(h.kept); err != nil {
		t.Fatalf("the rows that were kept: %v", err)
	}
	var answer [1 << 10]byte
	const endOfStream, exception = 5, 2
	for { // packets of progress and profile events may come before the end
		n, err := h.Conn.Read(answer[:])
		if err != nil {
			t.Fatalf("the answer to the rows that were kept: %v", err)
		}
		if bytes.Contains(answer[:n], []byte("DB::Exception")) || answer[0] == exception {
			t.Fatalf("the rows that were kept are refused: %q", answer[:n])
		}
		if answer[n-1] == endOfStream {
			return
		}
	}
}

// One consumer is killed in the middle of an insert; the next one starts, and finishes; and then the rows of the
// first one's insert appear.
func TestInsertThatCommitsAfterItsConsumerWasKilled(t *testing.T) {
	for _, table := range []string{"elector", "ingest", "position"} {
		t.Run(table, func(t *testing.T) {
			c := newCentre(t)
			c.publishSamples(t)
			first := make(chan *held, 1)
			options, err := clickhouse.ParseDSN(c.dsn)
			if err != nil {
				t.Fatal(err)
			}
			options.Compression = &clickhouse.Compression{Method: clickhouse.CompressionLZ4}
			options.MaxOpenConns, options.MaxIdleConns = 12, 12
			options.DialContext = func(ctx context.Context, address string) (net.Conn, error) {
				conn, err := new(net.Dialer).DialContext(ctx, "tcp", address)
				if err != nil {
					return nil, err
				}
				h := &held{Conn: conn, table: []byte("`" + table + "`"), waiting: make(chan struct{}), closed: make(chan struct{})}
				go func() {
					select {
					case <-h.waiting:
						select {
						case first <- h:
						default:
						}
					case <-h.closed:
					}
				}()
				return h, nil
			}
			slow, err := clickhouse.Open(options)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = slow.Close() })
			killed := c.start(t, func(cfg *consumers.Config) {
				cfg.Writer, cfg.StopTimeout = graph.NewWriter(slow, graph.WriterConfig{}), time.Nanosecond
			})
			late := <-first // its insert is under way
			killed.stop(t)
			if killed.Status().Position == c.last(t) {
				t.Fatal("the first consumer had finished: nothing was under way")
			}
			c.read(t, nil)
			c.isModelled(t)
			late.release(t)
			c.isModelled(t)
			c.read(t, nil)
			alone := c.another(t)
			alone.read(t, nil)
			same(t, "an insert that came late", contents(t, c.dsn), contents(t, alone.dsn))
		})
	}
}
