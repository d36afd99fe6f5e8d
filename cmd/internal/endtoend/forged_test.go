package endtoend

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nkeys"

	"github.com/rolltrace/rolltrace/deploy/embedded"
	"github.com/rolltrace/rolltrace/schema"
	"github.com/rolltrace/rolltrace/schema/schematest"
	"github.com/rolltrace/rolltrace/schema/stream"
	"github.com/rolltrace/rolltrace/schema/wire"
)

// A forger is a sidecar whose seed somebody has who signs what no recorder would write.
type forger struct {
	*wire.Chain
	private ed25519.PrivateKey
}

func newForger(t testing.TB, org, sidecar string, identity byte) *forger {
	t.Helper()
	pair := schematest.Identity(identity)
	seed, err := pair.Seed()
	if err != nil {
		t.Fatal(err)
	}
	_, raw, err := nkeys.DecodeSeed(seed)
	if err != nil {
		t.Fatal(err)
	}
	chain, err := wire.NewChain(wire.ChainConfig{Signer: pair, Org: org, Sidecar: sidecar, Instance: fmt.Sprintf("outbox-%d", identity), Version: "0.1.0"})
	if err != nil {
		t.Fatal(err)
	}
	return &forger{chain, ed25519.NewKeyFromSeed(raw)}
}

func (f *forger) seal(t testing.TB, drafts ...wire.Draft) []wire.Message {
	t.Helper()
	var out []wire.Message
	for _, d := range drafts {
		m, err := f.Seal(d)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, m)
	}
	return out
}

// forge changes a message and signs it again, as docs/movement.md says.
func (f *forger) forge(m wire.Message, change func(*wire.Message)) wire.Message {
	m.Header, m.Body = maps.Clone(m.Header), slices.Clone(m.Body)
	delete(m.Header, wire.HeaderMessageID)
	change(&m)
	text := "\xffrolltrace.v1 message\n" + m.Subject + "\n"
	for _, name := range slices.Sorted(maps.Keys(m.Header)) {
		if name != wire.HeaderSignature {
			text += name + ":" + m.Header[name][0] + "\n"
		}
	}
	signature := ed25519.Sign(f.private, fmt.Appendf(nil, "%s\n%x\n", text, sha256.Sum256(m.Body)))
	m.Header[wire.HeaderSignature] = []string{base64.RawURLEncoding.EncodeToString(signature)}
	return m
}

// replacing changes a body by its text.
func replacing(old, new string) func(*wire.Message) {
	return func(m *wire.Message) { m.Body = []byte(strings.Replace(string(m.Body), old, new, 1)) }
}

