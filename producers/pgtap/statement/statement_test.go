package statement

import (
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"
)

// Texts that differ in constants alone have one shape; others have not.
func TestShape(t *testing.T) {
	for text, want := range map[string]string{
		"SELECT 1":                               "SELECT 0",
		"SELECT 'a''b',  12.5e-3, .5 -- x":       "SELECT '', 0, 0 ",
		"select $1, $2::int, a1, b_2c":           "select $1, $2::int, a1, b_2c",
		"SELECT E'\\'x', $$a;b$$, $t$ $$ $t$":    "SELECT '', '', ''",
		`SELECT "a 'b" /* /* 1 */ 'x */ FROM t1`: `SELECT "a 'b"  FROM t1`,
		"SELECT x'ff', B'01', n'a', \"x\".1":     `SELECT '', '', '', "x".0`,
		"SELECT 'a'\n 'b'":                       "SELECT ''\n''",
		"BEGIN; SELECT id FROM v WHERE x=-7":     "BEGIN; SELECT id FROM v WHERE x=-0",
	} {
		shape, _, ok := shapeOf(nil, []byte(text))
		if !ok || strings.Join(strings.Fields(string(shape)), " ") != strings.Join(strings.Fields(want), " ") {
			t.Errorf("%s: %q %v, want %q", text, shape, ok, want)
		}
	}
	for _, text := range []string{
		"SET x = 'y'", "SELECT 1; SET x = 2", "SELECT set_config('a', 'b', false)", `SELECT 'a\'`, "SELECT 'a", "SELECT /* x", "COPY t TO STDOUT (DELIMITER ',')",
		strings.Repeat("SELECT (", 300),
	} {
		if _, _, ok := shapeOf(nil, []byte(text)); ok {
			t.Errorf("%s: has a shape", text)
		}
	}
}

func TestTags(t *testing.T) {
	for text, want := range map[string]map[string]string{
		"SELECT 1 /*purpose='a',x='b',agreement='c%20d'*/": {"purpose": "a", "agreement": "c d"},
		"/* destination='x' */ SELECT 1":                   {"destination": "x"},
		"SELECT '/*purpose=''a''*/'":                       nil,
		"SELECT 1 /* purpose */":                           nil,
	} {
		if s := NewParser().Analyse([]byte(text)); !maps.Equal(s.Tags, want) {
			t.Errorf("%s: %v, want %v", text, s.Tags, want)
		}
	}
}

// What cannot be read is unknown, and the next statement is read all the same.
func TestUnreadable(t *testing.T) {
	p := NewParser()
	for name, text := range map[string]string{
		"syntax":     "SELEC 1",
		"unfinished": "SELECT 'a",
		"brackets":   "SELECT " + strings.Repeat("(", 5000) + "1" + strings.Repeat(")", 5000),
		"sum":        "SELECT 1" + strings.Repeat("+1", 15_000),
		"chain":      "SELECT 1" + strings.Repeat(" UNION SELECT 1", 8_000),
		"nots":       "SELECT " + strings.Repeat("NOT ", 30_000) + "true",
		"cases":      "SELECT " + strings.Repeat("CASE WHEN true THEN ", 5000) + "1" + strings.Repeat(" END", 5000),
		"long":       "SELECT '" + strings.Repeat("x", maxText) + "', \\",
		"bytes":      "SELECT (\xff\xfe",
	} {
		s := p.Analyse([]byte(text))
		if len(s.Parts) != 1 || !s.Parts[0].Unknown {
			t.Errorf("%s: %+v", name, s.Parts)
		}
		if s := p.Analyse([]byte("SELECT 1 AS " + name)); len(s.Parts) != 1 || s.Parts[0].Unknown || s.Parts[0].Query == nil {
			t.Errorf("after %s: %+v", name, s)
		}
	}
}

