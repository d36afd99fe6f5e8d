package outbox

import (
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nkeys"
	"github.com/rs/zerolog"
)

// OnFull says what happens to elector data when there is no room to record it.
type OnFull string

// What can happen.
const (
	// Block makes it wait, and refuses it with ErrFull after the time-out: fail closed. The default.
	Block OnFull = "block"
	// Pass lets it go unrecorded, and records how much went by, from when to when, as a gap.
	Pass OnFull = "pass"
)

// Limits and defaults of a Config, in bytes unless they say otherwise.
const (
	DefaultMaxBytes     = 4 << 30
	MinMaxBytes         = 1 << 20
	DefaultReserve      = 4 << 20
	MinReserve          = 256 << 10
	DefaultBlockTimeout = 30 * time.Second
	DefaultQueueBytes   = 16 << 20
	minQueueBytes       = 1 << 20
)

// Config is what an outbox needs.
type Config struct {
	// Dir is the folder of the outbox; it is made if it is not there. Required.
	Dir string
	// Org and Sidecar are the publisher of every message. Required.
	Org, Sidecar string
	// Signer is the sidecar's NATS nkey with its seed. Required.
	Signer nkeys.KeyPair
	// Version of the software, a label. Defaults to none.
	Version string

	// MaxBytes is how large the store may be. It counts what the hub has acknowledged until the segment
	// that it is in goes; see the package. Lowering it below what waits loses nothing: data is taken again when the hub has taken enough.
	// At least 1 MiB. Defaults to 4 GiB.
	MaxBytes int64
	// Reserve is the room beyond MaxBytes, and the size of the file on the disk, kept back for closings
	// and gaps (about 1.5 KiB each). At least 256 KiB. Defaults to 4 MiB.
	Reserve int64
	// OnFull says what happens to data when there is no room. Defaults to Block.
	OnFull OnFull
	// BlockTimeout is how long data, and with Pass a closing, waits for room or for a store in order.
	// Defaults to 30 s.
	BlockTimeout time.Duration
	// QueueBytes is how much may wait in memory for the disk; Append blocks when it is full. Defaults to
	// 16 MiB.
	QueueBytes int64

	// Waits is told why, when data has waited for a second for room or for a store in order (OnFull: Block), and
	// nil when it goes on. It must not block. Defaults to the log alone.
	Waits func(why error)
	// Log gets what an operator must know: faults, full, gaps, new instances; and at debug level what the
	// embedded server says. Defaults to none.
	Log zerolog.Logger
	// Metrics counts what the outbox does. Defaults to metrics that nobody reads.
	Metrics *Metrics
}

func (c Config) withDefaults() (Config, error) {
	if c.Dir == "" {
		return c, errors.New("outbox: dir: want a folder")
	}
	if c.MaxBytes == 0 {
		c.MaxBytes = DefaultMaxBytes
	}
	if c.MaxBytes < MinMaxBytes {
		return c, fmt.Errorf("outbox: max_bytes: %d: want at least %d", c.MaxBytes, MinMaxBytes)
	}
	if c.Reserve == 0 {
		c.Reserve = DefaultReserve
	}
	if c.Reserve < MinReserve {
		return c, fmt.Errorf("outbox: reserve: %d: want at least %d", c.Reserve, MinReserve)
	}
	switch c.OnFull {
	case "":
		c.OnFull = Block
	case Block, Pass:
	default:
		return c, fmt.Errorf("outbox: on_full: %q: want block or pass", c.OnFull)
	}
	if c.BlockTimeout == 0 {
		c.BlockTimeout = DefaultBlockTimeout
	}
	if c.BlockTimeout < 0 {
		return c, fmt.Errorf("outbox: block_timeout: %s: want more than 0", c.BlockTimeout)
	}
	if c.QueueBytes == 0 {
		c.QueueBytes = DefaultQueueBytes
	}
	if c.QueueBytes < minQueueBytes {
		return c, fmt.Errorf("outbox: queue bytes: %d: want at least %d", c.QueueBytes, minQueueBytes)
	}
	if c.Waits == nil {
		c.Waits = func(error) {}
	}
	if c.Metrics == nil {
		c.Metrics = NewMetrics(nil)
	}
	return c, nil
}
