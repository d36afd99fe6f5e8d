package pseudonym

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"flag"
	"os"
	"strings"
	"testing"

	"github.com/rolltrace/rolltrace/schema"
)

var update = flag.Bool("update", false, "write testdata/vectors.json anew: only when vectors are added, never when one changes")

const vectorsFile = "testdata/vectors.json"

// Vectors are published for other implementations: docs/pseudonym.md.
type vectors struct {
	About   string         `json:"about"`
	Secrets []secretVector `json:"secrets"`
}

type secretVector struct {
	Secret   string           `json:"secret"` // base64
	KeyID    schema.KeyID     `json:"key_id"`
	Subkeys  []subkeyVector   `json:"subkeys"`
	Keys     []keyVector      `json:"keys"`
	Evidence []evidenceVector `json:"evidence"`
}

type subkeyVector struct {
	IDSpace schema.IDSpace `json:"id_space"`
	Subkey  string         `json:"subkey"` // hex
}

type keyVector struct {
	IDSpace    schema.IDSpace `json:"id_space"`
	Identifier string         `json:"identifier"`     // as UTF-8
	Hex        string         `json:"identifier_hex"` // its bytes
	Normalised string         `json:"normalised_hex"`
	Key        string         `json:"key"` // "" when nobody is identified
}

type evidenceVector struct {
	Bytes string `json:"bytes"`
	MAC   string `json:"mac"`
}

// identifiers of the vectors, all invented.
var identifiers = map[schema.IDSpace][]string{
	schema.ElectorID: {"12345678", "1234-5678", " 12 34 56 78 ", "ab-12", "AB12", "a‐b\u00a01\ufeff2", "éclair-1", "ÉCLAIR1",
		"0000000000000001", "00000000000000012", "not\xffutf8", "-", "", " "},
	"email":        {"Ada@Example.org", " ada@example.org\t", "ADA@EXAMPLE.ORG", "élodie@exemple.ca", "ÉLODIE@exemple.ca", "n/a", "@example.org", "ada@", ""},
	"phone":        {"613-555-0100", "(613) 555-0100", "+1 613 555 0100", "1.613.555.0100 x12", "011 44 20 7946 0018", "+44 (0)20 7946 0018", "0044 20 7946 0018", "613-555-0100 ext. 7", "Tel: 613 555 0100", "555", ""},
	"crm-id":       {"0015g00000XyZabAAF", " 0015g00000XyZabAAF ", "0015G00000XYZABAAF", "u-1 2", ""},
	"loyalty-card": {"A 1-b", " A 1-b\r\n", "a 1-b"},
}

