package graph_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/rolltrace/rolltrace/schema"
)

// A view that would be asked for more than a query may take says so at once, and which twin to ask; the twin answers.
func TestViewsRefuseWhatIsTooMuch(t *testing.T) {
	c := newCentre(t)
	place := func(n int) string { return fmt.Sprintf("party-a/files/list-%03d", n) }
	const long = 320 // movements, each from where the one before it went
	var messages []message
	for n := range long {
		messages = append(messages, step{kind: schema.Export, from: place(n), to: place(n + 1), electors: "ab"}.messages(t, n)...)
	}
	for n := range 40 {
		messages = append(messages, step{kind: schema.Destroy, from: place(n), electors: "ab"}.messages(t, long+n)...)
	}
	c.deliver(messages, len(messages))
	c.exec("INSERT INTO elector (number, space, key, first_sequence) SELECT toUInt32(1000 + number), 0, sipHash64(number), 1 FROM numbers(1000000)")
	for view, twin := range map[string]string{
		"reach":           "reach_as_of(at = ?, as_of = '')",
		"sources":         "sources_as_of(at = ?, as_of = '')",
		"copies":          "copies_as_of(at = ?, as_of = '')",
		"fields":          "fields_as_of(at = ?, as_of = '')",
		"origins":         "origins_as_of(at = ?, as_of = '')",
		"elector_fields":  "elector_fields_as_of(key = ?, as_of = '')",
		"elector_origins": "elector_origins_as_of(key = ?, as_of = '')",
		"route":           "route_as_of(key = ?, at = '', as_of = '')",
	} {
		of, given := "a place or organisation", place(3)
		if strings.Contains(twin, "key") {
			of, given = "an elector key", keyOf('a').String()
		}
		ask := func(what string) string { return strings.Replace(twin, "?", "'"+what+"'", 1) }
		err := c.conn.Exec(t.Context(), "SELECT * FROM "+view+" LIMIT 1")
		if err == nil || !strings.Contains(err.Error(), ask(of)) {
			t.Errorf("%s: %v, want it to name %s", view, err, ask(of))
		}
		if err := c.conn.Exec(t.Context(), "SELECT * FROM "+ask("")+" LIMIT 1"); err == nil {
			t.Errorf("%s answers", ask(""))
		}
		if rows := c.texts("SELECT toString(tuple(*)) FROM " + ask(given) + " LIMIT 1"); len(rows) == 0 {
			t.Errorf("%s has no rows", ask(given))
		}
	}
	for _, view := range []string{"dossier", "elector_places", "elector_keys", "held_electors", "reached_electors"} {
		if rows := c.texts("SELECT key FROM " + view + " LIMIT 3"); len(rows) != 3 && view != "elector_keys" || len(rows) == 0 {
			t.Errorf("%s has %d rows", view, len(rows))
		}
	}
}
