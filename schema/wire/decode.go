package wire

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/nats-io/nkeys"

	"github.com/rolltrace/rolltrace/schema"
)

// A Record is a message that has been checked whole. Exactly one of Movement, Chunk, Heartbeat, Gap, Registry and
// Ruling is set, as Type says.
type Record struct {
	Type                   Type
	Org, Sidecar, Instance string
	Version                string // of the software that sent it, or ""
	Sequence               uint64
	Hash                   [32]byte // Message.Hash
	Previous               [32]byte // hash of the instance's message before, or zero
	Signer                 string   // public nkey (U…); whether it may speak for the sidecar is not checked here
	MessageID              string   // what Nats-Msg-Id is or would be
	BodyHash               [32]byte

	Movement  *schema.Movement
	Chunk     *Chunk
	Heartbeat *Heartbeat
	Gap       *Gap
	Registry  *Registry
	Ruling    *Ruling
}

// Decode checks a message and returns what it says; the error is always a *Reject. What it returns holds
// no reference to body. It is safe for concurrent use.
func Decode(subject string, header map[string][]string, body []byte) (Record, error) {
	r, reject := decode(subject, header, body, nil)
	if reject != nil {
		return Record{}, reject
	}
	return r, nil
}

// DecodeInto is Decode for whoever reads many chunks: the keys of a chunk are appended to keys[:0], if
// they fit, instead of being allocated. The Record is good until keys is used again.
func DecodeInto(keys []schema.Key, subject string, header map[string][]string, body []byte) (Record, error) {
	r, reject := decode(subject, header, body, keys)
	if reject != nil {
		return Record{}, reject
	}
	return r, nil
}

func decode(subject string, header map[string][]string, body []byte, keys []schema.Key) (Record, *Reject) {
	addr, err := ParseSubject(subject)
	if errors.Is(err, errLater) {
		return Record{}, addr.reject(FutureVersion, "subject: of a later version")
	}
	if err != nil {
		return Record{}, addr.reject(BadSubject, err.Error())
	}
	if len(body) > MaxBody {
		return Record{}, addr.reject(Oversize, fmt.Sprintf("body: want at most %d bytes", MaxBody))
	}
	names, reject := checkHeader(addr, header)
	if reject != nil {
		return Record{}, reject
	}
	r := Record{
		Type: addr.Type, Org: addr.Org, Sidecar: addr.Sidecar,
		Signer: first(header, HeaderSigner), BodyHash: sha256.Sum256(body),
	}
	form := signedForm(subject, header, names, r.BodyHash)
	if reject := checkSignature(addr, r.Signer, first(header, HeaderSignature), form); reject != nil {
		return Record{}, reject
	}
	r.Hash = sha256.Sum256(form)
	if reject := r.read(addr, header, body, keys); reject != nil {
		return Record{}, reject
	}
	return r, nil
}

