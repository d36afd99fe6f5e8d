package pgtap

import (
	"context"
	"errors"

	"github.com/rolltrace/rolltrace/schema"
)

// A replication connection carries everything that the database's tables hold, in a form that the tap does not read. So
// it is a movement of the whole of them, which is open for as long as the connection is. It begins when the server has
// let the client in, before anything flows.
func (s *session) beginWhole(ctx context.Context) error {
	if s.tap.cfg.Catalogue == nil {
		return nil
	}
	places := s.tap.cfg.Catalogue.Places(s.who.Database)
	p := newOpaquePlan(places)
	if !p.recordsElectors() {
		return nil
	}
	m := flow{route: s.tap.route(s.who)}.movement(p, s.tap.cfg.KeyID)
	m.Electors = schema.Electors{Mode: schema.Whole}
	recording, err := s.recorder.Begin(ctx, m)
	if s.tap.ledger.settled(err); err != nil {
		return errors.Join(errNotRecorded, err)
	}
	s.tap.metrics.Movements.Inc()
	s.whole = recording
	return nil
}

// endWhole closes the movement of a replication connection, in the background. How such a connection ends says nothing of
// what has gone.
func (s *session) endWhole() {
	if s.whole != nil {
		s.tap.ledger.end(s.whole, schema.Completed, schema.Evidence{})
	}
}
