package outbox

import (
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Some disks fall asleep between two writes, those of virtual machines before all: a sync takes 0.06 ms when it follows
// another at once, and 0.3 to 0.7 ms after a rest of 0.1 ms. Whoever waits for the record before going on, as a
// tap's clients do, makes just such rests. Reading one block past the page cache, over and over, keeps the disk awake
// and wears nothing; but it costs a quarter of a processor and what the disk can do besides, which elsewhere is
// worth more. So the outbox tries both, and does what records more.

// awakeFor is how long after a frame was handed over or acknowledged the disk is kept awake. It bounds what is read for
// nothing when no more comes.
const awakeFor = time.Millisecond

// awake keeps the disk awake. The committer decides and stirs; another goroutine reads.
type awake struct {
	trial trial
	keep  bool // until the next commit

	began   time.Time    // what until counts from: the time of day may be set back
	until   atomic.Int64 // when reading ends
	wake    chan struct{}
	stopped chan struct{} // closed when the reading goroutine has ended
}

func (a *awake) init() {
	a.began, a.wake, a.stopped = time.Now(), make(chan struct{}, 1), make(chan struct{})
	a.trial.init()
}

func (a *awake) now() time.Duration { return time.Since(a.began) }

// committed takes note of a frame that is durable now, and of how much is recorded by it.
func (a *awake) committed(records int) {
	a.keep = a.trial.committed(a.now(), records)
	a.stir()
}

// stir keeps the disk awake for a little longer, if it is to be.
func (a *awake) stir() {
	if !a.keep {
		return
	}
	a.until.Store(int64(a.now() + awakeFor))
	select {
	case a.wake <- struct{}{}:
	default: // it reads already
	}
}

// run reads while the disk is to be kept awake, until stop is closed: one block at a time, so that it costs a processor and what the
// disk reads one after the other at most. Where a file cannot be read past the page cache, or cannot be made, nothing is read; then
// both ways record the same.
func (a *awake) run(dir string, stop <-chan struct{}, reads prometheus.Counter) {
	defer close(a.stopped)
	var b *block
	defer func() { b.close() }()
	for {
		select {
		case <-stop:
			return
		case <-a.wake:
		}
		if b == nil {
			var err error
			if b, err = openBlock(filepath.Join(dir, "awake")); err != nil {
				continue
			}
		}
		n, err := a.watch(a.now, b.read)
		reads.Add(float64(n))
		if err != nil {
			b.close()
			b = nil
		}
	}
}

// watch reads until nothing has stirred for awakeFor, and returns how often.
func (a *awake) watch(now func() time.Duration, read func() error) (n int, err error) {
	for ; err == nil && int64(now()) < a.until.Load(); n++ {
		err = read()
	}
	return n, err
}

// recordsOf is how much the drafts record: keys, and a movement or another message as much as one.
func recordsOf(e *entry) (records int) {
	for _, d := range e.drafts {
		if d.Chunk != nil {
			records += len(d.Chunk.Keys)
		} else {
			records++
		}
	}
	return records
}
