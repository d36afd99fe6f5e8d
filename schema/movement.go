package schema

import "regexp"

// Kind says what a movement did. A kind that is none of the known ones comes from a later version: it
// is accepted, adds, and is flagged.
type Kind string

// The kinds of movement (design, section 2.1).
const (
	Collect Kind = "collect" // authority, platform or the public → dataset
	Export  Kind = "export"  // dataset → dataset or file of the same organisation
	Merge   Kind = "merge"   // two or more datasets → dataset
	Share   Kind = "share"   // dataset → a place of another organisation
	Access  Kind = "access"  // dataset → a person (or a role, or an application)
	Destroy Kind = "destroy" // dataset → nothing; removes, at that place, from then on
)

// Known says whether this version knows the kind.
func (k Kind) Known() bool {
	switch k {
	case Collect, Export, Merge, Share, Access, Destroy:
		return true
	}
	return false
}

// Mode says how the electors of a movement are known.
type Mode string

// The modes (design, section 2.2).
const (
	Listed  Mode = "listed"  // the keys were seen as they flowed, and travel in chunks
	Whole   Mode = "whole"   // everything that the inputs held at that moment
	Counted Mode = "counted" // only a number of records is known
)

// Basis says on whose word a movement is known.
type Basis string

// The bases (design, section 2.3).
const (
	Observed Basis = "observed" // a recorder saw the bytes
	Declared Basis = "declared" // the owner of the place says so
	Attested Basis = "attested" // somebody else says so
)

// State says whether more is to come.
type State string

// The states of a movement.
const (
	Open   State = "open"
	Closed State = "closed"
)

// Outcome says how a closed movement ended. An open one has none.
type Outcome string

// The outcomes. A declared movement that its owner withdraws is retracted by a later revision with a
// reason; every revision stays readable.
const (
	Completed Outcome = "completed"
	Failed    Outcome = "failed"
	Retracted Outcome = "retracted"
)

// A Movement is one event in which elector records went somewhere, or were destroyed. It is
// (Producer.Org, Producer.Sidecar, ID); its current form is the greatest (Revision, SHA-256 of the
// body), never the latest arrival.
type Movement struct {
	ID       string  `json:"id"`       // UUIDv7, lower case
	Revision uint32  `json:"revision"` // from 1
	State    State   `json:"state"`
	Outcome  Outcome `json:"outcome"` // "" while open
	Reason   string  `json:"reason"`  // why a later revision relabels or retracts; at most MaxText bytes

	Kind  Kind  `json:"kind"`
	Basis Basis `json:"basis"`

	OccurredAt Time `json:"occurred_at"` // when it began; it decides order, together with org, sidecar and id
	ClosedAt   Time `json:"closed_at"`   // zero while open
	RecordedAt Time `json:"recorded_at"` // when this revision was written

	Inputs []Input `json:"inputs"` // at most MaxInputs
	Output Place   `json:"output"` // "" for a destroy

	Actor      string     `json:"actor"` // what was claimed: a place of a person, role or application, or ""
	RecordedBy RecordedBy `json:"recorded_by"`
	Purpose    string     `json:"purpose"`
	Agreement  string     `json:"agreement"`
	LegalBasis string     `json:"legal_basis"`
	Fields     []string   `json:"fields"` // field categories that travelled, never values

	Electors Electors `json:"electors"`
	Evidence Evidence `json:"evidence"`
	Exercise string   `json:"exercise"` // id of the exercise that it belongs to, or "" for real
	Producer Producer `json:"producer"`
}

// An Input is a place that records came from, with the field categories taken from there.
type Input struct {
	Place  Place    `json:"place"`
	Fields []string `json:"fields"`
}

// RecordedBy is what the recorder could see for itself.
type RecordedBy struct {
	User string `json:"user"` // operating-system or database user
	Host string `json:"host"`
}

// Electors says which electors a movement carried.
type Electors struct {
	Mode    Mode   `json:"mode"`
	Records uint64 `json:"records"` // rows seen, whether or not they had an id
	Sets    []Set  `json:"sets"`    // one for each id column and secret; only in mode listed
}

// A Set is the electors of one id column under one secret. Its keys travel in chunks numbered from 0.
type Set struct {
	IDSpace IDSpace `json:"id_space"`
	KeyID   KeyID   `json:"key_id"`
	Keys    uint64  `json:"keys"`    // keys sent, repeated ones included: keys + unkeyed = records seen for this column
	Unkeyed uint64  `json:"unkeyed"` // rows without an id in this column; they count as counted
	Chunks  uint32  `json:"chunks"`
	Role    SetRole `json:"role,omitempty"`
	Digest  string  `json:"digest"` // "sha256:" and the SHA-256 of the chunk bodies' SHA-256s, in order; "" while open
}

// A SetRole says what the keys of a set are, beside having been carried. "" is electors; a role that a later version
// brings means nothing to this one.
type SetRole string

// The roles of sets.
const (
	// Seeds are invented entries, put into one copy so that it can be told from others. Whoever carries them, they are
	// counted nowhere as electors.
	Seeds SetRole = "seeds"
	// NoSeeds were taken for seeds, and are not: their identifiers turned out to be somebody's. They are electors again,
	// whoever calls them seeds.
	NoSeeds SetRole = "no-seeds"
)

var setRolePattern = regexp.MustCompile(`^[a-z][a-z-]{0,31}$`)

const setRoleLimit = "nothing, seeds, no-seeds, or a word of a later version: 1 to 32 of a-z -"

// Valid says whether the role is well formed.
func (r SetRole) Valid() bool { return r == "" || setRolePattern.MatchString(string(r)) }

// Evidence is what else supports a movement.
type Evidence struct {
	MAC       string `json:"mac"`       // keyed hash of the bytes that flowed ("hmac-sha256:…"); a plain hash could be guessed from the roll
	Bytes     uint64 `json:"bytes"`     // bytes that flowed, as they were (compressed, if they were)
	Statement string `json:"statement"` // SQL with its constants removed
	Document  string `json:"document"`  // hash of the document behind an attestation ("sha256:…")
}

// Producer says who published a revision, and where it stands in the chain of its instance.
type Producer struct {
	Org      string `json:"org"`
	Sidecar  string `json:"sidecar"`
	Instance string `json:"instance"` // one per outbox
	Sequence uint64 `json:"sequence"` // from 1, without holes; chunks count too
	Previous string `json:"previous"` // "sha256:" and the hash of the instance's previous message; "" for the first
	Version  string `json:"version"`  // of the software
}

// Owner says which organisation answers for the place that a movement changes: that of its output, or of
// its input when it is a destroy.
func (m *Movement) Owner() string {
	if m.Kind == Destroy {
		if len(m.Inputs) == 0 {
			return ""
		}
		return m.Inputs[0].Place.Org()
	}
	return m.Output.Org()
}

// EffectiveBasis is the basis that the centre gives to a movement: what it says of itself, but attested
// when a destroy was published by another organisation than the owner of the place, because only the
// owner of a place, or a recorder there, can take electors away from it.
func (m *Movement) EffectiveBasis() Basis {
	if m.Kind == Destroy && m.Producer.Org != m.Owner() {
		return Attested
	}
	return m.Basis
}

// Removes says whether the movement takes electors away from its input: a destroy that was completed, on
// the word of the owner of the place. One that is open, failed or retracted took nothing away for certain,
// so what it would have destroyed is still held.
func (m *Movement) Removes() bool {
	return m.Kind == Destroy && m.Outcome == Completed && m.EffectiveBasis() != Attested
}
