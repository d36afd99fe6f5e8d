package main

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rolltrace/rolltrace/schema"
)

// lines are the movements of a back-fill: what an owner declares, what others attest, who is listed and who is not.
const lines = `
{"kind": "collect", "basis": "declared", "occurred_at": "2019-11-15", "inputs": [{"place": "elections-office/lists/2019.csv"}], "output": "party-a/crm/voters", "fields": ["name", "civic_address"], "ids_from": {"file": "list.csv", "id": "elector_id"}}
{"kind": "share", "occurred_at": "2019-12-02T15:00:00.25Z", "inputs": [{"place": "party-a/files/cards.csv", "fields": ["name"]}], "output": "lantern-print/uploads/cards.csv", "ids": ["1234-5678", 87654321, "", null], "agreement": "lantern-2019"}
{"kind": "export", "basis": "attested", "occurred_at": "2019-12-03T00:00:00-05:00", "inputs": [{"place": "party-a/crm/voters"}], "output": "party-a/files/mail.csv", "ids": {"email": ["Ada@Example.org"], "phone": ["613-555-0100", "613-555-0101"]}}

{"kind": "destroy", "occurred_at": "2020-01-01", "inputs": [{"place": "party-a/files/cards.csv"}], "electors": {"mode": "whole"}}
{"kind": "destroy", "occurred_at": "2020-01-02", "inputs": [{"place": "lantern-print/uploads/cards.csv"}], "electors": {"mode": "whole"}, "evidence": {"document": "sha256:0000000000000000000000000000000000000000000000000000000000000000"}}
{"kind": "share", "occurred_at": "2020-01-03", "inputs": [{"place": "party-a/crm/voters"}], "output": "acme-mail/u/f.csv", "electors": {"records": 77}}`

func (d *desk) emit(file string, more ...string) []string {
	return append(append([]string{"emit", file}, d.settings()...), more...)
}

func TestEmit(t *testing.T) {
	d := newDesk(t)
	hub := d.startHub()
	list, people := roll(150_000) // three chunks
	d.write("list.csv", list)
	e := d.good(nil, d.emit(d.write("moves.jsonl", []byte(lines)))...)
	ids := strings.Fields(e.stdout)
	if len(ids) != 6 || e.stderr != "" {
		t.Fatalf("put out %q, said %q", e.stdout, e.stderr)
	}
	hub.closed(6)
	movement := func(i int) *schema.Movement {
		m := hub.byID[ids[i]][1]
		if m == nil {
			t.Fatalf("movement %d is not at the hub", i)
		}
		return m
	}
	for i, want := range []struct {
		basis schema.Basis
		mode  schema.Mode
		at    string
		n     uint64
	}{
		{schema.Declared, schema.Listed, "2019-11-15T00:00:00.000000Z", 150_000},
		{schema.Declared, schema.Listed, "2019-12-02T15:00:00.250000Z", 4},
		{schema.Attested, schema.Listed, "2019-12-03T05:00:00.000000Z", 2},
		{schema.Declared, schema.Whole, "2020-01-01T00:00:00.000000Z", 0},
		{schema.Attested, schema.Whole, "2020-01-02T00:00:00.000000Z", 0},
		{schema.Declared, schema.Counted, "2020-01-03T00:00:00.000000Z", 77},
	} {
		m := movement(i)
		if m.Basis != want.basis || m.Electors.Mode != want.mode || m.OccurredAt.String() != want.at || m.ClosedAt != m.OccurredAt ||
			m.Electors.Records != want.n || m.State != schema.Closed || m.Outcome != schema.Completed || m.RecordedAt.IsZero() || m.RecordedBy.Host == "" {
			t.Errorf("movement %d: %+v", i, m)
		}
	}
	if m := movement(0); !slices.Equal(hub.keys(m, 0), d.want(schema.ElectorID, people...)) || !slices.Equal(m.Inputs[0].Fields, m.Fields) || m.Electors.Sets[0].Chunks != 3 {
		t.Errorf("the list: %+v", m)
	}
	if m := movement(1); !slices.Equal(hub.keys(m, 0), d.want(schema.ElectorID, "12345678", "87654321")) || m.Electors.Sets[0].Unkeyed != 2 || !slices.Equal(m.Fields, []string{"name"}) {
		t.Errorf("the cards: %+v", m)
	}
	if m := movement(2); !slices.Equal(hub.keys(m, 0), d.want("email", "ada@example.org")) || !slices.Equal(hub.keys(m, 1), d.want("phone", "6135550100", "6135550101")) {
		t.Errorf("the mail: %+v", m)
	}

	// The same again is the same again, byte for byte, but for when it was recorded: the same ids, the same chunks.
	chunks := len(hub.chunks)
	again := d.good(nil, d.emit("-")...)
	if again.stdout != "" {
		t.Errorf("nothing put out %q", again.stdout)
	}
	again = d.good([]byte(strings.ReplaceAll(lines, "list.csv", d.path("list.csv"))), d.emit("-")...)
	if !slices.Equal(strings.Fields(again.stdout), ids) {
		t.Errorf("emitted again: %q, want %q", again.stdout, ids)
	}
	d.good([]byte(`{"kind": "share", "occurred_at": "2020-01-03", "inputs": [{"place": "party-a/crm/voters"}], "output": "acme-mail/u/f.csv", "electors": {"records": 78}}`), d.emit("-")...)
	if all := hub.closed(7); len(all) != 7 || len(hub.chunks) != chunks {
		t.Errorf("%d movements, chunks of %d", len(all), len(hub.chunks))
	}
}

