package pgtap_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// A pipeline with an error in the middle: nothing is answered until Sync, and the tap is not out of step after it.
func TestPipelines(t *testing.T) {
	b := newBench(t, nil)
	conn := b.connect("postgres").PgConn()
	for range 3 {
		pipeline := conn.StartPipeline(t.Context())
		for i := range 20 {
			sql := "SELECT generate_series(1, 100)"
			if i == 10 {
				sql = "SELECT 1/0"
			}
			pipeline.SendQueryParams(sql, nil, nil, nil, nil)
		}
		if err := pipeline.Sync(); err != nil {
			t.Fatal(err)
		}
		pipeline.SendQueryParams("SELECT 'after'", nil, nil, nil, nil)
		if err := pipeline.Sync(); err != nil {
			t.Fatal(err)
		}
		rows, faults := 0, 0
		for {
			results, err := pipeline.GetResults()
			if results == nil && err == nil {
				break
			}
			if err != nil {
				var fault *pgconn.PgError
				if !errors.As(err, &fault) || fault.Code != "22012" {
					t.Fatal(err)
				}
				faults++
				continue
			}
			if reader, ok := results.(*pgconn.ResultReader); ok {
				for reader.NextRow() {
					rows++
				}
				if _, err := reader.Close(); err != nil {
					var fault *pgconn.PgError
					if !errors.As(err, &fault) || fault.Code != "22012" {
						t.Fatal(err)
					}
					faults++
				}
			}
		}
		if err := pipeline.Close(); err != nil {
			t.Fatal(err)
		}
		if rows != 1001 || faults != 1 {
			t.Fatalf("%d rows, %d errors", rows, faults)
		}
	}
}

// An Execute that nobody has described gets its description from the tap, and the client sees nothing of it.
func TestExecuteWithoutDescribe(t *testing.T) {
	b := newBench(t, nil)
	for name, url := range map[string]string{"direct": b.server.URL("postgres"), "through": b.url("postgres")} {
		t.Run(name, func(t *testing.T) {
			raw := dialRaw(t, url)
			raw.send('P', "\x00SELECT generate_series(1, 4)\x00\x00\x00")
			raw.send('B', "\x00\x00\x00\x00\x00\x00\x00\x00")
			raw.send('E', "\x00\x00\x00\x00\x03")
			raw.send('E', "\x00\x00\x00\x00\x00")
			raw.send('E', "nowhere\x00\x00\x00\x00\x00")
			raw.send('E', "\x00\x00\x00\x00\x00")
			raw.send('S', "")
			raw.send('Q', "SELECT 1\x00")
			raw.expect("12DDDsDCEZTDCZ")
			// In a transaction a portal goes on after Sync.
			raw.send('Q', "BEGIN\x00")
			raw.send('P', "s\x00SELECT generate_series(1, 4)\x00\x00\x00")
			raw.send('B', "p\x00s\x00\x00\x00\x00\x00\x00\x00")
			raw.send('D', "Pp\x00")
			raw.send('E', "p\x00\x00\x00\x00\x02")
			raw.send('S', "")
			raw.send('E', "p\x00\x00\x00\x00\x01")
			raw.send('H', "")
			raw.expect("CZ12TDDsZDs")
			raw.send('C', "Pp\x00")
			raw.send('S', "")
			raw.send('Q', "COMMIT\x00")
			raw.expect("3ZCZ")
		})
	}
}

// COPY in the extended protocol: the Sync before the data is read by the COPY, and has no answer.
func TestCopyInExtendedProtocol(t *testing.T) {
	b := newBench(t, nil)
	for name, url := range map[string]string{"direct": b.server.URL("postgres"), "through": b.url("postgres")} {
		t.Run(name, func(t *testing.T) {
			raw := dialRaw(t, url)
			raw.send('Q', "CREATE TEMP TABLE item (id int)\x00")
			raw.expect("CZ")
			copyIn := func() {
				raw.send('P', "\x00COPY item FROM STDIN\x00\x00\x00")
				raw.send('B', "\x00\x00\x00\x00\x00\x00\x00\x00")
				raw.send('D', "P\x00")
				raw.send('E', "\x00\x00\x00\x00\x00")
				raw.send('S', "")
				raw.expect("12nG")
			}
			copyIn()
			raw.send('d', "1\n")
			raw.send('d', "2\n")
			raw.send('c', "")
			raw.send('S', "")
			raw.expect("CZ")
			copyIn()
			raw.send('d', "one\n")
			raw.send('d', "2\n")
			raw.send('c', "")
			raw.send('S', "")
			raw.expect("EZ")
			copyIn()
			raw.send('d', "1\n")
			raw.send('f', "no more\x00")
			raw.send('S', "")
			raw.send('Q', "SELECT id FROM item\x00")
			raw.expect("EZTDDCZ")
			// In the simple protocol what is sent after an error is ignored.
			raw.send('Q', "COPY item FROM STDIN\x00")
			raw.expect("G")
			raw.send('d', "one\n")
			raw.send('d', "2\n")
			raw.send('c', "")
			raw.send('Q', "SELECT id FROM item; COPY item TO STDOUT\x00")
			raw.expect("EZTDDCHddcCZ")
		})
	}
}

