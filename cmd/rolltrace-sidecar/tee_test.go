package main

import (
	"bytes"
	"compress/gzip"
	"encoding/hex"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"

	"github.com/rolltrace/rolltrace/schema"
)

// What comes out is what went in, in every dialect, and what is recorded is who was in it.
func TestTeePassesAndRecords(t *testing.T) {
	d := newDesk(t)
	hub := d.startHub()
	plain, ids := roll(3000)
	zip := func(text []byte) []byte {
		var b bytes.Buffer
		w := gzip.NewWriter(&b)
		if _, err := w.Write(text); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		return b.Bytes()
	}
	encoder, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	for i, test := range []struct {
		name  string
		input []byte
		args  []string
		want  []string
	}{
		{"CSV", plain, []string{"--id", "elector_id"}, ids},
		{"by number", plain, []string{"--id", "elector-id=1"}, ids},
		{"CRLF and a byte order mark", append([]byte("\ufeff"), bytes.ReplaceAll(plain, []byte("\n"), []byte("\r\n"))...), []string{"--id", "elector_id"}, ids},
		{"no newline at the end", bytes.TrimSuffix(plain, []byte("\n")), []string{"--id", "elector_id"}, ids},
		{"quoted line breaks", bytes.ReplaceAll(plain, []byte("Example, "), []byte("Exam\nple, \"\"")), []string{"--id", "elector_id"}, ids},
		{"TSV", bytes.ReplaceAll(plain, []byte(","), []byte("\t")), []string{"--format", "tsv", "--id", "elector_id"}, nil},
		{"semicolon", []byte("n;i\nx;11\ny;22\n"), []string{"--delimiter", ";", "--id", "i"}, []string{"11", "22"}},
		{"no header", []byte("11,x\n22,y"), []string{"--no-header", "--id", "1"}, []string{"11", "22"}},
		{"gzip", zip(plain), []string{"--id", "elector_id"}, ids},
		{"gzip members", append(zip(plain[:1000]), zip(plain[1000:])...), []string{"--id", "elector_id"}, ids},
		{"zstd", encoder.EncodeAll(plain, nil), []string{"--id", "elector_id"}, ids},
		{"NUL bytes", []byte("i,n\n11,\x00\n22,\x00\x00\n"), []string{"--id", "i"}, []string{"11", "22"}},
		{"nothing", nil, []string{"--no-header", "--id", "1"}, nil},
		{"a header", []byte("i,n\n"), []string{"--id", "i"}, nil},
	} {
		e := d.good(test.input, d.share(append(test.args, "--fields", "name,civic_address", "--actor", "party-a/people/u0412",
			"--purpose", "communicate", "--agreement", "acme-2026", "--mac")...)...)
		if e.stdout != string(test.input) {
			t.Errorf("%s: %d bytes came out of %d, or others", test.name, len(e.stdout), len(test.input))
		}
		m := hub.closed(i + 1)[i]
		if m.Outcome != schema.Completed || m.Revision != 2 || m.Kind != schema.Share || m.Basis != schema.Observed ||
			m.Output != "acme-mail/uploads/list.csv" || len(m.Inputs) != 1 || m.Inputs[0].Place != "party-a/crm/voters" ||
			m.Actor != "party-a/people/u0412" || m.Purpose != "communicate" || m.Agreement != "acme-2026" ||
			!slices.Equal(m.Fields, []string{"name", "civic_address"}) || !slices.Equal(m.Inputs[0].Fields, m.Fields) ||
			m.RecordedBy.Host == "" || hub.byID[m.ID][1].State != schema.Open {
			t.Errorf("%s: recorded %+v", test.name, m)
		}
		mac := d.secret.EvidenceMAC()
		mac.Write(test.input)
		if m.Evidence.Bytes != uint64(len(test.input)) || m.Evidence.MAC != "hmac-sha256:"+hex.EncodeToString(mac.Sum(nil)) {
			t.Errorf("%s: evidence %+v", test.name, m.Evidence)
		}
		keys := hub.keys(m, 0)
		if test.name == "TSV" { // the quoted fields have tabs in them now
			test.want = ids
		}
		if !slices.Equal(keys, d.want(schema.ElectorID, test.want...)) || m.Electors.Records != uint64(len(test.want)) || m.Electors.Sets[0].Unkeyed != 0 {
			t.Errorf("%s: %d keys, want those of %d people; electors %+v", test.name, len(keys), len(test.want), m.Electors)
		}
	}
}

