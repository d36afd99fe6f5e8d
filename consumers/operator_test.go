package consumers_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/rolltrace/rolltrace/schema/registry"
	"github.com/rolltrace/rolltrace/schema/schematest"
	"github.com/rolltrace/rolltrace/schema/wire"
)

// What the operator publishes comes into the graph; a registry with a fault is rejected whole, without its values.
func TestOperatorsMessages(t *testing.T) {
	c := newCentre(t)
	operator := newSidecar(t, wire.OperatorOrg, wire.OperatorSidecar, 9)
	content, err := (&registry.Registry{Organisations: []registry.Organisation{{ID: "party-a", Kind: "party"}}}).Normal()
	if err != nil {
		t.Fatal(err)
	}
	version := func(content string) wire.Draft {
		return wire.Draft{Registry: &wire.Registry{At: schematest.Began, ValidFrom: schematest.Began, By: "u0001", Content: json.RawMessage(content)}}
	}
	c.publish(t, operator,
		version(string(content)),
		version(strings.Replace(string(content), `"kind":"party"`, `"kind":"secret-guild"`, 1)),
		wire.Draft{Ruling: &wire.Ruling{At: schematest.Began, Finding: strings.Repeat("0a", 16), What: wire.Suppress, By: "u0001", Why: "a test"}})
	r := c.start(t, nil)
	r.reaches(t, 3)
	r.stop(t)

	conn := open(t, c.dsn)
	for sql, want := range map[string]string{
		"SELECT concat(organisation, ' ', kind) FROM organisations":                  "party-a party",
		"SELECT toString(count()) FROM registry_versions":                            "1",
		"SELECT concat(finding, ' ', ruling) FROM rulings":                           strings.Repeat("0a", 16) + " suppress",
		"SELECT concat(code, ' ', reason) FROM rejections":                           "invalid registry: faults (1): rolltrace registry validate names them",
		"SELECT toString(count()) FROM sidecars":                                     "0", // the operator is none
		"SELECT toString(count()) FROM holes":                                        "1", // what was rejected is no link of the chain
		"SELECT toString(count()) FROM message WHERE type IN ('registry', 'ruling')": "2",
	} {
		var have string
		if err := conn.QueryRow(t.Context(), sql).Scan(&have); err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
		if have != want {
			t.Errorf("%s: have %q, want %q", sql, have, want)
		}
	}
}
