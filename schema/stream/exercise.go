package stream

import (
	"fmt"
	"strings"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/rolltrace/rolltrace/schema"
	"github.com/rolltrace/rolltrace/schema/wire"
)

// An Exercise is the name of an exercise, whose messages have subjects, and streams, of their own; "" is the real log. In
// its streams messages stand under the subjects that they would have in the real log, so that everything that reads
// one reads the other.
type Exercise string

// exercisePrefix begins the subjects of exercises, before their names.
const exercisePrefix = "rolltrace.exercise.v1."

// Valid says whether a name is one: as that of a sidecar.
func (e Exercise) Valid() bool { return schema.ValidSidecar(string(e)) }

// Prefix begins the subjects to which messages of the exercise are published: "rolltrace.exercise.v1.<name>.", and of the
// real log wire.Prefix.
func (e Exercise) Prefix() string {
	if e == "" {
		return wire.Prefix
	}
	return exercisePrefix + string(e) + "."
}

// Subject is where a message is published whose subject in the log is the one given.
func (e Exercise) Subject(inLog string) string {
	if e == "" {
		return inLog
	}
	return e.Prefix() + strings.TrimPrefix(inLog, wire.Prefix)
}

// Log is the name of the stream of messages.
func (e Exercise) Log() string { return e.stream(Name) }

// Rejected is the stream of what the consumer rejected from the log.
func (e Exercise) Rejected() string { return e.stream(RejectedName) }

// Alert is the stream of alerts; of an exercise, of what its players reported.
func (e Exercise) Alert() string { return e.stream(AlertName) }

func (e Exercise) stream(name string) string {
	if e == "" {
		return name
	}
	return strings.Replace(name, Name, Name+"_EXERCISE_"+strings.ToUpper(string(e)), 1)
}

// of makes the settings of a real stream those of the exercise's.
func (e Exercise) of(cfg jetstream.StreamConfig) jetstream.StreamConfig {
	if e == "" {
		return cfg
	}
	cfg.Name = e.stream(cfg.Name)
	cfg.Description += fmt.Sprintf(" (of the exercise %s: none of it is real)", e)
	for i, subject := range cfg.Subjects {
		_, rest, _ := strings.Cut(strings.TrimPrefix(subject, "rolltrace."), ".") // without "*", or "v1"
		cfg.Subjects[i] = e.Prefix() + rest
	}
	cfg.SubjectTransform = &jetstream.SubjectTransformConfig{Source: e.Prefix() + ">", Destination: wire.Prefix + ">"}
	return cfg
}

// ExercisePermissions are what the players and the director of exercises need at the hub to publish, in any exercise.
// No sidecar's user has them, and they reach nothing that is real but how much there is in the streams.
func ExercisePermissions() Permissions {
	return Permissions{Publish: []string{exercisePrefix + ">", "$JS.API.STREAM.INFO.*"}, Subscribe: []string{"_INBOX.>", "_INBOX_*.>"}}
}
