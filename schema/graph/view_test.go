package graph_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rolltrace/rolltrace/schema"
	"github.com/rolltrace/rolltrace/schema/graph"
	"github.com/rolltrace/rolltrace/schema/schematest"
)

// stable are the views that analysts use, without their twins.
func stable() []string {
	var out []string
	for _, name := range graph.Views() {
		if !strings.HasPrefix(name, "internal_") && !strings.HasSuffix(name, "_as_of") {
			out = append(out, name)
		}
	}
	return out
}

// timeless are the views that have no twin: of what they show, no past is kept, or it is the past itself.
var timeless = []string{"progress", "registry_versions", "findings", "finding_history"}

// viewed is a centre with something in every view of what was recorded.
func viewed(t *testing.T) *centre {
	c := newCentre(t)
	d := newDelivery()
	c.write(d.batch(workedMessages(t)))
	b := d.batch(step{kind: schema.Export, from: donors, to: cards, electors: "gHIj"}.messages(t, 20))
	at := schema.At(schematest.Began.Add(time.Minute))
	for n, sequence := range []uint64{1, 2, 5} {
		b.Messages = append(b.Messages, graph.Message{Org: "party-a", Sidecar: "s", Instance: "outbox", Sequence: sequence, Type: "gap", MessageID: fmt.Sprint(n), StreamSequence: 100 + uint64(n), ReceivedAt: at})
	}
	b.Beats = append(b.Beats, graph.Heartbeat{Org: "party-a", Sidecar: "s", Instance: "outbox", Sequence: 1, At: at, IntervalMS: 1000, Places: []schema.Place{voters}, StreamSequence: 100, ReceivedAt: at})
	b.Gaps = append(b.Gaps, graph.Gap{Org: "party-a", Sidecar: "s", Instance: "outbox", Sequence: 2, Place: voters, From: at, To: at, Records: 7, Why: "the outbox was full", StreamSequence: 101, ReceivedAt: at})
	b.Rejected = append(b.Rejected, graph.Rejected{StreamSequence: 103, Subject: "rolltrace.v1.movement.a.b", Code: "malformed", Reason: "no body", ReceivedAt: at})
	c.write(b)
	return c
}

// Whoever looks at a view in a client sees what it and each of its columns means, and gets columns of the types said.
func TestViewsAreDescribed(t *testing.T) {
	c := newCentre(t)
	for _, name := range stable() {
		if c.texts("SELECT comment FROM system.tables WHERE database = currentDatabase() AND name = '" + name + "'")[0] == "" {
			t.Errorf("%s has no comment", name)
		}
		said := c.texts("SELECT concat(name, ' ', type) FROM system.columns WHERE database = currentDatabase() AND table = '" + name + "' ORDER BY position")
		if undescribed := c.texts("SELECT name FROM system.columns WHERE database = currentDatabase() AND table = '" + name + "' AND comment = ''"); len(said) == 0 || len(undescribed) > 0 {
			t.Errorf("%s: of %d columns these have no comment: %v", name, len(said), undescribed)
		}
		// What an insert would be made of: neither the driver nor a client reads sets.
		c.exec("CREATE OR REPLACE TABLE given ENGINE = Memory AS SELECT * FROM " + name + " LIMIT 0")
		if have := c.texts("SELECT concat(name, ' ', type) FROM system.columns WHERE database = currentDatabase() AND table = 'given' ORDER BY position"); !slices.Equal(have, said) {
			t.Errorf("%s gives\n%q, and is described as\n%q", name, have, said)
		}
	}
	for _, name := range graph.Views() {
		if plain, ok := strings.CutSuffix(name, "_as_of"); ok && !slices.Contains(graph.Views(), plain) && !strings.HasPrefix(plain, "lookup_") {
			t.Errorf("%s has no plain view", name)
		} else if !ok && !strings.HasPrefix(name, "internal_") && slices.Contains(graph.Views(), name+"_as_of") == slices.Contains(timeless, name) {
			t.Errorf("%s: a twin as of a time, unless it is one of %v", name, timeless)
		}
	}
}

