package pgtap

import (
	"maps"
	"strings"
)

// settingPath is the setting that names are looked up by.
const settingPath = "search_path"

// SettingName is what a server's setting is called in a Setting; false for one that does not matter here.
func SettingName(name string) (string, bool) {
	name = strings.ToLower(name)
	switch own := strings.TrimPrefix(name, "rolltrace."); own {
	case TagPurpose, TagAgreement, TagDestination:
		return own, own != name
	case settingPath:
		return settingPath, true
	}
	return "", false
}

// A state follows what the session has set, and what it has done that counts only when its transaction commits. Its
// settings maps are not changed, but replaced.
type state struct {
	initial map[string]string // from startup
	now     map[string]string
	kept    map[string]string // what is set when the transaction commits
	before  map[string]string // what was set when it began
	block   bool              // in a transaction that began with BEGIN
	begun   bool              // something has happened since the last commit
	saves   []save
	deeds   []pending
	bodies  map[string]*Part // cursors and prepared statements
	altered bool             // the transaction has changed what names stand for, and nobody else can see it yet
}

// A save is a savepoint.
type save struct {
	name      string
	now, kept map[string]string
	deeds     int // made before it
}

func newState(parameters map[string]string) state {
	initial := map[string]string{}
	set := func(name, value string) {
		if known, ok := SettingName(name); ok {
			initial[known] = value
		}
	}
	for name, value := range options(parameters["options"]) {
		set(name, value)
	}
	for name, value := range parameters {
		set(name, value)
	}
	return state{initial: initial, now: initial, kept: initial, before: initial}
}

// options reads the startup packet's options: -c name=value, --name=value, spaces in values with backslashes before them.
func options(text string) map[string]string {
	var words []string
	var current strings.Builder
	flush := func() {
		if current.Len() > 0 {
			words = append(words, current.String())
			current.Reset()
		}
	}
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '\\' && i+1 < len(text):
			i++
			current.WriteByte(text[i])
		case c == ' ' || c == '\t' || c == '\n':
			flush()
		default:
			current.WriteByte(c)
		}
	}
	flush()
	found := map[string]string{}
	for i, w := range words {
		switch {
		case strings.HasPrefix(w, "--"):
			w = w[2:]
		case w == "-c" || !strings.HasPrefix(w, "-c") && (i == 0 || words[i-1] != "-c"):
			continue
		default:
			w = strings.TrimPrefix(w, "-c")
		}
		if name, value, ok := strings.Cut(w, "="); ok {
			found[strings.ReplaceAll(name, "-", "_")] = value
		}
	}
	return found
}

func with(settings map[string]string, name, value string, known bool) map[string]string {
	changed := maps.Clone(settings)
	if changed == nil {
		changed = make(map[string]string)
	}
	if known {
		changed[name] = value
	} else {
		delete(changed, name)
	}
	return changed
}

// done takes note of a statement that the server has completed. committed are deeds that count from now on.
func (s *state) done(p *Part, tag string) (committed []pending) {
	if !s.begun && !s.block {
		s.begun, s.before = true, s.kept
	}
	s.altered = s.altered || alters(tag)
	if p == nil {
		return s.unread(tag)
	}
	for _, set := range p.Set {
		s.set(set)
	}
	if p.Define != "" && p.Body != nil {
		if s.bodies == nil || len(s.bodies) >= maxNames {
			s.bodies = make(map[string]*Part)
		}
		s.bodies[p.Define] = p.Body
	}
	switch p.Turn {
	case TurnBegin:
		s.block = true
	case TurnSavepoint:
		s.saves = append(s.saves, save{p.Savepoint, s.now, s.kept, len(s.deeds)})
	case TurnBack, TurnRelease:
		for i := len(s.saves) - 1; i >= 0; i-- {
			if saved := s.saves[i]; saved.name == p.Savepoint {
				if p.Turn == TurnRelease {
					s.saves = s.saves[:i]
				} else {
					s.saves = s.saves[:i+1]
					for _, d := range s.deeds[min(saved.deeds, len(s.deeds)):] {
						d.pile.drop()
					}
					s.now, s.kept, s.deeds = saved.now, saved.kept, s.deeds[:min(saved.deeds, len(s.deeds))]
				}
				break
			}
		}
	case TurnEnd:
		return s.unread(tag)
	}
	return nil
}

// alters says whether names may stand for something else after a statement of this answer.
func alters(tag string) bool {
	verb, what, _ := strings.Cut(tag, " ")
	switch verb {
	case "CREATE", "ALTER", "DROP":
	default:
		return false
	}
	switch what {
	case "TABLE":
		return verb != "CREATE"
	case "VIEW", "MATERIALIZED VIEW", "FUNCTION", "PROCEDURE", "ROUTINE", "AGGREGATE", "RULE", "SCHEMA", "FOREIGN TABLE", "EXTENSION":
		return true
	}
	return false
}

// unread goes by the server's word alone.
func (s *state) unread(tag string) []pending {
	switch tag {
	case "BEGIN", "START TRANSACTION":
		s.block = true
	case "COMMIT", "PREPARE TRANSACTION":
		return s.commit()
	case "ROLLBACK":
		s.rollback()
	}
	return nil
}

func (s *state) set(set Setting) {
	switch {
	case set.Name == "":
		s.now, s.kept = s.initial, s.initial
		return
	case set.Reset:
		set.Value = s.initial[set.Name]
	}
	_, known := s.initial[set.Name]
	known = known || !set.Reset
	s.now = with(s.now, set.Name, set.Value, known)
	if !set.Local {
		s.kept = with(s.kept, set.Name, set.Value, known)
	}
}

// failed takes note of an error: without BEGIN, everything since the last commit is undone.
func (s *state) failed() {
	if !s.block {
		s.rollback()
	}
}

// ready takes note of the end of a request: status is the transaction's.
func (s *state) ready(status byte) (committed []pending) {
	if status != 'I' {
		s.block = true
		return nil
	}
	return s.commit()
}

func (s *state) commit() []pending {
	committed := s.deeds
	s.now, s.before = s.kept, s.kept
	s.end()
	return committed
}

func (s *state) rollback() {
	for _, d := range s.deeds {
		d.pile.drop()
	}
	s.now, s.kept = s.before, s.before
	s.end()
}

func (s *state) end() { s.deeds, s.saves, s.block, s.begun, s.altered = nil, nil, false, false, false }

// tags are the client's own: those of the statement before those of the session.
func (s *state) tags(statement *Statement) map[string]string {
	if statement == nil || len(statement.Tags) == 0 {
		return s.now
	}
	all := maps.Clone(s.now)
	if all == nil {
		all = make(map[string]string)
	}
	maps.Copy(all, statement.Tags)
	return all
}
