package schematest_test

import (
	"testing"

	"github.com/rolltrace/rolltrace/schema"
	"github.com/rolltrace/rolltrace/schema/schematest"
	"github.com/rolltrace/rolltrace/schema/wire"
)

// Every sample can be published as it is, and what is read back is a record of it.
func TestSamplesAreSealedAndDecoded(t *testing.T) {
	chain, err := wire.NewChain(wire.ChainConfig{
		Signer: schematest.Identity(1), Org: "party-a", Sidecar: "field-db-1", Instance: "outbox-1", Version: "0.1.0",
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range schematest.Samples() {
		if err := s.Movement.Validate(); err != nil {
			t.Errorf("%s %s %s: %v", s.Movement.Kind, s.Movement.Electors.Mode, s.Movement.Basis, err)
		}
		for _, draft := range s.Drafts() {
			message, err := chain.Seal(draft)
			if err != nil {
				t.Fatalf("%s %s: %v", s.Movement.Kind, s.Movement.Electors.Mode, err)
			}
			if _, err := wire.Decode(message.Subject, message.Header, message.Body); err != nil {
				t.Errorf("%s %s: %v", s.Movement.Kind, s.Movement.Electors.Mode, err)
			}
		}
	}
}

// The samples leave no kind, mode, basis, state or outcome out, and none has another's id.
func TestSamplesCoverTheWords(t *testing.T) {
	seen := map[string]bool{}
	for _, s := range schematest.Samples() {
		m := s.Movement
		if seen[m.ID] {
			t.Errorf("id %s is there twice", m.ID)
		}
		for _, word := range []string{m.ID, string(m.Kind) + " " + string(m.Electors.Mode), string(m.Basis), string(m.State), string(m.Outcome)} {
			seen[word] = true
		}
	}
	for _, kind := range []schema.Kind{schema.Collect, schema.Export, schema.Merge, schema.Share, schema.Access, schema.Destroy} {
		for _, mode := range []schema.Mode{schema.Listed, schema.Whole, schema.Counted} {
			if !seen[string(kind)+" "+string(mode)] {
				t.Errorf("no %s %s", kind, mode)
			}
		}
	}
	for _, word := range []string{
		string(schema.Observed), string(schema.Declared), string(schema.Attested), string(schema.Open), string(schema.Closed),
		string(schema.Completed), string(schema.Failed), string(schema.Retracted),
	} {
		if !seen[word] {
			t.Errorf("no %s", word)
		}
	}
}

func TestKeysAreOneSeriesWithoutRepetition(t *testing.T) {
	seen := map[schema.Key]bool{}
	for _, k := range schematest.Keys(0, 100_000) {
		if seen[k] {
			t.Fatalf("key %s is there twice", k)
		}
		seen[k] = true
	}
	if schematest.Keys(10, 5)[0] != schematest.Keys(0, 11)[10] {
		t.Error("the series depends on where it is begun")
	}
}
