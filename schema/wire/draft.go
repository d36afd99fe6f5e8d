package wire

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"regexp"

	"github.com/rolltrace/rolltrace/schema"
)

// A Draft is the content of a message before it has a place in a chain: exactly one of its fields is set.
// Seal overwrites the producer of the content in the message, never in the draft.
type Draft struct {
	Movement  *schema.Movement
	Chunk     *Chunk
	Heartbeat *Heartbeat
	Gap       *Gap
	Registry  *Registry
	Ruling    *Ruling
}

// Validate returns every fault of the content as schema.Faults, or nil. The producer's place in the chain
// is not looked at: Seal gives it.
func (d Draft) Validate() error {
	var faults schema.Faults
	switch one := d.content(); {
	case one == "":
		return errors.New("draft: want exactly one of movement, chunk, heartbeat, gap, registry, ruling")
	case d.Movement != nil:
		m := *d.Movement
		m.Producer = placeholder
		return m.Validate()
	case d.Chunk != nil:
		faults = d.Chunk.faults()
	case d.Heartbeat != nil:
		faults = d.Heartbeat.faults()
	case d.Gap != nil:
		faults = d.Gap.faults()
	case d.Registry != nil:
		faults = d.Registry.faults()
	case d.Ruling != nil:
		faults = d.Ruling.faults()
	}
	if len(faults) > 0 {
		return faults
	}
	return nil
}

// placeholder stands in for a producer that Seal is going to fill in.
var placeholder = schema.Producer{Org: "org", Sidecar: "sidecar", Instance: "instance", Sequence: 1}

// content is the type of the draft, or "" unless exactly one field is set.
func (d Draft) content() Type {
	var t Type
	n := 0
	for _, c := range []struct {
		set bool
		t   Type
	}{
		{d.Movement != nil, TypeMovement}, {d.Chunk != nil, TypeElectors}, {d.Heartbeat != nil, TypeHeartbeat}, {d.Gap != nil, TypeGap},
		{d.Registry != nil, TypeRegistry}, {d.Ruling != nil, TypeRuling},
	} {
		if c.set {
			t, n = c.t, n+1
		}
	}
	if n != 1 {
		return ""
	}
	return t
}

// A Chunk is a run of elector keys of one set of a movement, in flow order. Its keys must not change
// after the first call of BodyHash or Seal, which keep the encoded body: where that is what is in memory, the keys
// themselves.
type Chunk struct {
	Movement string // id of the movement
	Set      uint16 // which of the movement's sets, from 0; below schema.MaxSets
	Index    uint32 // which chunk of the set, from 0; below schema.MaxChunks
	IDSpace  schema.IDSpace
	KeyID    schema.KeyID
	Role     schema.SetRole // as the set's
	Keys     []schema.Key   // 1 to schema.MaxChunkKeys
	Producer schema.Producer

	body     []byte
	bodyHash [32]byte
}

// Encode encodes the keys into room[:0], if they fit, instead of letting BodyHash allocate. The room must
// not be used again before the message that is sealed from the chunk has been stored.
func (c *Chunk) Encode(room []byte) {
	c.body = AppendKeys(room[:0:cap(room)], c.Keys)
	c.bodyHash = sha256.Sum256(c.body)
}

// BodyHash is the SHA-256 of the chunk's body: its part of the set's digest. It encodes and hashes the keys once;
// Seal uses what it kept. The first call, or that of Encode, must have returned before another goroutine
// has the chunk; after it, any number may read.
func (c *Chunk) BodyHash() [32]byte {
	switch {
	case c.body != nil:
	case little && len(c.Keys) > 0:
		c.body = asBytes(c.Keys)
		c.bodyHash = sha256.Sum256(c.body)
	default:
		c.Encode([]byte{})
	}
	return c.bodyHash
}

// Body is the chunk's body: its keys, little-endian, in flow order. It must not be written to.
func (c *Chunk) Body() []byte {
	c.BodyHash()
	return c.body
}

func (c *Chunk) faults() schema.Faults {
	var fs schema.Faults
	require(&fs, schema.ValidID(c.Movement), "movement", c.Movement, "a UUIDv7 in lower case")
	require(&fs, c.Set < schema.MaxSets, "set", fmt.Sprint(c.Set), fmt.Sprintf("less than %d", schema.MaxSets))
	require(&fs, c.Index < schema.MaxChunks, "chunk", fmt.Sprint(c.Index), fmt.Sprintf("less than %d", schema.MaxChunks))
	require(&fs, c.IDSpace.Valid(), "id_space", string(c.IDSpace), "1 to 32 of a-z 0-9 -, beginning with a letter")
	require(&fs, c.KeyID.Valid(), "key_id", string(c.KeyID), "k- and 8 to 32 hex digits")
	require(&fs, c.Role.Valid(), "role", string(c.Role), "nothing, seeds, no-seeds, or a word of a later version")
	require(&fs, len(c.Keys) >= 1 && len(c.Keys) <= schema.MaxChunkKeys, "keys", fmt.Sprint(len(c.Keys)),
		fmt.Sprintf("1 to %d", schema.MaxChunkKeys))
	return fs
}

// MaxPlaces is how many places one heartbeat can name.
const MaxPlaces = 1024

