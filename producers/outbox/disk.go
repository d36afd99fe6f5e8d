package outbox

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
)

// diskMargin is the room that the store needs besides its frames: its own state, a new block, tombstones.
const diskMargin = 1 << 20

// A reserve is room on the disk that only closings and gaps may use: a file that is given up when they
// need it. It is not safe for concurrent use.
type reserve struct {
	path string
	size int64
	held bool
}

func newReserve(dir string, size int64) *reserve {
	return &reserve{path: filepath.Join(dir, "reserve"), size: size}
}

// take makes the file, unless it is there. Its bytes are random, so that no file system saves them.
func (r *reserve) take() error {
	if info, err := os.Stat(r.path); err == nil && info.Size() == r.size {
		r.held = true
		return nil
	}
	f, err := os.OpenFile(r.path, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err == nil {
		_, err = io.CopyN(f, rand.NewChaCha8([32]byte{}), r.size)
		err = errors.Join(err, f.Sync(), f.Close())
	}
	if err != nil {
		return errors.Join(fmt.Errorf("make reserve: %w", err), r.giveUp())
	}
	r.held = true
	return nil
}

func (r *reserve) giveUp() error {
	r.held = false
	if err := os.Remove(r.path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("give up reserve: %w", err)
	}
	return nil
}

// syncDir makes the names in a folder durable.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
