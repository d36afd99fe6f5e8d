package document

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Where is a place in a file. A struct that is decoded gets it into its field of this type.
type Where struct {
	File string // as it was given to Decode
	Line int    // from 1
}

func (w Where) String() string { return w.File + ":" + strconv.Itoa(w.Line) }

// A Text is a text that may be wrong within: it knows where it begins.
type Text struct {
	Value string
	Where Where // of its first line
}

// A Fault is one thing wrong in a file.
type Fault struct {
	Where
	Text string // what is wrong, and what is wanted
}

func (f Fault) Error() string { return f.String() + ": " + f.Text }

// Faults is everything that is wrong, one line each. A non-empty Faults is an error.
type Faults []Fault

func (fs Faults) Error() string {
	said := make([]string, len(fs))
	for i, f := range fs {
		said[i] = f.Error()
	}
	return strings.Join(said, "\n")
}

// Add notes one more fault.
func (fs *Faults) Add(at Where, format string, args ...any) {
	*fs = append(*fs, Fault{at, fmt.Sprintf(format, args...)})
}

// Sort puts the faults in the order of files and lines.
func (fs Faults) Sort() {
	slices.SortStableFunc(fs, func(a, b Fault) int {
		if a.File != b.File {
			return strings.Compare(a.File, b.File)
		}
		return a.Line - b.Line
	})
}

// Decode reads one YAML document into the struct that into points to. Keys are the names in its json tags; kinds of field are
// struct, slice, string, bool, integer and float. Keys that are not in the file leave their field as it is. An empty file
// is a document without keys.
func Decode(file string, content []byte, into any) Faults {
	d := decoding{file: file}
	var root yaml.Node
	if err := yaml.Unmarshal(content, &root); err != nil {
		d.faults.Add(Where{file, lineOf(err)}, "not YAML: %s", reasonOf(err))
		return d.faults
	}
	if len(root.Content) == 0 {
		return nil
	}
	d.value(root.Content[0], reflect.ValueOf(into).Elem(), "")
	return d.faults
}

type decoding struct {
	file   string
	faults Faults
}

func (d *decoding) fault(n *yaml.Node, format string, args ...any) {
	d.faults.Add(Where{d.file, n.Line}, format, args...)
}

func (d *decoding) value(n *yaml.Node, into reflect.Value, path string) {
	if n.Kind == yaml.AliasNode || n.Anchor != "" {
		d.fault(n, "%s: write it out: anchors and aliases are not read", orFile(path))
		return
	}
	switch into.Kind() {
	case reflect.Struct:
		if text, ok := into.Addr().Interface().(*Text); ok {
			d.scalar(n, into.Field(0), path)
			if text.Where = (Where{d.file, n.Line}); n.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0 {
				text.Where.Line++
			}
			return
		}
		d.object(n, into, path)
	case reflect.Slice:
		if n.Kind != yaml.SequenceNode {
			d.fault(n, "%s: want a list", orFile(path))
			return
		}
		list := reflect.MakeSlice(into.Type(), len(n.Content), len(n.Content))
		for i, item := range n.Content {
			d.value(item, list.Index(i), path)
		}
		into.Set(list)
	default:
		d.scalar(n, into, path)
	}
}

func (d *decoding) scalar(n *yaml.Node, into reflect.Value, path string) {
	if n.Kind != yaml.ScalarNode || n.Tag == "!!null" {
		d.fault(n, "%s: want %s", orFile(path), formOf(into.Kind()))
		return
	}
	var err error
	switch into.Kind() {
	case reflect.String: // dates and numbers are taken as they stand
		into.SetString(n.Value)
	case reflect.Bool:
		var b bool
		err = n.Decode(&b)
		into.SetBool(b)
	case reflect.Int, reflect.Int64:
		var i int64
		err = n.Decode(&i)
		into.SetInt(i)
	case reflect.Uint64:
		var u uint64
		err = n.Decode(&u)
		into.SetUint(u)
	case reflect.Float64:
		var f float64
		err = n.Decode(&f)
		into.SetFloat(f)
	default:
		err = fmt.Errorf("a field of kind %s", into.Kind())
	}
	if err != nil {
		d.fault(n, "%s: want %s", path, formOf(into.Kind()))
	}
}

func (d *decoding) object(n *yaml.Node, into reflect.Value, path string) {
	if n.Kind != yaml.MappingNode {
		d.fault(n, "%s: want keys and values", orFile(path))
		return
	}
	fields, names := fieldsOf(into)
	for _, at := range fields {
		if at.Type() == reflect.TypeFor[Where]() {
			at.Set(reflect.ValueOf(Where{d.file, n.Line}))
		}
	}
	seen := map[string]int{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		field, known := fields[key.Value]
		if !known || key.Value == "" {
			d.fault(key, "%s: unknown key: want one of %s", join(path, key.Value), strings.Join(names, ", "))
			continue
		}
		if line, twice := seen[key.Value]; twice {
			d.fault(key, "%s: stands in line %d already", join(path, key.Value), line)
			continue
		}
		seen[key.Value] = key.Line
		d.value(value, field, join(path, key.Value))
	}
}

// fieldsOf are the fields of a struct by their names in files; a Where is under "".
func fieldsOf(v reflect.Value) (map[string]reflect.Value, []string) {
	fields, names := map[string]reflect.Value{}, []string{}
	for i := range v.NumField() {
		if v.Type().Field(i).Type == reflect.TypeFor[Where]() {
			fields[""] = v.Field(i)
			continue
		}
		name, _, _ := strings.Cut(v.Type().Field(i).Tag.Get("json"), ",")
		if name == "" || name == "-" {
			continue
		}
		fields[name] = v.Field(i)
		names = append(names, name)
	}
	return fields, names
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

func orFile(path string) string {
	if path == "" {
		return "the file"
	}
	return path
}

func formOf(k reflect.Kind) string {
	switch k {
	case reflect.Bool:
		return "true or false"
	case reflect.Int, reflect.Int64:
		return "a whole number"
	case reflect.Uint64:
		return "a whole number, 0 or more"
	case reflect.Float64:
		return "a number"
	}
	return "a text"
}

// lineOf finds the line in an error of the YAML library, which has it in its text alone: "yaml: line 3: …".
func lineOf(err error) int {
	_, rest, found := strings.Cut(err.Error(), "line ")
	digits, _, _ := strings.Cut(rest, ":")
	if line, bad := strconv.Atoi(digits); found && bad == nil {
		return line
	}
	return 1
}

func reasonOf(err error) string {
	text := strings.TrimPrefix(err.Error(), "yaml: ")
	if rest, found := strings.CutPrefix(text, "line "); found {
		_, text, _ = strings.Cut(rest, ": ")
	}
	return text
}
