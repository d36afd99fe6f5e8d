//go:build !linux

package outbox

import "errors"

// A block is nothing here: no disk is kept awake.
type block struct{}

func openBlock(string) (*block, error) { return nil, errors.ErrUnsupported }

func (*block) read() error { return errors.ErrUnsupported }

func (*block) close() {}
