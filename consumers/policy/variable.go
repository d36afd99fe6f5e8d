package policy

import (
	"slices"
	"sync"
	"time"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/ref"
	"github.com/google/cel-go/ext"
	"github.com/google/cel-go/interpreter"
)

// Subjects are what rules can look at.
var Subjects = []string{OnMovement, OnPlace, OnHolding, OnSidecar, OnGap, OnHole}

// What a rule looks at: each movement; each place; what an organisation still holds at a place of what it received under an
// agreement whose records should have been destroyed; each sidecar; each gap that a sidecar reported; each outbox with a hole.
const (
	OnMovement = "movement"
	OnPlace    = "place"
	OnHolding  = "holding"
	OnSidecar  = "sidecar"
	OnGap      = "gap"
	OnHole     = "hole"
)

// A Variable is a fact that expressions can use.
type Variable struct {
	Name string
	Type *cel.Type
	Doc  string
}

var (
	texts  = cel.ListType(cel.StringType)
	common = []Variable{{"as_of", cel.TimestampType, "the time that is asked about"}}
)

// Variables are the facts about each kind of subject.
var Variables = map[string][]Variable{
	OnMovement: {
		{"movement.kind", cel.StringType, "collect, export, merge, share, access, destroy, or one of a later version"},
		{"movement.state", cel.StringType, "open or closed"},
		{"movement.outcome", cel.StringType, "completed or failed; empty while open"},
		{"movement.basis", cel.StringType, "observed, declared or attested"},
		{"movement.mode", cel.StringType, "listed, whole or counted"},
		{"movement.occurred_at", cel.TimestampType, "when it began"},
		{"movement.open_for", cel.DurationType, "how long it has been open; 0 when it is closed"},
		{"movement.inputs", texts, "places that records came from"},
		{"movement.output", cel.StringType, "place that they went to; empty for a destroy"},
		{"movement.actor", cel.StringType, "who is claimed to have done it"},
		{"movement.purpose", cel.StringType, "purpose given"},
		{"movement.purposes", texts, "the purpose, and what it is part of; none when none was given"},
		{"movement.agreement", cel.StringType, "agreement given"},
		{"movement.fields", texts, "field categories that travelled"},
		{"movement.records", cel.IntType, "records seen"},
		{"movement.unkeyed", cel.IntType, "records without an identifier"},
		{"movement.electors", cel.IntType, "electors that it carried; 0 when they are not known"},
		{"movement.chunks_missing", cel.IntType, "parts of its list of electors that never arrived"},
		{"from.organisations", texts, "organisations that own the inputs"},
		{"from.jurisdictions", texts, "where the inputs are, as far as registered"},
		{"from.sources", texts, "where the records come from: what is registered of the inputs, else of what entered them before"},
		{"to.organisation", cel.StringType, "organisation that owns the output; empty for a destroy"},
		{"to.kind", cel.StringType, "what that organisation is; empty when it is not registered"},
		{"to.jurisdiction", cel.StringType, "where the output is; empty when that is not registered"},
		{"to.person", cel.BoolType, "whether the output is a person"},
		{"crosses", cel.BoolType, "whether records went from one organisation to another"},
		{"user.organisation", cel.StringType, "who used the records: who collected them, else the owner of the first input"},
		{"user.kind", cel.StringType, "what that organisation is"},
		{"agreement.registered", cel.BoolType, "whether the registry has the agreement given"},
		{"agreement.active", cel.BoolType, "whether it was in force"},
		{"agreement.started", cel.BoolType, "whether it had begun"},
		{"agreement.parties", texts, "organisations that agreed"},
		{"agreement.purposes", texts, "purposes that it permits; none: any"},
		{"agreement.fields", texts, "field categories that it permits; none: any"},
		{"agreement.onward", texts, "organisations to whom a party may pass records on; none: nobody"},
		{"onward.forbidding", texts, "agreements under which the inputs were received, and that do not let them go to the organisation of the output"},
		{"policy.registered", cel.BoolType, "whether a policy of the user is registered"},
		{"policy.purposes", texts, "purposes in it; none: any"},
		{"policy.fields", texts, "field categories in it; none: any"},
		{"policy.jurisdictions", texts, "where records may go; none: anywhere"},
		{"source.forbidding", texts, "sources of the records that do not permit the purpose to the user, at any time"},
		{"source.election_only", texts, "sources that permit it during an election period only, when there was none"},
		{"source.rules", texts, "where those sources' permits are written"},
		{"history.share_of_roll", cel.DoubleType, "its electors, as a share of all that are known: 0 to 1"},
		{"history.actor_movements", cel.IntType, "how many movements of the same actor came before"},
		{"history.actor_largest", cel.IntType, "electors of the largest of those"},
		{"history.person", cel.StringType, "who got access; empty when it is no access"},
		{"history.person_days", cel.IntType, "on how many days before that person had access"},
		{"history.person_day", cel.IntType, "electors that the person had access to on this day, so far"},
		{"history.person_usual", cel.IntType, "electors on an ordinary day before: the median"},
		{"history.used_after_destruction", cel.IntType, "its electors that had been destroyed before at the place that it took them from"},
		{"history.attested_before", texts, "inputs that somebody else had said before were destroyed"},
	},
	OnPlace: {
		{"place.name", cel.StringType, "place: org/system/dataset"},
		{"place.organisation", cel.StringType, "its first segment"},
		{"place.registered", cel.BoolType, "whether the registry has its organisation, and it or its system"},
		{"place.organisation_registered", cel.BoolType, "whether the registry has its organisation"},
		{"place.movements", cel.IntType, "movements that name it"},
	},
	OnHolding: {
		{"holding.place", cel.StringType, "place that holds them"},
		{"holding.organisation", cel.StringType, "organisation that received them"},
		{"holding.agreement", cel.StringType, "agreement under which they came"},
		{"holding.electors", cel.IntType, "electors still held"},
		{"holding.destroy_by", cel.TimestampType, "first instant at which they should not be there"},
		{"holding.overdue", cel.DurationType, "for how long they should not"},
	},
	OnSidecar: {
		{"sidecar.organisation", cel.StringType, "organisation of the sidecar"},
		{"sidecar.name", cel.StringType, "sidecar"},
		{"sidecar.places", texts, "places that it covers"},
		{"sidecar.interval", cel.DurationType, "time between its heartbeats; 0 when it sends none"},
		{"sidecar.silence", cel.DurationType, "time since it was last heard"},
		{"sidecar.last_heard", cel.TimestampType, "when it was last heard"},
		{"sidecar.outbox_messages", cel.IntType, "messages that waited in its outbox"},
	},
	OnGap: {
		{"gap.organisation", cel.StringType, "organisation of the sidecar"},
		{"gap.sidecar", cel.StringType, "sidecar that reported it"},
		{"gap.place", cel.StringType, "place; empty when not known"},
		{"gap.why", cel.StringType, "why"},
		{"gap.records", cel.IntType, "records that passed unrecorded; 0 when not known"},
		{"gap.hole", cel.BoolType, "whether it is about messages lost from an outbox"},
	},
	OnHole: {
		{"hole.organisation", cel.StringType, "organisation of the sidecar"},
		{"hole.sidecar", cel.StringType, "sidecar"},
		{"hole.instance", cel.StringType, "outbox"},
		{"hole.missing", cel.IntType, "messages that never arrived"},
		{"hole.unreported", cel.IntType, "of these, those that the sidecar did not report itself"},
	},
}

