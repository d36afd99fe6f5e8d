package centre_test

import (
	"errors"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rs/zerolog"

	"github.com/rolltrace/rolltrace/cmd/internal/centre"
	"github.com/rolltrace/rolltrace/cmd/internal/config"
	"github.com/rolltrace/rolltrace/cmd/internal/hub"
	"github.com/rolltrace/rolltrace/schema/graph"
	"github.com/rolltrace/rolltrace/schema/schematest"
)

func TestMain(m *testing.M) { schematest.Main(m) }

// free has every part listen on a free port.
var free = centre.Listen{NATS: centre.Free, ClickHouse: centre.Free, ClickHouseHTTP: centre.Free, HTTP: centre.Free, Explorer: centre.Free}

func start(t *testing.T, cfg centre.Config) *centre.Centre {
	t.Helper()
	cfg.Log = zerolog.Nop()
	c, err := centre.Start(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Stop(); err != nil {
			t.Error(err)
		}
	})
	return c
}

// A centre comes back to its addresses and to its log; one process at a time has it; while it runs
// centre.json says where it is, to its owner only.
func TestACentreComesBack(t *testing.T) {
	data := filepath.Join(t.TempDir(), "new", "folder")
	if _, err := centre.ReadInfo(data); !errors.Is(err, centre.ErrNone) {
		t.Errorf("before: %v", err)
	}
	first := start(t, centre.Config{Data: data, Listen: free})
	if err := first.Serves("127.0.0.1:1", "127.0.0.1:2", centre.Part{Name: "consumer"}); err != nil {
		t.Fatal(err)
	}
	running, err := centre.ReadRunning(data)
	if err != nil || running.PID != os.Getpid() || running.NATS != first.NATS() || running.Listen != first.Listen() {
		t.Errorf("while it runs: %+v, %v", running, err)
	}
	if info, err := os.Stat(filepath.Join(data, centre.InfoFile)); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%s: %v, %v", centre.InfoFile, info.Mode(), err)
	}
	if _, err := centre.Start(t.Context(), centre.Config{Data: data, Listen: free}); err == nil || !strings.Contains(err.Error(), "another rolltrace runs on it") {
		t.Errorf("a second one: %v", err)
	}
	log := first.Log.ID
	if err := first.Stop(); err != nil {
		t.Fatal(err)
	}
	if _, err := centre.ReadRunning(data); err == nil || !strings.Contains(err.Error(), "does not run: start it with") {
		t.Errorf("after: %v", err)
	}
	second := start(t, centre.Config{Data: data})
	if second.Log.ID != log {
		t.Errorf("another log: %s, it was %s", second.Log.ID, log)
	}
	if second.Listen() != running.Listen {
		t.Errorf("it listens at %+v, it did at %+v", second.Listen(), running.Listen)
	}
}

// A hub and a ClickHouse of one's own are used, and migrated; nothing is run beside them.
func TestGivenParts(t *testing.T) {
	dsn := schematest.ClickHouse(t)
	given := schematest.NATS(t)
	c := start(t, centre.Config{Data: t.TempDir(), ClickHouse: dsn, Hub: hub.Config{NATS: config.NewAddress(given.URL())}})
	if c.NATS() != given.URL() || c.Writer != dsn || c.Reader != dsn || c.Log.ID == "" {
		t.Errorf("hub %s, log %q", c.NATS(), c.Log.ID)
	}
	conn, err := graph.Open(c.Reader)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	if _, err := graph.New(conn, graph.Config{}).Movements(t.Context(), graph.MovementQuestion{}); err != nil {
		t.Error(err)
	}
	address, err := url.Parse(dsn)
	if err != nil {
		t.Fatal(err)
	}
	password, _ := address.User.Password()
	for _, part := range c.Parts() {
		if part.What != "given" || strings.Contains(part.Where, password) {
			t.Errorf("part %s %s", part.Name, part.What)
		}
	}
	if info, err := centre.ReadRunning(c.Data()); err != nil || info.Reader() != dsn {
		t.Errorf("%s: %v", centre.InfoFile, err)
	}
}

// What the analyst may read is what the questions read, and no table.
func TestQuestionsAreAskedAsTheAnalyst(t *testing.T) {
	c := start(t, centre.Config{Data: t.TempDir(), Listen: free})
	conn, err := graph.Open(c.Reader)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	if _, err := graph.New(conn, graph.Config{}).Movements(t.Context(), graph.MovementQuestion{}); err != nil {
		t.Error(err)
	}
	if err := conn.Exec(t.Context(), "SELECT * FROM elector"); err == nil {
		t.Error("the analyst reads a table")
	}
	if err := conn.Exec(t.Context(), "INSERT INTO position (log) VALUES ('x')"); err == nil {
		t.Error("the analyst writes")
	}
}

func TestFaultsNameWhereAndLeaveNothing(t *testing.T) {
	notFolder := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(notFolder, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	damaged := t.TempDir()
	if err := os.WriteFile(filepath.Join(damaged, centre.InfoFile), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	hubless := centre.Config{Data: t.TempDir(), Hub: hub.Config{NATS: config.NewAddress("nats://127.0.0.1:1")}}
	for name, c := range map[string]struct {
		cfg  centre.Config
		want string
	}{
		"data is a file":    {centre.Config{Data: notFolder}, "make data folder"},
		"damaged":           {centre.Config{Data: damaged}, "is not what this version of rolltrace writes"},
		"no hub":            {hubless, "127.0.0.1:1"},
		"no clickhouse":     {centre.Config{Data: t.TempDir(), Listen: free, ClickHouse: "clickhouse://u:hunter2@127.0.0.1:1/x"}, "connect to clickhouse at 127.0.0.1:1"},
		"not a dsn":         {centre.Config{Data: t.TempDir(), Listen: free, ClickHouse: "clickhouse://u:hunter2@[/x"}, "DSN"},
		"hub off loopback":  {centre.Config{Data: t.TempDir(), Listen: centre.Listen{NATS: "0.0.0.0:0"}}, "wants TLS and credentials"},
		"port out of range": {centre.Config{Data: t.TempDir(), Listen: centre.Listen{NATS: "127.0.0.1:70000"}}, "65535"},
	} {
		t.Run(name, func(t *testing.T) {
			c.cfg.Log = zerolog.Nop()
			_, err := centre.Start(t.Context(), c.cfg)
			if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "hunter2") {
				t.Fatalf("have %v, want %q in it", err, c.want)
			}
			if name == "damaged" || name == "data is a file" {
				return
			}
			good := start(t, centre.Config{Data: c.cfg.Data, Listen: free, ClickHouse: schematest.ClickHouse(t)})
			if good.Log.ID == "" {
				t.Error("the folder cannot be used any more")
			}
		})
	}
}
