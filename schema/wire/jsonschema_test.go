package wire_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/rolltrace/rolltrace/schema"
	"github.com/rolltrace/rolltrace/schema/wire"
)

func published(t testing.TB) *jsonschema.Schema {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(wire.MovementSchema))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft2020)
	c.AssertFormat()
	if err := c.AddResource("movement.schema.json", doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("movement.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func accepts(t testing.TB, s *jsonschema.Schema, body []byte) error {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	return s.Validate(doc)
}

// beyond are the rules that JSON Schema cannot say, as the end of the fault that names them.
var beyond = []string{
	"want each place once",
	"want a place of another organisation for a share",
	"want at most 65536 for each chunk",
	"want no more than keys: a chunk is never empty",
	"want not before occurred_at",
	"want at most 4096 bytes of UTF-8", // JSON Schema counts characters
}

// agree fails unless the schema and Decode say the same of a body, but for the rules beyond the schema. It
// returns whether Decode accepts the body.
func agree(t testing.TB, s *jsonschema.Schema, m wire.Message, what string) bool {
	t.Helper()
	said := accepts(t, s, m.Body)
	_, err := wire.Decode(m.Subject, m.Header, m.Body)
	var reject *wire.Reject
	switch {
	case err == nil && said != nil:
		t.Errorf("%s: Decode accepts what the schema refuses: %v", what, said)
	case said == nil && errors.As(err, &reject) && !onlyBeyond(reject):
		t.Errorf("%s: the schema accepts what Decode refuses: %v", what, reject)
	}
	return err == nil
}

func onlyBeyond(r *wire.Reject) bool {
	if r.Code != wire.Invalid {
		return false
	}
	for fault := range strings.SplitSeq(r.Reason, "; ") {
		if !strings.HasSuffix(fault, "…") && !slices.ContainsFunc(beyond, func(rule string) bool { return strings.HasSuffix(fault, rule) }) {
			return false
		}
	}
	return true
}

func TestSchemaAcceptsTheGoldens(t *testing.T) {
	s := published(t)
	for name, m := range goldens(t) {
		if strings.HasPrefix(name, "movement") {
			if err := accepts(t, s, m.Body); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}

// example is the movement of the design, section 4.1, with its dots filled in.
const example = `{
  "id": "0199b0c2-7f3e-7c1a-9d58-3f1c6f1b2a90",
  "revision": 2, "state": "closed", "outcome": "completed", "reason": "",
  "kind": "share", "basis": "observed",
  "occurred_at": "2026-04-01T12:00:00.123456Z", "closed_at": "2026-04-01T12:03:10.000000Z", "recorded_at": "2026-04-01T12:03:10.000131Z",
  "inputs": [{"place": "party-a/crm/voters", "fields": ["name", "civic_address"]}],
  "output": "acme-mail/uploads/2026-04-01.csv",
  "actor": "party-a/people/u0412", "recorded_by": {"user": "batch", "host": "field-db-1"},
  "purpose": "communicate", "agreement": "acme-2026", "legal_basis": "", "fields": ["name", "civic_address"],
  "electors": {"mode": "listed", "records": 81234,
               "sets": [{"id_space": "elector-id", "key_id": "k-5f2a9c01", "keys": 81230, "unkeyed": 4, "chunks": 2,
                         "digest": "sha256:5feceb66ffc86f38d952786c6d696c79c2dbc239dd4e91b46729d73a27fb57e9"}]},
  "evidence": {"mac": "aes-cmac:0123456789abcdef0123456789abcdef", "bytes": 9312331, "statement": "COPY … WHERE poll = ?", "document": ""},
  "exercise": "",
  "producer": {"org": "party-a", "sidecar": "field-db-1", "instance": "b7e1f0c2", "sequence": 4711,
               "previous": "sha256:6b86b273ff34fce19d6b804eff5a3f5747ada4eaa22f1d49c01e52ddb7875b4b", "version": "0.1.0"}
}`

func exampleMessage(t testing.TB) wire.Message {
	m := seal(t, wire.Draft{Movement: movement(schema.Listed)})
	m = with(t, m, "ce-id", "b7e1f0c2/4711")
	return body(t, m, example)
}

func TestTheDesignsExample(t *testing.T) {
	m := exampleMessage(t)
	if err := accepts(t, published(t), m.Body); err != nil {
		t.Errorf("the schema refuses it: %v", err)
	}
	if r := decode(t, m); r.Sequence != 4711 || r.Movement.Electors.Sets[0].Keys != 81230 {
		t.Errorf("it decodes to %+v", r.Movement)
	}
}

// Every field of a movement of each shape, given every value that could break a rule: the schema and Decode
// agree.
func TestSchemaAgreesWithDecode(t *testing.T) {
	s := published(t)
	all := goldens(t)
	for _, name := range []string{"movement-listed-open", "movement-listed-failed", "movement-whole-retracted", "movement-destroy"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var doc map[string]any
			if err := json.Unmarshal(all[name].Body, &doc); err != nil {
				t.Fatal(err)
			}
			var accepted, refused int
			mutate(doc, doc, "", func(path string) {
				b, err := json.Marshal(doc)
				if err != nil {
					t.Fatal(err)
				}
				if agree(t, s, restamp(t, all[name], doc, b), path) {
					accepted++
				} else {
					refused++
				}
			})
			t.Logf("%d accepted, %d refused", accepted, refused)
			if accepted < 500 || refused < 2000 {
				t.Error("the mutations do not mutate")
			}
		})
	}
}

// restamp makes the subject and the headers say what the body says, so that only the body is judged.
func restamp(t testing.TB, m wire.Message, doc map[string]any, body []byte) wire.Message {
	t.Helper()
	p, _ := doc["producer"].(map[string]any)
	org, sidecar := header(p["org"]), header(p["sidecar"])
	if schema.ValidOrg(org) && schema.ValidSidecar(sidecar) {
		m.Subject = wire.TypeMovement.Subject(org, sidecar)
	} else {
		org, sidecar = "party-a", "field-db-1"
	}
	m.Body, m.Header = body, maps.Clone(m.Header)
	for name, value := range map[string]string{
		"ce-source": "/" + org + "/" + sidecar, "ce-subject": header(doc["id"]), "ce-time": header(doc["occurred_at"]),
		"ce-id": header(p["instance"]) + "/" + header(p["sequence"]),
	} {
		m.Header[name] = []string{value}
	}
	return forge(t, m)
}

func header(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case float64:
		return fmt.Sprintf("%.0f", v)
	case json.Number:
		return v.String()
	}
	return "x"
}

