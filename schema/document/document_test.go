package document_test

import (
	"reflect"
	"strings"
	"testing"

	"github.com/rolltrace/rolltrace/schema/document"
)

type shelf struct {
	Name  string         `json:"name"`
	Size  int64          `json:"size"`
	Part  float64        `json:"part"`
	Open  bool           `json:"open"`
	Books []book         `json:"books"`
	Where document.Where `json:"-"`
}

type book struct {
	Title string         `json:"title"`
	Tags  []string       `json:"tags"`
	Where document.Where `json:"-"`
}

func TestDecode(t *testing.T) {
	var s shelf
	faults := document.Decode("a.yaml", []byte("# a shelf\nname: 2019-12-31\nsize: 12\npart: 0.5\nopen: true\nbooks:\n  - title: one\n    tags: [a, b]\n  - {title: two}\n"), &s)
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	want := shelf{Name: "2019-12-31", Size: 12, Part: 0.5, Open: true, Where: document.Where{File: "a.yaml", Line: 2}, Books: []book{
		{Title: "one", Tags: []string{"a", "b"}, Where: document.Where{File: "a.yaml", Line: 7}}, {Title: "two", Where: document.Where{File: "a.yaml", Line: 9}},
	}}
	if !reflect.DeepEqual(s, want) {
		t.Errorf("have %+v, want %+v", s, want)
	}
	if faults := document.Decode("b.yaml", nil, &s); len(faults) > 0 {
		t.Errorf("an empty file: %v", faults)
	}
}

func TestDecodeFindsEveryFault(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"unknown key":        {"name: x\ncolour: red\n", "f:2: colour: unknown key: want one of name, size, part, open, books"},
		"unknown key within": {"books:\n  - title: x\n    pages: 3\n", "f:3: books.pages: unknown key: want one of title, tags"},
		"twice":              {"name: x\nsize: 1\nname: y\n", "f:3: name: stands in line 1 already"},
		"no list":            {"books: many\n", "f:1: books: want a list"},
		"no number":          {"size: big\n", "f:1: size: want a whole number"},
		"no truth":           {"open: maybe\n", "f:1: open: want true or false"},
		"null":               {"name:\n", "f:1: name: want a text"},
		"list for a text":    {"name: [a]\n", "f:1: name: want a text"},
		"text for an object": {"books: [a]\n", "f:1: books: want keys and values"},
		"anchor":             {"books: &b []\n", "f:1: books: write it out: anchors and aliases are not read"},
		"not YAML":           {"name: [a\nsize: 1\n", "f:1: not YAML"},
		"a list":             {"- a\n", "f:1: the file: want keys and values"},
		"several":            {"colour: red\nsize: big\n", "f:1: colour: unknown key: want one of name, size, part, open, books\nf:2: size: want a whole number"},
	} {
		t.Run(name, func(t *testing.T) {
			var s shelf
			faults := document.Decode("f", []byte(c.text), &s)
			if len(faults) == 0 || !strings.HasPrefix(faults.Error(), c.want) {
				t.Errorf("have %q, want %q", faults.Error(), c.want)
			}
		})
	}
}
