package explorer_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rs/zerolog"

	"github.com/rolltrace/rolltrace/dashboards/explorer"
	"github.com/rolltrace/rolltrace/schema"
	"github.com/rolltrace/rolltrace/schema/graph"
)

const token = "a-token-of-the-tests-0123456789abcdef"

// get asks, and returns status and body.
func get(t *testing.T, r *http.Request) (int, string) {
	t.Helper()
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(body)
}

func request(t *testing.T, method, url, body string, headers ...string) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		if headers[i] == "Host" {
			r.Host = headers[i+1]
		}
		r.Header.Set(headers[i], headers[i+1])
	}
	return r
}

// Whoever is turned away, and what by: before anything is asked of the graph.
func TestGuard(t *testing.T) {
	log := &bytes.Buffer{}
	open := httptest.NewServer(explorer.New(explorer.Config{Log: zerolog.New(log)}))
	t.Cleanup(open.Close)
	closed := httptest.NewServer(explorer.New(explorer.Config{
		Log: zerolog.New(log), Readers: explorer.Readers{sha256.Sum256([]byte(token)): "privacy-officer"},
	}))
	t.Cleanup(closed.Close)
	tests := map[string]struct {
		r      *http.Request
		status int
		said   string
	}{
		"the page":                          {request(t, "GET", open.URL+"/", ""), 200, "<title>Rolltrace</title>"},
		"by another name":                   {request(t, "GET", open.URL+"/api/centre", "", "Host", "rebound.example"), 421, "localhost"},
		"from another page":                 {request(t, "POST", open.URL+"/api/elector", `{"key": "0000000000000000"}`, "Sec-Fetch-Site", "cross-site"), 403, ""},
		"nothing there":                     {request(t, "GET", open.URL+"/api/nothing", ""), 404, ""},
		"another method":                    {request(t, "DELETE", open.URL+"/api/elector", ""), 405, ""},
		"no place":                          {request(t, "GET", open.URL+"/api/reach", ""), 400, "at: want a place"},
		"no time":                           {request(t, "GET", open.URL+"/api/reach?at=party-a&as_of=yesterday", ""), 400, "as_of: "},
		"a time that no movement has":       {request(t, "GET", open.URL+"/api/overview?as_of=1066-10-14", ""), 400, "1900"},
		"no elector":                        {request(t, "POST", open.URL+"/api/elector", `{}`), 400, "want an identifier or an elector key"},
		"half a key":                        {request(t, "POST", open.URL+"/api/elector", `{"key": "9f86"}`), 400, "16 hex digits"},
		"an identifier, without a key file": {request(t, "POST", open.URL+"/api/elector", `{"identifier": "SECRET77"}`), 400, "no key file"},
		"garbage":                           {request(t, "POST", open.URL+"/api/elector", `{"identifier": "SECRET77"`), 400, "want a JSON document"},
		"an unknown field":                  {request(t, "POST", open.URL+"/api/elector", `{"SECRET77": 1}`), 400, "want a JSON document"},
		"too much":                          {request(t, "POST", open.URL+"/api/elector", `{"identifier": "`+strings.Repeat("SECRET77", 1<<14)+`"}`), 413, ""},
		"a list, without a key file":        {request(t, "POST", open.URL+"/api/match?id=a", "a\nSECRET77\n"), 400, "rolltrace match"},

		"no token":                   {request(t, "GET", closed.URL+"/api/centre", ""), 401, "want a token"},
		"a wrong token":              {request(t, "GET", closed.URL+"/api/centre", "", "Authorization", "Bearer "+token+"x"), 401, "want a token"},
		"a token":                    {request(t, "GET", closed.URL+"/api/centre", "", "Authorization", "Bearer "+token), 200, `"reader":"privacy-officer"`},
		"a token, by another name":   {request(t, "GET", closed.URL+"/api/centre", "", "Authorization", "Bearer "+token, "Host", "rolltrace.example"), 200, "privacy-officer"},
		"a cookie that nobody gave":  {request(t, "GET", closed.URL+"/api/centre", "", "Cookie", "rolltrace-session=1"), 401, "want a token"},
		"a login with a wrong token": {request(t, "POST", closed.URL+"/api/session", `{"token": "SECRET77"}`), 401, "not known"},
		"the page, for anybody":      {request(t, "GET", closed.URL+"/", ""), 200, "<title>Rolltrace</title>"},
	}
	for name, test := range tests {
		status, body := get(t, test.r)
		if status != test.status || !strings.Contains(body, test.said) {
			t.Errorf("%s: %d %s, want %d %s", name, status, body, test.status, test.said)
		}
		if strings.Contains(body, "SECRET77") {
			t.Errorf("%s: the answer repeats what was asked: %s", name, body)
		}
	}
	if strings.Contains(log.String(), "SECRET77") || strings.Contains(log.String(), token) {
		t.Errorf("the log repeats what was asked: %s", log)
	}
}

