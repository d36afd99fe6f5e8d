package deploy_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rolltrace/rolltrace/schema/graph"
)

// runACentre does what compose.yaml does, without containers: hub and ClickHouse on their shipped settings, then
// the binaries with the settings files of compose.yaml, in its order; a list goes through the sidecar, and Grafana's
// user sees it.
func (p programs) runACentre(t *testing.T) {
	written := secrets(t)
	hubURL := "tls://" + hub(t, written).Addr().String()
	db := startDatabase(t, written)
	clickhouse := fmt.Sprintf("127.0.0.1:%d", db.native)

	migrate := p.command("rolltrace", "migrate")
	setting := *project(t).Services["migrate"].Environment["ROLLTRACE_CLICKHOUSE"]
	setting = strings.NewReplacer("/run/secrets", filepath.Join(written, "clickhouse"), "clickhouse:9000", clickhouse).Replace(setting)
	migrate.Env = append(migrate.Env, "ROLLTRACE_CLICKHOUSE="+setting)
	if out, err := migrate.CombinedOutput(); err != nil {
		t.Fatalf("migrate: %s", out)
	}
	consumer := p.placed(t, "compose/consumer.yaml", written, "tls://nats:4222", hubURL, "clickhouse:9000", clickhouse, "127.0.0.1:9464", "127.0.0.1:0")
	p.start(t, "rolltrace-consumer", "--config", consumer)
	sidecar := p.placed(t, "compose/sidecar.yaml", written, "tls://nats:4222", hubURL, "127.0.0.1:9465", "127.0.0.1:0")
	p.start(t, "rolltrace-sidecar", "run", "--config", sidecar)

	list := "elector_id,name\n"
	for i := range 1000 {
		list += fmt.Sprintf("A%07d,an invented person\n", i)
	}
	tee := p.command("rolltrace-sidecar", "tee", "--config", sidecar, "--kind", "share",
		"--from", "party-a/crm/voters", "--to", "acme-mail/uploads/list.csv", "--id", "elector_id")
	var out, said bytes.Buffer
	tee.Stdin, tee.Stdout, tee.Stderr = strings.NewReader(list), &out, &said
	if err := tee.Run(); err != nil {
		t.Fatalf("tee: %v: %s", err, &said)
	}
	if out.String() != list {
		t.Error("tee changed the list")
	}

	conn, err := graph.Open(db.dsn("dashboard"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	for ; ; <-tick.C {
		var reached uint64
		var sidecars uint64
		row := conn.QueryRow(ctx, `SELECT (SELECT sum(reached) FROM electors WHERE org = 'acme-mail' AND place = ''),
			(SELECT count() FROM sidecars WHERE org = 'party-a' AND sidecar = 'field-db-1' AND NOT silent)`)
		if err := row.Scan(&reached, &sidecars); err != nil {
			t.Fatal(err)
		}
		if reached == 1000 && sidecars == 1 {
			tick.Stop()
			break
		}
	}
	p.askAsPeople(t, written, hubURL, clickhouse, filepath.Join(filepath.Dir(sidecar), "key.json"))
}

// askAsPeople asks every question of the command line as the analyst, and looks at what was rejected as the operator.
func (p programs) askAsPeople(t *testing.T, written, hubURL, clickhouse, key string) {
	t.Helper()
	dsn := "clickhouse://analyst@" + clickhouse + "/rolltrace?password_file=" + filepath.Join(written, "clickhouse", "analyst.password")
	for _, question := range [][]string{
		{"electors", "--at", "acme-mail"}, {"electors", "--at", "acme-mail", "--list"}, {"electors", "--at", "acme-mail", "--reached"},
		{"reach", "party-a"}, {"sources", "acme-mail"}, {"movements"},
		{"elector", "A0000007", "--key", key}, {"route", "--elector", "A0000007", "--to", "acme-mail", "--key", key},
	} {
		out, err := p.command("rolltrace", append(question, "--clickhouse", dsn)...).CombinedOutput()
		if err != nil || !strings.Contains(string(out), "acme-mail") {
			t.Errorf("rolltrace %s: %v\n%s", strings.Join(question, " "), err, out)
		}
	}
	rejected := p.command("rolltrace", "rejected", "list", "--nats", hubURL,
		"--nats-ca", filepath.Join(written, "ca.pem"), "--nats-seed", filepath.Join(written, "operator.seed"))
	if out, err := rejected.CombinedOutput(); err != nil {
		t.Errorf("rolltrace rejected list: %v\n%s", err, out)
	}
}

// start runs a program until the test ends. Ended then by SIGTERM, it must end well; before, the test fails.
func (p programs) start(t *testing.T, name string, args ...string) {
	t.Helper()
	cmd := p.command(name, args...)
	log, err := os.Create(filepath.Join(t.TempDir(), name+".log"))
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		killed := time.AfterFunc(time.Minute, func() { _ = cmd.Process.Kill() })
		err := cmd.Wait()
		killed.Stop()
		said, _ := os.ReadFile(log.Name())
		_ = log.Close()
		if err != nil || t.Failed() {
			t.Errorf("%s: %v\n%s", name, err, said)
		}
	})
}
