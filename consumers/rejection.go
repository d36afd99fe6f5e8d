package consumers

import (
	"context"

	"github.com/rolltrace/rolltrace/schema"
	"github.com/rolltrace/rolltrace/schema/graph"
	"github.com/rolltrace/rolltrace/schema/wire"
)

// TooManySpaces is the code of chunks that need the 65,537th number of an id space. The other codes are
// UnknownSigner and those of decoding.
const TooManySpaces wire.Code = "too-many-spaces"

// Codes are all codes that a message can be rejected with.
func Codes() []wire.Code { return append([]wire.Code{TooManySpaces, UnknownSigner}, wire.Codes...) }

// A Rejection is a message of the log that was not understood, and why.
type Rejection struct {
	Log        string // identity of the log
	Sequence   uint64 // of the message in the log
	ReceivedAt schema.Time
	Message    wire.Message // as it came
	Code       wire.Code
	Reason     string // without any value of the message
	Parked     bool   // of a later version: to be replayed after an upgrade
	Org        string // as the subject names them; "" if it does not
	Sidecar    string
}

// Rejects keeps rejected messages: deadletter.Queue is one.
type Rejects interface {
	// Put returns when all of them are kept for good. Putting one again keeps it once. After an error any
	// part of them may have been kept.
	Put(ctx context.Context, rejections []Rejection) error
}

func (r *Rejection) row() graph.Rejected {
	return graph.Rejected{
		StreamSequence: r.Sequence, Subject: r.Message.Subject, Code: string(r.Code), Reason: r.Reason, Parked: r.Parked,
		Org: r.Org, Sidecar: r.Sidecar, MessageID: r.Message.MessageID(), Bytes: uint64(len(r.Message.Body)),
		ReceivedAt: r.ReceivedAt,
	}
}