// A login lasts until it is ended.
func TestSession(t *testing.T) {
	server := httptest.NewServer(explorer.New(explorer.Config{Log: zerolog.Nop(), Readers: explorer.Readers{sha256.Sum256([]byte(token)): "auditor"}}))
	t.Cleanup(server.Close)
	response, err := http.DefaultClient.Do(request(t, "POST", server.URL+"/api/session", `{"token": "`+token+`"}`))
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	cookies := response.Cookies()
	if len(cookies) != 1 || !cookies[0].HttpOnly || cookies[0].SameSite != http.SameSiteStrictMode {
		t.Fatalf("the login gives %v", cookies)
	}
	cookie := cookies[0].Name + "=" + cookies[0].Value
	if status, body := get(t, request(t, "GET", server.URL+"/api/centre", "", "Cookie", cookie)); status != 200 || !strings.Contains(body, "auditor") {
		t.Errorf("logged in: %d %s", status, body)
	}
	if status, _ := get(t, request(t, "DELETE", server.URL+"/api/session", "", "Cookie", cookie)); status != 200 {
		t.Errorf("leave: %d", status)
	}
	if status, _ := get(t, request(t, "GET", server.URL+"/api/centre", "", "Cookie", cookie)); status != 401 {
		t.Errorf("after leaving: %d", status)
	}
}

// The page answers what the command line answers, on the same graph, and says who asked what without saying for whom.
func TestAnswers(t *testing.T) {
	s := play(t, "christmas-cards", "--districts", "2")
	api := func(method, question, body string) (answer map[string]any) {
		t.Helper()
		status, text := get(t, request(t, method, s.url+"/api/"+question, body))
		if status != 200 {
			t.Fatalf("%s: %d %s", question, status, text)
		}
		if err := json.Unmarshal([]byte(text), &answer); err != nil {
			t.Fatal(err)
		}
		delete(answer, "notes") // silence depends on when one asks
		delete(answer, "complete")
		return answer
	}
	same := func(question string, got map[string]any, args ...string) {
		t.Helper()
		var want map[string]any
		s.ask(t, &want, args...)
		for field := range want {
			if field == "notes" || field == "complete" {
				continue
			}
			g, _ := json.Marshal(got[field])
			w, _ := json.Marshal(want[field])
			if !bytes.Equal(g, w) {
				t.Errorf("%s: %s is %s, the command line says %s", question, field, g, w)
			}
		}
	}
	same("electors", api("GET", "electors?at=party-a", ""), "electors", "--at", "party-a")
	same("reached", api("GET", "electors?at=lantern-print&what=reached", ""), "electors", "--at", "lantern-print", "--reached")
	same("reach", api("GET", "reach?at=party-a/crm/voters", ""), "reach", "party-a/crm/voters")
	same("sources", api("GET", "sources?at=lantern-print", ""), "sources", "lantern-print")
	same("copies", api("GET", "copies?at=party-a", ""), "copies", "party-a")
	same("fields", api("GET", "fields?at=lantern-print&list_source=elections-office", ""), "fields", "lantern-print", "--list-source", "elections-office")
	same("movements", api("GET", "movements?from=party-a", ""), "movements", "--from", "party-a")

	list, err := os.ReadFile(filepath.Join(s.data, "party-a", "addresses-from-hq.csv"))
	if err != nil {
		t.Fatal(err)
	}
	id, _, _ := strings.Cut(strings.Split(string(list), "\n")[1], ",")
	key := filepath.Join(s.data, "key.json")
	same("elector", api("POST", "elector", `{"identifier": "`+id+`"}`), "elector", id, "--key", key)
	same("match", api("POST", "match?id=elector_id", string(list)), "match", filepath.Join(s.data, "party-a", "addresses-from-hq.csv"), "--id", "elector_id", "--key", key)

	overview(t, s)
	s.end()
	if strings.Contains(s.log.String(), id) {
		t.Error("the log has the identifier")
	}
	if !strings.Contains(s.log.String(), `"question":"elector"`) {
		t.Errorf("the log does not say what was asked: %s", s.log)
	}
}

