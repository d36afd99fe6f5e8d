package pgtap

import (
	"context"
	"encoding/binary"
	"errors"
)

// A regret is the end of results that the server has finished, and that turn out not to be recorded. They go to nobody. What
// the client is told instead has to be true of its transaction: when it is open, it is made to fail in the server; when it has
// been committed and has changed nothing, an error is as good; else the session ends, as when a connection is lost.
type regret struct {
	cause error // nil while there is none
	rest  int   // bytes of a message that go to nobody
}

// regretting begins the regret of what has been looked at. It returns the cause when nothing but the end of the session is true.
func (b *back) regretting(ctx context.Context, cause error) error {
	if !errors.Is(cause, errNotRecorded) || b.torn || b.large != nil || b.asking.of != nil {
		return cause
	}
	b.tap.metrics.Blocked.Inc()
	if err := b.unhold(); err != nil {
		return err
	}
	b.regret = regret{cause: cause}
	if b.plan.recordsElectors() {
		b.plan = unseenPlan
		b.harvest.empty()
	}
	if b.long.active {
		b.passing, b.long.active = b.long.rest, false
	}
	b.clear = b.scanned
	return b.mute(ctx, true)
}

// mute lets nothing go of what has been looked at but what belongs to no result, until the end of the request. beginning says that results
// come after what went on before them.
func (b *back) mute(ctx context.Context, beginning bool) error {
	var kept []byte
	region := b.in.data[b.in.from : b.in.from+b.scanned]
	n := min(b.regret.rest, len(region))
	b.regret.rest -= n
	region = region[n:]
	ready := -1
	for len(region) > 0 {
		if ready >= 0 {
			return b.regret.cause // the client has asked on, and been answered
		}
		total := 1 + int(binary.BigEndian.Uint32(region[1:]))
		message := region[:min(total, len(region))]
		switch kind := region[0]; kind {
		case 'Z':
			ready = int(region[headerSize])
		case 'S', 'A', 'N':
			kept = append(kept, message...)
			if len(message) < total {
				return b.regret.cause
			}
		case '1', '2', '3', 't', 'T', 'n':
			if beginning {
				kept = append(kept, message...)
			}
		default:
			beginning = false
		}
		b.regret.rest = total - len(message)
		region = region[len(message):]
	}
	b.in.from += b.scanned
	b.scanned, b.clear, b.rowsAt = 0, 0, 0
	if ready < 0 {
		return b.tell(kept)
	}
	return b.atone(ctx, byte(ready), kept)
}

// answers says whether the end of a request is among what has been looked at, and nobody else knows it.
func (b *back) answers() bool {
	for region := b.in.data[b.in.from : b.in.from+b.scanned]; len(region) >= headerSize; {
		if region[0] == 'Z' {
			return true
		}
		region = region[min(1+int(binary.BigEndian.Uint32(region[1:])), len(region)):]
	}
	return false
}

func (b *back) tell(message []byte) error {
	if len(message) == 0 {
		return nil
	}
	if _, err := b.client.Write(message); err != nil {
		b.torn = true
		return clientError{err}
	}
	return nil
}

// atone ends a regret at the end of the request.
func (b *back) atone(ctx context.Context, status byte, kept []byte) error {
	cause := b.regret.cause
	if status == 'I' && b.wrote.last {
		return cause
	}
	if status == 'T' {
		var items []item
		for _, kind := range []byte("CPBES") {
			items = append(items, item{kind: kind, flags: swallow | ours})
		}
		items[4].flags = ours
		raised, err := b.track.ask(items, func() error {
			b.toServer.Lock()
			defer b.toServer.Unlock()
			_, err := b.server.Write(own(raiseExtended(), 'S', ""))
			return err
		})
		if err != nil {
			return serverError{err}
		}
		if !raised {
			return cause
		}
	}
	b.regret = regret{}
	kept = append(kept, errorMessage("ERROR", fullCode, fullMessage, fullHint)...)
	if status != 'T' {
		kept = append(kept, 'Z', 0, 0, 0, 5, status)
	}
	return b.tell(kept)
}
