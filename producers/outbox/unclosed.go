package outbox

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"

	"github.com/rolltrace/rolltrace/producers"
	"github.com/rolltrace/rolltrace/schema"
	"github.com/rolltrace/rolltrace/schema/wire"
)

// maxUnclosed bounds how many open movements are followed at once: what is known of them goes into the first frame of each
// segment. Others stay open if their writer goes away, and are shown as incomplete.
const maxUnclosed = 1024

// unclosed are the movements that are open in the outbox, with what closing one takes when its writer is gone: the
// store gives up what the hub has, so that it alone could not tell. The first frame of each segment has all of them.
type unclosed struct {
	mu  sync.Mutex
	row map[string]*running

	instance string // of the last frame that was read at opening,
	next     uint64 // and what comes behind it: a frame may be there twice
}

// running is an open movement and what is durable of it. It travels as JSON in the store.
type running struct {
	Movement schema.Movement `json:"movement"`
	Sets     []runningSet    `json:"sets"`
	Broken   bool            `json:"broken,omitempty"` // chunks are missing: its totals are not known here
}

type runningSet struct {
	Keys   uint64          `json:"keys"`
	Chunks uint32          `json:"chunks"`
	Digest *wire.SetDigest `json:"digest"`
}

// Unclosed are the ids of movements that were opened in this outbox and are not closed, whoever writes them. Asked before
// anything is appended, they are those that earlier holders and their clients have left.
func (o *Outbox) Unclosed() []string {
	u := &o.unclosed
	u.mu.Lock()
	defer u.mu.Unlock()
	ids := make([]string, 0, len(u.row))
	for id := range u.row {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return ids
}

// errPartial is why a movement cannot be closed for its writer.
var errPartial = errors.New("not all of its chunks are in the outbox")

// Fail closes as failed a movement whose writer is gone, with the totals of what is durable of it, and returns when that is
// durable. One that is not open is none to close. Nothing of the movement may be under way.
func (o *Outbox) Fail(ctx context.Context, id, reason string) error {
	m, err := o.unclosed.closing(id)
	if err != nil || m == nil {
		return err
	}
	now := o.clock.next()
	m.Reason = reason
	m.ClosedAt, m.RecordedAt = now, now
	if now.Before(m.OccurredAt.Time) {
		m.ClosedAt = m.OccurredAt
	}
	receipt, err := o.Append(ctx, wire.Draft{Movement: m})
	if err == nil {
		err = receipt.Wait(ctx)
	}
	if err != nil {
		return fmt.Errorf("close movement: %w", err)
	}
	return nil
}

// closing is a movement as it is when it has failed, but for its times; nil when it is not open.
func (u *unclosed) closing(id string) (*schema.Movement, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	one := u.row[id]
	if one == nil {
		return nil, nil
	}
	if one.Broken {
		return nil, fmt.Errorf("close movement: %w", errPartial)
	}
	m := one.Movement
	m.Revision, m.State, m.Outcome = m.Revision+1, schema.Closed, schema.Failed
	m.Electors.Sets = make([]schema.Set, len(one.Sets))
	for i, s := range one.Sets {
		m.Electors.Sets[i] = one.Movement.Electors.Sets[i]
		m.Electors.Sets[i].Keys, m.Electors.Sets[i].Chunks, m.Electors.Sets[i].Digest = s.Keys, s.Chunks, s.Digest.String()
		m.Electors.Records = max(m.Electors.Records, s.Keys)
	}
	return &m, nil
}

// wrote takes note of entries that are durable now, and returns how many movements are open.
func (u *unclosed) wrote(entries []*entry) int {
	u.mu.Lock()
	defer u.mu.Unlock()
	for _, e := range entries {
		for _, d := range e.drafts {
			switch {
			case d.Movement != nil:
				u.see(d.Movement)
			case d.Chunk != nil && u.row[d.Chunk.Movement] != nil:
				one := u.row[d.Chunk.Movement]
				if e.settled { // refused before it was written: its owner may have changed it since
					one.Broken = true
					continue
				}
				one.add(int(d.Chunk.Set), d.Chunk.Index, len(d.Chunk.Keys), d.Chunk.BodyHash)
			}
		}
	}
	return len(u.row)
}

func (u *unclosed) see(m *schema.Movement) {
	switch {
	case m.State != schema.Open:
		delete(u.row, m.ID)
	case u.row[m.ID] == nil && len(u.row) < maxUnclosed:
		if u.row == nil {
			u.row = make(map[string]*running)
		}
		one := &running{Movement: *m, Sets: make([]runningSet, len(m.Electors.Sets))}
		one.Movement.Producer = schema.Producer{} // the chain gives each revision its own
		for i := range one.Sets {
			one.Sets[i].Digest = &wire.SetDigest{}
		}
		u.row[m.ID] = one
	}
}

// add counts a chunk, unless it comes again.
func (r *running) add(set int, index uint32, keys int, hash func() [32]byte) {
	if set >= len(r.Sets) || index < r.Sets[set].Chunks {
		return
	}
	s := &r.Sets[set]
	if index > s.Chunks {
		r.Broken = true
		return
	}
	s.Keys += uint64(keys)
	s.Chunks++
	s.Digest.Add(hash())
}

// checkpoint is what a segment begins with: everything that is open, or nothing.
func (u *unclosed) checkpoint() []byte {
	u.mu.Lock()
	defer u.mu.Unlock()
	if len(u.row) == 0 {
		return nil
	}
	b, err := json.Marshal(u.row)
	if err != nil {
		panic("outbox: " + err.Error()) // strings, numbers and hashes always marshal
	}
	return b
}

// recoverUnclosed finds out what is open in the store: from the first frame of the newest segment that has one, and from what
// comes behind it. Where the head knows of nothing open at the end of the store, there is nothing to read.
func (o *Outbox) recoverUnclosed(ctx context.Context, h head, last *frame) error {
	if last == nil || h.Open == 0 && h.Instance == last.instance && h.Sequence == last.last {
		return nil
	}
	e, u := o.committer.engine, &o.unclosed
	all := e.shelf.all()
	from := len(all) - 1
	for ; from >= 0; from-- {
		if _, f, err := e.get(ctx, all[from], 1, false); err == nil && len(f.messages) == 0 {
			break
		} else if err != nil && !errors.Is(err, errLost) {
			return err
		}
	}
	if from < 0 {
		return nil // nobody can tell; what is open is shown as incomplete
	}
	for _, s := range all[from:] {
		for sequence := uint64(1); sequence <= s.last; sequence++ {
			_, f, err := e.get(ctx, s, sequence, false)
			if errors.Is(err, errLost) {
				continue // recorded as a gap when it is read
			}
			if err != nil {
				return err
			}
			u.read(f)
		}
	}
	return nil
}

// read takes note of a frame of the store.
func (u *unclosed) read(f *frame) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if len(f.messages) == 0 {
		u.row = nil
		if len(f.open) > 0 && json.Unmarshal(f.open, &u.row) != nil {
			u.row = nil
		}
		return
	}
	if f.instance == u.instance && f.last < u.next {
		return // written twice after a fault
	}
	u.instance, u.next = f.instance, f.last+1
	for _, m := range f.messages {
		switch value := func(name string) string { return first(m.Header, name) }; {
		case value(wire.HeaderType) == wire.TypeMovement.CloudEvent():
			var movement schema.Movement
			if json.Unmarshal(m.Body, &movement) == nil {
				u.see(&movement)
			}
		case u.row[value(wire.HeaderMovement)] != nil: // a chunk
			set, err := strconv.ParseUint(value(wire.HeaderSet), 10, 16)
			index, again := strconv.ParseUint(value(wire.HeaderChunk), 10, 32)
			if err == nil && again == nil {
				u.row[value(wire.HeaderMovement)].add(int(set), uint32(index), len(m.Body)/8, func() [32]byte { return sha256.Sum256(m.Body) })
			}
		}
	}
}

func first(header map[string][]string, name string) string {
	if values := header[name]; len(values) > 0 {
		return values[0]
	}
	return ""
}

var _ producers.Holder = (*Outbox)(nil)
