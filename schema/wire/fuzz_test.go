package wire_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/rolltrace/rolltrace/schema"
	"github.com/rolltrace/rolltrace/schema/wire"
)

// seedWith adds a message as its subject, its header block and its body.
func seedWith(f *testing.F, m wire.Message) {
	var block strings.Builder
	for _, name := range slices.Sorted(maps.Keys(m.Header)) {
		block.WriteString(name + ": " + m.Header[name][0] + "\r\n")
	}
	f.Add(m.Subject, block.String(), m.Body)
}

// FuzzDecode feeds whatever can come over the wire.
func FuzzDecode(f *testing.F) {
	for _, m := range goldens(f) {
		seedWith(f, m)
	}
	f.Fuzz(func(t *testing.T, subject, block string, body []byte) {
		m := wire.Message{Subject: subject, Header: headers(block), Body: body}
		judge(t, m)
	})
}

// FuzzDecodeSigned feeds what a sidecar with a good key can send: it reaches what lies behind the
// signature.
func FuzzDecodeSigned(f *testing.F) {
	for _, m := range goldens(f) {
		seedWith(f, m)
	}
	seedWith(f, exampleMessage(f))
	s := published(f)
	f.Fuzz(func(t *testing.T, subject, block string, body []byte) {
		m := wire.Message{Subject: subject, Header: headers(block), Body: body}
		m = forge(t, m)
		if r, ok := judge(t, m); ok && r.Movement != nil {
			if err := accepts(t, s, m.Body); err != nil {
				t.Errorf("the schema refuses what Decode accepts: %v", err)
			}
		}
	})
}

// FuzzUnsealed feeds what a process on the same machine can send to the outbox.
func FuzzUnsealed(f *testing.F) {
	for _, d := range []wire.Draft{{Movement: movement(schema.Listed)}, {Chunk: chunk()}, {Heartbeat: heartbeat()}, {Gap: gap()}} {
		m, err := d.Unsealed()
		if err != nil {
			f.Fatal(err)
		}
		seedWith(f, m)
	}
	f.Fuzz(func(t *testing.T, subject, block string, body []byte) {
		m := wire.Message{Subject: subject, Header: headers(block), Body: body}
		d, err := wire.ParseUnsealed(m.Header, m.Body)
		if err != nil {
			return
		}
		sealed, err := newChain(t).Seal(d)
		if err != nil {
			t.Fatalf("what was parsed cannot be sealed: %v", err)
		}
		decode(t, sealed)
	})
}

// judge decodes a message and checks what Decode promises of any.
func judge(t *testing.T, m wire.Message) (wire.Record, bool) {
	t.Helper()
	before := bytes.Clone(m.Body)
	r, err := wire.Decode(m.Subject, m.Header, m.Body)
	again, errAgain := wire.Decode(m.Subject, m.Header, m.Body)
	if !reflect.DeepEqual(r, again) || !reflect.DeepEqual(err, errAgain) {
		t.Fatalf("decoded twice: %+v, %v and %+v, %v", r, err, again, errAgain)
	}
	if !bytes.Equal(before, m.Body) {
		t.Fatal("the body was changed")
	}
	var reject *wire.Reject
	if errors.As(err, &reject) {
		if !slices.Contains(wire.Codes, reject.Code) || reject.Reason == "" || len(reject.Reason) > wire.MaxReason ||
			strings.ContainsFunc(reject.Reason, func(c rune) bool { return c < ' ' || c > '~' && c != '…' }) {
			t.Fatalf("reject is %+v", reject)
		}
		return r, false
	}
	if err != nil {
		t.Fatalf("%v is no reject", err)
	}
	if want, _ := wire.ParseSubject(m.Subject); r.Type != want.Type || r.Org != want.Org || r.Sidecar != want.Sidecar || r.Hash != m.Hash() {
		t.Fatalf("record is %+v", r)
	}
	switch r.Type {
	case wire.TypeMovement:
		sameToAnother(t, m.Body, r.Movement)
		if r.Movement.Validate() != nil || r.Movement.Producer.Sequence != r.Sequence {
			t.Fatalf("movement is %+v", r.Movement)
		}
	case wire.TypeElectors:
		if !bytes.Equal(r.Chunk.Body(), m.Body) || r.Chunk.BodyHash() != r.BodyHash {
			t.Fatal("the keys are not those of the body")
		}
	case wire.TypeHeartbeat:
		sameToAnother(t, m.Body, r.Heartbeat)
	case wire.TypeGap:
		sameToAnother(t, m.Body, r.Gap)
	}
	return r, true
}

// sameToAnother fails unless a plain JSON reader, which takes names as they stand, sees in the body what
// Decode saw, and nothing at all where Decode saw nothing.
func sameToAnother(t *testing.T, body []byte, decoded any) {
	t.Helper()
	ours, err := json.Marshal(decoded)
	if err != nil {
		t.Fatal(err)
	}
	compare(t, "", plain(t, ours), plain(t, body))
}

func plain(t *testing.T, b []byte) (v any) {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	if err := d.Decode(&v); err != nil {
		t.Fatal(err)
	}
	return v
}

func compare(t *testing.T, path string, ours, theirs any) {
	t.Helper()
	switch o := ours.(type) {
	case map[string]any:
		other, _ := theirs.(map[string]any)
		for name, v := range o {
			compare(t, path+"."+name, v, other[name])
		}
	case []any:
		other, _ := theirs.([]any)
		if len(o) != len(other) {
			t.Fatalf("%s: %d elements, another reader sees %d", path, len(o), len(other))
		}
		for i, v := range o {
			compare(t, path, v, other[i])
		}
	case nil:
		if list, _ := theirs.([]any); len(list) != 0 {
			t.Fatalf("%s: nothing, another reader sees %v", path, theirs)
		}
	case json.Number:
		if n, ok := theirs.(json.Number); ok && n != o && !(n == "-0" && o == "0") || !ok && (theirs != nil || o != "0") {
			t.Fatalf("%s: %s, another reader sees %v", path, o, theirs)
		}
	default:
		if theirs != ours && (theirs != nil || ours != "" && ours != false) {
			t.Fatalf("%s: %v, another reader sees %v", path, ours, theirs)
		}
	}
}
