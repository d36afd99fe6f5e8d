package consumers_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/rolltrace/rolltrace/schema"
	"github.com/rolltrace/rolltrace/schema/wire"
)

// A model is what a log means, worked out with maps and no care for speed.
type model struct {
	spaces    map[string]int
	movements map[string]int
	numbers   map[string]int // "space key"
	lines     map[string]bool
}

// modelOf reads the log message by message.
func modelOf(t testing.TB, c *centre) *model {
	t.Helper()
	m := &model{map[string]int{}, map[string]int{}, map[string]int{}, map[string]bool{}}
	for sequence := uint64(1); sequence <= c.last(t); sequence++ {
		raw, err := c.log.Stream.GetMsg(t.Context(), sequence)
		if err != nil {
			t.Fatal(err)
		}
		r, err := wire.Decode(raw.Subject, raw.Header, raw.Data)
		if err != nil {
			m.line("rejected", sequence, raw.Subject)
			continue
		}
		m.line("message", r.Org, r.Sidecar, r.Instance, r.Sequence, string(r.Type), sequence, schema.At(raw.Time))
		switch {
		case r.Movement != nil:
			n := number(m.movements, r.Org+" "+r.Sidecar+" "+r.Movement.ID)
			m.line("revision", n, r.Movement.ID, r.Movement.Revision, string(r.Movement.EffectiveBasis()), string(raw.Data), sequence, schema.At(raw.Time))
		case r.Chunk != nil:
			space := number(m.spaces, string(r.Chunk.IDSpace)+" "+string(r.Chunk.KeyID))
			movement := number(m.movements, r.Org+" "+r.Sidecar+" "+r.Chunk.Movement)
			keys := slices.Clone(r.Chunk.Keys)
			slices.Sort(keys)
			for _, key := range keys {
				n := number(m.numbers, fmt.Sprint(space, key))
				m.line("elector", n, space, uint64(key))
				m.line("set", movement, space, n)
			}
			m.line("chunk", movement, r.Chunk.Set, r.Chunk.Index, space, len(keys), sequence)
		}
	}
	for name, n := range m.movements {
		m.line("movement", n, name)
	}
	for name, n := range m.spaces {
		m.line("space", n, name)
	}
	return m
}

func (m *model) line(parts ...any) { m.lines[fmt.Sprintln(parts...)] = true }

func number(in map[string]int, name string) int {
	n, ok := in[name]
	if !ok {
		n = len(in)
		in[name] = n
	}
	return n
}

// readModel reads the same lines from the graph.
func readModel(t testing.TB, dsn string) *model {
	t.Helper()
	m := &model{lines: map[string]bool{}}
	conn := open(t, dsn)
	read := func(query string, into ...any) {
		rows, err := conn.Query(t.Context(), query)
		if err != nil {
			t.Fatalf("%s: %v", query, err)
		}
		for rows.Next() {
			if err := rows.Scan(into...); err != nil {
				t.Fatal(err)
			}
			line := []any{}
			for _, v := range into {
				switch v := v.(type) {
				case *string:
					line = append(line, *v)
				case *uint64:
					line = append(line, *v)
				}
			}
			m.line(line...)
		}
		if err := rows.Err(); err != nil {
			t.Fatal(err)
		}
	}
	var s [6]string
	var n [6]uint64
	const at = ", formatDateTime(received_at, '%Y-%m-%dT%H:%i:%S.%fZ')"
	read("SELECT 'rejected', stream_sequence, subject FROM rejected", &s[0], &n[0], &s[1])
	read("SELECT 'message', org, sidecar, instance, sequence, toString(type), stream_sequence"+at+" FROM message", &s[0], &s[1], &s[2], &s[3], &n[0], &s[4], &n[1], &s[5])
	read("SELECT 'revision', toUInt64(movement), toString(id), toUInt64(revision), toString(effective_basis), body, stream_sequence"+at+" FROM movement_revision", &s[0], &n[0], &s[1], &n[1], &s[2], &s[3], &n[2], &s[4])
	read("SELECT 'chunk', toUInt64(movement), toUInt64(`set`), toUInt64(chunk), toUInt64(space), toUInt64(keys), stream_sequence FROM chunk", &s[0], &n[0], &n[1], &n[2], &n[3], &n[4], &n[5])
	read("SELECT 'movement', toUInt64(movement), concat(org, ' ', sidecar, ' ', toString(id)) FROM movement_number", &s[0], &n[0], &s[1])
	read("SELECT 'space', toUInt64(space), concat(id_space, ' ', key_id) FROM space", &s[0], &n[0], &s[1])
	read("SELECT 'elector', toUInt64(number), toUInt64(space), key FROM elector", &s[0], &n[0], &n[1], &n[2])
	for _, tables := range [][2]string{
		{"listed", "(SELECT movement, space, arrayJoin(numbers) AS number FROM listed)"},
		{"listed_by_elector", "(SELECT movement, space, toUInt32(intDiv(slot, 131072) * 65536 + slot % 131072 - 1) AS number FROM listed_by_elector WHERE slot % 131072 > 0)"},
	} {
		other := &model{lines: map[string]bool{}}
		m, other = other, m
		read("SELECT 'set', toUInt64(movement), toUInt64(space), toUInt64(number) FROM (SELECT movement, space, arrayJoin(bitmapToArray(electors)) AS number FROM "+tables[0]+
			" UNION ALL SELECT movement, space, number FROM "+tables[1]+")", &s[0], &n[0], &n[1], &n[2])
		m, other = other, m
		if m.spaces == nil { // the first of the two
			m.spaces = map[string]int{}
			for line := range other.lines {
				m.lines[line] = true
			}
			m.numbers = map[string]int{"sets": len(other.lines)}
			continue
		}
		for line := range other.lines {
			if !m.lines[line] {
				t.Errorf("only in %s: %s", tables[0], line)
			}
		}
		if len(other.lines) != m.numbers["sets"] {
			t.Errorf("%s holds %d memberships, the other table %d", tables[0], len(other.lines), m.numbers["sets"])
		}
	}
	return m
}

// isModelled fails the test unless the graph is what the log means.
func (c *centre) isModelled(t testing.TB) {
	t.Helper()
	want, have := modelOf(t, c), readModel(t, c.dsn)
	shown := 0
	for line := range want.lines {
		if !have.lines[line] && shown < 10 {
			shown++
			t.Errorf("not in the graph: %.300s", line)
		}
	}
	for line := range have.lines {
		if !want.lines[line] && shown < 10 {
			shown++
			t.Errorf("only in the graph: %.300s", line)
		}
	}
}
