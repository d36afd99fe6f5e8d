package pgtap_test

import (
	"crypto/tls"
	"encoding/binary"
	"fmt"
	"net"
	"os"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"github.com/rolltrace/rolltrace/schema/schematest"
)

// idleSessions is how many the memory is measured with; PGTAP_SESSIONS is another number.
const idleSessions = 300

// A session that does nothing holds little memory: 64 KiB, and 128 KiB with TLS on both sides.
func TestIdleMemory(t *testing.T) {
	cert, key := newCertificate(t)
	sessions := idleSessions
	if given, err := strconv.Atoi(os.Getenv("PGTAP_SESSIONS")); err == nil {
		sessions = given
	}
	server := schematest.PostgresOf(t, schematest.PostgresConfig{
		Settings: []string{"ssl = on", fmt.Sprintf("max_connections = %d", sessions+20), "shared_buffers = 16MB"},
		Files:    map[string][]byte{"server.crt": cert, "server.key": key},
	})
	server.Run(t, "postgres", roll)
	for name, limit := range map[string]int{"plain": 64 << 10, "TLS": 128 << 10} {
		t.Run(name, func(t *testing.T) {
			r := role{Server: server.Address(), URL: server.URL("postgres"), Dir: t.TempDir(), Key: secret.KeyFile()}
			if name == "TLS" {
				r.TLSCert, r.TLSKey = cert, key
			}
			cmd, address := r.start(t)
			defer func() {
				_ = cmd.Process.Kill()
				_ = cmd.Wait()
			}()
			open := func() net.Conn {
				conn, err := net.Dial("tcp", address)
				if err != nil {
					t.Fatal(err)
				}
				if name == "TLS" {
					if _, err := conn.Write(binary.BigEndian.AppendUint32([]byte{0, 0, 0, 8}, 80877103)); err != nil {
						t.Fatal(err)
					}
					var yes [1]byte
					if _, err := conn.Read(yes[:]); err != nil || yes[0] != 'S' {
						t.Fatal(yes, err)
					}
					conn = tls.Client(conn, &tls.Config{InsecureSkipVerify: true})
				}
				client := &raw{t: t, conn: conn}
				client.start("postgres", "postgres")
				client.send('Q', "SELECT id, name FROM voters WHERE id = 7\x00")
				client.expect("TDCZ")
				return conn
			}
			first := open() // what all sessions share
			defer func() { _ = first.Close() }()
			before := resident(t, cmd.Process.Pid)
			conns := make([]net.Conn, sessions)
			for i := range conns {
				conns[i] = open()
			}
			each := (resident(t, cmd.Process.Pid) - before) / sessions
			t.Logf("%d idle sessions: %d bytes each", sessions, each)
			if each > limit {
				t.Errorf("an idle session holds %d bytes, want at most %d", each, limit)
			}
			for _, conn := range conns {
				_ = conn.Close()
			}
			runtime.KeepAlive(conns)
		})
	}
}

// resident is the memory of a process, in bytes.
func resident(t *testing.T, pid int) int {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(status)) {
		if rest, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			kilobytes, err := strconv.Atoi(strings.Fields(rest)[0])
			if err != nil {
				t.Fatal(err)
			}
			return kilobytes << 10
		}
	}
	t.Fatal("no VmRSS")
	return 0
}

// A client that asks for much and reads nothing, and then is gone without a word, costs little and leaves nothing behind.
func TestSlowReader(t *testing.T) {
	server := schematest.Postgres(t)
	database := server.Database(t)
	server.Run(t, database, roll+"INSERT INTO voters SELECT i, repeat('x', 1000), NULL, 0, NULL FROM generate_series(1001, 200000) i")
	cmd, address := role{Server: server.Address(), URL: server.URL(database), Dir: t.TempDir(), Key: secret.KeyFile()}.start(t)
	defer func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}()
	before := resident(t, cmd.Process.Pid)
	var clients []*raw
	for _, sql := range []string{"SELECT id, name FROM voters", "SELECT repeat('x', 1000) FROM generate_series(1, 200000)", "COPY voters TO STDOUT"} {
		for range 2 {
			client := dialRaw(t, "postgres://postgres@"+address+"/"+database)
			client.send('Q', sql+"\x00")
			clients = append(clients, client)
		}
	}
	blocked := "SELECT count(*) FROM pg_stat_activity WHERE datname = '" + database + "' AND wait_event = 'ClientWrite'"
	await(t, func() bool { return server.Run(t, "postgres", blocked) == "6\n" })
	if grown := resident(t, cmd.Process.Pid) - before; grown > 64<<20 {
		t.Errorf("six results that nobody reads take %d MiB", grown>>20)
	}
	for _, client := range clients {
		_ = client.conn.Close()
	}
	await(t, func() bool {
		return server.Run(t, "postgres", "SELECT count(*) FROM pg_stat_activity WHERE datname = '"+database+"' AND application_name = '' AND backend_type = 'client backend' AND query ~ '^(SELECT id|SELECT rep|COPY v)'") == "0\n"
	})
}
