//go:build !linux

package embedded

import (
	"errors"
	"os"
)

func openTerminal() (*os.File, error) { return nil, errors.ErrUnsupported }
