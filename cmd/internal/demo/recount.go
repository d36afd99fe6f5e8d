package demo

import (
	_ "embed"
	"fmt"
	"os"
)

// RecountFile is the script, in the data folder, that counts again what a demo says.
const RecountFile = "recount.sh"

//go:embed recount.sh
var recount []byte

// writeRecount leaves the script beside the files that it reads.
func (s *stage) writeRecount() error {
	if err := os.WriteFile(s.path(RecountFile), recount, 0o700); err != nil {
		return fmt.Errorf("write %s: %w", RecountFile, err)
	}
	return nil
}
