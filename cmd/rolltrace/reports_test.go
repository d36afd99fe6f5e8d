package main

import (
	"bytes"
	"encoding/json"
	"os"
	"reflect"
	"regexp"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
	"golang.org/x/net/html"

	"github.com/rolltrace/rolltrace/cmd/internal/report"
	"github.com/rolltrace/rolltrace/schema/graph"
)

// reportFiles PAGE.html reads a report: the page asks nothing of a network and can be read without seeing it, and
// its numbers are those of the document beside it.
func reportFiles(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: report PAGE.html")
	}
	text := ts.ReadFile(args[0])
	root, err := html.Parse(strings.NewReader(text))
	ts.Check(err)
	document := strings.TrimSuffix(args[0], ".html") + ".json"
	for _, path := range []string{args[0], document} {
		info, err := os.Stat(ts.MkAbs(path))
		ts.Check(err)
		if info.Mode().Perm() != 0o600 {
			ts.Fatalf("%s: mode %o", path, info.Mode().Perm())
		}
	}
	var names struct {
		Report string `json:"report"`
	}
	content := []byte(ts.ReadFile(document))
	ts.Check(json.Unmarshal(content, &names))
	var wanted map[string]string // by figure's label
	switch names.Report {
	case "elector":
		var doc report.Elector
		ts.Check(strict(content, &doc))
		wanted = map[string]string{"places reached": grouped(len(doc.Dossier.Places)), "organisations reached": grouped(len(doc.Dossier.Organisations))}
	case "at":
		var doc report.At
		ts.Check(strict(content, &doc))
		wanted = map[string]string{"electors held": count(doc.Holding.Electors), "electors ever reached it": count(doc.Reached.Electors),
			"electors whose records were destroyed there": count(doc.Copies.Destroyed)}
	case "movement":
		var doc report.Movement
		ts.Check(strict(content, &doc))
		wanted = map[string]string{"electors": count(doc.Flow.Electors)}
	default:
		ts.Fatalf("%s: report %q", document, names.Report)
	}
	p := &readPage{ts: ts, ids: map[string]bool{}, figures: map[string]string{}}
	p.read(root)
	p.check()
	for label, number := range wanted {
		if p.figures[label] != number {
			ts.Fatalf("%s: %q is %q, and in the document %q", args[0], label, p.figures[label], number)
		}
	}
}

func count(all []graph.Count) string {
	if len(all) == 0 {
		return "0"
	}
	return counts(all)
}

func strict(content []byte, into any) error {
	decoder := json.NewDecoder(bytes.NewReader(content))
	decoder.DisallowUnknownFields()
	return decoder.Decode(into)
}

// A readPage is what matters of a page.
type readPage struct {
	ts                                *testscript.TestScript
	ids                               map[string]bool
	labels                            []string // ids that elements are labelled by, and links within the page
	figures                           map[string]string
	lang, title, policy               string
	headings, pictures, tables, heads int
}

func (p *readPage) read(n *html.Node) {
	attribute := map[string]string{}
	for _, a := range n.Attr {
		attribute[a.Key] = a.Val
		p.attribute(n, a)
	}
	if id := attribute["id"]; id != "" {
		if p.ids[id] {
			p.ts.Fatalf("two elements have the id %q", id)
		}
		p.ids[id] = true
	}
	p.labels = append(p.labels, strings.Fields(attribute["aria-labelledby"])...)
	switch n.Data {
	case "html":
		p.lang = attribute["lang"]
	case "title":
		if n.Parent.Data == "head" {
			p.title = textOf(n)
		}
	case "meta":
		if attribute["http-equiv"] == "Content-Security-Policy" {
			p.policy = attribute["content"]
		}
	case "h1":
		p.headings++
	case "svg":
		p.pictures++
		if attribute["role"] != "img" || attribute["aria-labelledby"] == "" {
			p.ts.Fatalf("a picture without words")
		}
	case "table":
		p.tables++
	case "th":
		if attribute["scope"] != "col" {
			p.ts.Fatalf("a heading of a column without scope")
		}
	case "thead":
		p.heads++
	case "script", "link", "img", "iframe", "object", "embed", "image", "use", "base", "form":
		if n.Type == html.ElementNode {
			p.ts.Fatalf("an element %q", n.Data)
		}
	case "style":
		if found := regexp.MustCompile(`(?i)url\(|@import|expression`).FindString(textOf(n)); found != "" {
			p.ts.Fatalf("style has %q", found)
		}
	case "li":
		if words := strings.Fields(textOf(n)); n.Parent != nil && classOf(n.Parent) == "figures" && len(words) > 1 {
			p.figures[strings.Join(words[1:], " ")] = words[0]
		}
	}
	for c := range n.ChildNodes() {
		p.read(c)
	}
}

// attribute refuses whatever could ask for something.
func (p *readPage) attribute(n *html.Node, a html.Attribute) {
	inside := strings.HasPrefix(a.Val, "#") || strings.HasPrefix(a.Val, "url(#")
	if inside {
		p.labels = append(p.labels, strings.TrimSuffix(a.Val[strings.Index(a.Val, "#")+1:], ")"))
	}
	switch {
	case inside:
	case strings.HasPrefix(a.Key, "on"), a.Key == "src", a.Key == "href", a.Key == "srcset", a.Key == "action", a.Key == "background",
		strings.Contains(a.Val, "url("), strings.Contains(a.Val, "//"):
		p.ts.Fatalf("<%s> has %s=%q", n.Data, a.Key, a.Val)
	}
}

func (p *readPage) check() {
	for _, id := range p.labels {
		if !p.ids[id] {
			p.ts.Fatalf("nothing has the id %q", id)
		}
	}
	switch {
	case p.lang != "en", p.title == "", p.headings != 1:
		p.ts.Fatalf("language %q, title %q, %d headings of the page", p.lang, p.title, p.headings)
	case !strings.HasPrefix(p.policy, "default-src 'none';"):
		p.ts.Fatalf("policy %q", p.policy)
	case p.pictures == 0, p.tables == 0, p.heads != p.tables:
		p.ts.Fatalf("%d pictures, %d tables, %d with headings", p.pictures, p.tables, p.heads)
	}
}

func classOf(n *html.Node) string {
	for _, a := range n.Attr {
		if a.Key == "class" {
			return a.Val
		}
	}
	return ""
}

func textOf(n *html.Node) string {
	if n.Type == html.TextNode {
		return n.Data
	}
	var out strings.Builder
	for c := range n.ChildNodes() {
		out.WriteString(textOf(c))
	}
	return out.String()
}

// part DOCUMENT NAME ANSWER wants a part of a document to be the answer that a question gave.
func part(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: part DOCUMENT NAME ANSWER")
	}
	var document map[string]any
	var answer any
	ts.Check(json.Unmarshal([]byte(ts.ReadFile(args[0])), &document))
	ts.Check(json.Unmarshal([]byte(ts.ReadFile(args[2])), &answer))
	if !reflect.DeepEqual(document[args[1]], answer) {
		ts.Fatalf("%s of %s is not %s", args[1], args[0], args[2])
	}
}
