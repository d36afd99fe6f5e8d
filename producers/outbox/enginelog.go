package outbox

import (
	"fmt"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"
)

// engineLog takes what the embedded server says. A server that complains is not trusted to answer any more:
// then a write that does not come back soon is taken for failed.
type engineLog struct {
	log   zerolog.Logger
	last  atomic.Pointer[string] // the latest complaint
	at    atomic.Int64           // and when
	fatal atomic.Pointer[string] // why it cannot go on
}

func (l *engineLog) complainedSince(t time.Time) bool { return l.at.Load() >= t.UnixNano() }

func (l *engineLog) complain(format string, v []any) {
	said := fmt.Sprintf(format, v...)
	l.last.Store(&said)
	l.at.Store(time.Now().UnixNano())
	l.log.Debug().Str("server", said).Msg("embedded server complains")
}

func (l *engineLog) say(format string, v []any) {
	if l.log.GetLevel() <= zerolog.DebugLevel {
		l.log.Debug().Str("server", fmt.Sprintf(format, v...)).Msg("embedded server")
	}
}

// Errorf and the others make it the server's logger.
func (l *engineLog) Errorf(format string, v ...any) { l.complain(format, v) }

func (l *engineLog) Fatalf(format string, v ...any) {
	l.complain(format, v)
	l.fatal.Store(l.last.Load())
}

func (l *engineLog) Warnf(format string, v ...any)   { l.say(format, v) }
func (l *engineLog) Noticef(format string, v ...any) { l.say(format, v) }
func (l *engineLog) Debugf(format string, v ...any)  { l.say(format, v) }
func (l *engineLog) Tracef(string, ...any)           {}
