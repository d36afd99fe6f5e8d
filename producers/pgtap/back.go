package pgtap

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/rolltrace/rolltrace/producers"
	"github.com/rolltrace/rolltrace/schema"
)

const (
	// maxRow is the longest row, in bytes, that is held as a whole; of a longer one the front goes on when the outbox has it.
	maxRow = 256 << 10
	// holdBytes is how much of a result that goes on is held to see whether it is a small one.
	holdBytes = 128 << 10
	// holdTime is how long: a result that comes slowly is let go piece by piece.
	holdTime = 5 * time.Millisecond
	// exportCut is how much of a large result goes to the outbox at once while an earlier piece is on its way there.
	exportCut = 512 << 10
	// maxCopyRow is the longest row of a COPY, in bytes, that is held as a whole; a longer one is counted as one without an
	// identifier.
	maxCopyRow = 16 << 20
	// maxControl is the longest message, in bytes, that has to be read as a whole: a RowDescription of 1,600 columns.
	maxControl = 1 << 20
)

// A back reads what the server sends, records the electors in it, and sends it on to the client.
type back struct {
	*session
	in      buffer
	scanned int // bytes after in.from that were looked at
	clear   int // of them, those that may go on when what was read of them is durable
	passing int // bytes of a message's body that go on unseen

	plan    *plan    // of the result whose rows come
	keyers  []Keyer  // of its sets
	harvest harvest  // what was read of it
	flow    flow     // where it goes
	large   *export  // the movement of its own, if it is a large one
	holding bool     // its rows are held until it ends, or is large
	batches []*batch // of results that have ended: to be waited for
	rowsAt  int      // bytes after in.from where rows begin that are not recorded
	// refusing is the result that is being refused.
	refusing *refusal
	torn     bool    // what has gone to the client ends within a message
	long     longRow // a row that is too long to be held
	rows     rows    // of a COPY

	described *plan     // of the portal that was described last
	hidden    hidden    // a result that is the tap's alone
	returned  *pile     // what came back of the rows that the statement has changed
	waiting   []pending // of a transaction that has committed: recorded when the request has ended
	recorded  []pending // that are on their way to the outbox
	asking    asking
	regret    regret
	wrote     struct{ now, last bool } // something other than reading was done: in this request, and in the one before
	changed   bool                     // names may stand for something else when the transaction has committed
	refined   struct {                 // the plan that was refined last
		from, to *plan
		by       *Reading
	}
	last struct {
		body       []byte // RowDescription that was traced last
		generation uint64
		plan       *plan
	}
	part    int // of the statements of a Query: how many have ended
	columns []Column
	origins []Origin
}

// run ends with nil when the server has ended the session.
func (b *back) run(ctx context.Context) (err error) {
	defer func() { err = b.finish(err) }()
	for {
		switch err := b.server.fill(&b.in); {
		case errors.Is(err, os.ErrDeadlineExceeded):
			if err := b.woken(ctx); err != nil {
				return err
			}
		case err != nil:
			return serverError{err}
		}
		b.heard.Add(1)
		if err := b.work(ctx); err != nil {
			return err
		}
	}
}

// work looks at what has come, and lets it go.
func (b *back) work(ctx context.Context) error {
	for {
		if b.refusing != nil {
			if more, err := b.refused(); err != nil || !more {
				return err
			}
		}
		again, err := b.scan(ctx)
		if err != nil {
			return err
		}
		if err := b.let(ctx); err != nil {
			return err
		}
		if !again && b.refusing == nil {
			return nil
		}
	}
}

// woken is called when the deadline of a read has passed: held rows are let go, or the tap ends.
func (b *back) woken(ctx context.Context) error {
	if err := b.server.SetReadDeadline(time.Time{}); err != nil {
		return err
	}
	if b.holding {
		b.holding = false
		if b.large == nil {
			return b.enlarge(ctx)
		}
		return b.piece(ctx)
	}
	if b.tap.draining() && b.restful() {
		_ = b.client.SetWriteDeadline(time.Now().Add(time.Second))
		_, _ = b.client.Write(errorMessage("FATAL", "57P01", "terminating connection due to administrator command", "")) // who has gone needs no farewell
		return errDrained
	}
	return nil
}

// restful says whether nothing is under way.
func (b *back) restful() bool {
	return b.track.idle() && b.status.Load() == 'I' && b.in.to == b.in.from && b.passing == 0
}

