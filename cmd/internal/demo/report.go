package demo

import (
	"encoding/json"

	"github.com/rolltrace/rolltrace/schema"
	"github.com/rolltrace/rolltrace/schema/graph"
)

// A Report is what a demo has to tell: the JSON of `rolltrace demo --json`. Its field names are stable.
type Report struct {
	Scenario  string          `json:"scenario"`
	Districts int             `json:"districts,omitempty"` // of christmas-cards
	Electors  uint64          `json:"electors,omitempty"`  // of christmas-cards: on the list of electors
	Scale     float64         `json:"scale,omitempty"`     // of the others: share of the full size
	People    int             `json:"people,omitempty"`    // of the others: everybody in their files
	Data      string          `json:"data"`                // folder of everything
	Parts     []string        `json:"parts"`               // what it ran on
	Answers   *Answers        `json:"answers,omitempty"`   // of christmas-cards
	Questions []Asked         `json:"questions,omitempty"` // of the others
	Findings  []graph.Finding `json:"findings"`            // what the rules say stands out
	Steps     []Step          `json:"steps"`
	Seconds   float64         `json:"seconds"` // from the start of the first part to the last answer
}

// An Asked is a question with its answer.
type Asked struct {
	Name    string            `json:"name"`
	Ask     string            `json:"ask"`
	After   string            `json:"after,omitempty"` // title of the step after which it was asked; "" in the end
	Say     string            `json:"say"`             // the answer for people
	Numbers map[string]uint64 `json:"numbers"`         // that recount.sh counts again
	Parts   []Part            `json:"parts"`
	Notes   []string          `json:"notes"` // what could change the answer, or is said beside it
}

// A Part is one command of a question.
type Part struct {
	Command string          `json:"command"` // as anybody can type it
	Answer  json.RawMessage `json:"answer"`  // what it printed with --json
	Tables  []Table         `json:"-"`       // of it for people
}

// A Table is some of an answer, for people.
type Table struct {
	Titles []string
	Rows   [][]string
}

// A Step is one step of the story.
type Step struct {
	Title     string   `json:"title"`
	Command   string   `json:"command,omitempty"` // what was run; files are relative to the data folder
	Movements []string `json:"movements,omitempty"`
	Records   uint64   `json:"records,omitempty"` // in those movements
	Seconds   float64  `json:"seconds"`           // until its movements were at the hub
}

// Answers are what the centre says about the case.
type Answers struct {
	Cards              uint64         `json:"cards"`                 // electors on the card list
	FromListOfElectors uint64         `json:"from_list_of_electors"` // of them, whose address came from the list of electors
	FromDoorsteps      uint64         `json:"from_doorsteps"`        // … from canvassers at the door
	GivenByThemselves  uint64         `json:"given_by_themselves"`   // … from themselves
	PulledBy           []Pull         `json:"pulled_by"`             // who took addresses from the party's database
	RouteOf            string         `json:"route_of"`              // identifier of an invented elector
	Route              []Hop          `json:"route"`                 // of that one to the printer
	CopiesLeft         []Copy         `json:"copies_left"`           // where somebody is still held
	Destroyed          []schema.Place `json:"destroyed"`             // where nobody is any more
	Notes              []string       `json:"notes"`                 // what could change the answers; none: nothing known
}

// A Pull is a movement by which somebody took addresses.
type Pull struct {
	Actor      string            `json:"actor"`
	RecordedBy schema.RecordedBy `json:"recorded_by"`
	OccurredAt schema.Time       `json:"occurred_at"`
	Movement   string            `json:"movement"`
	Basis      schema.Basis      `json:"basis"`
	Electors   uint64            `json:"electors"`
	Unkeyed    uint64            `json:"unkeyed"` // records without an identifier
}

// A Hop is one movement of a route.
type Hop struct {
	From       schema.Place `json:"from"`
	To         schema.Place `json:"to"`
	Kind       schema.Kind  `json:"kind"`
	Basis      schema.Basis `json:"basis"`
	OccurredAt schema.Time  `json:"occurred_at"`
	Actor      string       `json:"actor"`
	Movement   string       `json:"movement"`
}

// A Copy is a place that still holds electors of the card list.
type Copy struct {
	Place    schema.Place `json:"place"`
	Electors uint64       `json:"electors"`
}
