package pgtap

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/rolltrace/rolltrace/producers"
)

// What a client is told when the outbox does not take what has to be recorded.
const (
	fullCode    = "53100"
	fullMessage = "the electors in this result could not be recorded"
	fullHint    = "The outbox of the sidecar is full or out of order."
)

// A refusal is a result that is ended in the middle because its electors could not be recorded: the server is told to
// cancel it, what still comes of it goes to nobody, and the client gets an error of its own in place of the server's.
type refusal struct {
	cause    error
	rest     int           // bytes of a message that go to nobody
	canceled chan struct{} // closed when the server has the cancel request
}

// refuse begins the refusal of the result whose rows come. It returns the cause when it is too late: then the session ends.
func (b *back) refuse(ctx context.Context, cause error) error {
	if !errors.Is(cause, errNotRecorded) {
		return cause
	}
	b.tap.metrics.Blocked.Inc()
	if b.torn || b.plan == nil || b.key.Load() == nil {
		return cause
	}
	if err := b.unhold(); err != nil {
		return err
	}
	r := &refusal{cause: cause, rest: b.passing, canceled: make(chan struct{})}
	if b.long.active {
		r.rest, b.long.active = b.long.rest, false
	}
	b.passing = 0
	b.in.from += b.scanned
	b.scanned, b.clear, b.rowsAt = 0, 0, 0
	b.harvest.empty()
	b.refusing = r
	go func() {
		defer close(r.canceled)
		b.stop(context.WithoutCancel(ctx))
	}()
	return nil
}

// refused looks at what comes of a refused result. more says that it has ended, and the client knows.
func (b *back) refused() (more bool, err error) {
	r := b.refusing
	for {
		n := min(r.rest, b.in.to-b.in.from)
		b.in.from += n
		if r.rest -= n; r.rest > 0 || b.in.to-b.in.from < headerSize {
			return false, nil
		}
		at := b.in.from
		kind, length := b.in.data[at], int(binary.BigEndian.Uint32(b.in.data[at+1:]))
		if length < 4 || length > maxMessage+1<<20 {
			return false, fmt.Errorf("%w: the server sent a message of %d bytes", errProtocol, length)
		}
		total := 1 + length
		switch kind {
		case 'D', 'd', 'c':
		case 'N', 'A', 'S', 'E':
			if total > maxControl {
				break
			}
			if b.in.to-at < total {
				return false, nil
			}
			message := b.in.data[at : at+total]
			if kind == 'E' {
				if r := b.track.answer('E'); r.item.kind == 0 {
					break // the server ends the session
				}
				<-r.canceled // else it could meet the next statement
				message = errorMessage("ERROR", fullCode, fullMessage, fullHint)
			}
			if _, err := b.client.Write(message); err != nil {
				return false, clientError{err}
			}
			b.in.from += total
			if kind == 'E' {
				b.refusing, b.plan = nil, nil
				return true, nil
			}
			continue
		default:
			return false, r.cause // it has ended before the server could cancel it
		}
		r.rest = total
	}
}

// settled takes note of whether the outbox has taken something.
func (l *ledger) settled(err error) {
	switch {
	case err == nil:
		if l.refusedAt.Load() != 0 {
			l.refusedAt.Store(0)
		}
	case errors.Is(err, producers.ErrFull), errors.Is(err, producers.ErrBroken):
		l.refusedAt.Store(time.Now().UnixNano())
	}
}

// refuses says whether what has to be recorded would not be: the outbox has refused it lately, and nobody tries again.
func (l *ledger) refuses() bool {
	at := l.refusedAt.Load()
	if at == 0 {
		return false
	}
	now := time.Now().UnixNano()
	return now-at < int64(l.cfg.Retry) || !l.refusedAt.CompareAndSwap(at, now)
}

// A raise is what a statement is replaced by while the outbox takes nothing: it raises the error in the server, so that the
// transaction is what the client takes it for.
const raise = "DO $rolltrace$BEGIN RAISE EXCEPTION USING ERRCODE = '" + fullCode + "', MESSAGE = '" + fullMessage + "', HINT = '" + fullHint + "'; END$rolltrace$"

// raiseName is what the tap's own prepared statement and portal are called.
const raiseName = "rolltrace_full"

// refuses says whether a statement is to be replaced: what it does would have to be recorded, and would not be.
func (f *front) refuses(s *Statement) bool {
	cfg := f.tap.cfg
	if cfg.Catalogue == nil || s == nil || f.tap.ledger.refusedAt.Load() == 0 || !f.matters(s) && !f.commits(s) || !f.tap.ledger.refuses() {
		return false
	}
	f.tap.metrics.Blocked.Inc()
	return true
}

// commits says whether a statement commits what would have to be recorded then.
func (f *front) commits(s *Statement) bool {
	for i := range s.Parts {
		if s.Parts[i].Commits && f.owes.Load() {
			return true
		}
	}
	return false
}

// matters says whether a statement reads or changes configured tables, as far as that can be told before.
func (f *front) matters(s *Statement) bool {
	session := f.naming()
	for i := range s.Parts {
		part := &s.Parts[i]
		if part.Unknown {
			return len(f.tap.cfg.Catalogue.Places(session.Database)) > 0
		}
		if part.Query == nil {
			continue
		}
		read, err := f.tap.cfg.Catalogue.Read(context.Background(), session, part.Query)
		if err != nil || read == nil || len(read.Reads) > 0 || len(read.Also) > 0 || len(read.Deeds) > 0 {
			return true // what cannot be told is looked at when it comes back
		}
		for _, o := range read.Origins {
			if o.Place != "" {
				return true
			}
		}
	}
	return false
}

// replace puts messages in the place of the one at a position.
func (f *front) replace(at, length int, messages []byte) {
	f.put(at, messages)
	f.in.from = at + length
}

// own is a message of the tap's.
func own(dst []byte, kind byte, body string) []byte {
	return append(binary.BigEndian.AppendUint32(append(dst, kind), uint32(4+len(body))), body...)
}

// raiseSimple and raiseExtended are the replacements of a Query and of an Execute.
func raiseSimple() []byte { return own(nil, 'Q', raise+"\x00") }

func raiseExtended() []byte {
	m := own(nil, 'C', "S"+raiseName+"\x00")
	m = own(m, 'P', raiseName+"\x00"+raise+"\x00\x00\x00")
	m = own(m, 'B', raiseName+"\x00"+raiseName+"\x00\x00\x00\x00\x00\x00\x00")
	return own(m, 'E', raiseName+"\x00\x00\x00\x00\x00")
}