// values are what could be wrong with a field, or right.
var values = []any{
	"", "x", "X", " ", "-", "é", "open", "closed", "completed", "failed", "retracted", "observed", "declared", "attested",
	"collect", "export", "merge", "share", "access", "destroy", "later-kind", "Later", "listed", "whole", "counted",
	"party-a/crm/voters", "party-a/people/u0412", "party-a/people/jane", "party-a/people/", "party-a/crm", "party-a/crm/voters/x", "/a/b", "a/b/C",
	strings.Repeat("a", 63) + "/" + strings.Repeat("b", 63) + "/" + strings.Repeat("c", 128),
	strings.Repeat("a", 64) + "/b/c", "a/" + strings.Repeat("b", 64) + "/c", "a/b/" + strings.Repeat("c", 129),
	strings.Repeat("a", 31), strings.Repeat("a", 32), strings.Repeat("a", 33), strings.Repeat("a", 63), strings.Repeat("a", 64), strings.Repeat("a", 65),
	strings.Repeat("a", 128), strings.Repeat("a", 129), strings.Repeat("a", 4096), strings.Repeat("a", 4097), strings.Repeat("é", 4000),
	"0199b0c2-7f3e-7c1a-9d58-3f1c6f1b2a90", "0199b0c2-7f3e-4c1a-9d58-3f1c6f1b2a90", "0199B0C2-7F3E-7C1A-9D58-3F1C6F1B2A90", "0199b0c2-7f3e-7c1a-cd58-3f1c6f1b2a90",
	"2026-04-01T12:00:00.000000Z", "1900-01-01T00:00:00.000000Z", "1899-12-31T23:59:59.999999Z", "2199-12-31T23:59:59.999999Z", "2200-01-01T00:00:00.000000Z",
	"2026-04-01T12:00:00Z", "2026-04-01", "2026-02-30T12:00:00.000000Z", "2026-04-01T24:00:00.000000Z", "2026-06-30T23:59:60.000000Z",
	"2026-04-01T12:00:00.0000000Z", "2026-04-01t12:00:00.000000z", "2026-04-01T12:00:00.000000+00:00", "2026-04-01T12:00:00,000000Z",
	"k-5f2a9c01", "k-5f2a9c0", "k-" + strings.Repeat("0", 32), "k-" + strings.Repeat("0", 33), "K-5f2a9c01",
	"sha256:" + strings.Repeat("a", 64), "sha256:" + strings.Repeat("A", 64), "sha256:" + strings.Repeat("a", 63), "sha1:" + strings.Repeat("a", 40),
	"hmac-sha256:" + strings.Repeat("a", 64), "aes-cmac:" + strings.Repeat("a", 32), "aes-cmac:" + strings.Repeat("a", 64),
	"a b", "a  b", "a\n", "a\x00", "a_b", "a.b", "a@b", "1a", "_a",
	json.Number("0"), json.Number("1"), json.Number("-1"), json.Number("1.5"), json.Number("65536"), json.Number("65537"), json.Number("1048576"), json.Number("1048577"),
	json.Number("4294967295"), json.Number("4294967296"), json.Number("9007199254740991"), json.Number("9007199254740992"), json.Number("18446744073709551616"),
	true, nil, []any{}, map[string]any{}, []any{"a", "b"}, []any{"a", json.Number("1")}, []any{nil},
	repeated("a", 64), repeated("a", 65),
	[]any{map[string]any{"place": "party-a/crm/voters"}}, []any{map[string]any{"place": "party-b/crm/voters"}, map[string]any{"place": "party-b/crm/voters"}},
	[]any{map[string]any{"id_space": "email", "key_id": "k-00000000", "digest": "sha256:" + strings.Repeat("a", 64)}},
	[]any{map[string]any{"id_space": "email", "key_id": "k-00000000"}},
}

func repeated(v any, n int) []any {
	all := make([]any, n)
	for i := range all {
		all[i] = v
	}
	return all
}

// mutate gives each field within node every value in turn, then takes it away, and calls try each time.
func mutate(doc map[string]any, node any, path string, try func(path string)) {
	each := func(path string, was any, set func(any), remove func()) {
		for _, v := range values {
			set(v)
			try(fmt.Sprintf("%s = %.60v", path, v))
		}
		if list, ok := was.([]any); ok && len(list) > 0 {
			for _, n := range []int{2, 16, 17, 64, 65} {
				set(repeated(list[0], n))
				try(fmt.Sprintf("%s has %d", path, n))
			}
		}
		if remove != nil {
			remove()
			try(path + " left out")
		}
		set(was)
		mutate(doc, was, path, try)
	}
	switch node := node.(type) {
	case map[string]any:
		for name, was := range node {
			each(path+"."+name, was, func(v any) { node[name] = v }, func() { delete(node, name) })
		}
	case []any:
		for i, was := range node {
			each(fmt.Sprintf("%s[%d]", path, i), was, func(v any) { node[i] = v }, nil)
		}
	}
}