func TestTeeOfSeveralColumns(t *testing.T) {
	d := newDesk(t)
	hub := d.startHub()
	d.good([]byte("id,mail,tel\n11,a@example.org,6135550100\n,B@example.org,\n22,n/a,613 555 0101\n"),
		d.share("--id", "id", "--id", "email=mail", "--id", "phone=3")...)
	m := hub.closed(1)[0]
	if m.Electors.Records != 3 || len(m.Electors.Sets) != 3 {
		t.Fatalf("electors %+v", m.Electors)
	}
	for i, want := range []struct {
		space   schema.IDSpace
		unkeyed uint64
		ids     []string
	}{{"elector-id", 1, []string{"11", "22"}}, {"email", 1, []string{"a@example.org", "b@example.org"}}, {"phone", 1, []string{"6135550100", "6135550101"}}} {
		s := m.Electors.Sets[i]
		if s.IDSpace != want.space || s.Unkeyed != want.unkeyed || s.KeyID != d.secret.KeyID() || !slices.Equal(hub.keys(m, i), d.want(want.space, want.ids...)) {
			t.Errorf("set %d: %+v", i, s)
		}
	}
}

func TestTeeOfEveryKind(t *testing.T) {
	d := newDesk(t)
	hub := d.startHub()
	input := []byte("id\n11\n")
	for i, args := range [][]string{
		{"--kind", "collect", "--from", "elections-office/lists/l.csv", "--to", "party-a/crm/voters"},
		{"--kind", "export", "--from", "party-a/crm/voters", "--to", "party-a/files/x.csv"},
		{"--kind", "merge", "--from", "party-a/files/x.csv", "--from", "party-a/files/y.csv", "--to", "party-a/files/z.csv"},
		{"--kind", "share", "--from", "party-a/files/z.csv", "--to", "acme-mail/uploads/z.csv"},
		{"--kind", "access", "--from", "party-a/crm/voters", "--to", "party-a/people/u0412"},
		{"--kind", "destroy", "--from", "party-a/files/z.csv"},
	} {
		d.good(input, append(append([]string{"tee", "--id", "id"}, d.settings()...), args...)...)
		m := hub.closed(i + 1)[i]
		if string(m.Kind) != args[1] || m.Outcome != schema.Completed || !slices.Equal(hub.keys(m, 0), d.want(schema.ElectorID, "11")) {
			t.Errorf("%s: %+v", args[1], m)
		}
	}
}

func TestTeeCounted(t *testing.T) {
	d := newDesk(t)
	hub := d.startHub()
	input := []byte("name\n\"a\nb\"\nc\n\"d\" e\n")
	args := d.share("--counted")
	args = slices.Delete(args, slices.Index(args, "--key"), slices.Index(args, "--key")+2) // needs no key
	if e := d.good(input, args...); e.stdout != string(input) {
		t.Errorf("came out as %q", e.stdout)
	}
	m := hub.closed(1)[0]
	if m.Electors.Mode != schema.Counted || m.Electors.Records != 3 || len(m.Electors.Sets) != 0 {
		t.Errorf("electors %+v", m.Electors)
	}
}

