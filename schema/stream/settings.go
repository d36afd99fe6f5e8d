package stream

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/rolltrace/rolltrace/schema/wire"
)

// Subjects are the subjects of the log: each type of message, in any version, so that a message of a
// version to come is stored and parked rather than turned away.
func Subjects() []string {
	var subjects []string
	for _, t := range []wire.Type{wire.TypeMovement, wire.TypeElectors, wire.TypeHeartbeat, wire.TypeGap, wire.TypeRegistry, wire.TypeRuling, wire.TypeLinks, wire.TypeQuestion} {
		subjects = append(subjects, "rolltrace.*."+string(t)+".>")
	}
	return subjects
}

// logConfig is the log. No message ever leaves it by itself or by request.
func logConfig() jetstream.StreamConfig {
	cfg := kept(Name, "Rolltrace: the log of movements", Subjects()...)
	cfg.DenyDelete, cfg.DenyPurge = true, true
	cfg.AllowAtomicPublish = true // sidecars publish small messages in groups, which are synced once
	return cfg
}

func rejectedConfig() jetstream.StreamConfig {
	return kept(RejectedName, "Rolltrace: messages that the consumer rejected, with the reason", wire.Prefix+string(wire.TypeRejected)+".>")
}

func alertConfig() jetstream.StreamConfig {
	return kept(AlertName, "Rolltrace: alerts", wire.Prefix+string(wire.TypeAlert)+".>")
}

// kept is a stream on disk that drops nothing by itself.
func kept(name, description string, subjects ...string) jetstream.StreamConfig {
	return jetstream.StreamConfig{
		Name: name, Description: description, Subjects: subjects,
		Retention: jetstream.LimitsPolicy, Storage: jetstream.FileStorage, Discard: jetstream.DiscardNew,
		MaxMsgs: -1, MaxBytes: -1, MaxMsgsPerSubject: -1, MaxMsgSize: -1, MaxConsumers: -1,
	}
}

// check refuses settings that break the promise of the package. Replicas, the limit in bytes and the
// duplicate window are the operator's to choose.
func check(have, want jetstream.StreamConfig) error {
	for _, s := range []struct {
		broken bool
		name   string
		have   any
		want   string
	}{
		{have.Storage != want.Storage, "storage", have.Storage, "file"},
		{have.Retention != want.Retention, "retention", have.Retention, "limits: messages stay after they were read"},
		{have.Discard != want.Discard, "discard", have.Discard, "new: a full stream refuses messages and drops none"},
		{have.MaxAge != 0, "max_age", have.MaxAge, "0: messages stay for ever"},
		{have.MaxMsgs > 0, "max_msgs", have.MaxMsgs, "no limit"},
		{have.MaxMsgsPerSubject > 0, "max_msgs_per_subject", have.MaxMsgsPerSubject, "no limit"},
		{have.MaxMsgSize > 0 && have.MaxMsgSize < wire.MaxMessage, "max_msg_size", have.MaxMsgSize, fmt.Sprintf("no limit, or %d or more", wire.MaxMessage)},
		{have.NoAck, "no_ack", have.NoAck, "false: sidecars wait for the acknowledgement"},
		{have.PersistMode != jetstream.DefaultPersistMode, "persist_mode", "async", "default: acknowledged is stored"},
		{have.AllowRollup, "allow_rollup_hdrs", true, "false: no publisher may remove messages"},
		{have.AllowMsgTTL, "allow_msg_ttl", true, "false: no publisher may let messages expire"},
		{(have.SubjectTransform == nil) != (want.SubjectTransform == nil) || have.SubjectTransform != nil && *have.SubjectTransform != *want.SubjectTransform, "subject_transform", "another", "none, and for an exercise its own: a message is stored under its subject in the log"},
		{have.Mirror != nil, "mirror", "set", "none: sidecars publish to it"},
		{have.Sealed, "sealed", true, "false"},
		{!covers(have.Subjects, want.Subjects), "subjects", strings.Join(have.Subjects, " "), strings.Join(want.Subjects, " ")},
	} {
		if s.broken {
			return fmt.Errorf("%s is %v: want %s; change it with nats stream edit, or move the stream away", s.name, s.have, s.want)
		}
	}
	if want.DenyPurge && have.Metadata[IDKey] == "" {
		return errors.New("it has no identity (metadata " + IDKey + "), so it was not made by Rolltrace: remove it if it is empty, or give it one")
	}
	return nil
}

func covers(have, want []string) bool {
	return !slices.ContainsFunc(want, func(s string) bool { return !slices.Contains(have, s) })
}
