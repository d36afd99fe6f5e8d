package wire_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/rolltrace/rolltrace/schema"
	"github.com/rolltrace/rolltrace/schema/wire"
)

// A golden file is never made, nor changed, unless somebody asks for it by name of this flag; and one that
// was released is never changed at all: an old message stays readable for ever.
var update = flag.Bool("update", false, "write the golden files anew")

// goldens are one message of every form, in one chain.
func goldens(t testing.TB) map[string]wire.Message {
	t.Helper()
	open := movement(schema.Listed)
	open.Revision, open.State, open.Outcome, open.ClosedAt, open.RecordedAt = 1, schema.Open, "", schema.Time{}, open.OccurredAt
	open.Electors.Records, open.Evidence.Bytes = 0, 0
	open.Electors.Sets = []schema.Set{{IDSpace: schema.ElectorID, KeyID: "k-5f2a9c01"}}

	failed := movement(schema.Listed)
	failed.Outcome, failed.Reason = schema.Failed, "the pipe was closed by its reader"
	failed.Evidence.MAC = "aes-cmac:" + strings.Repeat("0123456789abcdef", 2)

	counted := movement(schema.Counted)
	counted.ID, counted.Kind = "0199b0c2-7f3e-7c1a-9d58-3f1c6f1b2a91", schema.Export
	counted.Output, counted.Actor = "party-a/files/cards-2026.csv", ""

	declared := movement(schema.Whole)
	declared.ID, declared.Revision = "0199b0c2-7f3e-7c1a-9d58-3f1c6f1b2a92", 1
	declared.Basis, declared.Kind = schema.Declared, schema.Merge
	declared.Inputs = append(declared.Inputs, schema.Input{Place: "party-a/crm/donors"})
	declared.Output = "party-a/lists/merged"

	retracted := movement(schema.Whole)
	*retracted = *declared
	retracted.Revision, retracted.Outcome, retracted.Reason = 2, schema.Retracted, "the merge was planned and never ran"

	destroyed := movement(schema.Whole)
	destroyed.ID, destroyed.Basis, destroyed.Kind, destroyed.Output = "0199b0c2-7f3e-7c1a-9d58-3f1c6f1b2a93", schema.Attested, schema.Destroy, ""
	destroyed.Inputs = []schema.Input{{Place: "acme-mail/uploads/2026-04-01.csv"}}
	destroyed.Evidence = schema.Evidence{Document: "sha256:" + strings.Repeat("5f2a9c01", 8)}

	later := movement(schema.Counted)
	later.ID, later.Kind, later.Exercise = "0199b0c2-7f3e-7c1a-9d58-3f1c6f1b2a94", "enclave_join", "spring-drill"

	hole := gap()
	hole.Place, hole.Records, hole.Bytes, hole.Why = "", 0, 0, "messages lost from the outbox"
	hole.Instance, hole.FirstSequence, hole.LastSequence = "a90c11de", 17, 19

	c := newChain(t)
	all := map[string]wire.Message{}
	for _, g := range []struct {
		name  string
		draft wire.Draft
	}{
		{"movement-listed-open", wire.Draft{Movement: open}},
		{"electors", wire.Draft{Chunk: chunk()}},
		{"movement-listed", wire.Draft{Movement: movement(schema.Listed)}},
		{"movement-listed-failed", wire.Draft{Movement: failed}},
		{"movement-counted", wire.Draft{Movement: counted}},
		{"movement-whole", wire.Draft{Movement: declared}},
		{"movement-whole-retracted", wire.Draft{Movement: retracted}},
		{"movement-destroy", wire.Draft{Movement: destroyed}},
		{"movement-later-kind", wire.Draft{Movement: later}},
		{"heartbeat", wire.Draft{Heartbeat: heartbeat()}},
		{"gap", wire.Draft{Gap: gap()}},
		{"gap-hole", wire.Draft{Gap: hole}},
	} {
		m, err := c.Seal(g.draft)
		if err != nil {
			t.Fatalf("seal %s: %v", g.name, err)
		}
		all[g.name] = m
	}
	operator, err := wire.NewChain(wire.ChainConfig{Signer: signer(t), Org: wire.OperatorOrg, Sidecar: wire.OperatorSidecar, Instance: "registry", Version: "0.1.0"})
	if err != nil {
		t.Fatal(err)
	}
	for name, draft := range map[string]wire.Draft{"registry": {Registry: applied()}, "ruling": {Ruling: ruling()}} {
		operator.Reset(0, [32]byte{}) // each type is a chain of its own
		m, err := operator.Seal(draft)
		if err != nil {
			t.Fatalf("seal %s: %v", name, err)
		}
		all[name] = m
	}
	seeded := movement(schema.Listed)
	seeded.Electors.Sets = append(seeded.Electors.Sets, schema.Set{IDSpace: schema.ElectorID, KeyID: "k-5f2a9c01", Keys: 5, Chunks: 1, Role: schema.Seeds,
		Digest: seeded.Electors.Sets[0].Digest}, schema.Set{IDSpace: schema.ElectorID, KeyID: "k-5f2a9c01", Role: schema.NoSeeds, Digest: (&wire.SetDigest{}).String()})
	seeds := chunk()
	seeds.Set, seeds.Role = 1, schema.Seeds
	for name, draft := range map[string]wire.Draft{"movement-listed-seeds": {Movement: seeded}, "electors-seeds": {Chunk: seeds}} {
		c.Reset(0, [32]byte{})
		if all[name], err = c.Seal(draft); err != nil {
			t.Fatalf("seal %s: %v", name, err)
		}
	}
	// Fields of a later version, among and within those that are known.
	m := all["movement-whole"]
	m.Body = bytes.Replace(m.Body, []byte(`"kind"`), []byte(`"weather":{"Kind":["fair",null,{"kind":1}]},"kind"`), 1)
	m.Body = bytes.Replace(m.Body, []byte(`"user"`), []byte(`"shift":"early","user"`), 1)
	all["movement-later-fields"] = forge(t, m)
	return all
}

