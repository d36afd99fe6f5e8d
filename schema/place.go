package schema

import (
	"fmt"
	"regexp"
	"strings"
)

// A Place is where elector records can be: "org/system/dataset", for example "party-a/crm/voters" or
// "acme-mail/uploads/2026-04-01.csv". A person is a place too: "party-a/people/u0412".
type Place string

// PeopleSystem is the system segment of places that are persons. Their last segment is a staff code
// (up to 8 letters, then 1 to 12 digits), so that names of people do not creep into places.
const PeopleSystem = "people"

// Limits of a place, in bytes.
const (
	MaxOrg     = 63
	MaxSystem  = 63
	MaxDataset = 128
)

var (
	orgPattern     = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,62}$`)
	systemPattern  = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{0,62}$`)
	datasetPattern = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{0,127}$`)
	personPattern  = regexp.MustCompile(`^[a-z]{0,8}[0-9]{1,12}$`)
)

// What a well-formed segment is, as the error messages say it.
const (
	orgLimit     = "1 to 63 of a-z 0-9 -, beginning with a letter or digit"
	systemLimit  = "1 to 63 of a-z 0-9 . _ -, beginning with a letter or digit"
	datasetLimit = "1 to 128 of a-z 0-9 . _ -, beginning with a letter or digit"
	personLimit  = "a staff code: up to 8 letters a-z, then 1 to 12 digits"
	placeLimit   = "three segments org/system/dataset"
)

// ParsePlace returns s as a Place, or an error that names the segment at fault and its limit.
func ParsePlace(s string) (Place, error) {
	if f := checkPlace("place", s); len(f) > 0 {
		return "", f
	}
	return Place(s), nil
}

// NewPlace joins three segments into a Place and checks it as ParsePlace does.
func NewPlace(org, system, dataset string) (Place, error) {
	return ParsePlace(org + "/" + system + "/" + dataset)
}

func (p Place) segment(i int) string {
	parts := strings.SplitN(string(p), "/", 3)
	if i >= len(parts) {
		return ""
	}
	return parts[i]
}

// Org is the organisation that owns the place.
func (p Place) Org() string { return p.segment(0) }

// System is the middle segment: the system, or "people".
func (p Place) System() string { return p.segment(1) }

// Dataset is the last segment: the dataset, the file, or the person's staff code.
func (p Place) Dataset() string { return p.segment(2) }

// IsPerson says whether the place is a person.
func (p Place) IsPerson() bool { return p.System() == PeopleSystem }

// ValidOrg says whether s can be an organisation: the first segment of a place, and a subject token.
func ValidOrg(s string) bool { return orgPattern.MatchString(s) }

// ValidSidecar says whether s can name a sidecar. A sidecar is a subject token, so the rule is that of
// an organisation.
func ValidSidecar(s string) bool { return orgPattern.MatchString(s) }

func checkPlace(field, s string) Faults {
	parts := strings.Split(s, "/")
	if len(parts) != 3 {
		return Faults{{field, s, placeLimit}}
	}
	var faults Faults
	check := func(name, value, limit string, pattern *regexp.Regexp) {
		if !pattern.MatchString(value) {
			faults = append(faults, Fault{fmt.Sprintf("%s (%s)", field, name), value, limit})
		}
	}
	check("organisation", parts[0], orgLimit, orgPattern)
	check("system", parts[1], systemLimit, systemPattern)
	if parts[1] == PeopleSystem {
		check("person", parts[2], personLimit, personPattern)
	} else {
		check("dataset", parts[2], datasetLimit, datasetPattern)
	}
	return faults
}
