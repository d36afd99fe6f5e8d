package schema

import (
	"fmt"
	"strings"
)

// A Fault is one thing wrong with a value: the field as it stands on the wire, the value, and the limit
// that it broke.
type Fault struct {
	Field string
	Value string
	Limit string
}

// Error is for whoever wrote the value: it shows it, quoted and cut to 80 bytes.
func (f Fault) Error() string {
	value := f.Value
	if len(value) > 80 {
		value = value[:80] + "…"
	}
	return fmt.Sprintf("%s: %q: want %s", f.Field, value, f.Limit)
}

// Redacted is for whoever did not write the value: logs, the rejected stream. It leaves the value out,
// because a malformed value may hold an identifier.
func (f Fault) Redacted() string { return f.Field + ": want " + f.Limit }

// Faults is every fault of one value, in the order of its fields. A non-empty Faults is an error.
type Faults []Fault

func (fs Faults) Error() string    { return fs.join(Fault.Error) }
func (fs Faults) Redacted() string { return fs.join(Fault.Redacted) }

func (fs Faults) join(say func(Fault) string) string {
	said := make([]string, len(fs))
	for i, f := range fs {
		said[i] = say(f)
	}
	return strings.Join(said, "; ")
}
