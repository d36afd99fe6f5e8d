package wire

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"

	"github.com/nats-io/nkeys"

	"github.com/rolltrace/rolltrace/schema"
)

// ChainConfig is what a Chain continues.
type ChainConfig struct {
	// Signer is the sidecar's NATS nkey, with its seed: a user's ("SU…").
	Signer nkeys.KeyPair
	// Org and Sidecar are the publisher, as in the subjects.
	Org, Sidecar string
	// Instance names the outbox: 1 to 64 letters, digits or -. An outbox whose messages may have been
	// lost without a trace needs a new one.
	Instance string
	// Version of the software: a label, or "".
	Version string
	// LastSequence and LastHash are the last message of the instance. Both are zero for a new instance;
	// a zero hash after a message that is not known any more leaves the next message's previous empty.
	LastSequence uint64
	LastHash     [32]byte
}

// A Chain seals the messages of one instance, one after another: each names the hash of the one before.
// It is not safe for concurrent use.
type Chain struct {
	private  ed25519.PrivateKey // an nkeys.KeyPair would derive it anew for each signature, which takes as long as signing
	public   string
	org      string
	sidecar  string
	instance string
	version  string
	sequence uint64
	hash     [32]byte
}

// NewChain checks the configuration and returns the chain. The error names the field at fault.
func NewChain(cfg ChainConfig) (*Chain, error) {
	if cfg.Signer == nil {
		return nil, errors.New("chain: want a signer")
	}
	public, err := cfg.Signer.PublicKey()
	if err != nil {
		return nil, fmt.Errorf("chain: read public key of signer: %w", err)
	}
	if !nkeys.IsValidPublicUserKey(public) {
		return nil, errors.New("chain: signer: want the nkey of a NATS user (its seed begins with SU)")
	}
	seed, err := cfg.Signer.Seed()
	if err != nil {
		return nil, fmt.Errorf("chain: read seed of signer: %w", err)
	}
	_, raw, err := nkeys.DecodeSeed(seed)
	if err != nil {
		return nil, fmt.Errorf("chain: read seed of signer: %w", err)
	}
	p := schema.Producer{Org: cfg.Org, Sidecar: cfg.Sidecar, Instance: cfg.Instance, Version: cfg.Version, Sequence: 1}
	if err := p.Validate(); err != nil {
		return nil, fmt.Errorf("chain: %w", err)
	}
	return &Chain{
		private: ed25519.NewKeyFromSeed(raw), public: public, org: cfg.Org, sidecar: cfg.Sidecar, instance: cfg.Instance,
		version: cfg.Version, sequence: cfg.LastSequence, hash: cfg.LastHash,
	}, nil
}

// Last is the sequence and the hash of the last message that was sealed.
func (c *Chain) Last() (sequence uint64, hash [32]byte) { return c.sequence, c.hash }

// Reset makes the chain continue after another message: after the last one that is known to be durable,
// when those sealed since then could not be stored.
func (c *Chain) Reset(sequence uint64, hash [32]byte) { c.sequence, c.hash = sequence, hash }

