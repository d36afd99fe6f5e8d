package catalogue

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/rolltrace/rolltrace/producers/pgtap"
	"github.com/rolltrace/rolltrace/schema"
)

// maxTargets bounds what is remembered of targets between two refreshes.
const maxTargets = 4096

// A targetOf is a table's name, as a session has it.
type targetOf struct{ user, path, schema, name string }

// A target is the table that a name stands for: its columns in order, and which of them the user may read. It is nil where
// rows are not simply the table's.
type target struct {
	columns  []string
	readable []bool
}

// Returnable is described at pgtap.Catalogue. What the server says of a table is remembered until the next refresh.
func (c *Catalogue) Returnable(ctx context.Context, s pgtap.Session, t *pgtap.Target) ([]string, bool, error) {
	d := c.database(s.Database)
	now, err := c.now(ctx, s.Database, d)
	if err != nil {
		return nil, false, err
	}
	of := targetOf{s.User, s.Path, t.Schema, t.Name}
	now.mu.Lock()
	found, known := now.targets[of]
	now.mu.Unlock()
	if !known {
		if found, err = c.askTarget(ctx, d, now.at(s), of); err != nil {
			return nil, false, err
		}
		now.mu.Lock()
		if len(now.targets) >= maxTargets {
			clear(now.targets)
		}
		now.targets[of] = found
		now.mu.Unlock()
	}
	columns, ok := found.choose(t)
	return columns, ok, nil
}

// choose names the columns with a target's identifiers.
func (found *target) choose(t *pgtap.Target) (columns []string, ok bool) {
	if found == nil {
		return nil, false
	}
	for _, id := range t.IDs {
		at := id.Position
		if id.Column != "" {
			for at = 0; at < len(found.columns) && found.columns[at] != id.Column; at++ {
			}
		}
		if at >= len(found.columns) || !found.readable[at] {
			return nil, false
		}
		columns = append(columns, pgx.Identifier{t.Alias, found.columns[at]}.Sanitize())
	}
	return columns, len(columns) > 0
}

// askTarget asks the server for a table.
func (c *Catalogue) askTarget(ctx context.Context, d *database, n names, of targetOf) (*target, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.conn == nil {
		return nil, nil // the server could not be asked lately: the next refresh tries again
	}
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	path := n.searched(of.schema)
	rows, _ := d.conn.Query(ctx, targetQuestion, of.name, path, of.user)
	found := &target{}
	if _, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (struct{}, error) {
		var name string
		var readable bool
		err := row.Scan(&name, &readable)
		found.columns, found.readable = append(found.columns, name), append(found.readable, readable)
		return struct{}{}, err
	}); err != nil {
		d.stale.Store(true)
		_ = d.conn.Close(ctx)
		d.conn = nil
		return nil, fmt.Errorf("ask the server for a table: %w", err)
	}
	if len(found.columns) == 0 {
		return nil, nil
	}
	return found, nil
}

// searched are the schemas that a name is looked up in.
func (n names) searched(schemaName string) []string {
	if schemaName != "" {
		return []string{schemaName}
	}
	all := []string{"pg_catalog"}
	for _, s := range n.path {
		if s == "$user" {
			s = n.user
		}
		all = append(all, s)
	}
	return all
}

// targetQuestion finds the columns of the table that a name stands for, unless it may be a temporary one, has rules or
// policies, or the user may become another by a setting.
const targetQuestion = `
WITH found AS (
	SELECT c.oid, c.relkind, c.relrowsecurity, c.relhasrules FROM unnest($2::text[]) WITH ORDINALITY AS p(nsp, place)
	JOIN pg_catalog.pg_namespace n ON n.nspname = p.nsp
	JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = $1 AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S')
	ORDER BY p.place LIMIT 1
)
SELECT a.attname::text, pg_catalog.has_column_privilege(u.oid, t.oid, a.attnum, 'SELECT')
FROM found t JOIN pg_catalog.pg_attribute a ON a.attrelid = t.oid AND a.attnum > 0 AND NOT a.attisdropped
JOIN pg_catalog.pg_roles u ON u.rolname = $3
WHERE t.relkind IN ('r', 'p') AND NOT t.relrowsecurity AND NOT t.relhasrules
	AND NOT EXISTS (SELECT FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE c.relname = $1 AND n.nspname LIKE 'pg\_temp\_%')
	AND NOT EXISTS (SELECT FROM pg_catalog.pg_db_role_setting s, unnest(s.setconfig) AS c(setting) WHERE c.setting ~* '^(role|session_authorization)=')
ORDER BY a.attnum`

// Function is described at pgtap.Catalogue.
func (c *Catalogue) Function(ctx context.Context, name string, oid uint32) ([]schema.Place, error) {
	d := c.database(name)
	now, err := c.now(ctx, name, d)
	if err != nil {
		return nil, err
	}
	places, known := now.calls[oid]
	if oid >= firstOwn && !known {
		if now, err = c.load(ctx, name, d, 0, true); err != nil {
			return nil, err
		}
		places = now.calls[oid] // none: it is in C, or an aggregate
	}
	return places, nil
}
