package explorer

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"
)

// Readers are the names of those who may ask, by the SHA-256 of their token.
type Readers map[[sha256.Size]byte]string

// sessionCookie is the name of the cookie, and sessionTime how long a login lasts.
const (
	sessionCookie = "rolltrace-session"
	sessionTime   = 12 * time.Hour
	maxSessions   = 1000 // the oldest ends when there are more
)

// policy lets the page load what is embedded, and nothing else from anywhere.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// guard is for every request: what browsers are told, and who is turned away whatever is asked. A page elsewhere that
// makes a reader's browser ask is turned away by its origin, and, where no token is wanted, one that has its own name
// resolve to this machine by the name (DNS rebinding).
func (p *page) guard(next http.Handler) http.Handler {
	next = http.NewCrossOriginProtection().Handler(next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Cache-Control", "no-cache")
		if p.Readers == nil && !loopback(r.Host) {
			http.Error(w, "ask this page by the name localhost", http.StatusMisdirectedRequest)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// loopback says whether a host, perhaps with a port, is this machine.
func loopback(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	ip := net.ParseIP(strings.Trim(host, "[]"))
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

type readerKey struct{}

// readerOf is the name of whoever asks, "" where nobody is asked for one.
func readerOf(ctx context.Context) string {
	name, _ := ctx.Value(readerKey{}).(string)
	return name
}

// known lets those through who may ask.
func (p *page) known(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if p.Readers == nil {
			next.ServeHTTP(w, r)
			return
		}
		name, ok := "", false
		if token, given := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "); given {
			name, ok = p.Readers[sha256.Sum256([]byte(token))]
		} else if cookie, err := r.Cookie(sessionCookie); err == nil {
			name, ok = p.sessions.reader(cookie.Value)
		}
		if !ok {
			w.Header().Set("WWW-Authenticate", `Bearer realm="rolltrace"`)
			write(w, http.StatusUnauthorized, map[string]string{"error": "want a token"})
			return
		}
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), readerKey{}, name)))
	})
}

// login takes a token, and gives a cookie that no script can read.
func (p *page) login(w http.ResponseWriter, r *http.Request) {
	var asked struct {
		Token string `json:"token"`
	}
	err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody)).Decode(&asked)
	name, ok := p.Readers[sha256.Sum256([]byte(asked.Token))]
	if err != nil || !ok {
		p.Log.Warn().Msg("a wrong token was given")
		write(w, http.StatusUnauthorized, map[string]string{"error": "this token is not known here"})
		return
	}
	http.SetCookie(w, &http.Cookie{
		Name: sessionCookie, Value: p.sessions.begin(name), Path: "/", MaxAge: int(sessionTime.Seconds()),
		HttpOnly: true, SameSite: http.SameSiteStrictMode, Secure: r.TLS != nil,
	})
	p.Log.Info().Str("reader", name).Msg("logged in")
	write(w, http.StatusOK, map[string]string{"reader": name})
}

func (p *page) logout(w http.ResponseWriter, r *http.Request) {
	if cookie, err := r.Cookie(sessionCookie); err == nil {
		p.sessions.end(cookie.Value)
	}
	http.SetCookie(w, &http.Cookie{Name: sessionCookie, Path: "/", MaxAge: -1, HttpOnly: true, SameSite: http.SameSiteStrictMode})
	write(w, http.StatusOK, map[string]string{})
}

// sessions are the logins of this process, at most maxSessions. The zero value is ready.
type sessions struct {
	mu   sync.Mutex
	open map[string]session
}

type session struct {
	reader string
	until  time.Time
}

func (s *sessions) begin(reader string) (id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.open == nil {
		s.open = map[string]session{}
	}
	now, oldest := time.Now(), ""
	for id, other := range s.open {
		if now.After(other.until) {
			delete(s.open, id)
		} else if oldest == "" || other.until.Before(s.open[oldest].until) {
			oldest = id
		}
	}
	if len(s.open) >= maxSessions {
		delete(s.open, oldest)
	}
	id = rand.Text()
	s.open[id] = session{reader, now.Add(sessionTime)}
	return id
}

func (s *sessions) reader(id string) (string, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	found, ok := s.open[id]
	return found.reader, ok && time.Now().Before(found.until)
}

func (s *sessions) end(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.open, id)
}
