package producers

import (
	"errors"
	"fmt"
	"maps"
	"strconv"

	"github.com/google/uuid"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/rolltrace/rolltrace/schema/wire"
)

// Small messages go in groups: a hub that syncs always syncs each message that comes alone, and a group (an atomic
// batch of JetStream: all of it or none, acknowledged when it is on disk) a few times, whatever its size. A group that
// the hub does not take goes message by message: after a fault it may have some of them, and takes no group with a
// message that it has.
const (
	groupMessages = 256       // at most; the server takes 1000
	groupBytes    = 512 << 10 // likewise, and less than this waits to be sent besides what was read last
	groupMessage  = 64 << 10  // a larger message costs more to write twice, as a group's are, than to sync
	groupLeast    = 12        // fewer are quicker alone
	groupsOpen    = 2         // flights in the air while which a group waits for more messages
)

// Headers of atomic batches, and the error of a stream that is not set up for them. The server keeps the headers.
const (
	headerGroup         = "Nats-Batch-Id"
	headerGroupSequence = "Nats-Batch-Sequence"
	headerGroupCommit   = "Nats-Batch-Commit"

	codeGroupsDisabled jetstream.ErrorCode = 10174
)

// errGroup: the hub refused a group, which says nothing of its messages.
var errGroup = errors.New("group refused")

// knowsGroups says whether a server of this version (2.12 or later) knows atomic batches. An earlier one would take
// the messages of a group one by one, and acknowledge the last alone.
func knowsGroups(version string) bool {
	var major, minor int
	if _, err := fmt.Sscanf(version, "%d.%d", &major, &minor); err != nil {
		return false
	}
	return major > 2 || major == 2 && minor >= 12
}

// waiting is a message that was read from the outbox and not sent.
type waiting struct {
	wire.Message
	size     int
	position uint64 // of its batch
	last     bool   // of its batch
}

// A flight is a message, or a group, that waits for its acknowledgement.
type flight struct {
	ack      jetstream.PubAckFuture
	messages int
	bytes    int
	end      uint64 // position of the last batch that ends in it, or 0
}

func (r *run) take(b Batch) {
	for i, m := range b.Messages {
		size := m.Size()
		r.waiting = append(r.waiting, waiting{m, size, b.Position, i == len(b.Messages)-1})
		r.waitingBytes += size
	}
}

// ready is how many of the waiting messages go now, together.
func (r *run) ready() int {
	if len(r.waiting) == 0 {
		return 0
	}
	n, bytes := 0, 0
	for n < len(r.waiting) && n < groupMessages && r.mayGroup(&r.waiting[n]) && bytes+r.waiting[n].size <= min(groupBytes, r.window) {
		bytes += r.waiting[n].size
		n++
	}
	open := n == len(r.waiting) && n < groupMessages // more could come
	if n < groupLeast {
		n, bytes = 1, r.waiting[0].size
	}
	switch {
	case len(r.flying) == 0:
		return n
	case open && len(r.flying) >= groupsOpen, r.messages+n > r.cfg.MaxMessages, r.bytes+bytes > r.window:
		return 0
	}
	return n
}

func (r *run) mayGroup(w *waiting) bool {
	return r.together && w.position > r.alone && w.size <= groupMessage
}

// publish sends the first n waiting messages.
func (r *run) publish(n int) error {
	group := r.waiting[:n]
	r.sent = group[n-1].position
	one := flight{messages: n}
	id := ""
	if n > 1 {
		id = uuid.NewString()
	}
	for i, w := range group {
		m := &nats.Msg{Subject: r.cfg.Exercise.Subject(w.Subject), Header: nats.Header(w.Header), Data: w.Body}
		if n > 1 {
			m.Header = maps.Clone(m.Header)
			m.Header[headerGroup] = []string{id}
			m.Header[headerGroupSequence] = []string{strconv.Itoa(i + 1)}
		}
		one.bytes += w.size
		if w.last {
			one.end = w.position
		}
		if i < n-1 {
			if err := r.cfg.Conn.PublishMsg(m); err != nil {
				return r.explain(err)
			}
			continue
		}
		if n > 1 {
			m.Header[headerGroupCommit] = []string{"1"}
		}
		ack, err := r.js.PublishMsgAsync(m)
		if err != nil {
			return r.explain(err)
		}
		one.ack = ack
	}
	clear(group)
	r.waiting = r.waiting[n:]
	r.waitingBytes -= one.bytes
	r.flying = append(r.flying, one)
	r.messages += n
	r.bytes += one.bytes
	return nil
}

// refused marks what the hub said of a group, and learns from it.
func (r *run) refused(err error) error {
	var api *jetstream.APIError
	if r.flying[0].messages == 1 || !errors.As(err, &api) {
		return err
	}
	if api.ErrorCode == codeGroupsDisabled {
		r.apart = true
	}
	return fmt.Errorf("%w: %w", errGroup, err)
}
