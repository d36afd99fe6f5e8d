package intake

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/gofrs/flock"
	"github.com/rs/zerolog"

	"github.com/rolltrace/rolltrace/producers"
	"github.com/rolltrace/rolltrace/schema"
	"github.com/rolltrace/rolltrace/schema/wire"
)

// writingFolder is where, in an outbox's folder, a client holds a lock for each movement that it has open: so that whoever
// holds the outbox next can tell whether it is still there.
const writingFolder = "writing"

func writingLock(dir, movement string) *flock.Flock {
	return flock.New(filepath.Join(dir, writingFolder, movement+".lock"), flock.SetPermissions(0o600))
}

// writing are the locks of a client.
type writing struct {
	dir string

	mu    sync.Mutex
	locks map[string]*flock.Flock
}

// hold takes the locks of the movements that the drafts open. Each is taken before anybody can know of the movement.
func (w *writing) hold(drafts []wire.Draft) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, d := range drafts {
		if d.Movement == nil || d.Movement.State != schema.Open || w.locks[d.Movement.ID] != nil || !schema.ValidID(d.Movement.ID) {
			continue
		}
		if err := os.MkdirAll(filepath.Join(w.dir, writingFolder), 0o700); err != nil {
			return fmt.Errorf("open movement: %w", err)
		}
		lock := writingLock(w.dir, d.Movement.ID)
		if held, err := lock.TryLock(); err != nil || !held {
			return fmt.Errorf("open movement: take lock %s: %w", lock.Path(), errors.Join(err, producers.ErrLocked))
		}
		if w.locks == nil {
			w.locks = make(map[string]*flock.Flock)
		}
		w.locks[d.Movement.ID] = lock
	}
	return nil
}

// release gives back the locks of movements that are closed.
func (w *writing) release(drafts []wire.Draft) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, d := range drafts {
		if d.Movement != nil && d.Movement.State == schema.Closed {
			w.drop(d.Movement.ID)
		}
	}
}

func (w *writing) releaseAll() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for id := range w.locks {
		w.drop(id)
	}
}

func (w *writing) drop(id string) {
	if lock := w.locks[id]; lock != nil {
		_ = os.Remove(lock.Path()) // a lock that stays is found free
		_ = lock.Unlock()
		delete(w.locks, id)
	}
}

// isGone says whether nobody has the movement open any more.
func isGone(dir, movement string) bool {
	lock := writingLock(dir, movement)
	if _, err := os.Stat(lock.Path()); err != nil {
		return errors.Is(err, os.ErrNotExist)
	}
	held, err := lock.TryLock()
	if err != nil || !held {
		return false
	}
	_ = os.Remove(lock.Path())
	return lock.Unlock() == nil
}

// goneReason is why a movement failed whose writer is gone.
const goneReason = "the recording process is gone"

// CloseAbandoned closes as failed the movements that are open in an outbox although whoever wrote them is gone: those
// that its former holders had open, and those of clients that do not run any more. It is to be called by the holder of
// the outbox before anything is opened in it. What cannot be closed stays open, is logged, and is tried again by the next holder.
func CloseAbandoned(ctx context.Context, dir string, o producers.Holder, log zerolog.Logger) {
	for _, id := range o.Unclosed() {
		if isGone(dir, id) {
			closeAbandoned(ctx, o, id, log)
		}
	}
}

func closeAbandoned(ctx context.Context, o producers.Holder, id string, log zerolog.Logger) {
	ctx, cancel := context.WithTimeout(ctx, closingTimeout)
	defer cancel()
	if err := o.Fail(ctx, id, goneReason); err != nil {
		log.Warn().Err(err).Str("movement", id).Msg("movement whose recording process is gone stays open")
		return
	}
	log.Warn().Str("movement", id).Msg("movement whose recording process is gone is closed as failed")
}

// await closes what clients of an earlier holder left open and have not come back for, once they are gone.
func (i *Intake) await(ctx context.Context) {
	tick := time.NewTicker(i.cfg.Grace)
	defer tick.Stop()
	free := make(map[string]bool) // what was so at the last look: then nothing of it is under way any more
	for {
		ids := i.unclaimed()
		if len(ids) == 0 {
			return
		}
		for _, id := range ids {
			if !free[id] {
				free[id] = isGone(i.cfg.Dir, id)
			} else if i.claim(id) {
				closeAbandoned(ctx, i.cfg.Outbox, id, i.cfg.Log)
			}
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

func (i *Intake) unclaimed() []string {
	i.inheritance.Lock()
	defer i.inheritance.Unlock()
	ids := make([]string, 0, len(i.inherited))
	for id := range i.inherited {
		ids = append(ids, id)
	}
	return ids
}

// claim says whether the movement is one that an earlier holder's client left open, and takes it from these.
func (i *Intake) claim(id string) bool {
	i.inheritance.Lock()
	defer i.inheritance.Unlock()
	was := i.inherited[id]
	delete(i.inherited, id)
	return was
}
