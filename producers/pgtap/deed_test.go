package pgtap_test

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/rolltrace/rolltrace/producers/pgtap"
	"github.com/rolltrace/rolltrace/schema"
)

// A done is what a script has done to places: kind, place (from or to), mode and records.
func deedsOf(r *record, application string) []string {
	var all []string
	for _, m := range r.movements {
		if m.Purpose != application {
			continue
		}
		line := fmt.Sprintf("%s %s>%s %s", m.Kind, m.Inputs[0].Place, m.Output, m.Electors.Mode)
		if m.Electors.Mode != schema.Whole {
			line += fmt.Sprintf(" %d", m.Electors.Records)
		}
		if m.Electors.Mode == schema.Listed {
			line += fmt.Sprintf(" %d", len(slices.Compact(slices.Sorted(slices.Values(r.keys[m.ID][schema.ElectorID])))))
		}
		all = append(all, line)
	}
	slices.Sort(all)
	return all
}

// What enters, goes from table to table or is deleted is recorded when it is committed, and not when it is undone.
func TestDeeds(t *testing.T) {
	b := newBench(t, nil)
	b.stop()
	database := b.server.Database(t)
	b.server.Run(t, database, corpusRoll+`CREATE TABLE unnumbered (name text); CREATE TABLE numbered (id serial PRIMARY KEY, label text)`)
	b.start(func(cfg *pgtap.Config) {
		corpusConfig(b)(cfg)
		cfg.Route = func(who pgtap.Client) pgtap.Route {
			return pgtap.Route{Output: "party-a/people/u1", Kind: schema.Access, Purpose: who.Application}
		}
	})
	const (
		enters  = "collect party-a/people/u1>party-a/crm/voters listed "
		removes = "destroy party-a/crm/voters> listed "
		reads   = "access party-a/crm/voters>party-a/people/u1 listed "
	)
	cases := []struct {
		name, sql string
		want      []string
	}{
		{"insert", "INSERT INTO voters (id) VALUES (1), (2)", []string{enters + "2 2"}},
		{"insert-begin", "BEGIN; INSERT INTO voters (id) VALUES (3); COMMIT; SELECT 1", []string{enters + "1 1"}},
		{"insert-undone", "BEGIN; INSERT INTO voters (id) VALUES (4); ROLLBACK", nil},
		{"insert-failed", "INSERT INTO voters (id) VALUES (4); SELECT 1 / 0", nil},
		{"insert-aborted", "BEGIN; INSERT INTO voters (id) VALUES (4); SELECT 1 / 0", nil},
		{"insert-other", "INSERT INTO other VALUES (100)", nil},
		{"insert-returning", "INSERT INTO voters (id) VALUES (5) RETURNING id", []string{
			reads + "1 1", "collect party-a/people/u1>party-a/crm/voters listed 1 1",
		}},
		{"savepoint", "BEGIN; INSERT INTO voters (id) VALUES (6); SAVEPOINT s; DELETE FROM voters; ROLLBACK TO s; INSERT INTO voters (id) VALUES (7); RELEASE s; COMMIT", []string{enters + "2 2"}},
		{"delete", "DELETE FROM voters WHERE id IN (1, 2, 3)", []string{removes + "3 3"}},
		{"delete-none", "DELETE FROM voters WHERE id < 0", nil},
		{"delete-undone", "BEGIN; DELETE FROM voters; ROLLBACK", nil},
		{"delete-undone-read", "BEGIN; DELETE FROM voters WHERE id = 7000001 RETURNING id; ROLLBACK", []string{reads + "1 1"}},
		{"delete-returning", "DELETE FROM voters WHERE id IN (5, 6) RETURNING id", []string{
			reads + "2 2", "destroy party-a/crm/voters> listed 2 2",
		}},
		{"delete-nested", "WITH d AS (DELETE FROM voters WHERE id = 7 RETURNING id) SELECT count(*) FROM d", []string{
			"access party-a/crm/voters>party-a/people/u1 counted 0", "destroy party-a/crm/voters> counted 0",
		}},
		{"create-as", "CREATE TABLE taken AS SELECT * FROM voters WHERE id < 7000011", []string{"export party-a/crm/voters>party-a/crm/taken listed 10 10"}},
		{"select-into", "SELECT id INTO TEMP mine FROM voters", []string{"export party-a/crm/voters>party-a/crm/mine listed 60 60"}},
		{"insert-select", "INSERT INTO other SELECT id, name, poll FROM voters WHERE id > 7000058", []string{"export party-a/crm/voters>party-a/crm/other listed 2 2"}},
		{"insert-configured", "INSERT INTO parts SELECT id, poll FROM voters WHERE id = 7000059", []string{"export party-a/crm/voters>party-a/crm/parts listed 1 1"}},
		{"matview", "REFRESH MATERIALIZED VIEW m_voters", []string{"export party-a/crm/voters>party-a/crm/m_voters listed 10 10"}},
		{"create-matview", "CREATE MATERIALIZED VIEW m_more AS SELECT id FROM voters", []string{"export party-a/crm/voters>party-a/crm/m_more listed 60 60"}},
		{"create-noid", "CREATE TABLE noid AS SELECT name FROM voters", []string{"export party-a/crm/voters>party-a/crm/noid whole"}},
		{"create-some", "CREATE TABLE few AS SELECT name FROM voters WHERE id < 7000011", []string{"export party-a/crm/voters>party-a/crm/few counted 10"}},
		{"create-named", "BEGIN; CREATE TABLE \"Na\"\"med\" (a, b) AS SELECT name, id FROM voters WHERE id < 7000011; COMMIT", []string{
			"export party-a/crm/voters>party-a/crm/na-med listed 10 10",
		}},
		{"create-gone", "CREATE TABLE gone AS SELECT * FROM voters WHERE id < 7000011; DROP TABLE gone", []string{"export party-a/crm/voters>party-a/crm/gone counted 10"}},
		{"insert-select-named", "INSERT INTO other (poll, id) SELECT poll, id FROM donors JOIN voters USING (id) WHERE id < 7000043", []string{
			"export party-a/crm/voters>party-a/money/other listed 2 2",
		}},
		{"insert-select-noid", "INSERT INTO unnumbered SELECT name FROM voters", []string{"export party-a/crm/voters>party-a/crm/unnumbered whole"}},
		{"insert-default", "INSERT INTO numbered (label) VALUES ('a'), ('b')", []string{"collect party-a/people/u1>party-a/crm/numbered listed 2 2"}},
		{"insert-conflict", "INSERT INTO numbered (id, label) VALUES (1, 'a'), (3, 'b') ON CONFLICT DO NOTHING", []string{"collect party-a/people/u1>party-a/crm/numbered listed 1 1"}},
		{"insert-two", "INSERT INTO voters (id) VALUES (11); SELECT 1; INSERT INTO voters (id) VALUES (12)", []string{enters + "2 2"}},
		{"insert-again", "BEGIN; INSERT INTO voters (id) VALUES (13); DELETE FROM voters WHERE id = 13; INSERT INTO voters (id) VALUES (13); COMMIT", []string{
			enters + "1 1", enters + "1 1", removes + "1 1",
		}},
		{"delete-using", "DELETE FROM voters AS v USING other o WHERE v.id = 11 AND o.id = 1", []string{removes + "1 1"}},
		{"delete-renamed", "BEGIN; ALTER TABLE donors RENAME TO gone2; DELETE FROM gone2 WHERE donor = 7000041; ROLLBACK", nil},
		{"shadowed", "CREATE TEMP TABLE voters (name text); INSERT INTO voters VALUES ('x'); SELECT 1", []string{enters[:len(enters)-7] + "counted 1"}},
		{"role", "SET ROLE postgres; INSERT INTO voters (id) VALUES (14)", []string{enters[:len(enters)-7] + "counted 1"}},
		{"server-file", "COPY voters TO '/dev/null'", []string{"export party-a/crm/voters>party-a/unmapped/postgres whole"}},
		{"server-program", "COPY (SELECT id FROM voters WHERE id BETWEEN 7000001 AND 7000010) TO PROGRAM 'cat > /dev/null'", []string{"export party-a/crm/voters>party-a/unmapped/postgres counted 10"}},
		{"server-undone", "BEGIN; COPY (SELECT count(*) FROM voters) TO '/dev/null'; ROLLBACK", []string{"export party-a/crm/voters>party-a/unmapped/postgres counted 0"}},
		{"server-fails", "COPY (SELECT 1 / (id - 7000005) FROM voters) TO '/dev/null'", []string{"export party-a/crm/voters>party-a/unmapped/postgres counted 0"}},
		{"server-in", "COPY numbered FROM PROGRAM 'echo 44,x' CSV", []string{"collect party-a/unmapped/postgres>party-a/crm/numbered counted 1"}},
		{"create-empty", "CREATE TABLE none AS SELECT * FROM voters WITH NO DATA", nil},
		{"truncate-undone", "BEGIN; TRUNCATE voters; ROLLBACK", nil},
		{"explain", "EXPLAIN ANALYZE DELETE FROM donors", []string{"destroy party-a/money/donors> counted 0"}},
		{"update", "UPDATE voters SET poll = 1", nil},
		{"prepared", "PREPARE p AS DELETE FROM parts WHERE id = $1; EXECUTE p (7000001)", []string{"destroy party-a/crm/parts> counted 1"}},
		{"partition-emptied", "TRUNCATE parts_a", []string{"destroy party-a/crm/parts> counted 0"}},
		{"drop", "DROP TABLE parts", []string{"destroy party-a/crm/parts> whole"}},
		{"truncate", "TRUNCATE voters, other", []string{"destroy party-a/crm/voters> whole"}},
	}
	for _, c := range cases {
		_, _ = b.as(database, c.name).PgConn().Exec(t.Context(), c.sql).ReadAll() // some of them fail
	}
	copied := b.as(database, "copy-in")
	if _, err := copied.PgConn().CopyFrom(t.Context(), strings.NewReader("8\n9\n10\n"), "COPY voters (id) FROM STDIN"); err != nil {
		t.Error(err)
	}
	cases = append(cases, struct {
		name, sql string
		want      []string
	}{"copy-in", "", []string{enters + "3 3"}})
	b.stop()
	r := read(t, b.outbox)
	for _, c := range cases {
		slices.Sort(c.want)
		if have := deedsOf(r, c.name); !slices.Equal(have, c.want) {
			t.Errorf("%s:\nhave %s\nwant %s", c.name, strings.Join(have, "\n     "), strings.Join(c.want, "\n     "))
		}
	}
}