func TestVectors(t *testing.T) {
	want := buildVectors()
	if *update {
		content, err := json.MarshalIndent(want, "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(vectorsFile, append(content, '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	content, err := os.ReadFile(vectorsFile)
	if err != nil {
		t.Fatal(err)
	}
	var have vectors
	if err := json.Unmarshal(content, &have); err != nil {
		t.Fatal(err)
	}
	if len(have.Secrets) < 2 {
		t.Fatalf("%s has %d secrets", vectorsFile, len(have.Secrets))
	}
	keys := 0
	for _, sv := range have.Secrets {
		raw, err := base64.StdEncoding.DecodeString(sv.Secret)
		if err != nil {
			t.Fatal(err)
		}
		var secret Secret
		copy(secret.bytes[:], raw)
		if secret.KeyID() != sv.KeyID {
			t.Errorf("key id %s, want %s", secret.KeyID(), sv.KeyID)
		}
		for _, v := range sv.Subkeys {
			if got := hex.EncodeToString(secret.derive(infoSpace+string(v.IDSpace), subkeySize)); got != v.Subkey {
				t.Errorf("subkey of %s: %s, want %s", v.IDSpace, got, v.Subkey)
			}
		}
		for _, v := range sv.Keys {
			keys++
			id := unhex(t, v.Hex)
			p := secret.Space(v.IDSpace)
			if got := hex.EncodeToString(p.Normalise(nil, id)); got != v.Normalised {
				t.Errorf("%s %q normalises to %s, want %s", v.IDSpace, v.Identifier, got, v.Normalised)
			}
			got := ""
			if key, ok := p.Key(id); ok {
				got = key.String()
			}
			if got != v.Key {
				t.Errorf("%s %q: key %q, want %q", v.IDSpace, v.Identifier, got, v.Key)
			}
		}
		for _, v := range sv.Evidence {
			if got := evidenceMAC(secret, v.Bytes); got != v.MAC {
				t.Errorf("evidence of %q: %s, want %s", v.Bytes, got, v.MAC)
			}
		}
	}
	if keys < 60 {
		t.Errorf("%s has %d keys only", vectorsFile, keys)
	}
}

// What the rules of each id space take for the same, and for different.
func TestNormalisation(t *testing.T) {
	for _, test := range []struct {
		space schema.IDSpace
		want  string
		from  []string
	}{
		{schema.ElectorID, "12345678", []string{"12345678", "1234-5678", " 1234 5678 ", "1234‑5678", "\t12 34\u00a056–78\r\n", "\ufeff12345678"}},
		{schema.ElectorID, "AB12", []string{"ab12", "Ab-12", "a b 1 2"}},
		{schema.ElectorID, "A.B_C", []string{"a.b_c"}},
		{schema.ElectorID, "ÉCLAIR", []string{"éclair", "Éc-lair"}},
		{schema.ElectorID, "", []string{"", " ", "-", "—", "\u200b"}},
		{"email", "ada.l+x@example.org", []string{"Ada.L+x@Example.ORG", " ada.l+x@example.org\r"}},
		{"email", "", []string{"", "none", "n/a", "@", "@x", "x@"}},
		{"phone", "16135550100", []string{"6135550100", "613 555-0100", "(613)555.0100", "+1-613-555-0100", "1 613 555 0100", "0016135550100", "0111 613 555 0100", "613-555-0100x5", "613-555-0100 ext 5", "613-555-0100#5", "tel:+1-613-555-0100;ext=5"}},
		{"phone", "442079460018", []string{"+44 20 7946 0018", "+44 (0)20 7946 0018", "00442079460018"}},
		{"phone", "5550100", []string{"555-0100"}},
		{"phone", "", []string{"", "none", "123456", "x", "ext. 5550100"[:6]}},
		{"crm-id", "00A-b 1", []string{"00A-b 1", " 00A-b 1 ", "\u00a000A-b 1"}},
		{"crm-id", "00a-B 1", []string{"00a-B 1"}},
		{"anything-else", "Q 1-a", []string{"Q 1-a", "\tQ 1-a\n"}},
	} {
		p := testSecret(1).Space(test.space)
		for _, from := range test.from {
			if got := string(p.Normalise(nil, []byte(from))); got != test.want {
				t.Errorf("%s: %q normalises to %q, want %q", test.space, from, got, test.want)
			}
		}
	}
}

func TestEveryRuleIsDocumented(t *testing.T) {
	page, err := os.ReadFile("../../docs/pseudonym.md")
	if err != nil {
		t.Fatal(err)
	}
	for space := range rules {
		if !strings.Contains(string(page), "| `"+string(space)+"` |") {
			t.Errorf("docs/pseudonym.md has no row for id space %q", space)
		}
	}
	for _, info := range []string{infoKeyID, infoSpace, infoEvidence} {
		if !strings.Contains(string(page), "`"+info) {
			t.Errorf("docs/pseudonym.md does not name %q", info)
		}
	}
}

func evidenceMAC(s Secret, bytes string) string {
	mac := s.EvidenceMAC()
	mac.Write([]byte(bytes))
	return "hmac-sha256:" + hex.EncodeToString(mac.Sum(nil))
}

func buildVectors() vectors {
	all := vectors{About: "Test vectors of docs/pseudonym.md. The identifiers are invented, the secrets are for tests only."}
	counting := testSecret(0)
	for i := range counting.bytes {
		counting.bytes[i] = byte(i)
	}
	spaces := []schema.IDSpace{schema.ElectorID, "email", "phone", "crm-id", "loyalty-card"}
	for _, secret := range []Secret{counting, testSecret(0xa5)} {
		sv := secretVector{Secret: base64.StdEncoding.EncodeToString(secret.bytes[:]), KeyID: secret.KeyID()}
		for _, space := range spaces {
			sv.Subkeys = append(sv.Subkeys, subkeyVector{space, hex.EncodeToString(secret.derive(infoSpace+string(space), subkeySize))})
			p := secret.Space(space)
			for _, id := range identifiers[space] {
				v := keyVector{IDSpace: space, Identifier: id, Hex: hex.EncodeToString([]byte(id)), Normalised: hex.EncodeToString(p.Normalise(nil, []byte(id)))}
				if key, ok := p.Key([]byte(id)); ok {
					v.Key = key.String()
				}
				sv.Keys = append(sv.Keys, v)
			}
		}
		for _, content := range []string{"", "elector_id,name\n1,Ada Example\n"} {
			sv.Evidence = append(sv.Evidence, evidenceVector{content, evidenceMAC(secret, content)})
		}
		all.Secrets = append(all.Secrets, sv)
	}
	return all
}
