package explorer

import (
	"context"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"time"

	"github.com/rs/zerolog"

	"github.com/rolltrace/rolltrace/schema"
	"github.com/rolltrace/rolltrace/schema/graph"
)

// assets is the page, built from page/ by `make explorer`.
//
//go:embed assets
var assets embed.FS

// Config says what the page is made of.
type Config struct {
	// Graph answers. Its user needs SELECT on graph.Readable() and on nothing else. Required.
	Graph *graph.Graph
	// Elector turns an identifier into what to ask for; it has the key. Errors must not repeat the identifier. Nil:
	// electors are looked up by elector key alone.
	Elector func(space schema.IDSpace, identifier []byte) (graph.ElectorQuestion, error)
	// Match says which copy a found list is, from its lines. Errors must not repeat any. Nil: found lists are not taken.
	Match func(context.Context, MatchQuestion) (any, error)
	// Findings are what the rules found, as of a time. Nil: there are none to show.
	Findings func(context.Context, schema.Time) (any, error)
	// Readers are who may ask, by the SHA-256 of their token. None: whoever is on this machine.
	Readers Readers
	// Version is shown at the foot of the page.
	Version string
	// Log gets who asked what.
	Log zerolog.Logger
}

// A MatchQuestion is a found list, and which of its columns has the identifiers.
type MatchQuestion struct {
	List   io.Reader // gone when Match returns
	ID     string    // [SPACE=]COLUMN
	Format string    // csv, tsv
	AsOf   schema.Time
}

// Limits of what is asked. A list that is larger is cut off with an error, a question that takes longer is cancelled,
// and who asks while as many questions are being answered is told to come again.
const (
	maxList      = 8 << 30 // bytes
	maxBody      = 64 << 10
	maxAsked     = 16
	maxTime      = 2 * time.Minute
	maxListTime  = 30 * time.Minute
	maxMovements = 1000
)

// New returns the page and what it asks. It takes any path; nothing but the page's own is there.
func New(c Config) http.Handler {
	p := &page{Config: c, asking: make(chan struct{}, maxAsked)}
	files, err := fs.Sub(assets, "assets")
	if err != nil {
		panic(err) // the embedded folder is not there: no program is built so
	}
	api := http.NewServeMux()
	for name, ask := range p.questions() {
		api.Handle("GET /api/"+name, p.answer(name, ask))
	}
	api.Handle("POST /api/elector", p.answer("elector", p.elector))
	api.Handle("POST /api/match", p.answer("match", p.match))
	mux := http.NewServeMux()
	mux.Handle("/", http.FileServerFS(files))
	mux.HandleFunc("POST /api/session", p.login)
	mux.HandleFunc("DELETE /api/session", p.logout)
	mux.Handle("/api/", p.known(api))
	return p.guard(mux)
}

// page is the page at work.
type page struct {
	Config
	asking   chan struct{} // a place for each question that is being answered
	sessions sessions
}

// A question reads what is asked from the request, and answers with what is sent as JSON.
type question func(*http.Request) (any, error)

// errBusy: too many questions are being answered.
var errBusy = errors.New("too many questions are being answered: ask again in a moment")

// answer is the handler of a question.
func (p *page) answer(name string, ask question) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		began, limit := time.Now(), maxTime
		if name == "match" {
			limit = maxListTime
			r.Body = http.MaxBytesReader(w, r.Body, maxList)
		} else {
			r.Body = http.MaxBytesReader(w, r.Body, maxBody)
		}
		answer, err := any(nil), errBusy
		select {
		case p.asking <- struct{}{}:
			ctx, cancel := context.WithTimeout(r.Context(), limit)
			answer, err = ask(r.WithContext(ctx))
			cancel()
			<-p.asking
		default:
		}
		if r.Context().Err() != nil {
			return // who asked has gone
		}
		status := statusOf(err)
		event := p.Log.Info()
		if status == http.StatusBadGateway {
			event = p.Log.Warn().Err(err)
		}
		event.Str("question", name).Str("at", r.URL.Query().Get("at")).Str("reader", readerOf(r.Context())).
			Int("status", status).Int64("ms", time.Since(began).Milliseconds()).Msg("asked")
		if err != nil {
			write(w, status, map[string]string{"error": explain(err, status)})
			return
		}
		write(w, status, answer)
	})
}

// write sends a document.
func write(w http.ResponseWriter, status int, document any) {
	body, err := json.Marshal(document)
	if err != nil {
		status, body = http.StatusInternalServerError, []byte(`{"error": "the answer cannot be written"}`)
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(append(body, '\n')) // who asked has gone
}

// A badRequest is a question that cannot be asked so.
type badRequest struct{ error }

func (b badRequest) Unwrap() error { return b.error }

// Wrong makes err one of whoever asks: it is sent as it is.
func Wrong(err error) error { return badRequest{err} }

func bad(format string, args ...any) error { return badRequest{fmt.Errorf(format, args...)} }

// statusOf is the status of an answer with that error.
func statusOf(err error) int {
	var wrong badRequest
	var tooLarge *http.MaxBytesError
	switch {
	case err == nil:
		return http.StatusOK
	case errors.As(err, &tooLarge):
		return http.StatusRequestEntityTooLarge
	case errors.As(err, &wrong), errors.Is(err, graph.ErrMalformed):
		return http.StatusBadRequest
	case errors.Is(err, graph.ErrUnknownPlace), errors.Is(err, graph.ErrUnknownElector), errors.Is(err, graph.ErrUnknownKeys):
		return http.StatusNotFound
	case errors.Is(err, errBusy):
		return http.StatusServiceUnavailable
	case errors.Is(err, context.DeadlineExceeded):
		return http.StatusGatewayTimeout
	}
	return http.StatusBadGateway
}

// explain is an error for whoever looks at the page. What ClickHouse says is for the log.
func explain(err error, status int) string {
	switch status {
	case http.StatusBadGateway:
		return "the graph did not answer: whoever runs this page finds the reason in its log"
	case http.StatusGatewayTimeout:
		return "the answer took too long, and was given up: ask for one place instead of an organisation"
	}
	return err.Error()
}
