package pgtap

import (
	"fmt"
	"net/netip"
	"path"
	"strings"

	"github.com/rolltrace/rolltrace/schema"
)

// Tags that a client gives with its statements, as sqlcommenter comments or as settings (SET rolltrace.purpose = '…').
const (
	TagPurpose     = "purpose"
	TagAgreement   = "agreement"
	TagDestination = "destination"
)

// A Rule says where the rows of some clients go. Its patterns are those of path.Match; an empty one fits everybody.
type Rule struct {
	User, Database, Application, Destination string
	// Address is the network that the client is in; the zero Prefix is any.
	Address netip.Prefix
	// Route is where they go. In its Output and Actor {user}, {database}, {application} and {destination} stand for the
	// client's own, in lower case. An empty Kind follows from the output: share to another organisation, access to a
	// person, else export. An empty Purpose or Agreement is the client's tag.
	Route Route
}

// Rules are asked in order; the first that fits decides. Whoever fits none goes to Unmapped.
type Rules struct {
	Org      string       // of the tables
	Unmapped schema.Place // of clients that no rule fits
	List     []Rule
}

// Validate says what is wrong with the rules.
func (r Rules) Validate() error {
	if _, err := schema.ParsePlace(string(r.Unmapped)); err != nil {
		return fmt.Errorf("unmapped: %w", err)
	}
	for i, rule := range r.List {
		for name, pattern := range map[string]string{
			"user": rule.User, "database": rule.Database, "application": rule.Application, "destination": rule.Destination,
		} {
			if _, err := path.Match(pattern, ""); err != nil {
				return fmt.Errorf("clients[%d].%s: %q: want a pattern, such as report-*", i, name, pattern)
			}
		}
		if !strings.Contains(string(rule.Route.Output), "{") {
			if _, err := schema.ParsePlace(string(rule.Route.Output)); err != nil {
				return fmt.Errorf("clients[%d].place: %w", i, err)
			}
		}
		switch rule.Route.Kind {
		case "", schema.Access, schema.Export, schema.Share:
		default:
			return fmt.Errorf("clients[%d].kind: %q: want access, export or share", i, rule.Route.Kind)
		}
		switch rule.Route.Entry {
		case "", schema.Collect, schema.Merge:
		default:
			return fmt.Errorf("clients[%d].entry: %q: want collect or merge", i, rule.Route.Entry)
		}
		for name, text := range map[string]string{"purpose": rule.Route.Purpose, "agreement": rule.Route.Agreement, "legal_basis": rule.Route.LegalBasis} {
			if text != "" && !schema.ValidLabel(text) {
				return fmt.Errorf("clients[%d].%s: %q: want %s", i, name, text, schema.LabelLimit)
			}
		}
	}
	return nil
}

// Route is where a client's rows go.
func (r Rules) Route(who Client) Route {
	for _, rule := range r.List {
		if rule.fits(who) {
			if route, ok := r.route(rule.Route, who); ok {
				return route
			}
		}
	}
	route, _ := r.route(Route{Output: r.Unmapped, Kind: schema.Access}, who)
	return route
}

func (r Rule) fits(who Client) bool {
	return fits(r.User, who.User) && fits(r.Database, who.Database) && fits(r.Application, who.Application) &&
		fits(r.Destination, who.Tags[TagDestination]) && r.near(who.Address)
}

func fits(pattern, name string) bool {
	if pattern == "" {
		return true
	}
	ok, err := path.Match(pattern, name)
	return ok && err == nil
}

func (r Rule) near(address string) bool {
	if !r.Address.IsValid() {
		return true
	}
	a, err := netip.ParseAddr(address)
	return err == nil && r.Address.Contains(a.Unmap())
}

// route fills in what the client says. It says false when that makes no place.
func (r Rules) route(route Route, who Client) (Route, bool) {
	if strings.Contains(string(route.Output)+route.Actor, "{") {
		fill := strings.NewReplacer("{user}", segment(who.User), "{database}", segment(who.Database),
			"{application}", segment(who.Application), "{destination}", segment(who.Tags[TagDestination]))
		route.Output = schema.Place(fill.Replace(string(route.Output)))
		route.Actor = fill.Replace(route.Actor)
	}
	if _, err := schema.ParsePlace(string(route.Output)); err != nil {
		return route, false
	}
	if route.Actor != "" && !schema.ValidLabel(route.Actor) {
		route.Actor = ""
	}
	switch {
	case route.Output.Org() != r.Org:
		route.Kind = schema.Share
	case route.Kind == schema.Share:
		route.Kind = schema.Export
	case route.Kind == "" && route.Output.IsPerson():
		route.Kind = schema.Access
	case route.Kind == "":
		route.Kind = schema.Export
	}
	tag := func(text *string, name string) {
		if said := who.Tags[name]; *text == "" && schema.ValidLabel(said) {
			*text = said
		}
	}
	tag(&route.Purpose, TagPurpose)
	tag(&route.Agreement, TagAgreement)
	return route, true
}

// segment makes a name fit a place.
func segment(name string) string {
	return strings.Map(func(c rune) rune {
		switch {
		case 'a' <= c && c <= 'z', '0' <= c && c <= '9', c == '.', c == '_', c == '-':
			return c
		}
		return '-'
	}, strings.ToLower(name))
}
