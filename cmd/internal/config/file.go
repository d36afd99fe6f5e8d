package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"

	"go.yaml.in/yaml/v3"
)

// decodeFile reads the YAML file into the fields. Every error begins with file:line.
func (l *Loader) decodeFile(raw []byte) error {
	decoder := yaml.NewDecoder(bytes.NewReader(raw))
	var document yaml.Node
	switch err := decoder.Decode(&document); {
	case errors.Is(err, io.EOF):
		return nil
	case err != nil:
		return fmt.Errorf("%s: %s", l.file, strings.TrimPrefix(err.Error(), "yaml: "))
	}
	var more yaml.Node
	if err := decoder.Decode(&more); !errors.Is(err, io.EOF) {
		return fmt.Errorf("%s: want one YAML document", l.file)
	}
	root := document.Content[0]
	if root.Kind == yaml.ScalarNode && root.Tag == "!!null" {
		return nil
	}
	return l.decodeStruct(root, l.target, nil)
}

func (l *Loader) fault(node *yaml.Node, format string, args ...any) error {
	return fmt.Errorf("%s:%d: %w", l.file, node.Line, fmt.Errorf(format, args...))
}

// decodeStruct reads a mapping into a struct; path is where that struct is, for messages.
func (l *Loader) decodeStruct(node *yaml.Node, v reflect.Value, path []string) error {
	node = resolve(node)
	if node.Kind != yaml.MappingNode {
		return l.fault(node, "%swant keys with values", prefix(path))
	}
	known := members(v)
	seen := map[string]bool{}
	for i := 0; i < len(node.Content); i += 2 {
		key, value := node.Content[i], resolve(node.Content[i+1])
		here := append(append([]string(nil), path...), key.Value)
		name := strings.Join(here, ".")
		member, ok := known[key.Value]
		if !ok {
			return l.fault(key, "unknown key %q%s", name, suggest(key.Value, keys(known)))
		}
		if seen[key.Value] {
			return l.fault(key, "key %q is there twice", name)
		}
		seen[key.Value] = true
		if member.Kind() == reflect.Struct && !scalar(member.Type()) {
			if null(value) {
				continue
			}
			if err := l.decodeStruct(value, member, here); err != nil {
				return err
			}
			continue
		}
		if err := l.decodeField(value, member, here); err != nil {
			return err
		}
	}
	return nil
}

func (l *Loader) decodeField(node *yaml.Node, v reflect.Value, path []string) error {
	name := strings.Join(path, ".")
	list := v.Kind() == reflect.Slice && !scalar(v.Type())
	fresh := reflect.New(v.Type()).Elem()
	switch {
	case null(node):
		return l.fault(node, "%s: has no value: leave the key out for its default", name)
	case !list && node.Kind != yaml.ScalarNode:
		return l.fault(node, "%s: want one value", name)
	case !list:
		if err := parse(fresh, node.Value); err != nil {
			return l.fault(node, "%s: %w", name, err)
		}
	case node.Kind != yaml.SequenceNode:
		return l.fault(node, "%s: want a list", name)
	default:
		for i, item := range node.Content {
			item = resolve(item)
			element := reflect.New(v.Type().Elem()).Elem()
			here := append(append([]string(nil), path[:len(path)-1]...), fmt.Sprintf("%s[%d]", path[len(path)-1], i))
			var err error
			if structs(v.Type()) {
				err = l.decodeStruct(item, element, here)
			} else {
				err = l.decodeField(item, element, here)
			}
			if err != nil {
				return err
			}
			fresh = reflect.Append(fresh, element)
		}
	}
	v.Set(fresh)
	for _, f := range l.fields {
		if f.key() == name {
			f.source = fmt.Sprintf("%s:%d", l.file, node.Line)
		}
	}
	return nil
}

// members are a struct's fields by their key in the file; those of inlined structs are its own.
func members(v reflect.Value) map[string]reflect.Value {
	known := map[string]reflect.Value{}
	for i := range v.NumField() {
		t := v.Type().Field(i)
		name, rest, _ := strings.Cut(t.Tag.Get("yaml"), ",")
		switch {
		case name == "-" || !t.IsExported():
		case rest == "inline" || t.Anonymous && name == "":
			for key, member := range members(v.Field(i)) {
				known[key] = member
			}
		default:
			known[name] = v.Field(i)
		}
	}
	return known
}

func resolve(node *yaml.Node) *yaml.Node {
	for node.Kind == yaml.AliasNode {
		node = node.Alias
	}
	return node
}

func null(node *yaml.Node) bool { return node.Kind == yaml.ScalarNode && node.Tag == "!!null" }

func prefix(path []string) string {
	if len(path) == 0 {
		return ""
	}
	return strings.Join(path, ".") + ": "
}
