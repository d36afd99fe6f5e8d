package policy_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/rolltrace/rolltrace/consumers/policy"
	"github.com/rolltrace/rolltrace/schema"
	"github.com/rolltrace/rolltrace/schema/graph"
	"github.com/rolltrace/rolltrace/schema/registry"
	"github.com/rolltrace/rolltrace/schema/schematest"
	"github.com/rolltrace/rolltrace/schema/wire"
)

// A step of the story is one movement; where nothing else is said, a whole list of electors, observed and completed.
type step struct {
	at       string
	kind     schema.Kind
	from, to string
	electors int // the first ones of the roll
	change   func(*schema.Movement)
}

// The story: what it raises stands beside each step, and in raised.
var story = []step{
	{at: "2026-04-01", kind: schema.Collect, from: "elections-office/lists/2026", to: "party-a/crm/voters", electors: 20000, change: purpose("communicate")},
	{at: "2026-04-02", kind: schema.Export, from: "party-a/crm/voters", to: "party-a/files/cards", electors: 500, change: purpose("print")},
	{at: "2026-04-03", kind: schema.Share, from: "party-a/files/cards", to: "acme-mail/uploads/cards", electors: 500, change: both(purpose("print"), agreement("acme-2026"))},
	// Too late, too much, for something else, with phone numbers.
	{at: "2026-05-02", kind: schema.Share, from: "party-a/crm/voters", to: "acme-mail/uploads/all", electors: 20000, change: both(purpose("profiling"), agreement("acme-2026"), fields("name", "phone"))},
	// Passed on, under nothing.
	{at: "2026-04-05", kind: schema.Share, from: "acme-mail/uploads/cards", to: "vendor-b/db/x", electors: 100, change: both(purpose(""), agreement(""))},
	{at: "2026-04-06", kind: schema.Share, from: "party-a/files/cards", to: "vendor-b/db/y", electors: 100, change: both(purpose("print"), agreement("acme-2026"))},
	{at: "2026-04-07", kind: schema.Share, from: "party-a/files/cards", to: "vendor-b/db/y", electors: 100, change: both(purpose("print"), agreement("not-there"))},
	// A candidate before the election, and in it.
	{at: "2026-04-08", kind: schema.Collect, from: "elections-office/lists/2026", to: "candidate-z/laptop/list", electors: 300, change: purpose("communicate")},
	{at: "2026-09-08", kind: schema.Collect, from: "elections-office/lists/2026", to: "candidate-z/laptop/list", electors: 300, change: purpose("communicate")},
	// Somebody else says that it is destroyed, and it is used.
	{at: "2026-04-09", kind: schema.Destroy, from: "vendor-b/db/x", change: attested("party-a")},
	{at: "2026-04-10", kind: schema.Export, from: "vendor-b/db/x", to: "vendor-b/db/z", electors: 50, change: purpose("")},
	// It is destroyed, and used.
	{at: "2026-04-11", kind: schema.Destroy, from: "party-a/files/cards"},
	{at: "2026-04-12", kind: schema.Export, from: "party-a/files/cards", to: "party-a/files/again", electors: 10, change: purpose("print")},
	{at: "2026-04-13", kind: schema.Export, from: "party-a/crm/voters", to: "party-a/files/half", electors: 20, change: both(purpose("print"), func(m *schema.Movement) { m.Outcome = schema.Failed })},
	{at: "2026-04-14", kind: schema.Export, from: "party-a/crm/voters", to: "party-a/files/open", change: both(purpose("print"), open)},
	{at: "2026-04-15", kind: schema.Export, from: "party-a/crm/voters", to: "party-a/files/counted", change: both(purpose("print"), func(m *schema.Movement) {
		m.Electors = schema.Electors{Mode: schema.Counted, Records: 70}
	})},
	{at: "2026-04-16", kind: schema.Export, from: "party-a/crm/voters", to: "party-a/backup/x", electors: 10, change: purpose("print")},
	{at: "2026-04-17", kind: schema.Export, from: "party-a/crm/voters", to: "party-a/files/a", electors: 60, change: both(purpose("print"), actor("party-a/people/u0007"))},
	{at: "2026-04-18", kind: schema.Export, from: "party-a/crm/voters", to: "party-a/files/b", electors: 60, change: both(purpose("print"), actor("party-a/people/u0007"))},
	{at: "2026-04-19", kind: schema.Export, from: "party-a/crm/voters", to: "party-a/files/c", electors: 60, change: both(purpose("print"), actor("party-a/people/u0007"))},
	{at: "2026-04-20", kind: schema.Export, from: "party-a/crm/voters", to: "party-a/files/d", electors: 60, change: both(purpose("print"), actor("party-a/people/u0007"))},
	{at: "2026-04-21", kind: schema.Export, from: "party-a/crm/voters", to: "party-a/files/e", electors: 60, change: both(purpose("print"), actor("party-a/people/u0007"))},
	{at: "2026-04-22", kind: schema.Export, from: "party-a/crm/voters", to: "party-a/files/f", electors: 1500, change: both(purpose("print"), actor("party-a/people/u0007"))},
	{at: "2026-04-17", kind: schema.Access, from: "party-a/crm/voters", to: "party-a/people/u0008", electors: 10, change: purpose("communicate")},
	{at: "2026-04-18", kind: schema.Access, from: "party-a/crm/voters", to: "party-a/people/u0008", electors: 12, change: purpose("communicate")},
	{at: "2026-04-19", kind: schema.Access, from: "party-a/crm/voters", to: "party-a/people/u0008", electors: 14, change: purpose("communicate")},
	{at: "2026-04-20", kind: schema.Access, from: "party-a/crm/voters", to: "party-a/people/u0008", electors: 16, change: purpose("communicate")},
	{at: "2026-04-21", kind: schema.Access, from: "party-a/crm/voters", to: "party-a/people/u0008", electors: 18, change: purpose("communicate")},
	{at: "2026-04-22", kind: schema.Access, from: "party-a/crm/voters", to: "party-a/people/u0008", electors: 400, change: purpose("communicate")},
}