// read fills in the content and the chain, and checks them against the headers.
func (r *Record) read(addr Address, header map[string][]string, body []byte, keys []schema.Key) *Reject {
	var producer schema.Producer
	var at schema.Time
	var id string
	var err error
	var reject *Reject
	switch addr.Type {
	case TypeMovement:
		r.Movement = new(schema.Movement)
		err = unmarshal(body, r.Movement, movementShape)
		producer, at, id = r.Movement.Producer, r.Movement.OccurredAt, r.Movement.ID
	case TypeElectors:
		r.Chunk, reject = readChunk(addr, header)
		if reject != nil {
			return reject
		}
		r.Chunk.Keys, err = ParseKeys(keys[:0], body)
		producer, id = r.Chunk.Producer, r.Chunk.Movement
	case TypeHeartbeat:
		r.Heartbeat = new(Heartbeat)
		err = unmarshal(body, r.Heartbeat, heartbeatShape)
		producer, at = r.Heartbeat.Producer, r.Heartbeat.At
	case TypeGap:
		r.Gap = new(Gap)
		err = unmarshal(body, r.Gap, gapShape)
		producer, at = r.Gap.Producer, r.Gap.To
	case TypeRegistry:
		r.Registry = new(Registry)
		err = unmarshal(body, r.Registry, registryShape)
		producer, at = r.Registry.Producer, r.Registry.At
	case TypeRuling:
		r.Ruling = new(Ruling)
		err = unmarshal(body, r.Ruling, rulingShape)
		producer, at, id = r.Ruling.Producer, r.Ruling.At, r.Ruling.Finding
	}
	if err != nil {
		return addr.reject(BadBody, err.Error())
	}
	if producer.Org != addr.Org || producer.Sidecar != addr.Sidecar {
		return addr.reject(SubjectMismatch, "producer: want the organisation and the sidecar of the subject")
	}
	if err := r.validate(producer); err != nil {
		return addr.reject(Invalid, err.Redacted())
	}
	r.Instance, r.Version, r.Sequence = producer.Instance, producer.Version, producer.Sequence
	if producer.Previous != "" {
		r.Previous, _ = ParseHash(producer.Previous) // validate has seen its form
	}
	r.MessageID = messageID(addr.Type, r.Movement, r.Chunk, producer, r.BodyHash, r.Hash)
	for _, want := range []struct{ name, value string }{
		{HeaderID, cloudEventID(producer)}, {HeaderSubject, id}, {HeaderTime, at.String()},
	} {
		if first(header, want.name) != want.value {
			return addr.reject(BadHeader, want.name+": want what the body says")
		}
	}
	if have := header[HeaderMessageID]; len(have) > 0 && (len(have) > 1 || have[0] != r.MessageID) {
		return addr.reject(BadHeader, HeaderMessageID+": want the message's own id, or none")
	}
	return nil
}

// validate gathers every fault of the content and of the producer.
func (r *Record) validate(p schema.Producer) schema.Faults {
	var faults schema.Faults
	add := func(err error) {
		var fs schema.Faults
		if errors.As(err, &fs) {
			faults = append(faults, fs...)
		}
	}
	if r.Movement != nil {
		add(r.Movement.Validate()) // with its producer
		return faults
	}
	add(Draft{Chunk: r.Chunk, Heartbeat: r.Heartbeat, Gap: r.Gap, Registry: r.Registry, Ruling: r.Ruling}.Validate())
	add(p.Validate())
	return faults
}

// checkHeader returns the names that the signature covers, in order. It goes through the names in order,
// so that the same message is always refused for the same reason.
func checkHeader(addr Address, header map[string][]string) ([]string, *Reject) {
	var size, count int
	for name, values := range header {
		if covered(name) {
			count++
			for _, v := range values {
				size += len(name) + len(v)
			}
		}
	}
	if size > MaxHeader || count > MaxHeaders+1 {
		return nil, addr.reject(Oversize, fmt.Sprintf("headers: want at most %d and %d bytes", MaxHeaders, MaxHeader))
	}
	// Before anything else: a later version may have other rules.
	if v := first(header, HeaderSpecVersion); v != specVersion && v != "" {
		return nil, addr.reject(FutureVersion, HeaderSpecVersion+": want "+specVersion)
	}
	if v := first(header, HeaderType); v != addr.Type.CloudEvent() {
		token, _, _ := strings.Cut(strings.TrimPrefix(v, "rolltrace."), ".")
		if strings.HasPrefix(v, "rolltrace.") && laterVersion(token) {
			return nil, addr.reject(FutureVersion, HeaderType+": of a later version")
		}
		return nil, addr.reject(BadHeader, HeaderType+": want "+addr.Type.CloudEvent())
	}
	names := signedNames(header)
	for _, name := range append(slices.Clip(names), HeaderSignature) {
		if reason := headerFault(name, header[name]); reason != "" {
			return nil, addr.reject(BadHeader, reason)
		}
	}
	content := contentJSON
	if addr.Type == TypeElectors {
		content = contentKeys
	} else if i := slices.IndexFunc(names, chunkOnly); i >= 0 {
		return nil, addr.reject(BadHeader, names[i]+": want it on a chunk only")
	}
	for _, want := range []struct{ name, value string }{{HeaderSpecVersion, specVersion}, {HeaderContentType, content}} {
		if first(header, want.name) != want.value {
			return nil, addr.reject(BadHeader, want.name+": want "+want.value)
		}
	}
	if first(header, HeaderSource) != source(addr.Org, addr.Sidecar) {
		return nil, addr.reject(SubjectMismatch, HeaderSource+": want the organisation and the sidecar of the subject")
	}
	return names, nil
}

