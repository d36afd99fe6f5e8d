package schema

import (
	"strings"
	"testing"
)

func TestParsePlace(t *testing.T) {
	for _, tc := range []struct {
		place string
		want  string // what the error names; "" if it is a place
	}{
		{"party-a/crm/voters", ""},
		{"acme-mail/uploads/2026-04-01.csv", ""},
		{"party-a/people/u0412", ""},
		{"party-a/people/412", ""},
		{"0/0/0", ""},
		{strings.Repeat("a", MaxOrg) + "/" + strings.Repeat("b", MaxSystem) + "/" + strings.Repeat("c", MaxDataset), ""},
		{"party-a/people/abcdefgh123456789012", ""},
		{"", "three segments"},
		{"party-a", "three segments"},
		{"party-a/crm", "three segments"},
		{"party-a/crm/voters/old", "three segments"},
		{"/crm/voters", "organisation"},
		{"party-a//voters", "system"},
		{"party-a/crm/", "dataset"},
		{"Party-A/crm/voters", "organisation"},
		{"party.a/crm/voters", "organisation"},
		{"-a/crm/voters", "organisation"},
		{"party-a/.crm/voters", "system"},
		{"party-a/crm/_voters", "dataset"},
		{"party-a/crm/voters and more", "dataset"},
		{"party-a/crm/voters\n", "dataset"},
		{"party-a/crm/*", "dataset"},
		{"party-a/crm/électeurs", "dataset"},
		{"party-a/people/jane.doe", "person"},
		{"party-a/people/jane", "person"},
		{"party-a/people/abcdefghi1", "person"},
		{"party-a/people/u1234567890123", "person"},
		{strings.Repeat("a", MaxOrg+1) + "/b/c", "organisation"},
		{"a/" + strings.Repeat("b", MaxSystem+1) + "/c", "system"},
		{"a/b/" + strings.Repeat("c", MaxDataset+1), "dataset"},
	} {
		p, err := ParsePlace(tc.place)
		if tc.want == "" {
			if err != nil || string(p) != tc.place {
				t.Errorf("%q: %q, %v", tc.place, p, err)
			}
			continue
		}
		if err == nil || !strings.Contains(err.Error(), tc.want) || p != "" {
			t.Errorf("%q: %q, %v, want an error that names the %s", tc.place, p, err, tc.want)
		}
	}
}

func TestNewPlace(t *testing.T) {
	p, err := NewPlace("party-a", "people", "u0412")
	if err != nil || p.Org() != "party-a" || p.System() != "people" || p.Dataset() != "u0412" || !p.IsPerson() {
		t.Errorf("%q, %v", p, err)
	}
	if _, err := NewPlace("party-a", "crm/voters", "old"); err == nil {
		t.Error("a segment held a slash")
	}
	if p := Place("party-a/crm/voters"); p.IsPerson() {
		t.Error("a dataset is a person")
	}
	// What is no place has the segments that it has.
	if p := Place("party-a"); p.Org() != "party-a" || p.System() != "" || p.Dataset() != "" {
		t.Errorf("%q %q %q", p.Org(), p.System(), p.Dataset())
	}
}

func TestSubjectTokens(t *testing.T) {
	for _, s := range []string{"a", "party-a", "0", strings.Repeat("a", MaxOrg)} {
		if !ValidOrg(s) || !ValidSidecar(s) {
			t.Errorf("%q is refused", s)
		}
	}
	for _, s := range []string{"", "*", ">", "a.b", "a b", "A", "a\n", "-a", "é", strings.Repeat("a", MaxOrg+1)} {
		if ValidOrg(s) || ValidSidecar(s) {
			t.Errorf("%q is accepted", s)
		}
	}
}

func FuzzParsePlace(f *testing.F) {
	for _, s := range []string{"party-a/crm/voters", "party-a/people/u0412", "a/b/c", "//", "a/people/", "", "a/b/c/d", "A/b\n/é"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		p, err := ParsePlace(s)
		if err != nil {
			faults, ok := err.(Faults)
			if !ok || len(faults) == 0 || p != "" {
				t.Fatalf("%q: %q, %v", s, p, err)
			}
			for _, f := range faults {
				if f.Limit == "" || !strings.HasPrefix(f.Field, "place") || !strings.Contains(s, f.Value) {
					t.Fatalf("%q: fault %+v", s, f)
				}
			}
			return
		}
		again, err := NewPlace(p.Org(), p.System(), p.Dataset())
		if err != nil || string(again) != s {
			t.Fatalf("%q comes apart into %q, %v", s, again, err)
		}
		if strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789./_-") != "" || len(s) > MaxOrg+MaxSystem+MaxDataset+2 || strings.Contains(p.Org(), ".") {
			t.Fatalf("%q is a place", s)
		}
		if p.IsPerson() && !strings.ContainsAny(p.Dataset(), "0123456789") {
			t.Fatalf("%q is a person without a number", s)
		}
	})
}