// A cancel request reaches the server, and a client that goes away takes its session with it.
func TestCancel(t *testing.T) {
	b := newBench(t, nil)
	conn := b.connect("postgres")
	done := make(chan error, 1)
	go func() {
		_, err := conn.Exec(context.Background(), "SELECT pg_sleep(600)")
		done <- err
	}()
	await(t, func() bool {
		return b.server.Run(t, "postgres", "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'") == "1\n"
	})
	if err := conn.PgConn().CancelRequest(t.Context()); err != nil {
		t.Fatal(err)
	}
	var fault *pgconn.PgError
	if err := <-done; !errors.As(err, &fault) || fault.Code != "57014" {
		t.Errorf("%v", err)
	}
	var one int
	if err := conn.QueryRow(t.Context(), "SELECT 1").Scan(&one); err != nil || one != 1 {
		t.Errorf("after it: %d, %v", one, err)
	}
}

// What is no session is answered as Postgres answers it.
func TestStrangeBeginnings(t *testing.T) {
	b := newBench(t, nil)
	for name, c := range map[string][]byte{
		"SSL":               []byte("\x00\x00\x00\x08\x04\xd2\x16\x2f"),
		"version 2":         []byte("\x00\x00\x00\x09\x00\x02\x00\x00\x00"),
		"version 3.9":       packet("user", "postgres", "version", "3.9"),
		"too short":         []byte("\x00\x00\x00\x04\x00\x03\x00\x00"),
		"too long":          []byte("\x7f\xff\xff\xff\x00\x03\x00\x00"),
		"direct TLS":        []byte("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"),
		"HTTP":              []byte("GET / HTTP/1.1\r\n\r\n"),
		"no user":           []byte("\x00\x00\x00\x09\x00\x03\x00\x00\x00"),
		"unknown database":  packet("user", "postgres", "database", "no_such_database"),
		"unknown parameter": packet("user", "postgres", "_pq_.none", "1", "database", "no_such_database"),
		"not well formed":   []byte("\x00\x00\x00\x0d\x00\x03\x00\x00user\x00"),
		"cancel of nobody":  []byte("\x00\x00\x00\x10\x04\xd2\x16\x2e\x00\x00\x00\x00\x00\x00\x00\x00"),
		"long cancel":       append([]byte("\x00\x00\x01\x0c\x04\xd2\x16\x2e\x00\x00\x00\x00"), make([]byte, 256)...),
	} {
		t.Run(name, func(t *testing.T) {
			if name == "version 3.9" {
				c = packet("user", "postgres", "database", "no_such_database")
				c[7] = 9
			}
			want, have := answerTo(t, b.server.Address(), c), answerTo(t, b.tap.Address().String(), c)
			if !bytes.Equal(have, want) {
				t.Errorf("have %q, want %q", have, want)
			}
		})
	}
}

func packet(parameters ...string) []byte {
	body := append([]byte("\x00\x03\x00\x00"), strings.Join(parameters, "\x00")...)
	body = append(body, 0, 0)
	return append([]byte{0, 0, 0, byte(len(body) + 4)}, body...)
}

// answerTo is all that a server says to what a client sends before it goes away.
func answerTo(t *testing.T, address string, sent []byte) []byte {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	_ = conn.SetDeadline(time.Now().Add(patience))
	if _, err := conn.Write(sent); err != nil {
		t.Fatal(err)
	}
	_ = conn.(*net.TCPConn).CloseWrite() // refused when the answer's end has come already
	answer, err := io.ReadAll(conn)
	if err != nil && !strings.Contains(err.Error(), "reset") {
		t.Fatal(err)
	}
	return answer
}

// Told to end, the tap ends idle sessions as Postgres does, and lets the others finish.
func TestDrain(t *testing.T) {
	b := newBench(t, nil)
	idle, busy := b.connect("postgres"), b.connect("postgres")
	tx, err := busy.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		b.stop()
	}()
	_, err = idle.PgConn().ReceiveMessage(t.Context())
	var fault *pgconn.PgError
	if !errors.As(err, &fault) || fault.Code != "57P01" {
		t.Errorf("idle: %v", err)
	}
	var n int
	if err := tx.QueryRow(t.Context(), "SELECT count(*) FROM generate_series(1, 100000)").Scan(&n); err != nil || n != 100000 {
		t.Errorf("busy: %d, %v", n, err)
	}
	if err := tx.Commit(t.Context()); err != nil {
		t.Errorf("busy: %v", err)
	}
	<-ended
}
