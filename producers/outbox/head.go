package outbox

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// A head is what the outbox knows beside its store: enough to see, at opening, that the store has lost its
// end, and to continue neither the chain nor the clock where that would give a place or a time twice.
//
// It is written, without a sync, after each frame that was acknowledged, so that after kill -9 it is exact;
// and synced now and then, so that after a power failure, when only synced bytes are there, it is never
// ahead of the store, whose frames are all synced.
type head struct {
	Serial   uint64    `json:"serial"`   // the greater one of the two slots counts
	Identity string    `json:"identity"` // organisation, sidecar and signer, hashed
	Instance string    `json:"instance"`
	Sequence uint64    `json:"sequence"` // of the last message that was acknowledged
	Hash     string    `json:"hash"`     // and its hash
	Clock    int64     `json:"clock_us"` // the latest time that was given
	Total    uint64    `json:"total"`    // bytes of all frames
	Open     int       `json:"open"`     // movements that are not closed
	Hub      forwarded `json:"hub"`
}

// forwarded is how far the hub has acknowledged.
type forwarded struct {
	Position position `json:"position"` // in the store
	Instance string   `json:"instance"`
	Sequence uint64   `json:"sequence"`
	Total    uint64   `json:"total"`
	Clock    int64    `json:"clock_us"`
}

const headSlot = 1024 // bytes; one write of one slot cannot spoil the other

// A headFile keeps a head in two slots, written in turn. It is not safe for concurrent use.
type headFile struct {
	file   *os.File
	serial uint64
}

// knowledge is what a state file tells.
type knowledge uint8

const (
	isNew   knowledge = iota // the outbox never acknowledged anything
	isLost                   // nothing any more: it is gone or damaged
	isKnown                  // where the store ends
)

// openHead opens or makes the file and returns the newest head in it, if it is known.
func openHead(dir string) (*headFile, head, knowledge, error) {
	path := filepath.Join(dir, "head")
	_, err := os.Stat(filepath.Join(dir, "jetstream"))
	empty := errors.Is(err, fs.ErrNotExist)
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, head{}, isLost, fmt.Errorf("open state file: %w", err)
	}
	buf, blank := make([]byte, 2*headSlot), bytes.Repeat([]byte{'\n'}, 2*headSlot)
	n, err := file.ReadAt(buf, 0)
	if n < len(buf) {
		// Written whole at once, so that later writes need no room on the disk.
		if _, err = file.WriteAt(blank[n:], int64(n)); err != nil {
			return nil, head{}, isLost, errors.Join(fmt.Errorf("write state file: %w", err), file.Close())
		}
	} else if err != nil {
		return nil, head{}, isLost, errors.Join(fmt.Errorf("read state file: %w", err), file.Close())
	}
	var newest head
	found := isLost
	if empty || bytes.Equal(buf, blank) { // it is made before the store, and written to after it
		found = isNew
	}
	for _, slot := range [][]byte{buf[:headSlot], buf[headSlot:]} {
		if h, ok := parseHead(slot); ok && h.Serial > newest.Serial {
			newest, found = h, isKnown
		}
	}
	return &headFile{file: file, serial: newest.Serial}, newest, found, nil
}

func parseHead(slot []byte) (head, bool) {
	var sum uint32
	line, _, _ := bytes.Cut(slot, []byte{'\n'})
	if len(line) < 9 {
		return head{}, false
	}
	if _, err := fmt.Sscanf(string(line[:8]), "%08x", &sum); err != nil || sum != crc32.ChecksumIEEE(line[9:]) {
		return head{}, false
	}
	var h head
	return h, json.Unmarshal(line[9:], &h) == nil && h.Serial > 0
}

func (f *headFile) write(h head) error {
	f.serial++
	h.Serial = f.serial
	body, err := json.Marshal(h)
	if err != nil {
		return err
	}
	slot := fmt.Appendf(make([]byte, 0, headSlot), "%08x ", crc32.ChecksumIEEE(body))
	slot = append(slot, body...)
	if len(slot) >= headSlot {
		return fmt.Errorf("write state file: %d bytes: want less than %d", len(slot), headSlot)
	}
	for len(slot) < headSlot {
		slot = append(slot, '\n')
	}
	if _, err := f.file.WriteAt(slot, int64(f.serial%2)*headSlot); err != nil {
		return fmt.Errorf("write state file: %w", err)
	}
	return nil
}

func (f *headFile) sync() error {
	if err := f.file.Sync(); err != nil {
		return fmt.Errorf("sync state file: %w", err)
	}
	return nil
}

func (f *headFile) close() error { return f.file.Close() }

// writeHead writes what the outbox knows, without a sync.
func (o *Outbox) writeHead(h head) {
	c := &o.committer
	h.Clock = max(h.Clock, o.clock.latest.Load())
	c.headDirty = true
	if err := c.head.write(h); err != nil {
		o.cfg.Log.Warn().Err(err).Msg("state file of outbox is behind; a loss at the end of the store would go unseen")
	}
}

// syncHead writes and syncs it.
func (o *Outbox) syncHead(now time.Time) {
	c := &o.committer
	h := o.shelf.snapshot()
	o.writeHead(h)
	if err := c.head.sync(); err != nil {
		o.cfg.Log.Warn().Err(err).Msg("state file of outbox is not synced")
		return
	}
	c.headSynced, c.headDirty, c.hubSynced = now, false, h.Hub.Position
}