func TestEmitNamesBadLines(t *testing.T) {
	d := newDesk(t)
	hub := d.startHub()
	d.write("list.csv", []byte("elector_id,name\n12345678,Ada\n"))
	d.write("bad.csv", []byte("elector_id,name\n12345678,Ada\n\"12345678\"x,Ada\n"))
	const placesOnly = `"inputs": [{"place": "party-a/crm/voters"}], "output": "acme-mail/u/f.csv"`
	rest := `"occurred_at": "2020-01-03", ` + placesOnly
	good := `{"kind": "share", ` + rest + `, "ids": ["12345678"]}`
	var text strings.Builder
	wants := []string{}
	for i, test := range []struct{ line, says string }{
		{good, ""},
		{`{"kind": "share", "ids": ["12345678"`, "not JSON, at byte 37"},
		{`12345678`, "want a JSON object"},
		{good + good, "more than one JSON value"},
		{`{"kind": "share", "basis": "observed", ` + rest + `, "ids": ["12345678"]}`, "basis: want declared or attested"},
		{`{"kind": "share", "knid": "share", ` + rest + `, "ids": ["12345678"]}`, `unknown field "knid"`},
		{`{"kind": "share", "12345678": 1, ` + rest + `, "ids": []}`, "unknown field (its name is not shown"},
		{`{"kind": "share", "purpose": "12345678 <x>", ` + rest + `, "ids": ["12345678"]}`, "purpose: want at most 128 letters"},
		{`{"kind": "share", "purpose": 12345678, ` + rest + `, "ids": ["12345678"]}`, "purpose: want a string"},
		{`{"kind": "share", "occurred_at": "12345678", "inputs": [{"place": "party-a/crm/voters"}], "output": "a/b/c", "ids": ["1"]}`, "a time is not in RFC 3339"},
		{`{"kind": "share", "inputs": [{"place": "party-a/crm/voters"}], "output": "a/b/c", "ids": ["1"]}`, "occurred_at: want when it happened"},
		{`{` + rest + `, "ids": ["1"]}`, "kind: want collect"},
		{`{"kind": "share", ` + rest + `}`, "electors: want ids, ids_from, a mode"},
		{`{"kind": "share", ` + rest + `, "ids": ["1"], "ids_from": {"file": "list.csv", "id": "elector_id"}}`, "ids, ids_from: want one of them"},
		{`{"kind": "share", ` + rest + `, "ids": [{"a": "12345678"}]}`, "ids: want a list of identifiers"},
		{`{"kind": "share", ` + rest + `, "ids": "12345678"}`, "ids: want a list of identifiers"},
		{`{"kind": "share", ` + rest + `, "ids_from": {"file": "none.csv", "id": "elector_id"}}`, "none.csv: no such file"},
		{`{"kind": "share", ` + rest + `, "ids_from": {"file": "list.csv", "id": "id"}}`, `list.csv: id column "id": not in the header; the columns are "elector_id", "name"`},
		{`{"kind": "share", ` + rest + `, "ids_from": {"file": "bad.csv", "id": "elector_id"}}`, "bad.csv: record 2: a quoted field with text after"},
		{`{"kind": "share", ` + rest + `, "ids_from": {"file": "list.csv"}}`, "ids_from: want"},
		{`{"kind": "share", ` + rest + `, "state": "open", "ids": ["1"]}`, "state: want closed"},
		{`{"kind": "share", ` + rest + `, "revision": 2, "ids": ["1"]}`, "id: want that of the movement"},
		{`{"kind": "share", ` + rest + `, "electors": {"mode": "listed"}}`, "ids, ids_from: want one of them"},
		{`{"kind": "merge", ` + rest + `, "ids": ["1"]}`, "inputs: want two or more for a merge"},
		{`{"kind": "share", "occurred_at": "2020-01-03", "inputs": [{"place": "party-a/12345678"}], "output": "a/b/c", "ids": ["1"]}`, "inputs[0].place: want three segments"},
		{`{"kind": "share", "occurred_at": "2020-01-03", "output": "a/b/c", "ids": ["1"]}`, "inputs: want one or more"},
		{`{"kind": "share", "occurred_at": "1066-01-03", "inputs": [{"place": "party-a/crm/voters"}], "output": "a/b/c", "ids": ["1"]}`, "occurred_at: want a time from 1900"},
		{`{"kind": "share", "occurred_at": "` + time.Now().Add(25*time.Hour).Format(time.RFC3339) + `", ` + placesOnly + `, "ids": ["1"]}`, "occurred_at: want what has happened: no later than a day from now"},
		{`{"kind": "share", "closed_at": "2199-01-01", ` + rest + `, "ids": ["1"]}`, "closed_at: want no later than a day from now"},
		{good[:len(good)-1] + `, "purpose": "` + strings.Repeat("12345678", maxLine/8) + `"}`, "longer than 16777216 bytes"},
		{`{"kind": "destroy", "occurred_at": "2020-01-03", "inputs": [{"place": "party-a/crm/voters"}], "electors": {"mode": "whole"}}`, ""},
	} {
		text.WriteString(test.line + "\n")
		if test.says != "" {
			wants = append(wants, fmt.Sprintf("rolltrace-sidecar: line %d: %s", i+1, test.says))
		}
	}
	e := d.run(nil, d.emit(d.write("moves.jsonl", []byte(text.String())))...)
	said := strings.Split(strings.TrimSuffix(e.stderr, "\n"), "\n")
	if e.code != 1 || len(said) != len(wants)+1 {
		t.Fatalf("exit code %d, %d lines of %d: %s", e.code, len(said), len(wants)+1, e.stderr)
	}
	for i, want := range wants {
		if !strings.HasPrefix(said[i], strings.SplitN(want, ": ", 3)[0]+": "+strings.SplitN(want, ": ", 3)[1]+": ") || !strings.Contains(said[i], strings.SplitN(want, ": ", 3)[2]) {
			t.Errorf("said %q, want %q", said[i], want)
		}
	}
	if last := said[len(said)-1]; !strings.Contains(last, "29 of 31 lines are bad and were left out, the first is line 2") {
		t.Errorf("said %q", last)
	}
	for _, value := range []string{"12345678", "Ada"} {
		if strings.Contains(e.stderr, value) {
			t.Errorf("a value is in what was said: %s", e.stderr)
		}
	}
	if n := len(strings.Fields(e.stdout)); n != 2 || len(hub.closed(2)) != 2 {
		t.Errorf("%d movements were recorded", n)
	}
}

