package main

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/rolltrace/rolltrace/producers/delimited"
	"github.com/rolltrace/rolltrace/schema"
)

// invented is a list of invented people, with a quoted field in each record, and their identifiers.
func invented(records int) (text []byte, ids []string) {
	const alphabet = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"
	random := rand.New(rand.NewPCG(7, 7))
	var b bytes.Buffer
	b.WriteString("given,elector_id,family,address\r\n")
	for i := range records {
		id := make([]byte, 8)
		for c := range id {
			id[c] = alphabet[random.IntN(len(alphabet))]
		}
		ids = append(ids, string(id))
		fmt.Fprintf(&b, "Given%d,%s,Family%d,\"%d Example St, \"\"Unit\"\" %d\"\r\n", i, id, i, i, i)
	}
	return b.Bytes(), ids
}

// idsFirst is what invented returns with the identifiers as the first column.
func idsFirst(text []byte) []byte {
	var out []byte
	for line := range bytes.Lines(text) {
		cells := bytes.SplitN(line, []byte(","), 3)
		out = append(out, bytes.Join([][]byte{cells[1], cells[0], cells[2]}, []byte(","))...)
	}
	return out
}

// Seeds look like the records around them, are nobody of the list, lie all over it, and are recorded as what they are.
func TestTeePutsSeedsIn(t *testing.T) {
	d := newDesk(t)
	hub := d.startHub()
	const seeds = 40
	input, ids := invented(150_000) // three blocks, and no size is known
	e := d.good(input, d.share("--id", "elector_id", "--mac", "--seeds", fmt.Sprint(seeds))...)

	real := map[string]bool{}
	lines := strings.SplitAfter(string(input), "\r\n")
	for _, line := range lines {
		real[line] = true
	}
	var kept strings.Builder
	var put []string
	var at []int
	for n, line := range strings.SplitAfter(e.stdout, "\r\n") {
		if real[line] {
			kept.WriteString(line)
		} else {
			put, at = append(put, line), append(at, n)
		}
	}
	if kept.String() != string(input) {
		t.Errorf("beside the seeds, what came out is not what went in")
	}
	if len(put) != seeds {
		t.Fatalf("%d seeds, want %d", len(put), seeds)
	}
	var invented []string
	for n, line := range put {
		fields := strings.SplitN(strings.TrimSuffix(line, "\r\n"), ",", 4)
		if len(fields) != 4 || len(fields[1]) != 8 || !strings.HasPrefix(fields[3], `"`) || !strings.HasSuffix(fields[3], `"`) || slices.Contains(ids, fields[1]) {
			t.Fatalf("seed %q", line)
		}
		given, family := strings.TrimPrefix(fields[0], "Given"), strings.TrimPrefix(fields[2], "Family")
		if given == family || strings.Contains(fields[3], `"`+given+" ") || strings.Contains(fields[3], `"`+family+" ") {
			t.Errorf("seed %q has two fields of one person", line)
		}
		invented = append(invented, fields[1])
		if n > 0 && slices.Contains(invented[:n], fields[1]) {
			t.Errorf("seed %q is there twice", fields[1])
		}
	}
	for part := range 3 { // of the list
		from, to := part*len(lines)/3, (part+1)*len(lines)/3
		if !slices.ContainsFunc(at, func(n int) bool { return from <= n && n < to }) {
			t.Errorf("no seed from line %d to %d: %v", from, to, at)
		}
	}
	m := hub.closed(1)[0]
	mac := d.secret.EvidenceMAC()
	mac.Write([]byte(e.stdout))
	if m.Evidence.Bytes != uint64(len(e.stdout)) || m.Evidence.MAC != "hmac-sha256:"+hex.EncodeToString(mac.Sum(nil)) {
		t.Errorf("evidence %+v", m.Evidence)
	}
	sets := m.Electors.Sets
	if m.Electors.Records != uint64(len(ids)) || len(sets) != 3 || sets[0].Role != "" || sets[1].Role != schema.Seeds || sets[2].Role != schema.NoSeeds ||
		sets[1].Keys != seeds || sets[2].Keys != 0 {
		t.Errorf("electors %+v", m.Electors)
	}
	if !slices.Equal(hub.keys(m, 0), d.want(schema.ElectorID, ids...)) || !sameKeys(hub.keys(m, 1), d.want(schema.ElectorID, invented...)) {
		t.Error("the keys recorded are not those of the list, and of the seeds")
	}
	if open := hub.byID[m.ID][1]; open.State != schema.Open || len(open.Electors.Sets) != 3 || open.Electors.Sets[1].Role != schema.Seeds {
		t.Errorf("opened %+v", open.Electors)
	}
}

func sameKeys(x, y []schema.Key) bool {
	x, y = slices.Clone(x), slices.Clone(y)
	slices.Sort(x)
	slices.Sort(y)
	return slices.Equal(x, y)
}

// An identifier that was invented, and then comes by, is said to be no seed.
func TestASeedThatIsSomebodyIsNone(t *testing.T) {
	d := newDesk(t)
	s := newSeeder(1, d.secret, []schema.Set{{IDSpace: schema.ElectorID}}, nil)
	key, _ := d.secret.Space(schema.ElectorID).Key([]byte("AB12CD34"))
	s.ours[0][key] = true
	keys := &blockKeys{of: [][]schema.Key{{1, key, 2}}, seeds: make([][]schema.Key, 1), none: make([][]schema.Key, 1)}
	s.look(&delimited.Block{Attached: keys})
	if !slices.Equal(keys.none[0], []schema.Key{key}) {
		t.Errorf("have %v", keys.none)
	}
	if sets := keys.sets(true); len(sets) != 3 || !slices.Equal(sets[2], keys.none[0]) {
		t.Errorf("sets %v", sets)
	}
}

func TestSeedsAreRefused(t *testing.T) {
	d := newDesk(t)
	d.startHub()
	short, _ := invented(9)
	long, _ := invented(200)
	dense := []byte("elector_id,name\n")
	for i := range 200 {
		dense = fmt.Appendf(dense, "%03d,x\n", i)
	}
	for _, test := range []struct {
		input []byte
		args  []string
		want  string
	}{
		{short, []string{"--seeds", "3"}, "too short"},
		{dense, []string{"--seeds", "3"}, "leave no room to invent any"},
		{long, []string{"--seeds", "-1"}, "--seeds -1: want 1 to 1000"},
		{[]byte("elector_id\n"), []string{"--seeds", "3"}, "too short"},
		{[]byte("\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x00"), []string{"--seeds", "3"}, "compressed"},
	} {
		e := d.run(test.input, append(d.share("--id", "elector_id"), test.args...)...)
		if e.code == 0 || !strings.Contains(e.stderr, test.want) {
			t.Errorf("%v: exit %d, said %q, want %s", test.args, e.code, e.stderr, test.want)
		}
		if strings.Contains(e.stdout, "\n0") {
			t.Errorf("%v: records were put out", test.args)
		}
	}
}