// Constants are removed from what travels.
func TestText(t *testing.T) {
	p := NewParser()
	for text, want := range map[string]string{
		"SELECT id FROM v WHERE name = 'x' AND n = 7":   "SELECT id FROM v WHERE name = ? AND n = ?",
		"COPY (SELECT id FROM v WHERE n = 7) TO STDOUT": "COPY (SELECT id FROM v WHERE n = ?) TO STDOUT",
		"DO $$BEGIN PERFORM 'secret'; END$$":            "DO ?",
	} {
		if s := p.Analyse([]byte(text)); s.Text != want {
			t.Errorf("%s: %q, want %q", text, s.Text, want)
		}
	}
}

func FuzzShape(f *testing.F) {
	f.Add([]byte("SELECT 'a''b', 12.5e-3, $$x$$, E'\\'' -- c\n /* d */ FROM \"t\""))
	f.Fuzz(func(t *testing.T, text []byte) {
		shape, _, ok := shapeOf(nil, text)
		if !ok {
			return
		}
		// A shape is its own shape.
		again, _, ok := shapeOf(nil, shape)
		if !ok || !slices.Equal(strings.Fields(string(again)), strings.Fields(string(shape))) {
			t.Errorf("%q: %q: %q", text, shape, again)
		}
	})
}

// A shape that is known costs no more than walking over the text.
func BenchmarkAnalyse(b *testing.B) {
	p := NewParser()
	text := []byte("SELECT abalance FROM pgbench_accounts WHERE aid = 471147;")
	p.Analyse(text)
	b.ReportAllocs()
	for b.Loop() {
		p.Analyse(text)
	}
}

// Clauses go behind the last word of a statement, before comments and what ends it.
func TestExtend(t *testing.T) {
	p := NewParser()
	for text, want := range map[string]string{
		"DELETE FROM v": "DELETE FROM v!",
		" DELETE FROM v WHERE x = ';' -- c ; \n ; ":      " DELETE FROM v WHERE x = ';'! -- c ; \n ; ",
		"/* a; */ DELETE FROM v /* b */;":                "/* a; */ DELETE FROM v! /* b */;",
		"DELETE FROM v;;SELECT 1;":                       "DELETE FROM v!;;SELECT 1;",
		"DELETE FROM \"v;\" WHERE a = $$;$$;SELECT 'é;'": "DELETE FROM \"v;\" WHERE a = $$;$$!;SELECT 'é;'",
	} {
		have, edits, ok := p.Extend([]byte(text), map[int]string{0: "!"})
		if !ok || string(have) != want || len(edits) != 1 || edits[0].Length != 1 {
			t.Errorf("%s: %q %v %v, want %q", text, have, edits, ok, want)
		}
	}
	if have, edits, ok := p.Extend([]byte("SELECT 'é'; DELETE FROM v;"), map[int]string{1: " RETURNING v.id"}); !ok ||
		string(have) != "SELECT 'é'; DELETE FROM v RETURNING v.id;" || edits[0].At != 25 || edits[0].Length != 15 {
		t.Errorf("%q %v", have, edits)
	}
	for _, text := range []string{`DELETE FROM v WHERE x = 'a\'`, "CREATE RULE r AS ON INSERT TO a DO (DELETE FROM b; DELETE FROM c)"} {
		if have, _, ok := p.Extend([]byte(text), map[int]string{0: "!"}); ok {
			t.Errorf("%s: %q", text, have)
		}
	}
}

// A statement that is too deep for the grammar's stack ends an instance of it, and the next statement has another.
func TestStackOverflow(t *testing.T) {
	defer func(before time.Duration) { readTime, stuck = before, 0 }(readTime)
	if _, err := parse("SELECT 1"); err != nil { // the grammar is there
		t.Fatal(err)
	}
	readTime = 2 * time.Second
	if _, err := parse("SELECT " + strings.Repeat("NOT ", 2_000) + "true"); !errors.Is(err, errNotRead) || stuck != 1 {
		t.Fatalf("%v, %d stuck", err, stuck)
	}
	readTime = time.Minute
	for range 3 {
		if tree, err := parse("SELECT id FROM voters WHERE id = 1"); err != nil || len(tree) != 1 {
			t.Fatal(err)
		}
	}
	stuck = maxStuck
	if _, err := parse("SELECT 1"); !errors.Is(err, errNotRead) {
		t.Errorf("with too many of them stuck: %v", err)
	}
}
