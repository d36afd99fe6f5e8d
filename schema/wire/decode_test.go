package wire_test

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"runtime"
	"strings"
	"testing"

	"github.com/nats-io/nkeys"

	"github.com/rolltrace/rolltrace/schema"
	"github.com/rolltrace/rolltrace/schema/wire"
)

// seal returns one message of the draft, the first of its chain.
func seal(t testing.TB, d wire.Draft) wire.Message {
	t.Helper()
	m, err := newChain(t).Seal(d)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestRejects(t *testing.T) {
	m := seal(t, wire.Draft{Movement: movement(schema.Listed)})
	ch := seal(t, wire.Draft{Chunk: chunk()})
	hb := seal(t, wire.Draft{Heartbeat: heartbeat()})
	subject := func(m wire.Message, s string) wire.Message { m.Subject = s; return forge(t, m) }
	replace := func(m wire.Message, old, new string) wire.Message {
		if !bytes.Contains(m.Body, []byte(old)) {
			t.Fatalf("the body has no %s", old)
		}
		return body(t, m, strings.Replace(string(m.Body), old, new, 1))
	}
	unsigned := func(m wire.Message, name, value string) wire.Message {
		m.Header = maps.Clone(m.Header)
		m.Header[name] = []string{value}
		return m
	}
	long := strings.Repeat("x", wire.MaxHeader)
	other, err := nkeys.CreateAccount()
	if err != nil {
		t.Fatal(err)
	}
	account, err := other.PublicKey()
	if err != nil {
		t.Fatal(err)
	}

	for _, tc := range []struct {
		name string
		m    wire.Message
		code wire.Code
	}{
		{"no subject", subject(m, ""), wire.BadSubject},
		{"another system's subject", subject(m, "orders.v1.movement.party-a.field-db-1"), wire.BadSubject},
		{"unknown type", subject(m, "rolltrace.v1.moovement.party-a.field-db-1"), wire.BadSubject},
		{"type of the centre", subject(m, "rolltrace.v1.rejected.bad-body"), wire.BadSubject},
		{"no sidecar", subject(m, "rolltrace.v1.movement.party-a"), wire.BadSubject},
		{"a token too many", subject(m, "rolltrace.v1.movement.party-a.field-db-1.x"), wire.BadSubject},
		{"upper case", subject(m, "rolltrace.v1.movement.Party-A.field-db-1"), wire.BadSubject},
		{"wildcard", subject(m, "rolltrace.v1.movement.*.field-db-1"), wire.BadSubject},
		{"version 0", subject(m, "rolltrace.v0.movement.party-a.field-db-1"), wire.BadSubject},
		{"version 01", subject(m, "rolltrace.v01.movement.party-a.field-db-1"), wire.BadSubject},
		{"no partition", subject(ch, "rolltrace.v1.electors.party-a.field-db-1"), wire.BadSubject},
		{"partition of letters", subject(ch, "rolltrace.v1.electors.x.party-a.field-db-1"), wire.BadSubject},
		{"endless subject", subject(m, "rolltrace.v1.movement.party-a."+strings.Repeat("a", 1<<16)), wire.BadSubject},

		{"version 2 in the subject", subject(m, "rolltrace.v2.movement.party-a.field-db-1"), wire.FutureVersion},
		{"version 2 in the type", with(t, m, "ce-type", "rolltrace.v2.movement"), wire.FutureVersion},
		{"version 17 in the type, unsigned", unsigned(m, "ce-type", "rolltrace.v17.movement"), wire.FutureVersion},
		{"another CloudEvents", with(t, m, "ce-specversion", "1.1"), wire.FutureVersion},
		{"another partition", subject(ch, "rolltrace.v1.electors.7.party-a.field-db-1"), wire.FutureVersion},
		{"links", subject(m, "rolltrace.v1.links.party-a.field-db-1"), wire.FutureVersion},
		{"question", subject(m, "rolltrace.v1.question.party-a.field-db-1"), wire.FutureVersion},
		{"exercise", subject(m, "rolltrace.exercise.v1.movement.party-a.field-db-1"), wire.FutureVersion},

		{"body too large", body(t, m, string(m.Body)+strings.Repeat(" ", wire.MaxBody)), wire.Oversize},
		{"header too large", with(t, m, "ce-comment", long), wire.Oversize},
		{"too many headers", func() wire.Message {
			m := forge(t, m)
			for i := range wire.MaxHeaders {
				m.Header[fmt.Sprintf("ce-x%d", i)] = []string{"x"}
			}
			return forge(t, m)
		}(), wire.Oversize},

		{"no headers", wire.Message{Subject: m.Subject, Body: m.Body}, wire.BadHeader},
		{"no type", with(t, m, "ce-type", ""), wire.BadHeader},
		{"another type", with(t, m, "ce-type", "rolltrace.v1.gap"), wire.BadHeader},
		{"version 0 in the type", with(t, m, "ce-type", "rolltrace.v0.movement"), wire.BadHeader},
		{"no specversion", with(t, m, "ce-specversion", ""), wire.BadHeader},
		{"another content type", with(t, m, "content-type", "application/json; charset=utf-8"), wire.BadHeader},
		{"another id", with(t, m, "ce-id", "b7e1f0c2/2"), wire.BadHeader},
		{"another time", with(t, m, "ce-time", "2026-04-01T12:00:00.123457Z"), wire.BadHeader},
		{"another movement", with(t, m, "ce-subject", "0199b0c2-7f3e-7c1a-9d58-3f1c6f1b2a91"), wire.BadHeader},
		{"a movement on a heartbeat", with(t, hb, "ce-subject", "0199b0c2-7f3e-7c1a-9d58-3f1c6f1b2a91"), wire.BadHeader},
		{"a time on a chunk", with(t, ch, "ce-time", "2026-04-01T12:00:00.123456Z"), wire.BadHeader},
		{"a chunk's header on a movement", with(t, m, "rolltrace-sequence", "9"), wire.BadHeader},
		{"upper-case twin", with(t, m, "Ce-Id", "b7e1f0c2/1"), wire.BadHeader},
		{"upper-case content type", with(t, m, "Content-Type", "application/json"), wire.BadHeader},
		{"control character", with(t, m, "ce-comment", "a\x01b"), wire.BadHeader},
		{"line feed", with(t, m, "ce-comment", "a\nce-x:b"), wire.BadHeader},
		{"space around a value", with(t, m, "ce-comment", " a"), wire.BadHeader},
		{"not ASCII", with(t, m, "ce-comment", "é"), wire.BadHeader},
		{"colon in a name", with(t, m, "ce-a:b", "c"), wire.BadHeader},
		{"two values", func() wire.Message {
			m := forge(t, m)
			m.Header["ce-id"] = []string{m.Header["ce-id"][0], "b7e1f0c2/9"}
			return forge(t, m)
		}(), wire.BadHeader},
		{"no value", func() wire.Message {
			m := forge(t, m)
			m.Header["ce-comment"] = nil
			return forge(t, m)
		}(), wire.BadHeader},
		{"another's message id", unsigned(m, "Nats-Msg-Id", "party-b/x/0199b0c2-7f3e-7c1a-9d58-3f1c6f1b2a90/1/00"), wire.BadHeader},
		{"set is no number", with(t, ch, "rolltrace-set", "one"), wire.BadHeader},
		{"set with a sign", with(t, ch, "rolltrace-set", "+0"), wire.BadHeader},
		{"chunk with a zero before", with(t, ch, "rolltrace-chunk", "00"), wire.BadHeader},
		{"sequence too large", with(t, ch, "rolltrace-sequence", "18446744073709551616"), wire.BadHeader},

		{"no signature", func() wire.Message {
			m := forge(t, m)
			delete(m.Header, "rolltrace-signature")
			return m
		}(), wire.BadHeader},
		{"no signer", with(t, m, "rolltrace-signer", ""), wire.BadSignature},
		{"signer is an account", with(t, m, "rolltrace-signer", account), wire.BadSignature},
		{"signer in lower case", with(t, m, "rolltrace-signer", strings.ToLower(m.Header["rolltrace-signer"][0])), wire.BadSignature},
		{"signer is a seed", with(t, m, "rolltrace-signer", "SUAIBDPBAUTWCWBKIO6XHQNINK5FWJW4OHLXC3HQ2KFE4PEJUA44CNHTC4"), wire.BadSignature},
		{"signature is no base64", unsigned(m, "rolltrace-signature", "!"), wire.BadSignature},
		{"signature too short", unsigned(m, "rolltrace-signature", "AAAA"), wire.BadSignature},
		{"signature of another message", unsigned(m, "rolltrace-signature", hb.Header["rolltrace-signature"][0]), wire.BadSignature},
		{"signature padded", unsigned(m, "rolltrace-signature", m.Header["rolltrace-signature"][0]+"=="), wire.BadSignature},
		{"body changed", wire.Message{Subject: m.Subject, Header: m.Header, Body: bytes.Replace(m.Body, []byte("9312331"), []byte("9312332"), 1)}, wire.BadSignature},
		{"header added", unsigned(m, "ce-comment", "x"), wire.BadSignature},
		{"keys changed", wire.Message{Subject: ch.Subject, Header: ch.Header, Body: bytes.Repeat([]byte{1}, len(ch.Body))}, wire.BadSignature},
		{"set changed", unsigned(ch, "rolltrace-set", "1"), wire.BadSignature},

		{"another's subject", subject(m, "rolltrace.v1.movement.party-b.field-db-1"), wire.SubjectMismatch},
		{"another sidecar's subject", subject(ch, "rolltrace.v1.electors.0.party-a.field-db-2"), wire.SubjectMismatch},
		{"another's source", with(t, m, "ce-source", "/party-b/field-db-1"), wire.SubjectMismatch},
		{"another's movement", replace(m, `"org":"party-a"`, `"org":"party-b"`), wire.SubjectMismatch},
		{"another sidecar's movement", replace(m, `"sidecar":"field-db-1"`, `"sidecar":"field-db-2"`), wire.SubjectMismatch},
		{"no producer", replace(m, `"producer"`, `"producers"`), wire.SubjectMismatch},

		{"no body", body(t, m, ""), wire.BadBody},
		{"null", body(t, m, "null"), wire.BadBody},
		{"array", body(t, m, "["+string(m.Body)+"]"), wire.BadBody},
		{"two objects", body(t, m, string(m.Body)+"{}"), wire.BadBody},
		{"another type of value", replace(m, `"revision":2`, `"revision":"2"`), wire.BadBody},
		{"negative", replace(m, `"revision":2`, `"revision":-2`), wire.BadBody},
		{"fraction", replace(m, `"revision":2`, `"revision":2.0`), wire.BadBody},
		{"too large", replace(m, `"revision":2`, `"revision":4294967296`), wire.BadBody},
		{"said twice", replace(m, `"revision":2`, `"revision":2,"revision":2`), wire.BadBody},
		{"said twice, escaped", replace(m, `"revision":2`, `"revision":2,"\u0072evision":3`), wire.BadBody},
		{"said in upper case", replace(m, `"revision":2`, `"revision":2,"Revision":3`), wire.BadBody},
		{"only in upper case", replace(m, `"revision":2`, `"REVISION":2`), wire.BadBody},
		{"said with a long s", replace(m, `"basis":"observed"`, `"basis":"observed","ba\u017fis":"declared"`), wire.BadBody},
		{"said twice deep within", replace(m, `"org":"party-a"`, `"org":"party-a","org":"party-a"`), wire.BadBody},
		{"unknown said twice", replace(m, `"revision":2`, `"revision":2,"x":1,"x":2`), wire.BadBody},
		{"unknown said twice within", replace(m, `"revision":2`, `"revision":2,"x":[{"y":{"z":1,"z":1}}]`), wire.BadBody},
		{"null field", replace(m, `"reason":""`, `"reason":null`), wire.BadBody},
		{"null in an array", replace(m, `"fields":["name",`, `"fields":[null,`), wire.BadBody},
		{"time with an offset", replace(m, `12:00:00.123456Z`, `14:00:00.123456+02:00`), wire.BadBody},
		{"time without decimals", replace(m, `12:03:10.000000Z`, `12:03:10Z`), wire.BadBody},
		{"date", replace(m, `2026-04-01T12:03:10.000000Z`, `2026-04-01`), wire.BadBody},
		{"30 February", replace(m, `2026-04-01T12:03:10.000000Z`, `2026-02-30T12:03:10.000000Z`), wire.BadBody},
		{"not UTF-8", replace(m, `"reason":""`, "\"reason\":\"\xff\""), wire.BadBody},
		{"deep", replace(m, `"reason":""`, `"x":`+strings.Repeat("[", 40)+strings.Repeat("]", 40)), wire.BadBody},
		{"deeper", replace(m, `"reason":""`, `"x":`+strings.Repeat("[", 1<<17)+strings.Repeat("]", 1<<17)), wire.BadBody},
		{"no keys", body(t, ch, ""), wire.BadBody},
		{"half a key", body(t, ch, string(ch.Body[:12])), wire.BadBody},

		{"fault", replace(m, `"revision":2`, `"revision":0`), wire.Invalid},
		{"unknown mode", replace(m, `"mode":"listed"`, `"mode":"guessed"`), wire.Invalid},
		{"set out of range", with(t, ch, "rolltrace-set", "16"), wire.Invalid},
		{"chunk out of range", with(t, ch, "rolltrace-chunk", "1048576"), wire.Invalid},
		{"chunk of no movement", with(t, ch, "rolltrace-movement", "x"), wire.Invalid},
		{"malformed key id", with(t, ch, "rolltrace-key-id", "secret"), wire.Invalid},
		{"malformed id space", with(t, ch, "rolltrace-id-space", "Name"), wire.Invalid},
		{"malformed previous", with(t, ch, "rolltrace-previous", "sha256:00"), wire.Invalid},
		{"malformed instance", with(t, with(t, ch, "rolltrace-instance", "a b"), "ce-id", "a b/1"), wire.Invalid},
		{"heartbeat without an interval", replace(hb, `"interval_ms":10000`, `"interval_ms":0`), wire.Invalid},
	} {
		_, err := wire.Decode(tc.m.Subject, tc.m.Header, tc.m.Body)
		var reject *wire.Reject
		if !errors.As(err, &reject) {
			t.Errorf("%s: accepted, want %s", tc.name, tc.code)
			continue
		}
		if reject.Code != tc.code || reject.Parked != (tc.code == wire.FutureVersion) {
			t.Errorf("%s: %v, parked %v, want %s", tc.name, reject, reject.Parked, tc.code)
		}
		if reject.Code != wire.BadSubject && reject.Code != wire.FutureVersion && reject.Org == "" {
			t.Errorf("%s: does not say whose it is", tc.name)
		}
	}
}

// A reason holds nothing of the message, wherever the message holds a secret.
func TestReasonsHoldNoValues(t *testing.T) {
	const secret = "7KAB4931"
	m := seal(t, wire.Draft{Movement: movement(schema.Listed)})
	ch := seal(t, wire.Draft{Chunk: chunk()})
	rejects := map[wire.Code]int{}
	try := func(m wire.Message) {
		_, err := wire.Decode(m.Subject, m.Header, m.Body)
		if err == nil {
			return
		}
		var reject *wire.Reject
		if !errors.As(err, &reject) {
			t.Fatalf("%v is no reject", err)
		}
		rejects[reject.Code]++
		if strings.Contains(strings.ToUpper(fmt.Sprintf("%+v", *reject)), secret) || len(reject.Reason) > wire.MaxReason || strings.ContainsAny(reject.Reason, "\n\r") {
			t.Errorf("%s: reason is %q", reject.Code, reject.Reason)
		}
	}
	for _, one := range []wire.Message{m, ch} {
		for name := range one.Header {
			try(with(t, one, name, secret))
			try(with(t, one, name, "a\n"+secret))
		}
		try(with(t, one, "ce-"+secret, "x"))
		try(with(t, one, "ce-"+strings.ToLower(secret), "\x00"))
		for i := range strings.Split(one.Subject, ".") {
			tokens := strings.Split(one.Subject, ".")
			tokens[i] = secret
			try(forge(t, wire.Message{Subject: strings.Join(tokens, "."), Header: one.Header, Body: one.Body}))
		}
	}
	// Instead of every value, before every value, as a name.
	text := string(m.Body)
	for i := range text {
		if text[i] == ':' || text[i] == '[' || text[i] == ',' {
			for _, value := range []string{`"` + secret + `"`, secret, `4931`, `{"` + secret + `":1}`, `"` + secret + `":`} {
				try(body(t, m, text[:i+1]+value+","+text[i+1:]))
				try(body(t, m, text[:i+1]+value+text[i+1:]))
			}
			end := i + 1 + strings.IndexAny(text[i+1:]+"}", ",}]")
			try(body(t, m, text[:i+1]+`"`+secret+`"`+text[end:]))
			try(body(t, m, text[:i+1]+`{"`+secret+`":1,"`+secret+`":1}`+text[end:]))
		}
	}
	for _, c := range []wire.Code{wire.BadSubject, wire.BadHeader, wire.BadSignature, wire.BadBody, wire.SubjectMismatch, wire.Invalid} {
		if rejects[c] == 0 {
			t.Errorf("nothing was rejected as %s", c)
		}
	}
}

// What later versions add is kept out of the way.
func TestUnknownIsAccepted(t *testing.T) {
	m := seal(t, wire.Draft{Movement: movement(schema.Listed)})
	more := body(t, m, strings.Replace(string(m.Body), `{`, `{"Weather":"fair","x":[null,{"Revision":1,"revision":2}],"y":1e400,`, 1))
	if r := decode(t, more); r.Movement.Revision != 2 {
		t.Errorf("revision is %d", r.Movement.Revision)
	}
	decode(t, with(t, m, "ce-traceparent", "00-1-2-3"))
	decode(t, with(t, m, "rolltrace-later", "x"))
	unsigned := forge(t, m)
	unsigned.Header["Nats-Expected-Stream"] = []string{"ROLLTRACE", "twice"}
	unsigned.Header["X-\x00"] = nil
	decode(t, unsigned)
}

// Bodies made to be expensive cost a bounded multiple of their size.
func TestHostileBodies(t *testing.T) {
	m := seal(t, wire.Draft{Movement: movement(schema.Listed)})
	fill := func(before, unit, after string) string {
		n := (wire.MaxBody - len(before) - len(after)) / len(unit)
		return before + strings.Repeat(unit, n) + after
	}
	numbered := func() string {
		var b strings.Builder
		b.WriteString(`{"x":1`)
		for i := 0; b.Len() < wire.MaxBody-20; i++ {
			fmt.Fprintf(&b, `,"%x":1`, i)
		}
		return b.String() + "}"
	}
	producer := `,"producer":{"org":"party-a","sidecar":"field-db-1"}}`
	for name, b := range map[string]string{
		"inputs":           fill(`{"inputs":[{}`, `,{}`, `]`+producer),
		"fields":           fill(`{"fields":[""`, `,""`, `]`+producer),
		"fields of inputs": fill(`{"inputs":[`, `{"fields":["`+strings.Repeat(`","`, 60)+`"]},`, `{}]`+producer),
		"sets":             fill(`{"electors":{"sets":[{}`, `,{}`, `]}`+producer),
		"deep":             fill(`{"x":`, `[`, ``),
		"deep objects":     fill(`{"x":`, `{"a":`, ``),
		"names":            numbered(),
		"escapes":          fill(`{"`, `\u0041`, `":1}`),
		"digits":           fill(`{"revision":`, `9`, `}`),
		"text":             fill(`{"reason":"`, `x`, `"`+producer),
		"spaces":           fill(`{`, ` `, `}`),
	} {
		hostile := body(t, m, b)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := wire.Decode(hostile.Subject, hostile.Header, hostile.Body)
		runtime.ReadMemStats(&after)
		if code(err) != wire.BadBody && code(err) != wire.Invalid && code(err) != wire.SubjectMismatch {
			t.Errorf("%s: %v", name, err)
		}
		if spent := after.TotalAlloc - before.TotalAlloc; spent > 8*wire.MaxBody {
			t.Errorf("%s: allocated %d times the body", name, spent/wire.MaxBody)
		} else {
			t.Logf("%s: allocated %.1f times the body (%v)", name, float64(spent)/wire.MaxBody, err)
		}
	}
}

func TestDecodeInto(t *testing.T) {
	m := seal(t, wire.Draft{Chunk: chunk()})
	keys := make([]schema.Key, 3, 64)
	r, err := wire.DecodeInto(keys, m.Subject, m.Header, m.Body)
	if err != nil || len(r.Chunk.Keys) != 5 || &r.Chunk.Keys[0] != &keys[:1][0] {
		t.Errorf("keys are %v, %v: not in the given room", r.Chunk.Keys, err)
	}
	r, err = wire.DecodeInto(keys[:0:2], m.Subject, m.Header, m.Body)
	if err != nil || len(r.Chunk.Keys) != 5 {
		t.Errorf("keys are %v, %v", r.Chunk.Keys, err)
	}
}

func TestParseUnsealedRefuses(t *testing.T) {
	unsealed := func(d wire.Draft) wire.Message {
		m, err := d.Unsealed()
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	ch, mv := unsealed(wire.Draft{Chunk: chunk()}), unsealed(wire.Draft{Movement: movement(schema.Whole)})
	for name, m := range map[string]wire.Message{
		"nothing":          {},
		"another type":     {Header: map[string][]string{"draft": {"links"}}, Body: mv.Body},
		"too large":        {Header: mv.Header, Body: make([]byte, wire.MaxBody+1)},
		"no JSON":          {Header: mv.Header, Body: []byte("7KAB4931")},
		"fault":            {Header: mv.Header, Body: bytes.Replace(mv.Body, []byte(`"kind":"share"`), []byte(`"kind":"7KAB4931"`), 1)},
		"half a key":       {Header: ch.Header, Body: ch.Body[:9]},
		"chunk of nothing": {Header: map[string][]string{"draft": {"electors"}}, Body: ch.Body},
	} {
		if _, err := wire.ParseUnsealed(m.Header, m.Body); err == nil || strings.Contains(err.Error(), "7KAB4931") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
