package wire

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/rolltrace/rolltrace/schema"
)

// Prefix begins the subject of every message of this version.
const Prefix = "rolltrace.v1."

// Partition is the only partition that elector keys have in this version.
const Partition = "0"

// A Type says what a message is: the token after Prefix in its subject, and the end of its ce-type.
type Type string

// The types of message that this version reads.
const (
	TypeMovement  Type = "movement"
	TypeElectors  Type = "electors"
	TypeHeartbeat Type = "heartbeat"
	TypeGap       Type = "gap"
)

// The types of message that the centre's operator publishes, as OperatorOrg and OperatorSidecar.
const (
	TypeRegistry Type = "registry" // whose places there are, and what was agreed
	TypeRuling   Type = "ruling"   // what somebody decided about a finding
)

// Whom the subjects of the operator's messages name: "rolltrace.v1.registry.centre.operator".
const (
	OperatorOrg     = "centre"
	OperatorSidecar = "operator"
)

// Types of message that are reserved for a later version. Decode parks them.
const (
	TypeLinks    Type = "links"    // pairs of keys that are one person
	TypeQuestion Type = "question" // who asked what
)

// Types that the centre itself publishes; they are never in the log.
const (
	TypeRejected Type = "rejected"
	TypeAlert    Type = "alert"
)

// CloudEvent is the ce-type of the type: "rolltrace.v1.movement".
func (t Type) CloudEvent() string { return Prefix + string(t) }

// Subject is where a sidecar publishes messages of the type: "rolltrace.v1.movement.<org>.<sidecar>",
// and for electors "rolltrace.v1.electors.0.<org>.<sidecar>". Org and sidecar are taken as they are; NATS
// wildcards are allowed, for filters and permissions.
func (t Type) Subject(org, sidecar string) string {
	if t == TypeElectors {
		return Prefix + string(t) + "." + Partition + "." + org + "." + sidecar
	}
	return Prefix + string(t) + "." + org + "." + sidecar
}

// RejectedSubject is where the consumer puts what it rejected with the code.
func RejectedSubject(code Code) string { return Prefix + string(TypeRejected) + "." + string(code) }

// An Address is what the subject of a message says.
type Address struct {
	Type    Type
	Org     string
	Sidecar string
}

// errLater marks a subject that a later version may understand.
var errLater = errors.New("subject of a later version")

// ParseSubject reads the subject of a message of the log. It refuses what is none, and what only a later
// version can read.
func ParseSubject(subject string) (Address, error) {
	tokens := strings.Split(subject, ".")
	if len(subject) > maxSubject || len(tokens) < 3 || tokens[0] != "rolltrace" {
		return Address{}, errors.New("subject: want rolltrace.v1.<type>.<org>.<sidecar>")
	}
	if tokens[1] != "v1" {
		if laterVersion(tokens[1]) || tokens[1] == "exercise" {
			return Address{}, errLater
		}
		return Address{}, errors.New("subject: want rolltrace.v1.<type>.<org>.<sidecar>")
	}
	a := Address{Type: Type(tokens[2])}
	rest := tokens[3:]
	switch a.Type {
	case TypeMovement, TypeHeartbeat, TypeGap, TypeRegistry, TypeRuling:
	case TypeElectors:
		if len(rest) == 0 {
			return Address{}, errors.New("subject: want a partition after electors")
		}
		if rest[0] != Partition {
			if n, err := strconv.ParseUint(rest[0], 10, 16); err == nil && strconv.FormatUint(n, 10) == rest[0] {
				return Address{}, errLater
			}
			return Address{}, errors.New("subject: want a number as partition")
		}
		rest = rest[1:]
	case TypeLinks, TypeQuestion:
		return Address{}, errLater
	default:
		return Address{}, errors.New("subject: want type movement, electors, heartbeat, gap, registry or ruling")
	}
	if len(rest) != 2 || !schema.ValidOrg(rest[0]) || !schema.ValidSidecar(rest[1]) {
		return Address{}, fmt.Errorf("subject: want an organisation and a sidecar after %s", a.Type)
	}
	if operators := a.Type == TypeRegistry || a.Type == TypeRuling; operators && (rest[0] != OperatorOrg || rest[1] != OperatorSidecar) {
		return Address{}, fmt.Errorf("subject: want %s.%s after %s", OperatorOrg, OperatorSidecar, a.Type)
	}
	a.Org, a.Sidecar = rest[0], rest[1]
	return a, nil
}

// laterVersion says whether a version token ("v2") is greater than this version's.
func laterVersion(token string) bool {
	digits, ok := strings.CutPrefix(token, "v")
	if !ok {
		return false
	}
	n, err := strconv.ParseUint(digits, 10, 32)
	return err == nil && n > 1 && strconv.FormatUint(n, 10) == digits
}
