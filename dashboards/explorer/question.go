package explorer

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/rolltrace/rolltrace/schema"
	"github.com/rolltrace/rolltrace/schema/graph"
)

// questions are what is asked with GET: nothing in their URLs identifies an elector.
func (p *page) questions() map[string]question {
	return map[string]question{
		"centre":   p.centre,
		"overview": p.overview,
		"electors": at(func(r *http.Request, at string, asOf schema.Time) (any, error) {
			return p.Graph.Electors(r.Context(), graph.ElectorsQuestion{At: at, AsOf: asOf, What: r.URL.Query().Get("what")})
		}),
		"reach": at(func(r *http.Request, at string, asOf schema.Time) (any, error) {
			return p.Graph.Reach(r.Context(), graph.ReachQuestion{At: at, AsOf: asOf})
		}),
		"sources": at(func(r *http.Request, at string, asOf schema.Time) (any, error) {
			return p.Graph.Sources(r.Context(), graph.ReachQuestion{At: at, AsOf: asOf})
		}),
		"copies": at(func(r *http.Request, at string, asOf schema.Time) (any, error) {
			return p.Graph.Copies(r.Context(), graph.CopiesQuestion{At: at, AsOf: asOf})
		}),
		"fields": at(func(r *http.Request, at string, asOf schema.Time) (any, error) {
			return p.Graph.Fields(r.Context(), graph.FieldsQuestion{At: at, AsOf: asOf, Lists: r.URL.Query()["list_source"]})
		}),
		"movements": p.movements,
		"findings":  p.findings,
	}
}

// at reads what most questions have: a place or an organisation, and a time.
func at(ask func(r *http.Request, at string, asOf schema.Time) (any, error)) question {
	return func(r *http.Request) (any, error) {
		asOf, err := asOf(r.URL.Query().Get("as_of"))
		if err != nil {
			return nil, err
		}
		at := r.URL.Query().Get("at")
		if at == "" {
			return nil, bad("at: want a place or an organisation")
		}
		return ask(r, at, asOf)
	}
}

// asOf reads a time; "" is none.
func asOf(text string) (schema.Time, error) {
	if text == "" {
		return schema.Time{}, nil
	}
	at, err := schema.ParseTime(text)
	if err == nil && !at.InRange() {
		err = fmt.Errorf("time %q: want one from 1900 to 2199", text)
	}
	if err != nil {
		return at, bad("as_of: %w", err)
	}
	return at, nil
}

// centre says what can be asked here.
func (p *page) centre(r *http.Request) (any, error) {
	return map[string]any{
		"version": p.Version, "reader": readerOf(r.Context()), "identifiers": p.Elector != nil, "match": p.Match != nil, "findings": p.Config.Findings != nil,
	}, nil
}

func (p *page) overview(r *http.Request) (any, error) {
	asOf, err := asOf(r.URL.Query().Get("as_of"))
	if err != nil {
		return nil, err
	}
	return p.Graph.Overview(r.Context(), graph.OverviewQuestion{AsOf: asOf, Expand: r.URL.Query()["expand"]})
}

func (p *page) movements(r *http.Request) (any, error) {
	query := r.URL.Query()
	asOf, err := asOf(query.Get("as_of"))
	if err != nil {
		return nil, err
	}
	return p.Graph.Movements(r.Context(), graph.MovementQuestion{From: query.Get("from"), To: query.Get("to"), Until: asOf, Limit: maxMovements})
}

func (p *page) findings(r *http.Request) (any, error) {
	if p.Config.Findings == nil {
		return nil, bad("no rules are applied here")
	}
	asOf, err := asOf(r.URL.Query().Get("as_of"))
	if err != nil {
		return nil, err
	}
	return p.Config.Findings(r.Context(), asOf)
}

// electorAsked is who is looked up: in the body, because URLs are logged and remembered.
type electorAsked struct {
	IDSpace    schema.IDSpace `json:"id_space"`
	Identifier string         `json:"identifier"`
	Key        string         `json:"key"` // instead of the identifier
	AsOf       string         `json:"as_of"`
}

func (p *page) elector(r *http.Request) (any, error) {
	var asked electorAsked
	d := json.NewDecoder(r.Body)
	d.DisallowUnknownFields()
	if err := d.Decode(&asked); err != nil {
		var tooLarge *http.MaxBytesError
		if errors.As(err, &tooLarge) {
			return nil, err
		}
		return nil, bad("want a JSON document with id_space and identifier, or key") // the decoder would repeat what it read
	}
	at, err := asOf(asked.AsOf)
	if err != nil {
		return nil, err
	}
	q, err := p.who(asked)
	if err != nil {
		return nil, err
	}
	q.AsOf = at
	return p.Graph.Elector(r.Context(), q)
}

// who is the elector asked for. No error repeats the identifier.
func (p *page) who(asked electorAsked) (q graph.ElectorQuestion, err error) {
	if asked.IDSpace != "" && !asked.IDSpace.Valid() {
		return q, bad("id_space: want 1 to 32 of a-z 0-9 -, beginning with a letter")
	}
	switch {
	case (asked.Key == "") == (asked.Identifier == ""):
		return q, bad("want an identifier or an elector key")
	case asked.Key != "":
		if q.Key, err = schema.ParseKey(strings.ToLower(strings.TrimSpace(asked.Key))); err != nil {
			return q, bad("want an elector key of 16 hex digits")
		}
		q.IDSpace = asked.IDSpace
		return q, nil
	case p.Elector == nil:
		return q, bad("this page has no key file: look electors up by elector key, or with the command rolltrace elector")
	}
	if asked.IDSpace == "" {
		asked.IDSpace = schema.ElectorID
	}
	if q, err = p.Elector(asked.IDSpace, []byte(asked.Identifier)); err != nil {
		return q, Wrong(err)
	}
	return q, nil
}

func (p *page) match(r *http.Request) (any, error) {
	if p.Config.Match == nil {
		return nil, bad("this page has no key file: ask with the command rolltrace match")
	}
	query := r.URL.Query()
	asOf, err := asOf(query.Get("as_of"))
	if err != nil {
		return nil, err
	}
	if query.Get("id") == "" {
		return nil, bad("id: want the name of the column with the identifiers")
	}
	defer func() { _, _ = io.Copy(io.Discard, io.LimitReader(r.Body, maxBody)) }() // so that the answer reaches who still sends
	return p.Config.Match(r.Context(), MatchQuestion{List: r.Body, ID: query.Get("id"), Format: query.Get("format"), AsOf: asOf})
}
