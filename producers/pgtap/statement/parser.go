package statement

import (
	"strings"
	"sync"

	"github.com/rolltrace/rolltrace/producers/pgtap"
	"github.com/rolltrace/rolltrace/schema"
)

// Limits of what is read and remembered.
const (
	maxText  = 256 << 10 // bytes of a statement's shape; a longer one is unknown
	maxShape = 16 << 10  // bytes of a shape that is remembered
	maxKnown = 4096      // shapes that are remembered at least; at most twice as many
)

// A Parser is a pgtap.Analyst. It is safe for concurrent use.
type Parser struct {
	mu    sync.RWMutex
	known map[string]*pgtap.Statement
	older map[string]*pgtap.Statement
	pool  sync.Pool
}

var _ pgtap.Analyst = (*Parser)(nil)

// NewParser makes a parser. The grammar is loaded with the first statement.
func NewParser() *Parser {
	return &Parser{known: make(map[string]*pgtap.Statement), pool: sync.Pool{New: func() any { return new([]byte) }}}
}

// Analyse is described at pgtap.Analyst.
func (p *Parser) Analyse(text []byte) *pgtap.Statement {
	buffer := p.pool.Get().(*[]byte)
	defer p.pool.Put(buffer)
	shape, comments, ok := shapeOf((*buffer)[:0], text)
	*buffer = shape[:0]
	if cap(*buffer) > maxShape {
		*buffer = nil
	}
	if !ok {
		shape = text
	}
	s := p.find(shape)
	if s == nil {
		s = analyse(string(shape), string(text))
		if len(shape) <= maxShape {
			p.remember(string(shape), s)
		}
	}
	if tags := tagsOf(comments); tags != nil {
		tagged := *s
		tagged.Tags = tags
		return &tagged
	}
	return s
}

func (p *Parser) find(shape []byte) *pgtap.Statement {
	p.mu.RLock()
	s := p.known[string(shape)]
	older := s == nil && p.older != nil
	if older {
		s = p.older[string(shape)]
	}
	p.mu.RUnlock()
	if older && s != nil {
		p.remember(string(shape), s)
	}
	return s
}

func (p *Parser) remember(shape string, s *pgtap.Statement) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.known) >= maxKnown {
		p.older, p.known = p.known, make(map[string]*pgtap.Statement)
	}
	p.known[shape] = s
}

var unknown = &pgtap.Statement{Parts: []pgtap.Part{{Unknown: true}}}

// analyse reads the shape of a text.
func analyse(text, original string) *pgtap.Statement {
	if len(text) > maxText || !readable(text) {
		return unknown
	}
	tree, err := parse(text)
	if err != nil {
		return unknown
	}
	s := &pgtap.Statement{}
	for _, n := range tree {
		s.Parts = append(s.Parts, part(n))
	}
	plain := strings.Join(strings.Fields(plainText(original)), " ")
	s.Text = strings.ToValidUTF8(plain[:min(len(plain), schema.MaxText)], "")
	return s
}

// A Query is one statement that reads or changes tables.
type Query struct {
	kind string
	tree node
}