func chunkOnly(name string) bool {
	switch name {
	case HeaderMovement, HeaderSet, HeaderChunk, HeaderIDSpace, HeaderKeyID, HeaderRole, HeaderInstance, HeaderSequence, HeaderPrevious, HeaderVersion:
		return true
	}
	return false
}

// headerFault says what is wrong with a header by its form alone, or nothing. Only names in the
// documented alphabet are repeated.
func headerFault(name string, values []string) string {
	for i := range len(name) {
		if c := name[i]; (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
			return "headers: want names of a-z, 0-9 and -"
		}
	}
	if !knownHeader(name) {
		name = "headers"
	}
	if len(values) != 1 {
		return name + ": want one value"
	}
	v := values[0]
	if v == "" || v[0] == ' ' || v[len(v)-1] == ' ' {
		return name + ": want a value without space around it"
	}
	for i := range len(v) {
		if v[i] < ' ' || v[i] > '~' {
			return name + ": want printable ASCII"
		}
	}
	return ""
}

func knownHeader(name string) bool {
	switch name {
	case HeaderSpecVersion, HeaderID, HeaderSource, HeaderType, HeaderTime, HeaderSubject, HeaderContentType, HeaderSigner, HeaderSignature:
		return true
	}
	return chunkOnly(name)
}

func checkSignature(addr Address, signer, signature string, form []byte) *Reject {
	if !nkeys.IsValidPublicUserKey(signer) {
		return addr.reject(BadSignature, HeaderSigner+": want the public nkey of a NATS user")
	}
	public, err := nkeys.FromPublicKey(signer)
	if err != nil {
		return addr.reject(BadSignature, HeaderSigner+": want the public nkey of a NATS user")
	}
	raw, err := base64.RawURLEncoding.Strict().DecodeString(signature)
	if err != nil || len(raw) != ed25519.SignatureSize {
		return addr.reject(BadSignature, HeaderSignature+": want 64 bytes in URL-safe base64")
	}
	if public.Verify(form, raw) != nil {
		return addr.reject(BadSignature, HeaderSignature+": want the signer's, over this message")
	}
	return nil
}

// readChunk reads the headers of a chunk: all but its keys.
func readChunk(addr Address, header map[string][]string) (*Chunk, *Reject) {
	number := func(name string, bits int) (uint64, *Reject) {
		s := first(header, name)
		n, err := strconv.ParseUint(s, 10, bits)
		if err != nil || strconv.FormatUint(n, 10) != s {
			return 0, addr.reject(BadHeader, name+": want a number of at most "+strconv.Itoa(bits)+" bits")
		}
		return n, nil
	}
	set, reject := number(HeaderSet, 16)
	if reject != nil {
		return nil, reject
	}
	index, reject := number(HeaderChunk, 32)
	if reject != nil {
		return nil, reject
	}
	sequence, reject := number(HeaderSequence, 64)
	if reject != nil {
		return nil, reject
	}
	return &Chunk{
		Movement: first(header, HeaderMovement), Set: uint16(set), Index: uint32(index),
		IDSpace: schema.IDSpace(first(header, HeaderIDSpace)), KeyID: schema.KeyID(first(header, HeaderKeyID)), Role: schema.SetRole(first(header, HeaderRole)),
		Producer: schema.Producer{
			Org: addr.Org, Sidecar: addr.Sidecar, Instance: first(header, HeaderInstance),
			Sequence: sequence, Previous: first(header, HeaderPrevious), Version: first(header, HeaderVersion),
		},
	}, nil
}
