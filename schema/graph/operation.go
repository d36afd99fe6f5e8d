package graph

import (
	"context"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/rolltrace/rolltrace/schema"
)

// A Sidecar is what is known of one: a row of the view sidecars.
type Sidecar struct {
	Org            string      `json:"org"`
	Sidecar        string      `json:"sidecar"`
	Places         []string    `json:"places"`         // that it covers
	LastHeartbeat  schema.Time `json:"last_heartbeat"` // by its own clock; "" when it sent none
	LastHeard      schema.Time `json:"last_heard"`     // when the hub last received anything from it
	IntervalMS     uint64      `json:"interval_ms"`    // between heartbeats
	Silent         bool        `json:"silent"`         // nothing for three intervals, by ClickHouse's clock
	OutboxMessages uint64      `json:"outbox_messages"`
	OutboxBytes    uint64      `json:"outbox_bytes"`
	ClockOffsetUS  int64       `json:"clock_offset_us"`
	Config         string      `json:"config"`
	Version        string      `json:"version"`
	Messages       uint64      `json:"messages"` // read from it
	Missing        uint64      `json:"missing"`  // never arrived
	Gaps           uint64      `json:"gaps"`     // reported
	ClockMostUS    uint64      `json:"clock_most_us"`
}

// Sidecars lists every sidecar that was heard of.
func (g *Graph) Sidecars(ctx context.Context) ([]Sidecar, error) {
	return g.sidecars(ctx, schema.Time{})
}

// sidecars lists them with what their last heartbeats up to a time said.
func (g *Graph) sidecars(ctx context.Context, asOf schema.Time) ([]Sidecar, error) {
	out := []Sidecar{}
	err := g.ask(ctx, "list sidecars", func(rows driver.Rows) error {
		var s Sidecar
		var beat *time.Time
		err := rows.Scan(&s.Org, &s.Sidecar, &s.Places, &beat, &s.LastHeard.Time, &s.IntervalMS, &s.Silent,
			&s.OutboxMessages, &s.OutboxBytes, &s.ClockOffsetUS, &s.Config, &s.Version, &s.Messages, &s.Missing, &s.Gaps, &s.ClockMostUS)
		s.LastHeartbeat, s.LastHeard = atOrZero(beat), at(s.LastHeard.Time)
		out = append(out, s)
		return err
	}, `SELECT org, sidecar, places, last_heartbeat, last_heard, interval_ms, silent, outbox_messages, outbox_bytes,
		clock_offset_us, config, version, messages, missing, gaps, clock_most_us FROM sidecars_as_of(as_of = $1) ORDER BY org, sidecar`, asOf.String())
	return out, err
}

// A Hole is a run of messages of one outbox that never arrived.
type Hole struct {
	Org           string `json:"org"`
	Sidecar       string `json:"sidecar"`
	Instance      string `json:"instance"`
	FirstSequence uint64 `json:"first_sequence"`
	LastSequence  uint64 `json:"last_sequence"`
	Missing       uint64 `json:"missing"`
	Reported      bool   `json:"reported"` // the sidecar reported it itself, as a gap
}

// Holes lists the holes in the chains of all outboxes.
func (g *Graph) Holes(ctx context.Context) ([]Hole, error) {
	out := []Hole{}
	err := g.ask(ctx, "list holes", func(rows driver.Rows) error {
		var h Hole
		err := rows.Scan(&h.Org, &h.Sidecar, &h.Instance, &h.FirstSequence, &h.LastSequence, &h.Missing, &h.Reported)
		out = append(out, h)
		return err
	}, `SELECT org, sidecar, instance, first_sequence, last_sequence, missing, reported FROM holes
		ORDER BY org, sidecar, instance, first_sequence`)
	return out, err
}

