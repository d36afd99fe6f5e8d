package graph_test

import (
	"crypto/sha256"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/rolltrace/rolltrace/schema"
	"github.com/rolltrace/rolltrace/schema/graph"
	"github.com/rolltrace/rolltrace/schema/registry"
)

// applied is a version of the registry as the log brings it.
func applied(t testing.TB, n int, from schema.Time, r *registry.Registry) graph.Registry {
	t.Helper()
	if faults := r.Check(); len(faults) > 0 {
		t.Fatal(faults)
	}
	content, err := r.Normal()
	if err != nil {
		t.Fatal(err)
	}
	return graph.Registry{
		Hash: sha256.Sum256(fmt.Append(content, n)), Version: uint64(n), Instance: "registry", AppliedAt: hour(100 + n), ValidFrom: from, By: "u0001", Why: "a test",
		Content: content, StreamSequence: uint64(1000 + n), ReceivedAt: hour(100 + n),
	}
}

func firstRegistry() *registry.Registry {
	return &registry.Registry{
		Organisations: []registry.Organisation{{ID: "electoral-office", Name: "Office", Kind: "authority", Jurisdiction: "CA"}, {ID: "party-a", Name: "Party A", Kind: "party", Jurisdiction: "CA"}},
		Systems:       []registry.System{{ID: "electoral-office/rolls", Sources: []string{"list-of-electors"}}, {ID: "party-a/crm"}, {ID: "party-a/archive", Owner: "electoral-office"}},
		Datasets:      []registry.Dataset{{Place: "party-a/crm/voters", Sources: []string{"list-of-electors"}, Jurisdiction: "CA-BC"}},
		People:        []registry.Person{{Place: "party-a/people/u0412", Roles: []string{"staff"}}},
		Purposes:      []registry.Purpose{{ID: "communicate"}},
		Sources:       []registry.Source{{ID: "list-of-electors", Permits: []registry.Permit{{To: []string{"party"}, Purposes: []string{"communicate"}}}}},
		Policies:      []registry.Policy{{Organisation: "party-a", Purposes: []string{"communicate"}}},
		Elections:     []registry.Election{{ID: "e", Start: "2026-01-01", End: "2026-01-31"}},
	}
}

// secondRegistry has the printer, and the agreement with it.
func secondRegistry() *registry.Registry {
	r := firstRegistry()
	r.Organisations = append(r.Organisations, registry.Organisation{ID: "acme-mail", Name: "Acme Mail", Kind: "vendor", Jurisdiction: "US"})
	r.Organisations[1].Name = "Party A, renamed"
	r.Systems = append(r.Systems, registry.System{ID: "acme-mail/uploads"})
	r.Agreements = []registry.Agreement{{ID: "acme-2026", Parties: []string{"acme-mail", "party-a"}, Start: "2026-04-01", End: "2026-04-30", DestroyBy: "2026-05-31"}}
	return r
}

func TestRegistryViews(t *testing.T) {
	c := newCentre(t)
	d := newDelivery()
	first := d.batch(workedMessages(t))
	versions := []graph.Registry{applied(t, 1, hour(0), firstRegistry()), applied(t, 2, hour(6), secondRegistry())}
	first.Registries = append(versions, versions[1]) // a message that came twice
	c.write(first)

	for sql, want := range map[string]string{
		"SELECT concat(organisation, ' ', name) FROM organisations":                                           "acme-mail Acme Mail; electoral-office Office; party-a Party A, renamed",
		"SELECT concat(organisation, ' ', name) FROM organisations_as_of(as_of = '" + hour(5).String() + "')": "electoral-office Office; party-a Party A",
		"SELECT organisation FROM organisations_as_of(as_of = '" + hour(-1).String() + "')":                   "",
		"SELECT concat(system, ' ', owner) FROM systems WHERE startsWith(system, 'party-a')":                  "party-a/archive electoral-office; party-a/crm party-a",
		"SELECT concat(toString(version), ' ', by, ' ', toString(entries)) FROM registry_versions":            "1 u0001 11; 2 u0001 14",
		"SELECT concat(source, ' ', toString(permitted_to), ' ', toString(purposes)) FROM record_sources":     "list-of-electors ['party'] ['communicate']",
		"SELECT concat(agreement, ' ', toString(ends_at), ' ', toString(destroy_by)) FROM agreements":         "acme-2026 2026-05-01 00:00:00.000000 2026-06-01 00:00:00.000000",
		"SELECT concat(place, toString(roles)) FROM people":                                                   "party-a/people/u0412['staff']",
		"SELECT concat(organisation, toString(purposes)) FROM policies":                                       "party-a['communicate']",
		"SELECT concat(election, ' ', toString(ends_at)) FROM elections":                                      "e 2026-02-01 00:00:00.000000",
		"SELECT purpose FROM purposes": "communicate",
		"SELECT place FROM datasets":   "party-a/crm/voters",
		"SELECT concat(place, ' ', toString(registered), ' ', owner, ' ', jurisdiction, ' ', toString(sources)) FROM registered_places WHERE place IN ('" + strings.Join([]string{rolls, voters, donors, cards, staff, printer, audience}, "','") + "')": //
		"acme-mail/uploads/cards.csv true acme-mail US []; electoral-office/rolls/2026 true electoral-office CA ['list-of-electors']; party-a/crm/donors true party-a CA []; " +
			"party-a/crm/voters true party-a CA-BC ['list-of-electors']; party-a/exports/cards false party-a CA []; party-a/people/u0412 true party-a CA []; vendor-b/ads/audience false vendor-b  []",
		"SELECT place FROM registered_places_as_of(as_of = '" + hour(6).String() + "') WHERE NOT registered":                 "party-a/exports/cards; party-a/exports/merged; party-a/web/forms",
		"SELECT place FROM registered_places_as_of(as_of = '" + hour(5).String() + "') WHERE startsWith(place, 'acme-mail')": "",
		// The registry of the movement's time: the printer was not yet known at hour 5.
		"SELECT concat(kind, ' ', input_name, ' → ', output_name, ' ', output_jurisdiction, ' ', toString(agreement_registered), toString(agreement_active)) FROM registered_movements WHERE occurred_at IN ('" + hour(5).Format("2006-01-02 15:04:05.000000") + "', '" + hour(6).Format("2006-01-02 15:04:05.000000") + "')": "merge Party A → Party A CA falsefalse; share Party A, renamed → Acme Mail US truetrue",
		"SELECT concat(place, ' ', name, ' ', toString(agreements), ' ', toString(electors)) FROM registered_holdings WHERE place IN ('" + printer + "', '" + audience + "')":                                                                                                                                                 "acme-mail/uploads/cards.csv Acme Mail ['acme-2026'] 4; vendor-b/ads/audience  ['acme-2026'] 1",
		"SELECT toString(electors) FROM registered_holdings_as_of(at = 'acme-mail', as_of = '" + hour(6).String() + "')":                                                                                                                                                                                                      "4",
	} {
		if have := strings.Join(c.texts(sql), "; "); have != want {
			t.Errorf("%s: have\n%s\nwant\n%s", sql, have, want)
		}
	}
}