// A Heartbeat says that a sidecar is alive, what it covers and how far it has got.
type Heartbeat struct {
	At       schema.Time    `json:"at"`
	Interval uint32         `json:"interval_ms"` // until the next one, in milliseconds; 1 or more
	Places   []schema.Place `json:"places"`      // that the sidecar covers; at most MaxPlaces
	Config   string         `json:"config"`      // digest of its configuration, "sha256:…", or ""

	// LastSequence and LastHash are the message of the instance before this one. Seal fills them in.
	LastSequence uint64 `json:"last_sequence"`
	LastHash     string `json:"last_hash"` // "sha256:…", or "" if there is none

	OutboxMessages uint64 `json:"outbox_messages"` // waiting for the hub
	OutboxBytes    uint64 `json:"outbox_bytes"`

	// ClockOffset is the sidecar's clock less the reference clock, in microseconds; it means something
	// only if ClockKnown.
	ClockOffset int64 `json:"clock_offset_us"`
	ClockKnown  bool  `json:"clock_known"`

	Producer schema.Producer `json:"producer"`
}

func (h *Heartbeat) faults() schema.Faults {
	var fs schema.Faults
	moment(&fs, "at", h.At)
	count(&fs, "last_sequence", h.LastSequence)
	count(&fs, "outbox_messages", h.OutboxMessages)
	count(&fs, "outbox_bytes", h.OutboxBytes)
	require(&fs, h.ClockOffset <= schema.MaxCount && h.ClockOffset >= -schema.MaxCount, "clock_offset_us",
		fmt.Sprint(h.ClockOffset), fmt.Sprintf("at most %d, either way", int64(schema.MaxCount)))
	require(&fs, h.Interval >= 1, "interval_ms", fmt.Sprint(h.Interval), "1 or more")
	require(&fs, len(h.Places) <= MaxPlaces, "places", fmt.Sprint(len(h.Places)), fmt.Sprintf("at most %d", MaxPlaces))
	for i, p := range h.Places[:min(len(h.Places), MaxPlaces)] {
		place(&fs, fmt.Sprintf("places[%d]", i), p)
	}
	require(&fs, h.Config == "" || validHash(h.Config), "config", h.Config, hashLimit)
	require(&fs, h.LastHash == "" || validHash(h.LastHash), "last_hash", h.LastHash, hashLimit)
	return fs
}

// A Gap says that something is missing from the record: elector data that was let pass while the outbox
// was full, or messages that were lost from an outbox.
type Gap struct {
	Place   schema.Place `json:"place"` // where records left unrecorded; "" if it may be any place of the sidecar
	From    schema.Time  `json:"from"`
	To      schema.Time  `json:"to"`      // not before From
	Records uint64       `json:"records"` // that passed unrecorded; 0 if not known
	Bytes   uint64       `json:"bytes"`   // likewise
	Why     string       `json:"why"`     // a label, for example "outbox full"

	// A hole in an outbox: the sequences of Instance that are lost. Empty and 0 if the gap is no hole.
	Instance      string `json:"instance"`
	FirstSequence uint64 `json:"first_sequence"`
	LastSequence  uint64 `json:"last_sequence"`

	Producer schema.Producer `json:"producer"`
}

func (g *Gap) faults() schema.Faults {
	var fs schema.Faults
	if g.Place != "" {
		place(&fs, "place", g.Place)
	}
	moment(&fs, "from", g.From)
	moment(&fs, "to", g.To)
	require(&fs, !g.To.Before(g.From.Time), "to", g.To.String(), "not before from")
	count(&fs, "records", g.Records)
	count(&fs, "bytes", g.Bytes)
	count(&fs, "last_sequence", g.LastSequence)
	require(&fs, g.Why != "" && schema.ValidLabel(g.Why), "why", g.Why, schema.LabelLimit)
	if g.Instance == "" {
		require(&fs, g.FirstSequence == 0 && g.LastSequence == 0, "first_sequence", fmt.Sprint(g.FirstSequence), "0 without an instance")
		return fs
	}
	require(&fs, schema.ValidInstance(g.Instance), "instance", g.Instance, schema.InstanceLimit)
	require(&fs, g.FirstSequence >= 1, "first_sequence", fmt.Sprint(g.FirstSequence), "1 or more")
	require(&fs, g.LastSequence >= g.FirstSequence, "last_sequence", fmt.Sprint(g.LastSequence), "not less than first_sequence")
	return fs
}

var hashPattern = regexp.MustCompile(`^sha256:[0-9a-f]{64}$`)

const hashLimit = "sha256: and 64 hex digits"

func validHash(s string) bool { return hashPattern.MatchString(s) }

func require(fs *schema.Faults, ok bool, field, value, limit string) {
	if !ok {
		*fs = append(*fs, schema.Fault{Field: field, Value: value, Limit: limit})
	}
}

func count(fs *schema.Faults, field string, n uint64) {
	require(fs, n <= schema.MaxCount, field, fmt.Sprint(n), fmt.Sprintf("at most %d", int64(schema.MaxCount)))
}

func moment(fs *schema.Faults, field string, t schema.Time) {
	require(fs, t.InRange(), field, t.String(), schema.TimeLimit)
}

func place(fs *schema.Faults, field string, p schema.Place) {
	_, err := schema.ParsePlace(string(p))
	var faults schema.Faults
	if errors.As(err, &faults) {
		for _, f := range faults {
			require(fs, false, field, f.Value, f.Limit)
		}
	}
}
