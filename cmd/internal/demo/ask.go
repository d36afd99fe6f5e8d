package demo

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/rolltrace/rolltrace/producers/pseudonym"
	"github.com/rolltrace/rolltrace/schema"
	"github.com/rolltrace/rolltrace/schema/graph"
)

// ask asks the questions of the case, as anybody could with `rolltrace` or in SQL.
func (s *stage) ask(ctx context.Context) error {
	conn, err := graph.Open(s.centre.Reader)
	if err != nil {
		return err
	}
	defer conn.Close()
	q := &questions{Graph: graph.New(conn, graph.Config{}), answers: s.report.Answers}
	for _, ask := range []func(context.Context) error{q.addresses, q.pulledBy, q.copiesLeft} {
		if err := ask(ctx); err != nil {
			return err
		}
	}
	return q.route(ctx, s)
}

// questions gather the answers of the case.
type questions struct {
	*graph.Graph
	answers *Answers
}

// addresses: how many electors were on the card list, and where their addresses came from.
func (q *questions) addresses(ctx context.Context) error {
	cards, err := q.Electors(ctx, graph.ElectorsQuestion{At: string(cardList), What: graph.Reached})
	if err != nil {
		return err
	}
	sources, err := q.Sources(ctx, graph.ReachQuestion{At: string(cardList)})
	if err != nil {
		return err
	}
	from := map[schema.Place]uint64{}
	for _, source := range sources.Places {
		from[source.Place] = one(source.Electors)
	}
	q.answers.Cards = one(cards.Electors)
	q.answers.FromListOfElectors = from[authorityList]
	q.answers.FromDoorsteps = from[doorsteps]
	q.answers.GivenByThemselves = from[signUpForm]
	q.note(cards.Answer, sources.Answer)
	return nil
}

// pulledBy: who took addresses out of the party's database.
func (q *questions) pulledBy(ctx context.Context) error {
	pulls, err := q.Movements(ctx, graph.MovementQuestion{Kind: schema.Export, From: string(voters)})
	if err != nil {
		return err
	}
	for _, m := range pulls.Movements {
		q.answers.PulledBy = append(q.answers.PulledBy, Pull{
			Actor: m.Actor, RecordedBy: m.RecordedBy, OccurredAt: m.OccurredAt, Basis: m.Basis,
			Movement: m.ID, Electors: one(m.Electors), Unkeyed: m.Unkeyed,
		})
	}
	q.note(pulls.Answer)
	return nil
}

// copiesLeft: where lists of the case went, and which of those places still hold somebody.
func (q *questions) copiesLeft(ctx context.Context) error {
	places := []schema.Place{knownList, lackingList, pulledList, cardList}
	reach, err := q.Reach(ctx, graph.ReachQuestion{At: string(cardList)})
	if err != nil {
		return err
	}
	for _, further := range reach.Places {
		places = append(places, further.Place)
	}
	q.note(reach.Answer)
	left := map[schema.Place]uint64{}
	asked := map[string]bool{}
	for _, place := range places {
		if asked[place.Org()] {
			continue
		}
		asked[place.Org()] = true
		held, err := q.Electors(ctx, graph.ElectorsQuestion{At: place.Org()})
		if err != nil {
			return err
		}
		q.note(held.Answer)
		for _, at := range held.Places {
			left[at.Place] = one(at.Electors)
		}
	}
	for _, place := range places {
		if n := left[place]; n > 0 {
			q.answers.CopiesLeft = append(q.answers.CopiesLeft, Copy{place, n})
		} else {
			q.answers.Destroyed = append(q.answers.Destroyed, place)
		}
	}
	return nil
}

// route: how the record of one of those whose address came from the list of electors got to the printer.
func (q *questions) route(ctx context.Context, s *stage) error {
	id, err := s.listed()
	if err != nil {
		return err
	}
	secret, err := pseudonym.ReadKeyFile(s.path(KeyFile))
	if err != nil {
		return err
	}
	key, _ := secret.Space(schema.ElectorID).Key([]byte(id))
	answer, err := q.Route(ctx, graph.RouteQuestion{
		ElectorQuestion: graph.ElectorQuestion{Key: key, IDSpace: schema.ElectorID, KeyID: secret.KeyID()},
		To:              printerList.Org(),
	})
	if err != nil {
		return err
	}
	q.answers.RouteOf = id
	for _, step := range answer.Steps {
		q.answers.Route = append(q.answers.Route, Hop{
			From: step.From, To: step.To, Kind: step.Kind, Basis: step.Basis, OccurredAt: step.OccurredAt, Actor: step.Actor, Movement: step.ID,
		})
	}
	q.note(answer.Answer)
	return nil
}

// listed is the identifier of the first one of those whose address was pulled who is on the list of electors:
// an invented person, so that it can be shown.
func (s *stage) listed() (string, error) {
	pulled, err := os.ReadFile(s.path(pulledFile))
	if err != nil {
		return "", err
	}
	strangers := map[string]bool{}
	canvassed, err := os.ReadFile(s.path(canvassFile))
	if err != nil {
		return "", err
	}
	for line := range strings.Lines(string(canvassed)) {
		id, _, _ := strings.Cut(line, ",")
		strangers[id] = true
	}
	for line := range strings.Lines(strings.TrimPrefix(string(pulled), addressHeader)) {
		if id, _, _ := strings.Cut(line, ","); !strangers[id] {
			return id, nil
		}
	}
	return "", fmt.Errorf("%s: nobody in it is on the list of electors", pulledFile)
}

// note keeps what the answers do not cover, each thing once.
func (q *questions) note(answers ...graph.Answer) {
	for _, answer := range answers {
		for _, note := range answer.Notes {
			q.answers.note(note)
		}
	}
}

func (a *Answers) note(note graph.Note) { a.Notes = withNote(a.Notes, note.Code, note.Text) }

// withNote adds the text of a note, once, if it is about what an answer does not cover. Others say that a copy is gone, who
// records, which is declared, or what is counted nowhere.
func withNote(notes []string, code, text string) []string {
	if code == graph.CodeNone || code == graph.CodeNoRecorder || code == graph.CodeSeeds || slices.Contains(notes, text) {
		return notes
	}
	return append(notes, text)
}

// one is the number of electors of an answer: the story has one id space and one key.
func one(counts []graph.Count) uint64 {
	if len(counts) == 0 {
		return 0
	}
	return counts[0].Electors
}
