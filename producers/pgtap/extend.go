package pgtap

import (
	"bytes"
	"context"
	"strings"
)

// extend makes the statements of a text that change rows of configured tables return the identifiers, as far as nobody could
// tell: the answer to that is for the tap alone. It returns the text, and what was put into it; nil if it stays as it is.
func (f *front) extend(s *Statement, text []byte) ([]byte, *returns) {
	if s == nil || f.became || f.tap.cfg.Catalogue == nil || f.replicates {
		return nil, nil
	}
	var clauses map[int]string
	var added *returns
	fresh := ""
	for n := range s.Parts {
		part := &s.Parts[n]
		if part.Changes && f.track.settled() {
			if t, clause := f.clause(part); t != nil && !f.made[t.Name] && t.Name != fresh {
				if added == nil {
					added, clauses = &returns{targets: make([]*Target, len(s.Parts))}, make(map[int]string)
				}
				added.targets[n], clauses[n] = t, clause
			}
		}
		if unsettles(part) || part.Becomes {
			break // what comes after it is read when that has been done
		}
		if part.Makes != "" && fresh != "" {
			break
		}
		fresh = part.Makes
	}
	if added == nil || f.track.full() {
		return nil, nil
	}
	own, rest, _ := bytes.Cut(text, []byte{0})
	longer, edits, ok := f.tap.cfg.Analyst.Extend(own, clauses)
	if !ok {
		return nil, nil
	}
	added.edits = edits
	return append(append(longer, 0), rest...), added
}

// clause is what makes a statement return the identifiers of the rows that it changes; nil if that cannot be.
func (f *front) clause(part *Part) (*Target, string) {
	session := f.naming()
	read, err := f.tap.cfg.Catalogue.Read(context.Background(), session, part.Query)
	if err != nil || read == nil || len(read.Deeds) != 1 {
		return nil, ""
	}
	target := read.Deeds[0].Target
	if target == nil || !target.Returns {
		return nil, ""
	}
	columns, ok, err := f.tap.cfg.Catalogue.Returnable(context.Background(), session, target)
	if err != nil || !ok {
		return nil, ""
	}
	return target, " RETURNING " + strings.Join(columns, ", ")
}

// naming is what names depend on in what the client sends.
func (f *front) naming() Session {
	s := Session{Database: f.who.Database, User: f.who.User}
	if path := f.path.Load(); path != nil {
		s.Path = *path
	}
	return s
}

// unsettles says whether names may stand for something else after a statement.
func unsettles(part *Part) bool {
	if part.Alters || part.Unknown {
		return true
	}
	for _, set := range part.Set {
		if set.Name == settingPath || set.Name == "" {
			return true
		}
	}
	return false
}

// note takes note of what a text will have done to names when it has run: its request has the flags that this returns.
func (f *front) note(s *Statement) (of flags) {
	if s == nil {
		return unsettling
	}
	for i := range s.Parts {
		part := &s.Parts[i]
		f.became = f.became || part.Becomes
		if unsettles(part) || part.Use != "" {
			of = unsettling
		}
		if part.Makes != "" {
			if f.made == nil || len(f.made) >= maxNames {
				f.made = make(map[string]bool)
			}
			f.made[part.Makes] = true
		}
	}
	return of
}
