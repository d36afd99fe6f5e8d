package demo

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/rolltrace/rolltrace/schema"
	"github.com/rolltrace/rolltrace/schema/schematest/roll"
)

// ChristmasCards is the scenario after the news of December 2019: addresses for greeting cards were pulled
// from a party's database, and nobody could say how many of them had come from the list of electors.
// Organisations and people are invented.
const ChristmasCards = "christmas-cards"

// The places of the story. Everything before the first slash is an organisation.
const (
	authorityList = schema.Place("elections-office/lists/electors-2021.csv")
	signUpForm    = schema.Place("public/web/sign-ups")
	doorsteps     = schema.Place("public/canvass/doorsteps-2021")
	voters        = schema.Place("party-a/crm/voters")
	supporters    = schema.Place("party-a/crm/supporters")
	knownList     = schema.Place("party-a/files/cards-with-address.csv")
	lackingList   = schema.Place("party-a/files/cards-without-address.csv")
	pulledList    = schema.Place("party-a/files/addresses-from-hq.csv")
	cardList      = schema.Place("party-a/files/card-list.csv")
	printerList   = schema.Place("lantern-print/uploads/christmas-cards.csv")

	staffer   = "party-a/people/s0117"
	colleague = "party-a/people/u0412"
)

// Files of the story, in the data folder.
const (
	listFile    = "elections-office/list-of-electors.csv"
	signUpFile  = "party-a/sign-ups.csv"
	canvassFile = "party-a/canvass.csv"
	knownFile   = "party-a/cards-with-address.csv"
	lackingFile = "party-a/cards-without-address.csv"
	pulledFile  = "party-a/addresses-from-hq.csv"
	cardFile    = "party-a/card-list.csv"
	printerFile = "lantern-print/christmas-cards.csv"
)

// christmas plays the story: what it returns are its steps, in order, each with its movements.
func (s *stage) christmas(ctx context.Context) error {
	districts := roll.Districts()[:s.cfg.Districts]
	s.roll = roll.New(seed, districts...)
	s.report.Districts, s.report.Electors = len(districts), uint64(s.roll.Electors())
	s.report.Answers = &Answers{CopiesLeft: []Copy{}, Destroyed: []schema.Place{}, Notes: []string{}}
	c := newCast(s.roll)
	played := time.Now().UTC()
	steps := []struct {
		title string
		play  func(context.Context) error
	}{
		{"The elections office gives the party its list of electors", func(ctx context.Context) error {
			return s.tee(ctx, sidecarFile, listFile, "", true, "--kind", "collect", "--from", string(authorityList), "--to", string(voters),
				"--id", "elector_id", "--fields", "name,civic_address", "--purpose", "communicate")
		}},
		{"Older logs are handed in: web sign-ups, and people met at the door", func(ctx context.Context) error {
			return s.emit(ctx, "back-fill.jsonl",
				s.declared(schema.Collect, signUpForm, supporters, signUpFile, played.AddDate(-1, 0, 0), "name", "email"),
				s.declared(schema.Collect, doorsteps, voters, canvassFile, played.AddDate(0, -6, 0), "name", "civic_address"))
		}},
		{"A staffer exports the supporters who gave their address", func(ctx context.Context) error {
			return s.tee(ctx, sidecarFile, knownFile, "", true, "--kind", "export", "--from", string(supporters), "--to", string(knownList),
				"--id", "elector_id", "--fields", "name,civic_address", "--actor", staffer, "--purpose", "greeting-cards")
		}},
		{"… and, for headquarters, those whose address is not known", func(ctx context.Context) error {
			return s.tee(ctx, sidecarFile, lackingFile, "", true, "--kind", "export", "--from", string(supporters), "--to", string(lackingList),
				"--id", "elector_id", "--fields", "name", "--actor", staffer, "--purpose", "greeting-cards")
		}},
		{"A colleague at headquarters pulls the missing addresses from the party's database", func(ctx context.Context) error {
			return s.tee(ctx, sidecarFile, pulledFile, "", true, "--kind", "export", "--from", string(voters), "--to", string(pulledList),
				"--id", "elector_id", "--fields", "name,civic_address", "--actor", colleague, "--purpose", "greeting-cards")
		}},
		{"The two lists with addresses are merged", func(ctx context.Context) error {
			return s.tee(ctx, sidecarFile, cardFile, "", true, "--kind", "merge", "--from", string(knownList), "--from", string(pulledList),
				"--to", string(cardList), "--id", "elector_id", "--fields", "name,civic_address",
				"--actor", staffer, "--purpose", "greeting-cards")
		}},
		{"The merged list goes to a printer", func(ctx context.Context) error {
			return s.tee(ctx, sidecarFile, cardFile, printerFile, true, "--kind", "share", "--from", string(cardList), "--to", string(printerList),
				"--id", "elector_id", "--fields", "name,civic_address", "--actor", staffer, "--purpose", "greeting-cards",
				"--agreement", "lantern-print-2019")
		}},
		{"The party destroys its lists", func(ctx context.Context) error {
			now := time.Now().UTC()
			return s.emit(ctx, "destroyed.jsonl",
				s.declared(schema.Destroy, knownList, "", knownFile, now),
				s.declared(schema.Destroy, lackingList, "", lackingFile, now),
				s.declared(schema.Destroy, pulledList, "", pulledFile, now),
				s.declared(schema.Destroy, cardList, "", cardFile, now))
		}},
	}
	if err := s.step(ctx, "Files are made: invented people, real numbers of electors", func(context.Context) error {
		return s.files(c)
	}); err != nil {
		return err
	}
	for _, step := range steps {
		if err := s.step(ctx, step.title, step.play); err != nil {
			return err
		}
	}
	return nil
}

