package graph

import "github.com/rolltrace/rolltrace/schema"

// SmallSet is the number of electors in one (chunk, bucket) pair below which they are kept one by one, and not in
// a bitmap. Which form a pair takes is a function of the chunk alone, so that two consumers
// choose alike; readers unite both forms, so that the number may change.
const SmallSet = 32

// BucketBits says how many bits of an elector number are its place in its bucket: Bucket(n) = n >> 16.
const BucketBits = 16

// Bucket returns the bucket of an elector number.
func Bucket(number uint32) uint16 { return uint16(number >> BucketBits) }

// A Batch is what the messages of one stretch of the log add to the graph: the argument of Writer.Write.
// Rows may come in any order, and more than once.
type Batch struct {
	Spaces    []Space
	Electors  []Elector
	Movements []MovementNumber
	Revisions []Revision
	Chunks    []Chunk
	Runs      []Run
	Rows      []Row
	Seeds     []Seed
	Messages  []Message
	Beats     []Heartbeat
	Gaps      []Gap
	Rejected  []Rejected

	Registries []Registry
	Rulings    []Ruling

	// Position is stored last, after all of the above. A zero Position.Log stores none.
	Position Position
}

// A Position says how far a log has been read.
type Position struct {
	Log          string      // identity of the log: metadata rolltrace.id of the stream
	Sequence     uint64      // everything up to this stream sequence is in the tables
	LastSequence uint64      // the last one that the log had then
	WrittenAt    schema.Time // when, by the consumer's clock
}

// A Space numbers an id space under one secret.
type Space struct {
	Number        uint16
	IDSpace       schema.IDSpace
	KeyID         schema.KeyID
	FirstSequence uint64 // the log message in which it first appeared
}

// An Elector numbers an elector key. Numbers are below 2³² − 1.
type Elector struct {
	Number        uint32
	Space         uint16
	Key           schema.Key
	FirstSequence uint64 // the log message in which it first appeared
}

// A MovementNumber numbers a movement, at its first appearance: in a chunk, or as a movement.
type MovementNumber struct {
	Number        uint32
	Org           string
	Sidecar       string
	ID            string // UUID
	FirstSequence uint64
}

// A Revision is one revision of a movement, as it was received.
type Revision struct {
	Movement       uint32 // its number
	Record         *schema.Movement
	Body           []byte   // verbatim
	BodyHash       [32]byte // SHA-256 of Body
	MessageID      string
	StreamSequence uint64
	ReceivedAt     schema.Time
}

// A Chunk says that a chunk of keys was read; its electors are in Runs and Rows.
type Chunk struct {
	Movement       uint32
	Set            uint16
	Index          uint32
	Hash           [32]byte // SHA-256 of the body
	Space          uint16
	Keys           uint32 // in the chunk, repeated ones included
	StreamSequence uint64
	ReceivedAt     schema.Time
}

// A Run is electors of one listed movement in one bucket: numbers Starts[i] … Starts[i]+Lengths[i]-1. All
// are in Bucket. Runs may overlap, and one bucket may come in several Runs: sets are united.
type Run struct {
	Movement uint32
	Space    uint16
	Bucket   uint16
	Starts   []uint32
	Lengths  []uint32
}

// A Row is one elector of one listed movement, for (chunk, bucket) pairs smaller than SmallSet.
type Row struct {
	Movement uint32
	Space    uint16
	Number   uint32
}

// A Seed says that a movement calls an elector a seed, or says that it is none (schema.Seeds, schema.NoSeeds).
type Seed struct {
	Number   uint32
	Movement uint32
	Role     schema.SetRole
}

// A Message is one link of the chain of an outbox: every message that was understood has one.
type Message struct {
	Org, Sidecar, Instance string
	Sequence               uint64 // in its instance, from 1
	Type                   string // "movement", "electors", "heartbeat", "gap"
	Hash, Previous         [32]byte
	Signer                 string // public nkey
	MessageID              string
	StreamSequence         uint64
	ReceivedAt             schema.Time
}

// A Heartbeat is one sign of life of a sidecar.
type Heartbeat struct {
	Org, Sidecar, Instance string
	Sequence               uint64
	At                     schema.Time
	IntervalMS             uint64 // milliseconds until the next one is due
	Places                 []schema.Place
	Config                 string // digest
	LastSequence           uint64
	LastHash               [32]byte
	OutboxMessages         uint64
	OutboxBytes            uint64
	ClockOffsetUS          int64 // microseconds ahead of the hub's clock
	Version                string
	StreamSequence         uint64
	ReceivedAt             schema.Time
}

// A Gap is a stretch that a sidecar says it did not record, or a hole in an outbox.
type Gap struct {
	Org, Sidecar, Instance string
	Sequence               uint64
	Place                  schema.Place // "" when not known
	From, To               schema.Time  // zero when not known
	Records, Bytes         uint64       // 0 when not known
	Why                    string
	HoleInstance           string // the outbox with the hole, or ""
	FirstSequence          uint64 // first and last sequence lost; 0 when it is not about a hole
	LastSequence           uint64
	Version                string
	StreamSequence         uint64
	ReceivedAt             schema.Time
}

// A Rejected is a message that was not understood, without its contents.
type Rejected struct {
	StreamSequence uint64
	Subject        string
	Code           string
	Reason         string // redacted
	Parked         bool   // of a later version: can be replayed
	Org, Sidecar   string // as the subject names them; "" when it does not
	MessageID      string
	Bytes          uint64
	ReceivedAt     schema.Time
}