// An owner takes back what it declared: a later revision, with a reason.
func TestEmitRetracts(t *testing.T) {
	d := newDesk(t)
	hub := d.startHub()
	line := `"kind": "collect", "basis": "declared", "occurred_at": "2020-01-03", "inputs": [{"place": "public/web/forms"}], "output": "party-a/crm/voters", "ids": ["12345678"]}`
	id := strings.TrimSpace(d.good([]byte("{"+line), d.emit("-")...).stdout)
	d.good([]byte(`{"id": "`+id+`", "revision": 2, "outcome": "retracted", "reason": "it was another list", `+line), d.emit("-")...)
	hub.until("the retraction", func() bool { return hub.byID[id][2] != nil })
	if m := hub.byID[id][2]; m.Outcome != schema.Retracted || m.Reason != "it was another list" || hub.byID[id][1].Outcome != schema.Completed {
		t.Errorf("recorded %+v", m)
	}
}

// The id follows from what is known of a movement and from nothing else, and never from an identifier in the clear.
func TestDeclaredIDs(t *testing.T) {
	d := newDesk(t)
	d.startHub()
	line := `{"kind": "share", "occurred_at": "2020-01-03T10:00:00.123Z", "inputs": [{"place": "party-a/crm/voters"}], "output": "acme-mail/u/f.csv", "ids": ["12345678"]}`
	id := func(line string, more ...string) string {
		t.Helper()
		return strings.TrimSpace(d.good([]byte(line), d.emit("-", more...)...).stdout)
	}
	first := id(line)
	at := fmt.Sprintf("%012x", time.Date(2020, 1, 3, 10, 0, 0, 123e6, time.UTC).UnixMilli())
	if !schema.ValidID(first) || !strings.HasPrefix(first, at[:8]+"-"+at[8:]+"-7") {
		t.Errorf("id %q is no UUIDv7 of its time", first)
	}
	for name, same := range map[string]string{
		"other order":       `{"ids": ["1234-5678"], "output": "acme-mail/u/f.csv", "inputs": [{"place": "party-a/crm/voters"}], "kind": "share", "occurred_at": "2020-01-03T10:00:00.123000Z"}`,
		"defaults written":  strings.Replace(line, `"kind"`, `"basis": "declared", "outcome": "completed", "revision": 1, "kind"`, 1),
		"another time zone": strings.Replace(line, "10:00:00.123Z", "05:00:00.123-05:00", 1),
	} {
		if got := id(same); got != first {
			t.Errorf("%s: %s, want %s", name, got, first)
		}
	}
	for name, other := range map[string]string{
		"another elector": strings.Replace(line, "12345678", "12345679", 1),
		"another place":   strings.Replace(line, "f.csv", "g.csv", 1),
		"a purpose":       strings.Replace(line, `"kind"`, `"purpose": "x", "kind"`, 1),
	} {
		if got := id(other); got == first {
			t.Errorf("%s: the same id", name)
		}
	}
	if got := id(line, "--key", d.write("other.json", newDesk(t).secret.KeyFile())); got == first {
		t.Error("under another secret: the same id")
	}
	given := "0199b0c2-7f3e-7c1a-9d58-3f1c6f1b2a90"
	if got := id(strings.Replace(line, `"kind"`, `"id": "`+given+`", "kind"`, 1)); got != given {
		t.Errorf("the given id became %s", got)
	}
}
