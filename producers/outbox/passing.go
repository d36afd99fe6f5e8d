package outbox

import (
	"time"

	"github.com/rolltrace/rolltrace/schema"
	"github.com/rolltrace/rolltrace/schema/wire"
)

const (
	passingEvery  = time.Second // gaps of one place are gathered for so long, and counted together
	maxOpenPlaces = 1 << 16
)

// passing is what was let go unrecorded (on_full: pass) and is not yet recorded as a gap.
type passing struct {
	gaps    map[schema.Place]*wire.Gap
	places  map[string]schema.Place // where open movements go, by id
	pending int                     // gaps handed to the queue
	written time.Time
}

func (p *passing) any() bool { return len(p.gaps) > 0 || p.pending > 0 }

// see keeps where a movement goes: its chunks do not say it.
func (p *passing) see(drafts []wire.Draft) {
	for _, d := range drafts {
		if d.Movement == nil {
			continue
		}
		if d.Movement.State == schema.Open && len(p.places) < maxOpenPlaces {
			if p.places == nil {
				p.places = make(map[string]schema.Place)
			}
			p.places[d.Movement.ID] = placeOf(d.Movement)
		} else {
			delete(p.places, d.Movement.ID)
		}
	}
}

// placeOf is the place that a movement changes.
func placeOf(m *schema.Movement) schema.Place {
	if m.Output == "" && len(m.Inputs) > 0 {
		return m.Inputs[0].Place
	}
	return m.Output
}

func (p *passing) add(place schema.Place, records uint64, now schema.Time) {
	if p.gaps == nil {
		p.gaps = make(map[schema.Place]*wire.Gap)
	}
	g := p.gaps[place]
	if g == nil {
		g = &wire.Gap{Place: place, From: now, Why: "outbox full"}
		p.gaps[place] = g
	}
	g.To = now
	g.Records += records
}

// pass lets go what waits for room, or for a store that is out of order.
func (o *Outbox) pass() {
	for _, e := range o.queue.remove(func(e *entry) bool { return e.class <= opening }) {
		o.passEntry(e)
	}
	if o.committer.engine != nil {
		return
	}
	for _, f := range o.committer.doubtful {
		for _, e := range f.entries {
			if !e.settled && e.class <= opening {
				o.passEntry(e)
			}
		}
	}
}

func (o *Outbox) passEntry(e *entry) {
	c := &o.committer
	now := schema.At(time.Now())
	c.passing.see(e.drafts)
	for _, d := range e.drafts {
		switch {
		case d.Chunk != nil:
			records := uint64(0)
			if d.Chunk.Set == 0 { // each set of a movement is of the same records
				records = uint64(len(d.Chunk.Keys))
			}
			c.passing.add(c.passing.places[d.Chunk.Movement], records, now)
		case d.Movement != nil:
			c.passing.add(placeOf(d.Movement), 0, now)
		}
	}
	o.cfg.Metrics.Passed.Add(float64(len(e.drafts)))
	e.end(nil)
}

// tendPassing hands gathered gaps to the queue: at once when it begins, then now and then.
func (o *Outbox) tendPassing(now time.Time) {
	c := &o.committer
	p := &c.passing
	if o.cfg.OnFull == Pass && c.engine == nil && c.backOff > firstBackOff {
		o.pass() // it was tried once
	}
	if len(p.gaps) == 0 || p.pending > 0 || c.engine == nil {
		return
	}
	if c.full && !c.closing && now.Sub(p.written) < passingEvery {
		return
	}
	p.written = now
	entries := make([]*entry, 0, len(p.gaps))
	for _, g := range p.gaps {
		p.pending++
		drafts := []wire.Draft{{Gap: g}}
		entries = append(entries, &entry{drafts: drafts, class: kept, size: sizeOf(drafts), settle: func(err error) {
			p.pending--
			if err != nil {
				o.lament(g)
				return
			}
			o.cfg.Metrics.Gaps.WithLabelValues("passed").Inc()
			o.cfg.Log.Warn().Str("place", string(g.Place)).Uint64("records", g.Records).
				Time("from", g.From.Time).Time("to", g.To.Time).Msg("elector data was let go unrecorded; the gap is recorded")
		}})
	}
	p.gaps = nil
	o.queue.pushFront(entries)
}

// dropPassing gives up gaps that cannot be recorded any more.
func (o *Outbox) dropPassing() {
	for _, g := range o.committer.passing.gaps {
		o.lament(g)
	}
	o.committer.passing = passing{}
}

func (o *Outbox) lament(g *wire.Gap) {
	o.cfg.Log.Error().Str("place", string(g.Place)).Uint64("records", g.Records).Time("from", g.From.Time).
		Time("to", g.To.Time).Msg("elector data was let go unrecorded, and the gap could not be recorded either")
}