// scan looks at messages. again says that a large result has ended, and there is more to look at.
func (b *back) scan(ctx context.Context) (again bool, err error) {
	for {
		at := b.in.from + b.scanned
		if at == b.in.to && b.passing == 0 {
			break
		}
		if b.hidden.drop > 0 {
			more, err := b.hide(at)
			if err != nil || !more {
				return false, err
			}
			continue
		}
		if b.passing > 0 {
			n := min(b.passing, b.in.to-at)
			b.passing -= n
			b.pass(n)
			if n == 0 {
				break
			}
			continue
		}
		if b.long.active {
			more, err := b.long.walk(b)
			if err != nil || !more {
				return false, err
			}
			continue
		}
		if b.in.to-at < headerSize {
			break
		}
		kind, length := b.in.data[at], int(binary.BigEndian.Uint32(b.in.data[at+1:]))
		if length < 4 || length > maxMessage+1<<20 {
			return false, fmt.Errorf("%w: the server sent a message of %d bytes", errProtocol, length)
		}
		total := 1 + length
		have := min(b.in.to-at, total)
		body := b.in.data[at+headerSize : at+have : at+have]
		switch kind {
		case 'D':
			if b.plan == nil && !b.hidden.active {
				if err := b.openPortal(ctx); err != nil {
					return false, err
				}
			}
			if b.hidden.active {
				more, err := b.hide(at)
				if err != nil || !more {
					return false, err
				}
				continue
			}
			if !b.plan.recordsElectors() {
				break
			}
			if b.harvest.records == 0 {
				b.rowsAt = b.scanned
			}
			if have < total && total <= maxRow {
				return b.ended(), nil
			}
			if have < total {
				b.long.begin(b, length-4)
				b.scanned += headerSize
				continue
			}
			if err := b.harvest.take(b.plan, body); err != nil {
				return false, err
			}
		case 'd':
			if b.plan == nil {
				return false, fmt.Errorf("%w: the server sent data of no COPY", errProtocol)
			}
			if b.plan.recordsElectors() {
				if b.harvest.records == 0 {
					b.rowsAt = b.scanned
				}
				if have < total && total <= maxCopyRow {
					return b.ended(), nil
				}
				if err := b.rows.take(b, body, have == total); err != nil {
					return false, err
				}
			}
		case 'A', 'N': // notices and notifications come at any time
		default:
			if have < total && total <= maxControl && kind != 'V' && (kind != 'E' || b.track.now().returns != nil) {
				return b.ended(), nil
			}
			if kind == 'R' && b.unbound && have == total {
				total = b.unbind(at, total)
				have = total
				body = b.in.data[at+headerSize : at+have : at+have]
			}
			large := b.large
			fate, edits, err := b.control(ctx, kind, body, have == total)
			if err != nil {
				return false, err
			}
			switch {
			case fate != goesOn && have < total:
				return false, fmt.Errorf("%w: the server sent a description of %d bytes", errProtocol, total)
			case fate == isSwallowed:
				b.remove(at, at+total)
				continue
			case fate == isNoData:
				b.remove(at+copy(b.in.data[at:], noData), at+total)
				total = len(noData)
				have = total
			case len(edits) > 0 && have == total:
				total = b.shift(at, total, edits)
				have = total
			}
			if large != nil && b.plan == nil {
				b.pass(have)
				b.passing = total - have
				return true, b.endLarge(ctx)
			}
		}
		b.pass(have)
		b.passing = total - have
	}
	return b.ended(), nil
}

// finish ends what is open when the session ends.
func (b *back) finish(err error) error {
	for _, batch := range b.batches { // somebody else may wait for us to lead
		_ = batch.wait(context.Background())
	}
	if b.large != nil {
		fault := err
		if fault == nil {
			fault = errProtocol
		}
		if failed := b.large.end(fault); err == nil || errors.Is(failed, errNotRecorded) {
			err = failed
		}
		b.torn = b.large.torn
		b.large = nil
	}
	b.drop()
	b.in.free()
	return err
}

// drop gives up what was kept for commits that will not come.
func (b *back) drop() {
	b.returned.drop()
	b.hidden.pile.drop()
	for _, deeds := range [][]pending{b.state.deeds, b.waiting} {
		for _, d := range deeds {
			d.pile.drop()
		}
	}
	if e := b.track.entered(); e != nil {
		e.pile.drop()
	}
}

// look makes the next read return at once, to see whether the tap ends.
func (b *back) look() { _ = b.server.SetReadDeadline(time.Now()) }

// newRecorder makes the recorder of a session: it records as the database's user at the client's address.
func newRecorder(cfg Config, by schema.RecordedBy) (*producers.Recorder, error) {
	return producers.NewRecorder(producers.RecorderConfig{Outbox: cfg.Outbox, RecordedBy: by})
}
