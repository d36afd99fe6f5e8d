package registry

import (
	"regexp"
	"time"

	"github.com/rolltrace/rolltrace/schema"
	"github.com/rolltrace/rolltrace/schema/document"
)

// A Registry is everything that one version says. Lists of its normal form are in the order of their ids.
type Registry struct {
	Organisations []Organisation `json:"organisations"`
	Systems       []System       `json:"systems"`
	Datasets      []Dataset      `json:"datasets"`
	People        []Person       `json:"people"`
	Purposes      []Purpose      `json:"purposes"`
	Sources       []Source       `json:"sources"`
	Agreements    []Agreement    `json:"agreements"`
	Policies      []Policy       `json:"policies"`
	Elections     []Election     `json:"elections"`
}

// An Organisation owns places: all those whose first segment is its id.
type Organisation struct {
	ID           string         `json:"id"`
	Name         string         `json:"name"`
	Kind         string         `json:"kind"` // one of Kinds
	Jurisdiction string         `json:"jurisdiction"`
	Contact      string         `json:"contact"`
	Parent       string         `json:"parent"` // another organisation, or ""
	Where        document.Where `json:"-"`
}

// Kinds are what an organisation can be.
var Kinds = []string{"authority", "party", "riding-association", "candidate", "member", "vendor", "platform", "broker", "public-body", "research", "public", "other"}

// A System is the first two segments of places: "party-a/crm". What it says holds for its datasets unless they say
// otherwise. "party-a/people" stands for the organisation's people.
type System struct {
	ID           string         `json:"id"`
	Name         string         `json:"name"`
	Owner        string         `json:"owner"`        // organisation; "" is that of the first segment
	Jurisdiction string         `json:"jurisdiction"` // where it stands; "" is that of its owner
	Sources      []string       `json:"sources"`      // where its records come from
	Where        document.Where `json:"-"`
}

// A Dataset is a place: "party-a/crm/voters".
type Dataset struct {
	Place        string         `json:"place"`
	Name         string         `json:"name"`
	Owner        string         `json:"owner"`
	Jurisdiction string         `json:"jurisdiction"`
	Sources      []string       `json:"sources"`
	Where        document.Where `json:"-"`
}

// A Person is a place too, "party-a/people/u0412", with roles: free labels, for example candidate, staff, privacy-officer.
type Person struct {
	Place string         `json:"place"`
	Roles []string       `json:"roles"`
	Where document.Where `json:"-"`
}

// A Purpose is a name for what records are used for. Whatever permits a purpose permits those that are part of it.
type Purpose struct {
	ID     string         `json:"id"`
	Title  string         `json:"title"`
	PartOf string         `json:"part_of"`
	Where  document.Where `json:"-"`
}

// A Source is where records come from: the list of electors, a canvass, a broker. With permits, nothing else is
// permitted; without, nothing is known to be forbidden.
type Source struct {
	ID      string         `json:"id"`
	Title   string         `json:"title"`
	Rule    string         `json:"rule"` // where that is written: a section of an Act
	Permits []Permit       `json:"permits"`
	Where   document.Where `json:"-"`
}

// A Permit says who may use records of a source, and for what.
type Permit struct {
	To             []string       `json:"to"`       // kinds of organisation, and roles of people
	Purposes       []string       `json:"purposes"` // with all that are part of them; none is any
	DuringElection bool           `json:"during_election"`
	Where          document.Where `json:"-"`
}

// An Agreement is what organisations agreed on.
type Agreement struct {
	ID        string         `json:"id"` // as movements name it
	Title     string         `json:"title"`
	Parties   []string       `json:"parties"`    // organisations, two or more
	Purposes  []string       `json:"purposes"`   // none: any
	Fields    []string       `json:"fields"`     // field categories; none: any
	Onward    []string       `json:"onward"`     // organisations to whom a party may pass records on; none: nobody
	Start     Moment         `json:"start"`      // "" is always
	End       Moment         `json:"end"`        // "" is never
	DestroyBy Moment         `json:"destroy_by"` // "" is never
	Where     document.Where `json:"-"`
}

// A Policy is what an organisation says of itself that it does.
type Policy struct {
	Organisation  string         `json:"organisation"`
	Published     string         `json:"published"`     // where
	Purposes      []string       `json:"purposes"`      // none: any
	Fields        []string       `json:"fields"`        // none: any
	Jurisdictions []string       `json:"jurisdictions"` // where records may go; none: anywhere
	Where         document.Where `json:"-"`
}

// An Election is a period in which candidates may use lists.
type Election struct {
	ID           string         `json:"id"`
	Jurisdiction string         `json:"jurisdiction"`
	Start        Moment         `json:"start"`
	End          Moment         `json:"end"`
	Where        document.Where `json:"-"`
}

// A Moment is a date ("2019-12-31", the whole day in UTC) or a time (RFC 3339), or "".
type Moment string

// Begins is the first instant of the moment; ok is false for "" and what is no moment.
func (m Moment) Begins() (t time.Time, ok bool) {
	parsed, err := schema.ParseTime(string(m))
	return parsed.Time, err == nil && parsed.InRange()
}

// Ends is the first instant after the moment.
func (m Moment) Ends() (t time.Time, ok bool) {
	t, ok = m.Begins()
	if len(m) == len(time.DateOnly) {
		t = t.AddDate(0, 0, 1)
	} else {
		t = t.Add(time.Microsecond)
	}
	return t, ok
}

var (
	jurisdictionPattern = regexp.MustCompile(`^[A-Z]{2}(-[A-Z0-9]{1,3})?$`)
	fieldPattern        = regexp.MustCompile(`^[a-z][a-z0-9_]{0,62}$`)
	systemPattern       = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,62}/[a-z0-9][a-z0-9._-]{0,62}$`)
)

const (
	jurisdictionLimit = "a country (CA) or a part of one (CA-BC), as in ISO 3166"
	systemLimit       = "organisation/system"
	momentLimit       = "a date (2026-04-01) or a time (2026-04-01T12:00:00Z), from 1900 to 2199"
)
