package operator

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nkeys"

	"github.com/rolltrace/rolltrace/schema"
	"github.com/rolltrace/rolltrace/schema/registry"
	"github.com/rolltrace/rolltrace/schema/stream"
	"github.com/rolltrace/rolltrace/schema/wire"
)

// SeedFile is the file, in a centre's data folder, with the operator's nkey where the hub asks for none.
const SeedFile = "operator.seed"

// Signer reads the operator's nkey: the one that it logs in with, if there is one, or that of the data folder, which is
// made when it is missing.
func Signer(seedFile, data string) (nkeys.KeyPair, error) {
	made := seedFile == ""
	if made {
		seedFile = filepath.Join(data, SeedFile)
	}
	seed, err := os.ReadFile(seedFile)
	if made && errors.Is(err, fs.ErrNotExist) {
		seed, err = makeSeed(seedFile)
	}
	if err != nil {
		return nil, fmt.Errorf("read the operator's nkey: %w", err)
	}
	pair, err := nkeys.ParseDecoratedUserNKey(seed)
	if err != nil {
		pair, err = nkeys.FromSeed(bytes.TrimSpace(seed))
	}
	if err != nil {
		return nil, fmt.Errorf("read the operator's nkey: %s: want the seed of a NATS user (it begins with SU)", seedFile)
	}
	return pair, nil
}

func makeSeed(file string) ([]byte, error) {
	pair, err := nkeys.CreateUser()
	if err != nil {
		return nil, err
	}
	seed, err := pair.Seed()
	if err != nil {
		return nil, err
	}
	f, err := os.OpenFile(file, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	_, err = f.Write(append(bytes.Clone(seed), '\n'))
	return seed, errors.Join(err, f.Close())
}

// An Operator publishes into the log of a centre.
type Operator struct{ stream.Operator }

// New returns an operator that signs with signer.
func New(js jetstream.JetStream, signer nkeys.KeyPair, version string) Operator {
	return Operator{stream.Operator{JetStream: js, Signer: signer, Version: version}}
}

// Applied is the registry that was applied last.
type Applied struct {
	Registry  *registry.Registry // nil when there is none
	Version   uint64
	At        schema.Time
	ValidFrom schema.Time
	sequence  uint64
}

// Applied looks into the log.
func (o Operator) Applied(ctx context.Context) (Applied, error) {
	last, sequence, ok, err := o.Last(ctx, wire.TypeRegistry)
	if err != nil || !ok {
		return Applied{sequence: sequence}, err
	}
	a := Applied{Version: last.Sequence, At: last.Registry.At, ValidFrom: last.Registry.ValidFrom, sequence: sequence}
	if a.Registry, err = registry.Parse(last.Registry.Content); err != nil {
		return Applied{sequence: sequence}, nil // the consumer has rejected it
	}
	return a, nil
}

// A Change of the registry.
type Change struct {
	Changed   bool
	Changes   []registry.Change
	Version   uint64
	ValidFrom schema.Time
	Sequence  uint64 // of the log; 0 when nothing was published
}

// beginning is from when on the first registry counts unless another time is given.
var beginning = schema.At(time.Date(1900, 1, 1, 0, 0, 0, 0, time.UTC))

// Diff is what Apply would publish.
func (o Operator) Diff(ctx context.Context, r *registry.Registry) (Change, Applied, error) {
	before, err := o.Applied(ctx)
	if err != nil {
		return Change{}, before, err
	}
	changes := registry.Diff(before.Registry, r)
	return Change{Changed: len(changes) > 0, Changes: changes, Version: before.Version, ValidFrom: before.ValidFrom}, before, nil
}

// Apply publishes a registry that differs from the last one, or that is to count from another time on. from is when it begins to
// count: the zero Time is now, or, for the first one, ever.
func (o Operator) Apply(ctx context.Context, r *registry.Registry, from schema.Time, by, why string) (Change, error) {
	change, before, err := o.Diff(ctx, r)
	if err != nil {
		return change, err
	}
	if moved := !from.IsZero() && !from.Equal(before.ValidFrom.Time); !change.Changed && before.Registry != nil && !moved {
		return change, nil
	}
	content, err := r.Normal()
	if err != nil {
		return change, err
	}
	change.Changed, change.Version = true, before.Version+1
	change.Sequence, err = o.Publish(ctx, wire.TypeRegistry, before.sequence, time.Now(), func(at schema.Time) wire.Draft {
		change.ValidFrom = from
		switch {
		case from.IsZero() && before.Registry == nil:
			change.ValidFrom = beginning
		case from.IsZero():
			change.ValidFrom = at
		}
		return wire.Draft{Registry: &wire.Registry{At: at, ValidFrom: change.ValidFrom, By: by, Why: why, Content: content}}
	})
	return change, err
}

// Rule publishes what somebody decided about a finding.
func (o Operator) Rule(ctx context.Context, finding, ruling, by, why string) (uint64, error) {
	return o.Publish(ctx, wire.TypeRuling, 0, time.Now(), func(at schema.Time) wire.Draft {
		return wire.Draft{Ruling: &wire.Ruling{At: at, Finding: finding, What: ruling, By: by, Why: why}}
	})
}
