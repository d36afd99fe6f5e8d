package consumers

import (
	"context"
	"fmt"
	"slices"

	"github.com/nats-io/nkeys"

	"github.com/rolltrace/rolltrace/schema"
	"github.com/rolltrace/rolltrace/schema/wire"
)

// UnknownSigner is the code of messages that are whole, and signed by somebody who does not speak for their sidecar.
const UnknownSigner wire.Code = "unknown-signer"

// Trust says whose signature the messages of a sidecar have to carry where Config.Signers does not name the sidecar.
type Trust string

// Whom to trust. Each is a function of the log and the configuration alone, so that the graph can be made anew.
const (
	// TrustAny takes every signer: the hub's permissions alone keep sidecars apart. The default.
	TrustAny Trust = "any"
	// TrustFirst takes the signer of the sidecar's first message of the log that was not rejected, and nobody else, ever.
	TrustFirst Trust = "first"
	// TrustListed takes nobody who is not listed.
	TrustListed Trust = "listed"
)

// UnmarshalText reads one of the three, or nothing.
func (t *Trust) UnmarshalText(text []byte) error {
	switch *t = Trust(text); *t {
	case "", TrustAny, TrustFirst, TrustListed:
		return nil
	}
	return fmt.Errorf("%q: want any, first or listed", text)
}

// MarshalText is what UnmarshalText reads.
func (t Trust) MarshalText() ([]byte, error) { return []byte(t), nil }

// A Sidecar is who publishes, as subjects name it.
type Sidecar struct{ Org, Name string }

// CheckSigners says what is wrong with a list of signers, in one line.
func CheckSigners(listed map[Sidecar][]string) error {
	for sidecar, keys := range listed {
		if !schema.ValidOrg(sidecar.Org) || !schema.ValidSidecar(sidecar.Name) {
			return fmt.Errorf("signers: sidecar %q: want org/sidecar, each 1 to 63 of a-z 0-9 -", sidecar.Org+"/"+sidecar.Name)
		}
		if len(keys) == 0 {
			return fmt.Errorf("signers: %s/%s: want one public nkey at least", sidecar.Org, sidecar.Name)
		}
		for i, key := range keys {
			if !nkeys.IsValidPublicUserKey(key) { // which is not shown: it may be a seed
				return fmt.Errorf("signers: %s/%s: key %d: want the public nkey of a user (it begins with U)", sidecar.Org, sidecar.Name, i+1)
			}
		}
	}
	return nil
}

// trusted is who may speak for which sidecar.
type trusted struct {
	trust  Trust
	listed map[Sidecar][]string
	first  map[Sidecar]string // with TrustFirst
}

// load finds the first signers of what is in the graph.
func (t *trusted) load(ctx context.Context, c *Config, position uint64) error {
	*t = trusted{trust: c.Trust, listed: c.Signers, first: make(map[Sidecar]string)}
	if t.trust != TrustFirst || position == 0 {
		return nil
	}
	for s, err := range c.Reader.FirstSigners(ctx, position) {
		if err != nil {
			return err
		}
		t.first[Sidecar{s.Org, s.Sidecar}] = s.Signer
	}
	return nil
}

// refuse is why this signer does not speak for the sidecar, or nil.
func (t *trusted) refuse(r *wire.Record) *wire.Reject {
	s := Sidecar{r.Org, r.Sidecar}
	reject := func(want string) *wire.Reject {
		return &wire.Reject{Code: UnknownSigner, Reason: wire.HeaderSigner + ": want " + want, Org: r.Org, Sidecar: r.Sidecar}
	}
	if keys, ok := t.listed[s]; ok {
		if slices.Contains(keys, r.Signer) {
			return nil
		}
		return reject("one that the consumer's configuration lists for the sidecar; if its key was changed, list the new one beside the old, and replay")
	}
	switch t.trust {
	case TrustListed:
		return reject("a sidecar whose signers the consumer's configuration lists; list them, and replay")
	case TrustFirst:
		if first, ok := t.first[s]; ok && first != r.Signer {
			return reject("that of the sidecar's first message; if its key was changed, list both in the consumer's configuration, and replay")
		}
	}
	return nil
}

// saw notes that a message was taken.
func (t *trusted) saw(r *wire.Record) {
	if t.trust != TrustFirst {
		return
	}
	if s := (Sidecar{r.Org, r.Sidecar}); t.first[s] == "" {
		t.first[s] = r.Signer
	}
}
