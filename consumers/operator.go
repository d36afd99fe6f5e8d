package consumers

import (
	"github.com/rolltrace/rolltrace/schema/graph"
	"github.com/rolltrace/rolltrace/schema/registry"
	"github.com/rolltrace/rolltrace/schema/wire"
)

// What the centre's operator publishes.

// registry takes a version of the registry whole, or refuses it: the error is a *wire.Reject.
func (c *collector) registry(b *batch, m *decoded) error {
	r, applied := &m.record, m.record.Registry
	content, err := registry.Parse(applied.Content)
	if err != nil {
		return &wire.Reject{Code: wire.Invalid, Reason: err.Error(), Org: r.Org, Sidecar: r.Sidecar}
	}
	normal, err := content.Normal()
	if err != nil {
		return &wire.Reject{Code: wire.Invalid, Reason: "registry: larger than this version takes", Org: r.Org, Sidecar: r.Sidecar}
	}
	b.Registries = append(b.Registries, graph.Registry{
		Hash: r.Hash, Version: r.Sequence, Instance: r.Instance, AppliedAt: applied.At, ValidFrom: applied.ValidFrom, By: applied.By, Why: applied.Why,
		Content: normal, StreamSequence: m.sequence, ReceivedAt: m.received,
	})
	b.bytes += otherBytes + len(normal)
	return nil
}

func (c *collector) ruling(b *batch, m *decoded) {
	r, decided := &m.record, m.record.Ruling
	b.Rulings = append(b.Rulings, graph.Ruling{
		Hash: r.Hash, Finding: decided.Finding, At: decided.At, What: decided.What, By: decided.By, Why: decided.Why,
		StreamSequence: m.sequence, ReceivedAt: m.received,
	})
	b.bytes += otherBytes + len(decided.Why)
}