// Whatever a sidecar signs on its own subjects, another's record stays as it is; what cannot be understood is rejected
// with a reason and counted; what is only out of order, or comes twice, is folded in; and the consumer goes on.
func TestForgedMessagesChangeNobodysRecord(t *testing.T) {
	h := newHouse(t)
	h.sidecar.kill() // the sidecars are in this process
	conn, err := nats.Connect(h.natsURL())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	js, err := jetstream.New(conn)
	if err != nil {
		t.Fatal(err)
	}
	log, err := stream.Ensure(t.Context(), js, stream.Options{})
	if err != nil {
		t.Fatal(err)
	}
	publish := func(messages ...wire.Message) {
		t.Helper()
		for _, m := range messages {
			if _, err := js.PublishMsg(t.Context(), &nats.Msg{Subject: m.Subject, Header: m.Header, Data: m.Body}); err != nil {
				t.Fatal(err)
			}
		}
	}
	owner, other := newForger(t, "party-a", "field-db-1", 1), newForger(t, "party-b", "crm", 2)
	sample := schematest.NewSample(1, schema.Collect).List(schema.ElectorID, schematest.KeyID, schematest.Keys(0, 100), 40)
	own := owner.seal(t, sample.Drafts()...)
	publish(own...)
	h.await(t, log.ID, lastOf(t, log))
	ask := func(args ...string) string {
		t.Helper()
		out, err := h.command("rolltrace", append(args, "--json", "--clickhouse", h.clickhouse.DSN(embedded.Owner))...).Output()
		if err != nil {
			t.Fatalf("rolltrace %s: %v", args, err)
		}
		return string(out)
	}
	held := func() []string {
		var movements struct {
			Movements json.RawMessage `json:"movements"`
		}
		if err := json.Unmarshal([]byte(ask("movements", "--to", string(schematest.Voters))), &movements); err != nil {
			t.Fatal(err)
		}
		return []string{h.keysAt(t, "--reached"), h.keysAt(t), string(movements.Movements)}
	}
	before := held()
	dossier := func() string { return ask("elector", "--hex", strings.SplitN(before[0], "\n", 2)[0]) }
	if strings.Count(before[1], "\n") != 100 || !strings.Contains(before[2], sample.Movement.ID) || strings.Contains(dossier(), `"attested"`) {
		t.Fatalf("before, %d electors are held, brought by %s", strings.Count(before[1], "\n"), before[2])
	}

	// Under its own subject: another's movement, word for word; its id, of a later revision, with other electors; a
	// destroy of another's place.
	named := schematest.NewSample(1, schema.Collect).List(schema.ElectorID, schematest.KeyID, schematest.Keys(5000, 70), 70)
	named.Movement.Revision, named.Movement.Output = 9, "party-b/files/named.csv"
	destroy := schematest.NewSample(2, schema.Destroy)
	destroy.Movement.Inputs = []schema.Input{{Place: schematest.Voters}}
	overwriting := other.seal(t, named.Drafts()...)
	destroying := other.seal(t, wire.Draft{Movement: destroy.Movement})[0]
	closed := overwriting[len(overwriting)-1]
	chunk := overwriting[1]
	// A chunk without its movement; a movement closed before its chunks; and nothing is wrong with either.
	lone := schematest.NewSample(3, schema.Export).List(schema.ElectorID, schematest.KeyID, schematest.Keys(9000, 10), 10)
	late := schematest.NewSample(4, schema.Export).List(schema.ElectorID, schematest.KeyID, schematest.Keys(9100, 10), 5)
	late.Movement.Output = "party-b/files/late.csv"
	outOfOrder := other.seal(t, late.Drafts()...)
	slices.Reverse(outOfOrder)
	good := slices.Concat(overwriting, []wire.Message{destroying}, other.seal(t, wire.Draft{Chunk: lone.Chunks[0]}), outOfOrder)
	bad := map[wire.Code][]wire.Message{
		wire.SubjectMismatch: {
			other.forge(closed, func(m *wire.Message) { m.Body = own[len(own)-1].Body }),
			other.forge(closed, replacing(`"org":"party-b"`, `"org":"party-a"`)),
			other.forge(closed, func(m *wire.Message) { m.Header[wire.HeaderSource] = []string{"/party-a/field-db-1"} }),
		},
		wire.BadBody: {
			other.forge(closed, func(m *wire.Message) { m.Body = []byte("garbage\r\n\x00\xff") }),
			other.forge(closed, replacing(`{`, `{"revision":1,`)),
			other.forge(chunk, func(m *wire.Message) { m.Body = m.Body[:len(m.Body)-1] }),
			other.forge(chunk, func(m *wire.Message) { m.Body = nil }),
		},
		wire.Invalid: {
			other.forge(closed, replacing(`"kind":"collect"`, `"kind":""`)),
			other.forge(closed, replacing(`"state":"closed"`, `"state":"ajar"`)),
		},
		wire.BadHeader: {
			other.forge(closed, func(m *wire.Message) { m.Header[wire.HeaderSubject] = []string{schematest.MovementID(77)} }),
			other.forge(chunk, func(m *wire.Message) { m.Header[wire.HeaderChunk] = []string{"01"} }),
		},
		wire.FutureVersion: {
			other.forge(closed, func(m *wire.Message) { m.Subject = "rolltrace.v2.movement.party-b.crm" }),
			other.forge(closed, func(m *wire.Message) { m.Header[wire.HeaderType] = []string{"rolltrace.v7.movement"} }),
		},
	}
	want := map[wire.Code]int{}
	for range 2 { // and all of it twice
		publish(good...)
		for code, messages := range bad {
			publish(messages...)
			want[code] += len(messages)
		}
		for i := range good { // not for the hub to recognise
			good[i].Header = maps.Clone(good[i].Header)
			delete(good[i].Header, wire.HeaderMessageID)
		}
	}
	last := schematest.NewSample(5, schema.Export).List(schema.ElectorID, schematest.KeyID, schematest.Keys(0, 3), 3)
	last.Movement.Output = "party-a/files/last.csv"
	publish(owner.seal(t, last.Drafts()...)...)
	h.await(t, log.ID, lastOf(t, log))

	if after := held(); !slices.Equal(after, before) {
		t.Errorf("the owner's place was reached by, and holds\n%s\nand before\n%s", after, before)
	}
	for place, n := range map[string]uint64{"party-a/files/last.csv": 3, "party-b/files/late.csv": 10, "party-b/files/named.csv": 70} {
		if have, err := h.count(place); err != nil || have != n {
			t.Errorf("%s was reached by %d electors, want %d: %v", place, have, n, err)
		}
	}
	if dossier := dossier(); !strings.Contains(dossier, `"attested"`) {
		t.Errorf("the dossier does not say that the destroy is attested:\n%s", dossier)
	}
	have := map[wire.Code]int{}
	var rejected []struct{ Code, Reason, Sidecar string }
	out, err := h.command("rolltrace", "rejected", "list", "--json", "--nats", h.natsURL()).Output()
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(out, &rejected); err != nil {
		t.Fatal(err)
	}
	for _, r := range rejected {
		have[wire.Code(r.Code)]++
		if r.Reason == "" || r.Sidecar != "crm" && r.Code != string(wire.FutureVersion) {
			t.Errorf("rejected without a reason, or as another's: %+v", r)
		}
	}
	if !maps.Equal(have, want) {
		t.Errorf("rejected: %v, want %v", have, want)
	}
	if err := h.consumer.stop(); err != nil {
		t.Errorf("the consumer: %v\n%s", err, h.consumer.said)
	}
}

// keysAt are the electors of the owner's place, a line each.
func (h *house) keysAt(t testing.TB, args ...string) string {
	t.Helper()
	out, err := h.command("rolltrace", append([]string{"electors", "--at", string(schematest.Voters), "--list", "--limit", "-1", "--json",
		"--clickhouse", h.clickhouse.DSN(embedded.Owner)}, args...)...).Output()
	if err != nil {
		t.Fatal(err)
	}
	var answer struct {
		Keys []struct {
			Key string `json:"key"`
		} `json:"keys"`
	}
	if err := json.Unmarshal(out, &answer); err != nil {
		t.Fatal(err)
	}
	text := ""
	for _, k := range answer.Keys {
		text += k.Key + "\n"
	}
	return text
}
