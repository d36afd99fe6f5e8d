package stream

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/rolltrace/rolltrace/schema/wire"
)

// Names of the streams at the hub.
const (
	Name         = "ROLLTRACE"          // the log
	RejectedName = "ROLLTRACE_REJECTED" // what the consumer rejected from it
	AlertName    = "ROLLTRACE_ALERT"
)

// IDKey is the key of the log's identity in the metadata of its stream.
const IDKey = "rolltrace.id"

// DefaultDuplicates is the duplicate window of streams that Ensure makes.
const DefaultDuplicates = 2 * time.Minute

// ErrNoLog: there is no stream ROLLTRACE at the server.
var ErrNoLog = errors.New("no stream " + Name)

// ErrRefused: a stream, or the server, is set up in a way that breaks the promise of this package. Only an
// operator can change that; trying again does not.
var ErrRefused = errors.New("refused")

// Options are for streams that do not exist yet; what exists is not changed by them.
type Options struct {
	// Exercise makes the streams of an exercise instead of the real ones. Defaults to the real ones.
	Exercise Exercise
	// Metadata is added to what the log of an exercise has. Defaults to none.
	Metadata map[string]string
	// Replicas of each stream, in a cluster: 1, 3 or 5. Defaults to 1.
	Replicas int
	// MaxBytes is how large the log may become, in bytes. A full log refuses messages, which wait in the
	// sidecars. 0 means no limit but the server's. Defaults to 0.
	MaxBytes int64
	// Duplicates is for how long the server remembers message ids, to refuse what a sidecar sends again
	// because it did not see the acknowledgement. It saves space and nothing else: the answers are the same
	// with and without it. The server keeps each id of the window in memory. Defaults to
	// DefaultDuplicates; the least that a server takes is 100 ms.
	Duplicates time.Duration
}

// A Log is the log at a hub, and the streams beside it.
type Log struct {
	ID       string // its identity: a UUID
	Stream   jetstream.Stream
	Rejected jetstream.Stream
	Alert    jetstream.Stream
}

// Ensure makes the streams that are missing and checks those that are there. It is safe to call at any
// time and any number of times at once: all calls return the same identity, and those after the first
// change nothing. The error is one line that names the stream and the setting.
func Ensure(ctx context.Context, js jetstream.JetStream, opt Options) (Log, error) {
	if err := opt.check(); err != nil {
		return Log{}, err
	}
	return find(ctx, js, opt.Exercise, func(cfg jetstream.StreamConfig) (jetstream.Stream, error) {
		if cfg.Name == opt.Exercise.Log() {
			cfg.Metadata = map[string]string{IDKey: uuid.NewString()}
			maps.Copy(cfg.Metadata, opt.Metadata)
			cfg.MaxBytes = opt.MaxBytes
		}
		cfg.Replicas, cfg.Duplicates = opt.Replicas, opt.Duplicates
		s, err := js.CreateStream(ctx, cfg)
		if errors.Is(err, jetstream.ErrStreamNameAlreadyInUse) {
			return js.Stream(ctx, cfg.Name) // somebody made it meanwhile: theirs is the identity
		}
		return s, err
	})
}

// Open checks the streams, and makes none: the error is ErrNoLog if the log is not there.
func Open(ctx context.Context, js jetstream.JetStream) (Log, error) { return OpenExercise(ctx, js, "") }

// OpenExercise is Open for the streams of an exercise.
func OpenExercise(ctx context.Context, js jetstream.JetStream, exercise Exercise) (Log, error) {
	return find(ctx, js, exercise, func(cfg jetstream.StreamConfig) (jetstream.Stream, error) {
		if cfg.Name == exercise.Log() {
			return nil, ErrNoLog
		}
		return nil, jetstream.ErrStreamNotFound
	})
}

func (opt *Options) check() error {
	switch opt.Replicas {
	case 0:
		opt.Replicas = 1
	case 1, 3, 5:
	default:
		return fmt.Errorf("streams: replicas %d: want 1, 3 or 5", opt.Replicas)
	}
	if opt.MaxBytes < 0 {
		return fmt.Errorf("streams: max bytes %d: want 0 or more", opt.MaxBytes)
	}
	if opt.MaxBytes == 0 {
		opt.MaxBytes = -1
	}
	if opt.Duplicates == 0 {
		opt.Duplicates = DefaultDuplicates
	}
	if opt.Duplicates < 100*time.Millisecond {
		return fmt.Errorf("streams: duplicate window %s: want 100ms or more", opt.Duplicates)
	}
	return nil
}

func find(ctx context.Context, js jetstream.JetStream, exercise Exercise, missing func(jetstream.StreamConfig) (jetstream.Stream, error)) (Log, error) {
	if have := js.Conn().MaxPayload(); have < wire.MaxMessage {
		return Log{}, fmt.Errorf("server: %w: max_payload is %d: want %d or more", ErrRefused, have, wire.MaxMessage)
	}
	var log Log
	for _, one := range []struct {
		cfg  jetstream.StreamConfig
		into *jetstream.Stream
	}{{exercise.of(logConfig()), &log.Stream}, {exercise.of(rejectedConfig()), &log.Rejected}, {exercise.of(alertConfig()), &log.Alert}} {
		s, err := js.Stream(ctx, one.cfg.Name)
		if errors.Is(err, jetstream.ErrStreamNotFound) {
			s, err = missing(one.cfg)
		}
		if err != nil {
			return Log{}, fmt.Errorf("stream %s: %w", one.cfg.Name, explain(err))
		}
		if err := check(s.CachedInfo().Config, one.cfg); err != nil {
			return Log{}, fmt.Errorf("stream %s: %w: %w", one.cfg.Name, ErrRefused, err)
		}
		*one.into = s
	}
	log.ID = log.Stream.CachedInfo().Config.Metadata[IDKey]
	return log, nil
}

// explain says what to do about errors that a user can meet.
func explain(err error) error {
	switch {
	case errors.Is(err, nats.ErrNoResponders), errors.Is(err, jetstream.ErrJetStreamNotEnabled), errors.Is(err, jetstream.ErrJetStreamNotEnabledForAccount):
		return fmt.Errorf("%w: is JetStream enabled? Enable it in the server's configuration (jetstream { store_dir: …, sync_interval: always })", err)
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("%w: is this user allowed to use $JS.API.>?", err)
	}
	return err
}

// From is the consumer that reads the log in order from the sequence on (1 is the first message). It keeps
// no state at the server: whoever reads keeps the position.
func From(sequence uint64) jetstream.OrderedConsumerConfig {
	return jetstream.OrderedConsumerConfig{
		DeliverPolicy: jetstream.DeliverByStartSequencePolicy,
		OptStartSeq:   max(sequence, 1),
		ReplayPolicy:  jetstream.ReplayInstantPolicy,
	}
}

// Extend adds the subjects that the log of an earlier version does not have yet. It is for who owns the server: nothing else
// of the stream is changed, and where there is no log nothing is.
func Extend(ctx context.Context, js jetstream.JetStream) error {
	s, err := js.Stream(ctx, Name)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("stream %s: %w", Name, explain(err))
	}
	cfg := s.CachedInfo().Config
	if covers(cfg.Subjects, Subjects()) {
		return nil
	}
	for _, subject := range Subjects() {
		if !slices.Contains(cfg.Subjects, subject) {
			cfg.Subjects = append(cfg.Subjects, subject)
		}
	}
	if _, err := js.UpdateStream(ctx, cfg); err != nil {
		return fmt.Errorf("stream %s: add subjects: %w", Name, explain(err))
	}
	return nil
}
