package wire_test

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/rolltrace/rolltrace/schema/wire"
)

// docs/movement.md names every header, field and code, and its test vectors are those of the golden files.
func TestDocs(t *testing.T) {
	b, err := os.ReadFile("../../docs/movement.md")
	if err != nil {
		t.Fatal(err)
	}
	doc := string(b)
	says := func(what string) {
		t.Helper()
		if !strings.Contains(doc, what) {
			t.Errorf("docs/movement.md does not say %s", what)
		}
	}
	all := goldens(t)
	for _, m := range all {
		for name := range m.Header {
			says("| `" + name + "` |")
		}
	}
	for _, code := range wire.Codes {
		says("| `" + string(code) + "` |")
	}
	for _, name := range []string{"movement-listed", "movement-listed-seeds", "heartbeat", "gap"} {
		var fields map[string]any
		if err := json.Unmarshal(all[name].Body, &fields); err != nil {
			t.Fatal(err)
		}
		saysFields(t, doc, fields)
	}
	seed, err := signer(t).Seed()
	if err != nil {
		t.Fatal(err)
	}
	says("seed    " + string(seed))
	says("signer  " + all["electors"].Header[wire.HeaderSigner][0])
	for name, body := range map[string]string{
		"movement-listed-open": string(all["movement-listed-open"].Body),
		"electors":             fmt.Sprintf("%x", all["electors"].Body),
	} {
		head, _, _ := strings.Cut(string(twin(t, all[name])), "\n\n")
		says(head + "\nbody       " + body + "\n")
	}
	says(decode(t, all["movement-listed"]).Movement.Electors.Sets[0].Digest)
}

// saysFields looks for each field in the tables, as itself or as the end of a path.
func saysFields(t *testing.T, doc string, fields map[string]any) {
	t.Helper()
	for name, value := range fields {
		if within, ok := value.(map[string]any); ok {
			saysFields(t, doc, within)
			continue
		}
		if !strings.Contains(doc, "`"+name+"`") && !strings.Contains(doc, "."+name+"`") {
			t.Errorf("docs/movement.md does not say %s", name)
		}
		if list, ok := value.([]any); ok && len(list) > 0 {
			if within, ok := list[0].(map[string]any); ok {
				saysFields(t, doc, within)
			}
		}
	}
}