// part says what one statement does.
func part(n node) pgtap.Part {
	kind, f := open(n)
	switch kind {
	case "SelectStmt":
		p := pgtap.Part{Query: &Query{kind, f}, Nameless: nameless(f), Reads: readsOnly(f)}
		if into, ok := f["intoClause"].(node); ok {
			p.Makes = makes(into, "rel")
		}
		p.Set, p.Becomes = configured(f)
		return p
	case "InsertStmt", "DeleteStmt":
		return pgtap.Part{Query: &Query{kind, f}, Changes: len(list(f, "returningList")) == 0}
	case "UpdateStmt", "MergeStmt", "TruncateStmt", "RefreshMatViewStmt":
		return pgtap.Part{Query: &Query{kind, f}}
	case "CreateTableAsStmt":
		into, _ := f["into"].(node)
		return pgtap.Part{Query: &Query{kind, f}, Makes: makes(into, "rel")}
	case "CreateStmt":
		return pgtap.Part{Makes: makes(f, "relation")}
	case "DropStmt":
		return pgtap.Part{Query: &Query{kind, f}, Alters: true}
	case "IndexStmt", "GrantStmt", "CommentStmt", "VacuumStmt", "ClusterStmt", "ReindexStmt", "CreateSeqStmt", "AlterSeqStmt":
		return pgtap.Part{}
	case "CopyStmt":
		return copying(f)
	case "ExplainStmt":
		if !explained(f) {
			return pgtap.Part{}
		}
		return pgtap.Part{Query: &Query{kind, f}}
	case "VariableSetStmt":
		name := strings.ToLower(text(f, "name"))
		return pgtap.Part{Set: settings(f), Becomes: name == "role" || name == "session_authorization", Reads: true}
	case "DiscardStmt":
		if target := text(f, "target"); target == "DISCARD_ALL" || target == "" {
			return pgtap.Part{Set: []pgtap.Setting{{Reset: true}}}
		}
		return pgtap.Part{}
	case "VariableShowStmt", "ListenStmt", "UnlistenStmt", "NotifyStmt", "ClosePortalStmt", "DeallocateStmt", "LockStmt", "CheckPointStmt", "ConstraintsSetStmt":
		return pgtap.Part{Reads: kind == "VariableShowStmt"}
	case "TransactionStmt":
		return transaction(f)
	case "DeclareCursorStmt":
		query, _ := f["query"].(node)
		body := part(query)
		return pgtap.Part{Define: "cursor " + text(f, "portalname"), Body: &body, Reads: body.Reads}
	case "FetchStmt":
		if flag(f, "ismove") {
			return pgtap.Part{Reads: true}
		}
		return pgtap.Part{Use: "cursor " + text(f, "portalname"), Reads: true}
	case "PrepareStmt":
		query, _ := f["query"].(node)
		body := part(query)
		return pgtap.Part{Define: "statement " + text(f, "name"), Body: &body}
	case "ExecuteStmt":
		return pgtap.Part{Use: "statement " + text(f, "name")}
	case "CallStmt":
		return pgtap.Part{Query: &Query{kind, f}, Alters: true, Becomes: true}
	}
	return pgtap.Part{Alters: true, Becomes: kind == "DoStmt"}
}

// makes is the name of the table that a statement makes.
func makes(n node, field string) string {
	rel, _ := n[field].(node)
	return text(rel, "relname")
}

// nameless says whether a query names no table and no function.
func nameless(f node) bool {
	yes := true
	visit(f, func(kind string, _ node) bool {
		yes = yes && kind != "RangeVar" && kind != "FuncCall"
		return yes
	})
	return yes
}

// readsOnly says that a query changes nothing: no statement in it does, and it calls nothing that is not Postgres' own.
// Sequences and advisory locks are changed for good, whatever becomes of the statement.
func readsOnly(f node) bool {
	yes := true
	visit(f, func(kind string, call node) bool {
		switch kind {
		case "InsertStmt", "UpdateStmt", "DeleteStmt", "MergeStmt", "IntoClause":
			yes = false
		case "FuncCall":
			path := names(list(call, "funcname"))
			yes = yes && len(path) > 0 && harmless[lower(path)]
		}
		return yes
	})
	return yes && f["intoClause"] == nil
}

// explained says whether EXPLAIN runs the statement.
func explained(f node) bool {
	for _, o := range list(f, "options") {
		o := as(o, "DefElem")
		if text(o, "defname") == "analyze" {
			value, given := constant(o["arg"])
			return !given || value != "false" && value != "off" && value != "0"
		}
	}
	return false
}