// overview checks the graph of everything against the questions about its parts.
func overview(t *testing.T, s *stage) {
	for _, query := range []string{"", "?expand=party-a", "?expand=party-a&expand=public&as_of=2025-01-01", "?expand=nobody"} {
		status, text := get(t, request(t, "GET", s.url+"/api/overview"+query, ""))
		var o graph.Overview
		if err := json.Unmarshal([]byte(text), &o); err != nil || status != 200 {
			t.Fatalf("overview: %d %v", status, err)
		}
		args := []string{}
		if _, at, ok := strings.Cut(query, "as_of="); ok {
			args = []string{"--as-of", at}
		}
		total := uint64(0)
		for _, node := range o.Nodes {
			for what, counts := range map[string][]graph.Count{"holding": node.Holding, "reached": node.Reached} {
				asked := append([]string{"electors", "--at", node.Name}, args...)
				if what == "reached" {
					asked = append(asked, "--reached")
				}
				var want graph.Electors
				s.ask(t, &want, asked...)
				if !slices.Equal(counts, want.Electors) {
					t.Errorf("overview%s: %s %s %v, want %v", query, node.Name, what, counts, want.Electors)
				}
			}
			if expanded := strings.Contains(query, "expand="+node.Org); expanded != strings.Contains(node.Name, "/") {
				t.Errorf("overview%s: %s is a node", query, node.Name)
			}
		}
		seen := map[string]bool{}
		for _, flow := range o.Flows {
			total += flow.Movements
			seen[flow.From+" "+flow.To] = true
			// What came over an edge is what the other end was reached by, where that has one way in.
			if into := ways(o.Flows, flow.To); len(into) == 1 {
				at := slices.IndexFunc(o.Nodes, func(n graph.OverviewNode) bool { return n.Name == flow.To })
				if !slices.Equal(flow.Electors, o.Nodes[at].Reached) && strings.Contains(flow.To, "/") {
					t.Errorf("overview%s: %s → %s carried %v, and %v reached it", query, flow.From, flow.To, flow.Electors, o.Nodes[at].Reached)
				}
			}
		}
		if query == "" && !maps.Equal(seen, map[string]bool{"elections-office party-a": true, "public party-a": true, "party-a lantern-print": true}) {
			t.Errorf("flows %v", slices.Sorted(maps.Keys(seen)))
		}
		if strings.Contains(query, "as_of") != (total == 0) {
			t.Errorf("overview%s: %d movements", query, total)
		}
		if len(o.Moments) < 3 || !slices.IsSortedFunc(o.Moments, func(a, b schema.Time) int { return a.Compare(b.Time) }) {
			t.Errorf("moments %v", o.Moments)
		}
	}
}

func ways(flows []graph.OverviewFlow, to string) (from []string) {
	for _, f := range flows {
		if f.To == to {
			from = append(from, f.From)
		}
	}
	return from
}
