package wire

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/rolltrace/rolltrace/schema"
)

// Bounds of a body's form, so that reading it costs a small multiple of its size. The form itself needs
// four levels, some 4,200 elements and thirty names.
const (
	maxDepth    = 32
	maxElements = 8192 // of all arrays that are known, together
	maxNames    = 1024 // of an object
)

// unmarshal reads a body into v and refuses what encoding/json would resolve in silence and another
// reader otherwise: a name doubled in one object, a known name in another case, null for a known field, a
// time in another form, invalid UTF-8. Fields that shape does not know may hold anything. Its errors hold
// names of known fields and nothing else of the body.
func unmarshal(body []byte, v any, shape *field) error {
	if !utf8.Valid(body) {
		return errors.New("body: want valid UTF-8")
	}
	if !json.Valid(body) {
		return errors.New("body: want one JSON object")
	}
	s := scan{body: body}
	if s.space(); s.body[s.at] != '{' {
		return errors.New("body: want one JSON object")
	}
	if err := s.value(shape, 0); err != nil {
		return err
	}
	if err := json.Unmarshal(body, v); err != nil {
		var wrong *json.UnmarshalTypeError
		if errors.As(err, &wrong) && wrong.Field != "" {
			return fmt.Errorf("%s: want another type of value", wrong.Field)
		}
		return errors.New("body: want another type of value")
	}
	return nil
}

// A field is what a known name stands for: the names within it, if it is an object or an array of
// objects, and whether it is a time.
type field struct {
	name   string
	within map[string]*field
	time   bool
}

// shapeOf reads the known names of a type from its struct tags.
func shapeOf(t reflect.Type, name string) *field {
	for t.Kind() == reflect.Slice || t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	f := &field{name: name, time: t == reflect.TypeFor[schema.Time]()}
	if t.Kind() != reflect.Struct || f.time {
		return f
	}
	f.within = make(map[string]*field)
	for i := range t.NumField() {
		tag, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ",")
		if tag == "" {
			continue
		}
		path := tag
		if name != "" {
			path = name + "." + tag
		}
		f.within[tag] = shapeOf(t.Field(i).Type, path)
	}
	return f
}

var (
	movementShape  = shapeOf(reflect.TypeFor[schema.Movement](), "")
	heartbeatShape = shapeOf(reflect.TypeFor[Heartbeat](), "")
	gapShape       = shapeOf(reflect.TypeFor[Gap](), "")
	registryShape  = shapeOf(reflect.TypeFor[Registry](), "")
	rulingShape    = shapeOf(reflect.TypeFor[Ruling](), "")
)

// A scan walks over JSON that is known to be well formed.
type scan struct {
	body     []byte
	at       int
	elements int // of known arrays, so far
}

func (s *scan) space() {
	for s.at < len(s.body) {
		switch s.body[s.at] {
		case ' ', '\t', '\r', '\n':
			s.at++
		default:
			return
		}
	}
}

// text returns the string that begins at s.at, with its quotes, and moves behind it.
func (s *scan) text() []byte {
	start := s.at
	for s.at++; s.body[s.at] != '"'; s.at++ {
		if s.body[s.at] == '\\' {
			s.at++
		}
	}
	s.at++
	return s.body[start:s.at]
}

// value checks the value at s.at, which f describes (nil if nothing is known of it), and moves behind it.
func (s *scan) value(f *field, depth int) error {
	if depth > maxDepth {
		return fmt.Errorf("body: want at most %d levels", maxDepth)
	}
	switch s.body[s.at] {
	case '{':
		return s.object(f, depth)
	case '[':
		return s.array(f, depth)
	case '"':
		text := s.text()
		if f != nil && f.time && !wireTime(text) {
			return fmt.Errorf("%s: want a time like %s", f.name, schema.TimeLayout)
		}
	case 'n':
		if f != nil {
			return fmt.Errorf("%s: want no null: leave the field out", f.name)
		}
		fallthrough
	default:
		for s.at < len(s.body) && !bytes.ContainsRune([]byte(",]} \t\r\n"), rune(s.body[s.at])) {
			s.at++
		}
	}
	return nil
}

func (s *scan) array(f *field, depth int) error {
	s.at++
	for s.space(); s.body[s.at] != ']'; s.space() {
		if s.body[s.at] == ',' {
			s.at++
			continue
		}
		if f != nil {
			if s.elements++; s.elements > maxElements {
				return fmt.Errorf("%s: want at most %d elements in a body", f.name, maxElements)
			}
		}
		if err := s.value(f, depth+1); err != nil {
			return err
		}
	}
	s.at++
	return nil
}

func (s *scan) object(f *field, depth int) error {
	var seen names
	s.at++
	for s.space(); s.body[s.at] != '}'; s.space() {
		if s.body[s.at] == ',' {
			s.at++
			continue
		}
		name, err := plainName(s.text())
		if err != nil {
			return err
		}
		known, err := f.find(name)
		if err != nil {
			return err
		}
		if seen.count() >= maxNames {
			return fmt.Errorf("body: want at most %d names in an object", maxNames)
		}
		if !seen.add(name) {
			if known != nil {
				return fmt.Errorf("%s: want it once", known.name)
			}
			return errors.New("body: want each name once in an object")
		}
		s.space()
		s.at++ // the colon
		s.space()
		if err := s.value(known, depth+1); err != nil {
			return err
		}
	}
	s.at++
	return nil
}

// find returns what is known of a name within f, or nil.
func (f *field) find(name []byte) (*field, error) {
	if f == nil {
		return nil, nil
	}
	if known := f.within[string(name)]; known != nil {
		return known, nil
	}
	for exact, known := range f.within {
		if strings.EqualFold(exact, string(name)) {
			return nil, fmt.Errorf("%s: want its name in lower case", known.name)
		}
	}
	return nil, nil
}

// plainName takes the quotes and escapes from a name.
func plainName(quoted []byte) ([]byte, error) {
	if !bytes.ContainsRune(quoted, '\\') {
		return quoted[1 : len(quoted)-1], nil
	}
	var name string
	if err := json.Unmarshal(quoted, &name); err != nil {
		return nil, errors.New("body: want one JSON object")
	}
	return []byte(name), nil
}

// names is a set of names that costs nothing while it is small.
type names struct {
	few  [][]byte
	many map[string]struct{}
}

func (n *names) count() int { return max(len(n.few), len(n.many)) }

func (n *names) add(name []byte) bool {
	if n.many == nil {
		if slices.ContainsFunc(n.few, func(have []byte) bool { return bytes.Equal(have, name) }) {
			return false
		}
		n.few = append(n.few, name)
		if len(n.few) > 64 {
			n.many = make(map[string]struct{}, 2*len(n.few))
			for _, have := range n.few {
				n.many[string(have)] = struct{}{}
			}
		}
		return true
	}
	if _, have := n.many[string(name)]; have {
		return false
	}
	n.many[string(name)] = struct{}{}
	return true
}

// wireTime says whether a JSON string is a time in the one form that times have on the wire, or empty.
func wireTime(quoted []byte) bool {
	if len(quoted) == 2 {
		return true
	}
	if len(quoted) != len(schema.TimeLayout)+2 {
		return false
	}
	var t schema.Time
	return t.UnmarshalJSON(quoted) == nil && `"`+t.String()+`"` == string(quoted)
}
