package producers

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/user"
	"strings"

	"github.com/google/uuid"

	"github.com/rolltrace/rolltrace/schema"
	"github.com/rolltrace/rolltrace/schema/wire"
)

// RecorderConfig is what a Recorder needs.
type RecorderConfig struct {
	// Outbox takes everything that is recorded. Required.
	Outbox Outbox
	// RecordedBy is who records, as the operating system says it. Defaults to the user and the host of
	// this process.
	RecordedBy schema.RecordedBy
	// ChunkKeys is how many keys make a chunk full, from 1 to schema.MaxChunkKeys. Defaults to
	// schema.MaxChunkKeys.
	ChunkKeys int
	// MaxPending is how many chunks of one recording may wait for the disk before Add waits for the
	// oldest of them. Defaults to 16 (8 MiB of keys).
	MaxPending int
}

// A Recorder opens movements. It is safe for concurrent use; it holds nothing that needs to be closed.
type Recorder struct {
	cfg RecorderConfig
}

// NewRecorder checks the configuration, finds out who records, and returns the recorder.
func NewRecorder(cfg RecorderConfig) (*Recorder, error) {
	if cfg.Outbox == nil {
		return nil, errors.New("recorder: want an outbox")
	}
	if cfg.ChunkKeys == 0 {
		cfg.ChunkKeys = schema.MaxChunkKeys
	}
	if cfg.ChunkKeys < 1 || cfg.ChunkKeys > schema.MaxChunkKeys {
		return nil, fmt.Errorf("recorder: chunk keys: %d: want 1 to %d", cfg.ChunkKeys, schema.MaxChunkKeys)
	}
	if cfg.MaxPending == 0 {
		cfg.MaxPending = 16
	}
	if cfg.MaxPending < 1 {
		return nil, fmt.Errorf("recorder: max pending: %d: want 1 or more", cfg.MaxPending)
	}
	if cfg.RecordedBy == (schema.RecordedBy{}) {
		cfg.RecordedBy = RecordedBy()
	}
	return &Recorder{cfg: cfg}, nil
}

// RecordedBy is what the operating system says of this process: the default of a Recorder. What it does not say is left
// empty.
func RecordedBy() schema.RecordedBy {
	var by schema.RecordedBy
	if u, err := user.Current(); err == nil {
		by.User = label(u.Username)
	}
	if host, err := os.Hostname(); err == nil {
		by.Host = label(host)
	}
	return by
}

// label makes a name of the operating system fit schema.ValidLabel: DOMAIN\user becomes DOMAIN-user.
func label(name string) string {
	fit := strings.Map(func(r rune) rune {
		if r == ' ' || !schema.ValidLabel("a"+string(r)) {
			return '-'
		}
		return r
	}, name)
	fit = strings.TrimLeft(fit, "-._:/@+")
	if len(fit) > schema.MaxLabel {
		fit = fit[:schema.MaxLabel]
	}
	return fit
}

// Begin opens an observed movement and returns when its opening is durable: from then on records may flow,
// each after the Flush that covers its keys.
//
// Of the movement the caller gives kind, inputs, output, actor, purpose, agreement, legal basis, fields,
// exercise, the mode (listed or counted; listed if there are sets), and for each id column a set with id
// space and key id. Begin fills in the rest: id (unless given), revision, state, basis, times, recorded_by.
//
// The error is schema.Faults if the movement is not well formed, or what Receipt.Wait returns.
func (r *Recorder) Begin(ctx context.Context, m schema.Movement) (*Recording, error) {
	now, err := r.cfg.Outbox.Now(ctx)
	if err != nil {
		return nil, fmt.Errorf("open movement: %w", err)
	}
	if err := identify(&m); err != nil {
		return nil, fmt.Errorf("open movement: %w", err)
	}
	m.Revision, m.State, m.Outcome, m.Reason = 1, schema.Open, "", ""
	m.Basis = schema.Observed
	m.OccurredAt, m.RecordedAt, m.ClosedAt = now, now, schema.Time{}
	m.RecordedBy = r.cfg.RecordedBy
	m.Electors = emptied(m.Electors)
	recording := newRecording(r.cfg, m)
	opening := recording.movement
	receipt, err := r.cfg.Outbox.Append(ctx, wire.Draft{Movement: &opening})
	if err == nil {
		err = receipt.Wait(ctx)
	}
	if err != nil {
		return nil, fmt.Errorf("open movement: %w", err)
	}
	return recording, nil
}

// identify gives the movement an id unless it has one.
func identify(m *schema.Movement) error {
	if m.ID != "" {
		return nil
	}
	id, err := uuid.NewV7()
	if err != nil {
		return fmt.Errorf("make an id: %w", err)
	}
	m.ID = id.String()
	return nil
}

