package dashboards_test

import (
	"context"
	"encoding/xml"
	"fmt"
	"os"
	"regexp"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/rs/zerolog"

	"github.com/rolltrace/rolltrace/consumers"
	"github.com/rolltrace/rolltrace/consumers/deadletter"
	"github.com/rolltrace/rolltrace/consumers/numbering"
	"github.com/rolltrace/rolltrace/deploy/embedded"
	"github.com/rolltrace/rolltrace/schema"
	"github.com/rolltrace/rolltrace/schema/graph"
	"github.com/rolltrace/rolltrace/schema/schematest"
	"github.com/rolltrace/rolltrace/schema/stream"
	"github.com/rolltrace/rolltrace/schema/wire"
)

func TestMain(m *testing.M) { schematest.Main(m) }

// granted are the views that deploy/clickhouse/users.xml lets a user read.
func granted(t testing.TB, user string) []string {
	t.Helper()
	text, err := os.ReadFile("../deploy/clickhouse/users.xml")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Users struct {
			Each []struct {
				XMLName xml.Name
				Grants  []string `xml:"grants>query"`
			} `xml:",any"`
		} `xml:"users"`
	}
	if err := xml.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	var views []string
	for _, u := range file.Users.Each {
		if u.XMLName.Local != user {
			continue
		}
		for _, grant := range u.Grants {
			if found := regexp.MustCompile(`^GRANT SELECT ON rolltrace\.(\w+)$`).FindStringSubmatch(grant); found != nil {
				views = append(views, found[1])
			}
		}
	}
	if len(views) == 0 {
		t.Fatalf("users.xml lets %s read nothing", user)
	}
	return views
}

// startCentre runs a hub, a graph and a consumer on movements of every kind, basis and fate, with gaps, a
// hole, a silent sidecar and a rejected message, and returns a connection as the user of the dashboards.
func startCentre(t testing.TB) driver.Conn {
	t.Helper()
	server := schematest.ClickHouseServer(t, embedded.ClickHouseConfig{Views: granted(t, "dashboard"), Log: zerolog.Nop()})
	if err := graph.Migrate(t.Context(), graph.Options{DSN: server.DSN(embedded.Owner), Definer: embedded.Owner}); err != nil {
		t.Fatal(err)
	}
	hub := schematest.NATS(t)
	js := schematest.JetStream(t, hub)
	if _, err := stream.Ensure(t.Context(), js, stream.Options{}); err != nil {
		t.Fatal(err)
	}
	last := publish(t, js)
	consume(t, js, server.DSN(embedded.Writer), last)
	note(t, server.DSN(embedded.Writer))
	conn, err := graph.Open(server.DSN(embedded.Dashboard))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// publish puts the sample movements and what can go wrong into the log, and returns its last sequence.
func publish(t testing.TB, js jetstream.JetStream) uint64 {
	t.Helper()
	var last uint64
	send := func(subject string, header nats.Header, body []byte) {
		ack, err := js.PublishMsg(t.Context(), &nats.Msg{Subject: subject, Header: header, Data: body})
		if err != nil {
			t.Fatal(err)
		}
		last = ack.Sequence
	}
	chain, err := wire.NewChain(wire.ChainConfig{Signer: schematest.Identity(1), Org: "party-a", Sidecar: "field-db-1", Instance: "outbox-1", Version: "0.1.0"})
	if err != nil {
		t.Fatal(err)
	}
	seal := func(d wire.Draft) {
		m, err := chain.Seal(d)
		if err != nil {
			t.Fatal(err)
		}
		send(m.Subject, m.Header, m.Body)
	}
	for _, sample := range schematest.Samples() {
		for _, draft := range sample.Drafts() {
			seal(draft)
		}
	}
	sequence, hash := chain.Last()
	chain.Reset(sequence+3, hash) // three messages that never arrive
	began := schematest.Began
	seal(wire.Draft{Gap: &wire.Gap{Place: schematest.Voters, From: began, To: schema.At(began.Add(time.Hour)), Bytes: 4096, Why: "outbox full"}})
	// Due again after a millisecond, and never sent again: silent by the time that anybody looks.
	seal(wire.Draft{Heartbeat: &wire.Heartbeat{At: schema.At(time.Now()), Interval: 1, Places: []schema.Place{schematest.Voters}, OutboxMessages: 2, OutboxBytes: 1024}})
	send("rolltrace.v1.movement.party-b.crm", nil, []byte("garbage"))
	return last
}

// note notes a finding of each severity, as the rules would.
func note(t testing.TB, dsn string) {
	t.Helper()
	conn, err := graph.Open(dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	var events []graph.FindingEvent
	for n, severity := range []string{"low", "medium", "high"} {
		events = append(events, graph.FindingEvent{
			Finding: graph.Finding{ID: fmt.Sprint("finding-", n), Rule: "unregistered-place", Severity: severity, Title: "a place that nobody registered",
				Text: "movements name it", On: "place", Subject: string(schematest.Printer), Since: schematest.Began,
				Places: []string{string(schematest.Printer)}, Organisations: []string{"party-a", "acme-mail"}},
			NotedAt: schema.At(time.Now()), State: graph.FindingOpen, Reason: "new", AsOf: schematest.Began,
		})
	}
	if err := graph.NewFindings(conn, graph.WriterConfig{}).Note(t.Context(), events); err != nil {
		t.Fatal(err)
	}
}

// consume brings the log up to a sequence into the graph.
func consume(t testing.TB, js jetstream.JetStream, dsn string, last uint64) {
	t.Helper()
	conn, err := graph.Open(dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	reader := graph.NewReader(conn)
	numbers := numbering.New(reader)
	defer numbers.Close()
	consumer, err := consumers.New(consumers.Config{
		JetStream: js, Reader: reader, Writer: graph.NewWriter(conn, graph.WriterConfig{}),
		Numbering: numbers, Rejects: deadletter.New(js), Log: zerolog.Nop(),
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- consumer.Run(ctx) }()
	for {
		status, changed := consumer.Watch()
		if status.Position >= last {
			break
		}
		select {
		case <-changed:
		case err := <-done:
			t.Fatalf("the consumer stopped: %v", err)
		}
	}
	cancel()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}
