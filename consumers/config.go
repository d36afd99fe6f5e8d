package consumers

import (
	"cmp"
	"errors"
	"fmt"
	"runtime"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/rs/zerolog"

	"github.com/rolltrace/rolltrace/schema/graph"
	"github.com/rolltrace/rolltrace/schema/stream"
)

// Config is what a Consumer is made of.
type Config struct {
	// JetStream is the hub. Its connection should reconnect for ever. Required.
	JetStream jetstream.JetStream
	// Streams are the settings of streams that do not exist yet. They are only made while the graph has no
	// position: a log that is gone is not silently replaced by an empty one.
	Streams stream.Options
	// Reader and Writer are the graph. Required.
	Reader *graph.Reader
	Writer *graph.Writer
	// Numbering gives the numbers. Nobody else may use it. Required.
	Numbering Numbering
	// Rejects takes what is rejected. Required.
	Rejects Rejects

	// IntakeBytes bounds the messages that are read and not yet part of a batch, in bytes. Reading stops there
	// and goes on as they are taken. Defaults to 8 MiB.
	IntakeBytes int
	// BatchBytes is how large a batch becomes, in bytes of memory, before it has to be written: two of them exist at
	// most, one being written while the next one is filled. A full one waits, and the intake with it. Defaults to
	// 12 MiB, which is half a million new electors.
	BatchBytes int
	// Linger is how long a batch that is not full waits for more before it is written, at least; it waits for twice as
	// long as the last write took, up to half a second. Defaults to 20ms.
	Linger time.Duration
	// Decoders is how many goroutines check signatures and bodies. Defaults to the processors, at most 4.
	Decoders int
	// StopTimeout bounds the last write after Run's context has ended. Defaults to 30s.
	StopTimeout time.Duration
	// AcceptLost lets the consumer go on where messages up to this stream sequence are missing from the log. It is
	// for an operator who has read the error that says so; the holes stay visible in the answers. Defaults to 0: none.
	AcceptLost uint64

	// Signers are, for a sidecar that is named, the public nkeys (U…) that may sign its messages: several while a key is
	// changed, and afterwards, because the log keeps what the old one signed. A message that somebody else signed is
	// rejected as UnknownSigner. Defaults to none.
	Signers map[Sidecar][]string
	// Trust says whom to take for sidecars that Signers does not name. Defaults to TrustAny.
	Trust Trust

	// Clock is what the position's written_at and the lag are read from; no row of data is. Defaults to time.Now.
	Clock func() time.Time
	// Metrics counts what happens. Defaults to metrics that nobody sees.
	Metrics *Metrics
	// Log gets starts and stops, faults that last (sampled), and, as debug, every write.
	Log zerolog.Logger
}

func (c *Config) complete() error {
	switch {
	case c.JetStream == nil:
		return errors.New("consumer: want a JetStream")
	case c.Reader == nil || c.Writer == nil:
		return errors.New("consumer: want a graph to read from and to write to")
	case c.Numbering == nil:
		return errors.New("consumer: want a numbering")
	case c.Rejects == nil:
		return errors.New("consumer: want somewhere for what is rejected")
	}
	c.Trust = cmp.Or(c.Trust, TrustAny)
	if err := new(Trust).UnmarshalText([]byte(c.Trust)); err != nil {
		return fmt.Errorf("consumer: trust: %w", err)
	}
	if err := CheckSigners(c.Signers); err != nil {
		return fmt.Errorf("consumer: %w", err)
	}
	c.IntakeBytes = cmp.Or(c.IntakeBytes, 8<<20)
	c.BatchBytes = cmp.Or(c.BatchBytes, 12<<20)
	c.Linger = cmp.Or(c.Linger, 20*time.Millisecond)
	c.Decoders = cmp.Or(c.Decoders, min(runtime.GOMAXPROCS(0), 4))
	c.StopTimeout = cmp.Or(c.StopTimeout, 30*time.Second)
	if c.Clock == nil {
		c.Clock = time.Now
	}
	if c.Metrics == nil {
		c.Metrics = NewMetrics(nil)
	}
	return nil
}