// Seal gives the draft its place in the chain and signs it. The error is schema.Faults if the draft is
// not valid; it shows values, for whoever wrote them. After an error the chain stands where it stood.
func (c *Chain) Seal(d Draft) (Message, error) {
	if err := d.Validate(); err != nil {
		return Message{}, err
	}
	producer := schema.Producer{
		Org: c.org, Sidecar: c.sidecar, Instance: c.instance, Sequence: c.sequence + 1,
		Previous: formatPrevious(c.hash), Version: c.version,
	}
	t := d.content()
	m := Message{Subject: t.Subject(c.org, c.sidecar), Header: make(map[string][]string, 20)}
	set := func(name, value string) {
		if value != "" {
			m.Header[name] = []string{value}
		}
	}
	set(HeaderSpecVersion, specVersion)
	set(HeaderID, cloudEventID(producer))
	set(HeaderSource, source(c.org, c.sidecar))
	set(HeaderType, t.CloudEvent())
	set(HeaderContentType, contentJSON)
	set(HeaderSigner, c.public)

	var bodyHash [32]byte
	var err error
	switch {
	case d.Movement != nil:
		movement := *d.Movement
		movement.Producer = producer
		set(HeaderTime, movement.OccurredAt.String())
		set(HeaderSubject, movement.ID)
		m.Body, err = marshalMovement(movement)
	case d.Chunk != nil:
		setChunkHeaders(set, d.Chunk, producer)
		m.Body, bodyHash = d.Chunk.Body(), d.Chunk.BodyHash()
	case d.Heartbeat != nil:
		heartbeat := *d.Heartbeat
		heartbeat.Producer = producer
		heartbeat.LastSequence, heartbeat.LastHash = c.sequence, producer.Previous
		heartbeat.Places = orEmpty(heartbeat.Places)
		set(HeaderTime, heartbeat.At.String())
		m.Body, err = marshal(heartbeat)
	case d.Gap != nil:
		gap := *d.Gap
		gap.Producer = producer
		set(HeaderTime, gap.To.String())
		m.Body, err = marshal(gap)
	case d.Registry != nil:
		registry := *d.Registry
		registry.Producer = producer
		set(HeaderTime, registry.At.String())
		m.Body, err = marshal(registry)
	case d.Ruling != nil:
		ruling := *d.Ruling
		ruling.Producer = producer
		set(HeaderTime, ruling.At.String())
		set(HeaderSubject, ruling.Finding)
		m.Body, err = marshal(ruling)
	}
	if err != nil {
		return Message{}, fmt.Errorf("seal %s: %w", t, err)
	}
	if len(m.Body) > MaxBody {
		return Message{}, schema.Faults{{Field: string(t), Value: fmt.Sprintf("%d bytes", len(m.Body)), Limit: fmt.Sprintf("at most %d bytes", MaxBody)}}
	}
	if d.Chunk == nil {
		bodyHash = sha256.Sum256(m.Body)
	}
	form := signedForm(m.Subject, m.Header, signedNames(m.Header), bodyHash)
	signature := ed25519.Sign(c.private, form)
	hash := sha256.Sum256(form)
	set(HeaderSignature, base64.RawURLEncoding.EncodeToString(signature))
	set(HeaderMessageID, messageID(t, d.Movement, d.Chunk, producer, bodyHash, hash))
	c.sequence, c.hash = producer.Sequence, hash
	return m, nil
}

func setChunkHeaders(set func(name, value string), c *Chunk, p schema.Producer) {
	set(HeaderContentType, contentKeys)
	set(HeaderSubject, c.Movement)
	set(HeaderMovement, c.Movement)
	set(HeaderSet, strconv.FormatUint(uint64(c.Set), 10))
	set(HeaderChunk, strconv.FormatUint(uint64(c.Index), 10))
	set(HeaderIDSpace, string(c.IDSpace))
	set(HeaderKeyID, string(c.KeyID))
	set(HeaderRole, string(c.Role))
	set(HeaderInstance, p.Instance)
	set(HeaderSequence, strconv.FormatUint(p.Sequence, 10))
	set(HeaderPrevious, p.Previous)
	set(HeaderVersion, p.Version)
}

func source(org, sidecar string) string { return "/" + org + "/" + sidecar }

// cloudEventID is unique within the source: an instance gives a sequence once.
func cloudEventID(p schema.Producer) string {
	return p.Instance + "/" + strconv.FormatUint(p.Sequence, 10)
}

func formatPrevious(hash [32]byte) string {
	if hash == ([32]byte{}) {
		return ""
	}
	return FormatHash(hash)
}

// messageID never stands for two contents: a body that holds the producer's chain is named by its hash;
// a chunk, whose body holds keys alone and may well come twice, by the hash of the whole message.
func messageID(t Type, m *schema.Movement, c *Chunk, p schema.Producer, bodyHash, hash [32]byte) string {
	id := p.Org + "/" + p.Sidecar + "/"
	switch t {
	case TypeMovement:
		return id + m.ID + "/" + strconv.FormatUint(uint64(m.Revision), 10) + "/" + hex.EncodeToString(bodyHash[:])
	case TypeElectors:
		return id + c.Movement + "/chunk/" + strconv.FormatUint(uint64(c.Set), 10) + "/" +
			strconv.FormatUint(uint64(c.Index), 10) + "/" + hex.EncodeToString(hash[:])
	default:
		return id + string(t) + "/" + hex.EncodeToString(bodyHash[:])
	}
}

// marshalMovement writes a movement as it travels: nothing is null.
func marshalMovement(m schema.Movement) ([]byte, error) {
	m.Fields = orEmpty(m.Fields)
	inputs := make([]schema.Input, len(m.Inputs))
	for i, in := range m.Inputs {
		inputs[i] = schema.Input{Place: in.Place, Fields: orEmpty(in.Fields)}
	}
	m.Inputs = inputs
	m.Electors.Sets = orEmpty(m.Electors.Sets)
	return marshal(m)
}

func orEmpty[T any](s []T) []T {
	if s == nil {
		return []T{}
	}
	return s
}

// marshal writes JSON on one line, with < > & as they are: statements are read by people.
func marshal(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}
