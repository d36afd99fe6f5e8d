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
