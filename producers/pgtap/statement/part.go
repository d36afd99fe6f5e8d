package statement

import (
	"strings"

	"github.com/rolltrace/rolltrace/producers/pgtap"
)

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
