package wire

import (
	"encoding/json"
	"regexp"

	"github.com/rolltrace/rolltrace/schema"
)

// A Registry is one version of the centre's registry, as the operator applied it.
type Registry struct {
	At        schema.Time `json:"at"`         // when it was applied
	ValidFrom schema.Time `json:"valid_from"` // from when on it counts
	By        string      `json:"by"`         // who applied it: a label
	Why       string      `json:"why"`        // a text, or ""

	// Content is the normal form of a registry.Registry. That it is one object is all that is checked here.
	Content json.RawMessage `json:"registry"`

	Producer schema.Producer `json:"producer"`
}

func (r *Registry) faults() schema.Faults {
	var fs schema.Faults
	moment(&fs, "at", r.At)
	moment(&fs, "valid_from", r.ValidFrom)
	decided(&fs, r.By, r.Why)
	require(&fs, len(r.Content) > 1 && r.Content[0] == '{' && json.Valid(r.Content), "registry", "", "a JSON object")
	return fs
}

// What a Ruling can decide.
const (
	Acknowledge = "acknowledge" // it is seen to
	Suppress    = "suppress"    // it is not to be shown among the open ones
	Reopen      = "reopen"      // neither any more
)

// A Ruling is what somebody decided about a finding. The latest counts; all are kept.
type Ruling struct {
	At      schema.Time `json:"at"`
	Finding string      `json:"finding"` // its id: ValidFinding
	What    string      `json:"ruling"`  // Acknowledge, Suppress, Reopen
	By      string      `json:"by"`      // a label
	Why     string      `json:"why"`     // a text

	Producer schema.Producer `json:"producer"`
}

var findingPattern = regexp.MustCompile(`^[0-9a-f]{32}$`)

// ValidFinding says whether id can be that of a finding: 32 hex digits.
func ValidFinding(id string) bool { return findingPattern.MatchString(id) }

func (r *Ruling) faults() schema.Faults {
	var fs schema.Faults
	moment(&fs, "at", r.At)
	require(&fs, ValidFinding(r.Finding), "finding", r.Finding, "32 hex digits")
	require(&fs, r.What == Acknowledge || r.What == Suppress || r.What == Reopen, "ruling", r.What, "acknowledge, suppress or reopen")
	decided(&fs, r.By, r.Why)
	require(&fs, r.Why != "", "why", "", "a reason")
	return fs
}

func decided(fs *schema.Faults, by, why string) {
	require(fs, by != "" && schema.ValidLabel(by), "by", by, schema.LabelLimit)
	require(fs, len(why) <= schema.MaxText, "why", why, "a text of at most 4096 bytes")
}
