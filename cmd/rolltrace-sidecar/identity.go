package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/nats-io/nkeys"
)

// readIdentity reads the nkey that a sidecar signs with.
func readIdentity(path string) (nkeys.KeyPair, error) {
	seed, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read identity: %w", err)
	}
	identity, err := nkeys.FromSeed(bytes.TrimSpace(seed))
	if err != nil {
		return nil, fmt.Errorf("read identity %s: want the seed of an nkey (it begins with SU): %w", path, err)
	}
	return identity, nil
}

// makeIdentity reads the nkey, and makes one if there is none.
func makeIdentity(path string) (nkeys.KeyPair, error) {
	identity, err := readIdentity(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return identity, err
	}
	made, err := nkeys.CreateUser()
	if err != nil {
		return nil, fmt.Errorf("make identity: %w", err)
	}
	seed, err := made.Seed()
	if err != nil {
		return nil, fmt.Errorf("make identity: %w", err)
	}
	if err := publish(path, append(seed, '\n')); err != nil {
		return nil, fmt.Errorf("make identity: %w", err)
	}
	return readIdentity(path) // that of whoever was first
}

// publish puts a file there whole and synced, unless there is one.
func publish(path string, content []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	file, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*") // mode 0600
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(file.Name()) }()
	_, err = file.Write(content)
	if err = errors.Join(err, file.Sync(), file.Close()); err != nil {
		return err
	}
	if err := os.Link(file.Name(), path); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return nil
}