// twin is a golden file for people: what is on the wire, what is signed, and what Decode makes of it.
func twin(t testing.TB, m wire.Message) []byte {
	t.Helper()
	var b bytes.Buffer
	fmt.Fprintf(&b, "subject    %s\n", m.Subject)
	for _, name := range slices.Sorted(maps.Keys(m.Header)) {
		fmt.Fprintf(&b, "header     %s: %s\n", name, m.Header[name][0])
	}
	r := decode(t, m)
	fmt.Fprintf(&b, "hash       %x\nbody hash  %x\nmessage id %s\nprevious   %x\nsigned     %q\n\n",
		r.Hash, r.BodyHash, r.MessageID, r.Previous, signedText(m.Subject, m.Header, m.Body))
	if r.Chunk != nil {
		for i, k := range r.Chunk.Keys {
			fmt.Fprintf(&b, "key %d  %x = %s\n", i, m.Body[i*8:i*8+8], k)
		}
		return b.Bytes()
	}
	if err := json.Indent(&b, m.Body, "", "  "); err != nil {
		t.Fatal(err)
	}
	b.WriteByte('\n')
	return b.Bytes()
}

func TestGolden(t *testing.T) {
	all := goldens(t)
	for name, m := range all {
		golden(t, name+".golden", pack(m))
		golden(t, name+".txt", twin(t, m))
	}
	files, err := filepath.Glob("testdata/*")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		name, _, _ := strings.Cut(filepath.Base(f), ".")
		if _, ok := all[name]; !ok && name != "fuzz" {
			t.Errorf("%s: no message is made for it: keep what reads it", f)
		}
	}
}

func golden(t *testing.T, name string, have []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, have, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("golden file: %v (go test -update writes it)", err)
	}
	if !bytes.Equal(have, want) {
		t.Errorf("%s: have\n%s\nwant\n%s", name, have, want)
	}
}

// The golden files decode to what was sealed, whatever Seal writes nowadays.
func TestGoldenDecodes(t *testing.T) {
	for name, m := range goldens(t) {
		packed, err := os.ReadFile(filepath.Join("testdata", name+".golden"))
		if err != nil {
			t.Fatal(err)
		}
		stored, err := unpack(packed)
		if err != nil {
			t.Fatal(err)
		}
		if want, have := decode(t, m), decode(t, stored); !reflect.DeepEqual(want, have) {
			t.Errorf("%s: decoded %+v, want %+v", name, have, want)
		}
	}
}

// Cut anywhere, in its subject, headers or body, a message is rejected.
func TestTruncated(t *testing.T) {
	for name, m := range goldens(t) {
		packed := pack(m)
		packed = packed[:len(packed)-2] // the last line break is the protocol's
		for i := range packed {
			cut, err := unpack(packed[:i])
			if err != nil {
				continue
			}
			if _, err := wire.Decode(cut.Subject, cut.Header, cut.Body); code(err) == "" {
				t.Fatalf("%s: cut at byte %d of %d: accepted", name, i, len(packed))
			}
		}
	}
}

// The same when whoever cut it signs it again: a body is cut, a header's value is cut, a header is missing.
func TestTruncatedAndSigned(t *testing.T) {
	all := goldens(t)
	for _, name := range []string{"movement-listed", "movement-destroy", "electors", "heartbeat", "gap-hole", "registry", "ruling"} {
		m := all[name]
		chunk := decode(t, m).Chunk != nil
		for i := range m.Body {
			_, err := wire.Decode(parts(body(t, m, string(m.Body[:i]))))
			if whole := chunk && i > 0 && i%8 == 0; whole != (err == nil) {
				t.Fatalf("%s: body cut at %d of %d: %v", name, i, len(m.Body), err)
			}
		}
		for h, v := range m.Header {
			if h == wire.HeaderSignature || h == wire.HeaderMessageID {
				continue
			}
			for i := range v[0] {
				_, err := wire.Decode(parts(with(t, m, h, v[0][:i])))
				if optional(h, i) != (err == nil) {
					t.Fatalf("%s: %s cut at %d of %d: %v", name, h, i, len(v[0]), err)
				}
			}
		}
	}
}

// optional says which headers of a chunk, cut at a byte, still say something that stands on its own.
func optional(name string, cut int) bool {
	switch name {
	case wire.HeaderVersion:
		return true // a shorter label, or none
	case wire.HeaderPrevious:
		return cut == 0
	case wire.HeaderIDSpace:
		return cut > 0
	case wire.HeaderKeyID:
		return cut >= len("k-00000000")
	}
	return false
}

func parts(m wire.Message) (subject string, header map[string][]string, body []byte) {
	return m.Subject, m.Header, m.Body
}