// raised are the findings of the story: rule, and what was found.
var raised = []string{
	"agreement-expired: acme-mail/uploads/all was given records under acme-2026, which had ended",
	"agreement-other-parties: vendor-b/db/y: acme-2026 is between acme-mail, party-a: not between party-a and vendor-b",
	"bulk-movement: acme-mail/uploads/all was given 20,000 electors at once: 100 % of all that are known",
	"candidate-outside-election: candidate-z/laptop/list: candidate-z used list-of-electors for communicate outside an election period (s. 110)",
	"counted-movement: 70 records went to party-a/files/counted: whose is not known",
	"destruction-overdue: acme-mail/uploads/all still holds 20,000 electors of acme-2026, to be destroyed before 2026-06-01",
	"destruction-overdue: acme-mail/uploads/cards still holds 500 electors of acme-2026, to be destroyed before 2026-06-01",
	"failed-movement: export to party-a/files/half failed; 20 electors had gone",
	"fields-outside-agreement: phone went to acme-mail/uploads/all: acme-2026 permits civic_address, name",
	"incomplete-movement: export to party-a/files/open: it was never closed",
	"missing-messages: vendor-b/db-1: messages that never arrived: 1",
	"onward-sharing: vendor-b/db/x: acme-mail passed records on to vendor-b: acme-2026 does not let them",
	"purpose-outside-agreement: acme-mail/uploads/all: profiling is no purpose of acme-2026, which permits print",
	"purpose-outside-policy: acme-mail/uploads/all: profiling is not in the policy of party-a, which names communicate",
	"purpose-outside-source: acme-mail/uploads/all: party-a used list-of-electors for profiling, which is not permitted (s. 110)",
	"share-without-agreement: acme-mail/uploads/cards went to vendor-b without an agreement",
	"sidecar-gap: party-a/db-1 did not record what passed at party-a/crm/voters: outbox full",
	"silent-sidecar: party-a/db-1 has been silent",
	"silent-sidecar: vendor-b/db-1 has been silent",
	"unknown-agreement: vendor-b/db/y was given records under not-there, which is not in the registry",
	"unregistered-place: party-a/backup/x is not in the registry",
	"unusual-access: party-a/people/u0008 had access to 400 electors on this day: 14 on an ordinary one",
	"unusual-movement: party-a/people/u0007 moved 1,500 electors to party-a/files/f: 60 at most in 5 movements before",
	"used-after-assurance: records came from vendor-b/db/x after somebody had said that they were destroyed there",
	"used-after-destruction: 10 electors came out of party-a/files/cards after they had been destroyed there",
}

