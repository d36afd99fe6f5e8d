package consumers_test

import (
	"testing"

	"github.com/rolltrace/rolltrace/schema"
	"github.com/rolltrace/rolltrace/schema/schematest"
	"github.com/rolltrace/rolltrace/schema/wire"
)

// publishSamples puts the sample movements into the log, and some larger ones: keys that appear again, in another
// order, under two movements, in two spaces, and enough of them for several buckets.
func (c *centre) publishSamples(t testing.TB) {
	t.Helper()
	s := c.sidecar(t, "party-a", "field-db-1", 1)
	for _, sample := range schematest.Samples() {
		s.publish(t, sample.Drafts()...)
	}
	keys := schematest.Keys(0, 150_000)
	for i, part := range [][]schema.Key{keys, keys[1000:1031], keys[1000:1032], keys[60_000:130_000:130_000]} {
		sample := schematest.NewSample(100+i, schema.Export).List(schema.ElectorID, schematest.KeyID, part, 40_000)
		s.publish(t, sample.Drafts()...)
	}
	scattered := []schema.Key{}
	for i := 0; i < len(keys); i += 7 {
		scattered = append(scattered, keys[len(keys)-1-i], 0, ^schema.Key(0), keys[i])
	}
	other := c.sidecar(t, "acme-mail", "upload-1", 2)
	other.publish(t, schematest.NewSample(100, schema.Share).List(schema.ElectorID, schematest.KeyID, scattered, schema.MaxChunkKeys).Drafts()...)
	other.publish(t, schematest.NewSample(101, schema.Share).List("email", schematest.KeyID, scattered[:100], 30).Drafts()...)
	other.publish(t, wire.Draft{Heartbeat: &wire.Heartbeat{At: schematest.Began, Interval: 60_000, Places: []schema.Place{schematest.Printer}}})
	other.publish(t, wire.Draft{Gap: &wire.Gap{Place: schematest.Printer, From: schematest.Began, To: schematest.Began, Bytes: 7, Why: "outbox full"}})
}

func TestTheLogBecomesTheGraph(t *testing.T) {
	c := newCentre(t)
	c.publishSamples(t)
	r := c.start(t, nil)
	r.reaches(t, c.last(t))
	r.stop(t)
	c.isModelled(t)
}
