package config

import (
	"encoding"
	"errors"
	"fmt"
	"reflect"
	"sort"
	"strconv"
	"strings"
)

// A field is one setting: a leaf of the configuration's struct.
type field struct {
	path   []string // keys from the root of the file
	env    string   // "" for the file only
	flag   string   // "" for none
	short  string
	doc    string
	value  reflect.Value
	told   *flagValue // what the command line says; nil without a flag
	source string
}

func (f *field) key() string { return strings.Join(f.path, ".") }

var textUnmarshaler = reflect.TypeFor[encoding.TextUnmarshaler]()

// walk lists the settings of a struct, in the order of its fields.
func walk(v reflect.Value, path []string) []*field {
	var fields []*field
	for i := range v.NumField() {
		t := v.Type().Field(i)
		name, rest, _ := strings.Cut(t.Tag.Get("yaml"), ",")
		if name == "-" || !t.IsExported() {
			continue
		}
		if rest == "inline" || t.Anonymous && name == "" {
			fields = append(fields, walk(v.Field(i), path)...)
			continue
		}
		if name == "" {
			panic(fmt.Sprintf("config: field %s of %s has no yaml tag", t.Name, v.Type()))
		}
		here := append(append([]string(nil), path...), name)
		if v.Field(i).Kind() == reflect.Struct && !scalar(t.Type) {
			fields = append(fields, walk(v.Field(i), here)...)
			continue
		}
		f := &field{path: here, doc: t.Tag.Get("doc"), short: t.Tag.Get("short"), value: v.Field(i)}
		if !structs(t.Type) && t.Tag.Get("flag") != "-" {
			f.env = Prefix + strings.ToUpper(strings.ReplaceAll(strings.Join(here, "_"), "-", "_"))
			f.flag = strings.ReplaceAll(strings.Join(here, "-"), "_", "-")
			if renamed := t.Tag.Get("flag"); renamed != "" {
				f.flag = renamed
			}
		}
		supported(t.Type, f.key())
		fields = append(fields, f)
	}
	return fields
}

func scalar(t reflect.Type) bool { return reflect.PointerTo(t).Implements(textUnmarshaler) }

func structs(t reflect.Type) bool {
	return t.Kind() == reflect.Slice && t.Elem().Kind() == reflect.Struct && !scalar(t.Elem())
}

func supported(t reflect.Type, key string) {
	if t.Kind() == reflect.Slice && !scalar(t) {
		if structs(t) {
			walk(reflect.New(t.Elem()).Elem(), nil)
			return
		}
		t = t.Elem()
	}
	switch {
	case scalar(t):
	case t.Kind() == reflect.String, t.Kind() == reflect.Bool, whole(t.Kind()):
	default:
		panic(fmt.Sprintf("config: %s: a field of type %s cannot be bound", key, t))
	}
}

func whole(k reflect.Kind) bool { return k >= reflect.Int && k <= reflect.Uint64 }

func (f *field) list() bool { return f.value.Kind() == reflect.Slice && !scalar(f.value.Type()) }

// set replaces the field's value by texts: exactly one unless it is a list.
func (f *field) set(texts []string) error {
	value, err := f.parse(texts)
	if err == nil {
		f.value.Set(value)
	}
	return err
}

func (f *field) try(texts []string) error {
	_, err := f.parse(texts)
	return err
}

func (f *field) parse(texts []string) (reflect.Value, error) {
	value := reflect.New(f.value.Type()).Elem()
	if !f.list() {
		return value, parse(value, texts[0])
	}
	for _, text := range texts {
		item := reflect.New(value.Type().Elem()).Elem()
		if err := parse(item, text); err != nil {
			return value, err
		}
		value = reflect.Append(value, item)
	}
	return value, nil
}

// parse reads one scalar. Its errors name the value and what is wanted; those of a secret do not name it.
func parse(v reflect.Value, text string) error {
	if u, ok := v.Addr().Interface().(encoding.TextUnmarshaler); ok {
		return u.UnmarshalText([]byte(text))
	}
	switch {
	case v.Kind() == reflect.String:
		v.SetString(text)
		return nil
	case v.Kind() == reflect.Bool:
		b, err := strconv.ParseBool(text)
		if err != nil {
			return fmt.Errorf("%q: want true or false", text)
		}
		v.SetBool(b)
		return nil
	case v.CanInt():
		n, err := strconv.ParseInt(text, 10, v.Type().Bits())
		if err != nil {
			return fmt.Errorf("%q: want a whole number%s", text, tooLarge(err))
		}
		v.SetInt(n)
		return nil
	default:
		n, err := strconv.ParseUint(text, 10, v.Type().Bits())
		if err != nil {
			return fmt.Errorf("%q: want a whole number, 0 or more%s", text, tooLarge(err))
		}
		v.SetUint(n)
		return nil
	}
}

func tooLarge(err error) string {
	if errors.Is(err, strconv.ErrRange) {
		return " that is not as large"
	}
	return ""
}

// kind is what the help writes after a flag's name.
func (f *field) kind() string {
	t := f.value.Type()
	if f.list() {
		t = t.Elem()
	}
	switch {
	case t.Kind() == reflect.Bool:
		return "bool"
	case scalar(t):
		return strings.ToLower(t.Name())
	case whole(t.Kind()):
		return "number"
	}
	return "string"
}

// text is the value as the help and Dump show it, without secrets.
func (f *field) text() string {
	if !f.list() {
		return shown(f.value)
	}
	items := make([]string, f.value.Len())
	for i := range items {
		items[i] = shown(f.value.Index(i))
	}
	return strings.Join(items, ",")
}

func shown(v reflect.Value) string {
	if s, ok := v.Interface().(fmt.Stringer); ok {
		return s.String()
	}
	if m, ok := v.Interface().(encoding.TextMarshaler); ok {
		text, err := m.MarshalText()
		if err == nil {
			return string(text)
		}
	}
	return fmt.Sprint(v.Interface())
}

// split is what an environment variable or one flag says: a list's items are separated by commas.
func split(f *field, text string) []string {
	if !f.list() {
		return []string{text}
	}
	var items []string
	for _, item := range strings.Split(text, ",") {
		if item = strings.TrimSpace(item); item != "" {
			items = append(items, item)
		}
	}
	return items
}

func keys[V any](m map[string]V) []string {
	names := make([]string, 0, len(m))
	for name := range m {
		names = append(names, name)
	}
	sort.Strings(names)
	return names
}

// suggest is ", did you mean …?" for the nearest of known, or "".
func suggest(name string, known []string) string {
	best, at := "", 3
	for _, k := range known {
		if d := distance(name, k); d < at {
			best, at = k, d
		}
	}
	if best == "" {
		return ""
	}
	return fmt.Sprintf(", did you mean %s?", best)
}

// distance is Levenshtein's.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
