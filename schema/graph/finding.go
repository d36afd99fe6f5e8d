package graph

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/rolltrace/rolltrace/schema"
)

// A Finding is what a rule found about something.
type Finding struct {
	ID            string      `json:"id"` // a function of rule and subject
	Rule          string      `json:"rule"`
	Severity      string      `json:"severity"` // low, medium, high
	Title         string      `json:"title"`
	Text          string      `json:"text"`
	On            string      `json:"on"`      // what it is about: movement, place, holding, sidecar, gap, hole
	Subject       string      `json:"subject"` // which one
	Since         schema.Time `json:"since"`   // when what was found began
	Movement      MovementRef `json:"movement"`
	Places        []string    `json:"places"`
	Organisations []string    `json:"organisations"`
	Electors      uint64      `json:"electors"` // 0 when not known, or not about electors
}

// What a centre says of a finding.
const (
	FindingOpen     = "open"
	FindingResolved = "resolved"
)

// A FindingEvent is one line of the history of a finding: opened, changed (open again, with other words) or resolved.
type FindingEvent struct {
	Finding
	NotedAt  schema.Time `json:"noted_at"`
	State    string      `json:"state"`
	Reason   string      `json:"reason"`   // why it is noted
	Position uint64      `json:"position"` // of the log
	AsOf     schema.Time `json:"as_of"`    // time that the rules were asked about
}

// A StoredFinding is a finding as it stands.
type StoredFinding struct {
	Finding
	Status   string      `json:"status"`    // open, acknowledged, suppressed, resolved
	OpenedAt schema.Time `json:"opened_at"` // when this centre first noted it
	NotedAt  schema.Time `json:"noted_at"`  // when it was last noted: opened, changed or resolved
	Reason   string      `json:"reason"`    // why it was noted then
	RuledAt  schema.Time `json:"ruled_at"`  // when somebody last decided about it; "": never
	RuledBy  string      `json:"ruled_by"`
	RuledWhy string      `json:"ruled_why"`
}

func readFindings(ctx context.Context, conn driver.Conn, where string, args ...any) ([]StoredFinding, error) {
	out := []StoredFinding{}
	err := query(ctx, conn, "read findings", func(rows driver.Rows) error {
		var x StoredFinding
		var since, ruled *time.Time
		err := rows.Scan(&x.ID, &x.Rule, &x.Severity, &x.Title, &x.Text, &x.On, &x.Subject, &since,
			&x.Movement.Org, &x.Movement.Sidecar, &x.Movement.ID, &x.Places, &x.Organisations, &x.Electors,
			&x.Status, &x.OpenedAt.Time, &x.NotedAt.Time, &x.Reason, &ruled, &x.RuledBy, &x.RuledWhy)
		x.Since, x.RuledAt, x.OpenedAt, x.NotedAt = atOrZero(since), atOrZero(ruled), at(x.OpenedAt.Time), at(x.NotedAt.Time)
		out = append(out, x)
		return err
	}, `SELECT finding, rule, severity, title, text, about, subject, since, org, sidecar, id, places, organisations, electors,
			status, opened_at, noted_at, reason, ruled_at, ruled_by, ruled_why
		FROM findings WHERE `+where+` ORDER BY since NULLS FIRST, rule, subject`, args...)
	return out, err
}

// Findings are the findings as they stand, and what the rules were asked about last: the zero FindingPosition when they never were.
func (g *Graph) Findings(ctx context.Context) ([]StoredFinding, FindingPosition, error) {
	p, err := readFindingPosition(ctx, g.conn)
	if err != nil {
		return nil, p, err
	}
	out, err := readFindings(ctx, g.conn, "1")
	return out, p, err
}

// Rulings are what was decided about findings last, up to a time, by finding.
func (g *Graph) Rulings(ctx context.Context, asOf schema.Time) (map[string]Ruling, error) {
	out := map[string]Ruling{}
	err := g.ask(ctx, "read rulings", func(rows driver.Rows) error {
		var r Ruling
		err := rows.Scan(&r.Finding, &r.At.Time, &r.What, &r.By, &r.Why)
		r.At = at(r.At.Time)
		out[r.Finding] = r
		return err
	}, "SELECT finding, at, ruling, by, why FROM rulings_as_of(as_of = $1) WHERE counts", asOf.String())
	return out, err
}

// Findings keeps what rules found. It writes, so that its user needs INSERT.
type Findings struct {
	conn    driver.Conn
	timeout time.Duration
}

// NewFindings returns Findings on conn, whose database is the graph's.
func NewFindings(conn driver.Conn, c WriterConfig) *Findings {
	return &Findings{conn: conn, timeout: cmp.Or(c.Timeout, 2*time.Minute)}
}

// Open returns the findings that are open, whatever was decided about them, as they were noted last.
func (f *Findings) Open(ctx context.Context) ([]Finding, error) {
	stored, err := readFindings(ctx, f.conn, "status != 'resolved'")
	out := make([]Finding, len(stored))
	for i := range stored {
		out[i] = stored[i].Finding
	}
	return out, err
}

// Note writes events: all of them or none.
func (f *Findings) Note(ctx context.Context, events []FindingEvent) error {
	w := Writer{conn: f.conn, timeout: f.timeout}
	err := w.insert(ctx, insert{"finding", "finding, noted_at, state, reason, position, as_of, rule, severity, title, text, about, subject, since, " +
		"org, sidecar, id, places, organisations, electors", len(events), each(events, func(e FindingEvent) []any {
		return []any{e.ID, moment(e.NotedAt), e.State, e.Reason, e.Position, moment(e.AsOf), e.Rule, e.Severity, e.Title, e.Text, e.On, e.Subject, momentOrNull(e.Since),
			e.Movement.Org, e.Movement.Sidecar, e.Movement.ID, e.Places, e.Organisations, e.Electors}
	})})
	if err != nil {
		return fmt.Errorf("note findings: %w", explain(err))
	}
	return nil
}

// A FindingPosition says what the last findings were made from.
type FindingPosition struct {
	Log      string
	Position uint64      // of the log
	AsOf     schema.Time // time that the rules were asked about
	Rules    string      // digest of the rules
	Registry string      // digest of the registry's versions
}

// Position returns what the last findings were made from; the zero FindingPosition when there were none.
func (f *Findings) Position(ctx context.Context) (FindingPosition, error) {
	return readFindingPosition(ctx, f.conn)
}

func readFindingPosition(ctx context.Context, conn driver.Conn) (FindingPosition, error) {
	var p FindingPosition
	err := query(ctx, conn, "read the position of findings", func(rows driver.Rows) error {
		err := rows.Scan(&p.Log, &p.Position, &p.AsOf.Time, &p.Rules, &p.Registry)
		p.AsOf = at(p.AsOf.Time)
		return err
	}, "SELECT log, sequence, as_of, rules, registry FROM internal_finding_position ORDER BY as_of DESC, sequence DESC LIMIT 1")
	return p, err
}

// Reached stores that everything that follows from the position is noted.
func (f *Findings) Reached(ctx context.Context, p FindingPosition) error {
	w := Writer{conn: f.conn, timeout: f.timeout}
	err := w.insert(ctx, insert{"finding_position", "log, sequence, as_of, rules, registry", 1, each([]FindingPosition{p}, func(p FindingPosition) []any {
		return []any{p.Log, p.Position, moment(p.AsOf), p.Rules, p.Registry}
	})})
	if err != nil {
		return fmt.Errorf("store the position of findings: %w", explain(err))
	}
	return nil
}
