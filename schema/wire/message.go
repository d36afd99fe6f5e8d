package wire

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strconv"
	"strings"
)

// Limits of a message, in bytes. A chunk of schema.MaxChunkKeys keys is exactly MaxBody.
const (
	MaxBody    = 512 << 10
	MaxHeader  = 8 << 10 // all signed headers together, names and values
	MaxHeaders = 64      // how many signed headers
	maxSubject = 256

	// MaxMessage is what a server and a stream must accept: a full chunk with every header, those of NATS
	// included.
	MaxMessage = MaxBody + 2*MaxHeader
)

// A Message is exactly what travels. It converts to a nats.Msg field by field.
type Message struct {
	Subject string
	Header  map[string][]string
	Body    []byte
}

// Headers of a message. All of them are in lower case, have one value, and, save Nats-Msg-Id and the
// signature itself, are signed, as is every other header that begins with ce- or rolltrace-.
const (
	HeaderSpecVersion = "ce-specversion" // 1.0
	HeaderID          = "ce-id"          // <instance>/<sequence>
	HeaderSource      = "ce-source"      // /<org>/<sidecar>
	HeaderType        = "ce-type"        // rolltrace.v1.movement, …electors, …heartbeat, …gap
	HeaderTime        = "ce-time"        // movement: occurred_at; heartbeat, registry, ruling: at; gap: to; a chunk has none
	HeaderSubject     = "ce-subject"     // the movement's id, a ruling's finding; a heartbeat, a gap and a registry have none
	HeaderContentType = "content-type"   // application/json; a chunk: application/octet-stream

	HeaderSigner    = "rolltrace-signer"    // the sidecar's public nkey (U…)
	HeaderSignature = "rolltrace-signature" // Ed25519 over the signed form: URL-safe base64 without padding

	// Only on a chunk, whose body has no room for them.
	HeaderMovement = "rolltrace-movement"
	HeaderSet      = "rolltrace-set"
	HeaderChunk    = "rolltrace-chunk"
	HeaderIDSpace  = "rolltrace-id-space"
	HeaderKeyID    = "rolltrace-key-id"
	HeaderRole     = "rolltrace-role" // what the keys are; none for electors
	HeaderInstance = "rolltrace-instance"
	HeaderSequence = "rolltrace-sequence"
	HeaderPrevious = "rolltrace-previous" // none if there is no previous message, or it is not known
	HeaderVersion  = "rolltrace-version"  // of the software; none if it is not known

	// HeaderMessageID is JetStream's own, an optimisation and not signed. It may be left out (a replay
	// leaves it out); if it is there it is Record.MessageID.
	HeaderMessageID = "Nats-Msg-Id"
)

const (
	specVersion     = "1.0"
	contentJSON     = "application/json"
	contentKeys     = "application/octet-stream"
	natsHeaderBytes = 16 // what NATS adds to each header and to the block, generously
)

// Hash is the SHA-256 of the signed form of the message (its subject, signed headers and body, without the
// signature): what the next message of the instance names as previous.
func (m Message) Hash() [32]byte {
	return sha256.Sum256(signedForm(m.Subject, m.Header, signedNames(m.Header), sha256.Sum256(m.Body)))
}

// MessageID is the value of Nats-Msg-Id, or "".
func (m Message) MessageID() string { return first(m.Header, HeaderMessageID) }

// Position is what the headers say of a message's place in its instance, whatever its type: for whoever
// looks for holes without decoding. Nothing is verified. ok is false if they do not say.
func (m Message) Position() (instance string, sequence uint64, ok bool) {
	instance, digits, ok := strings.Cut(first(m.Header, HeaderID), "/")
	sequence, err := strconv.ParseUint(digits, 10, 64)
	return instance, sequence, ok && err == nil
}

// Size is about what the message takes on the wire and in a stream, in bytes.
func (m Message) Size() int {
	size := len(m.Subject) + len(m.Body) + natsHeaderBytes
	for name, values := range m.Header {
		for _, v := range values {
			size += len(name) + len(v) + natsHeaderBytes
		}
	}
	return size
}

// domain begins the signed form. Its first byte can be in no text: a NATS server makes its clients sign a
// nonce with the same nkey, and must not be able to have a message signed in that way. nats.go reads the
// nonce from JSON, where no such byte survives.
const domain = "\xffrolltrace.v1 message\n"

// signedForm is what is signed and hashed: the domain line, the subject, each signed header as
// "name:value" in byte order of the names, an empty line, and the SHA-256 of the body in hex; every line
// ends in a line feed. Names and values hold no control characters, so the form is unambiguous.
func signedForm(subject string, header map[string][]string, names []string, bodyHash [32]byte) []byte {
	size := len(domain) + len(subject) + 2 + 2*len(bodyHash) + 1
	for _, name := range names {
		size += len(name) + 1 + len(first(header, name)) + 1
	}
	form := make([]byte, 0, size)
	form = append(form, domain...)
	form = append(form, subject...)
	form = append(form, '\n')
	for _, name := range names {
		form = append(form, name...)
		form = append(form, ':')
		form = append(form, first(header, name)...)
		form = append(form, '\n')
	}
	form = append(form, '\n')
	form = hex.AppendEncode(form, bodyHash[:])
	return append(form, '\n')
}

// signedNames are the names of the headers that a signature covers, in byte order.
func signedNames(header map[string][]string) []string {
	names := make([]string, 0, len(header))
	for name := range header {
		if covered(name) && name != HeaderSignature {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// covered says whether a header is Rolltrace's or CloudEvents', in whatever case it is written: Decode
// refuses the other cases, so that no reader that ignores case sees another message.
func covered(name string) bool {
	return hasPrefixFold(name, "ce-") || hasPrefixFold(name, "rolltrace-") || strings.EqualFold(name, HeaderContentType)
}

func hasPrefixFold(s, prefix string) bool {
	return len(s) >= len(prefix) && strings.EqualFold(s[:len(prefix)], prefix)
}

func first(header map[string][]string, name string) string {
	if values := header[name]; len(values) > 0 {
		return values[0]
	}
	return ""
}