// Whatever the order in which versions arrive, the same one counts.
func TestRegistryVersionsInAnyOrder(t *testing.T) {
	correction := firstRegistry()
	correction.Organisations[1].Name = "Party A, corrected"
	versions := []graph.Registry{applied(t, 1, hour(0), firstRegistry()), applied(t, 2, hour(6), secondRegistry()), applied(t, 3, hour(3), correction)}
	for range 2 {
		c := newCentre(t)
		d := newDelivery()
		for i, v := range versions {
			b := d.batch(nil)
			v.StreamSequence = uint64(i + 1)
			b.Registries = []graph.Registry{v}
			c.write(b)
		}
		for at, want := range map[int]string{2: "Party A", 3: "Party A, corrected", 7: "Party A, corrected"} {
			have := c.texts("SELECT name FROM organisations_as_of(as_of = '" + hour(at).String() + "') WHERE organisation = 'party-a'")
			if !slices.Equal(have, []string{want}) {
				t.Errorf("as of hour %d: have %q, want %q", at, have, want)
			}
		}
		slices.Reverse(versions)
	}
}

func TestRulingsView(t *testing.T) {
	c := newCentre(t)
	b := newDelivery().batch(nil)
	ruling := func(n int, what string) graph.Ruling {
		return graph.Ruling{Hash: sha256.Sum256([]byte(what)), Finding: strings.Repeat("0f", 16), At: hour(n), What: what, By: "u0001", Why: "seen", StreamSequence: uint64(n), ReceivedAt: hour(n)}
	}
	b.Rulings = []graph.Ruling{ruling(2, "suppress"), ruling(1, "acknowledge"), ruling(2, "suppress")}
	c.write(b)
	if have := strings.Join(c.texts("SELECT concat(ruling, ' ', toString(counts)) FROM rulings"), "; "); have != "acknowledge false; suppress true" {
		t.Errorf("have %s", have)
	}
	if have := strings.Join(c.texts("SELECT concat(ruling, ' ', toString(counts)) FROM rulings_as_of(as_of = '"+hour(1).String()+"')"), "; "); have != "acknowledge true" {
		t.Errorf("as of then: have %s", have)
	}
}

// Who does not say where the list of electors is, is answered by the registry of the time.
func TestFieldsByTheRegistry(t *testing.T) {
	c := newCentre(t)
	d := newDelivery()
	first := d.batch(workedMessages(t))
	first.Registries = []graph.Registry{applied(t, 1, hour(0), firstRegistry())}
	c.write(first)
	ask := func(asOf schema.Time, lists ...string) *graph.Fields {
		t.Helper()
		a, err := c.graph.Fields(t.Context(), graph.FieldsQuestion{At: voters, Lists: lists, AsOf: asOf})
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	said, registered := ask(schema.Time{}, rolls), ask(schema.Time{})
	if said.ListsFrom != graph.ListsAsked || registered.ListsFrom != graph.ListsRegistered || !slices.Equal(registered.Lists, []string{rolls}) {
		t.Errorf("lists %v of %q, and %v of %q", said.Lists, said.ListsFrom, registered.Lists, registered.ListsFrom)
	}
	if len(registered.Fields) == 0 || !reflect.DeepEqual(said.Fields, registered.Fields) {
		t.Errorf("have %+v, want %+v", registered.Fields, said.Fields)
	}
	if before := ask(hour(-1)); before.ListsFrom != "" || len(before.Lists) > 0 {
		t.Errorf("before there was a registry: %v of %q", before.Lists, before.ListsFrom)
	}
}
