package consumers

import (
	"context"
	"errors"

	"github.com/rolltrace/rolltrace/schema"
)

// A Numbering gives spaces, movements and electors their numbers, in the order in which it is asked:
// numbering.Numbering is the one. The consumer asks from one goroutine.
type Numbering interface {
	// Load forgets everything and reads back what the log had numbered up to the sequence.
	Load(ctx context.Context, upTo uint64) error
	// Space numbers an id space under one secret. ErrTooManySpaces is final for that chunk.
	Space(idSpace schema.IDSpace, keyID schema.KeyID) (number uint16, first bool, err error)
	// Movement numbers a movement.
	Movement(org, sidecar, id string) (number uint32, first bool, err error)
	// Electors numbers the keys of one chunk.
	Electors(space uint16, keys []schema.Key) (Numbered, error)
	// Known is how many elector keys have a number.
	Known() uint64
}

// Numbered is what a Numbering says of one chunk: Known and then First, First+1, … are the numbers of all of
// its keys, ascending, each once.
type Numbered struct {
	Known []uint32     // numbers of the keys that appeared before
	First uint32       // number of the first of New; the others follow without a hole
	New   []schema.Key // keys that had not appeared before, ascending
}

// ErrTooManySpaces says that all 65,536 numbers of id spaces are given.
var ErrTooManySpaces = errors.New("all 65,536 numbers of id spaces are given")
