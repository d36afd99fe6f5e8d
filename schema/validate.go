package schema

import (
	"fmt"
	"regexp"
	"strconv"
	"unicode/utf8"
)

// Limits of a movement.
const (
	MaxText      = 4096 // bytes of a free text: reason, statement
	MaxLabel     = 128  // bytes of a label: purpose, agreement, user, host, …
	MaxInputs    = 64
	MaxFields    = 64
	MaxSets      = 16
	MaxChunkKeys = 65536   // keys in one chunk: 512 KiB
	MaxChunks    = 1 << 20 // chunks in one set

	// MaxCount bounds records, bytes and sequences: the largest integer that every JSON reader holds
	// exactly, and small enough that sums of thousands of them do not overflow.
	MaxCount = 1<<53 - 1
)

// MinTime and MaxTime bound every time, MaxTime excluded: what a DateTime64(6) holds without surprises.
const (
	MinTime = "1900-01-01T00:00:00.000000Z"
	MaxTime = "2200-01-01T00:00:00.000000Z"
)

var (
	uuidv7Pattern   = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)
	kindPattern     = regexp.MustCompile(`^[a-z][a-z0-9_-]{0,31}$`)
	fieldPattern    = regexp.MustCompile(`^[a-z][a-z0-9_]{0,62}$`)
	labelPattern    = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9 ._:/@+-]{0,127}$`)
	instancePattern = regexp.MustCompile(`^[0-9a-zA-Z-]{1,64}$`)
	sha256Pattern   = regexp.MustCompile(`^sha256:[0-9a-f]{64}$`)
	macPattern      = regexp.MustCompile(`^(hmac-sha256:[0-9a-f]{64}|aes-cmac:[0-9a-f]{32})$`)
)

// ValidID says whether s can be the id of a movement: a UUIDv7 in lower case.
func ValidID(s string) bool { return uuidv7Pattern.MatchString(s) }

// ValidLabel says whether s is a well-formed label: purpose, agreement, user, host, version, … An empty
// label is none.
func ValidLabel(s string) bool { return labelPattern.MatchString(s) }

// ValidInstance says whether s can name the instance of a sidecar's outbox.
func ValidInstance(s string) bool { return instancePattern.MatchString(s) }

// What a well-formed label, instance, digest and time are, as the error messages say it.
const (
	LabelLimit    = "at most 128 letters, digits, spaces and . _ : / @ + -, beginning with a letter or digit"
	InstanceLimit = "1 to 64 letters, digits or -"
	TimeLimit     = "a time from 1900 to 2199"
	digestLimit   = "sha256: and 64 hex digits"
	countLimit    = "at most 9007199254740991"
)

// Validate returns every fault of the movement as a Faults, or nil. Kinds that this version does not know
// are no fault.
func (m *Movement) Validate() error {
	v := &validation{}
	m.check(v)
	if len(v.faults) == 0 {
		return nil
	}
	return v.faults
}

func (m *Movement) check(v *validation) {
	v.match("id", m.ID, uuidv7Pattern, "a UUIDv7 in lower case")
	v.require(m.Revision >= 1, "revision", fmt.Sprint(m.Revision), "1 or more")
	m.checkState(v)
	v.match("kind", string(m.Kind), kindPattern, "a kind of movement: collect, export, merge, share, access, destroy")
	v.oneOf("basis", string(m.Basis), string(Observed), string(Declared), string(Attested))
	m.checkTimes(v)
	m.checkPlaces(v)
	v.label("actor", m.Actor)
	v.label("recorded_by.user", m.RecordedBy.User)
	v.label("recorded_by.host", m.RecordedBy.Host)
	v.label("purpose", m.Purpose)
	v.label("agreement", m.Agreement)
	v.label("legal_basis", m.LegalBasis)
	v.label("exercise", m.Exercise)
	v.text("reason", m.Reason)
	v.fields("fields", m.Fields)
	m.Electors.check(v, m.State)
	m.Evidence.check(v)
	m.Producer.check(v)
}

func (m *Movement) checkState(v *validation) {
	v.oneOf("state", string(m.State), string(Open), string(Closed))
	switch m.State {
	case Open:
		v.require(m.Outcome == "", "outcome", string(m.Outcome), "nothing while the movement is open")
	case Closed:
		v.oneOf("outcome", string(m.Outcome), string(Completed), string(Failed), string(Retracted))
		if m.Outcome == Retracted {
			v.require(m.Reason != "", "reason", m.Reason, "a reason for the retraction")
			v.require(m.Basis != Observed, "outcome", string(m.Outcome), "completed or failed: what was observed is not withdrawn")
		}
	}
}

func (m *Movement) checkTimes(v *validation) {
	v.moment("occurred_at", m.OccurredAt, true)
	v.moment("recorded_at", m.RecordedAt, true)
	v.moment("closed_at", m.ClosedAt, m.State == Closed)
	if m.State == Open {
		v.require(m.ClosedAt.IsZero(), "closed_at", m.ClosedAt.String(), "nothing while the movement is open")
	} else if !m.ClosedAt.IsZero() {
		v.require(!m.ClosedAt.Before(m.OccurredAt.Time), "closed_at", m.ClosedAt.String(), "not before occurred_at")
	}
}

func (m *Movement) checkPlaces(v *validation) {
	v.require(len(m.Inputs) <= MaxInputs, "inputs", strconv.Itoa(len(m.Inputs)), fmt.Sprintf("at most %d", MaxInputs))
	seen := make(map[Place]bool, len(m.Inputs))
	for i, in := range m.Inputs[:min(len(m.Inputs), MaxInputs)] {
		field := fmt.Sprintf("inputs[%d]", i)
		v.faults = append(v.faults, checkPlace(field+".place", string(in.Place))...)
		v.require(!seen[in.Place], field+".place", string(in.Place), "each place once")
		seen[in.Place] = true
		v.fields(field+".fields", in.Fields)
	}
	inputs := strconv.Itoa(len(m.Inputs))
	switch m.Kind {
	case Destroy:
		v.require(len(m.Inputs) == 1, "inputs", inputs, "exactly one for a destroy")
		v.require(m.Output == "", "output", string(m.Output), "nothing for a destroy")
		return
	case Merge:
		v.require(len(m.Inputs) >= 2, "inputs", inputs, "two or more for a merge")
	default:
		v.require(len(m.Inputs) >= 1, "inputs", inputs, "one or more")
	}
	v.faults = append(v.faults, checkPlace("output", string(m.Output))...)
	if m.Kind == Share {
		for _, in := range m.Inputs {
			if in.Place.Org() != m.Output.Org() {
				return
			}
		}
		v.require(len(m.Inputs) == 0, "output", string(m.Output), "a place of another organisation for a share")
	}
}

func (e *Electors) check(v *validation, state State) {
	v.oneOf("electors.mode", string(e.Mode), string(Listed), string(Whole), string(Counted))
	v.count("electors.records", e.Records)
	v.require(len(e.Sets) <= MaxSets, "electors.sets", strconv.Itoa(len(e.Sets)), fmt.Sprintf("at most %d", MaxSets))
	if e.Mode == Listed {
		v.require(len(e.Sets) >= 1, "electors.sets", "0", "one for each id column in mode listed")
	} else {
		v.require(len(e.Sets) == 0, "electors.sets", strconv.Itoa(len(e.Sets)), "none unless mode is listed")
	}
	for i, s := range e.Sets[:min(len(e.Sets), MaxSets)] {
		field := fmt.Sprintf("electors.sets[%d].", i)
		v.match(field+"id_space", string(s.IDSpace), idSpacePattern, idSpaceLimit)
		v.match(field+"key_id", string(s.KeyID), keyIDPattern, keyIDLimit)
		v.require(s.Chunks <= MaxChunks, field+"chunks", fmt.Sprint(s.Chunks), fmt.Sprintf("at most %d", MaxChunks))
		v.require(s.Keys <= uint64(s.Chunks)*MaxChunkKeys, field+"keys", fmt.Sprint(s.Keys),
			fmt.Sprintf("at most %d for each chunk", MaxChunkKeys))
		v.require(s.Keys >= uint64(s.Chunks), field+"chunks", fmt.Sprint(s.Chunks), "no more than keys: a chunk is never empty")
		v.count(field+"unkeyed", s.Unkeyed)
		v.require(s.Role.Valid(), field+"role", string(s.Role), setRoleLimit)
		if state == Closed || s.Digest != "" {
			v.match(field+"digest", s.Digest, sha256Pattern, digestLimit)
		}
	}
}

func (e *Evidence) check(v *validation) {
	if e.MAC != "" {
		v.match("evidence.mac", e.MAC, macPattern, "hmac-sha256: and 64 hex digits, or aes-cmac: and 32")
	}
	if e.Document != "" {
		v.match("evidence.document", e.Document, sha256Pattern, digestLimit)
	}
	v.count("evidence.bytes", e.Bytes)
	v.text("evidence.statement", e.Statement)
}

// Validate returns every fault of the producer as a Faults, or nil.
func (p Producer) Validate() error {
	v := &validation{}
	p.check(v)
	if len(v.faults) == 0 {
		return nil
	}
	return v.faults
}

func (p *Producer) check(v *validation) {
	v.match("producer.org", p.Org, orgPattern, orgLimit)
	v.match("producer.sidecar", p.Sidecar, orgPattern, orgLimit)
	v.match("producer.instance", p.Instance, instancePattern, InstanceLimit)
	v.require(p.Sequence >= 1, "producer.sequence", fmt.Sprint(p.Sequence), "1 or more")
	v.count("producer.sequence", p.Sequence)
	if p.Previous != "" {
		v.match("producer.previous", p.Previous, sha256Pattern, digestLimit)
	}
	v.label("producer.version", p.Version)
}

// validation gathers faults, so that none hides another.
type validation struct{ faults Faults }

func (v *validation) require(ok bool, field, value, limit string) {
	if !ok {
		v.faults = append(v.faults, Fault{field, value, limit})
	}
}

func (v *validation) count(field string, n uint64) {
	v.require(n <= MaxCount, field, strconv.FormatUint(n, 10), countLimit)
}

func (v *validation) match(field, value string, pattern *regexp.Regexp, limit string) {
	v.require(pattern.MatchString(value), field, value, limit)
}

func (v *validation) oneOf(field, value string, allowed ...string) {
	for _, a := range allowed {
		if value == a {
			return
		}
	}
	v.require(false, field, value, "one of "+fmt.Sprint(allowed))
}

func (v *validation) label(field, value string) {
	if value != "" {
		v.match(field, value, labelPattern, LabelLimit)
	}
}

func (v *validation) text(field, value string) {
	v.require(len(value) <= MaxText && utf8.ValidString(value), field, value, fmt.Sprintf("at most %d bytes of UTF-8", MaxText))
}

func (v *validation) fields(field string, names []string) {
	v.require(len(names) <= MaxFields, field, strconv.Itoa(len(names)), fmt.Sprintf("at most %d", MaxFields))
	for i, name := range names[:min(len(names), MaxFields)] {
		v.match(fmt.Sprintf("%s[%d]", field, i), name, fieldPattern, "1 to 63 of a-z 0-9 _, beginning with a letter")
	}
}

func (v *validation) moment(field string, t Time, required bool) {
	if t.IsZero() {
		v.require(!required, field, "", "a time")
		return
	}
	v.require(t.InRange(), field, t.String(), TimeLimit)
}
