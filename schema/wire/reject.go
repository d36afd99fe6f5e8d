package wire

// A Code says why a message was rejected. The list is closed: a code is a subject token
// (rolltrace.v1.rejected.<code>) and a label of a metric.
type Code string

// The codes of Decode.
const (
	// BadSubject: the subject is none that a message of the log can have.
	BadSubject Code = "bad-subject"
	// FutureVersion: a later version of Rolltrace wrote it. It is parked: replay it after an upgrade.
	FutureVersion Code = "future-version"
	// Oversize: the body is larger than MaxBody, or the headers than MaxHeader.
	Oversize Code = "oversize"
	// BadHeader: a header is missing, doubled, malformed, in upper case, or disagrees with another one or
	// with the body.
	BadHeader Code = "bad-header"
	// BadSignature: the signature is not the signer's over this subject, these headers and this body.
	BadSignature Code = "bad-signature"
	// BadBody: the body is not one JSON object of the type's form, or says one thing twice; or is not
	// 1 to 65,536 whole keys.
	BadBody Code = "bad-body"
	// SubjectMismatch: the body, or ce-source, names another organisation or sidecar than the subject.
	SubjectMismatch Code = "subject-mismatch"
	// Invalid: well formed, but beyond a limit of the schema. The reason has every fault, without values.
	Invalid Code = "invalid"
)

// Codes are all codes of Decode.
var Codes = []Code{BadSubject, FutureVersion, Oversize, BadHeader, BadSignature, BadBody, SubjectMismatch, Invalid}

// A Reject is why Decode refused a message: for the rejected stream. It is permanent: the same message is
// refused in the same way every time, by this version.
type Reject struct {
	Code   Code
	Reason string // one line of at most MaxReason bytes; never a value of the message
	Parked bool   // a later version may accept it; only with FutureVersion

	// Org and Sidecar are the publisher as the subject names it; empty if the subject could not be read.
	Org, Sidecar string
}

// MaxReason bounds a reason, in bytes.
const MaxReason = 1024

func (r *Reject) Error() string { return string(r.Code) + ": " + r.Reason }

func (a Address) reject(code Code, reason string) *Reject {
	if len(reason) > MaxReason {
		reason = reason[:MaxReason-len("…")] + "…"
	}
	return &Reject{Code: code, Reason: reason, Parked: code == FutureVersion, Org: a.Org, Sidecar: a.Sidecar}
}