// A view and its twin as of no time say the same; and as of a time before everything, nothing.
func TestTwinsAgree(t *testing.T) {
	c := viewed(t)
	for _, name := range stable() {
		if slices.Contains(timeless, name) {
			continue
		}
		columns := "*"
		switch name {
		case "holding", "reached": // sets, which are no text
			columns = "* REPLACE (bitmapToArray(electors) AS electors)"
		case "sidecars": // passes
			columns = "* EXCEPT (silent_seconds)"
		}
		asked := c.texts("SELECT create_table_query FROM system.tables WHERE database = currentDatabase() AND name = '" + name + "_as_of'")[0]
		twin := func(asOf string) string {
			parameters := []string{"as_of = '" + asOf + "'"}
			for _, p := range []string{"at", "key"} {
				if strings.Contains(asked, "{"+p+":String}") {
					parameters = append(parameters, p+" = ''")
				}
			}
			return name + "_as_of(" + strings.Join(parameters, ", ") + ")"
		}
		rows := func(from string) []string {
			return slices.Sorted(slices.Values(c.texts("SELECT toString(tuple(" + columns + ")) FROM " + from)))
		}
		plain := rows(name)
		if now := rows(twin("")); !slices.Equal(now, plain) {
			t.Errorf("%s: have\n%s\nits twin says\n%s", name, strings.Join(plain, "\n"), strings.Join(now, "\n"))
		}
		recorded := !slices.Contains([]string{"organisations", "systems", "datasets", "people", "purposes", "record_sources", "agreements", "policies", "elections", "registered_places", "rulings", "findings", "finding_history", "seedings"}, name)
		if recorded && len(plain) == 0 {
			t.Errorf("%s: this history shows nothing there", name)
		}
		if before := rows(twin("1999-12-31T00:00:00Z")); len(before) > 0 && !slices.Contains([]string{"notes", "coverage", "sidecars"}, name) {
			t.Errorf("%s: long before, its twin says\n%s", name, strings.Join(before, "\n"))
		}
	}
}

// One elector is one elector, asked of the twin by key, or of the view.
func TestTwinsFindOneElector(t *testing.T) {
	c := viewed(t)
	for _, name := range []string{"dossier", "elector_places", "elector_keys", "elector_fields", "elector_origins", "route"} {
		for _, letter := range "bc" {
			key, at := keyOf(letter).String(), ""
			if name == "route" {
				at = "at = '', "
			}
			plain := slices.Sorted(slices.Values(c.texts("SELECT toString(tuple(*)) FROM " + name + " WHERE key = '" + key + "'")))
			twin := slices.Sorted(slices.Values(c.texts("SELECT toString(tuple(*)) FROM " + name + "_as_of(" + at + "key = '" + strings.ToUpper(key) + "', as_of = '')")))
			if len(plain) == 0 || !slices.Equal(plain, twin) {
				t.Errorf("%s of %c: have\n%s\nits twin says\n%s", name, letter, strings.Join(plain, "\n"), strings.Join(twin, "\n"))
			}
			for _, none := range []string{"zz", key[1:], key + "0", "0000000000000001"} {
				if found := c.texts("SELECT key FROM " + name + "_as_of(" + at + "key = '" + none + "', as_of = '')"); len(found) > 0 {
					t.Errorf("%s of the key %q: %v", name, none, found)
				}
			}
		}
	}
}

// Who may only look electors up gets nobody without a key.
func TestLookUpsWantAKey(t *testing.T) {
	c := viewed(t)
	for name, rest := range map[string]string{"lookup_places": "", "lookup_dossier": "", "lookup_fields": "", "lookup_route": ", at = ''"} {
		if found := c.texts("SELECT key FROM " + name + "_as_of(key = '" + keyOf('b').String() + "', as_of = ''" + rest + ")"); len(found) == 0 {
			t.Errorf("%s does not find an elector", name)
		}
		for _, none := range []string{"", "%", "zz"} {
			if found := c.texts("SELECT key FROM " + name + "_as_of(key = '" + none + "', as_of = ''" + rest + ")"); len(found) > 0 {
				t.Errorf("%s of the key %q: %d rows", name, none, len(found))
			}
		}
	}
}
