//go:build !unix

package outbox

import "math"

// diskFree is not known here: a write that fails tells.
func diskFree(string) int64 { return math.MaxInt64 }
