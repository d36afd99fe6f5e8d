package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/rolltrace/rolltrace/producers"
	"github.com/rolltrace/rolltrace/producers/delimited"
	"github.com/rolltrace/rolltrace/producers/pseudonym"
	"github.com/rolltrace/rolltrace/schema"
	"github.com/rolltrace/rolltrace/schema/wire"
)

// A badLine is a fault of one line that shows when its electors are read.
type badLine struct{ reason error }

func (b *badLine) Error() string { return b.reason.Error() }

// A declaration is a line on its way into the outbox. Its electors are read twice: first for the totals, from which its id
// follows, then for the chunks, which carry the id. So any number of them takes no more memory than a chunk of
// each set.
type declaration struct {
	line    *line
	secret  pseudonym.Secret
	folder  string
	outbox  producers.Outbox
	org     string
	sidecar string

	tally   *producers.Tally
	filling [][]schema.Key
	next    []uint32
	emit    func(*wire.Chunk) error // nil in the first reading
}

// errChanged is a file that was not the same twice.
var errChanged = errors.New("the file of ids_from was changed while it was read")

// record gives the movement to the outbox, its chunks first. The receipt is of the movement; the chunks are durable
// before it, or with it.
func (d *declaration) record(ctx context.Context) (*producers.Receipt, error) {
	m := &d.line.Movement
	for i := range m.Electors.Sets {
		m.Electors.Sets[i].KeyID = d.secret.KeyID()
	}
	totals := m.Electors
	if totals.Mode == schema.Listed {
		if err := d.read(ctx); err != nil {
			return nil, err
		}
		totals = d.tally.Electors()
	}
	m.Electors = totals
	if m.ID == "" {
		m.ID = d.id()
	}
	now, err := d.outbox.Now(ctx)
	if err != nil {
		return nil, err
	}
	m.RecordedAt, m.RecordedBy = now, producers.RecordedBy()
	if err := (wire.Draft{Movement: m}).Validate(); err != nil {
		return nil, &badLine{err}
	}
	var chunks []*wire.Chunk // not handed over yet: the last one goes together with the movement
	var parts []*producers.Receipt
	if totals.Mode == schema.Listed {
		d.emit = func(c *wire.Chunk) error {
			chunks = append(chunks, c)
			if len(chunks) < 2 {
				return nil
			}
			receipt, err := d.outbox.Append(ctx, wire.Draft{Chunk: chunks[0]})
			chunks = chunks[1:]
			parts = append(parts, receipt)
			if len(parts) > 16 && err == nil {
				err = parts[0].Wait(ctx)
				parts = parts[1:]
			}
			return err
		}
		if err := d.read(ctx); err != nil {
			return nil, err
		}
		if again := d.tally.Electors(); !sameSets(again, totals) {
			return nil, &badLine{errChanged}
		}
	}
	if err := producers.Receipts(parts...).Wait(ctx); err != nil {
		return nil, err
	}
	var drafts []wire.Draft
	for _, c := range chunks {
		drafts = append(drafts, wire.Draft{Chunk: c})
	}
	return d.outbox.Append(ctx, append(drafts, wire.Draft{Movement: m})...)
}

func sameSets(a, b schema.Electors) bool {
	for i := range a.Sets {
		if a.Sets[i] != b.Sets[i] {
			return false
		}
	}
	return a.Records == b.Records && len(a.Sets) == len(b.Sets)
}

// id is a UUIDv7 of the time that the movement occurred at, and of everything else that is known of it: its electors'
// keys, and never their identifiers, which whoever has the roll could guess from a hash.
func (d *declaration) id() string {
	m := d.line.Movement
	m.ID, m.RecordedAt, m.RecordedBy, m.Producer = "", schema.Time{}, schema.RecordedBy{}, schema.Producer{Org: d.org, Sidecar: d.sidecar}
	content, err := json.Marshal(m)
	if err != nil {
		panic("emit: " + err.Error()) // strings and numbers always marshal
	}
	sum := sha256.Sum256(append([]byte("rolltrace emit 1\n"), content...))
	var id [16]byte
	copy(id[:], sum[:])
	ms := max(m.OccurredAt.UnixMilli(), 0)
	for i := range 6 {
		id[i] = byte(ms >> (8 * (5 - i)))
	}
	id[6] = id[6]&0x0f | 0x70
	id[8] = id[8]&0x3f | 0x80
	text := hex.EncodeToString(id[:])
	return text[:8] + "-" + text[8:12] + "-" + text[12:16] + "-" + text[16:20] + "-" + text[20:]
}