// emptied is the electors of a movement with which nothing has flowed yet.
func emptied(e schema.Electors) schema.Electors {
	e.Records = 0
	if e.Mode == "" && len(e.Sets) > 0 {
		e.Mode = schema.Listed
	}
	sets := make([]schema.Set, len(e.Sets))
	for i, s := range e.Sets {
		sets[i] = schema.Set{IDSpace: s.IDSpace, KeyID: s.KeyID, Role: s.Role}
	}
	e.Sets = sets
	return e
}

// Declare records a movement that nobody saw flow: on the word of its owner, or of somebody else (basis
// declared or attested). It is one message, closed, and before it the chunks of its keys, if it lists any:
// keys[i] are those of Electors.Sets[i]. Occurred_at is the caller's and may be long past; closed_at
// defaults to it, revision to 1, outcome to completed, id to a new one; records defaults to the keys and
// unkeyed rows of the largest set. The keys may be reused when Declare has returned.
//
// Declare returns without waiting for the disk if all keys fit one chunk; then chunk and movement are
// recorded together or not at all. Otherwise it waits until the chunks are durable before it appends the
// movement.
func (r *Recorder) Declare(ctx context.Context, m schema.Movement, keys [][]schema.Key) (*Receipt, error) {
	if err := identify(&m); err != nil {
		return nil, fmt.Errorf("declare movement: %w", err)
	}
	if m.Basis == schema.Observed {
		return nil, schema.Faults{{Field: "basis", Value: string(m.Basis), Limit: "declared or attested: only a recorder observes"}}
	}
	if len(keys) != 0 && len(keys) != len(m.Electors.Sets) {
		return nil, fmt.Errorf("declare movement: keys of %d sets: want %d, as electors.sets", len(keys), len(m.Electors.Sets))
	}
	m.State = schema.Closed
	if m.Revision == 0 {
		m.Revision = 1
	}
	if m.Outcome == "" {
		m.Outcome = schema.Completed
	}
	if m.ClosedAt.IsZero() {
		m.ClosedAt = m.OccurredAt
	}
	now, err := r.cfg.Outbox.Now(ctx)
	if err != nil {
		return nil, fmt.Errorf("declare movement: %w", err)
	}
	m.RecordedAt, m.RecordedBy = now, r.cfg.RecordedBy
	if len(keys) == 0 {
		return r.declare(ctx, nil, &m)
	}
	chunks, err := r.declareKeys(&m, keys)
	if err != nil {
		return nil, fmt.Errorf("declare movement: %w", err)
	}
	return r.declare(ctx, chunks, &m)
}

// declareKeys makes the chunks of a declared movement and sets its totals.
func (r *Recorder) declareKeys(m *schema.Movement, keys [][]schema.Key) ([]*wire.Chunk, error) {
	tally := NewTally(m.Electors)
	unkeyed := make([]uint64, len(keys))
	var chunks []*wire.Chunk
	for i, of := range keys {
		set := m.Electors.Sets[i]
		unkeyed[i] = set.Unkeyed
		for index := uint32(0); len(of) > 0; index++ {
			n := min(len(of), r.cfg.ChunkKeys)
			chunk := &wire.Chunk{
				Movement: m.ID, Set: uint16(i), Index: index, IDSpace: set.IDSpace, KeyID: set.KeyID, Role: set.Role,
				Keys: append([]schema.Key(nil), of[:n]...),
			}
			of = of[n:]
			tally.Chunk(chunk)
			chunks = append(chunks, chunk)
		}
	}
	tally.Count(m.Electors.Records, unkeyed...)
	m.Electors = tally.Electors()
	// Checked before the first chunk goes: chunks without their movement are of no use.
	return chunks, wire.Draft{Movement: m}.Validate()
}

// declare appends a movement with its chunks: together if they are small, so that they are recorded
// together or not at all, else the movement when the chunks are durable.
func (r *Recorder) declare(ctx context.Context, chunks []*wire.Chunk, m *schema.Movement) (*Receipt, error) {
	drafts := make([]wire.Draft, 0, len(chunks)+1)
	if len(chunks) == 1 {
		drafts = append(drafts, wire.Draft{Chunk: chunks[0]})
		chunks = nil
	}
	var parts []*Receipt
	for _, c := range chunks {
		receipt, err := r.cfg.Outbox.Append(ctx, wire.Draft{Chunk: c})
		if err != nil {
			return nil, fmt.Errorf("declare movement: %w", err)
		}
		parts = append(parts, receipt)
	}
	if err := Receipts(parts...).Wait(ctx); err != nil {
		return nil, fmt.Errorf("declare movement: %w", err)
	}
	receipt, err := r.cfg.Outbox.Append(ctx, append(drafts, wire.Draft{Movement: m})...)
	if err != nil {
		return nil, fmt.Errorf("declare movement: %w", err)
	}
	return receipt, nil
}
