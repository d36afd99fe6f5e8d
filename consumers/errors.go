package consumers

import (
	"errors"
	"fmt"

	"github.com/rolltrace/rolltrace/schema/graph"
	"github.com/rolltrace/rolltrace/schema/stream"
)

// Why a log is not read on: it is not what the position in the graph was stored for. Trying again does not help.
var (
	// ErrLogGone: there is no stream any more.
	ErrLogGone = errors.New("the log is gone")
	// ErrOtherLog: the graph was made from another log.
	ErrOtherLog = errors.New("this is another log")
	// ErrLogBehind: the log ends before the position.
	ErrLogBehind = errors.New("the log is behind the graph")
	// ErrLogRewritten: the message at the position is not the one that was read there.
	ErrLogRewritten = errors.New("the log was written anew")
	// ErrLogLost: messages after the position are missing.
	ErrLogLost = errors.New("the log has lost messages")
)

// wayOut is the same for every log that does not fit.
const wayOut = "restore the stream from its backup, or point the consumer at an empty database: it will read the whole log again"

func logGone(id string) error {
	return fmt.Errorf("%w: stream %s is not at this hub, and the graph was made from log %s: check the hub's address; if the stream was deleted, %s", ErrLogGone, stream.Name, id, wayOut)
}

func otherLog(have, want string) error {
	return fmt.Errorf("%w: stream %s is log %s, and the graph was made from log %s: check the addresses of hub and database; if the stream was replaced, %s", ErrOtherLog, stream.Name, have, want, wayOut)
}

func logBehind(last, position uint64) error {
	return fmt.Errorf("%w: stream %s ends at message %d, and the graph was made from messages up to %d: %s", ErrLogBehind, stream.Name, last, position, wayOut)
}

func logRewritten(position uint64) error {
	return fmt.Errorf("%w: message %d of stream %s is not the one that the graph was made from, so the stream was cut and went on: %s", ErrLogRewritten, position, stream.Name, wayOut)
}

func logLost(from, to uint64) error {
	return fmt.Errorf("%w: messages %d to %d of stream %s are not there, and the graph does not have them: restore the stream from its backup, or go on without them: start the consumer once with --accept-lost %d, and the answers will show the holes", ErrLogLost, from, to, stream.Name, to)
}

// IsPermanent says whether trying again cannot help: the consumer stops.
func IsPermanent(err error) bool {
	for _, fault := range []error{ErrLogGone, ErrOtherLog, ErrLogBehind, ErrLogRewritten, ErrLogLost, stream.ErrRefused} {
		if errors.Is(err, fault) {
			return true
		}
	}
	return graph.IsPermanent(err)
}
