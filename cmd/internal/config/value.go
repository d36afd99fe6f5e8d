package config

import (
	"errors"
	"fmt"
	"math"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"
)

// A Duration is a length of time. Its text has a unit: 500ms, 2s, 5m, 12h; "0" needs none. It is never
// negative.
type Duration time.Duration

// UnmarshalText reads a duration with its unit.
func (d *Duration) UnmarshalText(text []byte) error {
	parsed, err := time.ParseDuration(string(text))
	if err != nil || parsed < 0 {
		return fmt.Errorf("%q: want a length of time with its unit, for example 500ms, 30s or 5m", text)
	}
	*d = Duration(parsed)
	return nil
}

// MarshalText is what UnmarshalText reads.
func (d Duration) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// String leaves trailing zero units out: "5m", where time.Duration says "5m0s".
func (d Duration) String() string {
	s := time.Duration(d).String()
	if strings.HasSuffix(s, "m0s") {
		s = s[:len(s)-2]
	}
	if strings.HasSuffix(s, "h0m") {
		s = s[:len(s)-2]
	}
	return s
}

// Std is the duration as the standard library has it.
func (d Duration) Std() time.Duration { return time.Duration(d) }

// A Size is a number of bytes. Its text has a unit: B, kB, MB, GB, TB (powers of 1000), KiB, MiB, GiB, TiB
// (powers of 1024); "0" needs none.
type Size int64

var units = []struct {
	name  string
	bytes int64
}{
	{"TiB", 1 << 40}, {"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10},
	{"TB", 1e12}, {"GB", 1e9}, {"MB", 1e6}, {"kB", 1e3}, {"B", 1},
}

// UnmarshalText reads a size with its unit. Upper and lower case are one.
func (s *Size) UnmarshalText(text []byte) error {
	given := strings.TrimSpace(string(text))
	if given == "0" {
		*s = 0
		return nil
	}
	for _, unit := range units {
		at := len(given) - len(unit.name)
		if at < 1 || !strings.EqualFold(given[at:], unit.name) {
			continue
		}
		number, err := strconv.ParseFloat(strings.TrimSpace(given[:at]), 64)
		if err != nil || math.IsNaN(number) || number < 0 || number*float64(unit.bytes) >= math.MaxInt64 {
			break
		}
		*s = Size(number * float64(unit.bytes))
		return nil
	}
	return fmt.Errorf("%q: want a size with its unit, for example 64KiB, 512MiB or 20GB", text)
}

// MarshalText is what UnmarshalText reads.
func (s Size) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// String uses the largest unit that divides the size.
func (s Size) String() string {
	if s == 0 {
		return "0"
	}
	for _, unit := range units {
		if int64(s)%unit.bytes == 0 {
			return strconv.FormatInt(int64(s)/unit.bytes, 10) + unit.name
		}
	}
	return strconv.FormatInt(int64(s), 10) + "B"
}

// Int64 is the number of bytes.
func (s Size) Int64() int64 { return int64(s) }

// redacted stands where a secret would.
const redacted = "(redacted)"

// A Secret is a password, a token or a seed. It never shows itself: String, GoString, MarshalText and
// every error say "(redacted)". The text "file:/run/secrets/x" is the content of that file, without the
// last line break.
type Secret struct{ value string }

// UnmarshalText takes the text, or reads the file that it names.
func (s *Secret) UnmarshalText(text []byte) error {
	path, isFile := strings.CutPrefix(string(text), "file:")
	if !isFile {
		s.value = string(text)
		return nil
	}
	content, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("read secret: %w", err)
	}
	s.value = strings.TrimRight(string(content), "\r\n")
	if s.value == "" {
		return fmt.Errorf("read secret: %q is empty", path)
	}
	return nil
}

// Reveal is the secret itself, for the call that needs it.
func (s Secret) Reveal() string { return s.value }

// String is "(redacted)", or "" when there is no secret.
func (s Secret) String() string {
	if s.value == "" {
		return ""
	}
	return redacted
}

