package deadletter

import (
	"strconv"
	"strings"

	"github.com/nats-io/nats.go"

	"github.com/rolltrace/rolltrace/consumers"
	"github.com/rolltrace/rolltrace/schema"
	"github.com/rolltrace/rolltrace/schema/wire"
)

// Headers of a rejected message, beside those that it came with. Of its own headers, those that would mean something
// to the hub (Nats-…), or look like one of these, are kept under keptPrefix.
const (
	prefix         = "rolltrace-rejected-"
	logHeader      = prefix + "log"      // identity of the log
	sequenceHeader = prefix + "sequence" // in the log
	subjectHeader  = prefix + "subject"  // in the log
	receivedHeader = prefix + "received-at"
	codeHeader     = prefix + "code"
	reasonHeader   = prefix + "reason"
	parkedHeader   = prefix + "parked"  // "true": of a later version
	orgHeader      = prefix + "org"     // as the subject names it; none if it does not
	sidecarHeader  = prefix + "sidecar" // likewise
	bytesHeader    = prefix + "bytes"   // of its body
	bodyHeader     = prefix + "body"    // only where the message is too large to be kept whole
	keptPrefix     = prefix + "kept-"
)

// What bodyHeader says.
const (
	bodyInLog    = "in the log"                       // the body is only there, under log and sequence
	messageInLog = "in the log, with the headers too" // headers, too
)

func attributes(r *consumers.Rejection) nats.Header {
	h := nats.Header{}
	set := func(name, value string) {
		if value != "" {
			h[name] = []string{value}
		}
	}
	set(nats.MsgIdHdr, "rejected/"+r.Log+"/"+strconv.FormatUint(r.Sequence, 10))
	set(logHeader, r.Log)
	set(sequenceHeader, strconv.FormatUint(r.Sequence, 10))
	set(subjectHeader, r.Message.Subject)
	set(receivedHeader, r.ReceivedAt.String())
	set(codeHeader, string(r.Code))
	set(reasonHeader, r.Reason)
	if r.Parked {
		set(parkedHeader, "true")
	}
	set(orgHeader, r.Org)
	set(sidecarHeader, r.Sidecar)
	set(bytesHeader, strconv.Itoa(len(r.Message.Body)))
	return h
}

func header(r *consumers.Rejection) nats.Header {
	h := attributes(r)
	for name, values := range r.Message.Header {
		if reserved(name) {
			name = keptPrefix + name
		}
		h[name] = values
	}
	return h
}

// reserved says whether the hub, or this package, would take the header as its own.
func reserved(name string) bool {
	name = strings.ToLower(name)
	return strings.HasPrefix(name, "nats-") || strings.HasPrefix(name, prefix)
}

// original is the headers that the message came with, without those that were meant for the hub: its message
// id would make the hub take a replay for the message that it has already.
func original(h nats.Header) map[string][]string {
	out := make(map[string][]string, len(h))
	for name, values := range h {
		if kept, ok := strings.CutPrefix(name, keptPrefix); ok {
			name = kept
			if strings.HasPrefix(strings.ToLower(name), "nats-") {
				continue
			}
		} else if reserved(name) {
			continue
		}
		out[name] = values
	}
	return out
}

// withoutHub is headers as the log has them, without those that are meant for the hub.
func withoutHub(h nats.Header) nats.Header {
	out := make(nats.Header, len(h))
	for name, values := range h {
		if !strings.HasPrefix(strings.ToLower(name), "nats-") {
			out[name] = values
		}
	}
	return out
}

// readEntry reads the attributes of a kept message.
func readEntry(h nats.Header) (*Entry, error) {
	get := func(name string) string {
		if values := h[name]; len(values) > 0 {
			return values[0]
		}
		return ""
	}
	e := &Entry{
		Log: get(logHeader), Subject: get(subjectHeader), Code: wire.Code(get(codeHeader)), Reason: get(reasonHeader),
		Parked: get(parkedHeader) == "true", Org: get(orgHeader), Sidecar: get(sidecarHeader), where: get(bodyHeader),
	}
	var err error
	if e.Sequence, err = strconv.ParseUint(get(sequenceHeader), 10, 64); err != nil || e.Subject == "" {
		return &Entry{Code: Foreign, Reason: "not a rejected message: somebody else has published into the stream"}, nil
	}
	e.Bytes, _ = strconv.ParseUint(get(bytesHeader), 10, 64)
	e.ReceivedAt, _ = schema.ParseTime(get(receivedHeader))
	return e, nil
}
