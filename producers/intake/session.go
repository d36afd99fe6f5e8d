package intake

import (
	"context"
	"errors"
	"os"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/rs/zerolog"

	"github.com/rolltrace/rolltrace/producers"
	"github.com/rolltrace/rolltrace/schema"
	"github.com/rolltrace/rolltrace/schema/wire"
)

const (
	aliveEvery   = 250 * time.Millisecond
	aliveTimeout = 2 * time.Second
)

// A session is one client's appends, in their order, and what it has open.
type session struct {
	intake *Intake
	conn   *nats.Conn
	client string
	log    zerolog.Logger
	sub    *nats.Subscription

	requests chan *nats.Msg
	gone     chan struct{} // closed when the client is gone, or says goodbye
	goneOnce sync.Once
	stopped  chan struct{} // closed when everything has been done

	mu    sync.Mutex
	alive bool // the client was there when Run ended: it goes on with the next holder
	ended bool
	open  map[string]bool // movements
}

// pending is a request whose drafts are on their way to the disk.
type pending struct {
	request *nats.Msg
	receipt *producers.Receipt
	drafts  []wire.Draft
}

func newSession(i *Intake, conn *nats.Conn, h hello) (*session, error) {
	s := &session{
		intake: i, conn: conn, client: h.Client,
		log:      i.cfg.Log.With().Int("client_pid", h.PID).Str("client", h.Program).Logger(),
		requests: make(chan *nats.Msg, 1024),
		gone:     make(chan struct{}), stopped: make(chan struct{}), open: make(map[string]bool),
	}
	var err error
	s.sub, err = conn.Subscribe(sessionBegin+h.Client, func(m *nats.Msg) {
		select {
		case s.requests <- m:
		case <-s.stopped:
			reply(m, answerTo(errEnded))
		}
	})
	if err != nil {
		return nil, err
	}
	return s, s.sub.SetPendingLimits(-1, -1) // the client bounds what it sends
}

func (s *session) isEnded() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ended
}

// run serves the session until its client is gone, and then closes what it left open.
func (s *session) run(ctx context.Context) {
	defer close(s.stopped)
	go s.watch(ctx)
	// Receipts outlive the context of Run: what was appended is answered.
	patient := context.WithoutCancel(ctx)
	appended := make(chan pending, 1024)
	settled := make(chan struct{})
	go func() {
		defer close(settled)
		for p := range appended {
			err := p.receipt.Wait(patient)
			s.learn(p.drafts, err)
			reply(p.request, answerTo(err))
		}
	}()
	for open := true; open; {
		select {
		case m := <-s.requests:
			s.serve(patient, m, appended)
		case <-s.gone:
			open = false
		}
	}
	for more := true; more; { // what came before the end
		select {
		case m := <-s.requests:
			s.serve(patient, m, appended)
		default:
			more = false
		}
	}
	close(appended)
	<-settled
	s.mu.Lock()
	s.ended = true
	alive := s.alive
	s.mu.Unlock()
	if !alive {
		s.failOpen(patient)
	}
	s.intake.forget(s.client)
	s.log.Debug().Msg("session ends")
}

func (s *session) serve(ctx context.Context, m *nats.Msg, appended chan<- pending) {
	switch m.Header.Get(opHeader) {
	case opAppend:
		drafts, err := decodeDrafts(m.Data)
		if err != nil {
			reply(m, answerTo(err))
			return
		}
		s.see(drafts)
		receipt, err := s.intake.cfg.Outbox.Append(ctx, drafts...)
		if err != nil {
			reply(m, answerTo(err))
			return
		}
		appended <- pending{m, receipt, drafts}
	case opNow:
		now, err := s.intake.cfg.Outbox.Now(ctx)
		a := answerTo(err)
		a.Now = now
		reply(m, a)
	case opEnd:
		reply(m, answer{})
		s.goneOnce.Do(func() { close(s.gone) })
	default:
		reply(m, answerTo(errRequest))
	}
}

// end ends the session because Run ends, and waits until what was appended is answered. The movements of a
// client that is still there stay open, for it goes on with the next holder.
func (s *session) end(ctx context.Context) {
	s.goneOnce.Do(func() {
		_, err := s.conn.Request(aliveBegin+s.client, nil, aliveTimeout)
		s.mu.Lock()
		s.alive = !errors.Is(err, nats.ErrNoResponders)
		s.mu.Unlock()
		close(s.gone)
	})
	select {
	case <-s.stopped:
	case <-ctx.Done():
		s.log.Warn().Msg("a client is not answered: the outbox did not take what it appended in time")
	}
}

// watch finds out when the client is gone: its connection has had a subscription, and there is nobody left
// to answer. A process that is stopped or slow still has its connection.
func (s *session) watch(ctx context.Context) {
	tick := time.NewTicker(aliveEvery)
	defer tick.Stop()
	var since time.Time
	for {
		select {
		case <-tick.C:
		case <-s.gone:
			return
		case <-ctx.Done():
			return
		}
		_, err := s.conn.Request(aliveBegin+s.client, nil, aliveTimeout)
		if !errors.Is(err, nats.ErrNoResponders) {
			since = time.Time{}
			continue
		}
		if since.IsZero() {
			since = time.Now()
		}
		if time.Since(since) >= s.intake.cfg.Grace {
			s.goneOnce.Do(func() { close(s.gone) })
			return
		}
	}
}

// see notes which movements are the client's: what it opens, and what it goes on with that it opened through an earlier
// holder.
func (s *session) see(drafts []wire.Draft) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, d := range drafts {
		switch {
		case d.Movement != nil && (d.Movement.State == schema.Open || s.intake.claim(d.Movement.ID)):
			s.open[d.Movement.ID] = true
		case d.Chunk != nil && !s.open[d.Chunk.Movement] && s.intake.claim(d.Chunk.Movement):
			s.open[d.Chunk.Movement] = true
		}
	}
}

// learn forgets movements whose closing is durable.
func (s *session) learn(drafts []wire.Draft, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, d := range drafts {
		if err == nil && d.Movement != nil && d.Movement.State == schema.Closed {
			delete(s.open, d.Movement.ID)
		}
	}
}

// failOpen closes as failed what the client has left open.
func (s *session) failOpen(ctx context.Context) {
	s.mu.Lock()
	open := s.open
	s.open = nil
	s.mu.Unlock()
	for id := range open {
		_ = os.Remove(writingLock(s.intake.cfg.Dir, id).Path())
		closeAbandoned(ctx, s.intake.cfg.Outbox, id, s.log)
	}
}
