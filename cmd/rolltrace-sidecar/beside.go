package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/gofrs/flock"
	"github.com/google/uuid"

	"github.com/rolltrace/rolltrace/producers"
)

// besideFolder is where, in an outbox's folder, outboxes are that were made because that one was held.
const besideFolder = "beside"

// A beside is the folder of such an outbox. Its lock is held by whoever uses the folder, until it is removed: the
// outbox's own is given back before. A nil beside is none.
type beside struct {
	dir  string
	lock *flock.Flock
}

// newBeside makes one, held. Its outbox is opened in dir.
func newBeside(outbox string) (*beside, error) {
	folder := filepath.Join(outbox, besideFolder)
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return nil, fmt.Errorf("open outbox: %w", err)
	}
	id, err := uuid.NewV7()
	if err != nil {
		return nil, fmt.Errorf("open outbox: %w", err)
	}
	return holdBeside(filepath.Join(folder, id.String()))
}

// takeBeside holds one that was left; it is nil when it has gone. The error is ErrLocked when it is in use.
func takeBeside(dir string) (*beside, error) {
	b, err := holdBeside(dir)
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		return nil, b.remove()
	}
	return b, nil
}

func holdBeside(dir string) (*beside, error) {
	lock := flock.New(dir+".lock", flock.SetPermissions(0o600))
	held, err := lock.TryLock()
	if err != nil {
		return nil, fmt.Errorf("open outbox %s: take lock: %w", dir, err)
	}
	if !held {
		return nil, fmt.Errorf("open outbox %s: %w", dir, producers.ErrLocked)
	}
	return &beside{dir: dir, lock: lock}, nil
}

// leave gives the folder back as it is, for the next run.
func (b *beside) leave() error {
	if b == nil {
		return nil
	}
	return b.lock.Unlock()
}

// remove removes the folder, which holds nothing that the hub has not taken.
func (b *beside) remove() error {
	if b == nil {
		return nil
	}
	return errors.Join(os.RemoveAll(b.dir), os.Remove(b.lock.Path()), b.lock.Unlock())
}
