package outbox

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"

	"golang.org/x/sys/unix"
)

// blockBytes is read at once: a page, which every disk's own blocks are parts of.
const blockBytes = 4096

// A block is a file that is read from the disk each time, past the page cache.
type block struct {
	file   *os.File
	memory []byte // at the beginning of a page, as such reads ask for
}

// openBlock opens the file, and makes it if it is not there or not whole. The error is of a file system that cannot, or of a
// full disk.
func openBlock(path string) (*block, error) {
	if info, err := os.Stat(path); err != nil || info.Size() != blockBytes {
		if err := makeBlock(path); err != nil {
			return nil, err
		}
	}
	file, err := os.OpenFile(path, os.O_RDONLY|unix.O_DIRECT, 0)
	if err != nil {
		return nil, fmt.Errorf("open block: %w", err)
	}
	memory, err := unix.Mmap(-1, 0, blockBytes, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open block: %w", err), file.Close())
	}
	return &block{file: file, memory: memory}, nil
}

// makeBlock writes the file: bytes that no file system saves.
func makeBlock(path string) error {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("make block: %w", err)
	}
	_, err = io.CopyN(file, rand.NewChaCha8([32]byte{}), blockBytes)
	if err = errors.Join(err, file.Sync(), file.Close()); err != nil {
		return errors.Join(fmt.Errorf("make block: %w", err), os.Remove(path))
	}
	return nil
}

func (b *block) read() error {
	_, err := b.file.ReadAt(b.memory, 0)
	return err
}

// close ends the use of a block, if there is one.
func (b *block) close() {
	if b != nil {
		_ = unix.Munmap(b.memory) // nobody else has it
		_ = b.file.Close()        // nothing was written
	}
}
