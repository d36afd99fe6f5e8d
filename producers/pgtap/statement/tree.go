package statement

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/wasilibs/go-pgquery/parser"
)

// A node is one of Postgres' parse tree, as libpg_query writes it: the name of its type, and its fields.
type node = map[string]any

var (
	parsing sync.Mutex // one instance of the module is enough, and each needs memory of its own

	errNotRead = errors.New("statement cannot be read")
)

// parse is Postgres' parse tree of the statements of a text.
func parse(text string) (statements []node, err error) {
	parsing.Lock()
	defer parsing.Unlock()
	defer func() {
		if fault := recover(); fault != nil {
			err = fmt.Errorf("%w: %v", errNotRead, fault)
		}
	}()
	tree, err := parser.ParseToJSON(text)
	if err != nil {
		return nil, errNotRead // the message has parts of the text
	}
	var result struct {
		Stmts []struct {
			Stmt node `json:"stmt"`
		} `json:"stmts"`
	}
	if err := json.Unmarshal([]byte(tree), &result); err != nil {
		return nil, errNotRead
	}
	for _, s := range result.Stmts {
		statements = append(statements, s.Stmt)
	}
	return statements, nil
}

// open is a node's type and its fields.
func open(n any) (string, node) {
	if m, ok := n.(node); ok && len(m) == 1 {
		for kind, fields := range m {
			f, _ := fields.(node)
			return kind, f
		}
	}
	return "", nil
}

// as is the fields of a node of a type; nil for another.
func as(n any, kind string) node {
	if k, f := open(n); k == kind {
		if f == nil {
			f = node{}
		}
		return f
	}
	return nil
}

func list(n node, field string) []any {
	l, _ := n[field].([]any)
	return l
}

func text(n node, field string) string {
	s, _ := n[field].(string)
	return s
}

func flag(n node, field string) bool {
	b, _ := n[field].(bool)
	return b
}

// names are the strings of a list of String nodes, and * for a star.
func names(l []any) []string {
	var all []string
	for _, n := range l {
		switch kind, f := open(n); kind {
		case "String":
			all = append(all, text(f, "sval"))
		case "A_Star":
			all = append(all, "*")
		}
	}
	return all
}

// constant is a constant's text.
func constant(n any) (string, bool) {
	switch kind, f := open(n); kind {
	case "A_Const":
		if s, ok := f["sval"].(node); ok {
			return text(s, "sval"), true
		}
		if s, ok := f["ival"].(node); ok {
			v, _ := s["ival"].(float64)
			return fmt.Sprint(int64(v)), true
		}
		if s, ok := f["fval"].(node); ok {
			return text(s, "fval"), true
		}
		if s, ok := f["boolval"].(node); ok {
			return fmt.Sprint(flag(s, "boolval")), true
		}
	case "String":
		return text(f, "sval"), true
	case "Integer":
		v, _ := f["ival"].(float64)
		return fmt.Sprint(int64(v)), true
	case "Boolean":
		return fmt.Sprint(flag(f, "boolval")), true
	case "TypeCast":
		return constant(f["arg"])
	}
	return "", false
}

// visit calls f for every node in the tree, from the top; f says whether to go on below.
func visit(n any, f func(kind string, fields node) bool) {
	switch v := n.(type) {
	case []any:
		for _, e := range v {
			visit(e, f)
		}
	case node:
		for name, e := range v {
			fields, isNode := e.(node)
			if isNode && name != "" && strings.ToLower(name[:1]) != name[:1] && !f(name, fields) {
				continue
			}
			visit(e, f)
		}
	}
}
