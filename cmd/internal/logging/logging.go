package logging

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/mattn/go-isatty"
	"github.com/rs/zerolog"
)

// Level is how much is logged.
type Level struct{ level zerolog.Level }

// The levels that a configuration can ask for.
var (
	Debug = Level{zerolog.DebugLevel}
	Info  = Level{zerolog.InfoLevel}
	Warn  = Level{zerolog.WarnLevel}
	Error = Level{zerolog.ErrorLevel}
)

// UnmarshalText reads debug, info, warn or error.
func (l *Level) UnmarshalText(text []byte) error {
	for _, known := range []Level{Debug, Info, Warn, Error} {
		if string(text) == known.String() {
			*l = known
			return nil
		}
	}
	return fmt.Errorf("%q: want debug, info, warn or error", text)
}

// MarshalText is the level's name.
func (l Level) MarshalText() ([]byte, error) { return []byte(l.String()), nil }

func (l Level) String() string { return l.level.String() }

// Format is the form of a log line.
type Format string

// The formats.
const (
	Auto    Format = "auto"    // console on a terminal, JSON otherwise
	JSON    Format = "json"    // one JSON object a line
	Console Format = "console" // for people
)

// UnmarshalText reads auto, json or console.
func (f *Format) UnmarshalText(text []byte) error {
	switch got := Format(text); got {
	case Auto, JSON, Console:
		*f = got
		return nil
	}
	return fmt.Errorf("%q: want auto, json or console", text)
}

// MarshalText is the format's name.
func (f Format) MarshalText() ([]byte, error) { return []byte(f), nil }

func (f Format) String() string { return string(f) }

// Config is the part of a program's configuration that is about its log. Embed it as a field named Log
// with the key "log".
type Config struct {
	// Level is the lowest level that is written. Defaults to info.
	Level Level `yaml:"level" doc:"lowest level that is written: debug, info, warn, error"`
	// Format is the form of a line. Defaults to auto.
	Format Format `yaml:"format" doc:"auto (console on a terminal, JSON otherwise), json, console"`
}

// Default is info, auto.
func Default() Config { return Config{Level: Info, Format: Auto} }

// zerolog keeps formats in package variables: they are set once, to the same values, by whoever comes
// first.
var formats = sync.OnceFunc(func() {
	zerolog.TimeFieldFormat = "2006-01-02T15:04:05.000000Z07:00"
	zerolog.TimestampFunc = func() time.Time { return time.Now().UTC() }
	zerolog.DurationFieldUnit = time.Millisecond
	zerolog.DurationFieldInteger = false
	zerolog.ErrorFieldName = "error"
	zerolog.MessageFieldName = "message"
})

// New is the program's logger. It writes to w, which is stderr: stdout is for answers. Concurrent use is
// safe when w is an *os.File; for another writer give one that is.
func New(w io.Writer, program string, cfg Config) zerolog.Logger {
	formats()
	if cfg.Format == Console || cfg.Format != JSON && Terminal(w) {
		w = zerolog.ConsoleWriter{Out: w, TimeFormat: "15:04:05.000", NoColor: !Terminal(w) || os.Getenv("NO_COLOR") != "",
			FormatLevel: func(level any) string { return fmt.Sprintf("%-5s", strings.ToLower(fmt.Sprint(level))) }}
	}
	return zerolog.New(w).Level(cfg.Level.level).With().Timestamp().Str("program", program).Logger()
}

// Terminal says whether w (or an io.Reader given as any) is a terminal.
func Terminal(w any) bool {
	f, ok := w.(*os.File)
	return ok && isatty.IsTerminal(f.Fd())
}
