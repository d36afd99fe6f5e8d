package config

import (
	"fmt"
	"io"
	"reflect"

	"go.yaml.in/yaml/v3"
)

// Dump writes the configuration in force as YAML that can be used as a configuration file again: each
// setting under its meaning, its environment variable and where its value came from. Secrets are left
// out: they read "(redacted)".
func (l *Loader) Dump(w io.Writer) error {
	root := &yaml.Node{Kind: yaml.MappingNode}
	for _, f := range l.fields {
		node := root
		for _, key := range f.path[:len(f.path)-1] {
			node = child(node, key)
		}
		key := scalarNode(f.path[len(f.path)-1])
		key.HeadComment = f.comment(l.Source(f.key()))
		node.Content = append(node.Content, key, dumped(f.value))
	}
	encoder := yaml.NewEncoder(w)
	encoder.SetIndent(2)
	if err := encoder.Encode(root); err != nil {
		return fmt.Errorf("write configuration: %w", err)
	}
	return encoder.Close()
}

func (f *field) comment(source string) string {
	text := f.doc
	if f.env != "" {
		text += " (" + f.env + ", --" + f.flag + ")"
	}
	if source != "default" {
		text += "\nfrom " + source
	}
	return text
}

func child(node *yaml.Node, key string) *yaml.Node {
	for i := 0; i < len(node.Content); i += 2 {
		if node.Content[i].Value == key {
			return node.Content[i+1]
		}
	}
	inner := &yaml.Node{Kind: yaml.MappingNode}
	node.Content = append(node.Content, scalarNode(key), inner)
	return inner
}

func scalarNode(text string) *yaml.Node {
	node := &yaml.Node{}
	node.SetString(text)
	return node
}

func dumped(v reflect.Value) *yaml.Node {
	switch {
	case scalar(v.Type()):
		return scalarNode(shown(v))
	case v.Kind() == reflect.Slice:
		list := &yaml.Node{Kind: yaml.SequenceNode}
		if v.Len() == 0 {
			list.Style = yaml.FlowStyle
		}
		for i := range v.Len() {
			list.Content = append(list.Content, dumped(v.Index(i)))
		}
		return list
	case v.Kind() == reflect.Struct:
		node := &yaml.Node{Kind: yaml.MappingNode}
		for _, f := range walk(v, nil) {
			node.Content = append(node.Content, scalarNode(f.key()), dumped(f.value))
		}
		return node
	case v.Kind() == reflect.String:
		return scalarNode(v.String())
	}
	node := &yaml.Node{}
	_ = node.Encode(v.Interface()) // bools and whole numbers always encode
	return node
}
