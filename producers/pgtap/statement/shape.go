package statement

import (
	"bytes"
	"net/url"
	"strings"
)

// A scan is a walk over a statement's text, by Postgres' lexical rules: enough of them to tell constants and comments
// from the rest.
type scan struct {
	text     []byte
	shape    []byte
	comments [][]byte
	// levels are the parentheses that are open, and outside of them: an estimate of how deep the parse tree gets.
	levels  []level
	deepest int
	// hidden is written for every constant: what travels; with "" they are made equal so that the text can still be read.
	hidden string
	// plain says that nothing in the text depends on a setting of the session (standard_conforming_strings).
	plain bool
	// first words of the statements decide whether their constants matter.
	beginning bool
	constant  bool // they do
	// ends are where the statements' last words end.
	ends []int
}

// A level counts what may be nested without parentheses: words and operators in one expression, and joins, set operations
// and cases in one query.
type level struct{ run, chain int }

// maxDepth is how deep a statement may be: libpg_query's stack ends at about twice as much, and it does not recover from that.
const maxDepth = 125

func (s *scan) deeper(run, chain int) {
	top := &s.levels[len(s.levels)-1]
	top.run += run
	top.chain += chain
	depth := 0
	for _, l := range s.levels {
		depth += 2 + l.run + l.chain
	}
	s.deepest = max(s.deepest, depth)
}

func (s *scan) next() { s.levels[len(s.levels)-1].run = 0 }

func (s *scan) constantAs(equal string) {
	if s.hidden != "" {
		equal = s.hidden
	}
	s.shape = append(s.shape, equal...)
}

// boundaries are words behind which another expression begins.
var boundaries = map[string]bool{
	"and": true, "or": true, "select": true, "from": true, "where": true, "on": true, "using": true, "by": true, "having": true, "limit": true,
	"set": true, "values": true, "when": true, "then": true, "else": true, "with": true, "returning": true, "as": true,
}

// chains are words that nest queries and tables.
var chains = map[string]int{"join": 1, "union": 1, "intersect": 1, "except": 1, "case": 1, "end": -1}

// plainText is a text without its constants, for people; "" when its constants cannot be told without doubt.
func plainText(text string) string {
	s := scan{text: []byte(text), plain: true, beginning: true, hidden: "?"}
	if !s.walk() || !s.plain {
		return ""
	}
	return strings.TrimSpace(string(s.shape))
}

// readable says whether a text can be told into words, and is not too deep to be parsed.
func readable(text string) bool {
	s := scan{text: []byte(text), plain: true, beginning: true}
	return s.walk() && s.deepest <= maxDepth
}

// shapeOf appends the text without comments, and with its constants made equal, to dst. ok is false when the text cannot
// be told into words without doubt, or a statement in it is one whose constants matter: then the text itself is its shape.
func shapeOf(dst, text []byte) (shape []byte, comments [][]byte, ok bool) {
	s := scan{text: text, shape: dst, plain: true, beginning: true}
	ok = s.walk() && s.plain && !s.constant && s.deepest <= maxDepth
	return s.shape, s.comments, ok
}

func (s *scan) walk() bool {
	s.levels = append(s.levels[:0], level{})
	last, blank := 0, true // where the last word or sign ends
	for at := 0; at < len(s.text); {
		if !blank {
			last = at
		}
		blank = false
		c := s.text[at]
		switch {
		case c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f' || c == '\v':
			switch n := len(s.shape); {
			case n > 0 && s.shape[n-1] == ' ' && c == '\n': // strings with a new line between are one string
				s.shape[n-1] = '\n'
			case n > 0 && s.shape[n-1] != ' ' && s.shape[n-1] != '\n' && c == '\n':
				s.shape = append(s.shape, '\n')
			case n > 0 && s.shape[n-1] != ' ' && s.shape[n-1] != '\n':
				s.shape = append(s.shape, ' ')
			}
			at++
			blank = true
		case c == '-' && at+1 < len(s.text) && s.text[at+1] == '-':
			end := bytes.IndexAny(s.text[at:], "\r\n")
			if end < 0 {
				end = len(s.text) - at
			}
			s.comment(s.text[at+2 : at+end])
			at += end
			blank = true
		case c == '/' && at+1 < len(s.text) && s.text[at+1] == '*':
			end := blockComment(s.text[at:])
			if end < 0 {
				return false
			}
			s.comment(s.text[at+2 : at+end-2])
			at += end
			blank = true
		case c == '\'':
			end := s.quoted(at, false)
			if end < 0 {
				return false
			}
			s.constantAs("''")
			at = end
		case c == '"':
			end := bytes.IndexByte(s.text[at+1:], '"')
			if end < 0 {
				return false
			}
			end += at + 2
			s.shape = append(s.shape, s.text[at:end]...)
			at = end
			s.beginning = false
		case c == '$':
			end := s.dollar(at)
			if end < 0 {
				return false
			}
			at = end
		case c >= '0' && c <= '9' || c == '.' && at+1 < len(s.text) && digit(s.text[at+1]) && !s.afterWord():
			end := at
			for end < len(s.text) && (word(s.text[end]) || s.text[end] == '.' && end+1 < len(s.text) && s.text[end+1] != '.' ||
				(s.text[end] == '-' || s.text[end] == '+') && (s.text[end-1] == 'e' || s.text[end-1] == 'E') && end+1 < len(s.text) && digit(s.text[end+1])) {
				end++
			}
			s.constantAs("0")
			at = end
		case word(c):
			end := at
			for end < len(s.text) && (word(s.text[end]) || s.text[end] == '$') {
				end++
			}
			name := s.text[at:end]
			if end < len(s.text) && s.text[end] == '\'' && len(name) == 1 && strings.ContainsRune("eEbBxXnN", rune(name[0])) {
				if end = s.quoted(end, name[0] == 'e' || name[0] == 'E'); end < 0 {
					return false
				}
				s.constantAs("''")
				at = end
				continue
			}
			s.word(name)
			s.shape = append(s.shape, name...)
			at = end
		default:
			switch c {
			case '(', '[':
				if len(s.levels) > maxDepth {
					return false
				}
				s.levels = append(s.levels, level{})
			case ')', ']':
				if len(s.levels) > 1 {
					s.levels = s.levels[:len(s.levels)-1]
				}
			case ',':
				s.next()
			case ';':
				s.ended(last)
				blank = true
				s.beginning = true
				s.levels = append(s.levels[:0], level{})
			}
			s.deeper(1, 0)
			s.shape = append(s.shape, c)
			at++
		}
	}
	if !blank {
		last = len(s.text)
	}
	s.ended(last)
	return true
}

