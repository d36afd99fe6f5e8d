package stream

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nkeys"

	"github.com/rolltrace/rolltrace/schema"
	"github.com/rolltrace/rolltrace/schema/wire"
)

// An Operator publishes what the centre itself decides into its log: registries and rulings. Each type is a chain of its
// own, which every operator continues.
type Operator struct {
	JetStream jetstream.JetStream
	Signer    nkeys.KeyPair // of a NATS user, with its seed
	Version   string        // of the software: a label, or ""
}

// ErrMeanwhile: another operator has published since this one looked.
var ErrMeanwhile = errors.New("somebody else has published meanwhile: look again, then try again")

// Last is the last message of the type that the log has; ok is false when it has none, or none that this version
// understands. sequence is where it stands in the log; 0 when there is none at all.
func (o Operator) Last(ctx context.Context, t wire.Type) (last wire.Record, sequence uint64, ok bool, err error) {
	log, err := o.JetStream.Stream(ctx, Name)
	if err != nil {
		return last, 0, false, fmt.Errorf("look at the log: %w", explain(err))
	}
	raw, err := log.GetLastMsgForSubject(ctx, t.Subject(wire.OperatorOrg, wire.OperatorSidecar))
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return last, 0, false, nil
	}
	if err != nil {
		return last, 0, false, fmt.Errorf("look for the last %s in the log: %w", t, explain(err))
	}
	last, err = wire.Decode(raw.Subject, raw.Header, raw.Data)
	return last, raw.Sequence, err == nil, nil
}

// Publish appends to the chain of its type what make says, which is given a time that is later than the last message's. It returns when
// the log has it on disk, and the sequence there. Of two operators at once, one gets ErrMeanwhile. When after is not 0, it is
// the sequence that Last returned: what somebody has looked at since is ErrMeanwhile too.
func (o Operator) Publish(ctx context.Context, t wire.Type, after uint64, now time.Time, build func(at schema.Time) wire.Draft) (uint64, error) {
	last, sequence, ok, err := o.Last(ctx, t)
	if err != nil {
		return 0, err
	}
	if after != 0 && sequence != after {
		return 0, ErrMeanwhile
	}
	cfg := wire.ChainConfig{Signer: o.Signer, Org: wire.OperatorOrg, Sidecar: wire.OperatorSidecar, Instance: uuid.NewString(), Version: o.Version}
	at := schema.At(now)
	if ok {
		cfg.Instance, cfg.LastSequence, cfg.LastHash = last.Instance, last.Sequence, last.Hash
		if earliest := schema.At(decidedAt(last).Add(time.Microsecond)); at.Before(earliest.Time) {
			at = earliest
		}
	}
	chain, err := wire.NewChain(cfg)
	if err != nil {
		return 0, err
	}
	m, err := chain.Seal(build(at))
	if err != nil {
		return 0, err
	}
	ack, err := o.JetStream.PublishMsg(ctx, &nats.Msg{Subject: m.Subject, Header: m.Header, Data: m.Body},
		jetstream.WithExpectStream(Name), jetstream.WithExpectLastSequencePerSubject(sequence))
	var refused *jetstream.APIError
	if errors.As(err, &refused) && refused.ErrorCode == jetstream.JSErrCodeStreamWrongLastSequence {
		return 0, ErrMeanwhile
	}
	if err != nil {
		return 0, fmt.Errorf("publish to %s: %w: may this user publish there? (the operator's may)", m.Subject, explain(err))
	}
	return ack.Sequence, nil
}

func decidedAt(r wire.Record) schema.Time {
	if r.Registry != nil {
		return r.Registry.At
	}
	return r.Ruling.At
}