// GoString is String, for %#v.
func (s Secret) GoString() string { return s.String() }

// MarshalText is String, for JSON, YAML and logs.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// An Address is a URL that may carry credentials, such as nats://user:password@host:4222 or
// clickhouse://writer:password@host:9000/rolltrace. It shows itself without them. With ?password_file=PATH
// the password is what that file holds, without the last line break.
type Address struct{ value string }

// NewAddress makes an address of a URL, unchecked.
func NewAddress(value string) Address { return Address{value} }

// UnmarshalText reads one URL, or several separated by commas, or nothing.
func (a *Address) UnmarshalText(text []byte) error {
	parts := urls(string(text))
	for i, part := range parts {
		u, err := parseURL(part)
		if err != nil {
			return err
		}
		if u.Query().Has(passwordFile) {
			if parts[i], err = withPassword(u); err != nil {
				return err
			}
		}
	}
	a.value = strings.Join(parts, ",")
	return nil
}

// passwordFile is the query parameter of an address that names a file.
const passwordFile = "password_file"

// withPassword puts the password that the file of passwordFile holds into the URL.
func withPassword(u *url.URL) (string, error) {
	query := u.Query()
	var password Secret
	if err := password.UnmarshalText([]byte("file:" + query.Get(passwordFile))); err != nil {
		return "", fmt.Errorf("%s: %w", passwordFile, err)
	}
	if u.User == nil || u.User.Username() == "" {
		return "", fmt.Errorf("%s: the URL names no user: want scheme://user@host:port", passwordFile)
	}
	query.Del(passwordFile)
	u.User, u.RawQuery = url.UserPassword(u.User.Username(), password.Reveal()), query.Encode()
	return u.String(), nil
}

// urls cuts a list of URLs at its commas, but not a URL with several hosts (clickhouse://a:1,b:2/x).
func urls(text string) []string {
	var list []string
	for _, part := range strings.Split(text, ",") {
		if n := len(list); n > 0 && !strings.Contains(part, "://") {
			list[n-1] += "," + part
		} else if part != "" {
			list = append(list, part)
		}
	}
	return list
}

// parseURL has errors that do not repeat the URL: it may hold a password.
func parseURL(text string) (*url.URL, error) {
	u, err := url.Parse(text)
	if err != nil {
		var fault *url.Error
		if errors.As(err, &fault) {
			err = fault.Err
		}
		return nil, fmt.Errorf("not a URL: %w", err)
	}
	if u.Scheme == "" || u.Host == "" {
		return nil, errors.New("not a URL: want scheme://host:port")
	}
	return u, nil
}

// Reveal is the whole URL, with its credentials, for the call that needs it.
func (a Address) Reveal() string { return a.value }

// IsZero says whether no address was given.
func (a Address) IsZero() bool { return a.value == "" }

// String is the URL with its password left out, in the user part as in the query.
func (a Address) String() string { return RedactURL(a.value) }

// GoString is String, for %#v.
func (a Address) GoString() string { return a.String() }

// MarshalText is String, for JSON, YAML and logs.
func (a Address) MarshalText() ([]byte, error) { return []byte(a.String()), nil }

// RedactURL leaves the secrets out of a URL, or of several separated by commas, so that a log or an error
// may name it: the password, a user without one (a token), and query parameters that say they are secret.
// A text that is no URL is left out as a whole.
func RedactURL(text string) string {
	parts := urls(text)
	for i, part := range parts {
		u, err := url.Parse(part)
		if err != nil {
			parts[i] = redacted
			continue
		}
		if u.User != nil {
			if _, has := u.User.Password(); has {
				u.User = url.UserPassword(u.User.Username(), "redacted")
			} else {
				u.User = url.User("redacted")
			}
		}
		query := u.Query()
		for name := range query {
			switch strings.ToLower(name) {
			case "password", "token", "secret", "seed":
				query.Set(name, "redacted")
			}
		}
		if len(query) > 0 {
			u.RawQuery = query.Encode()
		}
		parts[i] = u.String()
	}
	return strings.Join(parts, ",")
}
