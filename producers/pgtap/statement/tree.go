package statement

import (
	container "container/list"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"
	_ "unsafe" // for go:linkname

	"github.com/wasilibs/go-pgquery/parser"
)

// A node is one of Postgres' parse tree, as libpg_query writes it: the name of its type, and its fields.
type node = map[string]any

var (
	parsing sync.Mutex // one instance of the module is enough, and each needs memory of its own

	errNotRead = errors.New("statement cannot be read")
)

// instances are the instances of the module that nobody uses; its package keeps them to itself, and puts back those that a
// statement has left in disorder.
//
//go:linkname instances github.com/wasilibs/go-pgquery/parser.abiPool
var instances *container.List

// A statement that is too deep for the grammar's stack makes it go round for ever. readable keeps such statements away; should one
// come through all the same, its instance is given up after a while, and after a few of them no new statements are read: they
// are unknown. The processor that each of them takes comes back with a restart.
const maxStuck = 2

var (
	readTime = 10 * time.Second
	stuck    int
)

// parse is Postgres' parse tree of the statements of a text.
func parse(text string) (statements []node, err error) {
	parsing.Lock()
	defer parsing.Unlock()
	if stuck >= maxStuck {
		return nil, errNotRead
	}
	type answer struct {
		tree string
		err  error
	}
	read := make(chan answer, 1)
	go func() {
		defer func() {
			if fault := recover(); fault != nil {
				instances.Init() // the one that had it: its stack and its memory are not what they were
				read <- answer{"", errNotRead}
			}
		}()
		tree, err := parser.ParseToJSON(text)
		read <- answer{tree, err}
	}()
	late := time.NewTimer(readTime)
	defer late.Stop()
	var tree string
	select {
	case got := <-read:
		if got.err != nil {
			return nil, errNotRead // the message has parts of the text
		}
		tree = got.tree
	case <-late.C: // its instance is not among those that nobody uses
		stuck++
		return nil, fmt.Errorf("%w in time", errNotRead)
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
