package consumers

import (
	"context"
	"errors"
	"sync"

	"github.com/rolltrace/rolltrace/schema"
	"github.com/rolltrace/rolltrace/schema/wire"
)

// A decoded is an entry with what it says, or why that is not known.
type decoded struct {
	*entry
	record wire.Record
	reject *wire.Reject
	keys   []schema.Key // the room that the record's keys are in
	done   chan struct{}
}

// decoding checks signatures and bodies in several goroutines, which is most of the work on small messages, and
// hands the entries on in their order.
type decoding struct {
	decoders int
	rooms    sync.Pool // of []schema.Key, each for a whole chunk
}

func (d *decoding) run(ctx context.Context, in <-chan *entry, out chan<- *decoded) {
	work := make(chan *decoded, d.decoders)
	var workers sync.WaitGroup
	for range d.decoders {
		workers.Go(func() {
			for m := range work {
				d.decode(m)
				close(m.done)
			}
		})
	}
	defer workers.Wait()
	defer close(work)
	defer close(out)
	for e := range in {
		m := &decoded{entry: e, done: make(chan struct{})}
		select {
		case work <- m:
		case <-ctx.Done():
			return
		}
		select {
		case out <- m:
		case <-ctx.Done():
			return
		}
	}
}

func (d *decoding) decode(m *decoded) {
	var room []schema.Key
	if address, err := wire.ParseSubject(m.message.Subject); err == nil && address.Type == wire.TypeElectors {
		if kept, ok := d.rooms.Get().(*[]schema.Key); ok {
			room = *kept
		} else {
			room = make([]schema.Key, 0, schema.MaxChunkKeys)
		}
		m.keys = room
	}
	var err error
	m.record, err = wire.DecodeInto(room, m.message.Subject, m.message.Header, m.message.Body)
	if err != nil && !errors.As(err, &m.reject) {
		m.reject = &wire.Reject{Code: wire.Invalid, Reason: "not decoded"}
	}
}

// release takes the room of the record's keys back: nobody may use them any more.
func (d *decoding) release(m *decoded) {
	if room := m.keys; room != nil {
		m.keys = nil
		d.rooms.Put(&room)
	}
}