// A ReportedGap is what a sidecar says that it did not record.
type ReportedGap struct {
	Org           string      `json:"org"`
	Sidecar       string      `json:"sidecar"`
	Place         string      `json:"place"` // "" when not known
	From          schema.Time `json:"from"`  // "" when not known
	To            schema.Time `json:"to"`    // "" when not known
	Records       uint64      `json:"records"`
	Bytes         uint64      `json:"bytes"`
	Why           string      `json:"why"`
	HoleInstance  string      `json:"hole_instance"` // the outbox with a hole, or ""
	FirstSequence uint64      `json:"first_sequence"`
	LastSequence  uint64      `json:"last_sequence"`
}

// Gaps lists the gaps that sidecars reported.
func (g *Graph) Gaps(ctx context.Context) ([]ReportedGap, error) {
	out := []ReportedGap{}
	err := g.ask(ctx, "list gaps", func(rows driver.Rows) error {
		var gap ReportedGap
		var from, to *time.Time
		err := rows.Scan(&gap.Org, &gap.Sidecar, &gap.Place, &from, &to, &gap.Records, &gap.Bytes, &gap.Why,
			&gap.HoleInstance, &gap.FirstSequence, &gap.LastSequence)
		gap.From, gap.To = atOrZero(from), atOrZero(to)
		out = append(out, gap)
		return err
	}, `SELECT org, sidecar, place, from_time, to_time, records, bytes, why, hole_instance, first_sequence, last_sequence
		FROM gaps ORDER BY org, sidecar, place, from_time, to_time, why, first_sequence`)
	return out, err
}

// A Rejection is a message that was not understood.
type Rejection struct {
	StreamSequence uint64      `json:"stream_sequence"`
	ReceivedAt     schema.Time `json:"received_at"`
	Subject        string      `json:"subject"`
	Code           string      `json:"code"`
	Reason         string      `json:"reason"`
	Parked         bool        `json:"parked"`  // of a later version: can be replayed
	Settled        bool        `json:"settled"` // the same message was read later
	Org            string      `json:"org"`
	Sidecar        string      `json:"sidecar"`
	Bytes          uint64      `json:"bytes"`
}

// Rejections lists the first messages that were not understood, in log order: at most limit (0:
// DefaultLimit; negative: all).
func (g *Graph) Rejections(ctx context.Context, limit int) ([]Rejection, error) {
	out := []Rejection{}
	err := g.ask(ctx, "list rejected messages", func(rows driver.Rows) error {
		var r Rejection
		err := rows.Scan(&r.StreamSequence, &r.ReceivedAt.Time, &r.Subject, &r.Code, &r.Reason, &r.Parked, &r.Settled, &r.Org, &r.Sidecar, &r.Bytes)
		r.ReceivedAt = at(r.ReceivedAt.Time)
		out = append(out, r)
		return err
	}, `SELECT stream_sequence, received_at, subject, code, reason, parked, settled, org, sidecar, bytes FROM rejections
		ORDER BY stream_sequence LIMIT $1`, bound(limit))
	return out, err
}

// A LogProgress says how far a log has been read.
type LogProgress struct {
	Log          string      `json:"log"`
	Sequence     uint64      `json:"sequence"`
	LastSequence uint64      `json:"last_sequence"` // that the log had then
	Behind       uint64      `json:"behind"`        // messages that waited then
	WrittenAt    schema.Time `json:"written_at"`
	Derived      uint64      `json:"derived"`   // what follows from everything up to here is derived
	Underived    uint64      `json:"underived"` // messages in the graph that nothing is derived from yet
}

// Progress says how far each log has been read: one log as a rule, none before a consumer ran.
func (g *Graph) Progress(ctx context.Context) ([]LogProgress, error) {
	out := []LogProgress{}
	err := g.ask(ctx, "read the consumer's position", func(rows driver.Rows) error {
		var p LogProgress
		err := rows.Scan(&p.Log, &p.Sequence, &p.LastSequence, &p.Behind, &p.WrittenAt.Time, &p.Derived, &p.Underived)
		p.WrittenAt = at(p.WrittenAt.Time)
		out = append(out, p)
		return err
	}, "SELECT log, sequence, last_sequence, behind, written_at, derived, underived FROM progress ORDER BY log")
	return out, err
}
