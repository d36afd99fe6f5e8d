package pgtap

// A prepared is what a name of the client's, of a prepared statement or a portal, stands for.
type prepared struct {
	statement *Statement // nil if it is not known
	returns   *returns   // nil if the text is the client's own
}

// returns is what the tap has made statements return besides.
type returns struct {
	targets []*Target // by statement; nil for one that is left as it is
	edits   []Edit
}

// target is that of the n-th statement; nil for none.
func (r *returns) target(n int) *Target {
	if r == nil || n >= len(r.targets) {
		return nil
	}
	return r.targets[n]
}

// A naming is a Parse, Bind or Close that gives a name another meaning. When the server refuses it, or never looks at it, the name means
// what it meant before.
type naming struct {
	portal bool
	name   string
	before prepared
}

// A naming table is what names stand for when everything that is on its way has been done.
type nameTable struct {
	statement, portal   prepared // without a name
	statements, portals map[string]prepared
	extended            int // of statements that have returns
}

func (t *nameTable) of(portal bool, name []byte) prepared {
	switch {
	case len(name) == 0 && portal:
		return t.portal
	case len(name) == 0:
		return t.statement
	case portal:
		return t.portals[string(name)]
	}
	return t.statements[string(name)]
}

// set gives a name a meaning, and returns how to take it back; nil where that is not needed.
func (t *nameTable) set(portal bool, name []byte, to prepared) *naming {
	switch {
	case len(name) == 0 && portal:
		t.portal = to
		return nil
	case len(name) == 0:
		t.statement = to
		return nil
	}
	table := &t.statements
	if portal {
		table = &t.portals
	}
	before, had := (*table)[string(name)]
	if !had && to == (prepared{}) {
		return nil
	}
	n := &naming{portal: portal, name: string(name), before: before}
	t.put(table, n.name, to)
	return n
}

// put keeps what a name stands for. With too many names it forgets all that it can: then nothing is known of them.
func (t *nameTable) put(table *map[string]prepared, name string, to prepared) {
	if *table == nil {
		*table = make(map[string]prepared)
	}
	if table == &t.statements {
		t.count((*table)[name], -1)
		t.count(to, 1)
	}
	if to == (prepared{}) {
		delete(*table, name)
		return
	}
	if len(*table) >= maxNames {
		for known, p := range *table {
			if p.returns == nil || table == &t.portals {
				delete(*table, known)
			}
		}
	}
	(*table)[name] = to
}

func (t *nameTable) count(p prepared, n int) {
	if p.returns != nil {
		t.extended += n
	}
}

// back takes back what a request that was not done has changed.
func (t *nameTable) back(n *naming) {
	if n == nil {
		return
	}
	table := &t.statements
	if n.portal {
		table = &t.portals
	}
	t.put(table, n.name, n.before)
}
