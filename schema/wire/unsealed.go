package wire

import (
	"errors"
	"strconv"

	"github.com/rolltrace/rolltrace/schema"
)

// headerDraft says what an unsealed message is. No sealed message has it.
const headerDraft = "draft"

// Unsealed is a draft as bytes, for the way from a recorder to the outbox of another process on the same
// machine, which seals it. It is no message of the log: it has no subject, no chain and no signature, and
// whoever reads it must trust its sender by other means. The error is schema.Faults if the draft is not
// valid.
func (d Draft) Unsealed() (Message, error) {
	if err := d.Validate(); err != nil {
		return Message{}, err
	}
	t := d.content()
	m := Message{Header: map[string][]string{headerDraft: {string(t)}}}
	set := func(name, value string) {
		if value != "" {
			m.Header[name] = []string{value}
		}
	}
	var err error
	switch {
	case d.Movement != nil:
		m.Body, err = marshalMovement(*d.Movement)
	case d.Chunk != nil:
		setChunkHeaders(set, d.Chunk, schema.Producer{})
		m.Body = d.Chunk.Body()
	case d.Heartbeat != nil:
		heartbeat := *d.Heartbeat
		heartbeat.Places = orEmpty(heartbeat.Places)
		m.Body, err = marshal(heartbeat)
	case d.Gap != nil:
		m.Body, err = marshal(*d.Gap)
	}
	return m, err
}

// ParseUnsealed reads what Unsealed wrote, and validates it. It keeps no reference to body. Its errors
// hold no values.
func ParseUnsealed(header map[string][]string, body []byte) (Draft, error) {
	var d Draft
	var err error
	if len(body) > MaxBody {
		return d, errors.New("draft: want at most " + strconv.Itoa(MaxBody) + " bytes")
	}
	switch Type(first(header, headerDraft)) {
	case TypeMovement:
		d.Movement = new(schema.Movement)
		err = unmarshal(body, d.Movement, movementShape)
	case TypeElectors:
		var reject *Reject
		if d.Chunk, reject = readChunk(Address{}, header); reject != nil {
			return Draft{}, errors.New("draft: " + reject.Reason)
		}
		d.Chunk.Keys, err = ParseKeys(nil, body)
	case TypeHeartbeat:
		d.Heartbeat = new(Heartbeat)
		err = unmarshal(body, d.Heartbeat, heartbeatShape)
	case TypeGap:
		d.Gap = new(Gap)
		err = unmarshal(body, d.Gap, gapShape)
	default:
		err = errors.New("want a movement, electors, a heartbeat or a gap")
	}
	if err != nil {
		return Draft{}, errors.New("draft: " + err.Error())
	}
	if err := d.Validate(); err != nil {
		var faults schema.Faults
		if errors.As(err, &faults) {
			return Draft{}, errors.New("draft: " + faults.Redacted())
		}
		return Draft{}, err
	}
	if d.Chunk != nil {
		d.Chunk.Producer = schema.Producer{}
	}
	return d, nil
}