// What cannot be read ends the flow before it goes, with one line that holds no value.
func TestTeeFaults(t *testing.T) {
	d := newDesk(t)
	hub := d.startHub()
	good := "elector_id,name\n12345678,Ada\n"
	movements := 0
	for _, test := range []struct {
		name, input, out, says string
		recorded               bool
	}{
		{"missing column", "elector,name\n12345678,Ada\n", "", `id column "elector_id": not in the header; the columns are "elector", "name"`, false},
		{"no header", "12345678,Ada Example\n", "", "whose 2 columns are not shown because it may be a row", false},
		{"UTF-16", "\xff\xfee\x00", "", "the text is UTF-16", false},
		{"zip", "PK\x03\x04....", "", "the input is zip, which is not read", false},
		{"malformed", good + "\"87654321\"x,Bo\n11,Cy\n", good, "record 2: a quoted field with text after its closing quote", true},
		{"open quote", good + "87654321,\"Bo\n11,Cy\n", good, "record 2: a quote that is never closed", true},
	} {
		e := d.run([]byte(test.input), d.share("--id", "elector_id")...)
		if e.code != 1 || e.stdout != test.out || !strings.Contains(e.stderr, test.says) || strings.Count(e.stderr, "\n") != 1 {
			t.Errorf("%s: exit code %d, out %q, said %q", test.name, e.code, e.stdout, e.stderr)
		}
		if strings.Contains(e.stderr, "12345678") || strings.Contains(e.stderr, "87654321") || strings.Contains(e.stderr, "Ada") {
			t.Errorf("%s: a value in %q", test.name, e.stderr)
		}
		if test.recorded {
			movements++
			all := hub.closed(movements)
			m := all[len(all)-1]
			if m.Outcome != schema.Failed || !slices.Equal(hub.keys(m, 0), d.want(schema.ElectorID, "12345678")) || m.Evidence.Bytes != uint64(len(test.out)) {
				t.Errorf("%s: recorded %+v", test.name, m)
			}
		}
	}
	if n := len(hub.movements()); n != movements {
		t.Errorf("%d movements, want %d: nothing went of the others", n, movements)
	}
	folder, err := os.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer folder.Close()
	p := d.start(d.share("--id", "elector_id")...)
	p.Stdin = folder
	p.begin()
	if code := p.end(); code != 1 || !strings.Contains(p.said.String(), "read input: ") || strings.Count(p.said.String(), "\n") != 1 {
		t.Errorf("a folder as input: exit code %d, %q", code, p.said.String())
	}
}

