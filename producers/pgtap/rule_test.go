package pgtap_test

import (
	"net/netip"
	"testing"

	"github.com/rolltrace/rolltrace/producers/pgtap"
	"github.com/rolltrace/rolltrace/schema"
)

func TestRules(t *testing.T) {
	rules := pgtap.Rules{Org: "party-a", Unmapped: "party-a/unmapped/postgres", List: []pgtap.Rule{
		{User: "u[0-9]*", Route: pgtap.Route{Output: "party-a/people/{user}", Actor: "party-a/people/{user}"}},
		{Application: "mailer", Address: netip.MustParsePrefix("10.0.0.0/8"), Route: pgtap.Route{Output: "acme-mail/uploads/lists", Purpose: "communicate"}},
		{Database: "crm", User: "report", Route: pgtap.Route{Output: "party-a/reports/{application}", Kind: schema.Access}},
		{Destination: "acme-*", Route: pgtap.Route{Output: "acme-mail/uploads/{destination}"}},
	}}
	if err := rules.Validate(); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		who  pgtap.Client
		want pgtap.Route
	}{
		"person": {pgtap.Client{User: "u0412"}, pgtap.Route{Output: "party-a/people/u0412", Kind: schema.Access, Actor: "party-a/people/u0412"}},
		"no staff code": {pgtap.Client{User: "u1-invented-name"},
			pgtap.Route{Output: "party-a/unmapped/postgres", Kind: schema.Access}},
		"vendor": {pgtap.Client{User: "x", Application: "mailer", Address: "10.1.2.3", Tags: map[string]string{"purpose": "other", "agreement": "acme-2026"}},
			pgtap.Route{Output: "acme-mail/uploads/lists", Kind: schema.Share, Purpose: "communicate", Agreement: "acme-2026"}},
		"mapped address":  {pgtap.Client{Application: "mailer", Address: "::ffff:10.1.2.3"}, pgtap.Route{Output: "acme-mail/uploads/lists", Kind: schema.Share, Purpose: "communicate"}},
		"another network": {pgtap.Client{User: "x", Application: "mailer", Address: "192.0.2.1"}, pgtap.Route{Output: "party-a/unmapped/postgres", Kind: schema.Access}},
		"report": {pgtap.Client{User: "report", Database: "crm", Application: "Weekly Report"},
			pgtap.Route{Output: "party-a/reports/weekly-report", Kind: schema.Access}},
		"destination": {pgtap.Client{Tags: map[string]string{"destination": "acme-7"}}, pgtap.Route{Output: "acme-mail/uploads/acme-7", Kind: schema.Share}},
		"nobody":      {pgtap.Client{}, pgtap.Route{Output: "party-a/unmapped/postgres", Kind: schema.Access}},
	} {
		t.Run(name, func(t *testing.T) {
			if have := rules.Route(c.who); have != c.want {
				t.Errorf("have %+v, want %+v", have, c.want)
			}
		})
	}
	for name, wrong := range map[string]pgtap.Rule{
		"pattern": {User: "[", Route: pgtap.Route{Output: "party-a/x/y"}},
		"place":   {Route: pgtap.Route{Output: "nowhere"}},
		"kind":    {Route: pgtap.Route{Output: "party-a/x/y", Kind: schema.Destroy}},
		"purpose": {Route: pgtap.Route{Output: "party-a/x/y", Purpose: "?"}},
	} {
		if err := (pgtap.Rules{Org: "party-a", Unmapped: "party-a/x/y", List: []pgtap.Rule{wrong}}).Validate(); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