// read makes the keys of the line's electors, and of these the chunks.
func (d *declaration) read(ctx context.Context) error {
	sets := d.line.Electors.Sets
	d.tally = producers.NewTally(d.line.Electors)
	d.filling, d.next = make([][]schema.Key, len(sets)), make([]uint32, len(sets))
	keys := make([]*pseudonym.Pseudonymiser, len(sets))
	for i, s := range sets {
		keys[i] = d.secret.Space(s.IDSpace)
	}
	var err error
	if d.line.IDs != nil {
		err = d.readList(keys)
	} else {
		err = d.readFile(ctx, keys)
	}
	if err != nil {
		return err
	}
	for i := range sets {
		if err := d.cut(i); err != nil {
			return err
		}
	}
	return nil
}

// readList takes the identifiers that stand in the line. Each set is a list of its own.
func (d *declaration) readList(keys []*pseudonym.Pseudonymiser) error {
	unkeyed := make([]uint64, len(keys))
	var records int
	for i, ids := range d.line.IDs.ids {
		made := keys[i].Keys(nil, ids)
		unkeyed[i] = uint64(len(ids) - len(made))
		records = max(records, len(ids))
		if err := d.add(i, made); err != nil {
			return err
		}
	}
	d.tally.Count(uint64(records), unkeyed...)
	return nil
}

// readFile takes the identifiers of a file.
func (d *declaration) readFile(ctx context.Context, keys []*pseudonym.Pseudonymiser) error {
	from := d.line.IDsFrom
	path := from.File
	if !filepath.IsAbs(path) {
		path = filepath.Join(d.folder, path)
	}
	file, err := os.Open(path)
	if err != nil {
		return &badLine{fmt.Errorf("ids_from: %w", err)}
	}
	defer file.Close()
	_, config, err := from.scan()
	if err != nil {
		return &badLine{fmt.Errorf("ids_from: %w", err)}
	}
	reader, err := delimited.NewReader(file, config, delimited.Options{})
	if err != nil {
		return &badLine{fmt.Errorf("ids_from: %w", err)}
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- reader.Run(ctx) }()
	var fault error
	for block := range reader.Blocks() {
		made := keysOf(block, keys)
		unkeyed := make([]uint64, len(keys))
		for i, of := range made.of {
			unkeyed[i] = uint64(block.Records - len(of))
			if fault == nil {
				fault = d.add(i, of)
			}
		}
		d.tally.Count(uint64(block.Records), unkeyed...)
		made.reset()
		block.Free()
		if fault != nil {
			cancel()
		}
	}
	err = <-ended
	switch {
	case fault != nil:
		return fault
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case err != nil:
		return &badLine{fmt.Errorf("ids_from: %s: %w", filepath.Base(path), err)}
	}
	return nil
}

// add takes keys of a set, in order.
func (d *declaration) add(set int, keys []schema.Key) error {
	for len(keys) > 0 {
		n := min(len(keys), schema.MaxChunkKeys-len(d.filling[set]))
		d.filling[set] = append(d.filling[set], keys[:n]...)
		keys = keys[n:]
		if len(d.filling[set]) == schema.MaxChunkKeys {
			if err := d.cut(set); err != nil {
				return err
			}
		}
	}
	return nil
}

// cut ends the chunk that fills, if there is anything in it.
func (d *declaration) cut(set int) error {
	if len(d.filling[set]) == 0 {
		return nil
	}
	of := d.line.Electors.Sets[set]
	chunk := &wire.Chunk{Movement: d.line.ID, Set: uint16(set), Index: d.next[set], IDSpace: of.IDSpace, KeyID: of.KeyID, Keys: d.filling[set]}
	d.tally.Chunk(chunk)
	d.next[set]++
	if d.emit == nil {
		d.filling[set] = d.filling[set][:0]
		return nil
	}
	d.filling[set] = nil
	return d.emit(chunk)
}
