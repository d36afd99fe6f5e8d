package consumers_test

import (
	"testing"

	"github.com/rolltrace/rolltrace/schema"
	"github.com/rolltrace/rolltrace/schema/schematest"
	"github.com/rolltrace/rolltrace/schema/wire"
)

// sampleMessages are the sample movements as sealed messages, and some larger ones: keys that appear again, in another
// order, under two movements, in two spaces, and enough of them for several buckets; a heartbeat, a gap, and a
// message that cannot be understood.
func sampleMessages(t testing.TB) []wire.Message {
	t.Helper()
	first, second := newSidecar(t, "party-a", "field-db-1", 1), newSidecar(t, "acme-mail", "upload-1", 2)
	var out []wire.Message
	seal := func(s *sidecar, drafts ...wire.Draft) {
		for _, d := range drafts {
			out = append(out, s.seal(t, d))
		}
	}
	for _, sample := range schematest.Samples() {
		seal(first, sample.Drafts()...)
	}
	keys := schematest.Keys(0, 70_000)
	for i, part := range [][]schema.Key{keys, keys[1000:1031], keys[1000:1032], keys[60_000:68_000]} {
		seal(first, schematest.NewSample(100+i, schema.Export).List(schema.ElectorID, schematest.KeyID, part, 20_000).Drafts()...)
	}
	scattered := []schema.Key{}
	for i := 0; i < len(keys); i += 20 {
		scattered = append(scattered, keys[len(keys)-1-i], 0, ^schema.Key(0), keys[i])
	}
	seal(second, schematest.NewSample(100, schema.Share).List(schema.ElectorID, schematest.KeyID, scattered, schema.MaxChunkKeys).Drafts()...)
	seal(second, schematest.NewSample(101, schema.Share).List("email", schematest.KeyID, scattered[:100], 30).Drafts()...)
	seal(second, wire.Draft{Heartbeat: &wire.Heartbeat{At: schematest.Began, Interval: 60_000, Places: []schema.Place{schematest.Printer}}})
	seal(second, wire.Draft{Gap: &wire.Gap{Place: schematest.Printer, From: schematest.Began, To: schematest.Began, Bytes: 7, Why: "outbox full"}})
	out = append(out, wire.Message{Subject: wire.TypeGap.Subject("acme-mail", "upload-1"), Header: map[string][]string{}, Body: []byte("not understood")})
	seal(second, wire.Draft{Heartbeat: &wire.Heartbeat{At: schematest.Began, Interval: 60_000}})
	return out
}

func (c *centre) publishSamples(t testing.TB) {
	t.Helper()
	for _, m := range sampleMessages(t) {
		send(t, c.js, m)
	}
}

func TestTheLogBecomesTheGraph(t *testing.T) {
	c := newCentre(t)
	c.publishSamples(t)
	r := c.start(t, nil)
	r.reaches(t, c.last(t))
	r.stop(t)
	c.isModelled(t)
}
