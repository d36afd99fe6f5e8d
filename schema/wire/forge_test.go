package wire_test

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/rolltrace/rolltrace/schema/wire"
)

// forge signs a message as docs/movement.md says, without a line of the package: so that a test can sign
// what Seal would never write, and so that the documented form is checked against the package's. The
// message id is left out.
func forge(t testing.TB, m wire.Message) wire.Message {
	t.Helper()
	header := maps.Clone(m.Header)
	delete(header, "Nats-Msg-Id")
	delete(header, "rolltrace-signature")
	signature := ed25519.Sign(private, []byte(signedText(m.Subject, header, m.Body)))
	header["rolltrace-signature"] = []string{base64.RawURLEncoding.EncodeToString(signature)}
	return wire.Message{Subject: m.Subject, Header: header, Body: m.Body}
}

var private = ed25519.NewKeyFromSeed([]byte(seed))

func signedText(subject string, header map[string][]string, body []byte) string {
	text := "\xffrolltrace.v1 message\n" + subject + "\n"
	for _, name := range slices.Sorted(maps.Keys(header)) {
		lower := strings.ToLower(name)
		if name == "rolltrace-signature" || !strings.HasPrefix(lower, "ce-") && !strings.HasPrefix(lower, "rolltrace-") && lower != "content-type" {
			continue
		}
		value := ""
		if len(header[name]) > 0 {
			value = header[name][0]
		}
		text += name + ":" + value + "\n"
	}
	return text + fmt.Sprintf("\n%x\n", sha256.Sum256(body))
}

// with returns the message with a header set, or taken away if value is empty, and signed again.
func with(t testing.TB, m wire.Message, name, value string) wire.Message {
	t.Helper()
	m.Header = maps.Clone(m.Header)
	m.Header[name] = []string{value}
	if value == "" {
		delete(m.Header, name)
	}
	return forge(t, m)
}

// body returns the message with another body, signed again.
func body(t testing.TB, m wire.Message, b string) wire.Message {
	t.Helper()
	m.Body = []byte(b)
	return forge(t, m)
}

// pack writes a message as NATS carries it from a client to a server: golden files hold these bytes.
func pack(m wire.Message) []byte {
	var h bytes.Buffer
	h.WriteString("NATS/1.0\r\n")
	for _, name := range slices.Sorted(maps.Keys(m.Header)) {
		for _, v := range m.Header[name] {
			fmt.Fprintf(&h, "%s: %s\r\n", name, v)
		}
	}
	h.WriteString("\r\n")
	var b bytes.Buffer
	fmt.Fprintf(&b, "HPUB %s %d %d\r\n", m.Subject, h.Len(), h.Len()+len(m.Body))
	b.Write(h.Bytes())
	b.Write(m.Body)
	b.WriteString("\r\n")
	return b.Bytes()
}

// unpack reads what pack wrote. It takes what is there of a message that was cut short.
func unpack(b []byte) (wire.Message, error) {
	line, rest, ok := bytes.Cut(b, []byte("\r\n"))
	words := strings.Fields(string(line))
	if !ok || len(words) != 4 || words[0] != "HPUB" {
		return wire.Message{}, errors.New("no HPUB line")
	}
	size, err1 := strconv.Atoi(words[2])
	total, err2 := strconv.Atoi(words[3])
	if err1 != nil || err2 != nil || size < 0 || total < size {
		return wire.Message{}, errors.New("no sizes")
	}
	m := wire.Message{Subject: words[1]}
	block := rest[:min(size, len(rest))]
	m.Header = headers(string(block))
	m.Body = rest[len(block):min(total, len(rest))]
	return m, nil
}

// headers reads the lines of a header block that have a colon.
func headers(block string) map[string][]string {
	header := map[string][]string{}
	for l := range strings.SplitSeq(block, "\r\n") {
		if name, value, ok := strings.Cut(l, ":"); ok {
			header[name] = append(header[name], strings.Trim(value, " \t"))
		}
	}
	return header
}
