package operator_test

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rolltrace/rolltrace/cmd/internal/operator"
	"github.com/rolltrace/rolltrace/schema"
	"github.com/rolltrace/rolltrace/schema/registry"
	"github.com/rolltrace/rolltrace/schema/schematest"
	"github.com/rolltrace/rolltrace/schema/stream"
	"github.com/rolltrace/rolltrace/schema/wire"
)

func named(name string) *registry.Registry {
	return &registry.Registry{Organisations: []registry.Organisation{{ID: "party-a", Name: name, Kind: "party"}}}
}

func TestApply(t *testing.T) {
	js := schematest.JetStream(t, schematest.NATS(t))
	log, err := stream.Ensure(t.Context(), js, stream.Options{})
	if err != nil {
		t.Fatal(err)
	}
	data := t.TempDir()
	signer, err := operator.Signer("", data)
	if err != nil {
		t.Fatal(err)
	}
	o := operator.New(js, signer, "0.1.0")
	apply := func(r *registry.Registry, from schema.Time) operator.Change {
		t.Helper()
		c, err := o.Apply(t.Context(), r, from, "u0001", "")
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	last := func() (wire.Record, uint64) {
		t.Helper()
		r, sequence, ok, err := o.Last(t.Context(), wire.TypeRegistry)
		if err != nil || !ok {
			t.Fatalf("look for the last registry: %v, %v", ok, err)
		}
		return r, sequence
	}
	if c := apply(named("one"), schema.Time{}); !c.Changed || c.Version != 1 || c.ValidFrom.String() != schema.MinTime {
		t.Errorf("the first: %+v", c)
	}
	first, _ := last()
	if c := apply(named("one"), schema.Time{}); c.Changed || c.Sequence != 0 {
		t.Errorf("an unchanged one was published: %+v", c)
	}
	if c := apply(named("two"), schema.Time{}); !c.Changed || c.Version != 2 || time.Since(c.ValidFrom.Time) > time.Hour {
		t.Errorf("the second: %+v", c)
	}
	second, sequence := last()
	if second.Previous != first.Hash || second.Instance != first.Instance || !second.Registry.At.After(first.Registry.At.Time) {
		t.Errorf("the second does not continue the first: %+v", second)
	}
	if c := apply(named("two"), schematest.Began); !c.Changed || c.Version != 3 {
		t.Errorf("another time to count from is no change: %+v", c)
	}
	// Whoever has looked at what is not the last any more is told.
	if _, err := o.Publish(t.Context(), wire.TypeRegistry, sequence, time.Now(), func(schema.Time) wire.Draft { return wire.Draft{} }); !errors.Is(err, stream.ErrMeanwhile) {
		t.Errorf("behind: %v, want ErrMeanwhile", err)
	}
	if _, err := o.Rule(t.Context(), strings.Repeat("0a", 16), wire.Suppress, "u0001", ""); err == nil {
		t.Error("a ruling without a reason was published")
	}
	if _, err := o.Rule(t.Context(), strings.Repeat("0a", 16), wire.Suppress, "u0001", "a test"); err != nil {
		t.Error(err)
	}
	info, err := log.Stream.Info(t.Context())
	if err != nil || info.State.Msgs != 4 {
		t.Errorf("the log has %d messages, want 4: %v", info.State.Msgs, err)
	}

	again, err := operator.Signer(filepath.Join(data, operator.SeedFile), "")
	if err != nil {
		t.Fatal(err)
	}
	one, _ := signer.PublicKey()
	if other, _ := again.PublicKey(); one != other {
		t.Error("the seed that was made is not the one that is read")
	}
}