var turns = map[string]pgtap.Turn{
	"TRANS_STMT_BEGIN": pgtap.TurnBegin, "TRANS_STMT_START": pgtap.TurnBegin, "TRANS_STMT_COMMIT": pgtap.TurnEnd,
	"TRANS_STMT_ROLLBACK": pgtap.TurnEnd, "TRANS_STMT_SAVEPOINT": pgtap.TurnSavepoint, "TRANS_STMT_RELEASE": pgtap.TurnRelease,
	"TRANS_STMT_ROLLBACK_TO": pgtap.TurnBack, "TRANS_STMT_PREPARE": pgtap.TurnEnd,
}

func transaction(f node) pgtap.Part {
	kind := text(f, "kind")
	return pgtap.Part{
		Turn: turns[kind], Savepoint: text(f, "savepoint_name"), Reads: true, Commits: kind == "TRANS_STMT_COMMIT" || kind == "TRANS_STMT_PREPARE",
	}
}

// settings are those that SET and RESET change.
func settings(f node) []pgtap.Setting {
	s := pgtap.Setting{Local: flag(f, "is_local")}
	switch text(f, "kind") {
	case "VAR_RESET_ALL":
		return []pgtap.Setting{{Reset: true}}
	case "VAR_RESET", "VAR_SET_DEFAULT":
		s.Reset = true
	case "VAR_SET_VALUE":
		var values []string
		for _, a := range list(f, "args") {
			value, ok := constant(a)
			if !ok {
				return nil
			}
			if strings.EqualFold(text(f, "name"), "search_path") {
				value = `"` + strings.ReplaceAll(value, `"`, `""`) + `"`
			}
			values = append(values, value)
		}
		s.Value = strings.Join(values, ",")
	default:
		return nil
	}
	var ok bool
	if s.Name, ok = pgtap.SettingName(text(f, "name")); !ok {
		return nil
	}
	return []pgtap.Setting{s}
}

// configured are the settings that a SELECT changes with set_config, and whether it may change who the user is.
func configured(f node) (all []pgtap.Setting, becomes bool) {
	visit(f, func(kind string, f node) bool {
		if kind == "FuncCall" && lower(append([]string{""}, names(list(f, "funcname"))...)) == "set_config" {
			args := append(list(f, "args"), nil)
			name, known := constant(args[0])
			name = strings.ToLower(name)
			becomes = becomes || !known || name == "role" || name == "session_authorization"
		}
		return true
	})
	visit(f["targetList"], func(kind string, f node) bool {
		path, args := names(list(f, "funcname")), list(f, "args")
		if kind != "FuncCall" || len(args) != 3 || lower(path) != "set_config" {
			return true
		}
		name, known := constant(args[0])
		value, given := constant(args[1])
		local, said := constant(args[2])
		if name, own := pgtap.SettingName(name); known && given && said && own {
			all = append(all, pgtap.Setting{Name: name, Value: value, Local: local == "true" || local == "t"})
		}
		return true
	})
	return all, becomes
}

// copying reads a COPY. One of a file or a program is the server's own.
func copying(f node) pgtap.Part {
	if text(f, "filename") != "" || flag(f, "is_program") {
		return pgtap.Part{Query: &Query{"CopyStmt", f}}
	}
	c := &pgtap.Copy{}
	for _, o := range list(f, "options") {
		o := as(o, "DefElem")
		value, given := constant(o["arg"])
		on := !given || value != "false" && value != "off" && value != "0"
		switch text(o, "defname") {
		case "format":
			c.CSV = value == "csv"
		case "header":
			c.Header = on
		case "delimiter":
			c.Delimiter = first(value)
		case "quote":
			c.Quote = first(value)
		case "escape":
			c.Escape = first(value)
		case "null":
			c.Null = value
		}
	}
	return pgtap.Part{Copy: c, Query: &Query{"CopyStmt", f}, Reads: !flag(f, "is_from") && readsOnly(f)}
}

func first(text string) byte {
	if text == "" {
		return 0
	}
	return text[0]
}