// ended takes note of the end of a statement, unless there was none.
func (s *scan) ended(at int) {
	if !s.beginning {
		s.ends = append(s.ends, at)
	}
}

// constantless are statements whose constants say nothing about what they do.
var constantless = map[string]bool{
	"select": true, "with": true, "insert": true, "update": true, "delete": true, "values": true, "table": true, "merge": true,
	"begin": true, "commit": true, "rollback": true, "end": true, "start": true, "abort": true, "fetch": true, "move": true,
	"close": true, "show": true, "declare": true, "savepoint": true, "release": true, "explain": true, "execute": true,
}

func (s *scan) word(name []byte) {
	if len(name) <= len("intersect") {
		var folded [len("intersect")]byte
		lower := folded[:len(name)]
		for i, c := range name {
			if 'A' <= c && c <= 'Z' {
				c += 'a' - 'A'
			}
			lower[i] = c
		}
		if chain := chains[string(lower)]; chain != 0 {
			s.deeper(0, chain)
			s.next()
		} else if boundaries[string(lower)] {
			s.next()
		}
	}
	s.deeper(1, 0)
	if s.beginning {
		s.beginning = false
		s.constant = s.constant || !constantless[strings.ToLower(string(name))]
	}
	if len(name) == len("set_config") && bytes.EqualFold(name, []byte("set_config")) {
		s.constant = true
	}
}

func (s *scan) afterWord() bool {
	n := len(s.shape)
	return n > 0 && (word(s.shape[n-1]) || s.shape[n-1] == '"' || s.shape[n-1] == ')' || s.shape[n-1] == ']')
}

func (s *scan) comment(text []byte) {
	s.comments = append(s.comments, text)
	if n := len(s.shape); n > 0 && s.shape[n-1] != ' ' {
		s.shape = append(s.shape, ' ')
	}
}

// quoted is the end of a string that begins at a quote.
func (s *scan) quoted(at int, escapes bool) int {
	for i := at + 1; i < len(s.text); i++ {
		switch s.text[i] {
		case '\\':
			if escapes {
				i++
			} else {
				s.plain = false
			}
		case '\'':
			if i+1 < len(s.text) && s.text[i+1] == '\'' {
				i++
				continue
			}
			return i + 1
		}
	}
	return -1
}

// dollar is the end of a parameter, or of a string in dollars.
func (s *scan) dollar(at int) int {
	end := at + 1
	for end < len(s.text) && word(s.text[end]) {
		end++
	}
	if end < len(s.text) && s.text[end] == '$' && (end == at+1 || !digit(s.text[at+1])) {
		tag := s.text[at : end+1]
		length := bytes.Index(s.text[end+1:], tag)
		if length < 0 {
			return -1
		}
		s.constantAs("''")
		return end + 1 + length + len(tag)
	}
	s.shape = append(s.shape, s.text[at:end]...)
	return end
}

func blockComment(text []byte) int {
	depth := 0
	for i := 0; i+1 < len(text); i++ {
		switch {
		case text[i] == '/' && text[i+1] == '*':
			depth++
			i++
		case text[i] == '*' && text[i+1] == '/':
			depth--
			i++
			if depth == 0 {
				return i + 1
			}
		}
	}
	return -1
}

func digit(c byte) bool { return c >= '0' && c <= '9' }

func word(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' || c >= 0x80
}

// tagsOf reads the tags of sqlcommenter comments: key='value' with commas between, URL-encoded.
// https://google.github.io/sqlcommenter/spec/
func tagsOf(comments [][]byte) map[string]string {
	var tags map[string]string
	for _, c := range comments {
		for pair := range strings.SplitSeq(string(c), ",") {
			name, value, ok := strings.Cut(strings.TrimSpace(pair), "=")
			value = strings.TrimSpace(value)
			if !ok || len(value) < 2 || value[0] != '\'' || value[len(value)-1] != '\'' {
				continue
			}
			name = strings.TrimPrefix(unescape(name), "rolltrace.")
			if name != "purpose" && name != "agreement" && name != "destination" {
				continue
			}
			if tags == nil {
				tags = make(map[string]string)
			}
			tags[name] = strings.ReplaceAll(unescape(value[1:len(value)-1]), `\'`, `'`)
		}
	}
	return tags
}

func unescape(text string) string {
	if plain, err := url.PathUnescape(strings.TrimSpace(text)); err == nil {
		return plain
	}
	return text
}