// files writes what the people of the story hold.
func (s *stage) files(c *cast) error {
	if err := s.writeRoll(); err != nil {
		return err
	}
	for _, f := range []struct {
		name, header string
		form         line
		groups       [][]person
	}{
		{signUpFile, addressHeader, signUp, [][]person{c.signedUp}},
		{canvassFile, addressHeader, whole, [][]person{c.canvassed}},
		{knownFile, addressHeader, whole, [][]person{c.known}},
		{lackingFile, nameHeader, named, [][]person{c.lacking}},
		{pulledFile, addressHeader, whole, [][]person{c.found}},
		{cardFile, addressHeader, whole, [][]person{c.known, c.found}},
	} {
		if err := c.write(s.path(f.name), f.header, f.form, f.groups...); err != nil {
			return err
		}
	}
	return nil
}

// A declaration is one line for `rolltrace-sidecar emit`.
type declaration struct {
	Kind       schema.Kind    `json:"kind"`
	Basis      schema.Basis   `json:"basis"`
	OccurredAt schema.Time    `json:"occurred_at"`
	Inputs     []schema.Input `json:"inputs"`
	Output     schema.Place   `json:"output"`
	Fields     []string       `json:"fields,omitempty"`
	Purpose    string         `json:"purpose,omitempty"`
	IDsFrom    idsFrom        `json:"ids_from"`
}

type idsFrom struct {
	File string `json:"file"`
	ID   string `json:"id"`
}

func (s *stage) declared(kind schema.Kind, from, to schema.Place, file string, at time.Time, fields ...string) declaration {
	return declaration{
		Kind: kind, Basis: schema.Declared, OccurredAt: schema.At(at),
		Inputs: []schema.Input{{Place: from, Fields: fields}}, Output: to, Fields: fields,
		IDsFrom: idsFrom{File: filepath.Base(file), ID: "elector_id"}, // beside the file of the line
	}
}

// emit hands declared movements in, one line each.
func (s *stage) emit(ctx context.Context, file string, lines ...declaration) error {
	var text strings.Builder
	for _, line := range lines {
		encoded, err := json.Marshal(line)
		if err != nil {
			return err
		}
		text.Write(encoded)
		text.WriteByte('\n')
	}
	path := filepath.Join(s.cfg.Data, "party-a", file)
	if err := os.WriteFile(path, []byte(text.String()), 0o600); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	s.movements += len(lines)
	return s.sidecar(ctx, nil, nil, "emit", "--config", s.path(sidecarFile), path)
}