func TestWrongUsage(t *testing.T) {
	d := newDesk(t)
	base := func(more ...string) []string { return append(append([]string{"tee"}, d.settings()...), more...) }
	for name, test := range map[string]struct {
		args []string
		code int
		says string
	}{
		"no id":          {d.share(), 2, "--id: want the column of the identifier, or --counted"},
		"both":           {d.share("--id", "1", "--counted"), 2, "--id, --counted: want one of them"},
		"bad id":         {d.share("--id", "Bad Space=1"), 2, "id space"},
		"id twice":       {d.share("--id", "a", "--id", "a"), 2, "given twice"},
		"bad format":     {d.share("--id", "1", "--format", "xml"), 2, `format "xml": want csv or tsv`},
		"bad delimiter":  {d.share("--id", "1", "--delimiter", "ab"), 2, "--delimiter"},
		"no kind":        {base("--id", "1"), 2, "--kind: want collect"},
		"bad kind":       {base("--id", "1", "--kind", "shrae"), 2, `--kind "shrae"`},
		"no from":        {base("--id", "1", "--kind", "share", "--to", "a/b/c"), 2, "--from: want the place"},
		"no to":          {base("--id", "1", "--kind", "share", "--from", "a/b/c"), 2, "--to: want the place"},
		"bad place":      {base("--id", "1", "--kind", "share", "--from", "a/b", "--to", "c/d/e"), 2, "--from: place: \"a/b\": want three segments"},
		"a name":         {base("--id", "1", "--kind", "access", "--from", "a/b/c", "--to", "a/people/ada"), 2, "staff code"},
		"destroy to":     {base("--id", "1", "--kind", "destroy", "--from", "a/b/c", "--to", "c/d/e"), 2, "--to: a destroy goes nowhere"},
		"own share":      {base("--id", "1", "--kind", "share", "--from", "a/b/c", "--to", "a/d/e"), 2, "another organisation"},
		"one merged":     {base("--id", "1", "--kind", "merge", "--from", "a/b/c", "--to", "a/d/e"), 2, "two or more for a merge"},
		"bad field":      {d.share("--id", "1", "--fields", "Full Name"), 2, "fields[0]"},
		"bad org":        {d.share("--id", "1", "--org", "Party A"), 2, "org"},
		"to twice":       {d.share("--id", "1", "--to", "vendor-b/u/f.csv"), 2, "--to: given more than once"},
		"unknown flag":   {d.share("--id", "1", "--idd", "1"), 2, "unknown flag: --idd"},
		"an argument":    {d.share("--id", "1", "file.csv"), 2, "arguments given: 1"},
		"no such config": {append(d.share("--id", "1"), "--config", d.path("none.yaml")), 1, "none.yaml"},
		"unknown key":    {append(d.share("--id", "1"), "--config", d.write("bad.yaml", []byte("org: a\noutbx: b\n"))), 2, "outbx"},
		"no key file":    {append(d.share("--id", "1"), "--key", d.path("none.json")), 1, "rolltrace key new"},
		"a bad key file": {append(d.share("--id", "1"), "--key", d.write("bad.json", []byte("{}"))), 1, "read key file"},
		"key left out":   {append(d.share("--id", "1"), "--key", ""), 2, "--key: want the key file"},
		"a bad identity": {append(d.share("--id", "1"), "--identity", d.path("key.json")), 1, "read identity"},
		"far and plain":  {append(d.share("--id", "1"), "--nats", "nats://hub.example.org"), 2, "want tls://"},
		"emit of none":   {append([]string{"emit", d.path("none.jsonl")}, d.settings()...), 1, "none.jsonl"},
		"emit nothing":   {append([]string{"emit"}, d.settings()...), 2, `want "rolltrace-sidecar emit`},
		"run nowhere":    {[]string{"run"}, 2, "org: want the organisation"},
	} {
		e := d.run([]byte("a,b\n1,2\n"), test.args...)
		if e.code != test.code || !strings.Contains(e.stderr, test.says) || strings.Count(e.stderr, "\n") != 1 || e.stdout != "" {
			t.Errorf("%s: exit code %d, out %q, said %q; want %d, %q", name, e.code, e.stdout, e.stderr, test.code, test.says)
		}
	}
}

func TestDefaultOrg(t *testing.T) {
	for _, test := range []struct{ kind, from, to, want string }{
		{"collect", "elections-office/l/x", "party-a/crm/v", "party-a"},
		{"merge", "vendor/l/x", "party-a/crm/v", "party-a"},
		{"share", "party-a/crm/v", "vendor/l/x", "party-a"},
		{"export", "party-a/crm/v", "party-a/l/x", "party-a"},
		{"access", "party-a/crm/v", "party-a/people/u1", "party-a"},
		{"destroy", "party-a/crm/v", "", "party-a"},
	} {
		m := schema.Movement{Kind: schema.Kind(test.kind), Inputs: []schema.Input{{Place: schema.Place(test.from)}}, Output: schema.Place(test.to)}
		if got := defaultOrg(&m); got != test.want {
			t.Errorf("%s from %s to %s: %s publishes", test.kind, test.from, test.to, got)
		}
	}
}

// An empty input is a fault where a header is wanted, and no movement of nobody: so is a closed stdin (<&-), which the runtime
// makes an empty one.
func TestTeeOfAnEmptyInput(t *testing.T) {
	d := newDesk(t)
	if e := d.run(nil, d.share("--id", "elector_id")...); e.code != 1 || !strings.Contains(e.stderr, `id column "elector_id": the input is empty`) {
		t.Errorf("exit code %d, said %q", e.code, e.stderr)
	}
	d.good(nil, d.share("--id", "1", "--no-header")...)
}
