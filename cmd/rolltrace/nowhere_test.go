package main

import (
	"regexp"
	"slices"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
)

// refused runs a question and wants this exit code, one line on stderr that matches, and nothing on stdout.
func refused(ts *testscript.TestScript, want, line string, args []string) {
	code(ts, false, append([]string{want, "rolltrace"}, args...))
	said := ts.ReadFile("stderr")
	switch matches, err := regexp.MatchString("^rolltrace: .*("+line+").*\n$", said); {
	case err != nil:
		ts.Fatalf("%v", err)
	case !matches || strings.Count(said, "\n") != 1:
		ts.Fatalf("rolltrace %s: have %q, want one line that matches %q", strings.Join(args, " "), said, line)
	}
	if out := ts.ReadFile("stdout"); out != "" {
		ts.Fatalf("rolltrace %s: prints %q besides", strings.Join(args, " "), out)
	}
}

// no PATTERN ARG… is a question about something that does not exist; wrong PATTERN ARG… one that is malformed.
func no(ts *testscript.TestScript, _ bool, args []string)    { refused(ts, "1", args[0], args[1:]) }
func wrong(ts *testscript.TestScript, _ bool, args []string) { refused(ts, "2", args[0], args[1:]) }

// noPlaces are what is asked for by each, with what is said: first those that are asked for in every question.
var noPlaces = []struct{ where, code, said string }{
	{"nobody/at/all", "1", unknownPlace + "$"},
	{"lantern-prin", "1", unknownPlace + `: did you mean lantern-print\?$`},
	{"party-a/crm", "2", "want three segments org/system/dataset"},
	{"", "2", `is empty: want a value, or leave it out|place ""`},
	{"nobody", "1", unknownPlace + "$"},
	{"party-a/files/card.csv", "1", unknownPlace + `: did you mean party-a/files/cards.csv\?$`},
	{"lantern-print/uploads/crads.csv", "1", unknownPlace + `: did you mean lantern-print/uploads/cards.csv\?$`},
	{"Party-A", "2", "want org/system/dataset, or an organisation"},
	{"party-a/crm/", "2", "want 1 to 128 of"},
	{"party-a//voters", "2", "want 1 to 63 of"},
	{"party a/crm/v", "2", "want 1 to 63 of"},
	{"party-a/people/jo", "2", "want a staff code"},
}

const (
	unknownPlace = "no movement names this place or organisation, and no sidecar covers it"
	placesOfAll  = 4
)

// [!] each ARG… asks a question about places and organisations, for WHERE, that are not there; with ! about all kinds.
func each(ts *testscript.TestScript, neg bool, args []string) {
	for i, p := range noPlaces {
		if i == placesOfAll && !neg {
			break
		}
		asked := slices.Clone(args)
		asked[slices.Index(asked, "WHERE")] = p.where
		refused(ts, p.code, strings.TrimSuffix(p.said, "$"), asked)
	}
}

// noTimes are what is no time, with what is said: first the one that is asked for in every question.
var noTimes = []struct{ asOf, said string }{
	{"", `--as-of: is empty: want a value, or leave it out`},
	{"yesterday", `--as-of: time "yesterday": want RFC 3339`},
	{"2024-02-30", `--as-of: time "2024-02-30": want RFC 3339`},
	{"2024-03-01 10:00:00", `want RFC 3339`},
	{"1066-10-14", `want one from 1900 to 2199`},
}

// [!] times ARG… asks a question as of what is no time; with ! of all kinds.
func times(ts *testscript.TestScript, neg bool, args []string) {
	for i, m := range noTimes {
		if i == 2 && !neg {
			break
		}
		refused(ts, "2", m.said, append(slices.Clone(args), "--as-of", m.asOf))
	}
}