// A kind is one kind of subject: its environment, and where each fact stands.
type kind struct {
	env   *cel.Env
	index map[string]int
}

var kinds = sync.OnceValue(func() map[string]*kind {
	out := map[string]*kind{}
	for on, variables := range Variables {
		variables = append(slices.Clone(common), variables...)
		k := &kind{index: map[string]int{}}
		options := []cel.EnvOption{ext.Strings(), cel.DefaultUTCTimeZone(true)}
		for i, v := range variables {
			k.index[v.Name] = i
			options = append(options, cel.Variable(v.Name, v.Type))
		}
		env, err := cel.NewEnv(options...)
		if err != nil {
			panic(err) // the variables are constants
		}
		k.env = env
		out[on] = k
	}
	return out
})

func environment(on string) *cel.Env { return kinds()[on].env }

// facts are the values of one subject's variables.
type facts struct {
	kind   *kind
	values []ref.Val
}

func newFacts(on string) *facts {
	k := kinds()[on]
	return &facts{kind: k, values: make([]ref.Val, len(k.index))}
}

// ResolveName makes facts an Activation.
func (f *facts) ResolveName(name string) (any, bool) {
	i, ok := f.kind.index[name]
	if !ok || f.values[i] == nil {
		return nil, false
	}
	return f.values[i], true
}

// Parent is none.
func (f *facts) Parent() interpreter.Activation { return nil }

func (f *facts) set(name string, value ref.Val) {
	i, ok := f.kind.index[name]
	if !ok {
		panic("no variable " + name) // a test sets every one
	}
	f.values[i] = value
}

func (f *facts) text(name, value string)           { f.set(name, types.String(value)) }
func (f *facts) flag(name string, value bool)      { f.set(name, types.Bool(value)) }
func (f *facts) at(name string, value time.Time)   { f.set(name, types.Timestamp{Time: value}) }
func (f *facts) number(name string, value uint64)  { f.set(name, types.Int(value)) } //nolint:gosec // counts are below 2⁵³
func (f *facts) share(name string, value float64)  { f.set(name, types.Double(value)) }
func (f *facts) time(name string, v time.Duration) { f.set(name, types.Duration{Duration: v}) }
func (f *facts) texts(name string, values []string) {
	f.set(name, types.NewStringList(types.DefaultTypeAdapter, values))
}