func both(changes ...func(*schema.Movement)) func(*schema.Movement) {
	return func(m *schema.Movement) {
		for _, change := range changes {
			change(m)
		}
	}
}

func purpose(p string) func(*schema.Movement)   { return func(m *schema.Movement) { m.Purpose = p } }
func agreement(a string) func(*schema.Movement) { return func(m *schema.Movement) { m.Agreement = a } }
func actor(a string) func(*schema.Movement)     { return func(m *schema.Movement) { m.Actor = a } }
func fields(f ...string) func(*schema.Movement) { return func(m *schema.Movement) { m.Fields = f } }

func open(m *schema.Movement) {
	m.Revision, m.State, m.Outcome, m.ClosedAt, m.RecordedAt = 1, schema.Open, "", schema.Time{}, m.OccurredAt
	m.Electors = schema.Electors{Mode: schema.Whole}
}

func attested(by string) func(*schema.Movement) {
	return func(m *schema.Movement) {
		m.Producer.Org, m.Basis, m.Revision = by, schema.Attested, 1
	}
}

// messages are those of the n-th step.
func (s step) messages(t testing.TB, w *scribe, n int) []wire.Message {
	t.Helper()
	sample := schematest.NewSample(n, s.kind)
	m := sample.Movement
	at := day(s.at)
	m.OccurredAt, m.ClosedAt, m.RecordedAt = at, at, at
	m.Inputs, m.Output = []schema.Input{{Place: schema.Place(s.from), Fields: []string{"name"}}}, schema.Place(s.to)
	m.Actor, m.Purpose, m.Agreement = "", "", ""
	m.Producer.Org = m.Owner()
	if s.electors > 0 {
		sample = sample.List(schema.ElectorID, schematest.KeyID, schematest.Keys(0, s.electors), schema.MaxChunkKeys)
		m = sample.Movement
	}
	if s.change != nil {
		s.change(m)
	}
	if m.State == schema.Open {
		return w.seal(t, m.Producer.Org, "db-1", wire.Draft{Movement: m})
	}
	return w.seal(t, m.Producer.Org, "db-1", sample.Drafts()...)
}

