package schema

import (
	"encoding/json"
	"testing"
	"time"
)

func TestParseTime(t *testing.T) {
	for in, want := range map[string]string{
		"2026-04-01T12:00:00Z":              "2026-04-01T12:00:00.000000Z",
		"2026-04-01":                        "2026-04-01T00:00:00.000000Z",
		"2026-04-01T12:00:00.123456Z":       "2026-04-01T12:00:00.123456Z",
		"2026-04-01T12:00:00.1234569Z":      "2026-04-01T12:00:00.123456Z",
		"2026-04-01T14:00:00.5+02:00":       "2026-04-01T12:00:00.500000Z",
		"1900-01-01T00:00:00.0000009-00:00": "1900-01-01T00:00:00.000000Z",
		"1949-12-31T23:59:59.9999999Z":      "1949-12-31T23:59:59.999999Z",
		"2024-02-29":                        "2024-02-29T00:00:00.000000Z",
	} {
		got, err := ParseTime(in)
		if err != nil || got.String() != want {
			t.Errorf("%s: %s, %v, want %s", in, got, err, want)
		}
	}
	for _, in := range []string{"", "now", "2026-04-01 12:00:00", "2026-02-29", "2026-04-01T12:00Z", "2026-04-01T24:00:00Z", "2026-04-01T12:00:00", "20260401", " 2026-04-01"} {
		if got, err := ParseTime(in); err == nil || !got.IsZero() {
			t.Errorf("%q: %s, %v", in, got, err)
		}
	}
}

// A time is the same after text, after JSON, and in any zone.
func TestTimeRoundTrip(t *testing.T) {
	zone := time.FixedZone("invented", -7*3600)
	for _, in := range []time.Time{
		time.Date(2026, 4, 1, 5, 0, 0, 123456789, zone), time.Date(1900, 1, 1, 0, 0, 0, 0, time.UTC),
		time.Date(1949, 12, 31, 23, 59, 59, 999999999, time.UTC), time.Date(2199, 12, 31, 23, 59, 59, 999999999, time.UTC),
	} {
		at := At(in)
		if at.After(in) || in.Sub(at.Time) >= time.Microsecond || at.Location() != time.UTC {
			t.Errorf("At(%s) is %s", in, at)
		}
		parsed, err := ParseTime(at.String())
		if err != nil || parsed != at {
			t.Errorf("%s parses to %s, %v", at, parsed, err)
		}
		b, err := json.Marshal(map[string]Time{"t": at})
		if err != nil || string(b) != `{"t":"`+at.String()+`"}` {
			t.Errorf("JSON is %s, %v", b, err)
		}
		var back map[string]Time
		if err := json.Unmarshal(b, &back); err != nil || back["t"] != at {
			t.Errorf("JSON %s gives %v, %v", b, back, err)
		}
		text, err := at.MarshalText()
		var fromText Time
		if err != nil || fromText.UnmarshalText(text) != nil || fromText != at {
			t.Errorf("text %s gives %s, %v", text, fromText, err)
		}
	}
}

func TestUnknownTime(t *testing.T) {
	var zero Time
	b, err := json.Marshal(zero)
	if err != nil || string(b) != `""` || zero.String() != "" || zero.InRange() {
		t.Errorf("the unknown time is %s, %v", b, err)
	}
	for _, in := range []string{`""`, `null`} {
		got := At(time.Now())
		if err := json.Unmarshal([]byte(in), &got); err != nil || !got.IsZero() {
			t.Errorf("%s: %s, %v", in, got, err)
		}
	}
	for _, in := range []string{`1`, `"`, `{}`, `"x"`, `true`} {
		var got Time
		if err := got.UnmarshalJSON([]byte(in)); err == nil {
			t.Errorf("%s is a time: %s", in, got)
		}
	}
}
