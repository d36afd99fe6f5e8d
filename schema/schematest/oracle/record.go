package oracle

import (
	"cmp"
	"maps"
	"slices"

	"github.com/rolltrace/rolltrace/schema"
	"github.com/rolltrace/rolltrace/schema/wire"
)

// A Revision is one form of a movement.
type Revision struct {
	Ref
	*schema.Movement
	Hash    [32]byte // SHA-256 of its body
	Current bool     // it is the one that counts
}

// Revisions are all forms of all movements, in order of each movement.
func (m *Model) Revisions() []Revision {
	var out []Revision
	for ref, r := range m.movements {
		all := slices.SortedFunc(maps.Keys(r.revisions), revision.compare)
		for i, one := range all {
			out = append(out, Revision{ref, r.revisions[one], one.hash, i == len(all)-1})
		}
	}
	return out
}

// A Reported is a gap, and who reported it.
type Reported struct {
	Org, Sidecar string
	wire.Gap
}

// Gaps are all that were reported, each once.
func (m *Model) Gaps() []Reported {
	var out []Reported
	for box, c := range m.outboxes {
		for _, g := range c.reported {
			out = append(out, Reported{box.org, box.sidecar, g})
		}
	}
	return out
}

// A Sidecar is what is known of one that was heard of.
type Sidecar struct {
	Messages, Missing, Gaps int
	Last                    *wire.Heartbeat // as of the time asked; nil: none by then
	ClockMost               int64           // the most microseconds that its clock was ever off, either way
}

// Sidecars are all that were heard of, by org/sidecar.
func (m *Model) Sidecars(asOf schema.Time) map[string]*Sidecar {
	out := map[string]*Sidecar{}
	latest := map[string]lastBeat{}
	for box, c := range m.outboxes {
		name := box.org + "/" + box.sidecar
		if out[name] == nil {
			out[name] = &Sidecar{}
		}
		s := out[name]
		s.Messages += len(c.arrived)
		s.Missing += int(slices.Max(slices.Collect(maps.Keys(c.arrived)))) - len(c.arrived)
		s.Gaps += len(c.reported)
		for _, b := range c.beats {
			if b.ClockKnown {
				s.ClockMost = max(s.ClockMost, b.ClockOffset, -b.ClockOffset)
			}
			if beat := (lastBeat{b, box.instance}); (asOf.IsZero() || !b.At.After(asOf.Time)) && beat.after(latest[name]) {
				latest[name] = beat
				s.Last = b.Heartbeat
			}
		}
	}
	return out
}

// lastBeat is a heartbeat, and of which outbox: what decides which is the last one.
type lastBeat struct {
	beat
	instance string
}

func (b lastBeat) after(other lastBeat) bool {
	return other.Heartbeat == nil ||
		cmp.Or(b.At.Compare(other.At.Time), cmp.Compare(b.instance, other.instance), cmp.Compare(b.sequence, other.sequence)) > 0
}

// Covering are the sidecars, as org/sidecar, that ever said that they cover a place, sorted.
func (m *Model) Covering(at string) []string {
	covering := map[string]bool{}
	for box, c := range m.outboxes {
		for _, b := range c.beats {
			if slices.ContainsFunc(b.Places, func(p schema.Place) bool { return At(at, p) }) {
				covering[box.org+"/"+box.sidecar] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(covering))
}

// Covered are all places that a sidecar ever said it covers.
func (m *Model) Covered() []schema.Place {
	var out []schema.Place
	for _, c := range m.outboxes {
		for _, b := range c.beats {
			out = append(out, b.Places...)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}