func theRegistry(t testing.TB) *registry.Registry {
	t.Helper()
	r, err := registry.Load("testdata/registry")
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func version(t testing.TB, w *scribe, r *registry.Registry, at string) []wire.Message {
	t.Helper()
	content, err := r.Normal()
	if err != nil {
		t.Fatal(err)
	}
	return w.seal(t, wire.OperatorOrg, wire.OperatorSidecar, wire.Draft{Registry: &wire.Registry{At: day(at), ValidFrom: day("1900-01-01"), By: "u0001", Content: content}})
}

// told are all messages of the story; one of them, of vendor-b, is never sent.
func told(t testing.TB) []wire.Message {
	t.Helper()
	w := &scribe{}
	messages := version(t, w, theRegistry(t), "2026-01-01")
	for n, s := range story {
		messages = append(messages, s.messages(t, w, n)...)
	}
	messages = append(messages, w.seal(t, "party-a", "db-1",
		wire.Draft{Gap: &wire.Gap{Place: "party-a/crm/voters", From: day("2026-04-20"), To: day("2026-04-21"), Records: 3, Why: "outbox full"}},
		wire.Draft{Heartbeat: &wire.Heartbeat{At: day("2026-04-23"), Interval: 10000, Places: []schema.Place{"party-a/crm/voters"}}})...)
	beat := wire.Draft{Heartbeat: &wire.Heartbeat{At: day("2026-04-23"), Interval: 4_000_000_000}}
	lost := w.seal(t, "vendor-b", "db-1", beat, beat)
	return append(messages, lost[1])
}

// said is a finding as raised has it.
func said(f graph.Finding) string {
	text := f.Rule + ": " + f.Text
	if f.Rule == "silent-sidecar" {
		text, _, _ = strings.Cut(text, " since")
	}
	return text
}

func check(t testing.TB, what string, have []graph.StoredFinding, want []string) {
	t.Helper()
	var texts []string
	for _, f := range have {
		texts = append(texts, said(f.Finding))
	}
	slices.Sort(texts)
	for _, text := range texts {
		if !slices.Contains(want, text) {
			t.Errorf("%s: found, and not wanted: %s", what, text)
		}
	}
	for _, text := range want {
		if !slices.Contains(texts, text) {
			t.Errorf("%s: wanted, and not found: %s", what, text)
		}
	}
	if len(texts) != len(want) {
		t.Errorf("%s: %d findings, want %d", what, len(texts), len(want))
	}
}

// Every shipped rule finds what the story holds for it, and nothing else, in whatever order the messages arrive and however often the
// rules are asked meanwhile; what is kept is what asking anew finds.
func TestStory(t *testing.T) {
	rules, err := policy.Shipped()
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range rules.All() {
		if r.ID != "jurisdiction" && !slices.ContainsFunc(raised, func(text string) bool { return strings.HasPrefix(text, r.ID+": ") }) {
			t.Errorf("the story has nothing for %s", r.ID)
		}
	}
	messages := told(t)
	ids := map[string]bool{}
	for _, order := range []string{"as it happened", "backwards", "at random"} {
		t.Run(order, func(t *testing.T) {
			ordered := slices.Clone(messages)
			switch order {
			case "backwards":
				slices.Reverse(ordered)
			case "at random":
				r := rand.New(rand.NewPCG(7, 7))
				r.Shuffle(len(ordered), func(i, j int) { ordered[i], ordered[j] = ordered[j], ordered[i] })
			}
			c := newCentre(t)
			p := c.policy(t, rules)
			for part := range slices.Chunk(ordered, len(ordered)/3+1) {
				c.publish(t, part...)
				if err := p.CatchUp(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			kept := c.open(t)
			check(t, order, kept, raised)
			for _, f := range kept {
				if len(ids) == len(raised) && !ids[f.ID] {
					t.Errorf("%s has another id than in another order", f.Text)
				}
			}
			for _, f := range kept {
				ids[f.ID] = true
			}
			anew, err := policy.Evaluate(t.Context(), c.graph, rules, schema.At(c.tick()))
			if err != nil {
				t.Fatal(err)
			}
			if len(anew.Stopped) > 0 {
				t.Errorf("stopped: %q", anew.Stopped)
			}
			have, want := fmt.Sprintf("%+v", anew.Findings), fmt.Sprintf("%+v", findings(kept))
			if have != want {
				t.Errorf("asked anew, the rules find\n%s\nkept is\n%s", have, want)
			}
			// A second policy, from what is kept, has nothing to note.
			before := c.count(t, "SELECT count() FROM finding_history")
			if err := c.policy(t, rules).CatchUp(t.Context()); err != nil {
				t.Fatal(err)
			}
			if after := c.count(t, "SELECT count() FROM finding_history"); after != before {
				t.Errorf("a restart noted %d findings again", after-before)
			}
			if alerts := c.alerts(t); uint64(len(alerts)) != before {
				t.Errorf("%d alerts for %d events", len(alerts), before)
			}
		})
	}
}

func findings(stored []graph.StoredFinding) []graph.Finding {
	out := make([]graph.Finding, len(stored))
	for i := range stored {
		out[i] = stored[i].Finding
	}
	return out
}

func (c *centre) count(t testing.TB, sql string) uint64 {
	t.Helper()
	var n uint64
	if err := c.conn.QueryRow(t.Context(), sql).Scan(&n); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return n
}

// alerts are everything that was published, as "rule state".
func (c *centre) alerts(t testing.TB) []string {
	t.Helper()
	info, err := c.log.Alert.Info(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for n := range info.State.LastSeq {
		raw, err := c.log.Alert.GetMsg(t.Context(), n+1)
		if err != nil {
			t.Fatal(err)
		}
		var e graph.FindingEvent
		if err := json.Unmarshal(raw.Data, &e); err != nil {
			t.Fatal(err)
		}
		if raw.Subject != policy.AlertSubject(e.Rule) || !wire.ValidFinding(e.ID) {
			t.Errorf("an alert of %s came under %s", e.Rule, raw.Subject)
		}
		out = append(out, e.Rule+" "+e.State+" "+e.Reason)
	}
	return out
}

// Late movements and another registry resolve findings, with the reason; what was decided about a finding stays with it.
func TestFindingsAreResolved(t *testing.T) {
	rules, err := policy.Shipped()
	if err != nil {
		t.Fatal(err)
	}
	c := newCentre(t)
	p := c.policy(t, rules)
	w := &scribe{}
	messages := version(t, w, theRegistry(t), "2026-01-01")
	for n, s := range []step{story[0], story[1], story[2], {at: "2026-04-04", kind: schema.Export, from: "party-a/crm/voters", to: "party-a/backup/x", electors: 10, change: purpose("print")}} {
		messages = append(messages, s.messages(t, w, n)...)
	}
	ask := func(messages ...wire.Message) {
		t.Helper()
		c.publish(t, messages...)
		if err := p.CatchUp(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	ask(messages...)
	overdue := "destruction-overdue: acme-mail/uploads/cards still holds 500 electors of acme-2026, to be destroyed before 2026-06-01"
	unregistered := "unregistered-place: party-a/backup/x is not in the registry"
	check(t, "at first", c.open(t), []string{overdue, unregistered})

	// The vendor destroyed half of them in time, and says so now; then all.
	ask(step{at: "2026-05-01", kind: schema.Destroy, from: "acme-mail/uploads/cards", electors: 200}.messages(t, w, 10)...)
	check(t, "partly destroyed", c.open(t), []string{strings.Replace(overdue, "500", "300", 1), unregistered})
	ask(step{at: "2026-05-02", kind: schema.Destroy, from: "acme-mail/uploads/cards"}.messages(t, w, 11)...)
	check(t, "destroyed", c.open(t), []string{unregistered})

	id := policy.FindingID("unregistered-place", policy.OnPlace, "party-a/backup/x")
	ask(sealRuling(t, id)...)
	if f := c.open(t); len(f) != 1 || f[0].Status != "suppressed" || f[0].RuledBy != "u0001" || f[0].RuledWhy != "known" {
		t.Errorf("after a ruling: %+v", f)
	}
	with := theRegistry(t)
	with.Systems = append(with.Systems, registry.System{ID: "party-a/backup"})
	ask(version(t, w, with, "2026-02-01")...)
	check(t, "registered", c.open(t), nil)

	var reasons []string
	for _, a := range c.alerts(t) {
		reasons = append(reasons, strings.Map(func(r rune) rune {
			if r >= '0' && r <= '9' {
				return -1
			}
			return r
		}, a))
	}
	want := []string{
		"unregistered-place open found", "destruction-overdue open found",
		"destruction-overdue open changed: late news, in messages  to  of the log", "destruction-overdue resolved resolved: late news, in messages  to  of the log",
		"unregistered-place resolved resolved: the registry is another one",
	}
	slices.Sort(reasons)
	slices.Sort(want)
	if !slices.Equal(reasons, want) {
		t.Errorf("alerts\n%s\nwant\n%s", strings.Join(reasons, "\n"), strings.Join(want, "\n"))
	}
	all, _, err := c.graph.Findings(t.Context())
	if err != nil || len(all) != 2 {
		t.Fatalf("%d findings are kept, want 2: %v", len(all), err)
	}
	for _, f := range all {
		if f.Status != graph.FindingResolved || !f.NotedAt.After(f.OpenedAt.Time) {
			t.Errorf("%s is %s, noted at %s, opened at %s", f.Text, f.Status, f.NotedAt, f.OpenedAt)
		}
	}
}

// sealRuling is a ruling in a chain of its own.
func sealRuling(t testing.TB, finding string) []wire.Message {
	t.Helper()
	return (&scribe{}).seal(t, wire.OperatorOrg, wire.OperatorSidecar,
		wire.Draft{Ruling: &wire.Ruling{At: day("2026-06-01"), Finding: finding, What: wire.Suppress, By: "u0001", Why: "known"}})
}
