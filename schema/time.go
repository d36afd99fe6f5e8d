package schema

import (
	"fmt"
	"time"
)

// TimeLayout is the one form of a time on the wire: UTC, microseconds, always six digits.
const TimeLayout = "2006-01-02T15:04:05.000000Z"

// Time is an instant in UTC, in whole microseconds: the resolution of DateTime64(6), so that what was
// sent and what was stored are equal. The zero Time is "not known" and marshals as "".
type Time struct{ time.Time }

// At returns t in UTC, cut to microseconds.
func At(t time.Time) Time { return Time{t.UTC().Truncate(time.Microsecond)} }

// ParseTime reads RFC 3339, with any offset and up to nine decimals (cut to six), or a date alone
// ("2026-04-01", its first instant in UTC).
func ParseTime(s string) (Time, error) {
	if t, err := time.Parse(time.DateOnly, s); err == nil {
		return At(t), nil
	}
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		return Time{}, fmt.Errorf("time %q: want RFC 3339, for example 2026-04-01T12:00:00Z, or a date", s)
	}
	return At(t), nil
}

// InRange says whether t lies in [MinTime, MaxTime): from 1900 to 2199. The zero Time does not.
func (t Time) InRange() bool { return !t.Before(minTime) && t.Before(maxTime) }

var (
	minTime = time.Date(1900, 1, 1, 0, 0, 0, 0, time.UTC)
	maxTime = time.Date(2200, 1, 1, 0, 0, 0, 0, time.UTC)
)

func (t Time) String() string {
	if t.IsZero() {
		return ""
	}
	return t.Format(TimeLayout)
}

// MarshalText writes TimeLayout, or nothing for the zero Time.
func (t Time) MarshalText() ([]byte, error) { return []byte(t.String()), nil }

// UnmarshalText reads what ParseTime reads; empty is the zero Time.
func (t *Time) UnmarshalText(b []byte) error {
	if len(b) == 0 {
		*t = Time{}
		return nil
	}
	parsed, err := ParseTime(string(b))
	if err != nil {
		return err
	}
	*t = parsed
	return nil
}

// MarshalJSON writes the text form as a JSON string; it hides time.Time's own.
func (t Time) MarshalJSON() ([]byte, error) { return []byte(`"` + t.String() + `"`), nil }

// UnmarshalJSON reads the text form; null is the zero Time.
func (t *Time) UnmarshalJSON(b []byte) error {
	if string(b) == "null" {
		*t = Time{}
		return nil
	}
	if len(b) < 2 || b[0] != '"' || b[len(b)-1] != '"' {
		return fmt.Errorf("time: want a string")
	}
	return t.UnmarshalText(b[1 : len(b)-1])
}