// What a client says of its purpose is believed as long as its transaction says it.
func TestTags(t *testing.T) {
	b := newBench(t, nil)
	b.stop()
	database := b.server.Database(t)
	b.server.Run(t, database, corpusRoll)
	b.start(func(cfg *pgtap.Config) {
		corpusConfig(b)(cfg)
		cfg.Route = func(who pgtap.Client) pgtap.Route {
			return pgtap.Route{
				Output: "party-a/reports/" + schema.Place(who.Application), Kind: schema.Export,
				Purpose: or(who.Tags[pgtap.TagPurpose], "none"), Agreement: or(who.Tags[pgtap.TagAgreement], "none"),
			}
		}
	})
	const read1 = "SELECT id FROM voters WHERE id = 7000001"
	cases := []struct{ name, sql, want string }{
		{"set", "SET rolltrace.purpose = 'mailing'; " + read1, "mailing none"},
		{"set-to", "SET rolltrace.purpose TO mailing; SET rolltrace.agreement = 'a-1'; " + read1, "mailing a-1"},
		{"reset", "SET rolltrace.purpose = 'mailing'; RESET rolltrace.purpose; " + read1, "none none"},
		{"reset-all", "SET rolltrace.purpose = 'mailing'; RESET ALL; " + read1, "none none"},
		{"local", "BEGIN; SET LOCAL rolltrace.purpose = 'mailing'; " + read1 + "; COMMIT", "mailing none"},
		{"local-over", "BEGIN; SET LOCAL rolltrace.purpose = 'mailing'; COMMIT; " + read1, "none none"},
		{"undone", "BEGIN; SET rolltrace.purpose = 'mailing'; ROLLBACK; " + read1, "none none"},
		{"kept", "BEGIN; SET rolltrace.purpose = 'mailing'; COMMIT; " + read1, "mailing none"},
		{"savepoint", "SET rolltrace.purpose = 'first'; BEGIN; SAVEPOINT s; SET rolltrace.purpose = 'second'; ROLLBACK TO s; " + read1 + "; COMMIT", "first none"},
		{"config", "SELECT set_config('rolltrace.purpose', 'mailing', false); " + read1, "mailing none"},
		{"comment", read1 + " /*purpose='door%2Dknocking',agreement='a-2',x='y'*/", "door-knocking a-2"},
		{"comment-first", "SET rolltrace.purpose = 'mailing'; /*purpose='calls'*/ " + read1, "calls none"},
		{"not-comment", "SELECT id, '/*purpose=''calls''*/' FROM voters WHERE id = 7000001", "none none"},
	}
	for _, c := range cases {
		if _, err := b.as(database, c.name).PgConn().Exec(t.Context(), c.sql).ReadAll(); err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	options := connect(t, b.url(database)+"&application_name=options&options=-c%20rolltrace.purpose%3Dmailing")
	if _, err := options.PgConn().Exec(t.Context(), "SET rolltrace.purpose = 'x'; RESET rolltrace.purpose; "+read1).ReadAll(); err != nil {
		t.Error(err)
	}
	cases = append(cases, struct{ name, sql, want string }{"options", "", "mailing none"})
	b.stop()
	r := read(t, b.outbox)
	for _, c := range cases {
		movements := r.to(schema.Place("party-a/reports/" + c.name))
		if len(movements) != 1 || movements[0].Purpose+" "+movements[0].Agreement != c.want {
			t.Errorf("%s: %d movements, want %s", c.name, len(movements), c.want)
			for _, m := range movements {
				t.Log(m.Purpose, m.Agreement)
			}
		}
	}
}

// The statement of a large result travels without its constants.
func TestEvidence(t *testing.T) {
	b, database := newRecordingBench(t, nil)
	b.server.Run(t, database, "INSERT INTO voters SELECT i, repeat('x', 400), NULL, 0, NULL FROM generate_series(1001, 4000) i")
	conn := b.as(database, "evidence")
	for _, sql := range []string{
		"COPY (SELECT id, name FROM voters WHERE name <> 'Invented Person' AND id <> 4711) TO STDOUT",
		"SELECT * FROM voters WHERE name <> 'Invented Person' AND id <> 4711 -- Invented Person",
	} {
		if strings.HasPrefix(sql, "COPY") {
			if _, err := conn.PgConn().CopyTo(t.Context(), io.Discard, sql); err != nil {
				t.Error(err)
			}
		} else if _, err := conn.PgConn().Exec(t.Context(), sql).ReadAll(); err != nil {
			t.Error(err)
		}
	}
	b.stop()
	var said []string
	for _, m := range read(t, b.outbox).to("party-a/reports/evidence") {
		said = append(said, m.Evidence.Statement)
	}
	if len(said) != 2 {
		t.Fatalf("%q", said)
	}
	for _, s := range said {
		if !strings.Contains(s, "voters") || strings.Contains(s, "Invented") || strings.Contains(s, "4711") {
			t.Errorf("%q", s)
		}
	}
}