// Read says what the query does, with names as they stand.
func (q *Query) Read(n Names) *pgtap.Reading {
	r := &reading{names: n}
	rel := r.statement(q.kind, q.tree)
	out := &pgtap.Reading{Gap: -1, Reads: unique(r.reads), Opaque: rel.Opaque, Carries: rel.Carries, Deeds: r.deeds}
	for _, c := range rel.Columns {
		if c.Several {
			out.Vague = out.Vague || out.Gap >= 0
			out.Gap = len(out.Origins)
			continue
		}
		out.Origins, out.Types = append(out.Origins, c.Origin), append(out.Types, c.Type)
		out.Also = append(out.Also, c.Also...)
	}
	out.Also = unique(out.Also)
	return out
}

// View is the relation that a view's query makes.
func View(sql string, n Names) *Relation {
	tree, err := parse(strings.TrimSuffix(strings.TrimSpace(sql), ";"))
	if err != nil || len(tree) != 1 {
		return &Relation{Columns: unknownColumns, Reads: n.All(), Opaque: true, Carries: true}
	}
	r := &reading{names: n}
	kind, f := open(tree[0])
	rel := r.query(kind, f, nil)
	whole := *rel
	whole.Reads = unique(r.reads)
	return &whole
}

// statement reads a whole statement.
func (r *reading) statement(kind string, f node) *Relation {
	switch kind {
	case "SelectStmt":
		rel := r.query(kind, f, nil)
		if into, ok := f["intoClause"].(node); ok {
			return r.into(f, rel, into)
		}
		return rel
	case "CreateTableAsStmt":
		k, q := open(f["query"])
		into, _ := f["into"].(node)
		return r.into(q, r.query(k, q, nil), into)
	case "InsertStmt", "UpdateStmt", "DeleteStmt", "MergeStmt":
		return r.query(kind, f, nil)
	case "ExplainStmt":
		k, q := open(f["query"])
		r.statement(k, q)
		for i := range r.deeds {
			r.deeds[i].Nested, r.deeds[i].Target = true, nil
		}
		r.reads = nil // the plan alone comes back
	case "RefreshMatViewStmt":
		target, _ := f["relation"].(node)
		name, schemaName := text(target, "relname"), text(target, "schemaname")
		if rel := r.names.Relation(schemaName, name); rel != nil && len(rel.Reads) > 0 && !flag(f, "skipData") {
			r.copied(rel, schemaName, name, true)
		}
	case "TruncateStmt":
		for _, n := range list(f, "relations") {
			target := as(n, "RangeVar")
			if rel := r.names.Relation(text(target, "schemaname"), text(target, "relname")); rel != nil && rel.Table {
				r.emptied(rel, r.entire(target))
			}
		}
	case "DropStmt":
		for _, n := range list(f, "objects") {
			path := names(list(as(n, "List"), "items"))
			if len(path) == 0 || text(f, "removeType") != "OBJECT_TABLE" {
				continue
			}
			schemaName := ""
			if len(path) > 1 {
				schemaName = path[len(path)-2]
			}
			if rel := r.names.Relation(schemaName, path[len(path)-1]); rel != nil && rel.Table {
				r.emptied(rel, rel.Entire)
			}
		}
	case "CopyStmt":
		return r.copy(f)
	case "CallStmt":
		rel := &Relation{Columns: unknownColumns}
		r.expression(f["funccall"], nil, rel)
		if call, ok := f["funccall"].(node); ok && len(call) > 0 {
			if kind, inner := open(call); kind == "" || inner == nil {
				r.call(call, nil, rel)
			}
		}
		return rel
	}
	return &Relation{}
}

// emptied notes that a configured table has no rows any more. One that is not all that its place holds takes a number of
// rows with it that nobody says.
func (r *reading) emptied(rel *Relation, whole bool) {
	d := pgtap.Deed{Verb: pgtap.Empty, From: rel.Reads}
	if !whole {
		d.Verb, d.Nested = pgtap.Destroy, true
	}
	r.deeds = append(r.deeds, d)
}
